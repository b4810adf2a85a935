"""When did these signals turn, taken together? One date for a symptom that several signals show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

import pandas as pd

from connectors.window import Window
from kit.errors import TooShort
from kit.health import kind_of
from kit.onset import Onset, find_onset

RISES = ("latency", "errors", "saturation")
"""Kinds of signal that harm upwards; the others count in both directions."""
CLEAR_P = 0.05
"""A signal with at most this p has a say; surer ones have no more: one very clear signal may turn for itself."""


def find_common_onset(wide: pd.DataFrame, *, baseline: Window) -> Onset | None:
    """When did these signals leave their baseline together?

    `wide`: an aligned frame, DatetimeIndex in UTC, a column a signal (service/name.stat); give the signals of one
    symptom: those of the service where the harm was seen. `baseline`: the healthy stretch, as for `find_onset`. Returns
    the onset of the surest signal of those that turned at the common date; its `because` names the others. None: no
    signal left its baseline beyond chance. Signals that are too short are left out; raises `TooShort` when all are.

    Method: each signal is dated by itself (`find_onset`), in the direction that harms: latency, errors and saturation
    upwards. The date is the one that lies within most of their intervals; each signal with p ≤ .05 has one vote, and of
    equals the earliest is taken. One signal alone follows whatever it does besides; what several share is the date.
    Assumes signals that are measured apart from each other.

    On 53 real faults, in half hours that mostly hold an earlier one, `localize` named the service in 75 % with this
    date and in 81 % with the true one. False alarms: at p ≤ .05 as often as the surest of so many signals; ask first
    whether anything is wrong at all. It misleads when the signals are copies of one measurement (they vote alike), and
    when most of them show another event in the same look.

    >>> import pandas as pd
    >>> times = pd.date_range("2026-03-01T02:00Z", periods=40, freq="15s")
    >>> wide = pd.DataFrame({"shop/http.duration.p99": [0.1, 0.2] * 15 + [0.8, 0.9] * 5,
    ...     "shop/http.errors.ratio": [0.0] * 30 + [0.3] * 10, "shop/cpu.gauge": [0.5, 0.6] * 20}, index=times)
    >>> onset = find_common_onset(wide, baseline=Window.of("2026-03-01T02:00Z", "2026-03-01T02:07Z"))
    >>> onset.time.strftime("%H:%M:%S"), onset.because[-1]
    ('02:07:30', '2 of 3 signals turned then: shop/http.duration.p99, shop/http.errors.ratio')
    """
    found, short = _dated(wide, baseline)
    if short is not None and not found:
        raise short
    clear = {name: o for name, o in found.items() if o is not None and not o.censored and o.p <= CLEAR_P}
    if not clear:
        return None
    time = max(sorted({o.time for o in clear.values()}), key=lambda t: len(_agreeing(clear, t)))
    agreeing = _agreeing(clear, time)
    surest = min((clear[n] for n in agreeing if clear[n].time == time), key=lambda o: o.p)
    others = f"{len(agreeing)} of {len(found)} signals turned then: {', '.join(agreeing[:5])}"
    return replace(surest, because=(*surest.because, others))


def _dated(wide: pd.DataFrame, baseline: Window) -> tuple[dict[str, Onset | None], TooShort | None]:
    found: dict[str, Onset | None] = {}
    short = None
    for name in wide.columns:
        harm = "up" if kind_of(str(name)) in RISES else "either"
        try:
            found[str(name)] = find_onset(wide[name], baseline=baseline, direction=harm)
        except TooShort as error:
            short = error
    return found, short


def _agreeing(onsets: Mapping[str, Onset], time: datetime) -> list[str]:
    """Whose interval holds this time?"""
    return [name for name, onset in onsets.items() if onset.earliest <= time < onset.latest]
