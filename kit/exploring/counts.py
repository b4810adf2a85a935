"""How many lines over time, and which values of their fields? Counted where the data lives."""

from __future__ import annotations

import contextvars
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd

from connectors.errors import BadInput
from connectors.window import Window, step_seconds
from kit.exploring import words
from kit.exploring.asking import count_of, look_at, query_of, remembered, unasked
from kit.exploring.look import Look
from kit.progress import long_question

if TYPE_CHECKING:
    from kit.explore import LogView

BINS = 120
STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
FACETS_AT_A_TIME = 2
_COLUMNS = ["field", "value", "n", "share"]


def step_of(window: Window) -> str:
    """The step of the volume: a round one that gives about 120 bars."""
    wanted = window.seconds / BINS
    return f"{next((s for s in STEPS_S if s >= wanted), STEPS_S[-1])}s"


def volume(view: LogView, *, by: str | None, every: str | None) -> Look:
    """See `LogView.volume`."""
    step = every or step_of(view.window)
    answer = count_of(view, view.window, every=step, by=(by,) if by else ())
    table = answer.to_frame()
    total = float(table["n"].sum())
    there = table[table["n"] > 0]
    when = ""
    if len(there):
        width = timedelta(seconds=step_seconds(step))
        last = min(there["time"].max().to_pydatetime() + width, view.window.end)
        first = max(there["time"].min().to_pydatetime(), view.window.start)
        inside = Window(first, last) if total != 1 else Window(first, first + timedelta(microseconds=1))
        when = f", {words.span(inside)}"
    about = "About " if answer.fetch.sampled else ""
    said = f"{about}{total:,.0f} line{'s' if total != 1 else ''} fit{'s' if total == 1 else ''}{when}."
    call = f".volume({words.arguments(by=by, every=every)})"
    return look_at(view, said, table, call, answer, notes=unasked(query_of(view)))


def facets(view: LogView, fields: Sequence[str], *, top: int) -> Look:
    """See `LogView.facets`."""
    chosen = list(fields) or words.facets_of(remembered(view))
    for name in fields:
        if name not in set(remembered(view)["name"]) and name not in set(view.fields()["name"]):
            raise BadInput(
                f"These lines have no field {name!r}: they have {', '.join(sorted(view.fields()['name'])[:20])}."
            )
    with long_question("counting values"), ThreadPoolExecutor(FACETS_AT_A_TIME) as pool:
        asked = [
            pool.submit(contextvars.copy_context().run, count_of, view, view.window, by=(name,), top=top)
            for name in chosen
        ]
        answers = [one.result() for one in asked]
    parts = []
    for name, answer in zip(chosen, answers, strict=True):
        part = answer.to_frame().rename(columns={name: "value"})
        parts.append(part.assign(field=name, share=part["n"] / max(part["n"].sum(), 1.0)))
    table = pd.concat(parts, ignore_index=True)[_COLUMNS] if parts else pd.DataFrame(columns=_COLUMNS)
    call = f".facets({', '.join(map(repr, fields))})"
    return look_at(view, f"Values of {len(chosen)} fields.", table, call, *answers, notes=unasked(query_of(view)))
