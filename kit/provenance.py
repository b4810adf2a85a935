"""For any number of an investigation: which query, where, when, how many rows, and how much of it is missing?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from connectors.answers import Answers, Entry
from connectors.window import iso
from kit.findings import Findings
from kit.result import Result

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "said", "value", "evidence", "source", "question", "query", "window_start", "window_end", "asked", "rows",
    "sampled", "truncated", "partial",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Origin:
    """One number or sentence, and one recorded answer that it rests on.

    `said` is where it stands: `07/Impact impact.failed.value` of the findings, or a chart. `asked` is when the source
    was asked, in UTC; None where the index does not say.
    """

    said: str
    value: Any
    entry: Entry

    def to_dict(self) -> dict[str, Any]:
        """The row of the register as plain values, times as UTC text."""
        fetch = self.entry.fetch
        return {
            "said": self.said,
            "value": self.value,
            "evidence": self.entry.evidence,
            "source": fetch.source,
            "question": fetch.question,
            "query": fetch.query,
            "window_start": iso(fetch.window.start) if fetch.window else None,
            "window_end": iso(fetch.window.end) if fetch.window else None,
            "asked": _time(self.entry.asked),
            "rows": fetch.rows,
            "sampled": fetch.sampled,
            "truncated": fetch.truncated,
            "partial": fetch.partial,
        }


@dataclass(frozen=True)
class Provenance(Result):
    """The register of a case, a row for each value and each answer it rests on."""

    origins: tuple[Origin, ...]
    because: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """How many values rest on how many answers."""
        said = len({o.said for o in self.origins})
        return f"{said:,} values rest on {len({o.entry.evidence for o in self.origins}):,} recorded answers"

    def to_frame(self) -> pd.DataFrame:
        """Columns `COLUMNS`, in the order of the walk."""
        import pandas as pd

        return pd.DataFrame([o.to_dict() for o in self.origins], columns=list(COLUMNS))

    def of(self, words: str) -> Provenance:
        """Only the rows whose place or value holds these words, capitals or not."""
        wanted = words.casefold()
        kept = (o for o in self.origins if wanted in o.said.casefold() or wanted in str(o.value).casefold())
        return Provenance(tuple(kept), self.because)

    def to_lines(self) -> bytes:
        """The register as JSON lines, one a value: where it stands, and the ids of the answers it rests on.

        Query, source, time, window and rows of each id stand in `evidence.jsonl`.
        """
        found: dict[str, tuple[Any, list[str]]] = {}
        for origin in self.origins:
            found.setdefault(origin.said, (origin.value, []))[1].append(origin.entry.evidence)
        lines = [{"said": said, "value": value, "rests_on": ids} for said, (value, ids) in found.items()]
        return b"".join(orjson.dumps(line, default=str) + b"\n" for line in lines)


def register(folder: Path) -> Provenance:
    """Where does every number of this walked case come from?

    Each leaf of each finding with the answers that its notebook named for it, and each chart with those it cites. A
    number rests on all of them together; which one alone made it the register does not know. Raises `NotRecorded` for
    a finding whose answer is not recorded.
    """
    answers = Answers(folder)
    origins = [
        Origin(said, value, answers.entry(evidence)) for said, value, grounds in _values(folder) for evidence in grounds
    ]
    lacking = {o.entry.evidence for o in origins if o.entry.fetch.partial or o.entry.fetch.truncated}
    drawn = {o.entry.evidence for o in origins if o.entry.fetch.sampled}
    because = []
    if lacking:
        because.append(f"{len(lacking)} of the answers are partial or cut off")
    if drawn:
        because.append(f"{len(drawn)} of them are samples")
    return Provenance(tuple(origins), tuple(because))


def _values(folder: Path) -> Iterator[tuple[str, Any, list[str]]]:
    from kit.bundle.contents import charts

    findings = Findings(folder)
    for part in findings.parts():
        for noun, result in (findings.part(part) or {"results": {}})["results"].items():
            for said, value in leaves(result["values"]):
                yield f"{part}/{noun} {said}", value, list(result["rests_on"])
    for number, (notebook, chart) in enumerate(charts(folder), start=1):
        cited = [str(i) for i in chart.get("evidence", [])]
        yield f"{notebook}, chart {number}", str(chart.get("title", "")), cited


def leaves(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """Every single value inside, and where it stands.

    >>> list(leaves({"impact": {"failed": {"value": 3}}, "gaps": ["a"]}))
    [('impact.failed.value', 3), ('gaps[0]', 'a')]
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{at}[{index}]")
    else:
        yield at, value


def _time(at: datetime | None) -> str | None:
    return iso(at) if at else None
