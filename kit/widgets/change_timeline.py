"""Every change on one axis of time with the harm shaded: which one, when it took effect, why it is suspected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from connectors.window import Window
from kit.focus import Focus
from kit.pins import Pins
from kit.plain_text import escaped, visible
from kit.suspects import Suspect, Suspects, told_when
from kit.widgets.alive import Alive, pick
from kit.widgets.axis import Axis

if TYPE_CHECKING:
    from kit.plots.chart import Chart

LANE, TOP, WIDTH, LEFT = 24, 12, 1000, 96
MOST = 60
"""Changes that are listed; the rest is counted."""


class ChangeTimeline(Alive):
    """The changes of `suspects` inside `window`, a lane a kind. `.value` is the chosen change's id, None: none.

    A picked change says why it is suspected, and moves the focus to it, to its service, and to the window around it.
    Static twin: the `strip` given, a chart. Empty without changes. Times in `zone`.
    """

    def __init__(
        self,
        suspects: Suspects,
        *,
        window: Window,
        strip: Chart | None = None,
        incident: tuple[pd.Timestamp, pd.Timestamp] | None = None,
        zone: str = "UTC",
        focus: Focus | None = None,
        pins: Pins | None = None,
        evidence: Sequence[str] = (),
    ) -> None:
        super().__init__(kind="changes", title=suspects.headline, focus=focus, pins=pins, evidence=evidence)
        self.suspects, self.window, self.strip, self.incident, self.zone = suspects, window, strip, incident, zone
        inside = [s for s in suspects.suspects if window.contains(s.effect or s.time)]
        self.changes = sorted(inside, key=lambda s: s.effect or s.time)
        self.draw()

    @property
    def value(self) -> str | None:  # type: ignore[override]
        """The id of the chosen change."""
        chosen = self.focus.chosen.change
        return chosen if any(s.id == chosen for s in self.changes) else None

    @property
    def chosen(self) -> Suspect | None:
        """The chosen change as it is suspected."""
        return next((s for s in self.changes if s.id == self.value), None)

    @property
    def code(self) -> str:
        """The line that gives the same rows."""
        where = f".loc[lambda t: t['id'] == {self.value!r}]" if self.value else ""
        return f"case.suspects.to_frame(){where}"

    @property
    def twin(self) -> Any:
        """The symptom with the changes as a chart; without one the table."""
        return self.strip if self.strip is not None else self.suspects._repr_html_()

    def _parts(self) -> frozenset[str]:
        return frozenset({"change", "service"})

    def _status(self) -> str:
        chosen = self.chosen
        if chosen is None:
            n, ranked = len(self.changes), len(self.suspects.ranked)
            if not n:
                return "No change inside the window: what moved is not reported, or nothing did."
            return f"{n} change{'s' * (n != 1)}, {ranked} suspected. Choose one to see why."
        when = f", {told_when(chosen, self.suspects.onset)}" if self.suspects.onset else ""
        return f"{_name(chosen)} at {self._clock(chosen)}{when}."

    def _picked(self, name: str) -> None:
        if not (name.isdigit() and int(name) < len(self.changes)):
            return
        change = self.changes[int(name)]
        self.focus.choose("change", change.id)
        if change.service:
            self.focus.choose("service", change.service)

    def _cleared(self) -> None:
        self.focus.choose("change", None)

    def _shown(self) -> list[str]:
        wanted = [self.chosen] if self.chosen else [s for s in self.changes if s.rank is not None]
        return [f"{self._clock(s)} {_name(s)}" for s in wanted][:8]

    def _clock(self, s: Suspect) -> str:
        return f"{pd.Timestamp(s.effect or s.time).tz_convert(self.zone):%H:%M:%S}"

    def _markup(self) -> str:
        if not self.changes:
            return (
                '<p class="ik-soft">Nothing to draw. Deploys, flags and jobs are read from sources of kind changes.</p>'
            )
        return self._drawing() + self._list() + self._detail()

    def _drawing(self) -> str:
        kinds = list(dict.fromkeys(s.kind for s in self.changes))
        bottom = TOP + LANE * len(kinds)
        axis = Axis(self.window, LEFT, WIDTH - 20, self.zone)
        parts = [f'<svg viewBox="0 0 {WIDTH} {bottom + 22}" aria-label="Changes over time">']
        if self.incident is not None:
            left, right = (axis.x(t) for t in self.incident)
            parts.append(f'<rect class="harm" x="{left}" width="{max(right - left, 1)}" y="0" height="{bottom}"/>')
            parts.append(f'<text x="{left + 3}" y="10">users hurt</text>')
        for n, kind in enumerate(kinds):
            y = TOP + LANE * n + LANE / 2
            parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{escaped(visible(kind)[:16])}</text>')
            parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - 20}" y1="{y}" y2="{y}"/>')
        parts.append(axis.markup(bottom))
        for n, change in enumerate(self.changes):
            x, y = axis.x(change.effect or change.time), TOP + LANE * kinds.index(change.kind) + LANE / 2
            parts.append(f'<line class="change" x1="{x}" x2="{x}" y1="{y}" y2="{bottom}"/>')
            label = f"{self._clock(change)} {_name(change)}" + (f", suspect {change.rank}" if change.rank else "")
            top = " top" if change.rank == 1 else ""
            parts.append(
                f"<g {pick(str(n), pressed=change.id == self.value, label=label)}><title>{escaped(label)}</title>"
                f'<path class="flag{top}" d="M{x} {y - 8}l8 8l-8 8l-8 -8z"/></g>'
            )
        return "".join(parts) + "</svg>"

    def _list(self) -> str:
        order = sorted(self.changes, key=lambda s: (s.rank is None, s.rank or 0, s.time))[:MOST]
        rows = "".join(self._row(s) for s in order)
        more = f'<p class="ik-soft">and {len(self.changes) - MOST} more</p>' if len(self.changes) > MOST else ""
        head = "".join(
            f"<th scope=col>{t}</th>" for t in ("rank", f"time ({self.zone})", "change", "seen from the onset")
        )
        opened = '<table class="ik-grid" aria-label="Changes by rank">'
        return f"{opened}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"

    def _row(self, s: Suspect) -> str:
        number = self.changes.index(s)
        name = f'<div class="ik-cell" {pick(str(number), pressed=s.id == self.value)}>{escaped(_name(s))}</div>'
        when = told_when(s, self.suspects.onset) if self.suspects.onset else "no onset"
        rank = f"{s.rank}" if s.rank is not None else "—"
        return f"<tr><td>{rank}</td><td>{self._clock(s)}</td><td>{name}</td><td class=ik-soft>{escaped(when)}</td></tr>"

    def _detail(self) -> str:
        chosen = self.chosen
        if chosen is None:
            return ""
        reasons = "".join(f"<li>{escaped(r)}</li>" for r in chosen.because) or "<li>nothing speaks for it</li>"
        return f'<div class="ik-detail"><strong>{escaped(_name(chosen))}</strong><ul>{reasons}</ul></div>'


def _name(s: Suspect) -> str:
    service = f"{s.service}: " if s.service else ""
    derived = " (shown by the data, not reported)" if s.derived else ""
    return f"{s.kind} {service}{s.summary}{derived}"[:240]
