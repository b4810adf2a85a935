"""JSON lines: nginx's, applications', PostgreSQL's."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from connectors.errors import BadInput, NaiveTime, UnknownField

from .reading import read, rows, told

AT = datetime(2026, 11, 24, 4, 21, tzinfo=UTC)
NGINX = (
    '{"msec":1795494060.123,"request_id":"r1","request_method":"GET","uri":"/orders/17","args":"page=2","status":200,'
    '"request_time":0.350,"upstream_addr":"10.0.0.1:80, 10.0.0.2:80","upstream_status":"502, 200",'
    '"upstream_response_time":"0.100, 0.200","http_user_agent":"load/1","host":"shop.example"}\n'
    '{"msec":1795494061.000,"request_id":"r2","request_method":"POST","uri":"/pay?x=1","status":503,'
    '"request_time":1.001,"upstream_addr":"10.0.0.1:80","upstream_status":"503","upstream_response_time":"1.000",'
    '"http_user_agent":"load/1","host":"shop.example"}\n'
    '{"msec":1795494062.000,"request_id":"r3","request_method":"GET","uri":"/healthz","status":200,"request_time":0.0,'
    '"upstream_addr":"","upstream_status":"-","upstream_response_time":"-","http_user_agent":"kube-probe/1.29",'
    '"host":"shop.example"}\n'
)


def test_nginx_request_becomes_canonical(tmp_path):
    assert told(tmp_path, NGINX) == "nginx_json"
    first, second, third = rows(read(tmp_path, "nginx_json", NGINX, service="nginx"))
    assert first["time"] == AT.replace(microsecond=123000)
    assert {k: first[k] for k in ("service", "http.request.method", "url.path", "route", "http.request.id")} == {
        "service": "nginx",
        "http.request.method": "GET",
        "url.path": "/orders/17",
        "route": "/orders/{id}",
        "http.request.id": "r1",
    }
    assert first["http.response.status_code"] == 200
    assert first["duration_s"] == 0.350
    assert first["upstream.duration_s"] == pytest.approx(0.3)
    assert first["upstream.status"] == "502, 200"
    assert first["attempts"] == 2
    assert first["id"] == "a.log:1"
    assert second["url.path"] == second["route"] == "/pay"
    assert second["attempts"] == 1
    assert third["attempts"] == 0
    assert "upstream.duration_s" not in third
    assert "upstream.status" not in third


def test_the_host_header_is_not_the_machine(tmp_path):
    first = rows(read(tmp_path, "nginx_json", NGINX))[0]
    assert "host" not in first
    assert first["server.address"] == "shop.example"


def test_an_attribute_is_a_typed_column(tmp_path):
    table = read(tmp_path, "nginx_json", NGINX).table
    assert str(table.schema.field("http.response.status_code").type) == "int64"
    assert str(table.schema.field("duration_s").type) == "double"
    assert str(table.schema.field("attempts").type) == "int64"


@pytest.mark.parametrize(
    ("line", "level", "message"),
    [
        ('{"@timestamp":"2026-11-24T04:21:00Z","log.level":"warn","message":"m","service.name":"a"}', "WARN", "m"),
        ('{"@timestamp":"2026-11-24T04:21:00Z","log":{"level":"ERROR"},"message":"m"}', "ERROR", "m"),
        ('{"level":50,"time":1795494060000,"pid":1,"hostname":"h","msg":"m"}', "ERROR", "m"),
        ('{"asctime":"2026-11-24 04:21:00,000 +0000","levelname":"CRITICAL","message":"m"}', "FATAL", "m"),
        ('{"timestamp":"2026-11-24T04:21:00Z","severity":"NOTICE","message":"m"}', "INFO", "m"),
        ('{"ts":1795494060.0,"level":"dpanic","msg":"m"}', "FATAL", "m"),
        ('{"timeUnixNano":"1795494060000000000","severityNumber":17,"body":"m"}', "ERROR", "m"),
        ('{"@t":"2026-11-24T04:21:00Z","@l":"Warning","@m":"m"}', "WARN", "m"),
        ('{"__REALTIME_TIMESTAMP":"1795494060000000","PRIORITY":"3","MESSAGE":"m"}', "ERROR", "m"),
        ('{"event":"m","level":"info","timestamp":"2026-11-24T04:21:00Z"}', "INFO", "m"),
        ('{"time":"2026-11-24T04:21:00Z","level":"whatever","msg":"m"}', None, "m"),
    ],
    ids=["ecs", "ecs-nested", "pino", "python", "gcp", "zap", "otel", "serilog", "journald", "structlog", "unknown"],
)
def test_the_usual_loggers_are_understood(tmp_path, line, level, message):
    (row,) = rows(read(tmp_path, "json_lines", line + "\n"))
    assert row["time"] == AT
    assert row.get("level") == level
    assert row["message"] == message


def test_nested_objects_become_dotted_columns_and_lists_text(tmp_path):
    line = (
        '{"time":"2026-11-24T04:21:00Z","http":{"response":{"status_code":503},"request":{"method":"GET"}},'
        '"url":{"path":"/pay/9"},"trace":{"id":"5B8EFFF798038103D269B633813FC60C"},"tags":["a",1],"user":{"id":7}}\n'
    )
    (row,) = rows(read(tmp_path, "json_lines", line))
    assert row["http.response.status_code"] == 503
    assert row["trace_id"] == "5b8efff798038103d269b633813fc60c"
    assert row["route"] == "/pay/{id}"
    assert row["tags"] == '["a",1]'
    assert row["user.id"] == 7


@pytest.mark.parametrize(
    ("field", "value", "seconds"),
    [
        ("duration_ms", 250, 0.25),
        ("responseTime", 12.5, 0.0125),
        ("event.duration", 5_000_000, 0.005),
        ("elapsed_s", 2, 2.0),
    ],
)
def test_durations_whose_unit_is_told_become_seconds(tmp_path, field, value, seconds):
    line = orjson.dumps({"time": "2026-11-24T04:21:00Z", "msg": "m", field: value}) + b"\n"
    assert rows(read(tmp_path, "json_lines", line))[0]["duration_s"] == pytest.approx(seconds)


def test_a_duration_of_no_known_unit_stays_what_it_is(tmp_path):
    (row,) = rows(read(tmp_path, "json_lines", '{"time":"2026-11-24T04:21:00Z","msg":"m","duration":250}\n'))
    assert row["duration"] == 250
    assert "duration_s" not in row


def test_fields_overrides_names(tmp_path):
    line = '{"when":"2026-11-24T04:21:00Z","say":"m","took":0.5}\n'
    fields = {"time": "when", "message": "say", "duration_s": "took"}
    (row,) = rows(read(tmp_path, "json_lines", line, fields=fields))
    assert (row["time"], row["message"], row["duration_s"]) == (AT, "m", 0.5)
    with pytest.raises(UnknownField, match=r"'tok'.*did you mean took"):
        read(tmp_path, "json_lines", line, fields={"time": "when", "duration_s": "tok"})


def test_a_status_word_is_no_status_code(tmp_path):
    (row,) = rows(read(tmp_path, "json_lines", '{"time":"2026-11-24T04:21:00Z","msg":"m","status":"ok"}\n'))
    assert row["status"] == "ok"
    assert "http.response.status_code" not in row


def test_the_sources_own_columns_survive_when_their_names_are_taken(tmp_path):
    (row,) = rows(read(tmp_path, "json_lines", '{"time":"2026-11-24T04:21:00Z","msg":"m","id":"x-1","weight":3}\n'))
    assert (row["record.id"], row["record.weight"], row["weight"]) == ("x-1", 3, 1.0)


def test_bad_lines_are_left_out_one_by_one_and_said(tmp_path):
    text = (
        '{"time":"2026-11-24T04:21:00Z","msg":"a"}\nnot json\n\n[1]\n{"time":"soon","msg":"b"}\n'
        '{"time":"2026-11-24T04:21:01Z","msg":"c"}\n{"time":"2026-11-24T04:21:02Z","ms'
    )
    reading = read(tmp_path, "json_lines", text)
    assert [(r["message"], r["id"]) for r in rows(reading)] == [("a", "a.log:1"), ("c", "a.log:6")]
    assert reading.faults == ("4 lines were left out of a.log, the first at line 2 (not JSON)",)


def test_a_half_written_last_line_is_named_so(tmp_path):
    reading = read(tmp_path, "json_lines", '{"time":"2026-11-24T04:21:00Z","msg":"a"}\n{"time":"2026-11-2')
    assert reading.faults == ("1 line was left out of a.log, the first at line 2 (the last line is half-written)",)


def test_types_that_change_between_lines_become_text(tmp_path):
    text = '{"time":"2026-11-24T04:21:00Z","code":7}\n{"time":"2026-11-24T04:21:01Z","code":"E7"}\n'
    assert [r["code"] for r in rows(read(tmp_path, "json_lines", text))] == ["7", "E7"]


def test_text_that_looks_like_a_time_stays_text(tmp_path):
    text = '{"time":"2026-11-24T04:21:00Z","due":"2026-12-01T00:00:00Z","msg":"m"}\n' * 3
    assert {r["due"] for r in rows(read(tmp_path, "json_lines", text))} == {"2026-12-01T00:00:00Z"}


def test_one_array_of_objects_is_read_as_well(tmp_path):
    text = '[\n {"time":"2026-11-24T04:21:00Z","msg":"a"},\n {"time":"2026-11-24T04:21:01Z","msg":"b"}\n]\n'
    assert [r["message"] for r in rows(read(tmp_path, "json_lines", text))] == ["a", "b"]


def test_a_naive_time_is_refused_with_the_option(tmp_path):
    line = '{"time":"2026-11-24 05:21:00","msg":"m"}\n'
    with pytest.raises(NaiveTime, match=r'a\.log have no zone .*tz = "Europe/Berlin"'):
        read(tmp_path, "json_lines", line)
    assert rows(read(tmp_path, "json_lines", line, tz="Europe/Berlin"))[0]["time"] == AT


def test_a_zoned_column_is_preferred_to_a_naive_one(tmp_path):
    line = '{"time":"2026-11-24 05:21:00","@timestamp":"2026-11-24T04:21:00Z","msg":"m"}\n'
    (row,) = rows(read(tmp_path, "json_lines", line))
    assert row["time"] == AT
    assert row["record.time"] == "2026-11-24 05:21:00"


def test_no_time_at_all_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match=r"a\.log has no column that holds a time; it has msg, x"):
        read(tmp_path, "json_lines", '{"msg":"m","x":1}\n')


def test_what_is_not_json_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="none of its 2 lines is a JSON object"):
        read(tmp_path, "json_lines", "hello\nworld\n")


def test_an_empty_file_is_no_rows(tmp_path):
    reading = read(tmp_path, "json_lines", "")
    assert reading.table.num_rows == 0
    assert reading.notes == ("a.log is empty",)


def test_more_than_300_attributes_go_to_the_rest(tmp_path):
    wide = {"time": "2026-11-24T04:21:00Z", **{f"k{i}": i for i in range(320)}}
    full = {"time": "2026-11-24T04:21:01Z", **{f"k{i}": i for i in range(300)}}
    table = read(tmp_path, "json_lines", orjson.dumps(wide) + b"\n" + orjson.dumps(full) + b"\n").table
    assert "k299" in table.column_names
    assert "k300" not in table.column_names
    rest = table.column("attributes_rest").to_pylist()
    assert orjson.loads(rest[0]) == {f"k{i}": i for i in range(300, 320)}
    assert rest[1] is None


PG = [
    {
        "timestamp": "2026-11-24 04:21:00.123 UTC", "pid": 7, "error_severity": "LOG", "application_name": "checkout",
        "message": "duration: 812.345 ms  statement: SELECT *\nFROM orders WHERE customer_id = 42", "dbname": "shop",
    },
    {
        "timestamp": "2026-11-24 04:21:01.000 UTC", "pid": 7, "error_severity": "LOG", "application_name": "checkout",
        "message": "duration: 900.1 ms  execute <unnamed>: SELECT * FROM orders WHERE customer_id = $1",
    },
    {
        "timestamp": "2026-11-24 04:21:01.001 UTC", "pid": 7, "error_severity": "LOG", "application_name": "checkout",
        "message": "duration: 900.0 ms  plan:\nQuery Text: SELECT *\nFROM orders WHERE customer_id = $1\n"
        "Seq Scan on orders  (cost=0.00..4000.00 rows=10 width=40) (actual rows=10)\n  Filter: (customer_id = 42)",
    },
    {
        "timestamp": "2026-11-24 04:21:02.000 UTC", "pid": 8, "error_severity": "ERROR", "state_code": "57014",
        "message": "canceling statement due to statement timeout", "statement": "UPDATE carts SET x = 1",
    },
    {"timestamp": "2026-11-24 04:21:03.000 UTC", "pid": 1, "error_severity": "LOG", "message": "checkpoint starting"},
]  # fmt: skip


def pg_text() -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in PG)


def test_postgres_durations_statements_and_plans_come_out_of_the_message(tmp_path):
    assert told(tmp_path, pg_text()) == "postgres_jsonlog"
    simple, prepared, plan, failed, other = rows(read(tmp_path, "postgres_jsonlog", pg_text(), service="postgres"))
    assert simple["duration_s"] == pytest.approx(0.812345)
    assert simple["db.query.text"] == "SELECT *\nFROM orders WHERE customer_id = 42"
    assert {r["db.query.summary"] for r in (simple, prepared, plan)} == {"SELECT * FROM orders WHERE customer_id = ?"}
    assert (simple["db.operation.name"], simple["db.collection.name"]) == ("SELECT", "orders")
    assert [r["postgresql.logged"] for r in (simple, prepared, plan)] == ["statement", "execute", "plan"]
    assert plan["postgresql.plan"].startswith("Seq Scan on orders  (cost=0.00")
    assert plan["postgresql.plan"].endswith("Filter: (customer_id = 42)")
    assert plan["db.query.text"] == "SELECT *\nFROM orders WHERE customer_id = $1"
    assert (failed["level"], failed["state_code"], failed["db.query.text"]) == (
        "ERROR",
        "57014",
        "UPDATE carts SET x = 1",
    )
    assert simple["level"] == "INFO"
    assert simple["client"] == "checkout"
    assert simple["service"] == "postgres"
    assert not {"duration_s", "db.query.text", "db.query.summary"} & other.keys()


def test_a_plan_in_json_format_is_kept_as_json(tmp_path):
    text = orjson.dumps(
        {**PG[2], "message": 'duration: 5.0 ms  plan:\n{"Query Text": "select 1", "Plan": {"Node Type": "Result"}}'}
    )
    (row,) = rows(read(tmp_path, "postgres_jsonlog", text + b"\n"))
    assert row["db.query.text"] == "select 1"
    assert orjson.loads(row["postgresql.plan"]) == {"Plan": {"Node Type": "Result"}}


def test_a_duration_without_a_statement_is_still_a_duration(tmp_path):
    (row,) = rows(read(tmp_path, "postgres_jsonlog", orjson.dumps({**PG[0], "message": "duration: 3.5 ms"}) + b"\n"))
    assert row["duration_s"] == 0.0035
    assert "db.query.text" not in row
    assert "postgresql.logged" not in row
