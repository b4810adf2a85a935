"""The walk's widgets: hands are played as messages of the browser; every wrong turn is answered, text stays text."""

import threading

import pandas as pd
import pytest

from connectors.progress import reached
from connectors.window import Window
from kit.focus import Chosen, Focus
from kit.frame_spec import FrameSpec
from kit.golden_signals import read_signals
from kit.loader import Loader
from kit.path import bisect, probe_path
from kit.pins import Pins
from kit.plots.chart import PLOTLY_MIME
from kit.widgets import GoldenBoard, LoadForm, PathProbe, TraceWaterfall, WindowPicker
from kit.widgets.alive import WIDGET_MIME

HOSTILE = "db<img src=x onerror=alert(1)>\x1b[31m\u202e"
BASELINE = Window.of("2026-03-01T02:00Z", "2026-03-01T02:10Z")
INCIDENT = Window.of("2026-03-01T02:10Z", "2026-03-01T02:15Z")
TIMES = pd.date_range("2026-03-01T02:00Z", periods=60, freq="15s", name="time")
SLOW = [0.01] * 40 + [0.9] * 20
SPAN = pd.Timestamp("2026-03-01T02:11Z")


def hear(widget, **content):
    widget._heard(widget, content, [])


def harmless(markup: str) -> bool:
    return "<img" not in markup and plain(markup)


def plain(text: str) -> bool:
    """For what the browser sets as text: markup in it is words, control characters are symbols."""
    return "\x1b" not in text and "\u202e" not in text


@pytest.fixture
def focus():
    return Focus()


@pytest.fixture
def path(focus):
    wide = pd.DataFrame({"web/requests.duration.p99": SLOW, f"{HOSTILE}/query.duration.p99": SLOW}, index=TIMES)
    table = pd.DataFrame({"caller": ["web"], "callee": [HOSTILE], "kind": ["database"], "mode": ["sync"]})
    probes = probe_path(table, metrics=wide, baseline=BASELINE, incident=INCIDENT)
    return PathProbe(probes, bisect(probes), focus=focus, pins=Pins())


def test_a_boundary_is_chosen_and_its_code_gives_the_same_readings(path, focus):
    hear(path, pick=f"web → {HOSTILE}")
    assert path.value == f"web → {HOSTILE}"
    assert focus.chosen.service == HOSTILE
    assert eval(path.code.replace("case.probes", "probes"), {"probes": path.probes}).equals(
        path.probes.to_frame()[path.probes.to_frame()["boundary"] == path.value]
    )
    assert harmless(path.body)
    assert plain(path.said)
    assert harmless(path.twin)


def test_what_is_not_there_is_not_chosen(path):
    for content in ({"pick": "x → y"}, {"pick": 7}, {}, {"pick": "<script>"}):
        hear(path, **content)
    path._heard(path, "not a message", [])
    assert path.value is None


def test_a_pin_without_a_sentence_is_refused_in_the_line_and_one_with_it_is_kept(path):
    hear(path, pin="  ")
    assert path.wrong
    assert "needs a sentence" in path.said
    hear(path, pin="It leaves ill.")
    assert not path.wrong
    assert [p.sentence for p in path.pins.pins] == ["It leaves ill."]


def test_an_empty_path_says_what_to_do():
    from kit.path import Probes

    probes = Probes((), (), ("the case has no path.toml",))
    widget = PathProbe(probes, bisect(probes))
    assert "path.toml" in widget.body
    assert "path.toml" in widget.said


def test_a_service_chosen_elsewhere_is_shown_on_the_board(focus):
    wide = pd.DataFrame({"web/requests.duration.p99": SLOW, "db/pool.usage_ratio.max": SLOW}, index=TIMES)
    board = read_signals(wide, baseline=BASELINE, incident=INCIDENT)
    widget = GoldenBoard(board, wide, incident=(TIMES[40], TIMES[59]), focus=focus)
    focus.choose("service", "db")
    assert widget.value == "db"
    assert widget.said.startswith("db:")
    assert "ik-detail" in widget.body
    hear(widget, clear=True)
    assert focus.chosen == Chosen()
    assert {WIDGET_MIME, PLOTLY_MIME} <= set(widget._repr_mimebundle_())


def test_an_empty_board_says_so():
    board = read_signals(pd.DataFrame(index=TIMES), baseline=BASELINE, incident=INCIDENT)
    assert "signals.toml" in GoldenBoard(board, pd.DataFrame(index=TIMES), incident=(TIMES[40], TIMES[59])).body


def test_a_window_of_the_browser_is_taken_only_when_it_is_one(focus):
    picker = WindowPicker(pd.DataFrame({"failed share": SLOW}, index=TIMES), title=HOSTILE, focus=focus)
    low, high = picker.span[0] + 60_000, picker.span[0] + 120_000
    hear(picker, window=[low, high])
    assert focus.chosen.window == Window.of("2026-03-01T02:01Z", "2026-03-01T02:02Z")
    for given in ([high, low], ["a", "b"], [1], [float("nan"), high], {"a": 1}):
        hear(picker, window=given)
        assert picker.wrong
    assert picker.value == Window.of("2026-03-01T02:01Z", "2026-03-01T02:02Z")
    hear(picker, window=[])
    assert picker.value is None
    assert plain(picker.title)


def test_a_picker_without_requests_says_so():
    assert WindowPicker(pd.DataFrame(index=TIMES[:0]), title="t").rows == []


def trace(name, seconds, status="ok"):
    return pd.DataFrame(
        {"start": [SPAN, SPAN], "duration_s": [seconds, seconds / 2], "trace_id": name, "span_id": ["a", "b"],
         "parent_id": [None, "a"], "service": ["web", HOSTILE], "name": ["GET", HOSTILE], "status": ["ok", status]}
    )  # fmt: skip


def test_the_slowest_trace_comes_first_and_the_typical_one_by_choice(focus):
    during = pd.concat([trace("t1", 1.0), trace("t2", 2.0), trace("t3", 9.0, "error")], ignore_index=True)
    widget = TraceWaterfall(during, trace("b", 0.1), focus=focus)
    assert widget.value == "t3"
    hear(widget, pick="typical")
    assert (widget.value, focus.chosen.trace) == ("t2", "t2")
    hear(widget, pick="during:1")
    assert focus.chosen.service == HOSTILE
    hear(widget, pick="during:99")
    assert harmless(widget.body)
    assert harmless(widget.twin)
    assert "2 s" in widget.said
    assert "0.1 s" in widget.said


def cohort(prefix, seconds, n, status="ok"):
    traces = [trace(f"{prefix}{i}", seconds + i / 1000, status) for i in range(n)]
    return pd.concat(traces, ignore_index=True)


@pytest.fixture
def cohorts(focus):
    """20 usual traces before the harm; in it 12 that are as usual, 12 that are slow and fail in the database."""
    ill = cohort("ill", 2.0, 12, "error")
    return TraceWaterfall(pd.concat([cohort("as", 0.1, 12), ill], ignore_index=True), cohort("b", 0.1, 20), focus=focus)


def test_the_slow_stand_against_the_usual_and_the_service_that_differs_is_named(cohorts, focus):
    hear(cohorts, pick="cohorts:slow against before")
    assert focus.chosen.cohorts == "slow against before"
    assert "12 traces that took longer than 0.118 s against 20 from before the harm" in cohorts.body
    assert cohorts.difference.headline.startswith("web GET differs most")
    assert "errors 0% → 100%" in cohorts.body
    assert harmless(cohorts.body)
    assert harmless(cohorts.twin)
    assert "12 traces that took longer" in cohorts.twin
    services = list(cohorts.compared.claims("slow against before")["service"])
    hear(cohorts, pick=f"differs:{services.index('web')}")
    assert focus.chosen.service == "web"
    hear(cohorts, pick="differs:99")
    hear(cohorts, pick="cohorts:fast against slow")
    assert focus.chosen.cohorts == "slow against before"
    hear(cohorts, clear=True)
    assert focus.chosen.cohorts is None


@pytest.mark.parametrize("choice", ["all against before", "slow against before", "slow against rest",
                                    "failing against before", "failing against rest"])  # fmt: skip
def test_the_code_of_a_comparison_gives_the_same_comparison(cohorts, choice):
    import kit

    hear(cohorts, pick=f"cohorts:{choice}")
    assert cohorts.cohorts_shown == choice

    class Case:
        spans = (cohorts.cohorts["before"], cohorts.cohorts["during"])

    again = eval(cohorts.code.splitlines()[0], {"kit": kit, "case": Case})  # our own text, made a line above
    assert again.to_frame().equals(cohorts.difference.to_frame())


def test_cohorts_of_too_few_traces_claim_nothing_and_say_so(focus):
    widget = TraceWaterfall(trace("t", 2.0), trace("b", 0.1), focus=focus)
    assert widget.cohorts_shown == "all against before"
    assert "too few to claim anything" in widget.body
    assert "differs:" not in widget.body


def test_no_cohorts_without_usual_traces(focus):
    widget = TraceWaterfall(trace("t", 2.0), trace("b", 0.1).iloc[:0], focus=focus)
    assert widget.cohorts_shown is None
    assert "Cohorts are compared where" in widget.body
    assert widget.code == "case.spans[1].loc[lambda t: t['trace_id'] == 't']"


def test_no_traces_are_said():
    nothing = trace("t", 1.0).iloc[:0]
    widget = TraceWaterfall(nothing, nothing)
    assert widget.value is None
    assert "No trace" in widget.twin


def loader(kept, frames=(), cost=None, load=None):
    class Cost:
        headline, because = "40 rows fit", ()

    def frame(spec):
        return pd.DataFrame({"db/log.error.count": [1.0, 2.0]}, index=TIMES[:2])

    return Loader({"(all)": ("everything",), "db": ("levels",)}, BASELINE, "15s", tuple(frames),
                  cost or (lambda spec: Cost()), load or frame, kept.append)  # fmt: skip


def test_a_frame_is_loaded_only_after_its_cost_was_seen_and_gets_its_name():
    kept, names = [], {}
    form = LoadForm(loader(kept), into=names)
    form.name.value = "pool"
    form.run()
    assert (kept, names) == ([], {})
    assert "40 rows fit" in form._says.value
    form.run()
    assert list(names) == ["pool"]
    assert form.value is names["pool"]
    assert kept == [form.spec]
    assert "pool = case.frame(&#x27;db&#x27;" in form.twin


def test_the_form_follows_the_window_that_is_looked_at(focus):
    form = LoadForm(loader([]), focus=focus)
    focus.choose("window", INCIDENT)
    assert form.spec.window == INCIDENT
    focus.choose("window", None)
    assert form.spec.window == BASELINE


def test_what_cannot_be_a_frame_is_said_and_cannot_be_loaded():
    form = LoadForm(loader([]))
    form.name.value = "import"
    assert "cannot be the name" in form._says.value
    assert form.load.disabled
    form.name.value = "pool"
    form.start.value = "yesterday"
    assert "not ISO 8601" in form._says.value
    assert form.code == ""


def test_what_was_loaded_before_is_loaded_again():
    names = {}
    LoadForm(loader([], [FrameSpec("pool", "db", "levels", BASELINE, "15s")]), into=names)
    assert list(names) == ["pool"]


def test_what_comes_back_after_cancel_is_thrown_away():
    kept, form = [], None

    def slow(spec):
        form._cancelled()
        return pd.DataFrame(index=TIMES)

    form = LoadForm(Loader({"db": ("levels",)}, BASELINE, "15s", (), lambda s: None, slow, kept.append))
    form._priced = form.spec
    form.run()
    assert kept == []
    assert form.value is None
    assert "Cancelled" in form._says.value


def test_cancel_stops_a_load_that_says_how_far_it_is_and_the_bar_shows_it():
    kept, asked, seen = [], threading.Event(), []

    def load(spec):
        for percent in range(100):
            reached(percent / 100)
            seen.append((percent, form.bar.max, form.bar.value))
            if percent == 30:
                asked.set()
                cancelled.wait(60)
        return pd.DataFrame(index=TIMES)

    cancelled = threading.Event()
    form = LoadForm(loader(kept, load=load))
    form.price()
    form.load.click()
    assert asked.wait(60)
    assert form.bar.layout.visibility == "visible"
    assert not form.cancel.disabled
    form.cancel.click()
    cancelled.set()
    form._work.join(60)
    assert seen[-1] == (30, 100, 30)
    assert "Cancelled: nothing was loaded" in form._says.value
    assert form.bar.layout.visibility == "hidden"
    assert (kept, form.frames) == ([], {})
    assert not form.load.disabled
