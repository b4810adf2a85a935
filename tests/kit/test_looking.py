"""A new case finds out by looking: what answers at an address, when to look, which log has the users' requests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from kit.case import open_case
from kit.errors import BadCase
from kit.looking import look, look_at_servers
from kit.new import new_case


def day(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC)


def test_a_short_span_is_looked_at_whole():
    assert look(day(2), day(5), at=None) == (day(2), day(5), [])


def test_of_a_long_span_the_last_two_hours_are_looked_at_and_it_is_said():
    start, end, said = look(day(2), day(22), at=None)
    assert (start, end) == (day(20), day(22))
    assert "from 2026-03-01T02:00:00Z to 2026-03-01T22:00:00Z" in said[0]
    assert "--at" in said[0]


def test_around_a_time_that_was_given():
    start, end, _ = look(day(2), day(22), at="2026-03-01T12:00Z")
    assert (start, end) == (day(11), day(12, 30))
    start, end, _ = look(day(2), day(22), at="2026-03-01T02:15Z")
    assert (start, end) == (day(2), day(2, 45))


def test_nothing_around_the_time_given_is_refused():
    with pytest.raises(BadCase, match="the data are from 2026-03-01T02:00:00Z to 2026-03-01T22:00:00Z"):
        look(day(2), day(22), at="2026-03-03T12:00Z")


def test_servers_that_do_not_say_when_they_begin_are_looked_at_around_the_time_given_or_lately():
    start, end, said = look_at_servers(at="2026-03-01T12:00Z")
    assert (start, end) == (day(11), day(12, 30))
    assert said == ["The look is 2026-03-01T11:00:00Z to 2026-03-01T12:30:00Z, around the time given."]
    start, end, said = look_at_servers(at=None)
    assert end - start == timedelta(hours=2)
    assert "name another time with --at" in said[0]
    with pytest.raises(BadCase, match="give a time that has passed"):
        look_at_servers(at="2150-03-01T12:00Z")


def access_log(duration: float, n: int) -> str:
    rows = (
        {"time": day(2, i).isoformat(), "message": "GET /", "http.response.status_code": 200, "duration_s": duration}
        for i in range(n)
    )
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_of_hops_that_see_the_same_requests_the_one_that_waits_longest_is_the_users(tmp_path):
    for name, duration, n in (("a-balancer", 0.02, 40), ("an-edge", 0.05, 40), ("z-report", 9.0, 5)):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / f"{name}.jsonl").write_text(access_log(duration, n))
    said = new_case(tmp_path / "case", [tmp_path / "data"])
    assert any("an-edge is taken for the log of users' requests" in line for line in said)
    case = open_case(tmp_path / "case")
    assert case.catalog.requests.source == case.catalog.requests.service == "an-edge"
    assert set(case.about.services) == {"a-balancer", "an-edge", "z-report"}


def test_a_folder_that_is_not_there_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(BadCase, match="There is no"):
        new_case(tmp_path / "case", [tmp_path / "nowhere"])
    assert not (tmp_path / "case").exists()


def test_an_address_that_nobody_answers_leaves_nothing(tmp_path):
    with pytest.raises(Exception, match="could not be reached"):
        new_case(tmp_path / "case", ["http://127.0.0.1:9/logs-*"])
    assert not (tmp_path / "case").exists()


def scraped(metric: str, seconds: int) -> str:
    """A gauge of the service shop in two instances, each read every so many seconds, but not at the same moment."""
    start = int(day(2).timestamp())
    rows = "".join(
        f'{metric}{{service="shop",instance="s-{of}"}} {i} {start + seconds * i + 4 * of}\n'
        for i in range(30) for of in (1, 2)
    )  # fmt: skip
    return f"# TYPE {metric} gauge\n{rows}# EOF\n"


def test_golden_signals_are_proposed_from_the_names_of_metrics_with_their_interval(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "shop.om").write_text(scraped("shop_db_pool_waiting", 15))
    (tmp_path / "data" / "web.jsonl").write_text(access_log(0.1, 10))
    said = new_case(tmp_path / "case", [tmp_path / "data"])
    catalog = open_case(tmp_path / "case").catalog
    assert [(s.service, s.kind, s.metric) for s in catalog.signals] == [("shop", "saturation", "shop_db_pool_waiting")]
    assert catalog.requests.service == "web"
    assert catalog.sources["shop"].interval == "15s"
    assert any("shop: 1 signals proposed from 1 metrics, a sample every 15 s; look them over" in line for line in said)


def test_metrics_of_no_name_that_is_known_are_said_to_be_none(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "shop.om").write_text(scraped("orders_of_the_day", 15))
    (tmp_path / "data" / "web.jsonl").write_text(access_log(0.1, 10))
    said = new_case(tmp_path / "case", [tmp_path / "data"])
    assert open_case(tmp_path / "case").catalog.signals == ()
    assert any("none of its 1 metrics has a name that is known" in line for line in said)


def traced(number: int) -> str:
    """One trace, a line of OTLP: shop asks pay, which asks its database and waits for nobody else."""
    at = int(day(2, 1).timestamp()) * 1_000_000_000 + number * 1_000_000_000

    def span(name: str, parent: str, kind: int, **attributes: str) -> dict:
        return {
            "traceId": f"{number + 1:032x}", "spanId": f"{name}{number:015x}", "parentSpanId": parent, "name": name,
            "kind": kind, "startTimeUnixNano": str(at), "endTimeUnixNano": str(at + 1_000_000),
            "attributes": [{"key": key.replace("_", "."), "value": {"stringValue": text}}
                           for key, text in attributes.items()],
        }  # fmt: skip

    def made(service: str, *spans: dict) -> dict:
        named = [{"key": "service.name", "value": {"stringValue": service}}]
        return {"resource": {"attributes": named}, "scopeSpans": [{"spans": list(spans)}]}

    first, second = f"a{number:015x}", f"b{number:015x}"
    shop = made("shop", span("a", "", 2), span("b", first, 3))
    pay = made("pay", span("c", second, 2), span("d", f"c{number:015x}", 3, db_system="postgresql"))
    return json.dumps({"resourceSpans": [shop, pay]}) + "\n"


def test_the_path_is_proposed_from_traces_with_the_users_service_before_it(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "web.jsonl").write_text(access_log(0.1, 10))
    (tmp_path / "data" / "traces.jsonl").write_text("".join(traced(n) for n in range(5)))
    said = new_case(tmp_path / "case", [tmp_path / "data"])
    path = open_case(tmp_path / "case").path
    assert path[["caller", "callee", "kind"]].astype(str).values.tolist() == [
        ["web", "shop", "service"], ["pay", "postgresql", "database"], ["shop", "pay", "service"],
    ]  # fmt: skip
    assert any("path.toml: 3 calls told from 5 traces; look them over." in line for line in said)


def lines_of(*services: str | None) -> str:
    rows = [
        {"time": day(2, i).isoformat(), "message": "hello"} | ({"service": s} if s else {})
        for i, s in enumerate(services)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_a_log_is_called_by_the_service_that_its_lines_name_and_looked_at_to_its_last_line(tmp_path):
    (tmp_path / "data").mkdir()
    for name, services in (("app", ("shop", "shop")), ("all", ("pay", "cart", "pay")), ("web", ("shop", None))):
        (tmp_path / "data" / f"{name}.log").write_text(lines_of(*services))
    new_case(tmp_path / "case", [tmp_path / "data"])
    case = open_case(tmp_path / "case")
    assert {name: spec.service for name, spec in case.catalog.sources.items()} == {
        "app": "shop", "all": None, "web": "web",
    }  # fmt: skip
    assert sorted(case.about.services) == ["cart", "pay", "shop", "web"]
    assert case.look.end == day(2, 2) + timedelta(seconds=1)
    assert [source.count(case.look).table.column("n").to_pylist() for source in case.sources("logs")] == [
        [3.0], [2.0], [2.0],
    ]  # fmt: skip
