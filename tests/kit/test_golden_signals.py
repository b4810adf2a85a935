"""The board: which way each signal went, what squeezed first, and who is silent."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from connectors.window import Window
from kit.golden_signals import is_share, read_signals, shown, signal_kind

TIMES = pd.date_range("2026-03-01T02:00Z", periods=80, freq="15s", name="time")
BASELINE = Window.of("2026-03-01T02:00Z", "2026-03-01T02:14Z")
INCIDENT = Window.of("2026-03-01T02:15Z", "2026-03-01T02:20Z")


def series(before: float, now: float, *, turn: int = 60, noise: float = 0.03, seed: int = 0) -> np.ndarray:
    """80 bins of 15 s: `before` until bin `turn` (60 is 02:15), then `now`, with some noise."""
    values = np.where(np.arange(80) < turn, before, now).astype(float)
    return values * (1 + noise * np.random.default_rng(seed).standard_normal(80))


def board(**signals: np.ndarray):
    return read_signals(
        pd.DataFrame({k.replace("__", "/").replace("_dot_", "."): v for k, v in signals.items()}, index=TIMES),
        baseline=BASELINE,
        incident=INCIDENT,
    )


def arrows(found) -> dict[str, str]:
    return {r.signal: r.arrow for r in found.readings}


def test_each_signal_gets_its_arrow_and_small_moves_stay_flat():
    found = board(
        web__requests_dot_duration_dot_p99=series(0.1, 0.9),
        web__requests_dot_count=series(300, 310),
        web__requests_dot_errors_ratio=series(0.001, 0.2),
        web__cpu_dot_utilization_dot_ratio=series(0.3, 0.36),
    )
    assert arrows(found) == {
        "web/requests.duration.p99": "up", "web/requests.count": "flat", "web/requests.errors_ratio": "up",
        "web/cpu.utilization.ratio": "flat",
    }  # fmt: skip
    assert found.squeezed_first == ()


def test_the_resource_that_squeezed_first_and_its_lead():
    found = board(
        web__pool_dot_usage_dot_ratio=series(0.3, 1.0, turn=58, noise=0.01),
        web__requests_dot_errors_ratio=series(0.001, 0.3, turn=62),
        db__cpu_dot_utilization_dot_ratio=series(0.2, 0.95, turn=66, noise=0.01),
    )
    assert found.squeezed_first == ("web/pool.usage.ratio",)
    assert found.lead_s == pytest.approx(60, abs=15)
    assert "squeezed first" in found.headline


def test_nothing_moved_is_said():
    found = board(web__requests_dot_count=series(300, 300), web__requests_dot_errors_ratio=series(0.002, 0.002))
    assert found.headline == "No golden signal moved."


def test_a_service_that_falls_silent_is_unknown_not_flat():
    gone = series(300, 300)
    gone[60:] = np.nan
    found = board(api__requests_dot_count=gone, web__requests_dot_count=series(300, 300))
    assert arrows(found)["api/requests.count"] == "unknown"
    assert found.unknown == ("api",)


def test_an_expected_service_without_any_signal_is_unknown():
    wide = pd.DataFrame({"web/requests.count": series(300, 300)}, index=TIMES)
    assert read_signals(wide, baseline=BASELINE, incident=INCIDENT, services=["web", "mail"]).unknown == ("mail",)


def test_less_of_what_is_available_is_a_squeeze():
    found = board(host__system_dot_filesystem_dot_available_dot_gauge=series(5e9, 1e6))
    assert found.readings[0].squeezed


def test_a_slice_is_read_with_the_whole_beside_it():
    wide = pd.DataFrame({"web/requests.errors_ratio": series(0.002, 0.006)}, index=TIMES)
    part = pd.DataFrame({"web/requests.errors_ratio": series(0.002, 0.6, seed=2)}, index=TIMES)
    (reading,) = read_signals(wide, baseline=BASELINE, incident=INCIDENT, slice=part).readings
    assert reading.arrow == "up"
    assert reading.now == pytest.approx(0.6, rel=0.1)
    assert reading.control_now == pytest.approx(0.006, rel=0.1)


def test_cells_hold_one_reading_per_service_and_kind():
    found = board(
        web__requests_dot_duration_dot_p50=series(0.1, 0.1), web__requests_dot_duration_dot_p99=series(0.2, 2)
    )
    cells = found.cells().set_index("kind")
    assert cells.loc["latency", "signal"] == "web/requests.duration.p99"
    assert cells.loc["saturation", "direction"] == "unknown"


def test_kinds_can_be_given():
    wide = pd.DataFrame({"db/dirty_pages.gauge": series(10, 100)}, index=TIMES)
    kinds = {"db/dirty_pages.gauge": "saturation"}
    assert read_signals(wide, baseline=BASELINE, incident=INCIDENT, kinds=kinds).readings[0].kind == "saturation"
    assert read_signals(wide, baseline=BASELINE, incident=INCIDENT).readings == ()


@pytest.mark.parametrize(
    ("signal", "kind"),
    [
        ("checkout/db.client.connection.usage_ratio.ratio", "saturation"),
        ("checkout/db.client.connection.pending.gauge", "saturation"),
        ("checkout/http.server.request.duration.p99", "latency"),
        ("checkout/http.server.requests.delta", "traffic"),
        ("nginx/requests.errors_ratio", "errors"),
        ("worker/messaging.queue.depth.gauge", "saturation"),
        ("web/log.error.count", "other"),
        ("web/change.deploy.since_s", "other"),
    ],
)
def test_kinds_are_read_from_names(signal, kind):
    assert signal_kind(signal) == kind


def test_values_are_shown_in_their_unit():
    assert shown(2.5, "a/http.duration.p99") == "2.5 s"
    assert shown(0.5, "a/pool.usage_ratio.ratio") == "50 %"
    assert shown(1234.0, "a/requests.count") == "1,234"
    assert not is_share("a/requests.duration.ratio")
