"""Fewer requests than before: lost, or only the day's own course, as at the same time earlier?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kit.episodes.episode import Episode

AS_EARLIER = 1.15
"""It fell as earlier when no more than this factor lies between what remained then and what remains now."""
FEWEST = 30


@dataclass(frozen=True, slots=True)
class Fall:
    """Requests at the same clock time earlier: a second in the window like the baseline, and in that like the harm."""

    before: float
    now: float
    requests: float

    @property
    def remained(self) -> float:
        """Which share of the requests a second was left?"""
        return self.now / self.before if self.before > 0 else float("nan")


def without_quiet_hours(
    episodes: Sequence[Episode], earlier: Mapping[int, Mapping[str, Fall]]
) -> tuple[tuple[Episode, ...], tuple[str, ...]]:
    """Which episodes of lost traffic are none, because it fell at the same time earlier as well? And what was compared.

    `earlier`: per position of an episode, the falls by the name of the earlier time in words. An earlier time with
    fewer than 30 requests is no data; where there is none at all the fall stands, and it is said that the day's own
    course is not known.

    >>> without_quiet_hours((), {})
    ((), ())
    """
    kept, said = [], []
    for number, episode in enumerate(episodes):
        if episode.hurts != "lost":
            kept.append(episode)
            continue
        reading = next(r for r in episode.readings if r.signal == "traffic_rps")
        remains = reading.now / reading.before if reading.before else 1.0
        falls = {name: f for name, f in earlier.get(number, {}).items() if f.requests >= FEWEST and f.before > 0}
        alike = [name for name, fall in falls.items() if fall.remained <= AS_EARLIER * remains]
        if alike:
            said.append(f"traffic fell {alike[0]} as well: the day's own course, not lost")
            continue
        kept.append(episode)
        said += [f"{name} {fall.remained:.0%} of the traffic remained at this time" for name, fall in falls.items()]
        if not falls:
            said.append("no data of the same clock time earlier: whether traffic falls then on other days is not known")
    return tuple(kept), tuple(said)
