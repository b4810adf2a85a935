"""Which fields are missing, and for want of what a check could not be made."""

from __future__ import annotations

import pandas as pd

from kit.field_coverage import field_gaps, healthy_gap


def log(**share):
    return pd.DataFrame({"name": [n.replace("__", ".") for n in share], "share_present": list(share.values())})


FULL = {"trace_id": 1.0, "version": 1.0, "instance": 1.0, "level": 1.0, "message": 1.0}


def test_a_log_with_everything_leaves_no_gap():
    assert field_gaps({"worker": log(**FULL)}) == ()


def test_logs_that_miss_the_same_field_share_a_sentence():
    without = log(**{k: v for k, v in FULL.items() if k != "trace_id"})
    (said,) = field_gaps({"a": without, "b": without, "c": log(**FULL)})
    assert said == "no trace_id in the logs of a, b: their lines cannot be followed across services"


def test_an_access_log_is_not_asked_for_a_level_nor_a_plain_log_for_durations():
    access = log(trace_id=1.0, version=1.0, instance=1.0, duration_s=1.0, http__response__status_code=1.0, route=1.0)
    assert field_gaps({"nginx": access, "worker": log(**FULL)}) == ()


def test_a_request_log_without_a_status_cannot_tell_what_failed():
    (said,) = field_gaps({"web": log(**FULL, duration_s=1.0, route=1.0)})
    assert "which of their requests failed is not known" in said


def test_the_healthy_stretch_must_be_six_times_the_harm():
    assert healthy_gap(3600, 600) == ()
    assert "six times" in healthy_gap(3000, 600)[0]
