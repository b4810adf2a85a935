"""The answer of one minute: what it says of harm that lasts, that is over, that cannot be told, and of lost time."""

from __future__ import annotations

import time
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd

from connectors.window import Window, utc
from kit.changes import rank_changes
from kit.classify import Diagnosis
from kit.cli_now import answer_now
from kit.mitigation import propose_levers, read_harm_clock
from kit.now import tell_now, what_expires
from kit.symptom import find_symptom

AT = pd.date_range("2026-03-01T02:00Z", periods=1800, freq="500ms")
LOOK = Window.of("2026-03-01T02:00Z", "2026-03-01T02:15Z")


def requests(bad_from: int, bad_until: int):
    status = np.full(len(AT), 200)
    status[bad_from:bad_until] = 503
    return pd.DataFrame({"time": AT, "duration_s": 0.1, "http.response.status_code": status})


def told(rows, **more):
    symptom = find_symptom(rows, window=LOOK)
    changes = pd.DataFrame(
        {"id": ["a"], "time": pd.to_datetime(["2026-03-01T02:12:00Z"]), "kind": "deploy", "summary": ["shop 2"]}
    )
    onset = symptom.episodes[0].onset if symptom.episodes else None
    suspects = rank_changes(changes, onset)
    clock = read_harm_clock(rows, onset=onset, until=symptom.complete_until)
    levers = propose_levers(Diagnosis("unclassified", (), (), "", (), ()), suspects, clock=clock)
    given = {"clock": clock, "suspects": suspects, "levers": levers, "recorded": 7, **more}
    return tell_now(title="Shop", zone="Europe/Berlin", symptom=symptom, **given)


def test_harm_that_lasts_is_told_in_six_lines_in_the_peoples_own_time():
    found = told(requests(1500, 1800))
    assert len(found.lines) == 6
    assert found.lines[0].startswith("Shop: 100.0% of requests fail (usual 0.1%) since 03:12:29–03:12:3")
    assert "at least 300 requests failed, still going on; complete up to 03:14:59 CET" in found.lines[1]
    assert found.lines[2] == "Moved just before: shop 2 (03:12:00 CET)."
    assert found.lines[3].startswith("Do now: roll back shop 2")
    assert "7 answers recorded" in found.lines[5]


def test_a_healthy_window_says_so_and_proposes_nothing():
    found = told(requests(0, 0))
    assert "nothing is wrong at the entry hop" in found.lines[0]
    assert "none seen" in found.lines[1]
    assert found.lines[3].startswith("Do now: nothing to pull")


def test_without_time_for_changes_and_levers_that_is_said():
    found = told(requests(1500, 1800), suspects=None, levers=None)
    assert found.lines[2] == "Moved just before: not looked at yet."
    assert "no lever was worked out" in found.lines[3]


def test_an_entry_that_cannot_be_read_cannot_tell():
    found = told(requests(0, 0).head(10))
    assert "cannot tell whether users are hurt" in found.lines[0]


def test_what_could_not_be_asked_stands_among_what_is_not_known():
    found = told(requests(1500, 1800), gaps=("jaeger does not answer.",))
    assert "jaeger does not answer" in found.lines[4]


def test_what_goes_first_is_named_with_the_moment_and_what_is_gone_is_said():
    expiries = what_expires({"tempo": ("spans", "2d"), "loki": ("logs", "1h")}, since=LOOK.start)
    found = told(requests(1500, 1800), expiries=expiries, at=utc("2026-03-01T04:00Z"))
    assert "loki (logs) has dropped the begin of the look since 2026-03-01 04:00 CET" in found.lines[5]
    assert expiries[1].gone == LOOK.start + timedelta(days=2)


class OpenCase:
    """As much of a case as the answer of one minute asks for; it notes what had been shown when it was asked."""

    zone, requests, offline, gaps, look = "Europe/Berlin", None, True, {}, LOOK
    about = SimpleNamespace(title="Shop", open=False)
    catalog = SimpleNamespace(sources={})

    def __init__(self):
        rows = requests(1500, 1800)
        self.symptom = find_symptom(rows, window=LOOK)
        self.onset = self.symptom.episodes[0].onset
        self.shown, self.known = [], {}

    @property
    def suspects(self):
        self.known["suspects"] = len(self.shown)
        return rank_changes(pd.DataFrame({"id": [], "time": pd.to_datetime([], utc=True), "kind": []}), self.onset)

    @property
    def levers(self):
        self.known["levers"] = len(self.shown)
        return propose_levers(Diagnosis("unclassified", (), (), "", (), ()), self.suspects)

    def evidence(self):
        return []


def test_each_line_is_shown_before_the_next_is_asked_for():
    case = OpenCase()
    found = answer_now(case, began=time.monotonic(), budget_s=1e6, snapshot=False, show=case.shown.append)
    assert tuple(case.shown) == found.lines
    assert (case.known["levers"], case.shown[1][:12]) == (3, "Harm so far:")


def test_when_the_time_is_spent_only_the_harm_is_told_and_the_rest_is_said_to_be_unknown():
    case = OpenCase()
    found = answer_now(case, began=time.monotonic() - 100, budget_s=60, snapshot=False)
    assert case.known == {}
    assert found.lines[2] == "Moved just before: not looked at yet."
