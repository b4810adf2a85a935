"""Incidents built from recordings: a fault on a small part of the traffic, two faults at once, clients that give up."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from connectors.window import utc
from kit.case import Case, open_case
from kit.findings import read_truth
from kit.slices import slice_where
from kit.symptom import find_symptom
from kit.working_copy import working_copy
from tests.incidents.built import spliced, thinned
from tests.incidents.walking import SAMPLES

FAULT, OTHER = "bad_deploy", "pool_starved_by_slow_query"


def cut_of(slug: str) -> list[str]:
    return read_truth(SAMPLES / slug)["episodes"][0]["cut"]["between"]


def class_of(slug: str) -> str:
    return read_truth(SAMPLES / slug)["episodes"][0]["failure"]["name"]


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> Case:
    return open_case(thinned(FAULT, tmp_path_factory.mktemp("few") / "case"))


def test_a_fault_on_less_than_a_hundredth_of_the_traffic_gets_the_same_class_and_cut(few):
    (episode,) = few.symptom.episodes
    rows = few.request_rows
    during = rows[(rows["time"] >= few.incident.start) & (rows["time"] < few.incident.end)]
    assert 0.003 < during["failed"].mean() < 0.008
    assert episode.routes == ("/pay",)
    assert few.diagnosis.name == class_of(FAULT)
    assert few.cut.between in cut_of(FAULT)
    assert few.suspects.ranked[0].ref == "checkout-v1.42.0"


def test_the_board_of_a_slice_stands_beside_the_whole(few):
    assert slice_where(few.symptom, few.episode) == "route IN ('/pay')"
    reading = next(r for r in few.board.readings if r.signal == "client/requests.errors_ratio")
    assert reading.arrow == "up"
    assert reading.now > 3 * reading.control_now


def test_two_faults_that_overlap_are_two_episodes_with_two_cuts_and_the_residual_is_told(tmp_path):
    case = open_case(spliced(OTHER, FAULT, tmp_path / "case", route="/pay", earlier=timedelta(seconds=854)))
    first, second = case.symptom.episodes
    assert first.onset.earliest < second.onset.earliest < first.recovered.earliest < second.recovered.earliest
    assert first.baseline.end < first.onset.earliest
    assert second.baseline.end < first.onset.earliest
    told = case.episodes.to_frame()
    assert told["failure"].tolist() == [class_of(OTHER), class_of(FAULT)]
    assert told["between"].iloc[0] in cut_of(OTHER)
    assert told["between"].iloc[1] in cut_of(FAULT)
    assert case.episodes.residual < 0.25
    assert "2 episodes" in case.episodes.headline


def test_clients_that_give_up_after_a_lock_date_the_onset_at_the_lock(tmp_path):
    case = open_case(working_copy(SAMPLES / "midnight_job", tmp_path / "case"))
    rows = case.request_rows
    patience_s = 0.4
    hung = rows["duration_s"] > 1.0
    ended = rows["time"] - pd.to_timedelta(np.where(hung, rows["duration_s"] - patience_s, 0.0), unit="s")
    given_up = rows.assign(
        time=ended,
        duration_s=rows["duration_s"].mask(hung, patience_s),
        failed=rows["failed"] & ~hung,
        **{"http.response.status_code": rows["http.response.status_code"].mask(hung, 499)},
    ).sort_values("time")
    objectives = [{"signal": "errors_ratio", "limit": 0.01}, {"signal": "latency_p99_s", "limit": 0.5}]
    episode = find_symptom(given_up, window=case.look, objectives=objectives).episodes[0]
    lock = utc(read_truth(SAMPLES / "midnight_job")["episodes"][0]["onset"]["earliest"])
    assert "slow_ratio" in episode.signals
    assert episode.onset.earliest <= lock + timedelta(seconds=6)
    assert lock <= episode.onset.latest
    assert episode.onset.width_s <= 30
