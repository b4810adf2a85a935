"""A snapshot: what vanishes first is recorded first, within the budget, and the next call goes on."""

from __future__ import annotations

import pytest

from connectors.answers import Answers
from kit import snapshot
from kit.case import Case
from kit.errors import BadCase
from kit.snapshot import take_snapshot
from tests.incidents.small_case import make_case


@pytest.fixture
def case(tmp_path):
    return make_case(tmp_path / "small")


@pytest.fixture(autouse=True)
def without_the_walk(monkeypatch):
    monkeypatch.setattr(snapshot, "_the_walks_own", lambda case: iter(()))


def test_what_vanishes_first_is_asked_first(case):
    asked = [q.source for q in snapshot.questions(Case(case))]
    assert asked == ["edge", "edge", "edge", "changes"]
    more = case / "sources.toml"
    more.write_text(
        more.read_text()
        + '[sources.pager]\nkind = "files"\ntable = "alerts"\npath = "raw/a"\n'
        + '[sources.prom]\nkind = "files"\ntable = "metrics"\npath = "raw/m"\n'
        + '[sources.traces]\nkind = "files"\ntable = "spans"\npath = "raw/t"\n'
    )
    order = list(dict.fromkeys(q.source for q in snapshot.questions(Case(case))))
    assert order == ["pager", "prom", "traces", "edge", "changes"]


def test_every_answer_is_recorded_and_what_follows_from_the_fields_is_asked(case):
    taken = take_snapshot([str(case)])
    assert taken.complete
    assert {a.what for a in taken.answered} == {
        "lines per step", "fields", "sample of lines", "changes", "lines per level",
        "lines per http.response.status_code", "durations",
    }  # fmt: skip
    assert len(Answers(case)) == 7
    assert "7 answers" in str(taken)


def test_the_next_call_goes_on_where_the_budget_ended_and_asks_nothing_twice(case):
    first = take_snapshot([str(case)], budget_s=0)
    assert not first.complete
    assert len(first.left) == 4
    assert "4 questions are left" in str(first)
    take_snapshot([str(case)])
    index = (case / "evidence.jsonl").read_bytes()
    assert take_snapshot([str(case)]).complete
    assert (case / "evidence.jsonl").read_bytes() == index


def test_a_source_that_is_not_there_is_named_and_stops_nothing(case):
    (case / "raw" / "changes.jsonl").unlink()
    taken = take_snapshot([str(case)])
    assert [a.source for a in taken.refused] == ["changes"]
    assert len(taken.answered) == 6
    assert "could not be asked — changes" in str(taken)


def test_a_folder_of_files_is_all_it_takes(case, tmp_path):
    taken = take_snapshot([str(case / "raw")], out=tmp_path / "made")
    assert taken.complete
    assert taken.folder == tmp_path / "made"
    assert (tmp_path / "made" / "incident.toml").is_file()
    assert {a.source for a in taken.answered} == {"edge", "changes"}


def test_a_backend_that_answers_now_is_asked_before_files_are_read(case, tmp_path, monkeypatch):
    offered = {"trail": {"kind": "files", "table": "changes", "path": "raw/trail.jsonl"}}
    monkeypatch.setattr("kit.recognize.recognize", lambda address: offered)
    said = []
    taken = take_snapshot(["http://127.0.0.1:9", str(case / "raw")], out=tmp_path / "made", say=said.append)
    order = [line.strip().split(":")[0] for line in said]
    assert order.index("trail, changes") < order.index("edge.jsonl")
    assert {a.source for a in taken.answered} == {"edge", "changes"}
    assert {a.source for a in taken.refused} == {"trail"}


def test_an_address_where_nothing_answers_is_said(tmp_path):
    said = []
    with pytest.raises(BadCase, match="None of the addresses could be asked"):
        take_snapshot(["http://127.0.0.1:9"], out=tmp_path / "made", say=said.append)
    assert "could not be asked" in said[0]
