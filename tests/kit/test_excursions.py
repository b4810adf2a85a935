"""When does a level that is only known bin by bin count as risen?"""

from __future__ import annotations

import numpy as np

from kit.numerics.excursions import excursions, level_evidence

USUAL = [0.20, 0.21, 0.19, 0.20, 0.22, 0.18] * 6


def ill(values: list[float]) -> list[tuple[int, int]]:
    found = excursions(level_evidence(np.array(values), factor=1.5).llr)
    return [(e.first, e.last) for e in found if e.p <= 0.01]


def test_four_bins_at_three_times_the_usual_are_ill():
    assert ill([*USUAL[:20], 0.6, 0.62, 0.61, 0.6, *USUAL[:12]]) == [(20, 23)]


def test_one_bin_alone_is_not_however_high():
    assert ill([*USUAL[:20], 9.0, *USUAL[:12]]) == []


def test_a_level_that_wanders_by_itself_is_not():
    slow = 0.2 * np.exp(0.25 * np.sin(np.arange(48) / 4))
    assert ill(list(slow)) == []


def test_no_value_at_all_is_no_evidence():
    assert np.isnan(level_evidence(np.full(20, np.nan), factor=1.5).llr).all()
