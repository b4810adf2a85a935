"""Checks: each holds on the effect, fails without it, and is silent where it could not have seen it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from connectors.errors import BadInput, NotRecorded, UnknownField
from kit.checks.facts import Track, tracks
from kit.checks.frame_facts import FrameFacts
from kit.checks.registry import check, checks, find_check, run_check, run_controls, validate
from kit.checks.windows import Instant, Windows
from tests.kit import made_incident as incident
from tests.kit.made_incident import at, change

ERRORS = "nginx/requests.errors_ratio"
POOL = "checkout@*/db.client.connection.usage_ratio.gauge"


@pytest.fixture(scope="module")
def facts() -> FrameFacts:
    return incident.facts()


def state(facts: FrameFacts, name: str, arguments: dict, windows: Windows | None = None) -> str:
    return run_check(facts, name, arguments, windows=windows).state


def flat(values: list[float], *, harm: int, step_s: int = 60) -> FrameFacts:
    """Facts of one signal a/x.gauge whose last `harm` bins are the incident."""
    index = pd.date_range("2026-03-01T02:00Z", periods=len(values), freq=f"{step_s}s")
    end = index[-1] + pd.Timedelta(seconds=step_s)
    return FrameFacts(
        Windows.of(baseline=(index[0], index[-harm]), incident=(index[-harm], end)),
        pd.DataFrame({"a/x.gauge": values}, index=index),
    )


# --- the registry ---------------------------------------------------------------------------------------------------


def test_every_check_says_in_its_first_line_what_it_asks() -> None:
    assert all(c.question.endswith(("?", "?:")) or "?" in c.question for c in checks().values())


def test_an_unknown_check_names_its_near_misses() -> None:
    with pytest.raises(BadInput, match="did you mean rises"):
        find_check("rise")


def test_wrong_arguments_are_all_named_at_once() -> None:
    with pytest.raises(BadInput) as error:
        validate("rises", {"signl": "x", "by": object()})
    assert "'signl' (did you mean 'signal'?)" in str(error.value)
    assert "'by' is a object" in str(error.value)
    assert "it needs 'signal'" in str(error.value)


def test_two_checks_of_one_name_are_an_error() -> None:
    def rises(facts: object, windows: object, *, signal: str) -> None: ...

    checks()
    with pytest.raises(BadInput, match="Two checks are called 'rises'"):
        check(about=["signal"], claim="up")(rises)


def test_a_source_that_cannot_answer_is_no_data_with_its_sentence(facts: FrameFacts) -> None:
    class Silent(FrameFacts):
        def series(self, key: str) -> Track | None:
            raise NotRecorded("The question series was never recorded.")

    silent = Silent(facts.windows, facts.wide)
    assert run_check(silent, "rises", {"signal": "a/b.c"}).sentence == "The question series was never recorded."
    unknown = run_check(facts, "appears", {"service": "postgres", "where": "nofield = 1"})
    assert unknown.state == "no data"
    assert "nofield" in unknown.sentence
    assert issubclass(UnknownField, BadInput)


# --- levels ---------------------------------------------------------------------------------------------------------


def test_a_rise_holds_on_the_harm_and_fails_on_every_placebo(facts: FrameFacts) -> None:
    arguments = {"signal": ERRORS, "at_least": 0.005}
    outcome = run_check(facts, "rises", arguments)
    assert outcome.state == "held"
    assert outcome.evidence == ("ev_wide",)
    assert outcome.numbers["during"] == pytest.approx(0.402, abs=0.001)
    assert [o.state for _, o in run_controls(facts, "rises", arguments)] == ["failed"] * 3


def test_a_rise_smaller_than_asked_fails_and_flat_holds_only_where_it_is(facts: FrameFacts) -> None:
    assert state(facts, "rises", {"signal": "nginx/requests.count", "by": 1.3}) == "failed"
    assert state(facts, "stays_flat", {"signal": "nginx/requests.count", "by": 1.3}) == "held"
    assert state(facts, "stays_flat", {"signal": ERRORS, "by": 1.3}) == "failed"
    assert state(facts, "falls", {"signal": ERRORS}) == "failed"


def test_a_fall_to_half_is_a_fall_by_two() -> None:
    facts = flat([10.0, 10.2, 9.8, 10.0, 10.1, 9.9, 10.0, 10.0, 10.0, 10.1, 5.0, 5.1, 4.9, 5.0], harm=4)
    assert state(facts, "falls", {"signal": "a/x.gauge", "by": 1.5}) == "held"
    assert state(facts, "falls", {"signal": "a/x.gauge", "by": 3.0}) == "failed"


def test_noise_larger_than_the_effect_asked_for_is_no_data() -> None:
    rng = np.random.default_rng(1)
    facts = flat(list(rng.normal(10, 8, 20)) + list(rng.normal(11, 8, 5)), harm=5)
    assert state(facts, "rises", {"signal": "a/x.gauge", "by": 1.2}) == "no data"
    assert state(facts, "stays_flat", {"signal": "a/x.gauge", "by": 1.2}) == "no data"


def test_too_few_bins_a_gap_or_few_requests_are_no_data() -> None:
    assert state(flat([1.0] * 7 + [5.0] * 3, harm=3), "rises", {"signal": "a/x.gauge"}) == "no data"
    gap = flat([1.0] * 10 + [5.0] + [np.nan] * 5, harm=6)
    assert state(gap, "rises", {"signal": "a/x.gauge"}) == "no data"
    full = flat([1.0] * 10 + [5.0] * 6, harm=6)
    few = full.wide.assign(n=2.0)
    counted = FrameFacts(full.windows, few, counts={"a/x.gauge": "n"})
    assert state(full, "rises", {"signal": "a/x.gauge"}) == "held"
    assert run_check(counted, "rises", {"signal": "a/x.gauge"}).sentence.startswith("a/x.gauge rests on 12 requests")


def test_bins_after_the_watermark_are_not_looked_at() -> None:
    facts = flat([1.0] * 10 + [1.0] * 3 + [9.0] * 6, harm=9)
    w = facts.windows
    cut = Windows(w.baseline, w.incident, w.whole, w.onset, None, w.incident.start + pd.Timedelta("3min"))
    assert state(facts, "rises", {"signal": "a/x.gauge"}) == "held"
    assert state(facts, "rises", {"signal": "a/x.gauge"}, cut) == "no data"


def test_a_pattern_asks_any_signal_for_a_rise_and_all_for_flat(facts: FrameFacts) -> None:
    assert state(facts, "rises", {"signal": POOL}) == "held"
    assert state(facts, "rises", {"signal": "*/http.server.errors.ratio", "at_least": 0.1}) == "held"
    assert state(facts, "stays_flat", {"signal": "*/http.server.errors.ratio", "at_least": 0.1}) == "failed"
    assert state(facts, "rises", {"signal": "redis*/memory.gauge"}) == "no data"


def test_a_replica_added_during_the_harm_hides_nothing() -> None:
    old = flat([0.1] * 10 + [0.4] * 4, harm=4)
    wide = pd.DataFrame({"a@1/cpu.x": old.wide["a/x.gauge"], "a@2/cpu.x": [np.nan] * 13 + [0.9]}, index=old.wide.index)
    facts = FrameFacts(old.windows, wide)
    assert state(facts, "saturates", {"signal": "a@*/cpu.x", "at": 0.85}) == "failed"
    assert state(facts, "saturates", {"signal": "a@2/cpu.x", "at": 0.85}) == "no data"


def test_saturation_needs_the_level_for_its_share_of_the_time(facts: FrameFacts) -> None:
    assert state(facts, "saturates", {"signal": POOL, "at": 0.9}) == "held"
    assert state(facts, "saturates", {"signal": "checkout/cpu.usage_ratio.gauge", "at": 0.85}) == "failed"
    assert state(flat([0.2] * 10 + [1.0, 0.5, 0.5, 0.5], harm=4), "saturates", {"signal": "a/x.gauge"}) == "failed"


def test_order_is_told_only_where_the_intervals_do_not_overlap() -> None:
    index = pd.date_range("2026-03-01T02:00Z", periods=20, freq="1min")
    wide = pd.DataFrame(
        {
            "a/first.gauge": [1.0] * 12 + [5.0] * 8,
            "a/then.gauge": [1.0] * 16 + [5.0] * 4,
            "a/same.gauge": [1.0] * 16 + [7.0] * 4,
            "a/never.gauge": [1.0] * 20,
        },
        index=index,
    )
    facts = FrameFacts(Windows.of(baseline=(index[0], index[10]), incident=(index[12], index[19])), wide)

    def order(first: str, then: str) -> str:
        return state(facts, "precedes", {"first": f"a/{first}.gauge", "then": f"a/{then}.gauge"})

    assert order("first", "then") == "held"
    assert order("then", "first") == "failed"
    assert order("same", "then") == "no data"
    assert order("never", "then") == "failed"
    assert order("missing", "then") == "no data"
    late = {"first": "a/then.gauge", "then": "a/first.gauge", "slack_s": 600}
    assert state(facts, "precedes", late) == "no data"


def test_an_artefact_is_what_only_one_of_several_measurements_shows(facts: FrameFacts) -> None:
    both = {"signals": [ERRORS, "checkout/http.server.errors.ratio"], "at_least": 0.01}
    one = {"signals": [ERRORS, "web/http.server.errors.ratio"], "at_least": 0.01}
    assert state(facts, "seen_by_one_only", both) == "failed"
    assert state(facts, "seen_by_one_only", one) == "held"
    assert state(facts, "seen_by_one_only", {"signals": [ERRORS]}) == "no data"


def test_a_sawtooth_drops_again_and_again_and_a_step_does_not() -> None:
    saw = flat([0.3] * 10 + [0.4, 0.6, 0.8, 0.3, 0.5, 0.8, 0.3, 0.4], harm=8)
    step = flat([0.3] * 10 + [0.8] * 8, harm=8)
    assert state(saw, "drops_repeatedly", {"signal": "a/x.gauge"}) == "held"
    assert state(step, "drops_repeatedly", {"signal": "a/x.gauge"}) == "failed"


def test_a_response_follows_its_dose_or_does_not() -> None:
    rng = np.random.default_rng(3)
    dose = np.concatenate([np.full(20, 1.0), np.linspace(1, 6, 20)])
    index = pd.date_range("2026-03-01T02:00Z", periods=40, freq="15s")
    wide = pd.DataFrame(
        {"a/dose.x": dose + rng.normal(0, 0.1, 40), "a/follows.x": dose * 2, "a/other.x": rng.normal(0, 1, 40)},
        index=index,
    )
    facts = FrameFacts(Windows.of(baseline=(index[0], index[20]), incident=(index[20], index[39])), wide)
    assert state(facts, "follows_dose", {"dose": "a/dose.x", "response": "a/follows.x"}) == "held"
    assert state(facts, "follows_dose", {"dose": "a/dose.x", "response": "a/other.x", "at_least": 0.8}) == "failed"
    assert state(facts, "follows_dose", {"dose": "a/dose.x", "response": "b/x.y"}) == "no data"


# --- lines ----------------------------------------------------------------------------------------------------------


def test_lines_that_appear_hold_and_their_control_fails(facts: FrameFacts) -> None:
    arguments = {"service": "checkout", "where": "has(message, 'pool timeout')"}
    outcome = run_check(facts, "appears", arguments)
    assert outcome.state == "held"
    assert outcome.evidence == ("ev_checkout",)
    assert [o.state for _, o in run_controls(facts, "appears", arguments)] == ["failed"] * 3


def test_lines_that_were_always_there_do_not_appear_but_are_present(facts: FrameFacts) -> None:
    usual = {"service": "checkout", "where": "has(message, 'order placed')"}
    assert state(facts, "appears", usual) == "failed"
    assert state(facts, "present_in_logs", usual) == "held"
    assert [o.state for _, o in run_controls(facts, "present_in_logs", usual)] == ["held"] * 3


def test_absence_is_told_from_a_lost_log(facts: FrameFacts) -> None:
    never = {"service": "checkout", "where": "has(message, 'connection refused')"}
    assert state(facts, "absent", never) == "held"
    assert state(facts, "absent", {**never, "where": "has(message, 'pool timeout')"}) == "failed"
    assert state(facts, "appears", {**never, "service": "redis"}) == "no data"
    talk = facts.logs["checkout"]
    lost = FrameFacts(facts.windows, logs={"checkout": talk[talk["time"] < at("02:15:00")]}, every_s=5)
    assert state(lost, "absent", never) == "no data"
    assert state(lost, "appears", never) == "no data"


def test_two_or_three_lines_are_too_few_to_appear(facts: FrameFacts) -> None:
    rows = pd.DataFrame({"time": [at("02:16:00"), at("02:16:30")], "message": "boom", "weight": 1.0})
    few = FrameFacts(facts.windows, logs={"a": rows}, every_s=5)
    assert state(few, "appears", {"service": "a", "where": "has(message, 'boom')"}) == "no data"


def requests(bad: dict[str, int], good: dict[str, int]) -> FrameFacts:
    """Requests of the incident by version: as many bad and good ones as given, evenly spread."""
    rows = [
        {"time": at("02:15:20") + pd.Timedelta(milliseconds=700 * i), "version": v, "status": s, "weight": 1.0}
        for s, side in ((503, bad), (200, good))
        for v, n in side.items()
        for i in range(n)
    ]
    return FrameFacts(incident.windows(), logs={"nginx": pd.DataFrame(rows)}, every_s=5)


def test_a_version_that_fails_more_than_the_other_at_the_same_time_differs() -> None:
    split = {"service": "nginx", "where": "status >= 500", "by": "version", "values": ["2"]}
    assert state(requests({"2": 50, "1": 2}, {"2": 50, "1": 100}), "differs_between", split) == "held"
    assert state(requests({"2": 50, "1": 50}, {"2": 50, "1": 50}), "differs_between", split) == "failed"
    assert state(requests({"2": 10, "1": 0}, {"2": 10, "1": 100}), "differs_between", split) == "no data"
    assert state(requests({"2": 50, "1": 2}, {"2": 5, "1": 9}), "differs_between", {**split, "by": "zone"}) == "no data"


def test_a_share_is_held_failed_or_too_near_to_tell() -> None:
    facts = requests({"1": 60}, {"1": 40})
    share = {"service": "nginx", "where": "status >= 500"}
    assert state(facts, "share_at_least", {**share, "share": 0.4}) == "held"
    assert state(facts, "share_at_least", {**share, "share": 0.9}) == "failed"
    assert state(facts, "share_at_least", {**share, "share": 0.6}) == "no data"
    assert state(requests({"1": 10}, {"1": 10}), "share_at_least", {**share, "share": 0.1}) == "no data"


def test_templates_are_compared_for_the_incident_only(facts: FrameFacts) -> None:
    table = pd.DataFrame(
        {
            "template": ["pool timeout after <*> ms", "order <*> placed"],
            "class": ["new", "unchanged"],
            "service": ["checkout", "checkout"],
        }
    )
    known = FrameFacts(facts.windows, templates_frame=table)
    asked = {"service": "checkout", "words": ["pool"]}
    assert state(known, "template_appears", asked) == "held"
    assert state(known, "template_appears", {**asked, "words": ["placed"]}) == "failed"
    assert state(known, "template_appears", asked, facts.windows.placebos()[0]) == "no data"
    assert state(facts, "template_appears", asked) == "no data"


# --- changes --------------------------------------------------------------------------------------------------------

UNDO = {"reversal": "migration 0042 down", "signal": ERRORS}


def test_the_onset_follows_a_change_within_its_lag(facts: FrameFacts) -> None:
    assert state(facts, "onset_follows", {"change": "migration 0042"}) == "held"
    assert state(facts, "onset_follows", {"change": "nightly report"}) == "failed"
    assert state(facts, "onset_follows", {"change": "migration 0042 down"}) == "failed"
    assert state(facts, "onset_follows", {"change": "web 2.1", "within_s": 60}) == "failed"
    assert state(facts, "onset_follows", {"change": "nobody knows"}) == "no data"
    assert state(incident.facts(without=("changes",)), "onset_follows", {"change": "web 2.1"}) == "no data"


def test_a_change_that_acts_at_the_next_restart_counts_from_there() -> None:
    config = change("x1", "02:02:00", "config", "checkout", "limits", takes_effect="restart")
    restart = change("x2", "02:14:50", "restart", "checkout", "restart checkout")
    assert state(incident.facts(extra=[config, restart]), "onset_follows", {"change": "limits"}) == "held"
    assert state(incident.facts(extra=[config]), "onset_follows", {"change": "limits"}) == "no data"


def test_a_signal_moves_after_its_change(facts: FrameFacts) -> None:
    assert state(facts, "change_precedes", {"change": "migration 0042", "signal": ERRORS}) == "held"
    assert state(facts, "change_precedes", {"change": "nightly report", "signal": ERRORS}) == "failed"
    assert state(facts, "change_precedes", {"change": "migration 0042 down", "signal": ERRORS}) == "failed"
    assert state(facts, "change_precedes", {"change": "web 2.1", "signal": "nginx/requests.count"}) == "failed"


def test_recovery_after_the_reversal_holds_and_not_before_it(facts: FrameFacts) -> None:
    assert state(facts, "recovers_after", UNDO) == "held"
    assert [o.state for _, o in run_controls(facts, "recovers_after", UNDO)] == ["failed"]


def test_a_reversal_after_which_it_goes_on_fails_once_its_lag_is_over() -> None:
    early = change("x1", "02:16:00", "schema", "postgres", "early undo", reverts="migration 0042")
    facts = incident.facts(extra=[early])
    asked = {"reversal": "early undo", "signal": ERRORS, "within_s": 60}
    assert state(facts, "recovers_after", asked) == "failed"
    w = facts.windows
    fresh = Windows(w.baseline, w.incident, w.whole, w.onset, None, at("02:16:30").to_pydatetime())
    assert state(facts, "recovers_after", asked, fresh) == "no data"


def test_two_actions_within_one_recovery_lag_are_inseparable() -> None:
    also = change("x1", "02:17:50", "restart", "checkout", "restart checkout")
    outcome = run_check(incident.facts(extra=[also]), "recovers_after", UNDO)
    assert outcome.state == "no data"
    assert "restart checkout" in outcome.sentence
    assert "inseparable" in outcome.sentence
    long_before = change("x1", "02:16:00", "scale", "checkout", "checkout x4")
    assert state(incident.facts(extra=[long_before]), "recovers_after", UNDO) == "held"


def test_no_recovery_says_nothing_while_a_loop_keeps_it_going() -> None:
    early = change("x1", "02:16:00", "schema", "postgres", "early undo", reverts="migration 0042")
    facts = incident.facts(extra=[early])
    asked = {"reversal": "early undo", "signal": ERRORS, "within_s": 60}
    looping = facts.wide.assign(**{"nginx/attempts.mean": np.where(facts.wide[ERRORS] > 0.1, 3.0, 1.0)})
    kept = FrameFacts(facts.windows, looping, changes_frame=facts.changes_frame)
    assert state(kept, "recovers_after", {**asked, "loop": "nginx/attempts.mean"}) == "no data"
    assert state(kept, "recovers_after", {**asked, "loop": "nginx/requests.count"}) == "failed"


def test_no_recovery_says_nothing_when_a_migration_in_between_was_not_undone() -> None:
    deploy = change("x1", "02:14:50", "deploy", "checkout", "4.7", before="4.6", after="4.7")
    back = change("x2", "02:16:00", "deploy", "checkout", "4.6", before="4.7", after="4.6", reverts="4.7")
    asked = {"reversal": "4.6", "signal": ERRORS, "within_s": 60, "change": "4.7"}
    # migration 0042 lies between, but it was undone later: the rollback alone did not help
    assert state(incident.facts(extra=[deploy, back]), "recovers_after", asked) == "failed"
    lasting = change("x3", "02:14:55", "schema", "postgres", "migration 0043")
    outcome = run_check(incident.facts(extra=[deploy, back, lasting]), "recovers_after", asked)
    assert outcome.state == "no data"
    assert "migration 0043" in outcome.sentence


def test_a_recovery_that_came_before_the_reversal_fails_it() -> None:
    late = change("x1", "02:20:00", "config", "checkout", "late fix")
    assert state(incident.facts(extra=[late]), "recovers_after", {"reversal": "late fix", "signal": ERRORS}) == "failed"


def test_what_stayed_in_place_while_it_recovered_did_not_keep_it_going(facts: FrameFacts) -> None:
    def ended(change: str, extra: list | None = None) -> str:
        known = facts if extra is None else incident.facts(extra=extra)
        return state(known, "recovers_while", {"change": change, "signal": ERRORS})

    assert ended("web 2.1") == "held"  # the migration was undone, it was not
    assert ended("migration 0042") == "failed"  # it was undone first
    assert ended("nightly report") == "failed"  # it had ended
    bare = incident.changes()
    bare = bare[~bare["id"].isin(["c4"])]
    scaled = pd.concat([bare, pd.DataFrame([change("x", "02:17:30", "scale", "checkout", "checkout x4")])])
    unknown = FrameFacts(facts.windows, facts.wide, changes_frame=scaled)
    assert state(unknown, "recovers_while", {"change": "web 2.1", "signal": ERRORS}) == "no data"


def test_it_lasts_as_long_as_the_job_that_does_it() -> None:
    during = change("x1", "02:15:00", "job", "postgres", "long report", until="02:18:00")
    shorter = change("x2", "02:15:00", "job", "postgres", "short report", until="02:16:00")
    facts = incident.facts(extra=[during, shorter])
    asked = {"signal": ERRORS, "within_s": 60}
    jobs = pd.DataFrame([during, shorter])
    alone = FrameFacts(facts.windows, facts.wide, changes_frame=jobs)
    assert state(alone, "lasts_as_long_as", {"change": "long report", **asked}) == "held"
    assert state(facts, "lasts_as_long_as", {"change": "short report", **asked}) == "failed"
    assert state(facts, "lasts_as_long_as", {"change": "nightly report", **asked}) == "failed"
    assert state(facts, "lasts_as_long_as", {"change": "web 2.1", **asked}) == "no data"
    # the migration was undone in the same moment: which of both ended it cannot be told
    assert state(facts, "lasts_as_long_as", {"change": "long report", **asked}) == "no data"


def test_a_change_elsewhere_touches_nothing_that_fails(facts: FrameFacts) -> None:
    path = ["checkout", "nginx", "postgres"]
    assert state(facts, "touches", {"change": "web 2.1", "services": path}) == "failed"
    assert state(facts, "touches", {"change": "migration 0042", "services": path}) == "held"
    nowhere = change("x1", "02:14:00", "flag", None, "flag x")
    assert state(incident.facts(extra=[nowhere]), "touches", {"change": "flag x", "services": path}) == "no data"


# --- facts ----------------------------------------------------------------------------------------------------------


def test_lines_and_measures_of_lines_can_be_asked_for_as_signals(facts: FrameFacts) -> None:
    counted = tracks(facts, "postgres/lines[duration_s > 1].count")[0]
    assert counted.values.sum() == 181
    measured = tracks(facts, "postgres/lines[duration_s > 1].duration_s.p99")[0]
    assert measured.values.dropna().unique().tolist() == [1.5]
    assert tracks(facts, "redis/lines[].count") == ()


def test_placebo_windows_lie_in_the_baseline_and_a_short_baseline_has_shorter_ones() -> None:
    w = incident.windows()
    assert [(p.incident.seconds, p.whole == w.baseline) for p in w.placebos()] == [(180.0, True)] * 3
    short = Windows.of(
        baseline=(at("02:14:00"), at("02:15:00")), incident=(at("02:15:00"), at("02:18:00")), onset=at("02:15:00")
    )
    assert [p.incident.seconds for p in short.placebos()] == [20.0]
    assert short.onset == Instant(at("02:15:00").to_pydatetime(), at("02:15:00").to_pydatetime())


# --- disks, waits, shares, the end of the data -----------------------------------------------------------------------


def disk(left: list[float], errors: list[float], *, harm: int) -> FrameFacts:
    """Room left on a disk and failing requests by the minute; the last `harm` minutes are the incident."""
    index = pd.date_range("2026-03-01T02:00Z", periods=len(left), freq="60s")
    end = index[-1] + pd.Timedelta("60s")
    return FrameFacts(
        Windows.of(baseline=(index[0], index[-harm]), incident=(index[-harm], end)),
        pd.DataFrame({"host@/data/filesystem.available.gauge": left, "web/errors.ratio": errors}, index=index),
    )


ROOM = {"signal": "host@/data/filesystem.available.gauge"}


def test_a_disk_told_by_what_is_left_is_full_when_nothing_is() -> None:
    filling = disk([100 - 5 * n for n in range(20)] + [0] * 6, [0.0] * 20 + [0.5] * 6, harm=6)
    assert state(filling, "runs_full", ROOM) == "held"
    assert [o.state for _, o in run_controls(filling, "runs_full", ROOM)] == ["failed"]
    roomy = disk([100 - n for n in range(26)], [0.0] * 20 + [0.5] * 6, harm=6)
    assert state(roomy, "runs_full", ROOM) == "failed"


def test_a_disk_that_was_full_first_may_be_what_users_feel_and_one_full_later_is_not() -> None:
    order = {"first": ROOM["signal"], "then": "web/errors.ratio"}
    first = disk([100 - 5 * n for n in range(20)] + [0] * 6, [0.0] * 20 + [0.5] * 6, harm=6)
    assert state(first, "fills_before", order) == "held"
    later = disk([100.0] * 22 + [0] * 4, [0.0] * 20 + [0.5] * 6, harm=6)
    assert state(later, "fills_before", order) == "failed"
    never = disk([100.0] * 26, [0.0] * 20 + [0.5] * 6, harm=6)
    assert state(never, "fills_before", order) == "failed"


def test_one_of_several_signs_of_waiting_is_enough_and_none_is_not() -> None:
    index = pd.date_range("2026-03-01T02:00Z", periods=20, freq="60s")
    facts = FrameFacts(
        Windows.of(baseline=(index[0], index[15]), incident=(index[15], index[19] + pd.Timedelta("60s"))),
        pd.DataFrame({"a/time.p99": [1.0] * 20, "a/locks.gauge": [0.0] * 15 + [9.0] * 5}, index=index),
    )
    both = {"signals": ["a/time.p99", "a/locks.gauge"], "by": 1.5}
    assert state(facts, "one_rises", both) == "held"
    assert state(facts, "one_rises", {"signals": ["a/time.p99"], "by": 1.5}) == "failed"
    assert state(facts, "one_rises", {"signals": ["a/nothing.gauge"], "by": 1.5}) == "no data"


def test_failures_in_bursts_are_a_rise_of_the_share_of_requests_though_not_of_the_median_bin() -> None:
    index = pd.date_range("2026-03-01T02:00Z", periods=60, freq="5s")
    bursts = [
        0.0,
        0.1,
        0.0,
        0.05,
        0.0,
        0.08,
        0.0,
        0.0,
        0.07,
        0.04,
        0.0,
        0.09,
        0.0,
        0.06,
        0.0,
        0.05,
        0.0,
        0.0,
        0.1,
        0.06,
    ]
    wide = pd.DataFrame({"a/errors.ratio": [0.0] * 40 + bursts, "a/requests.count": [50.0] * 60}, index=index)
    facts = FrameFacts(
        Windows.of(baseline=(index[0], index[40]), incident=(index[40], index[59] + pd.Timedelta("5s"))),
        wide, counts={"a/errors.ratio": "a/requests.count"},
    )  # fmt: skip
    assert state(facts, "rises", {"signal": "a/errors.ratio", "at_least": 0.005}) == "held"
    once = FrameFacts(
        facts.windows, wide.assign(**{"a/errors.ratio": [0.0] * 50 + [0.9] + [0.0] * 9}), counts=facts.counts
    )
    assert state(once, "rises", {"signal": "a/errors.ratio", "at_least": 0.005}) == "no data"


def test_where_the_data_end_just_after_it_the_harms_own_end_shows_that_the_signal_stayed_well(
    facts: FrameFacts,
) -> None:
    during = change("x1", "02:15:00", "job", "postgres", "long report", until="02:18:00")
    asked = {"change": "long report", "signal": ERRORS}
    w = facts.windows
    cut_off = at("02:18:30").to_pydatetime()
    seen = Windows(w.baseline, w.incident, w.whole, w.onset, w.recovered, cut_off)
    unseen = Windows(w.baseline, w.incident, w.whole, w.onset, None, cut_off)
    alone = FrameFacts(w, facts.wide, changes_frame=pd.DataFrame([during]))
    assert state(alone, "lasts_as_long_as", asked, seen) == "held"
    assert state(alone, "lasts_as_long_as", asked, unseen) == "no data"
