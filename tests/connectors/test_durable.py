"""Writing so that nothing good is lost."""

from __future__ import annotations

import multiprocessing

import pytest

from connectors.durable import append_line, write_aside, write_whole


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path):
    target = tmp_path / "page.html"
    write_whole(target, "good")

    def half(file):
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_aside(target, half)
    assert target.read_text() == "good"
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_a_torn_last_line_is_closed_before_the_next_is_added(tmp_path):
    index = tmp_path / "evidence.jsonl"
    index.write_text('{"whole": 1}\n{"torn')
    append_line(index, '{"next": 2}')
    assert index.read_text().splitlines() == ['{"whole": 1}', '{"torn', '{"next": 2}']


def _append_many(path, word):
    for _ in range(50):
        append_line(path, word * 200)


def test_two_processes_never_interleave(tmp_path):
    index = tmp_path / "evidence.jsonl"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(index, word)) for word in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    lines = index.read_text().splitlines()
    assert len(lines) == 100
    assert set(lines) == {"a" * 200, "b" * 200}
