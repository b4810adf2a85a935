"""One incident's folder: its sources asked and recorded, its findings written, its state passed from step to step.

Everything the walk reads goes through here and is recorded as it is answered; everything it concludes is written here
and names what it rests on. Analysis gets plain frames and windows from a case and knows nothing of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.base import Answer
from connectors.durable import write_whole
from connectors.window import Window, step_seconds
from kit import by_hand, steps, views
from kit.case_sources import CaseSources
from kit.cell_progress import tell_long_cells
from kit.choices import CHOICES, read_case_choices
from kit.contributions import contribution
from kit.deployed_contents import contents_of_suspects
from kit.entry import entry_series, entry_symptom
from kit.errors import BadCase
from kit.findings import Findings
from kit.incident import open_look, read_incident
from kit.slices import slice_signals
from kit.working_copy import working_copy

if TYPE_CHECKING:
    import pandas as pd

    from kit.numerics.moments import Moment
    from kit.request_log import RequestLog
    from kit.result import Result
    from kit.symptom import Episode, Symptom

STEPS_S = (5, 10, 15, 30, 60, 300, 900, 3600)
BINS_WANTED = 120
HISTORY_DAYS = 14
LOADED = (
    "look", "every", "catalog", "requests", "metrics", "reported_changes", "earlier_changes", "derived_changes",
    "changes", "commits", "request_rows", "alerts", "wide", "symptom",
)  # fmt: skip
"""What is the same whichever episode is investigated."""

_OPEN: list[tuple[Any, Case]] = []
"""The case that was opened last, and the state of its files then."""


def open_case(path: str | os.PathLike[str], *, offline: bool = False, refresh: bool = False) -> Case:
    """Which case stands in this folder?

    A recorded sample (it has a `MANIFEST.sha256`) is read-only: it is copied to `cases/<id>` first. `offline` answers
    only from what is recorded; `refresh` asks the sources again. Opened again in the same process while none of its
    files was changed, it is the same case, so that a walk computes each step once. Raises `BadCase` with one sentence
    when the folder is not a case or its `incident.toml` is not whole.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise BadCase(
            f"There is no folder {folder}: give the path of a case, or make one with `incident-kit new NAME`."
        )
    incident = read_incident(folder)
    if (folder / "MANIFEST.sha256").exists():
        folder = working_copy(folder, folder.resolve().parent.parent / "cases" / incident.id)
    folder = folder.resolve()
    state = (folder, offline, _written(folder), read_case_choices(folder).waivers)
    if refresh or not _OPEN or _OPEN[0][0] != state:
        _OPEN[:] = [(state, Case(folder, offline=offline, refresh=refresh))]
    _OPEN[0][1].take_up_choices()
    tell_long_cells()
    return _OPEN[0][1]


def _written(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """When was each file that people write last changed? Not what the kit itself writes."""
    written = [p for p in folder.glob("*.toml") if p.name != CHOICES]  # of the choices only what decides counts
    written += folder.glob("playbooks/*.toml")
    files = [*written, folder / "timeline.jsonl", *(p for p in folder.glob("raw/**/*") if p.is_file())]
    stats = [(p, p.stat()) for p in sorted(files) if p.exists()]
    return tuple((str(p), s.st_mtime_ns, s.st_size) for p, s in stats)


class Case(CaseSources):
    """An open case. Attributes answer what was loaded; `record` is the only writer of findings."""

    def __init__(self, folder: Path, *, offline: bool = False, refresh: bool = False) -> None:
        super().__init__(folder, offline=offline, refresh=refresh)
        self.about = read_incident(folder)
        self.findings = Findings(folder)
        self._parts_read: set[str] = set()

    def __repr__(self) -> str:
        return f"Case({self.about.id!r}: {self.about.title}; {self.look})"

    # --- what is looked at -------------------------------------------------------------------------------------------

    @cached_property
    def look(self) -> Window:
        """The span that is loaded; an open end stays where it was when the case was opened."""
        return open_look(self.about, self.folder, offline=self.offline)

    @property
    def zone(self) -> str:
        """The time zone of the people, for display only."""
        return self.about.tz

    @cached_property
    def every(self) -> str:
        """The step of the grid: a round one that gives about 120 bins, no finer than the slowest metric source."""
        wanted = self.look.seconds / BINS_WANTED
        slowest = max((step_seconds(s.interval) for s in self.catalog.sources.values() if s.interval), default=0.0)
        fitting = [s for s in STEPS_S if s >= slowest]
        return f"{max([s for s in fitting if s <= wanted], default=fitting[0] if fitting else STEPS_S[-1])}s"

    def at_step(self, every: str) -> Case:
        """The same case on a grid of another step."""
        other = Case(self.folder, offline=self.offline)
        other.__dict__["every"] = f"{step_seconds(every):g}s"
        return other

    @property
    def grid(self) -> Window:
        """The look, from the first whole bin to the last: a bin cut by its edges is not compared with whole ones."""
        step = step_seconds(self.every)
        start = -(-self.look.start.timestamp() // step) * step
        end = max(self.look.end.timestamp() // step * step, start + step)
        return Window(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))

    @property
    def path(self) -> pd.DataFrame | None:
        """The request path, a row per edge; None when the case has no `path.toml`."""
        table = self.catalog.path
        return None if table is None else table.to_pandas()

    @cached_property
    def requests(self) -> RequestLog | None:
        """The log of the outermost hop, with its filters; None when `signals.toml` names none or it cannot be read."""
        from kit.questions import field_names
        from kit.request_log import RequestLog

        spec = self.catalog.requests
        if spec is None or spec.source not in self.catalog.sources:
            return None
        names = field_names(self, self.source(spec.source), where=spec.where)
        return RequestLog(self.source(spec.source), spec, names) if "duration_s" in names else None

    # --- tables ------------------------------------------------------------------------------------------------------

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """METRICS of all sources over the look, as `signals.toml` reads them; empty when there are none."""
        from kit import questions

        return questions.metrics(self)

    @cached_property
    def reported_changes(self) -> pd.DataFrame:
        """CHANGES of all sources ordered by time, two weeks before the look included (for the base rate)."""
        from kit import questions

        return questions.changes(self, history_days=HISTORY_DAYS)

    @cached_property
    def earlier_changes(self) -> pd.DataFrame:
        """CHANGES before the look that count for the base rate alone: nobody suspects them."""
        from kit import questions

        return questions.earlier_changes(self, history_days=HISTORY_DAYS)

    @cached_property
    def derived_changes(self) -> list[Any]:
        """What the data shows to have moved, whether somebody reported it or not."""
        from kit.derived_questions import derive_changes

        return derive_changes(self)

    @cached_property
    def changes(self) -> pd.DataFrame:
        """CHANGES in order of time: the reported ones, and those derived from the data that nobody reported."""
        from kit.derived_changes import join_changes

        return join_changes(self.reported_changes, self.derived_changes)

    @cached_property
    def request_rows(self) -> pd.DataFrame:
        """User requests of the look at the outermost hop, a row each with `failed`, at most 200,000; read once."""
        from kit import questions

        return questions.request_rows(self, self.look)

    @cached_property
    def commits(self) -> pd.DataFrame:
        """CHANGES that repositories hold, two weeks before the look included: the content of what was deployed."""
        from kit import questions

        return questions.commits(self, history_days=HISTORY_DAYS)

    @cached_property
    def alerts(self) -> pd.DataFrame:
        """ALERTS of all sources."""
        from kit import questions

        return questions.alerts(self)

    @cached_property
    def wide(self) -> pd.DataFrame:
        """The aligned frame: metrics and the signals derived from logs on one grid, NaN where there is no data."""
        from kit import questions

        return questions.wide(self)

    # --- the episode that is investigated ----------------------------------------------------------------------------

    @cached_property
    def symptom(self) -> Symptom:
        """What users saw at the outermost hop, with every episode of harm."""
        self._parts_read.add("00")
        return entry_symptom(self)

    @cached_property
    def episode_number(self) -> int:
        """The position of the episode that is investigated: the one that lasted longest."""
        lasted = [e.incident.seconds for e in self.symptom.episodes]
        return lasted.index(max(lasted)) if lasted else 0

    @property
    def episode(self) -> Episode | None:
        """The episode that is investigated; None when nobody was hurt, or it cannot be told."""
        return self.symptom.episodes[self.episode_number] if self.symptom.episodes else None

    def focused(self, number: int) -> Case:
        """The same case with another of its episodes investigated; what was loaded is shared, nothing is recorded."""
        other = Case.__new__(Case)
        own = Case(self.folder, offline=self.offline).__dict__
        other.__dict__.update({k: v for k, v in self.__dict__.items() if k in own or k in LOADED})
        other.__dict__["episode_number"] = number
        return other

    slice_signals = cached_property(slice_signals)

    @property
    def onset(self) -> Moment | None:
        """When its harm began, as an interval."""
        return self.episode.onset if self.episode else None

    @property
    def recovered(self) -> Moment | None:
        """When its harm was over; None while it lasts."""
        return self.episode.recovered if self.episode else None

    @property
    def incident(self) -> Window:
        """The window of harm, of two faults that overlap the part in which this one is alone.

        Of a healthy case its last quarter, so that the same questions can be asked of it.
        """
        return (self.episode.alone or self.episode.incident) if self.episode else _last_quarter(self.look)

    @property
    def baseline(self) -> Window:
        """The healthy window it is compared with."""
        return self.episode.baseline if self.episode else Window(self.look.start, self.incident.start)

    @cached_property
    def spans_in_look(self) -> tuple[pd.DataFrame, ...]:
        """SPANS of the look, whole traces only: in one piece where there are few, else of the two windows compared."""
        from kit import questions

        whole = questions.spans(self, self.look)
        if not len(whole) or whole["trace_id"].nunique() < questions.TRACES_READ:
            return (whole,)
        return questions.spans(self, self.baseline), questions.spans(self, self.incident)

    @cached_property
    def spans(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """SPANS of the traces that began in the baseline, and in the incident; both empty when there are none."""
        if len(self.spans_in_look) == 2:
            return self.spans_in_look[0], self.spans_in_look[1]
        whole = self.spans_in_look[0]
        began = whole.groupby("trace_id", sort=False)["start"].transform("min")
        before, during = ((began >= w.start) & (began < w.end) for w in (self.baseline, self.incident))
        return whole[before].reset_index(drop=True), whole[during].reset_index(drop=True)

    @property
    def onset_interval(self) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """The onset as two instants, for a chart."""
        return _instants(self.onset.earliest, self.onset.latest) if self.onset else None

    @property
    def recovered_interval(self) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """The recovery as two instants, for a chart; None while harm lasts."""
        return _instants(self.recovered.earliest, self.recovered.latest) if self.recovered else None

    @property
    def incident_interval(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """The window of harm as two instants, for a chart."""
        return _instants(self.incident.start, self.incident.end)

    @property
    def harm_interval(self) -> tuple[pd.Timestamp, pd.Timestamp] | None:
        """The same, None where nobody was hurt."""
        return self.incident_interval if self.episode else None

    @property
    def complete_until(self) -> pd.Timestamp:
        """The watermark: what began later may not be in the data yet, and nothing is concluded from it."""
        return _instants(self.symptom.complete_until, self.symptom.complete_until)[0]

    @property
    def changes_in_look(self) -> pd.DataFrame:
        """The CHANGES inside the look, for a chart."""
        inside = (self.changes["time"] >= self.look.start) & (self.changes["time"] < self.look.end)
        return self.changes[inside].reset_index(drop=True)

    @property
    def entry(self) -> str | None:
        """The outermost service: where users' requests are counted; None when `signals.toml` does not say."""
        return self.catalog.requests.service if self.catalog.requests is not None else None

    @property
    def history(self) -> Window | None:
        """The span over which the change log is known to be complete; None: nothing is reported at all.

        From the first change before the look; without one the look itself, which is short: no change of a kind in it
        says little of how often there is one.
        """
        if self.reported_changes.empty:
            return None
        firsts = [t["time"].min().to_pydatetime() for t in (self.reported_changes, self.earlier_changes) if len(t)]
        return Window(min(*firsts, self.look.start), self.look.end)

    # --- what hands decide (see kit/by_hand.py) ----------------------------------------------------------------------

    noted = property(by_hand.noted)
    own_hypotheses = property(by_hand.own_hypotheses)
    verdict_history = property(by_hand.verdict_history)
    choices = property(by_hand.choices)
    focus = cached_property(by_hand.focus)
    pins = cached_property(by_hand.pins)
    loader = property(by_hand.loader)
    add = by_hand.add
    pin = by_hand.pin
    frame = by_hand.frame
    ask_now = by_hand.ask_now
    waive = by_hand.waive
    take_up_choices = by_hand.take_up_choices

    # --- the steps' answers, each computed once (see kit/steps.py for the very call) ---------------------------------

    coverage = cached_property(steps.cover)
    clocks = cached_property(steps.compare_clocks)
    baselines = cached_property(steps.compare_baselines)
    suspects = cached_property(steps.rank_suspects)
    suspects_again = cached_property(steps.rank_suspects_again)
    board = cached_property(steps.read_board)
    difference = cached_property(steps.who_is_hurt)
    diagnosis = cached_property(steps.diagnose)
    probes = cached_property(steps.probe)
    places = cached_property(steps.find_places)
    cut = cached_property(steps.cut_path)
    episodes = cached_property(steps.tell_episodes)
    templates = cached_property(steps.compare_lines)
    spot = cached_property(steps.read_the_spot)
    facts = cached_property(steps.case_facts)
    hypotheses = cached_property(steps.put_up_hypotheses)
    verdicts = cached_property(steps.judge_hypotheses)
    levers = cached_property(steps.propose)
    associations = cached_property(steps.associate)
    reproduction = cached_property(steps.reproduce)
    impact = cached_property(steps.measure_harm)
    guardrails = cached_property(steps.try_guardrails)
    timeline = cached_property(steps.tell_timeline)
    postmortem = cached_property(steps.draft)

    change_contents = cached_property(contents_of_suspects)
    entry_series = cached_property(entry_series)
    who_sentence = cached_property(views.who_sentence)
    hops = cached_property(views.latency_by_hop)
    exemplars = cached_property(views.exemplars)
    tested = cached_property(views.tested)
    tested_evidence = cached_property(views.tested_evidence)
    mechanism = cached_property(views.mechanism)
    mechanism_told = cached_property(views.mechanism_told)

    # --- findings ----------------------------------------------------------------------------------------------------

    def record(self, result: Result | None, *, rests_on: Iterable[Answer | str]) -> str:
        """Write what a result contributes to the findings, with the answers it rests on; says what was recorded.

        None, the answer of a step that had nothing to answer, is not recorded. Where no answer of its kind was had (no
        log tells of requests), it rests on all that was asked; `NoEvidence` when nothing was. An earlier record of the
        same kind of result is replaced.
        """
        if result is None:
            return "There was nothing to record."
        step, values = contribution(result)
        if "episodes" in values and type(result).__name__ not in ("Symptom", "Episodes"):
            values = {**values, "episodes": [*([{}] * self.episode_number), *values["episodes"]]}
        grounds = [e if isinstance(e, str) else e.evidence for e in rests_on] or self.evidence()
        for evidence in grounds:
            self.answers.entry(evidence)
        self.findings.write(step, type(result).__name__, values, rests_on=grounds, reads=self._parts_read)
        if "hypotheses" in values:
            from kit.ledger import HISTORY, keep_history

            keep_history(self.folder / HISTORY, result, now=datetime.now(UTC))  # type: ignore[arg-type]
        return f"{type(result).__name__} recorded in findings/{step}.json; it rests on {len(set(grounds))} answers."

    def write_postmortem(self) -> str:
        """Put the draft into `postmortem.md`, unless people have written there already; gives the file's name."""
        path = self.folder / "postmortem.md"
        if not path.exists() or path.read_text().startswith(self.postmortem.first_lines):
            write_whole(path, self.postmortem.markdown)
        return path.name

    def found(self, step: str, key: str) -> Any:
        """What an earlier notebook recorded under this key; None when it has not been run or found nothing.

        Remembered as read, so that what is recorded next grows stale when that part changes.
        """
        self._parts_read.add(step)
        values: Any = None
        for result in (self.findings.part(step) or {"results": {}})["results"].values():
            values = result["values"].get(key, values)
        return values


def _instants(first: datetime, last: datetime) -> tuple[pd.Timestamp, pd.Timestamp]:
    import pandas as pd

    return pd.Timestamp(first), pd.Timestamp(last)


def _last_quarter(look: Window) -> Window:
    return Window(look.end - (look.end - look.start) / 4, look.end)
