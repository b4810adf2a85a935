"""One look into logs: what it shows, what it lacks, the line of Python that asks it again, the answers it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from kit.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from connectors.base import Answer


@dataclass(frozen=True, slots=True)
class Look(Result):
    """One look: what it shows (`table`), what it is, what it lacks (`because`), and the line that asks it again.

    `sampled`: its numbers are estimates from a sample; `view.exactly()` has them counted.
    """

    title: str
    table: pd.DataFrame
    code: str
    because: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = field(default=(), repr=False, compare=False)
    sampled: bool = False

    @property
    def headline(self) -> str:
        """What is seen."""
        return self.title

    @property
    def evidence(self) -> tuple[str, ...]:
        """The ids of the answers that it rests on."""
        return tuple(answer.evidence for answer in self.answers)

    def to_frame(self) -> pd.DataFrame:
        """The table itself."""
        return self.table

    def save(self, folder: str | Path) -> tuple[str, ...]:
        """Keep what was seen as evidence in this folder (a case's, or any): Parquet, and a line in `evidence.jsonl`.

        Gives the ids under which it is found again. A look that rests on no single answer is kept as the table shown.
        """
        from connectors.answers import Answers

        kept = Answers(Path(folder).expanduser())
        return tuple(kept.keep(answer).evidence for answer in self.answers or (self._as_answer(),))

    def _as_answer(self) -> Answer:
        import pyarrow as pa

        from connectors.base import Answer, Fetch, canonical

        plain = self.table.map(lambda v: v if v is None or isinstance(v, int | float | str | bool) else str(v))
        table = pa.Table.from_pandas(plain, preserve_index=False).replace_schema_metadata(None)
        because = "; ".join(self.because) or None
        fetch = Fetch("explorer", "look", self.code, None, table.num_rows, sampled=because if self.sampled else None)
        return Answer(table, fetch, canonical({"code": self.code}))
