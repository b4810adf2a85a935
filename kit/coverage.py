"""What do we have, from when to when, and what can it not tell us?

Telemetry that is lost is a symptom of its own: silent sources, vanished series, targets that are down, lines that were
suppressed, duplicates. A pillar that is missing is an action for tomorrow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.numerics import columns
from kit.numerics.columns import Table
from kit.numerics.grid import Grid
from kit.numerics.moments import clock, from_us, length
from kit.result import Result

PILLARS = ("metrics", "logs", "spans")
SILENT_BINS = 3
FILLED = 0.9
USUAL_PER_BIN = 3.0
"""A service that writes less than this per bin may be silent by chance."""
_SUPPRESSED = re.compile(
    r"suppressed|rate.?limit\w* \d+ (messages|callbacks)|repeated (<\*>|\d+) times|dropp(ed|ing) (<\*>|\d+)"
    r" (messages|events|spans|lines|logs)|queue is full.*drop", re.I)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """One source: which pillar, from when to when it spoke (None: never), how many rows. `last` is its watermark."""

    source: str
    pillar: str
    first: datetime | None
    last: datetime | None
    rows: float
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Loss:
    """Telemetry that was lost.

    What, whose, when; `during_harm`: while users were hurt, so that its service is unknown; `only_then`: all of it.
    """

    kind: str
    what: str
    window: Window
    during_harm: bool
    only_then: bool = True

    @property
    def text(self) -> str:
        """The loss in words."""
        harm = f", {'' if self.only_then else 'in part '}while users were hurt" if self.during_harm else ""
        return f"{self.what} from {clock(self.window.start)} to {clock(self.window.end)} UTC{harm}"


@dataclass(frozen=True, slots=True)
class Coverage(Result):
    """What was seen and what was not. `gaps`: what cannot be told, in sentences; `partial`: what could not be asked.

    `missing`: (service, pillar) pairs without any data; `actions`: what to add so that next time can tell.
    """

    sources: tuple[SourceSeen, ...]
    window: Window
    losses: tuple[Loss, ...]
    missing: tuple[tuple[str, str], ...]
    gaps: tuple[str, ...]
    partial: tuple[str, ...]
    actions: tuple[str, ...]
    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        spoke = [s for s in self.sources if s.rows]
        pillars = {s.pillar for s in spoke}
        parts = [f"{len(spoke)} source{'s' * (len(spoke) != 1)}, {len(pillars)} pillar{'s' * (len(pillars) != 1)}"]
        parts += list(self.gaps[:3])
        more = f" and {len(self.gaps) - 3} more gaps" if len(self.gaps) > 3 else ""
        return "; ".join(parts) + more + "."

    @property
    def lost(self) -> tuple[Window, ...]:
        """The stretches over which figures are lower bounds, for `measure_impact(gaps=)`."""
        return tuple(loss.window for loss in self.losses if loss.kind == "silent")

    def watermark(self, pillar: str) -> datetime | None:
        """Until when do all sources of this pillar speak? None: it has no source that spoke."""
        ends = [s.last for s in self.sources if s.pillar == pillar and s.last is not None]
        return min(ends, default=None)

    def to_frame(self) -> pd.DataFrame:
        """A row per source: source, pillar, first, last (UTC), rows, services."""
        names = ["source", "pillar", "first", "last", "rows", "services"]
        rows = [{n: getattr(s, n) for n in names} | {"services": ", ".join(s.services)} for s in self.sources]
        frame = pd.DataFrame(rows, columns=names)
        return frame.assign(
            first=pd.to_datetime(frame["first"], utc=True), last=pd.to_datetime(frame["last"], utc=True)
        )


def count_records(table: Table, *, source: str, pillar: str, window: Window, every: str) -> pd.DataFrame:
    """How many records of each service lie in each bin? A part of `measure_coverage`'s `seen`, from a table at hand.

    Takes LOGS, METRICS, CHANGES, ALERTS (by `time`) or SPANS (by `start`); records without a service count as its own.
    """
    name = "start" if "start" in columns.names(table) and "time" not in columns.names(table) else "time"
    grid = Grid.of(window, every)
    empty = pd.DataFrame({"source": [], "pillar": [], "service": [], "time": pd.to_datetime([], utc=True), "n": []})
    if not columns.length(table):
        return empty
    bins, inside = grid.place(columns.times_us(table, name))
    service, labels = columns.codes(table, "service")
    size = len(labels) + 1
    n = np.bincount((service[inside].astype(np.int64) + 1) * grid.size + bins[inside], minlength=size * grid.size)
    who, at = np.nonzero(n.reshape(size, grid.size))
    return pd.DataFrame(
        {
            "source": source,
            "pillar": pillar,
            "service": [source if w == 0 else labels[w - 1] for w in who],
            "time": grid.index[at],
            "n": n.reshape(size, grid.size)[who, at].astype(float),
        }
    )


def count_duplicates(table: Table) -> int:
    """How many rows repeat an id that was there before? Rows without an id are not counted.

    >>> count_duplicates(pd.DataFrame({"id": ["a", "b", "a", None, None]}))
    1
    """
    code, _ = columns.codes(table, "id")
    known = code[code >= 0]
    return int(len(known) - len(np.unique(known)))


def measure_coverage(
    seen: pd.DataFrame,
    *,
    window: Window,
    every: str,
    services: Sequence[str] = (),
    sources: Mapping[str, str] | None = None,
    wide: pd.DataFrame | None = None,
    templates: pd.DataFrame | None = None,
    duplicates: Mapping[str, int] | None = None,
    refused: Mapping[str, str] | None = None,
    incident: Window | None = None,
) -> Coverage:
    """What do we have, and what can it not tell us?

    `seen`: source, pillar (metrics, logs, spans, changes, alerts), service, time (bin), n; a small count answer per
    source, or `count_records`. `sources`: all that are configured, name → pillar, so that one without a row shows.
    `wide`: the aligned frame (vanished series, `up` 0). `templates`: log templates (suppressed or dropped lines).
    `duplicates`: by source. `refused`: what could not be asked, sentence → pillar. `incident`: to say what was lost
    while users were hurt.

    Silence is told only where a service writes at least 3 records a bin in nine bins of ten, and then none for 3
    bins. It cannot tell a quiet service from a broken shipper, nor see a source that nobody configured.

    >>> at = pd.date_range("2026-03-01T02:00Z", periods=10, freq="1min")
    >>> seen = pd.DataFrame({"source": "app", "pillar": "logs", "service": "web", "time": at, "n": 50.0})
    >>> w = Window.of("2026-03-01T02:00Z", "2026-03-01T02:10Z")
    >>> measure_coverage(seen, window=w, every="1m", services=["web"]).headline
    '1 source, 1 pillar; no metrics at all; no spans at all.'
    """
    grid = Grid.of(window, every)
    found = _sources(seen, sources or {}, grid)
    missing = _missing(seen, services)
    losses = [
        *_silent(seen, grid, incident),
        *_vanished(wide, grid, incident),
        *_down(wide, grid, incident),
    ]
    pillars = {s.pillar for s in found if s.rows}
    gaps = [f"no {p} at all" for p in PILLARS if p not in pillars]
    gaps += [f"{s.source} gave nothing" for s in found if not s.rows and s.pillar in pillars]
    by_pillar: dict[str, list[str]] = {}
    for service, pillar in missing:
        if pillar in pillars:
            by_pillar.setdefault(pillar, []).append(service)
    gaps += [f"no {pillar} for {', '.join(who)}" for pillar, who in by_pillar.items()]
    gaps += [
        f"{s.source} ends at {clock(s.last)} UTC, {length((window.end - s.last).total_seconds())} before the look does"
        for s in found
        if s.pillar in PILLARS
        and s.last is not None
        and _steady(seen, s.source, grid)
        and (window.end - s.last).total_seconds() > max(30.0, 3 * grid.step_us / 1e6)
    ]
    gaps += [loss.text for loss in losses]
    gaps += _suppressed(templates)
    gaps += [f"{n:,} duplicates in {name}, counted once" for name, n in (duplicates or {}).items() if n]
    actions = [f"collect {p}: nothing could be read from that pillar" for p in PILLARS if p not in pillars]
    actions += [f"collect {pillar} of {', '.join(who)}" for pillar, who in by_pillar.items()]
    actions += [f"keep the telemetry of {x.what.split(' ')[0]} alive under load" for x in losses if x.during_harm][:3]
    partial = tuple(f"{pillar}: {sentence}" for sentence, pillar in (refused or {}).items())
    because = (*gaps, *partial)
    return Coverage(tuple(found), window, tuple(losses), missing, tuple(gaps), partial, tuple(actions), because)


def _sources(seen: pd.DataFrame, sources: Mapping[str, str], grid: Grid) -> list[SourceSeen]:
    step = pd.Timedelta(microseconds=grid.step_us)
    known = dict(sources) | dict(zip(seen["source"].astype(str), seen["pillar"].astype(str), strict=True))
    found = []
    for source, pillar in known.items():
        mine = seen[(seen["source"].astype(str) == source) & (seen["n"] > 0)]
        if not len(mine):
            found.append(SourceSeen(source, pillar, None, None, 0.0, ()))
            continue
        # the last bin that holds something was written to at least at its start and at most until its end
        last = min((mine["time"].max() + step).to_pydatetime(), from_us(grid.high_us))
        first = max(mine["time"].min().to_pydatetime(), from_us(grid.low_us))
        services = tuple(sorted(set(mine["service"].dropna().astype(str))))
        found.append(SourceSeen(source, pillar, first, last, float(mine["n"].sum()), services))
    return found


def _steady(seen: pd.DataFrame, source: str, grid: Grid) -> bool:
    """Does it write in most bins, so that its silence at the end says something?"""
    bins = seen.loc[(seen["source"].astype(str) == source) & (seen["n"] > 0), "time"].nunique()
    return bins >= FILLED / 2 * max(grid.size, 1)


def _missing(seen: pd.DataFrame, services: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Which expected services have no data in which pillar? Only for pillars that others have."""
    pairs = set(zip(seen["service"].astype(str), seen["pillar"].astype(str), strict=True))
    known = {pillar for _, pillar in pairs}
    return tuple((s, p) for p in PILLARS if p in known for s in services if (s, p) not in pairs)


def _silent(seen: pd.DataFrame, grid: Grid, incident: Window | None) -> list[Loss]:
    losses = []
    busy = seen[seen["pillar"].astype(str).isin(PILLARS)]
    for (service, pillar), part in busy.groupby([busy["service"].astype(str), busy["pillar"].astype(str)], sort=True):
        counts = part.groupby("time")["n"].sum().reindex(grid.index).fillna(0.0).to_numpy()
        usual = float(np.median(counts[counts > 0])) if (counts > 0).any() else 0.0
        if usual < USUAL_PER_BIN or (counts > 0).mean() < 0.5:
            continue
        for first, last in _runs(counts == 0, SILENT_BINS):
            rest = np.delete(counts, np.arange(first, last + 1))
            if first == 0 or last == len(counts) - 1 or (rest > 0).mean() < FILLED:
                continue  # told as the source's begin or end, or a service that writes in bursts
            losses.append(_loss("silent", f"{service} is silent in {pillar}", first, last, grid, incident))
    return losses


def _vanished(wide: pd.DataFrame | None, grid: Grid, incident: Window | None) -> list[Loss]:
    """Series that were there in nine bins of ten and then are gone to the end; told by service when all of them are."""
    if wide is None or not len(wide.columns):
        return []
    gone: dict[str, dict[str, int]] = {}
    whole: dict[str, int] = {}
    for signal in wide.columns:
        if "/change." in signal:
            continue
        service = signal.split("/", 1)[0]
        whole[service] = whole.get(service, 0) + 1
        filled = wide[signal].notna().to_numpy()
        end = int(np.flatnonzero(filled)[-1]) + 1 if filled.any() else 0
        if end and len(filled) - end >= SILENT_BINS + 1 and filled[:end].mean() >= FILLED and end >= 4:
            gone.setdefault(service, {})[signal] = end
    own = Grid.of(Window(wide.index[0].to_pydatetime(), from_us(grid.high_us)), _step(wide))
    losses = []
    for service, signals in sorted(gone.items()):
        if len(signals) == whole[service]:
            text = f"{service} vanished with all its {len(signals)} signals"
            losses.append(_loss("vanished", text, min(signals.values()), len(wide) - 1, own, incident))
        else:
            losses += [
                _loss("vanished", f"{signal} vanished", end, len(wide) - 1, own, incident)
                for signal, end in sorted(signals.items())
            ]
    return losses


def _down(wide: pd.DataFrame | None, grid: Grid, incident: Window | None) -> list[Loss]:
    if wide is None:
        return []
    losses = []
    for signal in wide.columns:
        if not re.search(r"/(scrape\.)?up\.", signal):
            continue
        own = Grid.of(Window(wide.index[0].to_pydatetime(), from_us(grid.high_us)), _step(wide))
        for first, last in _runs((wide[signal] < 1).to_numpy(), 1):
            losses.append(_loss("down", f"{signal.split('/', 1)[0]} could not be scraped", first, last, own, incident))
    return losses


def _suppressed(templates: pd.DataFrame | None) -> list[str]:
    if templates is None or not len(templates):
        return []
    said = [str(t) for t in templates["template"] if _SUPPRESSED.search(str(t))]
    return [f"lines were suppressed or dropped: {text[:100]}" for text in said[:3]]


def _loss(kind: str, what: str, first: int, last: int, grid: Grid, incident: Window | None) -> Loss:
    start, end = grid.start_us + grid.step_us * first, min(grid.start_us + grid.step_us * (last + 1), grid.high_us)
    window = Window(from_us(start), from_us(max(start, end)))
    shared = window.intersect(incident) if incident is not None else None
    return Loss(kind, what, window, shared is not None, shared is None or shared == window)


def _runs(flag: np.ndarray, least: int) -> list[tuple[int, int]]:
    """First and last index of each run of True that is long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flag, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least]


def _step(wide: pd.DataFrame) -> float:
    gaps = np.diff(wide.index.as_unit("us").asi8)
    return float(np.median(gaps)) / 1e6 if len(gaps) else 60.0
