"""Files as sources: lazily read, globbed, rotations once, faults in every answer."""

from __future__ import annotations

import gzip

import pytest

from connectors.base import SignalSpec
from connectors.errors import BadInput, NotFound, OverBudget
from connectors.files import open_files
from connectors.files.gather import gather
from connectors.files.options import FilesSpec, Options
from connectors.window import Window

HOUR = Window.of("2026-11-24T04:00Z", "2026-11-24T05:00Z")


def line(second: int, message: str = "m") -> str:
    return f'{{"time":"2026-11-24T04:21:{second:02d}Z","level":"info","msg":"{message} {second}"}}\n'


def logs(folder, pattern, **more):
    return open_files("app", FilesSpec(folder, pattern, options=Options(service="app"), **more))


def test_several_files_are_one_source_in_time_order(tmp_path):
    (tmp_path / "a.jsonl").write_text(line(1) + line(3))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress((line(2) + line(3)).encode()))
    stream = logs(tmp_path, "*.jsonl*").rows(HOUR)
    table = stream.answer().table
    assert table.column("message").to_pylist() == ["m 1", "m 2", "m 3", "m 3"]
    assert table.column("seq").to_pylist() == [0, 1, 2, 3]
    assert table.column("id").to_pylist() == ["a.jsonl:1", "b.jsonl.gz:1", "a.jsonl:2", "b.jsonl.gz:2"]


def test_nothing_is_read_before_the_first_question(tmp_path):
    source = logs(tmp_path, "later.jsonl")
    (tmp_path / "later.jsonl").write_text(line(1))
    assert source.count(HOUR).table.to_pylist() == [{"n": 1.0}]


def test_a_missing_file_is_an_error_of_the_question(tmp_path):
    source = logs(tmp_path, "gone/*.jsonl")
    with pytest.raises(NotFound, match=r"There is no file gone/\*\.jsonl"):
        source.count(HOUR)


def test_unreadable_lines_stand_in_every_answer(tmp_path):
    (tmp_path / "a.jsonl").write_text(line(1) + "garbage\n" + line(2))
    source = logs(tmp_path, "a.jsonl")
    said = "1 line was left out of a.jsonl, the first at line 2 (not JSON)"
    assert source.count(HOUR).fetch.partial == said
    assert source.fields(HOUR).fetch.partial == said
    stream = source.rows(HOUR, limit=1)
    list(stream)
    assert stream.fetch.partial == said


def test_whole_files_are_not_partial(tmp_path):
    (tmp_path / "a.jsonl").write_text(line(1))
    answer = logs(tmp_path, "a.jsonl").count(HOUR)
    assert answer.fetch.partial is None
    assert answer.fetch.query.startswith("json_lines: a.jsonl (1 file)")


def test_rotations_are_read_oldest_first_and_copies_once(tmp_path):
    (tmp_path / "app.log").write_text(line(3))
    (tmp_path / "app.log.1").write_text(line(2))
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(line(2).encode()))
    (tmp_path / "app.log.10.gz").write_bytes(gzip.compress(line(1).encode()))
    paths, notes = gather(tmp_path, "app.log*")
    assert [p.name for p in paths] == ["app.log.10.gz", "app.log.1", "app.log"]
    assert notes == ["app.log.1.gz holds the same lines as app.log.1 and is read once"]
    answer = logs(tmp_path, "app.log*").count(HOUR)
    assert answer.table.to_pylist() == [{"n": 3.0}]
    assert "read once" in answer.fetch.query


def test_a_copy_that_stopped_earlier_is_read_once(tmp_path):
    (tmp_path / "a.log").write_text(line(1) + line(2))
    (tmp_path / "b.log").write_text(line(1))
    paths, _ = gather(tmp_path, "*.log")
    assert [p.name for p in paths] == ["a.log"]


def test_files_that_only_begin_alike_are_both_read(tmp_path):
    (tmp_path / "a.log").write_text(line(1) + line(2))
    (tmp_path / "b.log").write_text(line(1) + line(3))
    assert gather(tmp_path, "*.log")[1] == []


@pytest.mark.parametrize("pattern", ["../secret.log", "/etc/passwd", "a/../../x"])
def test_a_path_cannot_leave_the_folder(tmp_path, pattern):
    with pytest.raises(BadInput, match="leads out of the case's folder"):
        gather(tmp_path, pattern)


def test_a_link_cannot_leave_the_folder(tmp_path):
    (tmp_path / "case").mkdir()
    (tmp_path / "secret.log").write_text(line(1))
    (tmp_path / "case" / "a.log").symlink_to(tmp_path / "secret.log")
    with pytest.raises(BadInput, match="a link that leads out"):
        gather(tmp_path / "case", "*.log")


def test_an_empty_file_is_no_rows_and_no_error(tmp_path):
    (tmp_path / "a.jsonl").write_text("")
    answer = logs(tmp_path, "a.jsonl").count(HOUR)
    assert answer.table.to_pylist() == [{"n": 0.0}]
    assert "a.jsonl is empty" in answer.fetch.query


def test_too_many_rows_are_refused_with_the_option_that_allows_them(tmp_path):
    (tmp_path / "a.jsonl").write_text("".join(line(i % 60) for i in range(1000)))
    with pytest.raises(
        OverBudget, match=r"about 1,0\d\d rows, over the budget of 100: .* rows = 12\d\d under \[budget\]"
    ):
        logs(tmp_path, "a.jsonl", rows=100).count(HOUR)


def test_formats_that_do_not_fit_the_table_are_refused(tmp_path):
    with pytest.raises(BadInput, match="openmetrics of app gives metrics, not logs"):
        logs(tmp_path, "a", format="openmetrics")
    with pytest.raises(BadInput, match="no file format 'nginx_jsn': did you mean nginx_json"):
        logs(tmp_path, "a", format="nginx_jsn")


def test_metrics_of_a_dump(tmp_path):
    text = "".join(f'up{{instance="c1"}} 1 {1795494060 + 5 * i}\n' for i in range(7))
    (tmp_path / "m.om").write_text("# TYPE up gauge\n" + text)
    source = open_files("prom", FilesSpec(tmp_path, "m.om", table="METRICS"))
    spec = SignalSpec("checkout", "other", "up", "up")
    answer = source.metrics(HOUR, signals=[spec, SignalSpec("checkout", "other", "x", "upp")], every="15s")
    assert answer.table.column("value").to_pylist() == [1.0, 1.0, 1.0]
    assert answer.fetch.partial == "there is no metric upp (did you mean up?), so no checkout/x"
    (row,) = source.catalogue(HOUR).table.to_pylist()
    assert (row["metric"], row["type"], row["series"], row["samples"]) == ("up", "gauge", 1, 7)
    assert row["labels"] == '{"instance":["c1"]}'


def test_changes_begun_earlier_and_still_under_way_are_answered(tmp_path):
    (tmp_path / "c.jsonl").write_text(
        '{"id":"a","time":"2026-11-24T03:00:00Z","until":"2026-11-24T04:10:00Z","kind":"deploy","summary":"slow"}\n'
        '{"id":"b","time":"2026-11-24T03:00:00Z","kind":"deploy","summary":"before"}\n'
        '{"id":"c","time":"2026-11-24T04:30:00Z","kind":"deploy","summary":"in"}\n'
        '{"id":"d","time":"2026-11-24T05:00:00Z","kind":"deploy","summary":"after"}\n'
    )
    source = open_files("deploys", FilesSpec(tmp_path, "c.jsonl", table="CHANGES"))
    assert source.changes(HOUR).table.column("id").to_pylist() == ["a", "c"]
