"""The sources of a case with their health: what each gave, and, asked by hand, whether it answers now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from connectors.errors import ConnectorError
from kit.coverage import Coverage
from kit.errors import KitError
from kit.focus import Focus
from kit.pins import Pins
from kit.plain_text import escaped
from kit.widgets.alive import Alive, pick, state

if TYPE_CHECKING:
    from kit.plots.chart import Chart

ALL = "ask all"
"""The part that asks every source."""


class SourcePicker(Alive):
    """The sources of `coverage`. `.value` is the chosen source's name, None: none.

    `ask` takes a source's name and gives (reached, one sentence): it is asked only when a hand says so, one source a
    time, with progress. Choosing a source moves the focus to it, the load form follows. Static twin: `strips`.
    """

    def __init__(
        self,
        coverage: Coverage,
        *,
        ask: Callable[[str], tuple[bool, str]] | None = None,
        strips: Chart | None = None,
        zone: str = "UTC",
        focus: Focus | None = None,
        pins: Pins | None = None,
        evidence: Sequence[str] = (),
    ) -> None:
        super().__init__(kind="sources", title="The sources of this case", focus=focus, pins=pins, evidence=evidence)
        self.coverage, self.ask, self.strips, self.zone = coverage, ask, strips, zone
        self.health: dict[str, tuple[bool, str]] = {}
        """What each source said when it was asked by hand."""
        self._asking = ""
        self.draw()

    @property
    def value(self) -> str | None:  # type: ignore[override]
        """The chosen source."""
        chosen = self.focus.chosen.source
        return chosen if any(s.source == chosen for s in self.coverage.sources) else None

    @property
    def code(self) -> str:
        """The line that gives the same."""
        return f"case.source({self.value!r})" if self.value else "case.coverage.to_frame()"

    @property
    def twin(self) -> Any:
        """The strips of coverage as a chart; without one the table."""
        return self.strips if self.strips is not None else self.coverage._repr_html_()

    def _parts(self) -> frozenset[str]:
        return frozenset({"source"})

    def _status(self) -> str:
        if self._asking:
            return f"asking {self._asking} …"
        if not self.coverage.sources:
            return "This case has no source: name one in sources.toml."
        if self.value is None:
            return f"{len(self.coverage.sources)} sources. Choose one, or ask all whether they answer now."
        said = self.health.get(self.value)
        return f"{self.value}: {said[1]}" if said else f"{self.value} is chosen: the load form follows."

    def _picked(self, name: str) -> None:
        if name == ALL:
            self._ask_all()
        elif name.isdigit() and int(name) < len(self.coverage.sources):
            self.focus.choose("source", self.coverage.sources[int(name)].source)

    def _cleared(self) -> None:
        self.focus.choose("source", None)

    def _ask_all(self) -> None:
        if self.ask is None:
            return
        names = list(dict.fromkeys(s.source for s in self.coverage.sources))
        for number, name in enumerate(names, 1):
            self._asking = f"{name} ({number} of {len(names)})"
            self.say(self._status())
            try:
                self.health[name] = self.ask(name)
            except (ConnectorError, KitError) as refused:
                self.health[name] = (False, str(refused))
            self.draw()
        self._asking = ""
        self.draw()
        silent = [n for n in names if not self.health[n][0]]
        self.say(
            f"{len(names) - len(silent)} of {len(names)} answer" + (f"; not {', '.join(silent)}." if silent else ".")
        )

    def _shown(self) -> list[str]:
        return [f"{n}: {'answers' if ok else 'does not answer'}, {said}" for n, (ok, said) in self.health.items()][:8]

    def _markup(self) -> str:
        if not self.coverage.sources:
            return '<p class="ik-soft">Nothing to show.</p>'
        head = "".join(
            f"<th scope=col>{t}</th>" for t in ("source", "pillar", "rows", f"first ({self.zone})", "last", "now")
        )
        rows = "".join(self._row(n, s) for n, s in enumerate(self.coverage.sources))
        opened = '<table class="ik-grid" aria-label="Sources">'
        button = (
            f'<button class="ik-button ik-next" {pick(ALL, pressed=False)}>Ask all now</button>' if self.ask else ""
        )
        gaps = "".join(f"<li>{escaped(g)}</li>" for g in self.coverage.gaps[:12])
        lacks = f"<details><summary>{len(self.coverage.gaps)} gaps</summary><ul>{gaps}</ul></details>" if gaps else ""
        return f"{opened}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{button}{lacks}"

    def _row(self, number: int, seen: Any) -> str:
        name = (
            f'<div class="ik-cell" {pick(str(number), pressed=seen.source == self.value)}>{escaped(seen.source)}</div>'
        )
        times = "".join(f"<td>{self._clock(t)}</td>" for t in (seen.first, seen.last))
        said = self.health.get(seen.source)
        now = '<span class="ik-soft">not asked</span>'
        if said is not None:
            kind = state("good" if said[0] else "bad", text="answers" if said[0] else "does not answer")
            now = f'{kind}<br><span class="ik-soft">{escaped(said[1][:200])}</span>'
        return f"<tr><td>{name}</td><td>{escaped(seen.pillar)}</td><td>{seen.rows:,.0f}</td>{times}<td>{now}</td></tr>"

    def _clock(self, time: Any) -> str:
        return "never" if time is None else f"{pd.Timestamp(time).tz_convert(self.zone):%m-%d %H:%M:%S}"
