"""The request path, boundary by boundary: is a call good as it leaves, good as it arrives, and where to probe next?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kit.focus import Focus
from kit.path import ARROW, Cut, Probe, Probes
from kit.pins import Pins
from kit.plain_text import escaped, visible
from kit.result import table_html
from kit.widgets.alive import Alive, pick, state

if TYPE_CHECKING:
    import pandas as pd

NEXT = "probe next"


class PathProbe(Alive):
    """The path of `probes` with the cut marked. `.value` is the chosen boundary (`caller → callee`), None: none.

    A boundary that is picked shows its readings and moves the focus to it and its callee; *probe next* picks the hop
    without a verdict that would tell most. Static twin: the table of the probes. Empty without a path.
    """

    def __init__(
        self,
        probes: Probes,
        cut: Cut,
        *,
        focus: Focus | None = None,
        pins: Pins | None = None,
        evidence: Sequence[str] = (),
    ) -> None:
        super().__init__(kind="path", title=cut.headline, focus=focus, pins=pins, evidence=evidence)
        self.probes, self.cut = probes, cut
        self._sides: dict[str, dict[str, Probe]] = {}
        self._named: dict[str, str] = {}
        for probe in probes.probes:
            sides = self._sides.setdefault(probe.boundary, {})
            self._named[visible(probe.boundary)] = probe.boundary  # as the browser says it
            if probe.side not in sides or probe.health == "bad":
                sides[probe.side] = probe
        self.draw()

    @property
    def value(self) -> str | None:  # type: ignore[override]
        """The chosen boundary."""
        chosen = self.focus.chosen.boundary
        return chosen if chosen in self._sides else None

    @property
    def readings(self) -> pd.DataFrame:
        """The readings of the chosen boundary; of all while none is chosen."""
        table = self.probes.to_frame()
        return table if self.value is None else table[table["boundary"] == self.value].reset_index(drop=True)

    @property
    def code(self) -> str:
        """The line that gives the same readings."""
        where = f".loc[lambda t: t['boundary'] == {self.value!r}]" if self.value else ""
        return f"case.probes.to_frame(){where}"

    @property
    def twin(self) -> str:
        """The probes as a static result."""
        return self.probes._repr_html_()

    def _parts(self) -> frozenset[str]:
        return frozenset({"boundary", "service"})

    def _status(self) -> str:
        if not self._sides:
            return self.probes.because[0] if self.probes.because else "There is no path to probe."
        if self.value is None:
            return f"{self.probes.headline}. Choose a boundary to see what it rests on."
        sides = self._sides[self.value]
        told = ", ".join(f"{name} {sides[name].health}" for name in ("leaves", "arrives") if name in sides)
        return f"{self.value}: {told}."

    def _picked(self, name: str) -> None:
        if name == NEXT:
            name = self._next() or ""
        name = self._named.get(name, name)
        if name in self._sides:
            self.focus.choose("boundary", name)
            self.focus.choose("service", name.split(ARROW)[-1])

    def _cleared(self) -> None:
        self.focus.choose("boundary", None)

    def _next(self) -> str | None:
        """The boundary into the hop that should be probed next."""
        wanted = self.cut.next_probe
        return next((b for b in self._sides if wanted and b.split(ARROW)[-1] == wanted), None)

    def _shown(self) -> list[str]:
        return [_told(r) for side in self._chosen() for r in side.readings][:8]

    def _chosen(self) -> list[Probe]:
        return [p for p in self.probes.probes if p.boundary == self.value]

    def _markup(self) -> str:
        if not self._sides:
            return '<p class="ik-soft">Nothing to probe: write the path into path.toml, an edge a row.</p>'
        rows = "".join(self._row(name, depth) for name, depth in _in_order(self.probes))
        head = "".join(
            f"<th scope=col>{t}</th>" for t in ("boundary", "leaves the caller", "arrives at the callee", "")
        )
        opened = '<table class="ik-grid" aria-label="The request path">'
        table = f"{opened}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        return table + self._advice() + self._detail()

    def _row(self, name: str, depth: int) -> str:
        sides = self._sides[name]
        cells = "".join(f"<td>{_cell(sides.get(side))}</td>" for side in ("leaves", "arrives"))
        broken = [b for b in self.cut.breaks if b.between == name]
        mark = f'<span class="ik-break">◀ breaks {escaped(broken[0].where)}</span>' if broken else ""
        following = self.focus.chosen.service in name.split(ARROW) and self.value is None
        label = f"{name}{', the break' if broken else ''}"
        chosen = pick(name, pressed=name == self.value or following, label=label)
        button = f'<div class="ik-cell" {chosen} style="margin-left:{18 * depth}px">{escaped(name)}</div>'
        return f"<tr><td>{button}</td>{cells}<td>{mark}</td></tr>"

    def _advice(self) -> str:
        wanted = self.cut.next_probe
        if wanted is None:
            return '<p class="ik-soft">Every hop that could hide the fault has a verdict: nothing is left to probe.</p>'
        left = f", at most {self.cut.cuts_left} such probes left" if self.cut.cuts_left > 1 else ""
        button = f'<button class="ik-button ik-next" {pick(NEXT, pressed=False)}>Probe next: {escaped(wanted)}</button>'
        return f'{button} <span class="ik-soft">it has no verdict and splits the rest most evenly{left}</span>'

    def _detail(self) -> str:
        if self.value is None:
            return ""
        table = self.readings
        shown = ["side", "signal", "verdict", "before", "after", "low", "high", "n_after", "why"]
        if table["signal"].isna().all():
            callee = escaped(self.value.split(ARROW)[-1])
            text = f"No source shows this boundary: add metrics, a log or spans of {callee} to sources.toml."
            return f'<div class="ik-detail">{text}</div>'
        grid = table_html(table[shown], limit=30).replace('class="ik-table"', 'class="ik-grid"')
        return f'<div class="ik-detail"><strong>{escaped(self.value)}</strong>{grid}</div>'


def _cell(probe: Probe | None) -> str:
    if probe is None:
        return '<span class="ik-soft">—</span>'
    bad = [r for r in probe.readings if r.health == "bad"]
    worst = max(bad, key=lambda r: r.size, default=None)
    told = f'<br><span class="ik-soft">{escaped(worst.why)}</span>' if worst is not None else ""
    return f"{state(str(probe.health), text='not visible' if probe.health == 'unknown' else '')}{told}"


def _told(reading: Any) -> str:
    return f"{reading.signal}: {reading.before:.4g} → {reading.after:.4g}, {reading.health} ({reading.why})"


def _in_order(probes: Probes) -> list[tuple[str, int]]:
    """The boundaries from the outermost node inwards, each with its depth; every one once."""
    order: list[tuple[str, int]] = []
    outer = [p for p in probes.probes if p.caller is None]
    calls: dict[str, list[str]] = {}
    for caller, callee, _, _ in probes.edges:
        if callee not in calls.setdefault(caller, []):
            calls[caller].append(callee)
    seen: set[str] = set()

    def add(boundary: str, node: str, depth: int) -> None:
        if boundary in seen:
            return
        seen.add(boundary)
        order.append((boundary, depth))
        for callee in calls.get(node, []):
            add(f"{node}{ARROW}{callee}", callee, min(depth + 1, 12))

    for probe in outer:
        add(probe.boundary, probe.callee, 0)
    for probe in probes.probes:
        add(probe.boundary, probe.callee, 0)
    return order
