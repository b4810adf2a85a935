"""A rule is worth what it would have spared, at the price of how often it would have fired for nothing."""

from dataclasses import dataclass

import pandas as pd
import pytest

from connectors.window import Window
from kit.guardrails import RULES, Rule, guard, list_guardrails, try_rules
from kit.numerics.moments import length

START = pd.Timestamp("2026-03-01T02:00:00Z")
ROLLBACK = RULES[0]


def at(seconds):
    return (START + pd.Timedelta(seconds=seconds)).to_pydatetime()


def requests(*, until=1200, bad_from=600, bad_to=900, share=1.0):
    """Two requests a second, failing between two moments."""
    rows = []
    for i in range(until * 2):
        s = i / 2
        failed = bad_from <= s < bad_to and (i % round(1 / share) == 0)
        rows.append({"time": at(s), "duration_s": 0.0, "failed": failed})
    return pd.DataFrame(rows)


def changes(*rows):
    return pd.DataFrame([{"time": at(s), "kind": kind, "ref": ref} for s, kind, ref in rows],
                        columns=["time", "kind", "ref"])  # fmt: skip


HEALTHY, INCIDENT = Window(at(0), at(600)), Window(at(600), at(900))


def tried(rows, made, *, trigger=(), rules=(ROLLBACK,), history=(), noticed=None):
    return try_rules(rows, changes=made, healthy=HEALTHY, incident=INCIDENT, slow_s=1.0, trigger=trigger, rules=rules,
                     history=history, noticed=noticed)  # fmt: skip


def test_a_rollback_of_the_trigger_spares_what_begins_after_it_works():
    (trial,) = tried(requests(), changes((590, "deploy", "v2")), trigger=["v2"])
    assert trial.fired == pd.Timestamp(at(605))
    assert trial.would_undo == ("v2",)
    assert trial.right is True
    assert trial.hurt == 600
    assert trial.spared == 600 - 2 * (5 + 30)
    assert trial.false_firings == 0


def test_a_rollback_of_another_change_spares_nothing():
    (trial,) = tried(requests(), changes((590, "deploy", "harmless"), (100, "migration", "0042")), trigger=["0042"])
    assert trial.right is False
    assert trial.spared == 0
    assert "which was not it" in trial.says


def test_without_a_known_trigger_an_undo_is_not_credited():
    (trial,) = tried(requests(), changes((590, "deploy", "v2")))
    assert trial.right is None
    assert trial.spared == 0
    assert "at v2, which nothing shows to have begun it: spared 0" in trial.says


def test_without_a_deploy_just_before_the_rule_stays_silent():
    (trial,) = tried(requests(), changes((100, "deploy", "v2"), (595, "job", "nightly")), trigger=["v2"])
    assert trial.fired is None
    assert "stayed silent" in trial.says


def test_what_fires_on_healthy_record_is_counted_once_in_ten_minutes():
    healthy = requests(until=600, bad_from=200, bad_to=260)
    page = Rule("page", "errors_ratio", 0.02, 60.0, "pages", 60.0)
    (trial,) = tried(requests(), changes(), rules=(page,), history=[(healthy, changes(), Window(at(0), at(600)))])
    assert trial.false_firings == 1
    assert trial.healthy_minutes == 20


def test_few_requests_say_nothing():
    sparse = requests().iloc[::20]
    assert tried(sparse, changes((590, "deploy", "v2")), trigger=["v2"])[0].fired is None


def test_a_share_below_the_limit_is_silent():
    assert tried(requests(share=0.01), changes((590, "deploy", "v2")))[0].fired is None


@dataclass
class Effect:
    ref: str
    effect: str
    summary: str = ""


def states(**given):
    usual = {"trigger": None, "alerts": None, "onset": at(600), "recovered": at(900), "effects": ()}
    return {g.what: g.state for g in list_guardrails(**usual | given)}


def test_what_no_record_speaks_of_is_unknown_not_missing():
    assert set(states().values()) == {"unknown"}
    assert list_guardrails(trigger=None, alerts=None, onset=None, recovered=None) == ()


@pytest.mark.parametrize(("fraction", "state"), [(0.33, "held"), (1.0, "missing")])
def test_a_rollout_to_a_part_held(fraction, state):
    assert states(trigger={"ref": "v2", "fraction": fraction})["gradual rollout"] == state


def test_a_reviewed_change_that_did_harm_passed_a_guardrail_that_failed():
    assert states(trigger={"ref": "v2", "attributes.review": "2 approvals"})[
        "review, test or staging check"
    ] == "failed"  # fmt: skip


def test_a_rollout_that_rolls_within_seconds_is_said_to_take_them():
    trigger = {"ref": "v2", "fraction": 1.0, "time": pd.Timestamp(at(0)), "until": pd.Timestamp(at(21))}
    rail = list_guardrails(trigger=trigger, alerts=None, onset=at(600), recovered=at(900))[1]
    assert rail.because == "v2 went to everything within 21 s, by the change log."
    bare = list_guardrails(trigger={"ref": "v2", "fraction": 1.0}, alerts=None, onset=at(600), recovered=at(900))[1]
    assert bare.because == "v2 went to everything, by the change log."


def test_alerts_and_rollbacks_are_judged_by_what_happened():
    fired = pd.DataFrame({"time": [at(660)], "name": ["Errors"]})
    silent = pd.DataFrame({"time": [at(10)], "name": ["Errors"]})
    assert states(alerts=fired)["alert"] == "held"
    assert states(alerts=silent)["alert"] == "missing"
    assert states(effects=[Effect("v1", "helped")], reversals=["v1"])["rollback that works"] == "held"
    assert states(effects=[Effect("v1", "none")], reversals=["v1"])["rollback that works"] == "failed"
    assert states(effects=[Effect("v1", "cannot_tell")], reversals=["v1"])["rollback that works"] == "unknown"


def test_another_action_is_no_rollback():
    assert states(effects=[Effect("scale-5", "none")])["rollback that works"] == "unknown"


def test_a_line_about_a_limit_says_that_one_acted():
    assert states(said=["no free connection in pool after <*> s"])["timeout, limit or breaker"] == "acted"
    assert states(said=["KeyError: 'x'"])["timeout, limit or breaker"] == "unknown"


def test_the_headline_is_the_rule_that_spares_most():
    trials = tried(requests(), changes((590, "deploy", "v2")), trigger=["v2"], rules=RULES)
    answer = guard(trials, ())
    assert answer.headline == trials[0].says
    assert list(answer.to_frame()["state"]) == ["tried"] * len(RULES)
    assert guard((), ()).headline.startswith("Nobody was hurt")


def test_a_page_is_told_by_how_long_before_people_it_fires_and_is_proposed_only_then():
    page = RULES[1]
    early = tried(requests(), changes(), rules=(page,), noticed=at(700))[0]
    ahead = (at(700) - early.fired).total_seconds()
    assert early.alarm == f"{page.name} would have fired {length(ahead)} before somebody noticed"
    assert "before somebody noticed" in early.says
    late = tried(requests(), changes(), rules=(page,), noticed=at(601))[0]
    assert late.alarm == ""
    assert "after somebody noticed" in late.says
    assert tried(requests(), changes((590, "deploy", "v2")), trigger=["v2"])[0].alarm == ""  # a rollback is no page
