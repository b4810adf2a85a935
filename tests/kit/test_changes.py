"""What moved before it did: time, scope and the base rate, then what lies at the break."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from connectors.errors import NaiveTime
from connectors.window import Window, utc
from kit.changes import rank_changes, rerank_changes
from kit.contributions import contribution
from kit.numerics.moments import Moment
from kit.summary import summarize

ONSET = Moment(utc("2026-03-01T02:14:00Z"), utc("2026-03-01T02:14:10Z"), utc("2026-03-01T02:14:20Z"))
HISTORY = Window.of("2026-02-28T02:00Z", "2026-03-01T02:30Z")
PATH = pd.DataFrame(
    {"caller": ["nginx", "checkout", "checkout", "payments"], "callee": ["checkout", "postgres", "payments", "fraud"]}
)


def change(time: str, summary: str, **more):
    return {"id": summary, "time": f"2026-03-01T{time}Z", "kind": "deploy", "service": None, "summary": summary, **more}


def table(*changes):
    frame = pd.DataFrame(changes)
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601")
    if "until" in frame:
        frame["until"] = pd.to_datetime(frame["until"], utc=True, format="ISO8601")
    return frame


def ranks(suspects):
    return {s.id: s.rank for s in suspects.suspects}


def test_turned_at_02_14_deployed_at_02_13_comes_out_first():
    found = rank_changes(
        table(
            change("00:30:00", "old"),
            change("02:13:00", "checkout 4.7"),
            change("02:16:00", "rollback", reverts="checkout 4.7"),
        ),
        ONSET,
    )
    assert found.ranked[0].summary == "checkout 4.7"
    assert ranks(found)["rollback"] is None
    assert found.responses[0].summary == "rollback"
    assert found.ranked[0].reverted_by == "rollback"
    assert "02:13:00" in found.headline


def test_relations_follow_the_onsets_interval():
    found = rank_changes(table(change("02:13:59", "a"), change("02:14:10", "b"), change("02:14:21", "c")), ONSET)
    assert {s.id: s.relation for s in found.suspects} == {"a": "before", "b": "within_uncertainty", "c": "after"}


def test_an_unknown_base_rate_is_said():
    found = rank_changes(table(change("02:13:00", "a")), ONSET)
    assert np.isnan(found.suspects[0].p_coincidence)
    assert any("base rate unknown" in reason for reason in found.because)
    assert "base rate unknown" in found.headline


def test_the_base_rate_is_one_minus_exp_of_rate_times_window():
    changes = [change("02:13:20", "near")]
    changes += [{**change("02:00:00", f"d{n}"), "time": f"2026-02-28T{n:02d}:00:00Z"} for n in range(3, 24)]
    found = rank_changes(table(*changes), ONSET, history=HISTORY)
    near = next(s for s in found.suspects if s.id == "near")
    seconds = (utc("2026-03-01T02:13:20Z") - HISTORY.start).total_seconds()
    assert near.p_coincidence == pytest.approx(1 - np.exp(-21.5 / seconds * (120 + 20)), rel=1e-3)


def test_an_hour_with_many_deploys_says_nothing_of_one_half_an_hour_before():
    changes = [change(f"01:{minute}:00", f"d{minute}") for minute in (10, 20, 30, 40, 44)]
    history = Window.of("2026-03-01T00:54Z", HISTORY.end)
    of = {s.id: s for s in rank_changes(table(*changes), ONSET, history=history).suspects}
    assert of["d44"].p_coincidence == pytest.approx(1 - np.exp(-4.5 / 3000 * 1820), rel=1e-3)
    assert of["d44"].rank is None
    assert np.isnan(of["d30"].p_coincidence)  # 36 minutes of history for a stretch of 44


def test_what_came_earlier_counts_for_the_base_rate_and_is_no_suspect():
    near = change("02:13:20", "near")
    before = [{**change("02:00:00", f"d{n}"), "time": f"2026-02-28T{n:02d}:00:00Z"} for n in range(3, 24)]
    whole = rank_changes(table(near, *before), ONSET, history=HISTORY)
    found = rank_changes(table(near), ONSET, history=HISTORY, earlier=table(*before))
    assert [s.id for s in found.suspects] == ["near"]
    assert found.suspects[0].p_coincidence == next(s for s in whole.suspects if s.id == "near").p_coincidence > 0.02


def test_with_a_deploy_every_75_s_none_is_a_suspect_by_time_alone():
    start = utc("2026-03-01T00:00:10Z")
    times = [start + timedelta(seconds=75 * n) for n in range(120)]
    rows = [
        {"id": f"d{n}", "time": t, "kind": "deploy", "service": None, "summary": f"build {n}"}
        for n, t in enumerate(times)
    ]
    found = rank_changes(pd.DataFrame(rows), ONSET, history=Window.of("2026-03-01T00:00Z", "2026-03-01T02:30Z"))
    assert found.ranked == ()
    assert "so often" in found.headline
    assert not any(s.by_time for s in found.suspects if s.relation == "before")
    page = summarize({"verdict": "incident", "episodes": [{}], **contribution(found)[1]}, title="x")
    assert any("cannot be told by time: changes come so often" in line for line in page.unknown)


def test_scope_comes_from_the_path():
    rows = [change("02:13:30", s, service=s) for s in ("checkout", "payments", "fraud", "billing")]
    found = rank_changes(table(*rows), ONSET, path=PATH, symptom="checkout/errors.ratio")
    assert [s.id for s in found.suspects] == ["checkout", "payments", "fraud", "billing"]
    assert ranks(found)["billing"] is None


def test_no_onset_suspects_nothing():
    found = rank_changes(table(change("02:13:00", "a")), None)
    assert found.ranked == ()
    assert found.to_frame()["rank"].isna().all()


def test_no_changes_is_an_answer():
    found = rank_changes(table(change("02:13:00", "a")).iloc[:0], ONSET)
    assert found.ranked == ()
    assert "no recorded change" in found.headline


def test_a_change_that_needs_a_restart_stands_at_the_restart():
    rows = table(
        change("01:00:00", "pool size 2", kind="config", service="checkout", takes_effect="restart"),
        change("02:13:50", "checkout restarted", kind="restart", service="checkout", takes_effect="now"),
    )
    found = rank_changes(rows, ONSET)
    config = next(s for s in found.suspects if s.id == "pool size 2")
    assert config.rank is not None
    assert config.effect == utc("2026-03-01T02:13:50Z")
    assert any("woken by checkout restarted" in reason for reason in config.because)


def test_a_change_that_nothing_woke_is_no_suspect():
    rows = table(change("02:13:00", "pool size 2", kind="config", service="checkout", takes_effect="restart"))
    found = rank_changes(rows, ONSET)
    assert found.ranked == ()
    assert any("had not taken effect" in reason for reason in found.suspects[0].because)


def test_an_expiry_stands_at_its_instant():
    rows = table(
        change(
            "00:00:00", "certificate of api", kind="certificate", takes_effect="expiry", until="2026-03-01T02:14:00Z"
        )
    )
    found = rank_changes(rows, ONSET)
    assert found.ranked[0].effect == utc("2026-03-01T02:14:00Z")


def test_naive_times_are_refused():
    with pytest.raises(NaiveTime):
        rank_changes(table(change("02:13:00", "a")).assign(time=pd.to_datetime(["2026-03-01T02:13:00"])), ONSET)


class Cut:
    between, first_bad, last_good = "checkout → postgres", ("postgres",), ("checkout",)


def test_at_the_break_the_migration_outranks_the_harmless_deploy():
    rows = table(
        change("02:13:30", "deploy payments 2.7.4", service="payments"),
        change("02:13:00", "apply 0042_drop_orders_customer_id_idx.sql", kind="schema", service="postgres"),
    )
    first = rank_changes(rows, ONSET, path=PATH, symptom="checkout")
    second = rerank_changes(first, cut=Cut(), texts=["SELECT orders WHERE customer_id = $1"], path=PATH)
    assert second.ranked[0].kind == "schema"
    assert any("speaks of customer" in reason for reason in second.ranked[0].because)
    assert second.ranked[1].score < 0.5 * second.ranked[0].score


def test_a_version_split_lifts_its_deploy():
    rows = table(change("02:13:00", "web 4.7", ref="web-4.7", after="4.7"), change("02:13:10", "api 1.2", after="1.2"))
    split = pd.DataFrame(
        [
            {
                "sign": "more",
                "fields": ("version",),
                "values": ("4.7",),
                "explains": 0.9,
                "bad_share": 0.95,
                "good_share": 0.1,
            }
        ]
    )
    second = rerank_changes(rank_changes(rows, ONSET), differences=split)
    assert second.ranked[0].id == "web 4.7"
    assert any("ran on 4.7" in reason for reason in second.ranked[0].because)


def test_content_lifts_a_change_that_time_could_not():
    start = utc("2026-03-01T00:00:10Z")
    rows = [
        {
            "id": f"d{n}",
            "time": start + timedelta(seconds=75 * n),
            "kind": "deploy",
            "service": "web",
            "summary": f"build {n}",
        }
        for n in range(120)
    ]
    rows[105]["summary"] = "build 105: invoice totals"
    first = rank_changes(pd.DataFrame(rows), ONSET, history=Window.of("2026-03-01T00:00Z", "2026-03-01T02:30Z"))
    second = rerank_changes(first, texts=["panic in invoice totals: division by zero"])
    assert [s.id for s in second.ranked] == ["d105"]


def test_the_name_of_its_service_is_no_content():
    rows = [{**change("01:20:00", "deploy payments 2"), "service": "payments"}, change("02:13:00", "deploy web 7")]
    second = rerank_changes(rank_changes(table(*rows), ONSET), texts=["payments answered 503"])
    assert not any("speaks of" in reason for s in second.suspects for reason in s.because)


def test_a_response_stays_a_response_whatever_it_holds():
    rows = table(change("02:15:00", "drop orders customer index", kind="schema", service="postgres"))
    second = rerank_changes(rank_changes(rows, ONSET), cut=Cut(), texts=["SELECT orders WHERE customer_id = $1"])
    assert second.ranked == ()


def test_the_table_has_the_promised_columns():
    frame = rank_changes(table(change("02:13:00", "a")), ONSET).to_frame()
    assert list(frame.columns)[:10] == [
        "id",
        "rank",
        "relation",
        "p_coincidence",
        "ref",
        "kind",
        "service",
        "time",
        "summary",
        "because",
    ]


def test_a_tag_and_the_deploy_that_names_it_are_one_change():
    rows = table(
        change("01:00:00", "merge invoice rounding", ref="web-4.7", takes_effect="restart", service="web"),
        change("02:13:00", "deploy web-4.7", ref="web-4.7", takes_effect="now", service="web"),
    )
    found = rank_changes(rows, ONSET)
    assert [s.id for s in found.suspects] == ["deploy web-4.7"]
    assert found.suspects[0].brings == ("merge invoice rounding",)
    second = rerank_changes(found, texts=["panic in invoice rounding"])
    assert any("speaks of invoice" in reason for reason in second.ranked[0].because)


def test_a_merge_of_no_known_service_stands_behind_the_deploy_that_woke_it():
    rows = table(
        change("01:00:00", "merge 7", takes_effect="restart"),
        change("02:13:00", "deploy web 4.7", takes_effect="now", service="web"),
    )
    found = rank_changes(rows, ONSET, path=PATH, symptom="web")
    assert [s.id for s in found.ranked] == ["deploy web 4.7", "merge 7"]


def test_a_job_acts_from_its_start_not_from_its_end():
    # a report that began before the onset and ended after it was told as a response
    report = change(
        "02:13:51", "nightly-report", kind="job", service="db", takes_effect="schedule", until="2026-03-01T02:15:00Z"
    )
    (found,) = rank_changes(table(report), ONSET).suspects
    assert found.relation == "before"
    assert found.effect == utc("2026-03-01T02:13:51Z")


def test_what_the_data_shows_of_a_dependency_is_a_symptom_and_no_suspect():
    slow = change("02:13:55", "bank was slow for half a minute", kind="dependency", service="bank", derived=True)
    fewer = change("02:13:55", "requests fell", kind="traffic", after="fewer requests", derived=True)
    found = rank_changes(table(slow, fewer), ONSET)
    assert found.ranked == ()
    assert all(any("a symptom" in reason for reason in s.because) for s in found.suspects)
    # speaking of what the lines at the break speak of, and touching it, made it first in the second ranking
    cut = SimpleNamespace(between="shop → bank", first_bad=("bank",))
    assert rerank_changes(found, cut=cut, texts=["call to bank timed out"]).ranked == ()


def test_a_dependencys_own_report_may_be_suspected():
    deployed = change("02:13:55", "bank maintenance", kind="dependency", service="bank")
    assert rank_changes(table(deployed), ONSET).ranked[0].id == "bank maintenance"


def test_a_statement_in_the_databases_log_is_a_suspect_that_nobody_reported():
    dropped = change("02:13:59", "DROP INDEX a", kind="schema", service="postgres", derived=True)
    found = rank_changes(table(dropped), ONSET).ranked[0]
    assert found.derived
    assert any("nobody reported it" in reason for reason in found.because)


def after_all(*rows):
    """Each change's id with whether it is a suspect, and why it is over where it is."""
    found = rank_changes(table(*rows), ONSET)
    over = {s.id: [b for b in s.because if b.endswith(", before the onset")] for s in found.suspects}
    return {s.id: (s.rank is not None, "".join(over[s.id])) for s in found.suspects}


def test_what_was_undone_before_the_onset_is_no_suspect_unless_it_was_just_now():
    back = {**change("02:05:00", "back"), "reverts": "bad"}
    assert after_all(change("02:00:00", "bad"), back)["bad"] == (False, "undone at 02:05:00, before the onset")
    just_now = {**change("02:13:00", "back"), "reverts": "bad"}
    assert after_all(change("02:00:00", "bad"), just_now)["bad"][0]


def test_a_flag_set_anew_and_an_earlier_run_of_a_job_are_replaced_and_a_deploy_is_not():
    def pair(kind, ref="same"):
        more = {"kind": kind, "ref": ref, "service": "web"}
        return {**change("02:00:00", "old"), **more}, {**change("02:05:00", "new"), **more}

    for kind in ("flag", "config", "job", "scale"):
        found = after_all(*pair(kind))
        assert not found["old"][0], kind
        assert found["old"][1].startswith("replaced by")
        assert found["new"] == (True, ""), kind
    assert after_all(*pair("deploy"))["old"] == (True, "")  # the later version has what the earlier one brought
    assert after_all(*pair("flag", None))["old"] == (True, "")  # which flag is not known


def test_what_is_over_stays_out_whatever_it_holds():
    back = {**change("02:05:00", "back"), "reverts": "bad"}
    first = rank_changes(table({**change("02:00:00", "bad"), "summary": "drop index orders_customer"}, back), ONSET)
    again = rerank_changes(first, texts=["SELECT * FROM orders WHERE customer = ?"])
    assert next(s for s in again.suspects if s.id == "bad").rank is None


def test_a_certificate_put_in_place_by_hand_acts_at_once():
    renewed = {**change("02:00:00", "c", kind="certificate"), "time": "2026-02-28T20:00:00Z"}
    assert after_all(renewed)["c"] == (False, "")


def test_what_is_over_in_a_moment_is_no_base_rate_for_a_job_that_runs_for_minutes():
    often = [change(f"01:{m:02}:00", f"sweep {m}", kind="job", service="postgres") for m in range(0, 60, 3)]
    run = change("02:13:50", "clear", kind="job", service="postgres", until="2026-03-01T02:16:00Z")
    found = rank_changes(table(*often, run), ONSET, path=PATH, symptom="checkout", history=HISTORY)
    clear = next(s for s in found.suspects if s.id == "clear")
    assert clear.p_coincidence < 0.01
    assert clear.rank == 1
    longer = [{**c, "until": c["time"].replace(":00Z", ":00Z").replace("T01", "T02")} for c in often]
    busy = rank_changes(table(*longer, run), ONSET, path=PATH, symptom="checkout", history=HISTORY)
    assert next(s for s in busy.suspects if s.id == "clear").p_coincidence > clear.p_coincidence * 10


def test_lying_near_the_break_alone_makes_no_suspect_of_an_old_change():
    old = change("00:30:00", "web 4.6", service="checkout")
    first = rank_changes(table(old, change("02:13:30", "flag x", kind="flag")), ONSET, path=PATH, history=HISTORY)
    at_break = SimpleNamespace(between="nginx → checkout", first_bad=("checkout",), last_good=("nginx",))
    again = rerank_changes(first, cut=at_break, path=PATH)
    assert ranks(again)["web 4.6"] is None
    speaking = rerank_changes(
        first, cut=at_break, path=PATH, texts=["no rounding of currency"], contents={"web 4.6": "rounding"}
    )
    assert ranks(speaking)["web 4.6"] is not None
