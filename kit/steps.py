"""The walk's own calls, a function a step: which frames of a case each analysis is given.

The notebooks show these answers; the analysis itself takes frames and knows no case, and can be called with other
frames by anybody. Nothing here decides anything.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from connectors.base import Selection
from connectors.where import all_of
from connectors.window import Window, utc
from kit import questions
from kit.questions import but_not

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from kit.associations import Associations
    from kit.baselines import Baselines
    from kit.board import Board
    from kit.case import Case
    from kit.classify import Diagnosis
    from kit.clocks import Clocks
    from kit.coverage import Coverage
    from kit.episodes.told import Episodes
    from kit.golden_signals import SignalBoard
    from kit.guardrails import Guardrails
    from kit.impact import Impact
    from kit.mitigation import Levers
    from kit.natural_experiments import ActionTried
    from kit.path import Cut, Probes
    from kit.places import Place
    from kit.playbooks import Playbook
    from kit.playbooks.situation import Situation
    from kit.postmortem import Postmortem
    from kit.reproduction import Reproduction
    from kit.spot import Spot
    from kit.suspects import Suspects
    from kit.timeline import Timeline

LINES_READ = 50_000
STATEMENT = "db.query.summary"
PLAN = "postgresql.plan"
MARKS = ("detected", "engaged", "mitigated", "resolved")
GIVEN_UP = "http.response.status_code = 499"
"""The client closed the connection: a request that was too slow for it."""


def cover(case: Case) -> Coverage:
    """00: what do we have, from when to when, and what can it not tell us?"""
    from kit.coverage import count_records, measure_coverage
    from kit.coverage_questions import field_tables
    from kit.field_coverage import field_gaps

    window, every = case.grid, case.every
    seen = []
    for source in case.sources("logs"):
        counted = case.ask("logs", lambda s=source: s.count(window, every=every, by=("service",)))
        if counted is not None and counted.table.num_rows:
            seen.append(counted.to_frame().assign(source=source.name, pillar="logs"))
    tables = {
        "metrics": case.metrics.assign(source=_first_name(case, "metrics")),
        "spans": pd.concat(case.spans_in_look, ignore_index=True),
        "changes": case.changes_in_look,
        "alerts": case.alerts,
    }
    for pillar, table in tables.items():
        name = _first_name(case, pillar)
        if name is not None and len(table):
            seen.append(count_records(table, source=name, pillar=pillar, window=window, every=every))
    columns = ["source", "pillar", "service", "time", "n"]
    found = pd.concat([s[columns] for s in seen], ignore_index=True) if seen else pd.DataFrame(columns=columns)
    coverage = measure_coverage(
        found,
        window=window,
        every=every,
        services=case.about.services,
        sources={n: s.table for n, s in case.catalog.sources.items() if s.kind != "git" and not s.history},
        wide=case.wide,
        refused=case.gaps,
        incident=case.incident if case.episode is not None else None,
    )
    more = (*_unknown_checks(case), *case.clocks.gaps, *field_gaps(field_tables(case)))
    if not case.reported_changes["time"].between(case.look.start, case.look.end).any():
        told = (
            "only what the data itself shows to have moved is known"
            if len(case.changes_in_look)
            else ("what moved before the harm cannot be told")
        )
        more = (f"no changes were reported: {told}", *more)
    return replace(coverage, gaps=(*coverage.gaps, *more), because=(*coverage.because, *more))


def _unknown_checks(case: Case) -> tuple[str, ...]:
    """What cannot be concluded for want of healthy or earlier data."""
    from kit.field_coverage import healthy_gap

    if case.episode is None:
        return ()
    return (*healthy_gap(case.baseline.seconds, case.incident.seconds), *case.baselines.because)


def compare_clocks(case: Case) -> Clocks:
    """00: do the clocks of the sources agree?"""
    from kit.coverage_questions import compare_source_clocks

    return compare_source_clocks(case)


def compare_baselines(case: Case) -> Baselines:
    """02: was it like this just before, and at the same clock time a day and a week earlier?"""
    from kit.coverage_questions import compare_case_baselines

    return compare_case_baselines(case)


def _first_name(case: Case, pillar: str) -> str | None:
    return next((n for n, s in case.catalog.sources.items() if s.table == pillar and s.kind != "git"), None)


def rank_suspects(case: Case) -> Suspects:
    """02: what moved before it did? Every change against the onset, with its base rate where there is a history."""
    from kit.changes import rank_changes

    ill = case.episode.signals[0].split("/")[0].split("@")[0] if _is_late(case) else case.entry
    return rank_changes(
        case.changes, case.onset, path=case.path, symptom=ill, history=case.history, earlier=case.earlier_changes
    )  # fmt: skip


def _is_late(case: Case) -> bool:
    """Is the harm behind the requests: work that waits, a metric over its objective?"""
    return case.episode is not None and case.episode.hurts == "late"


def rank_suspects_again(case: Case) -> Suspects:
    """06: the same suspects by where the break lies and what they hold."""
    from kit.changes import rerank_changes

    return rerank_changes(
        case.suspects,
        cut=case.cut,
        differences=case.difference,
        texts=[*case.spot.said, *case.spot.statements],
        contents=_contents(case),
        path=case.path,
    )


def _contents(case: Case) -> dict[str, str]:
    """What each reported change holds, by its id: the words of the commit that has its ref, and what the data shows."""
    from kit.derived_changes import contents_of

    by_ref = {str(row.ref): str(row.summary) for row in case.commits.itertuples(index=False) if row.ref}
    rows = case.changes[["id", "ref"]].itertuples(index=False)
    told = {str(row.id): by_ref[str(row.ref)] for row in rows if str(row.ref) in by_ref}
    shown = contents_of(case.reported_changes, case.derived_changes)
    return {name: f"{told.get(name, '')} {shown.get(name, '')}".strip() for name in {**told, **shown}}


def read_board(case: Case) -> SignalBoard:
    """03: which golden signals of which services moved, and which resource squeezed first?"""
    from kit.golden_signals import read_signals

    if case.episode is None:
        empty = read_signals(case.wide.iloc[:, :0], baseline=case.baseline, incident=case.incident)
        return replace(empty, because=("nobody was hurt, so there is no harm to compare with",))
    return read_signals(
        case.wide,
        baseline=case.baseline,
        incident=case.incident,
        slice=case.slice_signals,
        services=case.about.services,
    )


def who_is_hurt(case: Case) -> pd.DataFrame:
    """03: which values set the failing (or slow) requests apart from the others of the same minutes?

    Where fewer requests come, which are missing; where no request is hurt, nothing.
    """
    from kit.difference import explain_source_difference
    from kit.lost_traffic import whose_are_missing

    requests = case.requests
    if requests is None or case.episode is None or case.episode.hurts == "late":
        return pd.DataFrame(columns=["predicate", "bad_share", "good_share", "explains"])
    if case.episode.hurts == "lost":
        return whose_are_missing(questions.request_logs(case), baseline=case.baseline, incident=case.incident)
    ill = bad_requests(case)
    return explain_source_difference(
        requests.source,
        bad=Selection(case.incident, all_of(requests.users, ill)),
        good=Selection(case.incident, all_of(requests.users, but_not(ill))),
        fields=requests.dimensions,
    )


def find_places(case: Case) -> tuple[Place, ...]:
    """04: of which services on the path is one place alone ill? Each hop's own log is asked, the entry's left out."""
    from kit.places import HopLog, find_places

    if case.episode is None or case.requests is None or case.path is None or case.episode.hurts in ("lost", "late"):
        return ()
    slow = None if "errors_ratio" in case.episode.signals else f"duration_s > {_slow_from(case)}"
    logs = []
    for service in dict.fromkeys(case.path["callee"]):
        placed = case.logs_of(service)
        names = questions.field_names(case, placed[0]) if placed is not None else frozenset()
        if placed is None or not {"http.response.status_code", "duration_s"} <= names:
            continue
        source, mine = placed
        hurt = slow or questions.failed_at(case, source, names)
        logs.append(HopLog(service, source, all_of(mine, "http.response.status_code IS NOT NULL"), hurt, names))
    return find_places(logs, incident=case.incident)


def bad_requests(case: Case) -> str:
    """Which of the users' requests were hurt: the failed ones, or the slow and given-up ones where few failed."""
    requests, episode = case.requests, case.episode
    assert requests is not None
    assert episode is not None
    if "errors_ratio" in episode.signals:
        return requests.fails
    slow = f"duration_s > {_slow_from(case)}"
    return f"{slow} OR {GIVEN_UP}" if "http.response.status_code" in requests.names else slow


def _slow_from(case: Case) -> float:
    """From how many seconds on is a user's request hurt? The objective, else the tail of the healthy ones."""
    limit, requests = slow_limit(case), case.requests
    if limit is not None or requests is None:
        return limit or 1.0
    usual = requests.source.measure(case.baseline, "duration_s", stats=("p99",), where=requests.users)
    return float(usual.table.column("p99")[0].as_py() or 1.0)


def diagnose(case: Case, *, without: Collection[str] = ()) -> Diagnosis:
    """03: which class of failure do the signals show? `without` leaves rules out, to see that no other class fits."""
    from kit.classify import classify
    from kit.failure_kinds import count_failures

    rows = case.request_rows if case.requests is not None else None
    failures = count_failures(rows, baseline=case.baseline, incident=case.incident) if rows is not None else None
    return classify(
        case.board,
        symptom=case.symptom,
        failures=failures,
        suspects=case.suspects,
        differences=case.difference if len(case.difference) else None,
        places=case.places,
        templates=case.templates if len(case.templates) else None,
        cut=case.cut,
        path=case.path,
        entry=case.entry,
        jobs=case.changes[case.changes["kind"] == "job"],
        without=without,
    )


def probe(case: Case) -> Probes:
    """04: is a call healthy leaving each hop, and healthy arriving at the next?"""
    from kit.path import Probes, probe_path
    from kit.slices import slice_path

    spans = [s for s in _spans_of_slice(case) if len(s)]
    if case.path is None or case.episode is None:
        return Probes((), (), ("there is no harm to follow" if case.episode is None else "the case has no path.toml",))
    wide, path, signals = case.wide, case.path, case.slice_signals
    if signals is not None:
        path = slice_path(path, case.episode.routes, signals)
        wide = wide.drop(columns=[c for c in signals.columns if c in wide.columns]).join(signals)
    return probe_path(
        path,
        metrics=wide,
        spans=pd.concat(spans, ignore_index=True) if spans else None,
        baseline=case.baseline,
        incident=case.incident,
    )


def _spans_of_slice(case: Case) -> tuple[pd.DataFrame, ...]:
    """The spans of the traces that a slice's requests left; all of them where the whole is looked at."""
    from kit.slices import spans_on_routes

    if case.slice_signals is None or case.episode is None:
        return case.spans
    return tuple(spans_on_routes(part, case.episode.routes) for part in case.spans)


def tell_episodes(case: Case) -> Episodes:
    """04: does this break carry all of the harm, or is there another fault beside it? Each other episode is walked."""
    from kit.contributions import contribution
    from kit.episodes.told import Episodes, ToldEpisode

    told = []
    for number, episode in enumerate(case.symptom.episodes):
        mine = case if number == case.episode_number else case.focused(number)
        results = (mine.suspects, mine.diagnosis, mine.cut)
        values: dict[str, Any] = {}
        for result in results if mine is not case else ():
            for found in contribution(result)[1].get("episodes", []):
                values |= found
        ranked = mine.suspects.ranked
        first = (ranked[0].ref or ranked[0].id) if ranked else None
        told.append(ToldEpisode(episode, mine.diagnosis.name, first, mine.cut.between, values))
    said = ((t.episode.where, t.failure.replace("_", " "), t.between or "no break found") for t in told)
    because = tuple(f"{where}: {failure} at {between}" for where, failure, between in said)
    return Episodes(tuple(told), case.episode_number, because)


def cut_path(case: Case) -> Cut:
    """04: where is the last good place?"""
    from kit.lost_traffic import cut_before_entry
    from kit.path import bisect

    if case.episode is not None and case.episode.hurts == "lost":
        return cut_before_entry(case.path, case.entry)
    return bisect(case.probes, places={p.service: f"{p.predicate} ill" for p in case.places})


def compare_lines(case: Case) -> pd.DataFrame:
    """05: which log templates are new, gone or changed since the onset? Request logs are left out: they are counted."""
    from kit.templates import compare_templates

    spoken = questions.spoken_lines(case)
    parts = [questions.lines(case, w, n=LINES_READ, where=spoken) for w in (case.baseline, case.incident)]
    rows = pd.concat([p for p in parts if len(p)], ignore_index=True) if any(len(p) for p in parts) else parts[0]
    if not len(rows):
        return pd.DataFrame(columns=["template", "class", "service", "level", "baseline_rate", "incident_rate", "id"])
    return compare_templates(rows, baseline=case.baseline, incident=case.incident)


def compare_statements(case: Case) -> pd.DataFrame:
    """05: how often did each database statement stand in a log, and how long did it take, before and during?"""
    parts = []
    for source in case.sources("logs"):
        if STATEMENT not in questions.field_names(case, source):
            continue
        before, during = (
            case.ask("logs", lambda w=w, s=source: s.measure(w, "duration_s", stats=("n", "p50"), by=(STATEMENT,)))
            for w in (case.baseline, case.incident)
        )
        if during is None:
            continue
        now = during.to_frame().rename(columns={STATEMENT: "statement", "n": "n_during", "p50": "p50_during"})
        then = before.to_frame() if before is not None else now.iloc[:0]
        then = then.rename(columns={STATEMENT: "statement", "n": "n_before", "p50": "p50_before"})
        parts.append(now.merge(then[["statement", "n_before", "p50_before"]], on="statement", how="left"))
    if not parts:
        return pd.DataFrame(columns=["statement", "n_before", "n_during", "p50_before", "p50_during"])
    table = pd.concat(parts, ignore_index=True)
    return table[~table["statement"].isin(["<missing>", "<other>"])]


def read_the_spot(case: Case) -> Spot:
    """05: what exactly was said at the cornered hop?"""
    from kit.spot import read_spot

    return read_spot(
        templates=case.templates,
        statements=compare_statements(case),
        services=_at_the_cut(case),
        pillars=tuple(p for p in ("metrics", "spans", "logs") if case.sources(p)),
    )


def case_facts(case: Case) -> Any:
    """06: what the checks may look at."""
    from kit.checks.case_facts import CaseFacts
    from kit.checks.facts import Table, Windows

    windows = Windows.of(
        baseline=case.baseline,
        incident=case.incident,
        whole=case.look,
        onset=case.onset,
        recovered=case.recovered,
        complete_until=case.symptom.complete_until,
    )
    templates = Table(case.templates, tuple(case.evidence("logs"))) if len(case.templates) else None
    return CaseFacts(case, windows, templates=templates)


def put_up_hypotheses(case: Case) -> tuple[Any, ...]:
    """06: which hypotheses does this incident call for? The playbook's, each near change's, and the user's own."""
    from kit.playbooks.seed import seed_hypotheses

    if case.episode is None:
        return ()
    seeded = seed_hypotheses(
        case.diagnosis, case.suspects_again, describe_case(case), facts=case.facts, playbooks=case_playbooks(case)
    )
    own = case.own_hypotheses
    return (*own, *(h for h in seeded if h.id not in {o.id for o in own}))


def describe_case(case: Case) -> Situation:
    """06: what do the words of a playbook stand for in this case? Only of a case in which somebody was hurt."""
    from kit.playbooks.situation import describe_situation

    requests, episode = case.requests, case.episode
    assert episode is not None
    situation = describe_situation(
        case.facts,
        entry=case.entry or "",
        symptom=episode.signals[0] if _is_late(case) else None,
        between=case.cut.between,
        path=case.path,
        failed=bad_requests(case) if requests is not None else None,
        requests_log=requests.service if requests is not None else None,
        route=episode.routes[0] if episode.routes else None,
    )
    return situation.with_words(_squeezed_words(case))


def _squeezed_words(case: Case) -> dict[str, str]:
    """Which pool, and which resource at all, was squeezed at the cut: the playbooks ask about that one, not another."""
    near = _at_the_cut(case)
    squeezed = [r for r in case.board.readings if r.squeezed and (not near or r.service in near)]
    squeezed.sort(key=lambda r: -r.now)
    words = {}
    pools = [r for r in squeezed if "pool" in r.signal or "connection" in r.signal]
    for name, readings in (("squeezed", squeezed), ("pool", pools)):
        if readings:
            service, _, rest = readings[0].signal.partition("/")
            words[name] = f"{service.split('@')[0]}@*/{rest}" if "@" in service else readings[0].signal
    return words


def judge_hypotheses(case: Case) -> Board:
    """06: what do the facts make of them, and of the reversals that a person waived?"""
    from kit.board import judge

    waivers, lapsed = case.choices.on(case.hypotheses)
    return replace(judge(case.hypotheses, case.facts, waivers=waivers), notes=lapsed)


def associate(case: Case) -> Associations:
    """06: what moved together with the harm, does the wait at the break account for it, and what did actions move?"""
    from kit.associations import Associations, find_associations, symptom_column

    if case.episode is None or case.requests is None:
        return Associations((), (), ())
    failing = "errors_ratio" in case.episode.signals
    return find_associations(
        case.wide,
        symptom=symptom_column(case.wide, entry=case.entry, failing=failing),
        between=case.cut.between,
        baseline=case.baseline,
        incident=case.incident,
        actions=_tried_actions(case, case.levers.effects),
    )


def _tried_actions(case: Case, effects: Any) -> tuple[ActionTried, ...]:
    """What each action moved on the hurt routes beside the others."""
    from kit.natural_experiments import compare_actions

    rows = case.request_rows
    if case.episode is None or "route" not in rows.columns or not case.episode.routes:
        return ()
    changes = case.changes.dropna(subset=["until"])
    return compare_actions(
        rows,
        effects=effects,
        done={str(r.ref or r.id): r.until.to_pydatetime() for r in changes.itertuples(index=False)},
        hurt=rows["route"].isin(case.episode.routes).to_numpy(),
        onset=case.onset,
        recovered=case.recovered,
        slow_s=slow_limit(case),
        until=case.symptom.complete_until,
    )


def reproduce(case: Case) -> Reproduction:
    """06: what does a safe place need so that the same chain would run there?"""
    from kit.reproduction import Reproduction, how_to_reproduce

    if case.episode is None or case.requests is None:
        return Reproduction((), (), "", ())
    told = [v for v in case.verdicts.verdicts if v.state in ("confirmed", "supported") and v.links]
    told.sort(key=lambda v: (v.state != "confirmed", v.hypothesis.change is None))
    return how_to_reproduce(
        told[0] if told else None,
        changes=case.changes,
        requests=case.request_rows,
        baseline=case.baseline,
        incident=case.incident,
        plans=_query_plans(case),
        recovered=case.recovered.latest if case.recovered else None,
    )


def _query_plans(case: Case) -> list[str]:
    """The plan of the statement that grew, as the database's log has it in the incident; empty when it has none."""
    from kit.reproduction import without_literals

    for source in case.sources("logs"):
        if not {STATEMENT, PLAN} <= questions.field_names(case, source):
            continue
        named = case.spot.statements[0] if case.spot.statements else None
        wanted = all_of(
            f"{PLAN} IS NOT NULL", f"{STATEMENT} = '{named.replace(chr(39), 2 * chr(39))}'" if named else None
        )
        found = case.ask(
            "logs", lambda s=source, w=wanted: s.rows(case.incident, where=w, fields=(STATEMENT, PLAN), limit=1)
        )
        if found is not None and found.table.num_rows:
            row = found.table.to_pylist()[0]
            return [f"{row[STATEMENT]}: {without_literals(str(row[PLAN]))}"]
    return []


def propose(case: Case) -> Levers:
    """01: what makes it stop, what was done, and did it help?"""
    from kit.actions import judge_actions
    from kit.mitigation import propose_levers, read_harm_clock
    from kit.natural_experiments import break_load, separate_effects, weigh_effects

    if case.onset is None or case.requests is None:
        return propose_levers(case.diagnosis, case.suspects)
    rows = case.request_rows
    until = case.symptom.complete_until
    effects = judge_actions(
        case.suspects, rows, onset=case.onset, recovered=case.recovered, slow_s=slow_limit(case), until=until
    )
    effects = separate_effects(effects, _tried_actions(case, effects))
    effects = weigh_effects(
        effects,
        services={s.ref or s.id: s.service for s in case.suspects.suspects if s.service},
        between=case.cut.between,
        path=case.path,
        load=break_load(case.wide, case.cut.between),
        recovered=case.recovered,
    )
    book = playbook(case)
    return propose_levers(
        case.diagnosis,
        case.suspects,
        playbook=[_bound_lever(case, lever) for lever in book.levers] if book is not None else (),
        clock=read_harm_clock(rows, onset=case.onset, recovered=case.recovered, until=until),
        effects=effects,
    )


def slow_limit(case: Case) -> float | None:
    """From how many seconds on is a request slow? The case's own objective; None when it has none."""
    return next((o.limit for o in case.about.objective if o.signal == "latency_p99_s"), None)


def measure_harm(case: Case) -> Impact | None:
    """07: who was hurt, how much, for how long? None when nobody was, or no request log can be read."""
    from kit.impact import measure_impact

    if case.episode is None or case.requests is None:
        return None
    return measure_impact(
        case.request_rows,
        baseline=case.baseline,
        incident=case.episode.incident,
        objective=[o.model_dump() for o in case.about.objective],
        onset=case.onset,
        recovered=case.recovered,
        marks=_marks(case),
        signals=case.wide,
    )


def _marks(case: Case) -> list[dict[str, Any]]:
    """The moments of the response: those that people noted; what they did not, from the pager's rows, alerts, actions.

    The first alert of the harm stands for detected, and the first action that helped for mitigated.
    """
    marks: list[dict[str, Any]] = [m.model_dump() for m in case.about.mark]
    known = {m["kind"] for m in marks}
    more = [{"kind": r["mark"], "time": utc(r["time"])} for r in case.noted if r.get("mark") in MARKS]
    if case.onset is not None and len(case.alerts):
        during = case.alerts["time"][case.alerts["time"] >= pd.Timestamp(case.onset.earliest)]
        more += [{"kind": "detected", "time": during.min().to_pydatetime()}] if len(during) else []
    more += [{"kind": "mitigated", "time": e.time} for e in case.levers.effects if e.effect == "helped"]
    return marks + [m for m in more if m["kind"] not in known]


def try_guardrails(case: Case, *, history: Iterable[tuple[pd.DataFrame, pd.DataFrame, Window]] = ()) -> Guardrails:
    """07: which guardrails held, and what would a rule have spared on this record, at how many false firings?

    `history`: healthy stretches of other records (user requests, changes, window) that the rules are run on as well.
    """
    from kit.guardrails import guard, list_guardrails, try_rules

    if case.onset is None or case.requests is None:
        return guard((), ())
    told = [v for v in case.verdicts.verdicts if v.state in ("confirmed", "supported") and v.hypothesis.change]
    told.sort(key=lambda v: v.state != "confirmed")
    trigger = [told[0].hypothesis.change] if told else []
    rows = case.changes[case.changes["ref"].isin(trigger)].to_dict("records")
    end = case.incident.end if case.recovered is None else case.recovered.latest
    trials = try_rules(
        case.request_rows,
        changes=case.reported_changes,
        healthy=case.baseline,
        incident=Window(case.onset.earliest, max(end, case.incident.end)),
        slow_s=slow_limit(case),
        trigger=trigger,
        history=history,
    )
    return guard(
        trials,
        list_guardrails(
            trigger=rows[0] if rows else None,
            alerts=case.alerts if len(case.alerts) else None,
            onset=case.onset.earliest,
            recovered=end,
            effects=case.levers.effects,
            reversals=[s.ref or s.id for s in case.suspects.suspects if s.reverts],
            said=case.spot.said,
        ),
    )


def tell_timeline(case: Case) -> Timeline:
    """07: what happened, in order, and what shows it?"""
    from kit.timeline import build_timeline

    return build_timeline(
        symptom=case.symptom,
        changes=case.changes_in_look,
        alerts=case.alerts if len(case.alerts) else None,
        marks=[m.model_dump() for m in case.about.mark],
        effects=case.levers.effects,
        board=case.board if case.onset is not None else None,
        templates=case.templates if len(case.templates) and case.onset is not None else None,
        rows=case.noted,
        evidence={pillar: case.evidence(pillar)[:3] for pillar in ("requests", "changes", "alerts", "metrics", "logs")},
        tz=case.zone,
    )


def draft(case: Case) -> Postmortem:
    """07: the postmortem as far as the findings carry it."""
    from connectors.load import evidence_hash
    from kit.playbooks.seed import bind
    from kit.postmortem import draft_postmortem

    book = playbook(case) if case.onset is not None else None
    return draft_postmortem(
        case.findings.merge(),
        title=case.about.title,
        zone=case.zone,
        timeline=case.timeline.to_frame(),
        removes=[bind(text, _incident_words(case)) for text in book.removes] if book is not None else (),
        evidence_hash=evidence_hash(case.folder),
        rests_on=case.findings.rests_on(),
    )


def _bound_lever(case: Case, lever: Any) -> dict[str, Any]:
    """The playbook's lever in the words of this incident."""
    from kit.playbooks.seed import bind

    words = _incident_words(case)
    names = ("do", "fits", "risk", "reversible", "erases", "watch", "within_s")
    return {name: bind(getattr(lever, name), words) for name in names}


def _incident_words(case: Case) -> dict[str, str]:
    """What the placeholders of a playbook stand for here, those that nobody knows told as such."""
    from kit.playbooks.words import FALLBACK

    service = _at_the_cut(case)
    ranked = case.suspects.ranked
    return {
        **FALLBACK,
        "entry": case.entry or "the entry",
        "service": service[0] if service else FALLBACK["service"],
        "callee": service[1] if len(service) > 1 else FALLBACK["callee"],
        "change.ref": (ranked[0].ref or ranked[0].id) if ranked else FALLBACK["change.ref"],
        "symptom": "the failed share",
        **_squeezed_words(case),
    }


def playbook(case: Case) -> Playbook | None:
    """What is known of this class of failure; None for an unclassified one."""
    return next((b for b in case_playbooks(case).values() if b.failure == case.diagnosis.name), None)


def case_playbooks(case: Case) -> Mapping[str, Playbook]:
    """The kit's playbooks, and those that people put into the case's folder `playbooks/`."""
    from kit.playbooks import load_playbooks

    folder = case.folder / "playbooks"
    return load_playbooks(folder if folder.is_dir() else None)


def _at_the_cut(case: Case) -> tuple[str, ...]:
    cut = case.cut
    if cut.between is None:
        return ()
    return tuple(part.strip() for part in cut.between.split("→"))
