"""The timeline: absolute times, lanes, evidence, and no order where none is known."""

from __future__ import annotations

import pandas as pd
import pytest

from connectors.errors import BadInput
from kit.numerics.moments import Moment, as_moment
from kit.timeline import build_timeline
from tests.kit.test_symptom import LOOK, OBJECTIVES, failing, rows_of, traffic


def changes(*rows):
    frame = pd.DataFrame(rows)
    return frame.assign(time=pd.to_datetime(frame["time"], utc=True, format="ISO8601"))


@pytest.fixture(scope="module")
def symptom():
    from kit.symptom import find_symptom

    return find_symptom(rows_of(failing(traffic(), 900, 1050)), window=LOOK, objectives=OBJECTIVES)


CHANGES = (
    {
        "id": "d1",
        "time": "2026-03-01T02:14:30Z",
        "kind": "deploy",
        "summary": "web 4.7",
        "ref": "web-4.7",
        "reverts": None,
    },
    {
        "id": "d2",
        "time": "2026-03-01T02:17:20Z",
        "kind": "deploy",
        "summary": "web 4.6",
        "ref": "web-4.6",
        "reverts": "d1",
    },
)


def test_every_lane_is_filled_and_told_from_the_onset(symptom):
    found = build_timeline(
        symptom=symptom, changes=changes(*CHANGES), marks=[{"kind": "detected", "time": "2026-03-01T02:16:00Z"}],
        evidence={"requests": ["ev_1"], "changes": ["ev_2"]}, tz="Europe/Berlin",
    )  # fmt: skip
    frame = found.to_frame()
    assert frame["lane"].tolist() == ["change", "symptom", "detection", "response", "recovery"]
    assert frame["evidence"].tolist() == ["ev_2", "ev_1", "", "ev_2", "ev_1"]
    assert frame["local"].iloc[0] == "2026-03-01 03:14:30 +01:00"
    assert frame["time"].is_monotonic_increasing
    assert found.headline.startswith("Harm began 02:1")
    assert "noticed" in found.headline
    assert "over" in found.headline


def test_order_within_the_uncertainty_is_unknown(symptom):
    onset = symptom.episodes[0].onset
    near = {**CHANGES[0], "time": onset.latest.isoformat()}
    frame = build_timeline(symptom=symptom, changes=changes(near)).to_frame()
    assert "unknown" in frame["order"].tolist()
    sure = build_timeline(symptom=symptom, changes=changes(CHANGES[0])).to_frame()
    assert "unknown" not in sure["order"].tolist()


def test_alerts_are_the_detection_lane():
    alerts = changes({"time": "2026-03-01T02:16:00Z", "name": "HighErrors", "service": "web"}).assign(until=pd.NaT)
    assert build_timeline(alerts=alerts).to_frame()["fact"].tolist() == ["alert HighErrors (web) fires"]


def test_rows_by_hand_are_marked_and_checked():
    found = build_timeline(rows=[{"time": "2026-03-01T02:20Z", "lane": "response", "fact": "called the provider"}])
    assert found.to_frame()["by_hand"].tolist() == [True]
    with pytest.raises(BadInput, match="no lane 'blame'"):
        build_timeline(rows=[{"time": "2026-03-01T02:20Z", "lane": "blame", "fact": "x"}])
    with pytest.raises(BadInput, match="lacks fact"):
        build_timeline(rows=[{"time": "2026-03-01T02:20Z", "lane": "response"}])


def test_no_harm_is_said():
    assert build_timeline(changes=changes(*CHANGES)).headline == "2 events and no harm among them."


def test_what_an_action_did_stands_in_its_row(symptom):
    class Effect:
        ref, effect = "web-4.6", "helped"

    frame = build_timeline(symptom=symptom, changes=changes(*CHANGES), effects=[Effect()]).to_frame()
    assert frame.loc[frame["lane"] == "response", "fact"].tolist() == ["web 4.6: helped"]


def test_moments_keep_their_interval():
    moment = as_moment("2026-03-01T02:14Z")
    assert isinstance(moment, Moment)
    assert moment.width_s == 0
    assert as_moment(None) is None
