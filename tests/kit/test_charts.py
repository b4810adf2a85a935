"""Charts never hide a spike, draw the changes on every axis of time, and name the recorded answers on hover."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.plots.board import signal_board
from kit.plots.chart import PLOTLY_MIME
from kit.plots.decimate import kept_points
from kit.plots.hops import latency_by_hop
from kit.plots.lanes import timeline_lanes
from kit.plots.matrix import hypothesis_matrix, mechanism_chain
from kit.plots.said import template_changes
from kit.plots.strip import incident_strip
from kit.plots.strips import coverage_strips
from kit.plots.theme import BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, YELLOW
from kit.plots.who import who_is_hurt

TIMES = pd.date_range("2026-03-01T02:00Z", periods=50_000, freq="1s", name="time")
CHANGES = pd.DataFrame(
    {"time": [TIMES[100]], "until": [pd.NaT], "kind": ["deploy"], "service": ["web"], "summary": ["<b>v2</b>"]}
)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 49_999), st.sampled_from([1e9, -1e9]))
def test_a_spike_of_one_sample_is_drawn(at, height):
    values = np.sin(np.arange(50_000) / 1000.0)
    values[at] = height
    kept = kept_points(values, points=500)
    assert at in kept
    assert len(kept) <= 504


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 49_000))
def test_a_gap_stays_a_gap(start):
    values = np.ones(50_000)
    values[start : start + 300] = np.nan
    kept = kept_points(values, points=500)
    assert np.isnan(values[kept]).any()


def test_a_short_line_is_drawn_whole_and_one_of_nothing_is_drawn_as_nothing():
    assert kept_points(np.array([1.0, 2, 3])).tolist() == [0, 1, 2]
    assert np.isnan(np.full(10_000, np.nan)[kept_points(np.full(10_000, np.nan))]).all()


def test_the_strip_of_many_points_is_small_keeps_the_spike_and_draws_the_change_on_each_axis():
    values = np.zeros(50_000)
    values[31_234] = 1.0
    frame = pd.DataFrame({"failed share": values, "requests/s": values}, index=TIMES)
    figure = incident_strip(frame, title="t", changes=CHANGES).figure
    line = figure.data[0]
    assert len(line.x) < 2_100
    assert max(line.y) == 1.0
    dotted = [s for s in figure.layout.shapes if s.type == "line"]
    assert {s.xref for s in dotted} == {"x", "x2", "x3"}


def test_the_board_draws_the_change_in_each_cell_and_hover_cites():
    wide = pd.DataFrame({"web/requests.duration.p99": np.ones(50_000)}, index=TIMES)
    row = {"service": "web", "kind": "latency", "signal": "web/requests.duration.p99", "direction": "up",
           "before": 1.0, "after": 2.0, "onset": TIMES[3]}  # fmt: skip
    chart = signal_board(pd.DataFrame([row]), wide, title="t", incident=(TIMES[0], TIMES[9]), changes=CHANGES)
    drawn = chart.citing("ev_0123456789abcdef", "ev_1123456789abcdef")._repr_mimebundle_()[PLOTLY_MIME]
    assert [s["type"] for s in drawn["layout"]["shapes"]].count("line") == 1
    hover = [t["hovertemplate"] for t in drawn["data"] if "hovertemplate" in t]
    assert hover == [
        "web/requests.duration.p99<br>%{x|%H:%M:%S}  %{y:.6~g}<br>ev_0123456789abcdef and 1 more<extra></extra>"
    ]


CANARY = "<img src=x onerror=alert(1)>\x1b[31m\u202e"
EVIDENCE = ("ev_0123456789abcdef", "ev_1123456789abcdef")
FEW = TIMES[:6]
HARM = (FEW[2], FEW[4])
MOVED = CHANGES.assign(time=[FEW[1]], summary=CANARY)


def all_charts():
    """One chart of every kind, with text that must stay text wherever people or programs write."""
    symptom = pd.DataFrame({CANARY: [0.0, 0, 1, 1, 0, 0]}, index=FEW)
    wide = pd.DataFrame({f"{CANARY}/requests.duration.p99": np.ones(6)}, index=FEW)
    cell = {"service": CANARY, "kind": "latency", "signal": wide.columns[0], "direction": "up", "before": 1.0,
            "after": 2.0, "onset": FEW[2]}  # fmt: skip
    source = {"source": CANARY, "pillar": "logs", "first": FEW[0], "last": FEW[5], "rows": 6}
    facts = pd.DataFrame({"time": [FEW[1], FEW[2]], "lane": ["change", "symptom"], "fact": [CANARY, "it fails"],
                          "evidence": [", ".join(EVIDENCE), EVIDENCE[0]]})  # fmt: skip
    tried = {"hypothesis": CANARY, "state": "open", "prediction": CANARY, "result": "held", "says": CANARY}
    template = {"template": CANARY, "class": "new", "baseline_rate": 0.0, "incident_rate": 2.0}
    links = pd.DataFrame({"from": [CANARY], "to": ["harm"], "evidence": [[*EVIDENCE]]})
    return {
        "strip": incident_strip(symptom, title=CANARY, changes=MOVED, onset=HARM),
        "board": signal_board(pd.DataFrame([cell]), wide, title=CANARY, incident=HARM, changes=MOVED),
        "strips": coverage_strips(pd.DataFrame([source]), title=CANARY, look=(FEW[0], FEW[5]), changes=MOVED),
        "lanes": timeline_lanes(facts, title=CANARY),
        "hops": latency_by_hop(pd.DataFrame({"hop": [CANARY, "db"], "before_s": [0.1, np.nan],
                                             "after_s": [0.35, 1.0]}), title=CANARY),
        "who": who_is_hurt(pd.DataFrame({"predicate": [CANARY], "bad_share": [0.98765], "good_share": [0.2]}),
                           title=CANARY),
        "matrix": hypothesis_matrix(pd.DataFrame([tried]), title=CANARY),
        "chain": mechanism_chain(links, title=CANARY),
        "said": template_changes(pd.DataFrame([template]), title=CANARY),
    }  # fmt: skip


KINDS = ("strip", "board", "strips", "lanes", "hops", "who", "matrix", "chain", "said")


@pytest.fixture(scope="module")
def drawn():
    return {n: c.citing(*EVIDENCE)._repr_mimebundle_()[PLOTLY_MIME] for n, c in all_charts().items()}


@pytest.mark.parametrize("kind", KINDS)
def test_text_in_a_chart_stays_text(drawn, kind):
    text = json.dumps(drawn[kind], ensure_ascii=False)
    assert "onerror" in text
    assert "<img" not in text
    assert "\x1b" not in text
    assert "\\u001b" not in text
    assert "\u202e" not in text


def test_the_plain_text_of_a_chart_moves_no_terminal():
    chart = who_is_hurt(pd.DataFrame({"predicate": [], "bad_share": [], "good_share": []}), title=CANARY)
    assert not {"\x1b", "\u202e"} & set(chart._repr_mimebundle_()["text/plain"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_mark_that_can_be_pointed_at_names_its_recorded_answer(drawn, kind):
    pointed = [t for t in drawn[kind]["data"] if t.get("hoverinfo") != "skip" and len(t.get("x") or t.get("z") or [])]
    assert pointed
    for trace in pointed:
        told = [trace["hovertemplate"], *(trace.get("hovertext") or [])]
        assert any(EVIDENCE[0] in t for t in told)
        assert "<extra></extra>" in trace["hovertemplate"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_has_only_colours_that_colour_blind_eyes_tell_apart_and_the_pages_background(drawn, kind):
    known = {c.lower() for c in (BLUE, GREEN, GREY, ORANGE, PURPLE, RED, SKY, YELLOW, "#767676")}
    assert {c.lower() for c in re.findall(r"#[0-9a-fA-F]{6}\b", json.dumps(drawn[kind]))} <= known
    assert drawn[kind]["layout"]["paper_bgcolor"] == drawn[kind]["layout"]["plot_bgcolor"] == "rgba(0,0,0,0)"


@pytest.mark.parametrize("kind", ["strip", "board", "strips", "lanes"])
def test_the_change_is_drawn_on_every_axis_of_time(drawn, kind):
    axes = {t.get("xaxis", "x") for t in drawn[kind]["data"] if len(t.get("x") or [])}
    lines = [s for s in drawn[kind]["layout"]["shapes"] if s["type"] == "line"]
    assert {s["xref"] for s in lines} == axes
    assert {s["x0"][:19] for s in lines} == {"2026-03-01T02:00:01"}


def test_hovering_a_hop_gives_the_exact_seconds_and_of_one_that_is_not_seen_none(drawn):
    bar = drawn["hops"]["data"][0]
    assert bar["hovertext"] == ["0.25 s added", ""]
    assert bar["customdata"] == ["+250 ms (100 → 350)", "not visible"]
    assert [a["text"] for a in drawn["hops"]["layout"]["annotations"]] == bar["customdata"]


def test_a_fact_without_evidence_cites_nothing_and_a_gap_in_the_chain_says_so():
    facts = pd.DataFrame({"time": [FEW[1]], "lane": ["change"], "fact": ["v2"], "evidence": [""]})
    hover = [t.hovertext for t in timeline_lanes(facts, title="t").figure.data if t.hovertext]
    assert hover == [("v2",)]
    links = pd.DataFrame({"from": ["v2"], "to": ["harm"], "evidence": [[]]})
    assert mechanism_chain(links, title="t").figure.data[0].hovertext == (
        "v2",
        "harm<br>no evidence for the link to it",
    )


def test_a_long_title_gets_the_room_of_its_lines_above_the_plot():
    short, long = (template_changes(pd.DataFrame({"template": [], "class": [], "baseline_rate": [],
                   "incident_rate": []}), title=t).figure.layout for t in ("short", "word " * 60))  # fmt: skip
    assert long.title.text.count("<br>") == 2
    assert long.margin.t - short.margin.t == long.height - short.height == 60


def test_nothing_to_draw_is_said_in_words():
    none = pd.DataFrame({"predicate": [], "bad_share": [], "good_share": []})
    assert "no value sets" in who_is_hurt(none, title="t").figure.layout.annotations[0].text
    assert mechanism_chain(pd.DataFrame({"from": [], "to": [], "evidence": []}), title="t").figure.data[0].x == ()
