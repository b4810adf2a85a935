"""Saved answers of Loki, Elasticsearch and Coralogix; small twins of what these stores really write."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from connectors.errors import BadInput

from .reading import read, rows, told

AT = datetime(2026, 11, 24, 4, 21, tzinfo=UTC)
T = "2026-11-24T04:21:00.000Z"
LOKI = {
    "status": "success",
    "data": {
        "resultType": "streams",
        "result": [
            {
                "stream": {"service_name": "pay", "detected_level": "error"},
                "values": [
                    ["1795494060000000000", '{"msg":"pool timeout","http":{"status_code":503}}'],
                    ["1795494061000000000", "plain words", {"trace_id": "83a9efd15c1c98a977e0711cc93ee28b"}],
                ],
            }
        ],
    },
}


def test_loki(tmp_path):
    text = orjson.dumps(LOKI)
    assert told(tmp_path, text) == "log_answers"
    first, second = rows(read(tmp_path, "log_answers", text))
    assert (first["time"], first["service"], first["message"]) == (AT, "pay", "pool timeout")
    assert first["http.response.status_code"] == 503
    assert (second["message"], second["trace_id"]) == ("plain words", "83a9efd15c1c98a977e0711cc93ee28b")
    assert second["id"] == "a.log:2"


def test_loki_without_a_line_is_empty_and_matrices_are_refused(tmp_path):
    none = {"status": "success", "data": {"resultType": "streams", "result": []}}
    assert read(tmp_path, "log_answers", orjson.dumps(none)).table.num_rows == 0
    with pytest.raises(BadInput, match="holds no answer with lines of a log"):
        read(tmp_path, "log_answers", b'{"hello": 1}')


def test_a_search_that_is_a_part_says_so(tmp_path):
    source = {"@timestamp": T, "service": {"name": "pay"}, "log": {"level": "WARN"}, "message": "slow"}
    hit = {"_index": "logs-1", "_id": "a1", "_score": 1.0, "_source": source}
    found = {"timed_out": False, "_shards": {"total": 2, "failed": 1}, "hits": {"total": {"value": 7}, "hits": [hit]}}
    text = orjson.dumps(found)
    assert told(tmp_path, text) == "log_answers"
    reading = read(tmp_path, "log_answers", text)
    (row,) = rows(reading)
    assert (row["time"], row["service"], row["level"], row["document.id"]) == (AT, "pay", "WARN", "a1")
    assert reading.faults == (
        "a.log is a part only: the search timed out or some of its shards failed", "a.log has 1 of 7 hits",
    )  # fmt: skip
    lines = orjson.dumps(hit) + b"\n" + orjson.dumps({**hit, "_id": "a2"}) + b"\n"
    assert told(tmp_path, lines) == "log_answers"
    assert [r["document.id"] for r in rows(read(tmp_path, "log_answers", lines))] == ["a1", "a2"]


def test_documents_whose_values_are_lists(tmp_path):
    document = {"@timestamp": [T], "service.name": ["pay"], "message": ["slow"], "message.text": ["slow"]}
    text = orjson.dumps([{**document, "tags": ["a", "b"]}], option=orjson.OPT_INDENT_2)
    assert told(tmp_path, text) == "log_answers"
    (row,) = rows(read(tmp_path, "log_answers", text))
    assert (row["time"], row["service"], row["message"], row["tags"]) == (AT, "pay", "slow", '["a","b"]')
    assert "message.text" not in row


def test_coralogix(tmp_path):
    item = {
        "metadata": [{"key": "timestamp", "value": "2026-11-24T04:21:00.000000000"}, {"key": "severity", "value": "5"}],
        "labels": [{"key": "subsystemname", "value": "pay"}, {"key": "computername", "value": "node-1"}],
        "userData": '{"log":"pool timeout","stream":"stderr"}',
    }
    text = orjson.dumps({"result": {"results": [item]}})
    assert told(tmp_path, text) == "log_answers"
    (row,) = rows(read(tmp_path, "log_answers", text))
    assert (row["time"], row["service"], row["host"], row["level"]) == (AT, "pay", "node-1", "ERROR")
    assert row["message"] == "pool timeout"
