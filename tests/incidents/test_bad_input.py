"""A case that is not whole: one clear sentence each, exit status 2, no traceback, and nothing lost."""

from __future__ import annotations

import gzip
import subprocess
import sys

import pytest

from kit.working_copy import working_copy
from tests.incidents.walking import SAMPLES


@pytest.fixture
def case(tmp_path):
    return working_copy(SAMPLES / "pool_starved_by_slow_query", tmp_path / "case")


def incident_kit(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "kit.cli", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def assert_one_sentence(done, *words):
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    said = done.stderr.strip()
    assert len(said.splitlines()) == 1, said
    for word in words:
        assert word in said, said


def test_no_such_folder():
    assert_one_sentence(incident_kit("check", "/nowhere/at/all"), "There is no folder", "incident-kit new")


def test_a_half_written_incident(case):
    text = (case / "incident.toml").read_text()
    (case / "incident.toml").write_text(text[: len(text) // 2].rsplit("\n", 1)[0] + '\ntitle = "cut o')
    assert_one_sentence(incident_kit("check", case), "incident.toml", "not whole")


def test_a_naive_time(case):
    text = (case / "incident.toml").read_text()
    lines = ["start = 2026-03-01T02:00:00" if line.startswith("start") else line for line in text.splitlines()]
    (case / "incident.toml").write_text("\n".join(lines))
    assert_one_sentence(incident_kit("check", case), "has no zone")


def source_lines(done, source):
    return [line for line in done.stdout.splitlines() if line.startswith(source)]


def test_a_truncated_gz_is_read_as_far_as_it_goes_and_said(case):
    path = case / "raw" / "client.jsonl.gz"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    line = source_lines(incident_kit("check", case), "client")[0]
    assert "partial" in line
    assert "lines" in line


def test_an_empty_file(case):
    path = case / "raw" / "nginx" / "access.log.gz"
    path.write_bytes(gzip.compress(b""))
    line = source_lines(incident_kit("check", case), "nginx")[0]
    assert "0 lines" in line or "empty" in line


def test_invalid_utf8_is_replaced_and_said(case):
    path = case / "raw" / "client.jsonl.gz"
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    lines[3] = lines[3].replace(b'"GET"', b'"G\xff\xfeT"').replace(b'"POST"', b'"P\xff\xfeT"')
    path.write_bytes(gzip.compress(b"".join(lines)))
    line = source_lines(incident_kit("check", case), "client")[0]
    assert "UTF-8" in line


def test_an_unknown_key_in_sources_names_the_near_miss(case):
    text = (case / "sources.toml").read_text().replace("format = ", "fromat = ", 1)
    (case / "sources.toml").write_text(text)
    assert_one_sentence(incident_kit("check", case), "sources.toml", "fromat", "format")
