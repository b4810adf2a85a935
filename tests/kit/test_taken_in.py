"""A folder of many lines is taken in by what its lines say; looks are then those of all lines."""

from __future__ import annotations

import json

import pytest

import kit
from connectors.folder import glance, logs
from connectors.window import Window


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("shop")
    for name, service in (("a", "checkout"), ("b", "payments")):
        lines = []
        for n in range(6000):
            late = n >= 3000 and service == "payments"
            bad = late and n % 4 == 0
            said = f"pool is full, {n % 40} waiting" if bad else f"served in {n % 97} ms"
            lines.append(
                {
                    "time": f"2026-03-01T0{n // 3600}:{n // 60 % 60:02}:{n % 60:02}.000Z", "service": service,
                    "level": "error" if bad else "info", "message": said, "trace_id": f"{service[0]}{n:08x}",
                    "version": "2" if late else "1", "zone": "ab"[n % 2], "duration_s": n % 311 / 100,
                }
            )  # fmt: skip
        text = "\n".join(json.dumps(line, separators=(",", ":")) for line in lines)
        (place / f"{name}.jsonl").write_text(text + "\n")
    return place


@pytest.fixture
def many(monkeypatch):
    """So few lines count as many that the small folder is not read whole."""
    monkeypatch.setattr(logs, "ALL_AT_ONCE", 1000)
    monkeypatch.setattr(logs, "FEW", 1000)
    monkeypatch.setattr(glance, "QUICK_LINES", 1000)
    monkeypatch.setattr(glance, "SAMPLE_LINES", 2000)


@pytest.fixture
def view(folder, many):
    return kit.explore(folder)


def test_looks_are_sampled_before_and_exact_after(view):
    assert view.facets("level").sampled
    assert not view.everything_at_hand
    view.hold()
    assert view.everything_at_hand
    facets = view.facets("level", "version")
    assert not facets.sampled
    counts = dict(zip(facets.table["value"], facets.table["n"], strict=True))
    assert counts == {"INFO": 11250.0, "ERROR": 750.0, "1": 9000.0, "2": 3000.0}


def test_errors_over_time_are_counted(view):
    table = view.hold().find("level=ERROR").volume(every="10m").table
    assert table["n"].sum() == 750
    assert table["time"].min().strftime("%H:%M") == "00:50"


def test_kinds_of_line_have_the_counts_of_all_lines(view):
    table = view.hold().templates().table
    assert table[["template", "n"]].values.tolist() == [
        ["served in <*> ms", 11250.0],
        ["pool is full, <*> waiting", 750.0],
    ]


def test_what_is_new_since_before_is_new_though_no_line_was_read(view):
    late = view.hold().between("2026-03-01T00:50:00Z", "2026-03-01T01:40:00Z")
    before = Window.of("2026-03-01T00:00:00Z", "2026-03-01T00:50:00Z")
    look = late.templates(before=before)
    assert not look.sampled
    row = look.table.set_index("template").loc["pool is full, <*> waiting"]
    assert (row["class"], row["baseline"], row["incident"]) == ("new", 0.0, 750.0)
    assert row["level"] == "ERROR"
    assert row["service"] == "payments"


def test_what_sets_errors_apart_is_that_of_all_lines_and_says_what_it_cannot_compare(view):
    look = view.hold().find("level=ERROR").different()
    assert not look.sampled
    first = look.table.iloc[0]
    assert first["predicate"] == "version = '2' AND zone = 'a'"
    assert (first["bad"], first["good"]) == (750.0, 750.0)
    assert any("duration_s" in said for said in look.because)


def test_the_first_and_the_last_lines_that_fit_are_read_where_they_stand(view, monkeypatch):
    monkeypatch.setattr(glance, "LOOKED_THROUGH", 500)
    rare = view.hold().find("level=ERROR zone=a")
    look = rare.lines(3)
    assert not look.sampled
    assert look.headline == "The first 3 of 750 lines."
    assert look.table["message"].tolist() == [f"pool is full, {n} waiting" for n in (0, 4, 8)]
    assert look.table["time"].iloc[0].strftime("%H:%M:%S") == "00:50:00"
    assert rare.lines(2, newest=True).table["message"].tolist() == [f"pool is full, {n} waiting" for n in (32, 36)]
    assert rare.find('version="1"').lines().headline == "0 lines."


def test_what_it_does_not_know_is_looked_up_in_the_lines(view):
    view.hold()
    assert view.find("trace_id=p00000bb8").lines().table["message"].tolist() == ["pool is full, 0 waiting"]
    assert view.exactly().find("duration_s>3").volume().table["n"].sum() == 380


def test_all_lines_are_asked_exactly_without_being_told_first(view):
    look = view.exactly().find("level=ERROR").different()
    assert not look.sampled
    assert look.table.iloc[0]["bad"] == 750
