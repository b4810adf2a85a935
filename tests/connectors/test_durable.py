"""Writing so that nothing good is lost."""

from __future__ import annotations

import multiprocessing

import pytest

from connectors.durable import append_line, folder_aside, sweep, write_aside, write_whole


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


def test_a_torn_last_line_is_cut_away_before_the_next_is_added(tmp_path):
    index = tmp_path / "evidence.jsonl"
    index.write_text('{"whole": 1}\n{"torn')
    append_line(index, '{"next": 2}')
    assert index.read_text().splitlines() == ['{"whole": 1}', '{"next": 2}']


def test_a_whole_last_line_that_only_lacks_its_end_is_kept(tmp_path):
    index = tmp_path / "timeline.jsonl"
    index.write_text('{"whole": 1}\n{"by hand": 2}')
    append_line(index, '{"next": 3}')
    assert index.read_text().splitlines() == ['{"whole": 1}', '{"by hand": 2}', '{"next": 3}']


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_writes_is_not(tmp_path):
    (tmp_path / ".page.html.abc.part").write_text("half")
    (tmp_path / ".bag.abc.part").mkdir()
    (tmp_path / ".bag.abc.part" / "half").write_text("half")
    (tmp_path / "page.html").write_text("good")
    with folder_aside(tmp_path / "bundle") as living:
        (living / "one").write_text("1")
        assert sweep(tmp_path) == [".bag.abc.part", ".page.html.abc.part"]
        assert (living / "one").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "page.html"]


def filled(target, text, *, fails=False):
    with folder_aside(target) as aside:
        (aside / "page").write_text(text)
        if fails:
            raise OSError("disk full")


def test_a_folder_takes_the_old_ones_place_only_when_it_is_whole(tmp_path):
    target = tmp_path / "bundle"
    filled(target, "old")
    with pytest.raises(OSError, match="disk full"):
        filled(target, "new", fails=True)
    assert (target / "page").read_text() == "old"
    filled(target, "new")
    assert (target / "page").read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


def test_an_old_folder_whose_successor_never_came_is_put_back(tmp_path):
    (tmp_path / ".bundle.old.abc.part" / "was").mkdir(parents=True)
    (tmp_path / ".bundle.old.abc.part" / "was" / "page").write_text("old")
    sweep(tmp_path)
    assert (tmp_path / "bundle" / "page").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


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
