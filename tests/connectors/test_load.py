"""Recorded answers: frozen, indexed, replayed; and nothing else is ever answered offline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
import pytest

from connectors.answers import Answers, evidence_hash
from connectors.base import Selection
from connectors.errors import BadInput, NotRecorded, SourceUnavailable, UnknownField
from connectors.load import Recorded
from connectors.schema import conform
from connectors.tables import Tables
from connectors.window import Window

START = datetime(2026, 3, 1, 2, tzinfo=UTC)
HOUR = Window.of("2026-03-01T02:00Z", "2026-03-01T03:00Z")


def lines(n=10):
    rows = {
        "time": [START + timedelta(seconds=i) for i in range(n)],
        "seq": list(range(n)),
        "weight": [1.0] * n,
        "service": ["checkout"] * n,
        "message": [f"line {i}" for i in range(n)],
        "status": [503 if i % 2 else 200 for i in range(n)],
    }
    return conform(pa.table(rows), "LOGS")


def recorded(folder, source="real", **options):
    behind = Tables("checkout", table=lines()) if source == "real" else None
    return Recorded("checkout", behind, Answers(folder), **options)


def every_question(source):
    return [
        source.fields(HOUR),
        source.count(HOUR, every="5s", by=("status",)),
        source.measure(HOUR, "status", stats=("n", "p50")),
        source.compare(["status"], bad=Selection(HOUR, "status >= 500"), good=Selection(HOUR, "status < 500")),
        source.sample(HOUR, 3),
        source.rows(HOUR, limit=5),
    ]


def test_replay_gives_exactly_the_recorded_answers(tmp_path):
    asked = every_question(recorded(tmp_path))
    replayed = every_question(recorded(tmp_path, source=None))
    for first, second in zip(asked, replayed, strict=True):
        assert second.evidence == first.evidence
        assert second.table.to_pylist() == first.table.to_pylist()
        assert second.fetch.query == first.fetch.query


def test_a_question_that_was_never_asked_is_not_answered_offline(tmp_path):
    recorded(tmp_path).count(HOUR)
    with pytest.raises(NotRecorded, match="The question count to checkout was never recorded"):
        recorded(tmp_path, source=None).count(HOUR, where="status = 200")


def test_all_rows_stream_from_the_source_and_are_not_kept(tmp_path):
    source = recorded(tmp_path)
    assert sum(batch.num_rows for batch in source.rows(HOUR)) == 10
    assert len(source.answers) == 0
    with pytest.raises(NotRecorded, match="give `limit`"):
        recorded(tmp_path, source=None).rows(HOUR)


def test_a_recorded_answer_is_not_asked_again_unless_refreshed(tmp_path):
    recorded(tmp_path).count(HOUR)
    changed = Recorded("checkout", Tables("checkout", table=lines(4)), Answers(tmp_path))
    assert changed.count(HOUR).table.to_pylist() == [{"n": 10.0}]
    refreshed = Recorded("checkout", changed.source, Answers(tmp_path), refresh=True)
    assert refreshed.count(HOUR).table.to_pylist() == [{"n": 4.0}]
    assert recorded(tmp_path, source=None).count(HOUR).table.to_pylist() == [{"n": 4.0}]


def test_the_same_answer_has_the_same_id_on_another_machine(tmp_path):
    first = recorded(tmp_path / "a").count(HOUR, by=("status",))
    second = recorded(tmp_path / "b").count(HOUR, by=("status",))
    assert first.evidence == second.evidence
    assert first.evidence.startswith("ev_")
    assert len(first.evidence) == 19


def test_each_answer_given_is_told(tmp_path):
    seen = []
    source = recorded(tmp_path, seen=seen.append)
    source.count(HOUR)
    source.count(HOUR)
    assert [a.fetch.question for a in seen] == ["count", "count"]


@pytest.mark.parametrize("harm", ["flip", "remove", "swap"])
def test_a_table_that_is_not_what_the_index_says_is_named(tmp_path, harm):
    source = recorded(tmp_path)
    evidence = source.count(HOUR).evidence
    other = source.count(HOUR, by=("status",)).evidence
    path = tmp_path / "snapshots" / f"{evidence}.parquet"
    if harm == "flip":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif harm == "remove":
        path.unlink()
    else:
        path.write_bytes((tmp_path / "snapshots" / f"{other}.parquet").read_bytes())
    faults = Answers(tmp_path).check()
    assert len(faults) == 1
    assert evidence in faults[0]


def test_an_intact_folder_has_no_faults(tmp_path):
    every_question(recorded(tmp_path))
    assert Answers(tmp_path).check() == []
    assert len(evidence_hash(tmp_path)) == 64


def test_a_torn_last_line_is_left_out_and_a_torn_middle_line_is_named(tmp_path):
    source = recorded(tmp_path)
    source.count(HOUR)
    index = tmp_path / "evidence.jsonl"
    whole = index.read_text()
    index.write_text(whole + whole[: len(whole) // 2])
    assert len(Answers(tmp_path)) == 1
    index.write_text(whole[: len(whole) // 2] + "\n" + whole)
    with pytest.raises(BadInput, match="line 1 is not a recorded answer"):
        Answers(tmp_path)


def test_equal_filters_and_steps_share_one_recording(tmp_path):
    source = recorded(tmp_path)
    first = source.count(HOUR, every="60s", where="status >= 500 and service = 'checkout'")
    second = source.count(HOUR, every="1m", where="service='checkout' AND (status>=500)")
    assert second.evidence == first.evidence
    assert len(source.answers) == 1


class Down:
    name = "checkout"

    def count(self, window, **asked):
        raise SourceUnavailable("checkout cannot be reached: is it up?")


def test_that_a_source_could_not_be_asked_is_recorded_and_replayed_until_it_answers(tmp_path):
    for _ in range(2):
        with pytest.raises(SourceUnavailable):
            Recorded("checkout", Down(), Answers(tmp_path)).count(HOUR)
    assert len((tmp_path / "evidence.jsonl").read_text().splitlines()) == 1
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        recorded(tmp_path, source=None).count(HOUR)
    assert recorded(tmp_path).count(HOUR).table.to_pylist() == [{"n": 10.0}]
    assert Answers(tmp_path).refusals == ()
    assert recorded(tmp_path, source=None).count(HOUR).table.to_pylist() == [{"n": 10.0}]


def test_an_id_that_would_name_a_file_elsewhere_is_no_entry(tmp_path):
    recorded(tmp_path).count(HOUR)
    index = tmp_path / "evidence.jsonl"
    line = orjson.loads(index.read_bytes())
    index.write_bytes(orjson.dumps(line | {"evidence": "../../secret"}) + b"\n")
    with pytest.raises(BadInput, match="line 1 is not a recorded answer"):
        Answers(tmp_path)


def test_a_record_that_is_not_what_its_id_names_is_asked_again(tmp_path):
    first = recorded(tmp_path).count(HOUR)
    other = recorded(tmp_path / "other").count(HOUR, where="status = 503")
    (tmp_path / "other" / "snapshots" / f"{other.evidence}.parquet").replace(
        tmp_path / "snapshots" / f"{first.evidence}.parquet"
    )
    with pytest.raises(BadInput, match="is not what its id names: restore snapshots/"):
        recorded(tmp_path, source=None).count(HOUR)
    source = recorded(tmp_path)
    again = source.count(HOUR)
    assert again.evidence == first.evidence
    assert source.answers.entry(again.evidence).evidence == first.evidence
    assert Answers(tmp_path).read(first.evidence).table.to_pylist() == first.table.to_pylist()


def test_when_it_was_asked_is_kept(tmp_path):
    recorded(tmp_path).count(HOUR)
    (entry,) = Answers(tmp_path)
    assert abs((datetime.now(UTC) - entry.asked).total_seconds()) < 60
    copy = Answers(tmp_path / "copy")
    copy.keep(Answers(tmp_path).read(entry.evidence), asked=START)
    assert [e.asked for e in Answers(tmp_path / "copy")] == [START]


def test_an_unknown_field_is_told_by_the_source_and_nothing_is_recorded(tmp_path):
    source = recorded(tmp_path)
    with pytest.raises(UnknownField, match="status"):
        source.count(HOUR, where="statos = 1")
    assert len(source.answers) == 0
