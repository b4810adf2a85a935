"""Changes as JSON lines and CSV."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.errors import BadInput, NaiveTime

from .reading import read, rows, told

LINE = (
    '{"id":"chg-1","time":"2026-11-24T04:13:00Z","until":"2026-11-24T04:13:30Z","kind":"deploy","service":"checkout",'
    '"summary":"deploy checkout-4.7","ref":"checkout-4.7","before":"4.6","after":"4.7","fraction":0.5,'
    '"takes_effect":"now","reverts":null,"url":"https://x/1","author":"ann@example.org"}\n'
)


def test_a_change_becomes_canonical_and_names_nobody(tmp_path):
    assert told(tmp_path, LINE) == "changes_jsonl"
    (row,) = rows(read(tmp_path, "changes_jsonl", LINE))
    assert row["time"] == datetime(2026, 11, 24, 4, 13, tzinfo=UTC)
    assert row["until"] == datetime(2026, 11, 24, 4, 13, 30, tzinfo=UTC)
    assert (row["kind"], row["service"], row["ref"], row["fraction"]) == ("deploy", "checkout", "checkout-4.7", 0.5)
    assert (row["before"], row["after"], row["derived"]) == ("4.6", "4.7", False)
    assert "ann@example.org" not in str(row)


@pytest.mark.parametrize(("written", "kind"), [("migration", "schema"), ("Rollback", "deploy"), ("dance", "other")])
def test_kinds_of_others_are_understood_or_other(tmp_path, written, kind):
    line = LINE.replace('"kind":"deploy"', f'"type":"{written}"')
    assert rows(read(tmp_path, "changes_jsonl", line))[0]["kind"] == kind


def test_changes_are_ordered_and_bad_lines_said(tmp_path):
    early = LINE.replace("04:13:00Z", "04:10:00Z").replace("chg-1", "chg-0")
    reading = read(tmp_path, "changes_jsonl", LINE + early + '{"time":"soon","kind":"deploy"}\n{"ti')
    assert [r["id"] for r in rows(reading)] == ["chg-0", "chg-1"]
    assert reading.faults == ("2 lines were left out of a.log, the first at line 4 (the last line is half-written)",)


def test_a_naive_time_is_refused(tmp_path):
    with pytest.raises(NaiveTime, match="tz ="):
        read(tmp_path, "changes_jsonl", LINE.replace("04:13:00Z", "04:13:00"))


def test_what_is_not_json_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="is not JSON lines"):
        read(tmp_path, "changes_jsonl", "hello\n")


def test_csv(tmp_path):
    text = "Time,kind,service,summary\n".lower() + '2026-11-24T04:13:00Z,config,checkout,"pool, from 5 to 2"\n'
    assert told(tmp_path, text) == "changes_csv"
    (row,) = rows(read(tmp_path, "changes_csv", text))
    assert (row["kind"], row["service"], row["summary"]) == ("config", "checkout", "pool, from 5 to 2")
    assert row["id"] == "change:2"
