"""A case from what fired: which alert, which look, open or closed, and one sentence where it cannot be made."""

from __future__ import annotations

import json
import tomllib

import pytest

from connectors.window import utc
from kit.errors import BadCase
from kit.incident import OPENED, open_look, read_incident
from kit.new_from_alert import first_alert, new_from_alert


def alert(name, start, end="0001-01-01T00:00:00Z", **labels):
    return {
        "labels": {"alertname": name, **labels}, "startsAt": start, "endsAt": end, "annotations": {},
        "status": "firing" if end.startswith("0001") else "resolved", "fingerprint": name,
    }  # fmt: skip


def alerts(*items):
    return json.dumps(items).encode()


@pytest.fixture
def setup(tmp_path):
    folder = tmp_path / "shop-sources"
    folder.mkdir()
    (folder / "sources.toml").write_text(
        '[sources.metrics]\nkind = "prometheus"\ntable = "metrics"\nurl = "http://127.0.0.1:1"\n'
    )
    return folder


def test_the_first_that_still_fires_is_chosen():
    found = first_alert(
        alerts(
            alert("Old", "2026-03-01T01:00:00Z", "2026-03-01T01:10:00Z"),
            alert("Errors", "2026-03-01T02:16:00Z", service="shop"),
            alert("Slow", "2026-03-01T02:18:00Z"),
        ),
        name="alerts.json",
    )
    assert (found.name, found.service, found.time, found.until) == ("Errors", "shop", utc("2026-03-01T02:16Z"), None)


def test_of_none_that_fires_the_last_is_chosen_with_its_end():
    one = alert("One", "2026-03-01T01:00:00Z", "2026-03-01T01:10:00Z")
    two = alert("Two", "2026-03-01T02:00:00Z", "2026-03-01T02:10:00Z")
    found = first_alert(alerts(one, two), name="alerts.json")
    assert (found.name, found.until) == ("Two", utc("2026-03-01T02:10Z"))


def test_a_case_on_what_fires_is_open_and_looks_an_hour_back(tmp_path, setup):
    (tmp_path / "alerts.json").write_bytes(alerts(alert("Errors", "2026-03-01T02:16:00Z", service="shop")))
    said = new_from_alert(tmp_path / "case", str(tmp_path / "alerts.json"), [setup])
    about = read_incident(tmp_path / "case")
    assert about.open
    assert about.look.start == utc("2026-03-01T01:16Z")
    assert about.noticed == utc("2026-03-01T02:16Z")
    assert about.title == "Errors (shop)"
    assert "it is open" in said[0]
    sources = tomllib.loads((tmp_path / "case" / "sources.toml").read_text())["sources"]
    assert set(sources) == {"metrics", "alert"}
    assert (tmp_path / "case" / sources["alert"]["path"]).is_file()


def test_at_ends_it_as_if_that_were_now(tmp_path, setup):
    (tmp_path / "a.json").write_bytes(alerts(alert("Errors", "2026-03-01T02:16:00Z")))
    new_from_alert(tmp_path / "case", str(tmp_path / "a.json"), [setup], at="2026-03-01T02:20Z")
    assert read_incident(tmp_path / "case").look.end == utc("2026-03-01T02:20Z")


@pytest.mark.parametrize(
    ("content", "words"), [(b"[]", "no alert"), (b'{"a": 1}', "no alert"), (b"not json", "alerts.json")]
)
def test_what_holds_no_alert_is_refused_and_leaves_nothing(tmp_path, setup, content, words):
    (tmp_path / "alerts.json").write_bytes(content)
    with pytest.raises(Exception, match=words):
        new_from_alert(tmp_path / "case", str(tmp_path / "alerts.json"), [setup])
    assert not (tmp_path / "case").exists()


def test_without_sources_it_says_what_to_give(tmp_path):
    (tmp_path / "a.json").write_bytes(alerts(alert("Errors", "2026-03-01T02:16:00Z")))
    with pytest.raises(BadCase, match="--from"):
        new_from_alert(tmp_path / "case", str(tmp_path / "a.json"), [])


def test_an_open_case_opened_offline_sees_the_span_that_was_asked_for_last(tmp_path, setup):
    (tmp_path / "a.json").write_bytes(alerts(alert("Errors", "2026-03-01T02:16:00Z")))
    folder = tmp_path / "case"
    new_from_alert(folder, str(tmp_path / "a.json"), [setup])
    about = read_incident(folder)
    asked = open_look(about, folder, offline=False)
    (folder / OPENED).write_text("2026-03-01T02:30:00+00:00\n")
    assert open_look(about, folder, offline=True).end == utc("2026-03-01T02:30Z")
    assert asked.end > utc("2026-03-01T02:30Z")
