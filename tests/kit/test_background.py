"""What is asked in the background says how far it is, is called off, and is overtaken by a newer one of its kind."""

import threading

import pytest

from connectors.errors import BadInput
from connectors.progress import reached
from kit.widgets.background import Background


@pytest.fixture
def told():
    return []


@pytest.fixture
def background(told):
    return Background(lambda doing, share: told.append((doing, share)))


def test_an_answer_is_shown_when_it_is_there(background, told):
    shown = []
    background.ask("counting", lambda: reached(0.5) or 7, shown.append)
    assert background.wait(10)
    assert shown == [7]
    assert told == [("counting", 0.0), ("counting", 0.5), ("", None)]


def test_what_is_called_off_stops_and_is_not_shown(background, told):
    shown, begun, go_on = [], threading.Event(), threading.Event()

    def question():
        begun.set()
        go_on.wait(10)
        reached(0.9)
        return 7

    background.ask("counting", question, shown.append)
    background.ask("after it", lambda: 8, shown.append)
    begun.wait(10)
    background.call_off()
    go_on.set()
    assert background.wait(10)
    assert shown == []
    assert told[-1] == ("called off; what is shown stays", None)


def test_a_newer_question_overtakes_an_older_one_of_its_kind(background):
    shown, begun, go_on = [], threading.Event(), threading.Event()

    def old():
        begun.set()
        go_on.wait(10)
        reached(0.9)
        return "old"

    background.ask("values", old, shown.append, instead=1)
    begun.wait(10)
    background.ask("values", lambda: "new", shown.append, instead=1)
    background.ask("volume", lambda: "other", shown.append, instead=2)
    go_on.set()
    assert background.wait(10)
    assert shown == ["new", "other"]


def test_a_refusal_is_told_in_its_own_words(background, told):
    def refused():
        raise BadInput("There is no such field.")

    background.ask("counting", refused, told.append)
    assert background.wait(10)
    assert told == [("counting", 0.0), ("There is no such field.", None)]
