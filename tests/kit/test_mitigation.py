"""Levers with their price, the harm clock, and whether what was done helped."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from connectors.window import utc
from kit.actions import judge_actions
from kit.changes import rank_changes
from kit.class_levers import CLASS_LEVERS
from kit.classify import NAMES
from kit.mitigation import HarmClock, propose_levers, read_harm_clock
from kit.numerics.moments import Moment


def moment(time: str) -> Moment:
    at = utc(f"2026-03-01T{time}Z")
    return Moment(at, at, at)


ONSET, RECOVERED = moment("02:14:00"), moment("02:19:00")
GOING_ON = HarmClock(5.0, 120.0, True)


class Named:
    def __init__(self, name: str) -> None:
        self.name = name


def requests(*stretches: tuple[str, str, float]) -> pd.DataFrame:
    """Two a second from 02:00 to 02:30; in each stretch that share fails."""
    at = pd.date_range("2026-03-01T02:00Z", "2026-03-01T02:30Z", freq="500ms", inclusive="left")
    failed = np.zeros(len(at), bool)
    for start, end, share in stretches:
        inside = (at >= pd.Timestamp(f"2026-03-01T{start}Z")) & (at < pd.Timestamp(f"2026-03-01T{end}Z"))
        failed |= inside & (np.arange(len(at)) * 37 % 100 < share * 100)
    return pd.DataFrame({"time": at, "duration_s": 0.0, "failed": failed})


def changes(*rows: tuple[str, str, str, dict]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [
            {
                "id": s,
                "time": f"2026-03-01T{t}Z",
                "kind": k,
                "summary": s,
                "service": None,
                "ref": None,
                "reverts": None,
                **more,
            }
            for t, k, s, more in rows
        ]
    )
    return frame.assign(time=pd.to_datetime(frame["time"], utc=True))


HARM = ("02:14:00", "02:19:00", 0.5)


def judged(*rows, recovered=RECOVERED, stretches=(HARM,), until=None):
    return judge_actions(changes(*rows), requests(*stretches), onset=ONSET, recovered=recovered, until=until)


def test_an_action_right_before_the_recovery_helped():
    (effect,) = judged(("02:18:30", "deploy", "roll back web", {"reverts": "web 4.7"}))
    assert effect.effect == "helped"
    assert effect.recovery == RECOVERED
    assert "30 s after" in effect.why


@pytest.mark.parametrize(
    ("kind", "summary", "acts"),
    [
        ("job", "end the session of clear-carts", True),
        ("config", "checkout: no retries of payments", True),
        ("job", "terminate backend 17", True),
        ("job", "nightly report, end of month", False),
        ("config", "stop words of the search renamed", False),
    ],
)
def test_what_ends_a_session_or_the_retries_is_an_action_whatever_its_kind(kind, summary, acts):
    assert [e.effect for e in judged(("02:18:30", kind, summary, {}))] == (["helped"] if acts else [])


def test_an_action_long_before_it_did_nothing():
    effects = judged(("02:15:00", "scale", "scale web to 6", {}), ("02:18:30", "mitigation", "switch off /pay", {}))
    assert [e.effect for e in effects] == ["none", "helped"]
    assert "50% before" in effects[0].why or "bad requests" in effects[0].why


def test_two_actions_within_one_lag_are_inseparable():
    effects = judged(("02:18:00", "mitigation", "switch off /pay", {}), ("02:18:30", "restart", "restart web", {}))
    assert [e.effect for e in effects] == ["cannot_tell", "cannot_tell"]
    assert "inseparable from restart web" in effects[0].why


def test_an_action_can_make_it_worse():
    (effect,) = judged(
        ("02:16:00", "restart", "restart web", {}),
        stretches=(("02:14:00", "02:16:00", 0.2), ("02:16:00", "02:19:00", 0.9)),
    )
    assert effect.effect == "worse"


def test_a_lag_that_the_data_does_not_cover_cannot_tell():
    (effect,) = judged(("02:18:50", "restart", "restart web", {}), recovered=None, until=utc("2026-03-01T02:19:00Z"))
    assert effect.effect == "cannot_tell"


def test_what_came_before_the_onset_or_is_no_action_is_not_judged():
    assert judged(("02:13:00", "deploy", "roll back web", {})) == ()
    assert judged(("02:15:00", "deploy", "docs 12", {})) == ()
    assert judged(("02:25:00", "restart", "restart web", {})) == ()


def test_the_harm_clock_counts_failures_since_the_onset():
    over = read_harm_clock(requests(HARM), onset=ONSET, recovered=RECOVERED)
    assert (over.minutes, over.failed, over.going_on) == (5.0, 300.0, False)
    still = read_harm_clock(requests(HARM), onset=ONSET, until=utc("2026-03-01T02:16:00Z"))
    assert (still.minutes, still.failed, still.going_on) == (2.0, 120.0, True)
    assert read_harm_clock(requests(), onset=None) is None


def suspects(*rows):
    return rank_changes(changes(*rows), ONSET)


def test_the_suspect_that_stands_out_is_rolled_back_first():
    found = propose_levers(Named("bad_change"), suspects(("02:13:00", "deploy", "web 4.7", {})), clock=GOING_ON)
    assert found.levers[0].do == "roll back web 4.7"
    assert found.enough_to_act
    assert "not to conclude" in found.headline
    assert "no mitigation is recorded" in found.because


def test_over_a_migration_that_loses_data_the_lever_says_roll_forward():
    found = propose_levers(
        Named("bad_change"),
        suspects(("02:13:30", "deploy", "web 4.7", {}), ("02:12:00", "schema", "drop column orders.note", {})),
        clock=GOING_ON,
    )
    lever = next(lever for lever in found.levers if lever.ref == "web 4.7")
    assert lever.do.startswith("roll forward")
    assert lever.reversible is False


def test_a_dropped_index_can_be_put_back_and_a_dropped_table_cannot():
    undo = propose_levers(
        Named("pool_starved"), suspects(("02:13:00", "schema", "drop index a_b", {})), clock=GOING_ON
    ).levers[0]
    gone = propose_levers(
        Named("pool_starved"), suspects(("02:13:00", "schema", "drop table a", {})), clock=GOING_ON
    ).levers[0]
    assert undo.reversible
    assert not gone.reversible
    assert gone.do.startswith("roll forward")


def test_without_a_suspect_the_class_gives_the_lever():
    found = propose_levers(Named("overload"), suspects(("00:13:00", "deploy", "web 4.7", {})), clock=GOING_ON)
    assert found.levers[0].do.startswith("shed load")
    assert not found.enough_to_act
    assert "guess" in found.headline


def test_the_playbooks_levers_replace_the_built_in_ones():
    found = propose_levers(
        Named("overload"),
        rank_changes(changes(("02:13:00", "deploy", "x", {})).iloc[:0], ONSET),
        clock=GOING_ON,
        playbook=[{"do": "drain zone b", "reversible": True, "within_s": 30}],
    )
    assert [lever.do for lever in found.levers] == ["drain zone b"]


def test_when_nobody_is_hurt_there_is_nothing_to_stop():
    found = propose_levers(Named("healthy"), suspects(("02:13:00", "deploy", "web", {})))
    assert found.levers == ()
    assert found.headline == "Nothing to stop: nobody is being hurt."


def test_what_helped_is_told_once_it_is_over():
    effects = judged(("02:18:30", "deploy", "roll back web", {"reverts": "web 4.7"}))
    over = read_harm_clock(requests(HARM), onset=ONSET, recovered=RECOVERED)
    found = propose_levers(
        Named("bad_change"), suspects(("02:13:00", "deploy", "web 4.7", {})), clock=over, effects=effects
    )
    assert found.headline == "It is over after 5 min: roll back web helped."
    assert found.effects_frame()["effect"].tolist() == ["helped"]


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"bad_change", "fail_fast"}))
def test_every_other_class_has_a_lever(name):
    assert CLASS_LEVERS[name]
