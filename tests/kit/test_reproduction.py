"""What a safe place needs is taken from the record; nobody is named and nothing is claimed that was not shown."""

from __future__ import annotations

import tomllib

import pandas as pd

from connectors.window import Window
from kit.checks.registry import HELD, Outcome
from kit.hypothesis import Hypothesis, Link, Mechanism, Prediction
from kit.reproduction import WARNING, how_to_reproduce
from kit.verdict import LinkTried, Tried, Verdict

START = pd.Timestamp("2026-03-01T02:00:00Z")
HELD_IT = Prediction("errors rise", "rises", {"signal": "web/errors.ratio"})
LINKS = (Link("4.7", "web failing", "4.7 changed how web answers", (HELD_IT,)), Link("web failing", "users", "seen"))
DEPLOY = Hypothesis("4.7 broke it", "web-4.7", (HELD_IT,), Mechanism(LINKS))
SEEN = Tried(HELD_IT, Outcome(HELD, "web/errors.ratio rose from 0 to 0.2", {}, ("ev_1",)), counts=True)
VERDICT = Verdict(DEPLOY, "confirmed", links=(LinkTried(LINKS[0], (SEEN,)), LinkTried(LINKS[1], ())))
BASELINE = Window(START, START + pd.Timedelta(minutes=10))
INCIDENT = Window(BASELINE.end, BASELINE.end + pd.Timedelta(minutes=1))


def change(minute: float, kind: str, ref: str, **more: object) -> dict[str, object]:
    row = {"id": f"c{minute}", "time": START + pd.Timedelta(minutes=minute), "kind": kind, "service": "web", "ref": ref,
           "summary": f"{kind} {ref}", "before": None, "after": None, "reverts": None, "derived": False}  # fmt: skip
    return row | more


CHANGES = pd.DataFrame(
    [
        change(-600, "deploy", "api-2.1", service="api", after="2.1"),
        change(-500, "deploy", "web-4.6", before="4.5", after="4.6"),
        change(5, "config", "pool.size", after="20"),
        change(6, "deploy", "web 4.6.9 appeared", after="4.6.9", derived=True),
        change(9.9, "deploy", "web-4.7", before="4.6", after="4.7"),
        change(11, "deploy", "web-4.7-back", before="4.7", after="4.6", reverts="web-4.7"),
        change(12, "config", "later"),
    ]
)


def requests() -> pd.DataFrame:
    times = pd.date_range(START, periods=660, freq="1s")
    late = times >= pd.Timestamp(INCIDENT.start)
    return pd.DataFrame(
        {"time": times, "duration_s": 0.1, "route": ["/pay" if i % 4 == 0 else "/list" for i in range(660)],
         "http.request.method": "GET", "http.response.status_code": [500 if x else 200 for x in late], "failed": late,
         "user.id": "u-4711", "trace_id": "t-1"}
    )  # fmt: skip


def made(verdict: Verdict | None = VERDICT):
    return how_to_reproduce(
        verdict, changes=CHANGES, requests=requests(), baseline=BASELINE, incident=INCIDENT, plans=["SELECT: Seq Scan"]
    )


def test_versions_settings_load_requests_and_plan_make_the_place() -> None:
    assert made().what == (
        ("version", "api: 2.1 (deploy)"),
        ("version", "web: 4.6 (deploy)"),
        ("setting", "web: config pool.size (now 20)"),
        ("load", "1.0 requests a second: /list 75%, /pay 25%"),
        ("exemplar request", "GET /pay → 500 after 0.1 s"),
        ("exemplar request", "GET /list → 500 after 0.1 s"),
        ("query plan", "SELECT: Seq Scan"),
    )
    assert "u-4711" not in str(made().to_frame().to_dict())


def test_what_must_be_seen_is_the_chain_and_a_link_not_shown_is_a_guess() -> None:
    assert made().must_see == (
        "4.7 changed how web answers: here web/errors.ratio rose from 0 to 0.2",
        "seen: not shown here, so a guess",
    )
    assert made().because[0] == WARNING


def test_the_scenario_is_toml_with_the_change_and_what_undid_it() -> None:
    scenario = tomllib.loads(made().scenario)
    assert [(e["role"], e["ref"], e["at"]) for e in scenario["event"]] == [
        ("trigger", "web-4.7", "360s"),
        ("cure", "web-4.7-back", "426s"),
    ]
    assert made().scenario.startswith("# A skeleton")


def test_without_a_mechanism_there_is_the_place_alone() -> None:
    none = made(None)
    assert none.headline.startswith("No mechanism is told yet")
    assert none.scenario == ""
    assert ("version", "web: 4.7 (deploy)") in none.what


def test_without_a_state_change_the_first_link_is_brought_about_by_hand() -> None:
    nameless = Verdict(Hypothesis("slow", None, (HELD_IT,), Mechanism(LINKS)), "supported", links=VERDICT.links)
    assert made(nameless).headline.startswith("No state change is known to have begun it")
    assert made(nameless).scenario == ""
