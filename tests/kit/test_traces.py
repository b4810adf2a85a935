"""Self time, critical path, error origin, gaps and cohorts, on traces small enough to add up by hand."""

import pandas as pd
import pyarrow as pa
import pytest

from connectors.errors import BadInput
from connectors.schema import conform
from kit.clocks import compare_clocks
from kit.traces import compare_traces, critical_path, edges_of, error_origins, gaps, self_time

T0 = pd.Timestamp("2026-03-01T02:00:00Z")


def span(span_id, parent_id, start, end, service, name="op", *, trace="t", **more):
    row = {
        "start": T0 + pd.Timedelta(seconds=start),
        "duration_s": end - start,
        "trace_id": trace,
        "span_id": span_id,
        "parent_id": parent_id,
        "service": service,
        "name": name,
        "kind": "internal",
        "status": "ok",
        "weight": 1.0,
    }
    return row | more


def spans(*rows):
    return pd.DataFrame(list(rows))


WEB_TO_DB = spans(
    span("a", None, 0, 10, "web", "GET", kind="server"),
    span("b", "a", 1, 9, "web", "query", kind="client"),
    span("c", "b", 2, 8, "db", "SELECT", kind="server"),
)


def test_children_that_overlap_are_counted_once():
    table = spans(
        span("a", None, 0, 10, "web"),
        span("b", "a", 1, 5, "db"),
        span("c", "a", 3, 7, "db"),
    )
    assert self_time(table)["self_s"].tolist() == [4.0, 4.0, 4.0]


def test_a_child_nested_in_its_brother_changes_nothing():
    table = spans(span("a", None, 0, 10, "web"), span("b", "a", 1, 9, "db"), span("c", "a", 2, 3, "db"))
    assert self_time(table)["self_s"].tolist()[0] == 2.0


def test_work_that_outlives_its_parent_takes_only_the_shared_part_off():
    table = spans(span("a", None, 0, 4, "web"), span("b", "a", 3, 20, "mail"))
    assert self_time(table)["self_s"].tolist() == [3.0, 17.0]


def test_self_time_reads_arrow_and_frames_alike_and_keeps_the_order():
    arrow = conform(pa.Table.from_pandas(WEB_TO_DB, preserve_index=False), "SPANS")
    assert self_time(arrow)["self_s"].tolist() == self_time(WEB_TO_DB)["self_s"].tolist() == [2.0, 2.0, 6.0]
    back = WEB_TO_DB.iloc[::-1]
    assert self_time(back)["self_s"].tolist() == [6.0, 2.0, 2.0]


def test_the_same_span_id_in_two_traces_joins_within_its_trace():
    table = spans(
        span("a", None, 0, 10, "web", trace="t1"),
        span("b", "a", 0, 4, "db", trace="t1"),
        span("a", None, 0, 10, "web", trace="t2"),
        span("b", "a", 0, 9, "db", trace="t2"),
    )
    assert self_time(table)["self_s"].tolist() == [6.0, 4.0, 1.0, 9.0]


def test_hex_ids_and_other_ids_join_alike():
    hexed = WEB_TO_DB.replace({"a": "00000000000000aa", "b": "00000000000000bb", "c": "00000000000000cc"})
    assert self_time(hexed)["self_s"].tolist() == [2.0, 2.0, 6.0]


def test_spans_that_are_each_others_parents_end_and_are_orphans():
    ring = spans(span("a", "b", 0, 2, "web"), span("b", "a", 0, 2, "db"))
    assert self_time(ring)["self_s"].tolist() == [2.0, 2.0]
    assert compare_clocks(spans=ring).orphans == 2


def test_no_spans_is_an_empty_answer():
    none = WEB_TO_DB.iloc[:0]
    assert self_time(none).empty
    assert critical_path(none).parts.empty
    assert error_origins(none).empty
    assert edges_of(none).empty


def test_something_else_than_spans_is_refused_by_the_columns_it_lacks():
    with pytest.raises(BadInput, match="span_id"):
        self_time(pd.DataFrame({"start": [T0], "duration_s": [1.0], "trace_id": ["t"]}))


def test_the_critical_path_names_self_and_between_and_adds_up():
    path = critical_path(WEB_TO_DB)
    got = {(r.where, r.part): r.seconds for r in path.parts.itertuples()}
    assert got == {("db", "self"): 6.0, ("web", "self"): 2.0, ("web → db", "between"): 2.0}
    assert path.total_s == 10.0
    assert path.residual_s == pytest.approx(0.0, abs=1e-9)


def test_of_parallel_children_only_the_later_one_is_on_the_path():
    table = spans(
        span("a", None, 0, 10, "web"),
        span("b", "a", 1, 5, "fast"),
        span("c", "a", 2, 9, "slow"),
    )
    got = {r.where: r.seconds for r in critical_path(table).parts.itertuples()}
    assert got == {"slow": 7.0, "web": 3.0}


def test_children_one_after_the_other_are_all_on_the_path():
    table = spans(span("a", None, 0, 10, "web"), *[span(f"c{i}", "a", 2 * i, 2 * i + 1, "db") for i in range(5)])
    got = {r.where: r.seconds for r in critical_path(table).parts.itertuples()}
    assert got == {"web": 5.0, "db": 5.0}


def test_a_child_below_a_span_off_the_path_is_off_the_path():
    table = spans(
        span("a", None, 0, 10, "web"),
        span("b", "a", 0, 4, "cache"),
        span("b2", "b", 1, 3, "disk"),
        span("c", "a", 1, 10, "db"),
    )
    assert set(critical_path(table).parts["where"]) == {"web", "db"}


def test_a_client_span_without_its_server_is_the_peers_time():
    table = spans(span("a", None, 0, 10, "web"), span("b", "a", 1, 9, "web", kind="client", peer="postgres"))
    got = {(r.where, r.part): r.seconds for r in critical_path(table).parts.itertuples()}
    assert got == {("web", "self"): 2.0, ("web → postgres", "peer"): 8.0}


def test_a_trace_without_its_root_shows_the_hole_as_residual():
    table = spans(span("b", "lost", 0, 3, "web"), span("c", "lost", 5, 10, "db"))
    path = critical_path(table)
    assert path.total_s == 10.0
    assert path.residual_s == pytest.approx(2.0)
    assert path.per_trace["root"].tolist() == [False]


def test_a_weighted_trace_counts_as_many():
    table = spans(
        span("a", None, 0, 1, "web", trace="t1", weight=9.0),
        span("a", None, 0, 11, "web", trace="t2", weight=1.0),
    )
    assert critical_path(table).total_s == pytest.approx(2.0)


def test_an_error_begins_where_no_child_errs():
    table = spans(
        span("a", None, 0, 10, "web", status="error"),
        span("b", "a", 1, 9, "shop", status="error"),
        span("c", "b", 2, 8, "db", status="error", error_type="57014"),
        span("d", "b", 2, 3, "cache"),
    )
    origins = error_origins(table)
    assert origins[["where", "error_type", "share"]].values.tolist() == [["db", "57014", 1.0]]


def test_a_client_that_gave_up_on_a_callee_without_error_is_an_origin_between_the_two():
    table = spans(
        span("a", None, 0, 5, "web", status="error", kind="server"),
        span("b", "a", 0, 5, "web", status="error", kind="client", error_type="timeout"),
        span("c", "b", 0, 30, "shop", kind="server"),
    )
    assert error_origins(table)["where"].tolist() == ["web → shop"]


def test_without_errors_there_is_no_origin():
    assert error_origins(WEB_TO_DB).empty


def test_the_gap_is_client_minus_server_whatever_the_clocks_say():
    skewed = WEB_TO_DB.copy()
    skewed.loc[2, "start"] = skewed.loc[2, "start"] + pd.Timedelta("1h")
    for table in (WEB_TO_DB, skewed):
        row = gaps(table).iloc[0]
        assert (row["caller"], row["callee"], row["gap_p50_s"]) == ("web", "db", 2.0)


def test_edges_say_how_they_are_known():
    table = pd.concat([WEB_TO_DB, spans(span("p", "a", 9, 10, "web", kind="client", peer="stripe", status="error"))])
    got = {(r.caller, r.callee): (r.method, r.calls, r.errors) for r in edges_of(table).itertuples()}
    assert got == {("web", "db"): ("parent_child", 1.0, 0.0), ("web", "stripe"): ("peer", 1.0, 1.0)}


def cohort(n, *, calls=1, db_s=0.01, err=0.0, extra=False, prefix="g"):
    rows = []
    for i in range(n):
        trace = f"{prefix}{i}"
        rows.append(span("r", None, 0, 1, "web", "GET", trace=trace))
        for c in range(calls):
            jitter = 1e-5 * i
            status = "error" if i < err * n else "ok"
            rows.append(
                span(f"d{c}", "r", 0.1 * c, 0.1 * c + db_s + jitter, "db", "SELECT", trace=trace, status=status)
            )
        if extra:
            rows.append(span("x", "r", 0.9, 0.91, "fraud", "check", trace=trace))
    return spans(*rows)


def claims(bad, good):
    table = compare_traces(bad, good).paths
    return {r.path: r.what for r in table.itertuples() if r.what}


def test_equal_cohorts_have_nothing_to_say():
    assert claims(cohort(40, prefix="b"), cohort(40)) == {}


def test_n_plus_one_shows_as_calls_per_trace():
    got = claims(cohort(40, calls=5, prefix="b"), cohort(40))
    assert set(got) == {"web GET / db SELECT"}
    assert got["web GET / db SELECT"].startswith("calls per trace 1 → 5")


def test_a_path_that_appeared_shows_as_presence():
    assert claims(cohort(40, extra=True, prefix="b"), cohort(40))["web GET / fraud check"] == "in 0% → 100% of traces"


def test_errors_show_on_the_path_that_errs():
    assert claims(cohort(40, err=0.5, prefix="b"), cohort(40)) == {"web GET / db SELECT": "errors 0% → 50%"}


def test_slow_self_time_shows_where_it_is_spent():
    got = claims(cohort(40, db_s=0.05, prefix="b"), cohort(40))
    assert got["web GET / db SELECT"].startswith("self time")


def test_an_effect_below_the_floor_is_no_claim_however_certain():
    assert claims(cohort(400, db_s=0.0105, prefix="b"), cohort(400)) == {}


def test_too_few_traces_claim_nothing_and_say_so():
    result = compare_traces(cohort(5, db_s=0.9, prefix="b"), cohort(40))
    assert (result.paths["what"] == "").all()
    assert "too few traces" in result.because[1]


def test_hostile_names_are_text_in_html():
    bad = spans(span("a", None, 0, 1, "<script>", "<img>"))
    assert "<script>" not in critical_path(bad)._repr_html_()
