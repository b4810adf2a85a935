"""What do the first suspects hold? The files that differ between the version that was there and the one that came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from kit.result import Result

if TYPE_CHECKING:
    from connectors.load import Recorded
    from kit.case import Case

SUSPECTS = 3
FILES_TOLD = 6
COLUMNS = ("change", "file", "kind", "added", "removed", "text")


@dataclass(frozen=True, slots=True)
class Contents(Result):
    """The files that the first suspects brought. `table`: change, file, kind, added, removed (lines), text (diff)."""

    table: pd.DataFrame
    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        if not len(self.table):
            return f"What the first suspects hold is not known: {self.because[0]}."
        parts = self.table.groupby("change", sort=False)
        told = [f"{change} {len(files)} file{'s' if len(files) > 1 else ''}" for change, files in parts]
        return f"What came with the first suspects: {', '.join(told)}."

    def to_frame(self) -> pd.DataFrame:
        """A row per file and change."""
        return self.table.copy()


def contents_of_suspects(case: Case) -> Contents:
    """Which files did the first three suspects by time bring, as far as a repository of the case has both versions?

    It shows what came with a change, not that this did the harm. What no repository knows is said.
    """
    repositories = [s for s in case.sources("changes") if case.catalog.sources[s.name].kind == "git"]
    if not repositories:
        return Contents(_empty(), ("the case has no repository",))
    rows = {str(row["id"]): row for row in case.changes.to_dict("records")}
    found, unknown = [], []
    for suspect in case.suspects.ranked[:SUSPECTS]:
        parts = [_contents(case, source, rows[suspect.id]) for source in repositories if suspect.id in rows]
        filled = [part for part in parts if len(part)]
        found += filled
        if not filled:
            unknown.append(f"no repository has the versions of {suspect.ref or suspect.summary}")
    table = pd.concat(found, ignore_index=True) if found else _empty()
    told = [_told(row) for row in table.head(FILES_TOLD).to_dict("records")]
    return Contents(table, (*told, *unknown) or ("no change is suspected",))


def _contents(case: Case, source: Recorded, row: Mapping[Any, Any]) -> pd.DataFrame:
    """By the versions that the change names; where it names none, by its ref."""
    ref, before, after = (_text(row[name]) for name in ("ref", "before", "after"))
    newer = after or ref
    if newer is None:
        return _empty()
    answer = case.ask("changes", lambda: source.contents(before=before if after else None, after=newer))
    return _empty() if answer is None else answer.to_frame().assign(change=ref or str(row["id"]))[list(COLUMNS)]


def _told(row: Mapping[Any, Any]) -> str:
    return f"{row['change']}: {row['file']} ({row['kind']}), {row['added']} lines in, {row['removed']} out"


def _text(value: Any) -> str | None:
    return str(value) if value is not None and value == value and str(value) else None


def _empty() -> pd.DataFrame:
    return pd.DataFrame(columns=list(COLUMNS))
