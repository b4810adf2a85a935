"""incident.toml: one sentence for each way it can be wrong."""

from __future__ import annotations

import pytest

from connectors.window import Window
from kit.errors import BadCase
from kit.incident import read_incident

GOOD = """
id = "demo"
title = "Checkout answers 503"
tz = "Europe/Berlin"
[look]
start = 2026-03-01T02:00:00Z
end = 2026-03-01T02:20:00Z
[[objective]]
signal = "errors_ratio"
limit = 0.01
"""


def write(folder, text):
    (folder / "incident.toml").write_text(text)
    return folder


def test_a_whole_one_is_read(tmp_path):
    incident = read_incident(write(tmp_path, GOOD))
    assert incident.window == Window.of("2026-03-01T02:00Z", "2026-03-01T02:20Z")
    assert incident.objective[0].limit == 0.01
    assert not incident.open


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            ("start = 2026-03-01T02:00:00Z", "start = 2026-03-01T02:00:00"),
            "look.start: The time '2026-03-01 02:00:00' has no zone",
        ),
        (("start = 2026-03-01T02:00:00Z", "start = 2026-03-01T03:00:00Z"), "ends before it starts"),
        (("title = ", "titel = "), "titel is not a key of it, perhaps title"),
        (("Europe/Berlin", "Europe/Berlim"), "'Europe/Berlim' is not a time zone, perhaps Europe/Berlin"),
        (("[look]", "[lok]"), "look is missing"),
        (("limit = 0.01", "limit = "), "is not whole"),
        (('id = "demo"', 'id = "../demo"'), "id: String should match pattern"),
    ],
)
def test_each_fault_is_one_clear_sentence(tmp_path, change, says):
    with pytest.raises(BadCase) as error:
        read_incident(write(tmp_path, GOOD.replace(*change)))
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert "incident.toml" in str(error.value)


def test_a_folder_without_it_says_how_to_make_one(tmp_path):
    with pytest.raises(BadCase, match="incident-kit new"):
        read_incident(tmp_path)


def test_an_open_case_ends_now(tmp_path):
    incident = read_incident(write(tmp_path, GOOD.replace("end = 2026-03-01T02:20:00Z", 'end = "now"')))
    assert incident.open
    assert incident.window.seconds > 0
