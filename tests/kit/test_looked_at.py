"""What hands chose is kept in `choices.toml`: in its place, typed, read back before it is written."""

import pandas as pd
import pytest

from connectors.errors import BadInput
from connectors.window import Window
from kit.choices import drop_pin, keep_focus, keep_frame, keep_pin, read_choices
from kit.focus import Chosen, Focus
from kit.frame_spec import FrameSpec
from kit.pins import Pin, Pins, pin_of

WINDOW = Window.of("2026-03-01T02:00:00Z", "2026-03-01T02:10:00Z")
HOSTILE = 'a"\n[focus]\n]] <script>\x1b[31m\u202eesrever\u2028\\'
WAIVER = '# ours\n[[waiver]]\nhypothesis = "h"   # keep\nreason = "r"\nby_role = "lead"\n'


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "choices.toml"
    file.write_text(WAIVER)
    return file


def test_what_is_looked_at_replaces_what_was_and_comments_stay(path):
    keep_focus(path, Chosen(WINDOW, service="checkout"))
    keep_focus(path, Chosen(service="edge"))
    assert path.read_text() == f'{WAIVER}\n[focus]\nservice = "edge"\n'


def test_nothing_looked_at_leaves_no_section(path):
    keep_focus(path, Chosen(service="edge"))
    keep_focus(path, Chosen())
    assert path.read_text() == WAIVER


def test_hostile_names_and_sentences_come_back_as_they_were(path):
    pin = Pin(HOSTILE, HOSTILE, "line", (HOSTILE,), ("ev_0123456789abcdef",))
    keep_focus(path, Chosen(service=HOSTILE))
    keep_pin(path, pin)
    found = read_choices(path.read_text())
    assert found.focus.service == HOSTILE
    assert found.pins == (pin,)
    assert [w.hypothesis for w in found.waivers] == ["h"]


def test_a_pin_is_taken_out_and_the_others_stay(path):
    one, other = Pin("one", "w", "chart"), Pin("other", "w", "chart")
    keep_pin(path, one)
    keep_pin(path, other)
    drop_pin(path, one)
    assert read_choices(path.read_text()).pins == (other,)


def test_a_frame_of_the_same_name_replaces_the_former(path):
    keep_frame(path, FrameSpec("pool", "db", "levels", WINDOW, "15s"))
    keep_frame(path, FrameSpec("pool", "db", "levels", WINDOW, "30s", "level = 'ERROR'"))
    assert [(f.every, f.where) for f in read_choices(path.read_text()).frames] == [("30s", "level = 'ERROR'")]


def test_a_file_that_cannot_be_cut_into_its_sections_is_left_alone(path):
    text = WAIVER + '\n[[pin]]\nsentence = """\n[focus]\nservice = "x"\n"""\nwhat = "w"\nkind = "chart"\n'
    path.write_text(text)
    with pytest.raises(BadInput, match="by hand"):
        keep_focus(path, Chosen(service="edge"))
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[focus]\nroot = 1", "has no root"),
        ("[focus]\nservice = 7", "service is looked at by its name"),
        ("focus = 3", "one section"),
        ("[focus]\nstart = 2026-03-01T02:00:00Z", "one end"),
        ('[focus]\nstart = "2026-03-01T02:00"\nend = "2026-03-01T03:00"', "no zone"),
        ('[[pin]]\nsentence = ""\nwhat = "w"\nkind = "chart"', "needs a sentence"),
        ('[[pin]]\nsentence = "s"\nwhat = "w"\nkind = "chart"\nevidence = ["../x"]', "recorded answers"),
        ('[[pin]]\nsentence = "s"\nwhat = "w"\nkind = "chart"\nshown = [1]', "list of texts"),
        ('[[frame]]\nname = "__import__"\nsource = "a"\ntable = "levels"\nevery = "5s"\n'
         'start = "2026-03-01T02:00Z"\nend = "2026-03-01T03:00Z"', "cannot be the name"),
        ("[[frame]]\nname = \"import os; x\"\nsource = 'a'\ntable = 'levels'\nevery = '5s'\n"
         "start = 2026-03-01T02:00:00Z\nend = 2026-03-01T03:00:00Z", "cannot be the name"),
        ("[shell]\nrun = 1", "unknown sections: shell"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_place(text, told):
    with pytest.raises(BadInput, match=told):
        read_choices(text)


def test_a_choice_moves_all_that_watch_and_is_kept_first():
    kept, told = [], []
    focus = Focus(keep=kept.append)
    focus.watch(told.append)
    focus.choose("window", WINDOW)
    focus.choose("window", WINDOW)
    assert (kept, told) == ([Chosen(WINDOW)], ["window"])


def test_a_choice_that_could_not_be_kept_is_not_made():
    def refuse(_):
        raise OSError("read-only")

    focus = Focus(keep=refuse)
    with pytest.raises(OSError, match="read-only"):
        focus.choose("service", "edge")
    assert focus.chosen == Chosen()


def test_a_row_is_pinned_as_it_reads_and_unknown_cells_are_left_out():
    lines = pd.DataFrame({"service": ["db"], "level": [None], "message": ["dead\x1block"]})
    pin = pin_of(lines, "It locks.", row=0, evidence=("ev_0123456789abcdef",))
    assert pin.shown == ("service: db · message: dead␛lock",)
    assert pin.evidence == ("ev_0123456789abcdef",)


def test_a_row_that_is_not_there_is_refused():
    with pytest.raises(BadInput, match="no row 3"):
        pin_of(pd.DataFrame({"a": [1]}), "s", row=3)


def test_the_same_is_pinned_once_and_a_pin_that_is_not_there_cannot_be_taken_off():
    pins = Pins()
    pins.add(Pin("s", "w", "chart"))
    pins.add(Pin("s", "w", "chart"))
    assert pins.headline == "1 thing is pinned."
    with pytest.raises(BadInput, match="There is no pin 'x'"):
        pins.remove("x")
