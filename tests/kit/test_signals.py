"""Which signals moved: order, directions, appearances, copies, and what chance would do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from connectors import schema
from connectors.errors import BadInput
from connectors.window import Window
from kit.signals import rank_signals

TIMES = pd.date_range("2026-03-01T02:00Z", periods=160, freq="15s")
BASELINE = Window.of("2026-03-01T02:00Z", "2026-03-01T02:35Z")
INCIDENT = Window.of("2026-03-01T02:35Z", "2026-03-01T02:40Z")
HARM = np.arange(160) >= 140


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(160)


def rank(signals: dict[str, np.ndarray]) -> pd.DataFrame:
    return rank_signals(pd.DataFrame(signals, index=TIMES), baseline=BASELINE, incident=INCIDENT)


def test_the_signal_that_moved_is_first_with_direction_onset_and_service() -> None:
    ranked = rank({"a/cpu.gauge": noise(1), "b@pod-1/lag.gauge": 5 + noise(2) - 8 * HARM, "c/x.gauge": noise(3)})
    first = ranked.iloc[0]
    assert (first["signal"], first["service"], first["direction"], first["change"]) == (
        "b@pod-1/lag.gauge", "b", "down", "moved",
    )  # fmt: skip
    assert first["onset"] == TIMES[140]
    assert first["p"] == pytest.approx(1 / (1 + first["placebos"]))
    assert ranked["change"].tolist()[1:] == ["none", "none"]
    assert ranked["onset"].isna().tolist() == [False, True, True]


def test_outliers_in_the_baseline_do_not_hide_it() -> None:
    spiked = noise(4)
    spiked[[20, 60, 100]] = 60
    ranked = rank({"a/true.gauge": spiked + 6 * HARM, **{f"r/{i}.gauge": noise(30 + i) for i in range(8)}})
    assert ranked["signal"].iloc[0] == "a/true.gauge"


def test_a_heavy_tailed_rival_is_not_first() -> None:
    rng = np.random.default_rng(5)
    rivals = {f"r/{i}.gauge": rng.standard_t(2, 160) for i in range(30)}
    assert rank({"a/true.gauge": noise(6) + 4 * HARM, **rivals})["signal"].iloc[0] == "a/true.gauge"


def test_what_appears_or_vanishes_is_said() -> None:
    new, lost = noise(7), noise(8)
    ranked = rank({
        "a/new.gauge": np.where(HARM, new, np.nan), "a/lost.gauge": np.where(HARM, np.nan, lost),
        "a/same.gauge": noise(9), "a/never.gauge": np.full(160, np.nan),
    }).set_index("signal")  # fmt: skip
    assert ranked["change"].to_dict() == {"a/new.gauge": "appeared", "a/lost.gauge": "vanished", "a/same.gauge": "none"}
    assert ranked.loc[["a/new.gauge", "a/lost.gauge"], "p"].isna().all()


def test_copies_share_a_group_and_others_do_not() -> None:
    true = noise(10) + 6 * HARM
    ranked = rank({"a/x.gauge": true, "a/y.gauge": 3 * true + 1, "b/z.gauge": noise(11) + 6 * HARM}).set_index("signal")
    assert ranked.loc["a/x.gauge", "group"] == ranked.loc["a/y.gauge", "group"]
    assert ranked.loc["b/z.gauge", "group"] == "b/z.gauge"


def test_a_wider_spread_counts_though_the_level_stays() -> None:
    ranked = rank({"a/x.gauge": noise(12) * np.where(HARM, 6, 1), "b/y.gauge": noise(13)})
    assert ranked.iloc[0][["signal", "change"]].tolist() == ["a/x.gauge", "spread"]
    assert ranked.iloc[0]["spread_ratio"] > 3


def test_without_room_for_placebos_and_with_few_points_p_is_withheld() -> None:
    wide = pd.DataFrame({"a/x.gauge": noise(14)[:14] + 9 * (np.arange(14) >= 9)}, index=TIMES[:14])
    ranked = rank_signals(wide, baseline=Window(TIMES[0], TIMES[9]), incident=Window(TIMES[9], TIMES[14]))
    assert ranked["p"].isna().all()
    assert ranked["onset"].isna().all()
    assert ranked["direction"].tolist() == ["up"]


def test_long_tables_of_pandas_and_arrow_give_what_the_wide_frame_gives() -> None:
    wide = pd.DataFrame({"a/x.gauge": noise(15) + 5 * HARM, "b/y.gauge": noise(16)}, index=TIMES.rename("time"))
    long = wide.reset_index().melt(id_vars="time", var_name="signal", value_name="value")
    long = long.assign(service=long["signal"].str[0], kind="other", name="x", stat="gauge")
    arrow = schema.conform(pa.Table.from_pandas(long, preserve_index=False), "METRICS")
    expected = rank_signals(wide, baseline=BASELINE, incident=INCIDENT)
    for table in (long, arrow):
        pd.testing.assert_frame_equal(
            rank_signals(table, baseline=BASELINE, incident=INCIDENT), expected, check_dtype=False
        )


def test_no_rows_give_an_empty_ranking_with_its_columns() -> None:
    empty = rank_signals(schema.empty("METRICS"), baseline=BASELINE, incident=INCIDENT)
    assert empty.empty
    assert {"signal", "service", "score", "p", "direction", "onset"} <= set(empty.columns)


def test_other_tables_are_refused_by_what_they_hold() -> None:
    with pytest.raises(BadInput, match="this has a, b"):
        rank_signals(pd.DataFrame({"a": [1], "b": [2]}), baseline=BASELINE, incident=INCIDENT)
