"""Text that wants to be markup stays text in every widget of the walk, live and in its twin; what is empty says so."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from connectors.errors import BadInput
from connectors.window import Window
from kit.board import Board
from kit.coverage import Coverage, SourceSeen
from kit.focus import Focus
from kit.golden_signals import read_signals
from kit.hypothesis import Hypothesis
from kit.pins import Pin, Pins
from kit.suspects import Suspect, Suspects
from kit.verdict import Verdict
from kit.widgets import ChangeTimeline, EvidenceTray, GoldenBoard, HypothesisBoard, LoadForm, SourcePicker
from tests.kit.test_walk_widgets import loader

CANARY = "<img src=x onerror=alert(1)>\x1b[31m\u202e\x00"
LOOK = Window.of("2026-03-01T02:00Z", "2026-03-01T02:15Z")
AT = datetime(2026, 3, 1, 2, 9, tzinfo=UTC)
TIMES = pd.date_range("2026-03-01T02:00Z", periods=60, freq="15s", name="time")


def hear(widget, **content):
    widget._heard(widget, content, [])


def assert_words(*shown):
    """None of this moves the reading direction or a terminal; the browser sets it as text."""
    for text in shown:
        assert not {"\x1b", "\u202e", "\x00"} & set(text)


def assert_text(*shown):
    """None of this is markup of the canary's making either."""
    assert_words(*shown)
    for text in shown:
        assert "<img" not in text


def suspects(n=1):
    each = [
        Suspect(f"c{i}", i + 1, "before", 0.1, None, CANARY, CANARY, AT, CANARY, (CANARY,), 0.5, AT, True, "same", None,
                None, np.nan) for i in range(n)
    ]  # fmt: skip
    return Suspects(tuple(each), None, ())


@pytest.mark.parametrize("widget", ["board", "hypotheses", "changes", "sources"])
def test_hostile_words_are_text_live_in_the_line_in_the_code_and_in_the_twin(widget):
    focus, pins = Focus(), Pins()
    wide = pd.DataFrame({f"{CANARY}/requests.duration.p99": [0.01] * 40 + [0.9] * 20}, index=TIMES)
    board = read_signals(wide, baseline=Window.of(TIMES[0], TIMES[40]), incident=Window.of(TIMES[40], TIMES[59]))
    verdict = Verdict(Hypothesis(CANARY), "guess", missing=(CANARY,))
    seen = SourceSeen(CANARY, "logs", AT, AT, 5.0, (CANARY,))
    made = {
        "board": (lambda: GoldenBoard(board, wide, incident=(TIMES[40], TIMES[59]), focus=focus, pins=pins), "0:0"),
        "hypotheses": (lambda: HypothesisBoard(Board((verdict,), None), focus=focus, pins=pins), "0"),
        "changes": (lambda: ChangeTimeline(suspects(), window=LOOK, focus=focus, pins=pins), "0"),
        "sources": (lambda: SourcePicker(Coverage((seen,), LOOK, (), (), (CANARY,), (), (), (CANARY,)), focus=focus,
                                         ask=lambda name: (False, CANARY), pins=pins), "0"),
    }  # fmt: skip
    build, part = made[widget]
    shown = build()
    hear(shown, pick="ask all")
    hear(shown, pick=part)
    assert shown.value is not None
    assert "onerror" in shown.body
    assert_words(shown.title, shown.said, shown.code_text)
    bundle = shown._repr_mimebundle_()
    assert_words(bundle["text/plain"])
    assert_text(shown.body, bundle["text/html"])
    hear(shown, pin=f"It says {CANARY}")
    assert_words(shown.said)
    assert_text(pins._repr_html_(), EvidenceTray(pins).list.body)


def test_the_tray_lists_lines_as_text_and_pins_one_row_with_the_code_that_does_it():
    lines = pd.DataFrame({"service": ["db"], "message": [CANARY]})
    pins = Pins()
    tray = EvidenceTray(pins, things={"lines": lines})
    assert tray.row.label == "the whole of it"
    assert "case.pin(lines, &#x27;&#x27;)" in tray._code.value
    tray.row.value = 0
    tray.sentence.value = f"Here {CANARY}"
    assert "row=0" in tray._code.value
    assert_words(tray.row.label)
    assert_text(tray._code.value)
    tray.button.click()
    assert [p.kind for p in tray.value] == ["line"]
    assert_text(tray._says.value, tray.list.body, tray._repr_mimebundle_()["text/html"])
    tray.button.click()
    assert "needs a sentence" in tray._says.value


def test_a_tray_that_refuses_says_so_and_an_empty_one_says_what_it_is_for():
    def keep(thing, sentence, *, row):
        raise BadInput(f"No source holds {CANARY}.")

    tray = EvidenceTray(Pins(), things={"lines": pd.DataFrame({"message": ["x"]})}, keep=keep)
    tray.sentence.value = "It says x."
    tray.button.click()
    assert "No source holds" in tray._says.value
    assert_text(tray._says.value)
    assert "Pin what carries the story" in EvidenceTray(Pins()).list.body


def test_a_refusal_in_the_load_form_is_text():
    def cost(spec):
        raise BadInput(f"There is no {CANARY}.")

    form = LoadForm(loader([], cost=cost))
    form._start(form.price)
    form._work.join()
    assert "There is no" in form._says.value
    assert_text(form._says.value, form._code.value, form.twin)


def board_of(refuted):
    guess = Verdict(Hypothesis("it is the pool"), "open")
    return Board((guess, *(Verdict(Hypothesis(f"it is {n}"), "refuted") for n in range(refuted))), None)


def test_many_refuted_hypotheses_are_folded_and_a_chosen_one_is_unfolded():
    focus = Focus()
    widget = HypothesisBoard(board_of(8), focus=focus)
    assert "<details><summary>5 more are refuted" in widget.body
    assert widget.body.index("it is the pool") < widget.body.index("it is 2") < widget.body.index("<details>")
    hear(widget, pick="8")
    assert focus.chosen.hypothesis == "it-is-7"
    assert "<details open>" in widget.body
    assert "<details" not in HypothesisBoard(board_of(4)).body


def test_what_is_empty_says_what_to_do():
    nothing = Coverage((), LOOK, (), (), (), (), (), ())
    assert "sources.toml" in SourcePicker(nothing).said
    assert "No change inside the window" in ChangeTimeline(suspects(0), window=LOOK).said
    assert "case.add" in HypothesisBoard(Board((), None)).said
    assert "No frame was loaded" in LoadForm(loader([])).twin


def test_a_source_that_cannot_be_asked_does_not_keep_the_others_from_being_asked():
    def ask(name):
        if name == "a":
            raise BadInput("The address of a is no address.")
        return True, "3 rows"

    both = tuple(SourceSeen(name, "logs", AT, AT, 5.0, ()) for name in ("a", "b"))
    widget = SourcePicker(Coverage(both, LOOK, (), (), (), (), (), ()), ask=ask)
    hear(widget, pick="ask all")
    assert widget.said == "1 of 2 answer; not a."
    assert widget.health == {"a": (False, "The address of a is no address."), "b": (True, "3 rows")}
    assert "no address" in widget.body


def test_a_pin_that_is_not_there_any_more_is_refused_in_the_line():
    pins = Pins([Pin("It says x.", "lines", "table")])
    tray = EvidenceTray(pins)
    hear(tray.list, pick=f"remove:{pins.pins[0].id}")
    assert tray.value == ()
    hear(tray.list, pick="remove:pin_00000000")
    assert tray.list.wrong
    assert "There is no pin" in tray.list.said
