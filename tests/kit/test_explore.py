"""Logs are looked into with no configuration; every look says what it lacks and how it is asked again."""

import gzip
import sys

import pandas as pd
import pytest

import kit
from connectors.errors import BadInput, NotExpressible
from connectors.window import Window
from kit.errors import BadCase

LINES = [
    "2026-03-01T02:00:00Z INFO request took 12 ms",
    "2026-03-01T02:00:10Z INFO request took 15 ms",
    "2026-03-01T02:00:20Z ERROR pool is full, 5 waiting",
    "2026-03-01T02:00:30Z ERROR pool is full, 9 waiting",
    "2026-03-01T02:00:40Z INFO <script>alert(1)</script>",
    "2026-03-01T02:00:50Z INFO request took 900 ms",
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "app.log").write_text("\n".join(LINES[3:]) + "\n")
    (tmp_path / "web" / "app.log.1").write_text("\n".join(LINES[:3]) + "\n")
    (tmp_path / "worker.jsonl.gz").write_bytes(
        gzip.compress(b'{"time":"2026-03-01T02:00:25Z","level":"WARN","message":"retry 3","trace_id":"t1"}\n')
    )
    (tmp_path / "picture.bin").write_bytes(b"\x00\x01\x02")
    return tmp_path


@pytest.fixture
def logs(folder):
    return kit.explore(folder)


def test_a_folder_is_opened_by_looking(logs):
    assert logs.sources[0].files == ("web/app.log", "web/app.log.1", "worker.jsonl.gz")
    assert logs.window.start == pd.Timestamp("2026-03-01T02:00:00Z")
    assert any("picture.bin" in said for said in logs.left_out)


def test_volume_counts_all_sources(logs):
    assert logs.volume().table["n"].sum() == 7
    assert logs.find("pool").volume().headline.startswith("2 lines fit, 02:00:20 to 02:00:3")
    assert logs.find("nothing_of_this").volume().table["n"].sum() == 0


def test_facets_are_of_the_whole_window(logs):
    table = logs.facets("level").table.set_index("value")
    assert table.loc["INFO", "n"] == 4
    assert table["share"].sum() == pytest.approx(1.0)
    with pytest.raises(BadInput, match="no field 'colour'"):
        logs.facets("colour")


def test_words_patterns_and_their_absence(logs):
    assert logs.find("pool -9").lines().table["message"].str.contains("5 waiting").all()
    slow = logs.find(r"/took \d{3} ms/")
    assert len(slow.lines().table) == 1
    assert "only lines that came are searched" in " ".join(slow.volume().because)


def test_hidden_templates_are_left_out_and_counted(logs):
    template = next(t for t in logs.templates().table["template"] if "took" in t)
    hidden = logs.hide(template)
    assert not hidden.lines().table["message"].str.contains("took").any()
    assert "3 lines of 1 hidden templates are left out" in hidden.lines().because


def test_a_variable_becomes_a_typed_column(logs):
    template = next(t for t in logs.templates().table["template"] if "took" in t)
    look = logs.column(template)
    assert look.table["value"].tolist() == [12.0, 15.0, 900.0]
    assert "Median 15" in look.headline


def test_context_shows_the_neighbours_whatever_the_query_says(logs):
    look = logs.find("pool").context("2026-03-01T02:00:25Z", around_s=6)
    assert look.table["message"].tolist() == [
        "ERROR pool is full, 5 waiting",
        "retry 3",
        "ERROR pool is full, 9 waiting",
    ]


def test_an_id_is_followed(logs):
    assert logs.follow("t1").table["message"].tolist() == ["retry 3"]


def test_a_servers_own_language_is_refused_by_files(logs):
    with pytest.raises(NotExpressible, match="own language"):
        logs.ask("lucene: level:ERROR").volume()


def test_a_look_is_kept_as_evidence_and_read_back(logs, tmp_path):
    from connectors.answers import Answers

    found = logs.find("pool").lines(5)
    (evidence,) = found.save(tmp_path / "kept")
    assert Answers(tmp_path / "kept").read(evidence).table.num_rows == 2
    assert logs.evidence_folder is None
    (kinds,) = logs.templates().save(tmp_path / "kept")
    assert "template" in Answers(tmp_path / "kept").read(kinds).table.column_names


def test_the_query_line_is_completed_from_the_lines(logs):
    assert logs.completions("lev") == ["level="]
    assert "level=ERROR" in logs.completions("level=")


def test_a_file_of_the_folder_is_looked_at_alone(logs):
    alone = logs.only("worker.jsonl.gz")
    assert alone.lines().table["message"].tolist() == ["retry 3"]
    assert ".only('worker.jsonl.gz')" in alone.code
    with pytest.raises(BadInput, match="There is no file"):
        logs.only("other.log")


def test_what_sets_lines_apart_is_asked_of_the_rows_at_hand(tmp_path):
    lines = [
        f'{{"time":"2026-03-01T02:{i // 60:02}:{i % 60:02}Z","message":"m","zone":"{"ab"[i % 2]}","level":"{level}"}}'
        for i, level in ((i, "error" if i % 2 and i % 5 == 0 else "info") for i in range(600))
    ]
    (tmp_path / "app.jsonl").write_text("\n".join(lines) + "\n")
    table = kit.explore(tmp_path).find("level=ERROR").different().table
    assert table.iloc[0]["predicate"] == "zone = 'b'"


@pytest.fixture
def sampled(tmp_path, monkeypatch):
    """A view of 40,000 lines, one in a hundred of them an error, as if they were too many to read."""
    monkeypatch.setattr("connectors.folder.logs.ALL_AT_ONCE", 1_000)
    monkeypatch.setattr("connectors.folder.glance.QUICK_LINES", 1_000)
    monkeypatch.setattr("connectors.folder.glance.QUICK_BYTES", 1_000)
    monkeypatch.setattr("connectors.folder.glance.SAMPLE_LINES", 4_000)
    with (tmp_path / "app.log").open("w") as file:
        for i in range(40_000):
            what = "ERROR pool is full" if i % 100 == 0 else f"INFO request took {i % 50} ms"
            file.write(f"2026-03-01T{2 + i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}Z {what}\n")
    return kit.explore(tmp_path)


def test_a_look_at_a_sample_says_so_and_is_counted_on_request(sampled):
    look = sampled.volume()
    assert look.sampled
    assert look.headline.startswith("About ")
    assert any("blocks at random places" in reason for reason in look.because)
    exact = sampled.exactly().volume()
    assert not exact.sampled
    assert exact.table["n"].sum() == 40_000
    assert sampled.exactly().code.endswith(".exactly()")
    kinds = sampled.templates(n=4_000)
    assert kinds.sampled
    assert kinds.table["n"].sum() == pytest.approx(40_000, rel=0.05)
    assert sampled.exactly().templates().table["n"].sum() == 40_000


def test_what_was_sampled_is_exact_once_all_lines_were_read(sampled):
    assert not sampled.everything_at_hand
    assert sampled.is_affordable
    assert sampled.hold().everything_at_hand
    assert not sampled.facets("level").sampled
    assert sampled.find("level=ERROR").volume().table["n"].sum() == 400


def test_a_pattern_is_looked_for_as_far_as_is_said(sampled, monkeypatch):
    monkeypatch.setattr(sys.modules["kit.exploring.lines"], "SEARCHED", 2_000)
    look = sampled.find("/nothing like it/").lines()
    assert len(look.table) == 0
    assert any("lines were searched" in reason for reason in look.because)


def test_what_is_new_since_an_earlier_window(logs):
    before = Window.of("2026-03-01T02:00:00Z", "2026-03-01T02:00:15Z")
    after = logs.between("2026-03-01T02:00:15Z", "2026-03-01T02:01:00Z")
    assert set(after.templates(before=before).table["class"]) <= {"new", "gone", "changed", "unchanged"}


def test_every_look_can_be_asked_again_by_its_code(logs):
    look = logs.between("2026-03-01T02:00:15Z", "2026-03-01T02:01:00Z").find("pool").lines(1)
    again = eval(look.code, {"kit": kit})  # our own text, made a line above
    assert again.table["message"].tolist() == look.table["message"].tolist()


def test_lines_show_as_text(logs):
    assert "<script>" not in logs.lines()._repr_html_()
    assert "<script>" not in logs._repr_html_()


def test_two_filters_both_hold(logs):
    both = logs.find("level = 'ERROR' OR level = 'WARN'").find("pool = 1 OR level = 'ERROR'")
    assert both.line == "(level = 'ERROR' OR level = 'WARN') AND (pool = 1 OR level = 'ERROR')"
    with pytest.raises(BadInput, match="mixes"):
        logs.find("level = 'ERROR' OR level = 'WARN'").find("/took/")


def test_nothing_that_can_be_read_is_said(tmp_path):
    with pytest.raises(BadCase, match="There is no"):
        kit.explore(tmp_path / "none")
    with pytest.raises(BadCase, match="no log that can be read"):
        kit.explore(tmp_path)


def test_a_case_is_explored_by_its_own_sources():
    from pathlib import Path

    sample = Path(__file__).parents[2] / "sample_incidents" / "quiet_day"
    view = kit.explore(sample)
    assert "checkout" in {s.name for s in view.sources}
    assert set(view.only("checkout").lines(3).table["service"]) == {"checkout"}
    assert view.evidence_folder is not None
    assert sample not in view.evidence_folder.parents
    assert view.evidence_folder != sample


def test_the_command_prints_what_fits(folder):
    import subprocess
    import sys

    command = [sys.executable, "-m", "kit.cli", "explore", str(folder)]
    done = subprocess.run([*command, "--find", "pool"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("2 lines fit")
    assert "pool is full, 9 waiting" in done.stdout
    wrong = subprocess.run([*command, "--find", '"open'], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr


def test_a_notebook_is_put_beside_and_never_over_one_that_is_there(folder, tmp_path):
    from kit.cli_explore import place_notebook

    first = place_notebook(tmp_path / "out", str(folder))
    assert repr(str(folder)) in first.read_text()
    first.write_text("mine")
    assert place_notebook(tmp_path / "out", str(folder)).read_text() == "mine"
    with pytest.raises(BadCase, match="There is no"):
        place_notebook(tmp_path / "out", str(tmp_path / "none"))
