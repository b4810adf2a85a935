"""The golden-signal board: four kinds × services, a small line each; a click brings a service into focus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from kit.focus import Focus
from kit.golden_signals import ARROWS, KINDS, SignalBoard, SignalReading, shown
from kit.pins import Pins
from kit.plain_text import escaped
from kit.result import table_html
from kit.widgets.alive import Alive, pick
from kit.widgets.spark import spark

if TYPE_CHECKING:
    from kit.plots.chart import Chart


class GoldenBoard(Alive):
    """`board` as a grid, services by when they moved first. `.value` is the chosen service, None: none.

    `wide` is the aligned frame the board was read from; `changes` are CHANGES, drawn in every cell. A picked cell puts
    its service and signal into the focus and lists all readings of the service. Static twin: the board's chart.
    """

    def __init__(
        self,
        board: SignalBoard,
        wide: pd.DataFrame,
        *,
        incident: tuple[pd.Timestamp, pd.Timestamp],
        changes: pd.DataFrame | None = None,
        zone: str = "UTC",
        focus: Focus | None = None,
        pins: Pins | None = None,
        evidence: Sequence[str] = (),
    ) -> None:
        super().__init__(kind="board", title=board.headline, focus=focus, pins=pins, evidence=evidence)
        self.board, self.wide, self.incident, self.changes, self.zone = board, wide, incident, changes, zone
        cells = board.cells().sort_values("onset", na_position="last", kind="stable")
        self._services = list(dict.fromkeys(str(s) for s in cells["service"]))
        self.draw()

    @property
    def value(self) -> str | None:  # type: ignore[override]
        """The chosen service."""
        chosen = self.focus.chosen.service
        return chosen if chosen in self._services else None

    @property
    def code(self) -> str:
        """The line that gives the same readings."""
        where = f".loc[lambda t: t['service'] == {self.value!r}]" if self.value else ""
        return f"case.board.to_frame(){where}"

    @property
    def twin(self) -> Chart:
        """The board as a chart."""
        from kit.plots.board import signal_board

        made = signal_board(
            self.board.cells(),
            self.wide,
            title=self.title,
            incident=self.incident,
            changes=self.changes,
            zone=self.zone,
        )
        return made.citing(*self.evidence)

    def _parts(self) -> frozenset[str]:
        return frozenset({"service", "signal"})

    def _status(self) -> str:
        if not self._services:
            return self.board.because[0] if self.board.because else "No golden signal was measured."
        if self.value is None:
            count = f"{len(self._services)} services, {len(self.board.readings)} signals"
            return f"{count}; onsets in {self.zone}. Choose a cell to see its service."
        moved = [r for r in self.board.of(self.value) if r.arrow in ("up", "down")]
        return f"{self.value}: {len(moved)} of {len(self.board.of(self.value))} signals moved."

    def _picked(self, name: str) -> None:
        row, _, column = name.partition(":")
        if not (row.isdigit() and column.isdigit() and int(row) < len(self._services) and int(column) < len(KINDS)):
            return
        service = self._services[int(row)]
        reading = self.board.cell(service, KINDS[int(column)])
        self.focus.choose("signal", reading.signal if reading is not None else None)
        self.focus.choose("service", service)

    def _cleared(self) -> None:
        self.focus.choose("signal", None)
        self.focus.choose("service", None)

    def _shown(self) -> list[str]:
        wanted = self.board.of(self.value) if self.value else self.board.readings
        return [r.text for r in wanted if r.arrow in ("up", "down")][:8]

    def _markup(self) -> str:
        if not self._services:
            return '<p class="ik-soft">Nothing to show: name signals in signals.toml, or add a log of requests.</p>'
        head = "".join(f"<th scope=col>{kind}</th>" for kind in ("service", *KINDS))
        rows = "".join(self._row(n, service) for n, service in enumerate(self._services))
        opened = '<table class="ik-grid" aria-label="Golden signals">'
        return f"{opened}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{self._detail()}"

    def _row(self, number: int, service: str) -> str:
        cells = "".join(f"<td>{self._cell(number, n, service, kind)}</td>" for n, kind in enumerate(KINDS))
        return f"<tr><th scope=row>{escaped(service)}</th>{cells}</tr>"

    def _cell(self, row: int, column: int, service: str, kind: str) -> str:
        reading = self.board.cell(service, kind)
        chosen = self.value == service and self.focus.chosen.signal in (None, reading.signal if reading else None)
        if reading is None:
            told = f"{service} {kind}: not measured"
            inside = '<span class="ik-soft">not measured</span>'
        else:
            told = f"{kind}: {reading.text}"
            inside = self._line(reading) + _numbers(reading, self.zone)
        return f'<div class="ik-cell" {pick(f"{row}:{column}", pressed=chosen, label=told)}>{inside}</div>'

    def _line(self, reading: SignalReading) -> str:
        if reading.signal not in self.wide.columns:
            return ""
        values = self.wide[reading.signal].to_numpy(dtype=float)
        harm = tuple(_place(self.wide.index, t) for t in self.incident)
        times = [] if self.changes is None else list(self.changes["time"])
        inside = [_place(self.wide.index, t) for t in times]
        moved = reading.arrow in ("up", "down")
        return spark(
            values,
            harm=(harm[0], harm[1]),
            changes=[c for c in inside if 0 < c < 1],
            bad=moved,
            label=escaped(reading.signal),
        )

    def _detail(self) -> str:
        if self.value is None:
            return ""
        rows = [
            {
                "signal": r.signal.split("/", 1)[-1], "kind": r.kind, "": ARROWS.get(r.arrow, "?"),
                "before": shown(r.before, r.signal), "during": shown(r.now, r.signal),
                "onset": str(r.onset) if r.onset else "—", "squeezed": "yes" if r.squeezed else "",
            }
            for r in self.board.of(self.value)
        ]  # fmt: skip
        grid = table_html(pd.DataFrame(rows), limit=40).replace('class="ik-table"', 'class="ik-grid"')
        return f'<div class="ik-detail"><strong>{escaped(self.value)}</strong>{grid}</div>'


def _numbers(reading: SignalReading, zone: str) -> str:
    if reading.arrow == "unknown":
        return '<span class="ik-soft">? no data during the harm</span>'
    moved = reading.arrow in ("up", "down")
    when = f" · {pd.Timestamp(reading.onset.time).tz_convert(zone):%H:%M:%S}" if reading.onset else ""
    squeezed = ' <span class="ik-break">squeezed</span>' if reading.squeezed else ""
    sign = ARROWS[reading.arrow] if moved else "≈"
    told = f"{sign} {shown(reading.before, reading.signal)} → {shown(reading.now, reading.signal)}"
    arrow = f'<span class="ik-state {"bad" if moved else "unknown"}">{escaped(told)}</span>'
    return f"{arrow}<span class='ik-soft ik-when'>{escaped(when)}</span>{squeezed}"


def _place(index: Any, time: Any) -> float:
    """Where on the axis of the frame is this time, from 0 to 1 (outside: below or above)?"""
    whole = (index[-1] - index[0]).total_seconds() if len(index) > 1 else 1.0
    return (
        min(max((pd.Timestamp(time) - index[0]).total_seconds() / (whole or 1.0), -0.01), 1.01) if len(index) else 0.0
    )
