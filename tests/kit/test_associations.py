"""The third factor in a case's own frame, and what actions moved: it takes explanations away and gives none."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from connectors.window import Window
from kit.actions import Effect
from kit.associations import find_associations, symptom_column
from kit.natural_experiments import break_load, compare_actions, weigh_effects
from kit.numerics.moments import Moment

START = pd.Timestamp("2026-03-01T02:00:00Z")
INDEX = pd.date_range(START, periods=240, freq="5s")
BASELINE, INCIDENT = Window(INDEX[0], INDEX[160]), Window(INDEX[160], INDEX[200])
ILL = np.r_[np.zeros(160), np.ones(40), np.zeros(40)]
CUT = "payments → fraud-check"


def at(seconds: float) -> datetime:
    return (START + pd.Timedelta(seconds=seconds)).to_pydatetime()


def wide(**more: object) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    slow = np.where(ILL > 0, 1.5 + rng.normal(0, 0.1, 240), 0.06)
    frame = pd.DataFrame(
        {
            "payments/http.client.fraud-check.duration.p50": slow,
            "payments/http.client.fraud-check.duration.count": 9.0,
            "client/requests.duration.p99": 0.08 + 0.9 * slow * ILL + rng.normal(0, 0.004, 240),
            "checkout@c1/process.cpu.utilization.rate": 0.04 + 0.3 * ILL * rng.uniform(0.6, 1.4, 240),
            "checkout@c2/process.cpu.utilization.rate": 0.04,
            "payments@p1/db.client.connection.usage_ratio.ratio": 0.1,
            "host/system.memory.available.utilization.gauge": 0.5 + 0.2 * ILL,
        },
        index=INDEX,
    )
    return frame.assign(**more)


def found(frame: pd.DataFrame, between: str | None = CUT):
    return find_associations(
        frame, symptom="client/requests.duration.p99", between=between, baseline=BASELINE, incident=INCIDENT
    )


def test_a_busy_cpu_and_slow_answers_both_follow_the_slow_dependency() -> None:
    seen = found(wide())
    assert [t.headline for t in seen.together] == [
        "checkout's CPU and the latency at client both follow fraud-check latency"
    ]
    assert seen.told == ("checkout's CPU and the latency at client both follow fraud-check latency",)
    assert "cause" not in str(seen).replace("because", "")


def test_what_the_wait_does_not_account_for_is_said_to_go_together_and_no_more() -> None:
    frame = wide()
    some = np.r_[np.zeros(160), np.tile([0.0, 1.0, 1.0, 1.0], 10), np.zeros(40)]
    rng = np.random.default_rng(4)
    frame["payments/http.client.fraud-check.duration.p50"] = 0.06 + some * rng.uniform(0.5, 2.0, 240)
    seen = found(frame)
    assert seen.told == ()
    assert (
        seen.headline
        == "checkout's CPU and the latency at client go together; fraud-check latency does not account for it."
    )


@pytest.mark.parametrize("between", [None, "checkout", "web → redis"])
def test_without_a_wait_at_the_break_nothing_is_said(between: str | None) -> None:
    assert found(wide(), between).together == ()


def test_a_resource_that_did_not_rise_is_not_compared() -> None:
    flat = wide(**{"checkout@c1/process.cpu.utilization.rate": 0.04})
    assert found(flat).together == ()
    assert found(flat).headline.startswith("No resource grew busier")


def test_the_column_of_the_harm() -> None:
    frame = pd.DataFrame(
        columns=["web/requests.errors_ratio", "web/requests.duration.p99", "api/requests.duration.p99"]
    )
    assert symptom_column(frame, entry="web", failing=True) == "web/requests.errors_ratio"
    assert symptom_column(frame, entry="web", failing=False) == "web/requests.duration.p99"
    assert symptom_column(frame, entry=None, failing=False) is None


# --- actions -------------------------------------------------------------------------------------------------------

PATH = pd.DataFrame(
    [("client", "checkout"), ("checkout", "payments"), ("payments", "fraud-check")], columns=["caller", "callee"]
)
ENDED = Moment(at(1000), at(1000), at(1002))


def effect(ref: str = "scale", seconds: float = 900, said: str = "helped") -> Effect:
    return Effect(ref, ref, at(seconds), said, ENDED, "the harm ended 100 s after it")


def weighed(load: pd.Series | None, service: str, **more: object) -> str:
    given = {"services": {"scale": service}, "between": CUT, "path": PATH, "load": load, "recovered": ENDED} | more
    return weigh_effects([effect()], **given)[0].effect  # type: ignore[arg-type]


def test_an_action_above_the_break_that_sent_no_less_did_not_end_it() -> None:
    same = pd.Series(9.0, index=INDEX)
    assert weighed(same, "checkout") == "none"
    why = weigh_effects([effect()], services={"scale": "checkout"}, between=CUT, path=PATH, load=same, recovered=ENDED)
    assert "above the break at payments → fraud-check" in why[0].why


def test_where_less_was_sent_or_it_acted_at_the_break_or_that_is_not_known_it_stays() -> None:
    same = pd.Series(9.0, index=INDEX)
    less = pd.Series(np.where(INDEX.to_series() >= pd.Timestamp(at(1000)), 4.0, 9.0), index=INDEX)
    assert weighed(less, "checkout") == "helped"
    assert weighed(same, "payments") == weighed(same, "fraud-check") == weighed(same, "worker") == "helped"
    assert weighed(None, "checkout") == weighed(same, "checkout", path=None) == "helped"
    assert weighed(same, "checkout", between=None) == weighed(same, "checkout", recovered=None) == "helped"


def test_the_load_at_the_break_is_what_the_caller_counts() -> None:
    assert break_load(wide(), CUT) is not None
    assert break_load(wide(), "web → redis") is None


def requests(bad_until: float) -> pd.DataFrame:
    """Four requests a second, half on /pay, of which all are hurt from 800 s on, until `bad_until`."""
    seconds = np.arange(0, 1200, 0.25)
    pay = np.arange(len(seconds)) % 2 == 0
    hurt = pay & (seconds >= 800) & (seconds < bad_until)
    return pd.DataFrame(
        {"time": [at(s) for s in seconds], "duration_s": 0.0, "failed": hurt, "route": np.where(pay, "/pay", "/list")}
    )


def moved(rows: pd.DataFrame, ended: Moment | None, *, acted: float = 900):
    return compare_actions(
        rows, effects=[effect(seconds=acted)], done={"scale": at(acted + 10)}, hurt=rows["route"] == "/pay",
        onset=Moment(at(800), at(800), at(801)), recovered=ended, slow_s=None, until=at(1190),
    )  # fmt: skip


def test_while_an_action_was_in_effect_and_the_harm_went_on_it_left_it_as_it_was() -> None:
    (tried,) = moved(requests(1000), ENDED)
    assert tried.left_it
    assert tried.seconds == 90
    assert "the harm stayed as it was beside the rest of the traffic" in str(tried)


def test_an_action_that_moved_the_hurt_part_is_said_to() -> None:
    (tried,) = moved(requests(915), None)
    assert not tried.left_it
    assert tried.experiment.effect == pytest.approx(-1.0, abs=0.05)
    assert "the hurt part moved by" in str(tried)


def test_without_a_rest_or_with_too_little_time_nothing_is_compared() -> None:
    rows = requests(1000)
    assert moved(rows[rows["route"] == "/pay"], ENDED) == ()
    assert moved(rows, ENDED, acted=985) == ()
    assert moved(rows, ENDED, acted=805) == ()
