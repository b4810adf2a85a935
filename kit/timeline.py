"""What happened, in order? Absolute UTC beside the people's own clock, uncertainty and evidence on every row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from connectors.errors import BadInput
from connectors.window import utc
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.moments import Moment, as_moment, in_zone, length
from kit.result import Result

LANES = ("change", "symptom", "detection", "response", "recovery")
_EFFECTS = {
    "helped": "helped",
    "none": "the harm did not end by it",
    "worse": "it became worse",
    "cannot_tell": "whether it helped cannot be told",
}
_MARKS = {"detected": "detection", "engaged": "response", "mitigated": "response", "resolved": "recovery"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One row: something that happened at `moment` (an interval where the instant is not known), and what shows it.

    `by_hand`: added by a person, from a chat or a pager, not computed.
    """

    moment: Moment
    lane: str
    text: str
    evidence: tuple[str, ...] = ()
    by_hand: bool = False

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Fact:
        """A row as it stands in `timeline.jsonl`: time, lane, fact, optionally latest, evidence.

        >>> Fact.of({"time": "2026-03-01T02:20Z", "lane": "response", "fact": "paged the database team"}).by_hand
        True
        """
        missing = [name for name in ("time", "lane", "fact") if not row.get(name)]
        if missing:
            raise BadInput(f"A row of the timeline lacks {', '.join(missing)}: give time (with zone), lane and fact.")
        if row["lane"] not in LANES:
            raise BadInput(f"There is no lane {row['lane']!r} in a timeline: use {', '.join(LANES)}.")
        low = utc(row["time"])
        high = utc(row["latest"]) if row.get("latest") else low
        return cls(Moment(low, low, high), row["lane"], str(row["fact"]), tuple(row.get("evidence", ())), True)


@dataclass(frozen=True, slots=True)
class Timeline(Result):
    """All facts in order of time. `tz` is the people's zone, for display beside UTC."""

    facts: tuple[Fact, ...]
    tz: str
    because: tuple[str, ...]
    onset: Moment | None = None

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        if self.onset is None:
            return f"{len(self.facts)} events and no harm among them."
        parts = [f"Harm began {self.onset}"]
        for lane, word in (("detection", "noticed"), ("response", "first acted on"), ("recovery", "over")):
            fact = next((f for f in self.facts if f.lane == lane and f.moment.latest >= self.onset.earliest), None)
            if fact is not None:
                parts.append(f"{word} {length(max(0.0, (fact.moment.time - self.onset.time).total_seconds()))} later")
        return f"{', '.join(parts)}."

    def to_frame(self) -> pd.DataFrame:
        """A row per fact: time, earliest, latest (UTC), local, lane, fact, order (sure or not), evidence, by_hand."""
        names = ["time", "earliest", "latest", "local", "lane", "fact", "order", "evidence", "by_hand"]
        rows = [
            {
                "time": f.moment.time,
                "earliest": f.moment.earliest,
                "latest": f.moment.latest,
                "local": in_zone(f.moment.time, self.tz),
                "lane": f.lane,
                "fact": f.text,
                "order": self._order(n),
                "evidence": ", ".join(f.evidence),
                "by_hand": f.by_hand,
            }
            for n, f in enumerate(self.facts)
        ]
        frame = pd.DataFrame(rows, columns=names)
        return frame.assign(**{c: pd.to_datetime(frame[c], utc=True) for c in ("time", "earliest", "latest")})

    def _order(self, n: int) -> str:
        """Is it known that the row before came first? Not where the two intervals overlap."""
        if n == 0:
            return "sure"
        before, here = self.facts[n - 1].moment, self.facts[n].moment
        return "sure" if before.latest < here.earliest or before == here else "unknown"


def build_timeline(
    *,
    symptom: Any = None,
    changes: Table | None = None,
    alerts: Table | None = None,
    marks: Sequence[Mapping[str, Any]] = (),
    effects: Sequence[Any] = (),
    board: Any = None,
    templates: pd.DataFrame | None = None,
    rows: Iterable[Mapping[str, Any]] = (),
    evidence: Mapping[str, Sequence[str]] | None = None,
    example: str | None = None,
    every_s: float = 0.0,
    tz: str = "UTC",
) -> Timeline:
    """What happened, in order, and what shows it?

    `symptom` from `find_symptom` (onsets and recoveries of every episode), `changes` CHANGES (before the onset a
    change, after it a response when it undoes or mitigates something), `alerts` ALERTS, `marks` from the incident's
    file, `effects` from `judge_actions`, `board` (which resource squeezed first), `templates` (the first new error
    line; `example` is one such line as it was written), `rows` added by hand. `evidence` names evidence ids: requests,
    changes, derived (what shows changes that nobody reported), alerts, metrics, logs. `every_s`: the bins that derived
    changes are dated by.

    Two rows whose intervals overlap have no known order; the table says so and does not pretend.

    >>> found = build_timeline(marks=[{"kind": "detected", "time": "2026-03-01T02:16Z"}], tz="Europe/Berlin")
    >>> found.to_frame()[["local", "lane"]].values.tolist()
    [['2026-03-01 03:16:00 +01:00', 'detection']]
    """
    shown = {k: tuple(v) for k, v in (evidence or {}).items()}
    onset = symptom.episodes[0].onset if symptom is not None and symptom.episodes else None
    facts = [
        *_of_symptom(symptom, shown.get("requests", ())),
        *_of_changes(changes, onset, effects, shown, timedelta(seconds=every_s)),
        *_of_alerts(alerts, shown.get("alerts", ())),
        *_of_marks(marks, shown.get("marks", ())),
        *_of_board(board, shown.get("metrics", ())),
        *_of_templates(templates, example, shown.get("logs", ())),
        *(Fact.of(row) for row in rows),
    ]
    facts.sort(key=lambda f: (f.moment.time, f.moment.earliest, LANES.index(f.lane)))
    said = tuple(f"{f.moment.time:%H:%M:%S} UTC {f.lane}: {f.text}" for f in facts[:12])
    return Timeline(tuple(facts), tz, said, onset)


def _of_symptom(symptom: Any, ids: tuple[str, ...]) -> list[Fact]:
    facts = []
    for n, episode in enumerate(getattr(symptom, "episodes", ()), start=1):
        which = f" (episode {n})" if len(symptom.episodes) > 1 else ""
        where = f" on {', '.join(episode.routes)}" if episode.routes else ""
        what = {
            "errors_ratio": "requests begin to fail",
            "slow_ratio": "requests become slow",
            "latency_p99_s": "requests become slow",
            "traffic_rps": "fewer requests come",
        }
        told = (
            " and ".join(dict.fromkeys(what.get(s, f"{s} is over its limit") for s in episode.signals))
            or "users are hurt"
        )
        facts.append(Fact(episode.onset, "symptom", f"{told}{where}{which}", ids))
        if episode.recovered is not None:
            facts.append(Fact(episode.recovered, "recovery", f"users are served as before{which}", ids))
    return facts


def _of_changes(
    changes: Table | None,
    onset: Moment | None,
    effects: Sequence[Any],
    shown: Mapping[str, tuple[str, ...]],
    bin_width: timedelta,
) -> list[Fact]:
    if changes is None or not columns.length(changes):
        return []
    wanted = ("id", "time", "until", "kind", "service", "summary", "ref", "reverts", "derived")
    done = {e.ref: e for e in effects}
    facts = []
    for row in columns.column_frame(changes, wanted).to_dict("records"):
        time = utc(row["time"])
        ref = str(row.get("ref") or row.get("id"))
        reverts = row.get("reverts")
        acted = ref in done or row["kind"] == "mitigation" or (isinstance(reverts, str) and bool(reverts))
        lane = "response" if acted and onset is not None and time > onset.earliest else "change"
        effect = f": {_EFFECTS[done[ref].effect]}" if ref in done else ""
        until = row.get("until")
        end = utc(until) if until is not None and not pd.isna(until) else time
        text = (
            f"{row.get('summary') or ref}{f' ({length((end - time).total_seconds())})' if end > time else ''}{effect}"
        )
        derived = row.get("derived")
        if derived is not None and not pd.isna(derived) and bool(derived):
            text = f"{text}; seen in the data, reported by nobody"
            facts.append(Fact(Moment(time, time, time + bin_width), lane, text, shown.get("derived", ())))
        else:
            facts.append(Fact(Moment(time, time, time), lane, text, shown.get("changes", ())))
    return facts


def _of_alerts(alerts: Table | None, ids: tuple[str, ...]) -> list[Fact]:
    if alerts is None or not columns.length(alerts):
        return []
    facts = []
    for row in columns.column_frame(alerts, ("time", "until", "name", "service")).to_dict("records"):
        service = f" ({row['service']})" if isinstance(row.get("service"), str) else ""
        facts.append(Fact(_at(row["time"]), "detection", f"alert {row['name']}{service} fires", ids))
        if row.get("until") is not None and not pd.isna(row["until"]):
            facts.append(Fact(_at(row["until"]), "recovery", f"alert {row['name']}{service} stops", ids))
    return facts


def _of_marks(marks: Sequence[Mapping[str, Any]], ids: tuple[str, ...]) -> list[Fact]:
    words = {
        "detected": "somebody noticed",
        "engaged": "somebody took it on",
        "mitigated": "said to be mitigated",
        "resolved": "said to be resolved",
    }
    facts = []
    for mark in marks:
        kind = str(mark["kind"])
        if kind not in _MARKS:
            raise BadInput(f"There is no mark {kind!r}: use {', '.join(_MARKS)}.")
        facts.append(Fact(_at(mark["time"]), _MARKS[kind], words[kind], ids, by_hand=True))
    return facts


def _of_board(board: Any, ids: tuple[str, ...]) -> list[Fact]:
    if board is None:
        return []
    first = [r for r in board.readings if r.signal in board.squeezed_first and r.onset is not None]
    return [Fact(r.onset, "symptom", f"{r.text}: the first resource seen to be squeezed", ids) for r in first[:1]]


def first_new_line(templates: pd.DataFrame | None) -> Mapping[str, Any] | None:
    """The new warning or error that was written first: its row of the compared templates; None: there is none."""
    if templates is None or not len(templates) or "first_seen" not in templates:
        return None
    new = templates[(templates["class"].astype(str) == "new") & templates["level"].isin(["ERROR", "FATAL", "WARN"])]
    return new.sort_values("first_seen").iloc[0].to_dict() if len(new) else None


def _of_templates(templates: pd.DataFrame | None, example: str | None, ids: tuple[str, ...]) -> list[Fact]:
    row = first_new_line(templates)
    if row is None:
        return []
    service = f" of {row['service']}" if isinstance(row.get("service"), str) else ""
    said = str(example or row["template"])[:160]
    return [Fact(_at(row["first_seen"]), "symptom", f"first new line{service}: {said}", ids)]


def _at(time: datetime | str | pd.Timestamp) -> Moment:
    moment = as_moment(time)
    assert moment is not None
    return moment
