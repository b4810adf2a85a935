"""The outermost hop's requests: which source has them, which of them are users', which of those failed (P7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.where import all_of
from connectors.where_fold import fold_missing
from kit.errors import BadCase

if TYPE_CHECKING:
    import pandas as pd

    from connectors.load import Recorded


@dataclass(frozen=True, slots=True)
class RequestLog:
    """User requests, counted once at the outermost hop; probes, health checks and scrapes kept out.

    `source` is a log source whose rows are requests, `spec` the `[requests]` block of `signals.toml`, `names` the
    fields its rows have.
    """

    source: Recorded
    spec: Any
    names: frozenset[str]

    @property
    def service(self) -> str:
        """Whose hop it is."""
        return self.spec.service

    @property
    def users(self) -> str:
        """The filter that keeps users' requests: rows that are requests and no probes."""
        probes = fold_missing(self.spec.probes, self.names) if self.spec.probes else False
        no_probes = f"NOT ({probes})" if isinstance(probes, str) else None
        return all_of("duration_s IS NOT NULL", self.spec.where, no_probes) or "duration_s IS NOT NULL"

    @property
    def fails(self) -> str:
        """The filter that says of a request that it failed. Raises `BadCase` when it names no field that is there."""
        failed = fold_missing(self.spec.failed, self.names)
        if isinstance(failed, bool):
            raise BadCase(
                f"signals.toml [requests] failed = {self.spec.failed!r} names no field of {self.source.name}: "
                f"it has {', '.join(sorted(self.names))}."
            )
        return failed

    @property
    def failed(self) -> str:
        """The filter that keeps the users' requests that failed."""
        return all_of(self.users, self.fails) or self.users

    @property
    def fields(self) -> tuple[str, ...]:
        """The columns asked for with raw rows."""
        from kit.questions import REQUEST_FIELDS

        return ("time", "seq", "service", "id", "weight", *(f for f in REQUEST_FIELDS if f in self.names))

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Along which fields can it be asked who is hurt? Those that the rows have."""
        wanted = (
            "route", "region", "zone", "tenant", "client", "version", "instance", "http.request.method",
            "upstream.address",
        )  # fmt: skip
        return tuple(f for f in wanted if f in self.names)

    def judged(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows with a boolean column `failed`, by the same filter that the source was asked with."""
        import pyarrow as pa

        from connectors.where import evaluate

        table = pa.Table.from_pandas(rows, preserve_index=False)
        failed = evaluate(self.fails, table) if len(rows) else pa.array([], pa.bool_())
        return rows.assign(failed=failed.to_numpy(zero_copy_only=False).astype(bool))
