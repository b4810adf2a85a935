"""Two investigations side by side: what each found, in the same words, and where they part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.answers import Answers, evidence_hash
from connectors.window import utc
from kit.errors import BadCase
from kit.findings import Findings
from kit.incident import Incident, read_incident
from kit.result import Result, cell_text

if TYPE_CHECKING:
    import pandas as pd

_NONE = "—"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was found, in both; `same` when both say the same."""

    what: str
    one: str
    other: str

    @property
    def same(self) -> bool:
        """Do both say the same?"""
        return self.one == self.other


@dataclass(frozen=True)
class SideBySide(Result):
    """Two investigations, a row for each thing that either of them found."""

    names: tuple[str, str]
    rows: tuple[Row, ...]
    because: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """In how many of the things do they part?"""
        parted = [row.what for row in self.rows if not row.same]
        if not parted:
            return f"{self.names[0]} and {self.names[1]} found the same."
        return f"{self.names[0]} and {self.names[1]} part in {len(parted)} of {len(self.rows)}: {', '.join(parted)}."

    def to_frame(self) -> pd.DataFrame:
        """Columns: what, one column for each of the two, and whether they are the same."""
        import pandas as pd

        one, other = self.names if self.names[0] != self.names[1] else (f"{self.names[0]} (1)", f"{self.names[1]} (2)")
        return pd.DataFrame([{"what": r.what, one: r.one, other: r.other, "same": r.same} for r in self.rows])

    def to_text(self, *, width: int = 118) -> str:
        """The same for a terminal, both columns wrapped; a row in which they part begins with ≠."""
        import textwrap

        label = max((len(r.what) for r in self.rows), default=4)
        column = max((width - label - 8) // 2, 20)
        lines = [self.headline, *(f"  · {reason}" for reason in self.because), ""]
        for what, one, other, mark in (
            ("", *self.names, " "),
            *((r.what, r.one, r.other, " " if r.same else "≠") for r in self.rows),
        ):
            left, right = (textwrap.wrap(text, column) or [""] for text in (one, other))
            for i in range(max(len(left), len(right))):
                head = f"{mark} {what}" if i == 0 else ""
                cells = (part[i] if i < len(part) else "" for part in (left, right))
                lines.append("  ".join([f"{head:<{label + 2}}", *(f"{c:<{column}}" for c in cells)]).rstrip())
        return "\n".join(lines)


def compare_investigations(one: Path, other: Path) -> SideBySide:
    """What did these two walked cases or bundles find, side by side?

    Times are UTC. That two cases found the same class or suspect says that they look alike, not that they have one
    cause. Nothing of a bundle is run. Raises `BadCase` for a case that was not walked.
    """
    with ExitStack() as opened:
        sides = [_side(opened, path) for path in (one, other)]
        told = [dict(_told(folder, about)) for folder, about in sides]
        labels = list(dict.fromkeys((*told[0], *told[1])))
        rows = tuple(Row(what, told[0].get(what, _NONE), told[1].get(what, _NONE)) for what in labels)
        names = sides[0][1].id, sides[1][1].id
        return SideBySide(names, rows, tuple(_evidence([folder for folder, _ in sides])))


def _side(opened: ExitStack, path: Path) -> tuple[Path, Incident]:
    from kit.bundle.received import admitted, is_bundle

    folder = opened.enter_context(admitted(path)) / "data" if is_bundle(path) else path
    about = read_incident(folder)
    if not Findings(folder).parts():
        raise BadCase(f"{path} has not been walked yet: run `incident-kit run {path}` first.")
    return folder, about


def _told(folder: Path, about: Incident) -> Iterator[tuple[str, str]]:
    findings = Findings(folder).merge()
    yield "title", about.title
    yield "looked at", f"{cell_text(about.look.start)} to {cell_text(about.look.end)}"
    yield "verdict", str(findings["verdict"])
    for number, episode in enumerate(findings["episodes"], start=1):
        yield from _episode(episode, "" if number == 1 else f"{number}. ")
    for name, quantity in (findings["impact"] or {}).items():
        if isinstance(quantity, Mapping) and quantity.get("value") is not None:
            yield name, f"{quantity['value']:,.0f} ({quantity.get('low', 0):,.0f}–{quantity.get('high', 0):,.0f})"
    for state in ("confirmed", "supported", "open", "refuted"):
        said = [str(h["statement"]) for h in findings["hypotheses"] if h.get("state") == state]
        if said:
            yield state, _list(said)
    if findings["mechanism"]:
        yield (
            "chain",
            " → ".join(dict.fromkeys(str(link[end]) for link in findings["mechanism"] for end in ("from", "to"))),
        )
    helped = [f"{m.get('summary') or m['ref']}: {m['effect']}" for m in findings["mitigations"]]
    yield "mitigations", _list(helped)
    yield "not known", _list([_text(g) for g in (*findings["gaps"], *findings["partial"])])
    yield "next", _list([_text(n) for n in findings["next"]])


def _episode(episode: Mapping[str, Any], number: str) -> Iterator[tuple[str, str]]:
    onset, recovered = episode.get("onset"), episode.get("recovered")
    yield f"{number}onset", f"{onset['earliest']} to {onset['latest']}" if onset else _NONE
    yield f"{number}over", f"{recovered['earliest']} to {recovered['latest']}" if recovered else "not in the recording"
    if onset and recovered and recovered.get("time"):
        lasted = (utc(recovered["time"]) - utc(onset["time"])).total_seconds()
        yield f"{number}lasted", f"{lasted / 60:.1f} minutes"
    failure = episode.get("failure") or {}
    yield f"{number}class", str(failure.get("name", "unclassified"))
    yield f"{number}action", str(failure.get("action") or _NONE)
    suspects = sorted(episode.get("suspects") or [], key=lambda s: s.get("rank", 1))
    first = suspects[0] if suspects else None
    yield f"{number}first suspect", f"{first.get('ref')}: {first.get('summary', '')}" if first else "none"
    yield f"{number}cut", _list([str(b) for b in (episode.get("cut") or {}).get("between") or []])
    scope = episode.get("scope") or {}
    yield f"{number}hurt", str(scope.get("where") or _NONE)


def _evidence(folders: Sequence[Path]) -> Iterator[str]:
    """What both rest on: the hashes, and which of the same questions were answered otherwise."""
    one, other = (Answers(folder) for folder in folders)
    for folder, answers in zip(folders, (one, other), strict=True):
        yield f"{read_incident(folder).id}: {len(answers)} recorded answers, evidence hash {evidence_hash(folder)}"
    left, right = ({e.key: e.evidence for e in answers} for answers in (one, other))
    both = left.keys() & right.keys()
    if both:
        changed = sum(left[key] != right[key] for key in both)
        yield f"{len(both)} questions were asked in both with the same arguments; {changed} were answered otherwise"


def _list(items: Sequence[str]) -> str:
    shown = [*items[:4], *([f"{len(items) - 4} more"] if len(items) > 4 else [])]
    return "; ".join(shown) or _NONE


def _text(item: Any) -> str:
    return str(item.get("text", item)) if isinstance(item, Mapping) else str(item)
