"""Coverage: what was seen, what was lost, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.coverage import count_duplicates, count_records, measure_coverage

WINDOW = Window.of("2026-03-01T02:00Z", "2026-03-01T02:30Z")
INCIDENT = Window.of("2026-03-01T02:15Z", "2026-03-01T02:20Z")
BINS = pd.date_range("2026-03-01T02:00Z", periods=30, freq="1min", name="time")


def seen(source: str, pillar: str, service: str, n: float = 50.0, *, without: slice = slice(0, 0)) -> pd.DataFrame:
    keep = np.ones(30, bool)
    keep[without] = False
    return pd.DataFrame({"source": source, "pillar": pillar, "service": service, "time": BINS[keep], "n": n})


def measure(*parts, **more):
    given = {"window": WINDOW, "every": "1m", "incident": INCIDENT, **more}
    return measure_coverage(pd.concat(parts), **given)


WHOLE = (seen("app", "logs", "web"), seen("prom", "metrics", "web"), seen("otel", "spans", "web"))


def test_three_pillars_without_a_gap_have_none():
    found = measure(*WHOLE, services=["web"])
    assert found.gaps == ()
    assert found.headline == "3 sources, 3 pillars."
    assert found.watermark("logs") == WINDOW.end


def test_a_missing_pillar_is_a_gap_and_an_action():
    found = measure(*WHOLE[:2], services=["web"])
    assert found.gaps == ("no spans at all",)
    assert found.actions == ("collect spans: nothing could be read from that pillar",)


def test_a_service_without_a_pillar_is_named():
    found = measure(*WHOLE, services=["web", "payments"])
    assert "no spans for payments" in found.gaps
    assert ("payments", "logs") in found.missing


def test_a_configured_source_that_gave_nothing_shows():
    found = measure(*WHOLE, sources={"audit": "logs"})
    assert "audit gave nothing" in found.gaps
    assert found.to_frame().set_index("source").loc["audit", "rows"] == 0


def test_silence_during_harm_is_lost_telemetry_and_a_lower_bound():
    found = measure(seen("app", "logs", "web", without=slice(15, 19)), *WHOLE[1:])
    (loss,) = found.losses
    assert loss.during_harm
    assert found.lost == (Window.of("2026-03-01T02:15Z", "2026-03-01T02:19Z"),)
    assert "web is silent in logs from 02:15:00 to 02:19:00 UTC, while users were hurt" in found.gaps


def test_a_service_that_writes_little_is_not_called_silent():
    assert measure(seen("app", "logs", "web", n=1.0, without=slice(15, 19)), *WHOLE[1:]).losses == ()


def test_a_service_that_writes_in_bursts_is_not_called_silent():
    bursts = seen("db", "logs", "db")
    bursts = bursts[(np.arange(30) % 8) < 4]
    assert measure(bursts, *WHOLE).losses == ()


def test_a_short_pause_is_not_called_silent():
    assert measure(seen("app", "logs", "web", without=slice(15, 17)), *WHOLE[1:]).losses == ()


def test_a_source_that_ends_early_has_its_watermark():
    found = measure(seen("app", "logs", "web", without=slice(20, 30)), *WHOLE[1:])
    assert found.watermark("logs") == pd.Timestamp("2026-03-01T02:20Z")
    assert any(gap.startswith("app ends at 02:20:00") for gap in found.gaps)


def test_vanished_series_and_targets_that_are_down():
    wide = pd.DataFrame({"web/cpu.gauge": 1.0, "db/load.gauge": 1.0, "db/up.gauge": 1.0}, index=BINS)
    wide.loc[wide.index[16] :, "db/load.gauge"] = np.nan
    wide.loc[wide.index[16:20], "db/up.gauge"] = 0.0
    found = measure(*WHOLE, wide=wide)
    assert [loss.kind for loss in found.losses] == ["vanished", "down"]
    assert found.losses[0].what == "db/load.gauge vanished"
    assert all(loss.during_harm for loss in found.losses)


def test_a_whole_service_that_vanishes_is_told_once():
    wide = pd.DataFrame({"db/load.gauge": 1.0, "db/rows.rate": 1.0}, index=BINS)
    wide.iloc[16:] = np.nan
    (loss,) = measure(*WHOLE, wide=wide).losses
    assert loss.what == "db vanished with all its 2 signals"


def test_a_series_with_holes_has_not_vanished():
    wide = pd.DataFrame({"web/latency.p99": [1.0, np.nan] * 15}, index=BINS)
    assert measure(*WHOLE, wide=wide).losses == ()


def test_suppressed_lines_duplicates_and_refusals_are_told():
    found = measure(
        *WHOLE,
        templates=pd.DataFrame({"template": ["net_ratelimit: <*> callbacks suppressed", "hello"]}),
        duplicates={"app": 12},
        refused={"no answer within 5 s": "spans"},
    )
    assert any("suppressed" in gap for gap in found.gaps)
    assert "12 duplicates in app, counted once" in found.gaps
    assert found.partial == ("spans: no answer within 5 s",)


def test_records_are_counted_from_tables():
    logs = pd.DataFrame({"time": BINS, "service": ["web"] * 20 + ["db"] * 10})
    counted = count_records(logs, source="app", pillar="logs", window=WINDOW, every="1m")
    assert counted.groupby("service")["n"].sum().to_dict() == {"db": 10.0, "web": 20.0}
    spans = pd.DataFrame({"start": BINS, "service": "web"})
    assert count_records(spans, source="otel", pillar="spans", window=WINDOW, every="1m")["n"].sum() == 30
    assert len(count_records(logs.iloc[:0], source="app", pillar="logs", window=WINDOW, every="1m")) == 0


def test_duplicates_ignore_rows_without_an_id():
    assert count_duplicates(pd.DataFrame({"id": ["a", "a", None, "b", "a"]})) == 2
    assert count_duplicates(pd.DataFrame({"message": ["a"]})) == 0
