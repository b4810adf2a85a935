"""The reference: canonical LOGS asked through DuckDB, every expected number counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.base import LogSource, Selection
from connectors.errors import BadInput, UnknownField
from connectors.schema import LOGS, check, conform, empty
from connectors.tables import Tables
from connectors.window import Window

T0 = datetime(2026, 3, 1, 2, tzinfo=UTC)
HOUR = Window.of("2026-03-01T02:00Z", "2026-03-01T03:00Z")


def logs(rows: list[dict], **types) -> pa.Table:
    """LOGS of rows given as seconds after 02:00 (`at`) and whatever columns they have."""
    names = dict.fromkeys(name for row in rows for name in row if name != "at")
    columns = {
        "time": pa.array([T0 + timedelta(seconds=row["at"]) for row in rows], pa.timestamp("us", "UTC")),
        "seq": pa.array(range(len(rows)), pa.int64()),
        "weight": [1.0] * len(rows),
    }
    columns |= {name: pa.array([row.get(name) for row in rows], types.get(name)) for name in names}
    return conform(pa.table(columns), "LOGS")


SIX = logs(
    [
        {"at": 0, "id": "a", "route": "/pay", "status": 200, "duration_s": 0.1},
        {"at": 59, "id": "b", "route": "/pay", "status": 503, "duration_s": 0.4},
        {"at": 60, "id": "c", "route": "/cart", "status": 200, "duration_s": 0.2},
        {"at": 61, "id": "d", "route": None, "status": 200, "duration_s": None},
        {"at": 119, "id": "e", "route": "/home", "status": None, "duration_s": 0.3},
        {"at": 3600, "id": "f", "route": "/late", "status": 503, "duration_s": 9.0},
    ]
)


@pytest.fixture
def source() -> Tables:
    return Tables("logs", table=SIX)


def rows_of(answer) -> list[tuple]:
    return [tuple(row.values()) for row in answer.table.to_pylist()]


def minute(n: int) -> datetime:
    return T0 + timedelta(minutes=n)


def test_it_is_a_log_source(source):
    assert isinstance(source, LogSource)


# -- count ----------


def test_the_window_is_half_open(source):
    assert rows_of(source.count(HOUR)) == [(5.0,)]


def test_bins_start_at_multiples_of_the_step_since_the_epoch(source):
    late = Window.of("2026-03-01T02:00:59Z", "2026-03-01T02:02Z")
    assert rows_of(source.count(late, every="1m")) == [(minute(0), 1.0), (minute(1), 3.0)]


def test_the_largest_groups_are_named_the_rest_is_other_and_the_absent_missing(source):
    answer = source.count(HOUR, by=["route"], top=1)
    assert rows_of(answer) == [("/pay", 2.0), ("<missing>", 1.0), ("<other>", 2.0)]
    assert answer.table.schema.field("route").type == pa.string()


def test_the_top_is_of_the_whole_window_not_of_each_bin(source):
    assert rows_of(source.count(HOUR, every="1m", by=["route"], top=1)) == [
        (minute(0), "/pay", 2.0),
        (minute(1), "<missing>", 1.0),
        (minute(1), "<other>", 2.0),
    ]


def test_ties_at_the_edge_of_the_top_go_to_the_smaller_value(source):
    assert rows_of(source.count(HOUR, by=["route"], top=2))[1] == ("/cart", 1.0)


def test_numbers_are_grouped_as_text(source):
    assert rows_of(source.count(HOUR, by=["status"])) == [("200", 3.0), ("503", 1.0), ("<missing>", 1.0)]


def test_two_fields_group_by_pairs(source):
    assert rows_of(source.count(HOUR, by=["route", "status"], where="route = '/pay'")) == [
        ("/pay", "200", 1.0),
        ("/pay", "503", 1.0),
    ]


def test_a_filter_is_two_valued(source):
    assert rows_of(source.count(HOUR, where="status <> 200")) == [(1.0,)]
    assert rows_of(source.count(HOUR, where="NOT status = 200")) == [(2.0,)]


def test_nothing_found_has_the_right_columns(source):
    before = Window.of("2026-02-01T00:00Z", "2026-02-02T00:00Z")
    assert rows_of(source.count(before)) == [(0.0,)]
    assert (
        source.count(before, every="1m", by=["route"]).table.schema
        == source.count(HOUR, every="1m", by=["route"]).table.schema
    )
    assert source.count(before, every="1m", by=["route"]).table.num_rows == 0
    assert rows_of(source.measure(before, "duration_s")) == [(0.0, None, None, None, 0.0)]
    assert source.fields(before).table.num_rows == 0
    assert source.compare(["route"], bad=Selection(before), good=Selection(before)).table.num_rows == 0
    assert source.sample(before, 3).table.num_rows == 0
    assert source.rows(before).answer().table.num_rows == 0
    check(source.rows(before).answer().table, "LOGS")


def test_no_rows_at_all_answer_every_question():
    nothing = Tables("nothing", table=empty("LOGS"))
    assert rows_of(nothing.count(HOUR)) == [(0.0,)]
    assert nothing.rows(HOUR).answer().table.num_rows == 0
    assert nothing.fields(HOUR).table.num_rows == 0


# -- measure ----------


def test_statistics_leave_rows_without_the_field_out(source):
    answer = source.measure(HOUR, "duration_s", stats=("n", "count", "sum", "mean", "min", "max", "p50"))
    assert rows_of(answer) == [(4.0, 4.0, 1.0, 0.25, 0.1, 0.4, pytest.approx(0.25), 0.0)]


def test_a_percentile_interpolates_between_neighbours(source):
    # sorted 0.1 0.2 0.3 0.4: p90 stands at 0.9 × 3 = 2.7, i.e. 0.3 + 0.7 × 0.1
    assert rows_of(source.measure(HOUR, "duration_s", stats=["p90"])) == [(4.0, pytest.approx(0.37), 0.0)]


def test_measures_come_per_bin_and_group(source):
    assert rows_of(source.measure(HOUR, "duration_s", stats=["max"], every="1m", by=["route"], top=1)) == [
        (minute(0), "/pay", 2.0, 0.4, 0.0),
        (minute(1), "<other>", 2.0, 0.3, 0.0),
    ]


def test_weights_repeat_a_row():
    heavy = SIX.set_column(SIX.column_names.index("weight"), LOGS.field("weight"), pa.array([3.0, 1, 1, 1, 1, 1]))
    source = Tables("heavy", table=heavy)
    assert rows_of(source.count(HOUR, by=["route"], top=1)) == [("/pay", 4.0), ("<missing>", 1.0), ("<other>", 2.0)]
    # 0.1 0.1 0.1 0.2 0.3 0.4: mean 1.2 / 6, p50 at 2.5 between 0.1 and 0.2, p90 at 4.5 between 0.3 and 0.4
    answer = source.measure(HOUR, "duration_s", stats=("n", "count", "mean", "p50", "p90"))
    assert rows_of(answer) == [(6.0, 4.0, pytest.approx(0.2), pytest.approx(0.15), pytest.approx(0.35), 0.0)]
    side = source.compare(["route"], bad=Selection(HOUR, "status >= 500"), good=Selection(HOUR, "status < 500"))
    assert rows_of(side)[0] == ("route", "/pay", 1.0, 3.0, 1.0, 5.0, 0.0)
    assert orjson.loads(source.fields(HOUR).table.to_pylist()[0]["top"])[0] == ["a", 3.0]


@pytest.mark.parametrize("weight", [0.3, 0.5, 10 / 3])
def test_weights_need_not_be_whole(weight):
    light = SIX.set_column(SIX.column_names.index("weight"), LOGS.field("weight"), pa.array([weight] * 6))
    ((n, low, high, _),) = rows_of(Tables("light", table=light).measure(HOUR, "duration_s", stats=["p50", "p99"]))
    assert n == pytest.approx(4 * weight, rel=1e-5)
    assert 0.1 <= low <= high <= 0.4


def test_text_is_not_measured_and_unknown_statistics_are_refused(source):
    with pytest.raises(BadInput, match="is no number"):
        source.measure(HOUR, "route")
    with pytest.raises(BadInput, match="no statistic 'p42'"):
        source.measure(HOUR, "duration_s", stats=["p42"])


# -- compare ----------


def test_the_union_of_both_tops_is_counted_on_both_sides(source):
    bad, good = Selection(HOUR, "status >= 500"), Selection(HOUR, "NOT status >= 500")
    assert rows_of(source.compare(["route", "status"], bad=bad, good=good, top=1)) == [
        ("route", "/pay", 1.0, 1.0, 1.0, 4.0, 0.0),
        ("route", "/cart", 0.0, 1.0, 1.0, 4.0, 0.0),
        ("route", "<other>", 0.0, 1.0, 1.0, 4.0, 0.0),
        ("route", "<missing>", 0.0, 1.0, 1.0, 4.0, 0.0),
        ("status", "503", 1.0, 0.0, 1.0, 4.0, 0.0),
        ("status", "200", 0.0, 3.0, 1.0, 4.0, 0.0),
        ("status", "<missing>", 0.0, 1.0, 1.0, 4.0, 0.0),
    ]


def test_sides_may_be_windows(source):
    first, rest = Window(T0, minute(1)), Window(minute(1), minute(60))
    answer = source.compare(["status"], bad=Selection(first), good=Selection(rest))
    assert rows_of(answer)[0] == ("status", "200", 1.0, 2.0, 2.0, 3.0, 0.0)


# -- fields ----------


def test_fields_tell_type_share_distinct_and_top(source):
    found = {row["name"]: row for row in source.fields(HOUR).table.to_pylist()}
    assert set(found) == {"id", "route", "status", "duration_s"}  # never filled and book-keeping columns are left out
    route = found["route"]
    assert (route["type"], route["share_present"], route["distinct"], route["distinct_error"]) == ("text", 0.8, 3, 0.0)
    assert orjson.loads(route["top"]) == [["/pay", 2.0], ["/cart", 1.0], ["/home", 1.0]]
    assert found["status"]["type"] == "number"


def test_many_distinct_values_are_estimated_and_it_is_said():
    n = 200_000
    many = conform(
        pa.table(
            {
                "time": pa.array([T0] * n, pa.timestamp("us", "UTC")),
                "seq": range(n),
                "weight": [1.0] * n,
                "message": [f"line {i}" for i in range(n)],
            }
        ),
        "LOGS",
    )
    (found,) = Tables("many", table=many).fields(HOUR).table.to_pylist()
    assert 0 < found["distinct_error"] < 0.05
    assert found["distinct"] == pytest.approx(n, rel=4 * found["distinct_error"])
    assert found["top"] == "[]"


# -- sample and rows ----------


def test_a_sample_is_repeatable_weighted_and_in_order(source):
    answer = source.sample(HOUR, 2, seed=7)
    check(answer.table, "LOGS")
    assert answer.table.num_rows == 2
    assert answer.table.column("weight").to_pylist() == [2.5, 2.5]  # five rows, two drawn
    assert answer.fetch.sampled == "uniform: 2 of 5 rows, seed 7"
    assert answer.table.equals(source.sample(HOUR, 2, seed=7).table)
    times = answer.table.column("time").to_pylist()
    assert times == sorted(times)


def test_other_seeds_draw_other_rows_and_each_row_comes_up(source):
    drawn = {tuple(source.sample(HOUR, 2, seed=seed).table.column("id").to_pylist()) for seed in range(30)}
    assert {name for pair in drawn for name in pair} == set("abcde")


def test_the_draw_does_not_depend_on_the_order_of_the_rows(source):
    turned = Tables("logs", table=SIX.take([5, 4, 3, 2, 1, 0]))
    assert (
        turned.sample(HOUR, 3).table.column("id").to_pylist() == source.sample(HOUR, 3).table.column("id").to_pylist()
    )


def test_a_sample_of_all_rows_is_no_sample(source):
    answer = source.sample(HOUR, 9, where="status = 200", fields=["route"])
    assert answer.fetch.sampled is None
    assert answer.table.column_names == ["time", "seq", "weight", "route"]
    assert answer.table.column("weight").to_pylist() == [1.0, 1.0, 1.0]


def test_rows_come_in_order_of_time_and_seq_and_say_when_they_are_cut():
    twice = logs([{"at": 5, "id": "late"}, {"at": 1, "id": "x"}, {"at": 1, "id": "y"}])
    source = Tables("logs", table=twice)
    up, down = source.rows(HOUR).answer(), source.rows(HOUR, order="-time", limit=2).answer()
    assert up.table.column("id").to_pylist() == ["x", "y", "late"]
    assert down.table.column("id").to_pylist() == ["late", "y"]
    assert (up.fetch.truncated, down.fetch.truncated) == (False, True)
    assert up.table.schema == twice.schema


def test_a_long_stream_comes_in_slices_without_loss_or_doubling():
    n = 250_000
    times = pa.array([int(T0.timestamp() * 1e6) + (i // 3) * 10 for i in range(n)], pa.int64())
    table = conform(
        pa.table({"time": times.cast(pa.timestamp("us", "UTC")), "seq": range(n), "weight": [1.0] * n}), "LOGS"
    )
    stream = Tables("long", table=table).rows(HOUR, fields=[])
    seqs = [seq for batch in stream for seq in batch.column(1).to_pylist()]
    assert seqs == list(range(n))
    assert stream.fetch.rows == n
    assert stream.fetch.round_trips > 2


def test_a_closed_stream_gives_no_more(source):
    stream = source.rows(HOUR)
    stream.close()
    assert list(stream) == []


# -- files, names, evidence ----------


def test_parquet_files_with_other_attributes_are_one_table(tmp_path):
    other = logs([{"at": 7, "id": "g", "tenant": "acme", "status": 1.5}])
    pq.write_table(SIX, tmp_path / "a.parquet")
    pq.write_table(other, tmp_path / "b.parquet")
    both = Tables("files", parquet=[tmp_path / "a.parquet", tmp_path / "b.parquet"])
    mixed = Tables("mixed", table=SIX, parquet=[tmp_path / "b.parquet"])
    for source in (both, mixed):
        assert rows_of(source.count(HOUR)) == [(6.0,)]
        assert rows_of(source.count(HOUR, where="tenant = 'acme' AND status > 1")) == [(1.0,)]
        table = source.rows(HOUR).answer().table
        assert table.schema.field("status").type == pa.float64()
        check(table, "LOGS")


def test_files_that_disagree_are_refused_by_column(tmp_path):
    pq.write_table(logs([{"at": 0, "status": "ok"}]), tmp_path / "b.parquet")
    with pytest.raises(BadInput, match=r"Column status of b\.parquet is string"):
        Tables("mixed", table=SIX, parquet=[tmp_path / "b.parquet"])


def test_what_is_no_parquet_is_said(tmp_path):
    (tmp_path / "b.parquet").write_text("no")
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        Tables("files", parquet=[tmp_path / "b.parquet"])


def test_no_other_file_can_be_read(tmp_path, source):
    import duckdb

    outside = tmp_path / "outside.csv"
    outside.write_text("a\n1\n")
    with pytest.raises(duckdb.PermissionException):
        source._engine.sql(f"SELECT * FROM read_csv('{outside}')").to_arrow_table()


def test_an_unknown_field_is_named_with_its_near_misses(source):
    asks = [
        lambda: source.count(HOUR, by=["rout"]),
        lambda: source.count(HOUR, where="rout = '/pay'"),
        lambda: source.measure(HOUR, "rout"),
        lambda: source.compare(["rout"], bad=Selection(HOUR), good=Selection(HOUR)),
        lambda: source.sample(HOUR, 1, fields=["rout"]),
        lambda: source.rows(HOUR, fields=["rout"]),
        lambda: source.fields(HOUR, where="rout = '/pay'"),
    ]
    for ask in asks:
        with pytest.raises(UnknownField, match="no field 'rout' in logs; did you mean route"):
            ask()


def test_the_rest_of_the_attributes_is_shown_to_nobody_who_searches():
    rest = logs([{"at": 0, "attributes_rest": "{}"}])
    with pytest.raises(UnknownField):
        Tables("logs", table=rest).count(HOUR, where="attributes_rest IS NULL")


def test_equal_questions_have_equal_arguments_and_evidence(source):
    one = source.count(HOUR, every="1m", by=["route"], where="status = 200 AND route = '/pay'")
    same = Tables("logs", table=SIX).count(HOUR, every="60s", by=("route",), where="route = '/pay' and status = 200.0")
    other = source.count(HOUR, every="1m", by=["route"], where="status = 200")
    assert one.arguments == same.arguments
    assert one.evidence == same.evidence != other.evidence


def test_the_fetch_says_how(source):
    fetch = source.count(HOUR, every="1m").fetch
    assert (fetch.source, fetch.question, fetch.binned_by, fetch.window) == ("logs", "count", "completion", HOUR)
    assert fetch.engine.startswith("DuckDB ")
    assert "FROM logs" in fetch.query
    assert (fetch.partial, fetch.sampled, fetch.truncated, fetch.round_trips) == (None, None, False, 1)


def test_a_step_that_makes_too_many_bins_is_refused(source):
    with pytest.raises(BadInput, match="over a million bins"):
        source.count(HOUR, every="1ms")


def test_hostile_names_and_values_stay_text():
    odd = logs([{"at": 0, 'x"; DROP': "it's"}])
    source = Tables("odd", table=odd)
    name = 'x"; DROP'
    assert rows_of(source.count(HOUR, by=[name])) == [("it's", 1.0)]
    assert rows_of(source.compare([name], bad=Selection(HOUR), good=Selection(HOUR)))[0][:3] == (name, "it's", 1.0)
