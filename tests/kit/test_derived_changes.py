"""What moved that nobody reported: each kind on data small enough to read, and its silence where nothing moved."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from connectors.window import Window, utc
from kit.derived import (
    certificates,
    dependencies,
    disks,
    jobs,
    reloads,
    restarts,
    scaling,
    statements,
    traffic,
    versions,
)
from kit.derived.rows import derived_row
from kit.derived_changes import contents_of, join_changes

LOOK = Window.of("2026-03-01T02:00Z", "2026-03-01T03:00Z")
AT = pd.date_range("2026-03-01T02:00Z", periods=60, freq="1min")


def lines(*said, service="shop", every="1s", start="2026-03-01T02:30Z", **more):
    times = pd.date_range(start, periods=len(said), freq=every)
    return pd.DataFrame({"time": times, "service": service, "message": list(said), **more})


def test_an_index_dropped_and_made_again_are_a_change_and_its_reversal():
    said = [
        "statement: DROP INDEX CONCURRENTLY IF EXISTS a_idx",
        "duration: 9 ms",
        "statement: CREATE INDEX a_idx ON a (b)",
    ]
    dropped, made = statements.schema_changes(lines(*said, service="postgres"), service="postgres")
    assert dropped["summary"] == "DROP INDEX CONCURRENTLY IF EXISTS a_idx"
    assert dropped["reverts"] is None
    assert made["reverts"] == dropped["id"]


def test_what_only_speaks_of_an_index_is_no_schema_change():
    said = [
        "automatic vacuum of table a: index scans: 1",
        "SELECT 'DROP INDEX a'",
        "statement: CREATE TEMP TABLE x (a int)",
    ]
    assert statements.schema_changes(lines(*said), service="postgres") == []


def test_an_expired_certificate_is_told_by_whose_it_is_and_the_first_refusal():
    said = ["call to bank failed: certificate has expired"] * 3
    (row,) = certificates.refused_certificates(lines(*said), window=LOOK)
    assert (row["summary"], row["time"]) == ("the certificate of bank expired", utc("2026-03-01T02:30:00Z"))
    assert row["takes_effect"] == "expiry"


def test_a_refusal_that_names_the_end_is_dated_by_it():
    said = [
        "x509: certificate has expired or is not yet valid: "
        "current time 2026-03-01T02:30:09Z is after 2026-03-01T02:29:00Z"
    ] * 3
    (row,) = certificates.refused_certificates(lines(*said, **{"peer.service": "bank"}), window=LOOK)
    assert row["time"] == utc("2026-03-01T02:29:00Z")


def test_who_only_hands_a_refusal_on_has_no_expired_certificate():
    deep = lines(*["call to bank failed: certificate has expired"] * 3, service="pay")
    relayed = lines(*["call to pay failed: 502 call to bank failed: certificate has expired"] * 3, service="shop")
    found = certificates.refused_certificates(pd.concat([deep, relayed], ignore_index=True), window=LOOK)
    assert [r["service"] for r in found] == ["bank"]


def test_two_refusals_are_no_expiry():
    assert certificates.refused_certificates(lines(*["certificate has expired"] * 2), window=LOOK) == []


def test_certificates_that_end_in_the_look_soon_after_and_much_later():
    ends = {"a": utc("2026-03-01T02:14Z"), "b": utc("2026-03-05T00:00Z"), "c": utc("2026-09-01T00:00Z")}
    assert [r["summary"] for r in certificates.expiring(ends, window=LOOK)] == [
        "the certificate of a expired",
        "the certificate of b expires on 2026-03-05 00:00",
    ]


def test_the_probes_metric_gives_the_last_end_it_saw():
    values = [1772331240.0, 1772331240.0, np.nan]
    metrics = pd.DataFrame({"time": AT[:3], "service": "bank", "value": values})
    assert certificates.probed_ends(metrics) == {"bank": utc("2026-03-01T02:14:00Z")}


def test_a_surge_is_told_from_begin_to_end_and_steady_traffic_is_not():
    counts = np.where((np.arange(60) >= 20) & (np.arange(60) < 40), 180.0, 60.0) + np.arange(60) % 3
    (row,) = traffic.traffic_changes(pd.Series(counts, index=AT), service="edge")
    assert row["summary"] == "requests of edge rose from 1.02 to 3.02 a second"
    assert (row["time"], row["until"]) == (AT[20], AT[40])
    steady = pd.Series(60.0 + np.arange(60) % 3, index=AT)
    assert traffic.traffic_changes(steady, service="edge") == []


def test_a_fall_says_that_fewer_ask():
    counts = np.where(np.arange(60) >= 30, 20.0, 60.0) + np.arange(60) % 3
    (row,) = traffic.traffic_changes(pd.Series(counts, index=AT), service="edge")
    assert row["after"] == traffic.FEWER
    assert row["until"] is None


def test_a_full_disk_a_filling_one_and_one_that_stays():
    wide = pd.DataFrame(
        {
            "a/filesystem.usage.ratio": np.minimum(1.0, 0.5 + np.arange(60) / 80),
            "b/filesystem.usage.ratio": np.linspace(0.5, 0.6, 60),
            "c/filesystem.usage.ratio": 0.7 + 0.01 * (np.arange(60) % 2),
        },
        index=AT,
    )
    full, filling = disks.filling_disks(wide, window=LOOK)
    assert (full["summary"], full["time"]) == ("the disk of a is full", AT[39])
    # 0.4 more at 0.1 in 59 minutes: 236 minutes after the end of the line
    assert abs((filling["until"] - (AT[59] + timedelta(minutes=236))).total_seconds()) < 60
    assert filling["takes_effect"] == "expiry"


def test_restarts_of_one_service_within_half_a_minute_are_one_with_their_share():
    first = utc("2026-03-01T02:10:05Z").timestamp()
    old = 1.0e9
    wide = pd.DataFrame(
        {
            "pay@1/process.start_time.gauge": [old] * 10 + [first] * 50,
            "pay@2/process.start_time.gauge": [old] * 11 + [first + 20] * 49,
            "pay@3/process.start_time.gauge": [old] * 60,
        },
        index=AT,
    )
    (row,) = restarts.restarted(wide, window=LOOK)
    assert (row["summary"], row["time"]) == ("pay restarted (2 of 3)", utc("2026-03-01T02:10:05Z"))
    assert row["fraction"] == pytest.approx(2 / 3)


def test_a_kill_for_memory_names_the_process_and_other_lines_nothing():
    said = lines("Out of memory: Killed process 4242 (java) total-vm:1kB", "memory is fine", service="kernel")
    (row,) = restarts.killed_for_memory(said)
    assert row["summary"] == "java was killed: out of memory"


def test_a_configuration_read_anew_is_a_change_told_once():
    said = lines("reloading configuration", "config reloaded: pool.size 20 -> 2, retries 1", every="2s")
    (row,) = reloads.reloaded(said)
    assert (row["kind"], row["service"], row["time"]) == ("config", "shop", utc("2026-03-01T02:30:00Z"))
    assert row["summary"] == "reloading configuration; config reloaded: pool.size 20 -> 2, retries 1"
    assert (row["before"], row["after"]) == ("20", "2")


@pytest.mark.parametrize(
    "said",
    [
        lines("config reload failed: no such file", "invalid new config, keeping the old"),
        lines(*["config reloaded"] * 7, every="5min"),
        lines(),
    ],
    ids=["refused", "by habit", "nothing said"],
)
def test_no_change_is_told_of_a_configuration_that(said):
    assert reloads.reloaded(said) == []


def test_a_reload_is_the_reported_change_that_it_follows():
    log = pd.DataFrame({"id": ["c1"], "time": [utc("2026-03-01T02:29:30Z")], "kind": "config", "service": "shop",
                        "summary": "pool.size", "until": pd.NaT})  # fmt: skip
    (row,) = reloads.reloaded(lines("config reloaded"))
    assert list(join_changes(log, [row])["id"]) == ["c1"]
    assert contents_of(log, [row]) == {"c1": "config reloaded"}
    (other,) = reloads.reloaded(lines("config reloaded", service="bank"))
    assert list(join_changes(log, [other])["id"]) == ["c1", other["id"]]


def test_one_missed_scrape_is_no_scale_in():
    values = np.ones(60)
    values[30] = np.nan
    wide = pd.DataFrame({"web@1/cpu.gauge": np.ones(60), "web@2/cpu.gauge": values}, index=AT)
    assert scaling.scaled(wide) == []


def test_a_version_there_from_the_begin_is_no_change():
    counts = pd.DataFrame({"time": AT, "version": "1", "n": 9.0})
    assert versions.appeared(counts, service="shop") == []


def test_a_job_every_five_minutes_is_found_and_two_runs_are_none():
    load = pd.Series(0.1, index=AT)
    load[np.arange(60) % 10 == 0] = 0.9
    found = jobs.recurring_bursts(load, service="db", what="cpu")
    assert {r["summary"] for r in found} == {"job on db: cpu bursts about every 10 min"}
    assert len(found) == 6
    twice = pd.Series(0.1, index=AT)
    twice.iloc[[10, 40]] = 0.9
    assert jobs.recurring_bursts(twice, service="db", what="cpu") == []


def test_a_dependency_slow_for_half_a_minute_while_the_harm_went_on():
    at = pd.date_range("2026-03-01T02:00Z", periods=60, freq="10s")
    values = np.where((np.arange(60) >= 30) & (np.arange(60) < 33), 2.0, 0.05)
    wide = pd.DataFrame({"pay/bank.p99": values}, index=at)
    calls = [("bank", "pay/bank.p99")]
    long = Window(at[30].to_pydatetime(), at[50].to_pydatetime())
    before = Window(at[0].to_pydatetime(), at[28].to_pydatetime())
    (row,) = dependencies.passing_slowness(wide, calls, baseline=before, incident=long)
    assert (row["summary"], row["until"]) == ("bank was slow for half a minute", at[33])
    short = Window(at[30].to_pydatetime(), at[33].to_pydatetime())
    assert dependencies.passing_slowness(wide, calls, baseline=before, incident=short) == []


def reported(**more):
    row = {"id": "d1", "time": AT[10], "until": AT[11], "kind": "deploy", "service": "shop", "summary": "shop 2"}
    return pd.DataFrame([{**row, "fraction": np.nan, "takes_effect": "now", "reverts": None, **more}])


def test_what_is_reported_is_not_told_twice_and_gets_the_fraction_that_was_seen():
    seen = derived_row("deploy", AT[10].to_pydatetime(), "shop 2 appeared (1 before)", service="shop", fraction=0.3)
    joined = join_changes(reported(), [seen])
    assert joined["id"].tolist() == ["d1"]
    assert joined["fraction"].tolist() == [0.3]
    assert contents_of(reported(), [seen]) == {"d1": "shop 2 appeared (1 before)"}


def test_another_services_version_and_a_much_later_one_stand_for_themselves():
    other = derived_row("deploy", AT[10].to_pydatetime(), "pay 2 appeared", service="pay", fraction=0.3)
    later = derived_row("deploy", AT[30].to_pydatetime(), "shop 3 appeared", service="shop", fraction=0.3)
    joined = join_changes(reported(), [other, later])
    assert joined["summary"].tolist() == ["shop 2", "pay 2 appeared", "shop 3 appeared"]
    assert joined["derived"].fillna(False).tolist() == [False, True, True]


def test_a_certificates_end_is_never_folded_into_its_renewal():
    end = derived_row("certificate", AT[10].to_pydatetime(), "the certificate of shop expired", service="shop",
                      takes_effect="expiry")  # fmt: skip
    assert len(join_changes(reported(kind="certificate"), [end])) == 2


def test_the_end_that_a_pem_file_tells_is_the_one_that_clients_noticed():
    told = reported(kind="certificate", service="bank", takes_effect="expiry")
    later = AT[10].to_pydatetime() + timedelta(seconds=90)
    said = "the certificate of bank expired"
    noticed = derived_row("certificate", later, said, service="bank", takes_effect="expiry")
    assert join_changes(told, [noticed])["id"].tolist() == ["d1"]
    other = {**noticed, "service": "shop"}
    assert len(join_changes(told, [other])) == 2
