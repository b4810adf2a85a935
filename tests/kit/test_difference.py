"""Difference: which values and combinations set the bad rows apart, and when nothing does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from connectors.base import Answer, Fetch, Selection
from connectors.errors import BadInput
from connectors.where import evaluate
from connectors.window import Window
from kit.difference import compared_fields, explain_difference, explain_source_difference
from kit.mix import split_rate_change
from kit.numerics.contrast import benjamini_hochberg, effective_size, g_statistic, risk_ratio

WINDOW = Window.of("2026-03-01T02:00Z", "2026-03-01T03:00Z")


def cells(*groups: tuple[dict[str, object], int, int]) -> pd.DataFrame:
    """Rows from (values, number of bad ones, number of good ones)."""
    rows = [{**values, "bad": i < bad} for values, bad, good in groups for i in range(bad + good)]
    return pd.DataFrame(rows)


ONE = cells(
    ({"version": "4.7", "zone": "a"}, 40, 60),
    ({"version": "4.6", "zone": "a"}, 5, 395),
    ({"version": "4.7", "zone": "b"}, 40, 60),
    ({"version": "4.6", "zone": "b"}, 5, 395),
)
BOTH = cells(
    ({"version": "4.7", "route": "/pay"}, 60, 40),
    ({"version": "4.7", "route": "/cart"}, 8, 392),
    ({"version": "4.6", "route": "/pay"}, 8, 392),
    ({"version": "4.6", "route": "/cart"}, 24, 1076),
)


def test_the_value_that_fails_is_found_and_the_one_that_does_not_is_not() -> None:
    found = explain_difference(ONE, bad=ONE["bad"], fields=["version", "zone"])
    assert found["predicate"].tolist() == ["version = '4.7'"]
    row = found.iloc[0]
    # 80 of 90 bad and 120 of 910 good rows; 80 of 200 fail with it, 10 of 800 without
    assert (row["bad"], row["good"]) == (80, 120)
    assert row["bad_share"] == pytest.approx(80 / 90)
    assert row["lift"] == pytest.approx((80 / 90) / (120 / 910))
    assert row["risk_ratio"] == pytest.approx((80.5 / 201) / (10.5 / 801))
    assert row["rr_low"] < row["risk_ratio"] < row["rr_high"]
    assert row["explains"] == pytest.approx(80 / 90 * (1 - 1 / row["risk_ratio"]))
    assert "residual 11.1%" in row["because"]


def test_the_predicate_keeps_exactly_the_rows_that_were_counted() -> None:
    found = explain_difference(BOTH, bad=BOTH["bad"], fields=["version", "route"])
    for row in found.itertuples():
        kept = np.asarray(evaluate(row.predicate, pa.Table.from_pandas(BOTH)))
        assert (kept & BOTH["bad"]).sum() == row.bad
        assert (kept & ~BOTH["bad"]).sum() == row.good


def test_a_combination_stands_before_its_parts() -> None:
    found = explain_difference(BOTH, bad=BOTH["bad"], fields=["version", "route"])
    assert found["predicate"].tolist()[0] == "route = '/pay' AND version = '4.7'"
    assert found["depth"].tolist() == [2, 1, 1]
    assert found.iloc[0]["fields"] == ("route", "version")
    assert found.iloc[0]["values"] == ("/pay", "4.7")
    assert "explained better by" in found.iloc[1]["because"]


def test_a_part_that_fails_outside_the_combination_too_is_not_explained_by_it() -> None:
    # 4.7 fails on every route (30 %), on /pay twice as often
    rows = cells(
        ({"version": "4.7", "route": "/pay"}, 120, 80),
        ({"version": "4.7", "route": "/cart"}, 120, 280),
        ({"version": "4.6", "route": "/pay"}, 4, 196),
        ({"version": "4.6", "route": "/cart"}, 24, 1176),
    )
    found = explain_difference(rows, bad=rows["bad"], fields=["version", "route"])
    assert found.iloc[0]["predicate"] == "version = '4.7'"
    assert "explained better" not in found.iloc[0]["because"]


def test_a_combination_of_three_is_found() -> None:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({name: rng.choice(list("abc"), 30_000) for name in ("x", "y", "z", "noise")})
    hit = (rows[["x", "y", "z"]] == "a").all(axis=1)
    bad = rng.random(30_000) < np.where(hit, 0.6, 0.005)
    found = explain_difference(rows, bad=bad)
    assert found.iloc[0]["predicate"] == "x = 'a' AND y = 'a' AND z = 'a'"
    assert "noise" not in {f for fields in found["fields"] for f in fields}


def test_a_single_value_is_not_dressed_up_as_a_combination() -> None:
    found = explain_difference(ONE, bad=ONE["bad"], fields=["version", "zone"])
    assert found["depth"].tolist() == [1]


def test_values_on_the_same_bad_rows_are_one_finding() -> None:
    rows = ONE.assign(pod="pod-" + ONE["version"].str[-1])
    found = explain_difference(rows, bad=rows["bad"], fields=["version", "pod"])
    assert found["predicate"].tolist() == ["pod = 'pod-7'"]
    assert found["aliases"].tolist() == [("version = '4.7'",)]


def test_values_that_go_together_only_mostly_are_told_apart() -> None:
    # the pod has 72 of the 80 bad rows: Jaccard .9
    pod = ["other"] * len(ONE)
    for i in np.flatnonzero(ONE["bad"] & (ONE["version"] == "4.7"))[:72]:
        pod[i] = "pod-7"
    found = explain_difference(ONE.assign(pod=pod), bad=ONE["bad"], fields=["version", "pod"])
    assert found["aliases"].tolist() == [()] * len(found)
    assert {"pod = 'pod-7'", "version = '4.7'"} <= set(found["predicate"])


def test_a_missing_value_is_a_value() -> None:
    rows = ONE.assign(tenant=ONE["version"].where(ONE["version"] == "4.6"))
    found = explain_difference(rows, bad=rows["bad"], fields=["tenant"])
    assert found["predicate"].tolist() == ["tenant IS NULL"]
    assert found["values"].tolist() == [("<missing>",)]


def test_a_number_is_compared_in_ranges_of_the_good_rows() -> None:
    size = np.concatenate((np.arange(1000), np.full(100, 5000)))
    bad = np.arange(1100) >= 1000
    found = explain_difference(pd.DataFrame({"size": size}), bad=bad)
    # the good rows' 99th percentile is 989.01, written with three digits
    assert found.iloc[0]["predicate"] == "size >= 989"
    assert found.iloc[0][["bad", "good"]].tolist() == [100, 11]


def test_booleans_and_few_numbers_are_values() -> None:
    rows = ONE.assign(cold=ONE["version"] == "4.7", tries=np.where(ONE["version"] == "4.7", 3, 1))
    found = explain_difference(rows, bad=rows["bad"], fields=["cold", "tries"])
    assert found.iloc[0]["predicate"] == "cold = TRUE"
    assert found.iloc[0]["aliases"] == ("tries = 3",)


def test_a_value_that_is_spared_is_told_with_its_sign() -> None:
    regions = [({"region": f"r{i}"}, 20, 180) for i in range(9)]
    rows = cells(*regions, ({"region": "spared"}, 0, 400))
    found = explain_difference(rows, bad=rows["bad"], fields=["region"])
    assert found[["predicate", "sign", "bad"]].values.tolist() == [["region = 'spared'", "less", 0.0]]


def test_the_rest_of_a_field_that_explains_is_not_told_as_spared() -> None:
    found = explain_difference(ONE, bad=ONE["bad"], fields=["version"])
    assert found["sign"].tolist() == ["more"]


@pytest.mark.parametrize(
    "rows",
    [
        cells(({"v": "a"}, 50, 450), ({"v": "b"}, 50, 450)),  # no difference
        cells(({"v": "a"}, 4, 16), ({"v": "b"}, 4, 400)),  # fewer than five bad rows
        cells(({"v": "a"}, 400, 10_000), ({"v": "b"}, 9_600, 400_000)),  # share differs by 1.6 points only
        cells(({"v": "a"}, 500, 40_000), ({"v": "b"}, 400, 40_000)),  # 1.25 times likelier only
        cells(({"v": "a"}, 9, 0)),  # nothing good to compare with
    ],
)
def test_below_a_floor_nothing_is_claimed(rows: pd.DataFrame) -> None:
    assert explain_difference(rows, bad=rows["bad"], fields=["v"]).empty


def test_a_table_of_chance_gives_nothing() -> None:
    rng = np.random.default_rng(7)
    rows = pd.DataFrame({f"f{i}": rng.choice(list("abcdefgh"), 5000) for i in range(10)})
    assert explain_difference(rows, bad=rng.random(5000) < 0.05).empty


def test_filters_choose_the_sets_and_their_own_fields_explain_nothing() -> None:
    rows = ONE.assign(status=np.where(ONE["bad"], 500, 200)).drop(columns="bad")
    found = explain_difference(rows, bad="status >= 500", good="status < 300")
    assert found["predicate"].tolist() == ["version = '4.7'"]
    # asked for by name it is compared
    assert explain_difference(rows, bad="status >= 500", fields=["status"])["predicate"].tolist() == ["status = 500"]


def test_rows_in_neither_set_are_left_out() -> None:
    rows = ONE.assign(kind=np.where(ONE["bad"], "bad", np.where(ONE["zone"] == "a", "good", "neither")))
    found = explain_difference(rows, bad="kind = 'bad'", good="kind = 'good'", fields=["version"])
    assert found.iloc[0][["bad", "good"]].tolist() == [80, 60]


def test_a_pandas_frame_and_an_arrow_table_give_the_same() -> None:
    table = pa.Table.from_pandas(ONE)
    coded = table.set_column(0, "version", table["version"].dictionary_encode())
    expected = explain_difference(ONE, bad=ONE["bad"], fields=["version"])
    for rows in (table, coded):
        pd.testing.assert_frame_equal(explain_difference(rows, bad=ONE["bad"], fields=["version"]), expected)


def test_weights_count_and_a_few_heavy_rows_do_not_convince() -> None:
    heavy = ONE.assign(weight=10.0)
    found = explain_difference(heavy, bad=ONE["bad"], fields=["version"])
    assert found.iloc[0][["bad", "good"]].tolist() == [800.0, 1200.0]
    # the effective size is that of the unweighted rows
    assert found.iloc[0]["p"] == pytest.approx(explain_difference(ONE, bad=ONE["bad"], fields=["version"]).iloc[0]["p"])
    few = cells(({"v": "a"}, 3, 30), ({"v": "b"}, 3, 300)).assign(weight=1000.0)
    assert explain_difference(few, bad=few["bad"], fields=["v"]).empty


def test_sampling_that_depends_on_the_outcome_is_told_and_no_risk_is() -> None:
    rows = ONE.assign(weight=np.where(ONE["bad"], 1.0, 20.0))
    found = explain_difference(rows, bad=ONE["bad"], fields=["version"])
    assert found["predicate"].tolist() == ["version = '4.7'"]
    assert found[["risk_ratio", "rr_low", "rr_high"]].isna().all(axis=None)
    assert found.iloc[0]["lift"] == pytest.approx((80 / 90) / (120 / 910))
    assert "sampling depended on the outcome" in found.iloc[0]["because"]


def test_fields_that_are_left_out_are_listed_with_the_reason() -> None:
    rows = ONE.assign(
        request=[f"r{i}" for i in range(len(ONE))],
        time=pd.Timestamp("2026-03-01T02:00Z"),
        at=pd.Timestamp("2026-03-01T02:00Z"),
        app="web",
        weight=1.0,
    )
    listed = compared_fields(rows, bad="bad = TRUE").set_index("field")
    assert listed.index[listed["compared"]].tolist() == ["version", "zone"]
    assert listed.loc["request", "why"].startswith("nearly a value a row")
    assert listed.loc["app", "why"] == "the same in all rows"
    assert listed.loc["at", "why"] == "a time"
    assert {"time", "bad"} <= set(listed.index[~listed["compared"]])
    assert "weight" not in listed.index


def test_rare_values_are_counted_together_and_it_is_said() -> None:
    host = [f"h{i % 200}" for i in range(len(ONE))]
    listed = compared_fields(ONE.assign(host=host), bad=ONE["bad"], fields=["host"])
    assert listed.loc[0, ["distinct", "why"]].tolist() == [200, "150 rarer values are counted together"]


def test_what_cannot_be_compared_is_refused_in_words() -> None:
    with pytest.raises(BadInput, match="both bad and good"):
        explain_difference(ONE, bad=ONE["bad"], good=ONE["bad"])
    with pytest.raises(BadInput, match="one per row"):
        explain_difference(ONE, bad=[True, False])
    with pytest.raises(BadInput, match="versio"):
        explain_difference(ONE, bad=ONE["bad"], fields=["versio"])
    with pytest.raises(BadInput, match="negative weights"):
        explain_difference(ONE.assign(weight=-1.0), bad=ONE["bad"])


def test_a_search_in_a_sample_tells_the_counts_of_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    rows = pd.DataFrame(
        {"version": rng.choice(["4.6", "4.7"], 20_000, p=[0.9, 0.1]), "size": rng.lognormal(size=20_000)}
    )
    rows["cold"] = rows["version"] == "4.7"
    rows.loc[rows["size"] > 5, "size"] = np.nan
    bad = (rng.random(20_000) < np.where(rows["version"] == "4.7", 0.4, 0.01)) | rows["size"].isna()
    whole = explain_difference(rows, bad=bad)
    monkeypatch.setattr("kit.numerics.value_counts.SAMPLE_ROWS", 800)
    sampled = explain_difference(rows, bad=bad)
    told = ["predicate", "bad", "good", "bad_share", "good_share", "aliases"]
    pd.testing.assert_frame_equal(sampled[told], whole[told])
    assert (sampled["rr_low"] < whole["risk_ratio"]).all()
    assert (whole["risk_ratio"] < sampled["rr_high"]).all()


def test_inputs_are_left_as_they_were() -> None:
    before = BOTH.copy()
    explain_difference(BOTH, bad=BOTH["bad"])
    pd.testing.assert_frame_equal(BOTH, before)


class Store:
    """A log source that answers `fields` and `compare` over rows in memory."""

    name = "store"

    def __init__(self, rows: pd.DataFrame, *, error: float = 0.0) -> None:
        self.table = pa.Table.from_pandas(rows, preserve_index=False)
        self.error = error
        self.asked: list[str | None] = []

    def _answer(self, rows: list[dict[str, object]]) -> Answer:
        return Answer(pa.Table.from_pylist(rows), Fetch(self.name, "compare", "", WINDOW, len(rows)))

    def fields(self, window: Window, *, where: str | None = None) -> Answer:
        return self._answer(
            [
                {"name": n, "type": str(self.table.schema.field(n).type), "share_present": 1.0, "distinct": 2,
                 "distinct_error": 0.0, "top": '[["x",60]]'}
                for n in self.table.column_names
            ]
        )  # fmt: skip

    def compare(self, fields: list[str], *, bad: Selection, good: Selection, top: int = 50) -> Answer:
        self.asked.append(bad.where)
        sides = [self.table.filter(evaluate(s.where, self.table)) for s in (bad, good)]
        rows = []
        for name in fields:
            counts = [pd.Series(side[name].to_pylist()).value_counts() for side in sides]
            for value in sorted(set(counts[0].index) | set(counts[1].index), key=str):
                rows.append(
                    {"field": name, "value": str(value), "bad": int(counts[0].get(value, 0)),
                     "good": int(counts[1].get(value, 0)), "bad_total": sides[0].num_rows,
                     "good_total": sides[1].num_rows, "error": self.error}
                )  # fmt: skip
        return self._answer(rows)


STORED = BOTH.assign(status=np.where(BOTH["bad"], 500, 200)).drop(columns="bad")
BAD, GOOD = Selection(WINDOW, "status >= 500"), Selection(WINDOW, "status < 500")


def test_a_source_is_asked_and_gives_what_the_rows_give() -> None:
    store = Store(STORED)
    asked = explain_source_difference(store, bad=BAD, good=GOOD)
    pd.testing.assert_frame_equal(asked, explain_difference(STORED, bad=BAD.where))
    assert store.asked[0] == "status >= 500"
    assert "(status >= 500) AND (version = '4.7')" in store.asked


def test_a_source_is_asked_no_more_often_than_allowed() -> None:
    store = Store(STORED)
    found = explain_source_difference(store, bad=BAD, good=GOOD, questions=1)
    assert len(store.asked) == 1
    assert found["depth"].tolist() == [1, 1]


def test_approximate_counts_of_a_source_are_said_to_be() -> None:
    found = explain_source_difference(Store(STORED, error=0.02), bad=BAD, good=GOOD)
    assert found["because"].str.contains("approximate").all()


def test_the_statistics_are_those_of_the_books() -> None:
    # 2×2 table 20/80 against 10/90
    expected = 2 * (20 * np.log(20 / 15) + 10 * np.log(10 / 15) + 80 * np.log(80 / 85) + 90 * np.log(90 / 85))
    assert g_statistic([20], [100], [10], [100])[0] == pytest.approx(expected)
    assert g_statistic([0], [100], [0], [100])[0] == 0
    assert effective_size([2, 2, 0]) == 2
    assert benjamini_hochberg([0.01, 0.02, 0.9]).tolist() == pytest.approx([0.03, 0.03, 0.9])
    ratio, low, high = (x[0] for x in risk_ratio([0], [100], [0], [100]))
    assert low < ratio < high


TRAFFIC = ["before"] * 1000 + ["after"] * 1000
BEFORE = Window.of("2026-03-01T02:00Z", "2026-03-01T03:00Z")
AFTER = Window.of("2026-03-01T03:00Z", "2026-03-01T04:00Z")


def traffic(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """Requests from {zone: (number, failed)} in each window."""
    rows = [
        {"time": window.start, "zone": zone, "failed": i < failed}
        for window, zones in ((BEFORE, before), (AFTER, after))
        for zone, (n, failed) in zones.items()
        for i in range(n)
    ]
    return pd.DataFrame(rows).assign(time=lambda f: pd.to_datetime(f["time"], utc=True))


@pytest.mark.parametrize(
    ("before", "after", "verdict", "moved", "worse"),
    [
        # b keeps its 50 % but gets half of the traffic: (.5−.1)·.5 + (.5−.9)·.01
        ({"a": (900, 9), "b": (100, 50)}, {"a": (500, 5), "b": (500, 250)}, "traffic moved", 0.196, 0.0),
        # equal shares, b from 1 % to 41 %
        ({"a": (500, 5), "b": (500, 5)}, {"a": (500, 5), "b": (500, 205)}, "got worse", 0.0, 0.2),
        ({"a": (500, 5), "b": (500, 5)}, {"a": (500, 5), "b": (500, 6)}, "no change", 0.0, 0.001),
    ],
)
def test_traffic_that_moved_is_told_from_traffic_that_got_worse(before, after, verdict, moved, worse) -> None:
    rows = traffic(before, after)
    found = split_rate_change(rows, failed="failed = TRUE", before=BEFORE, after=AFTER, fields=["zone"]).iloc[0]
    assert found["verdict"] == verdict
    assert found["value"] == "b"
    assert [found["moved"], found["worse"]] == pytest.approx([moved, worse])
    assert found["moved"] + found["worse"] == pytest.approx(found["change"])


def test_a_window_without_rows_has_no_rate() -> None:
    rows = traffic({"a": (10, 1)}, {})
    with pytest.raises(BadInput, match="window after"):
        split_rate_change(rows, failed=rows["failed"], before=BEFORE, after=AFTER, fields=["zone"])
