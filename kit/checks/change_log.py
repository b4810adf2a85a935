"""The change log as checks need it: when each row can have begun to act, what undoes what, what is one act?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd

from connectors.window import Window
from kit.checks.facts import Facts, Table
from kit.checks.registry import Outcome, no_data
from kit.checks.windows import Instant

ACTIONS = frozenset({"deploy", "config", "flag", "schema", "scale", "restart", "node", "mitigation"})
"""Kinds that somebody did: two of them within one recovery lag cannot be told apart."""
PASSING = frozenset({"job", "traffic", "disk"})
"""Kinds that end by themselves."""
SAME_ACTION_S = 2.0


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the change log, as far as checks need it; `effect` is when it can have begun to act."""

    id: str
    ref: str
    kind: str
    service: str
    summary: str
    time: datetime
    until: datetime | None
    effect: Instant | None
    reverts: str
    before: str
    after: str
    derived: bool = False
    expires: bool = False

    @property
    def is_action(self) -> bool:
        """Did somebody do this? Not what the data merely shows to have moved, unless only people can (a statement)."""
        if self.kind == "certificate":
            return not self.expires
        return self.kind in ACTIONS and (not self.derived or self.kind == "schema")

    @property
    def passes(self) -> bool:
        """Does it end by itself?"""
        return self.kind in PASSING or (self.kind == "dependency" and self.until is not None)


def change_rows(table: Table | None) -> tuple[Change, ...]:
    """The change log as rows in time order, each with the moment it can have begun to act."""
    if table is None or table.frame.empty:
        return ()
    frame = table.frame.sort_values("time", kind="stable")
    rows = [_row(record) for record in frame.to_dict("records")]
    return tuple(_with_effect(row, record, rows) for row, record in zip(rows, frame.to_dict("records"), strict=True))


def _row(record: dict[Any, Any]) -> Change:
    def text(name: str) -> str:
        value = record.get(name)
        return "" if value is None or value is pd.NaT or (isinstance(value, float) and value != value) else str(value)

    until = record.get("until")
    time = pd.Timestamp(record["time"]).to_pydatetime()
    ended = None if until is None or pd.isna(until) else pd.Timestamp(until).to_pydatetime()
    return Change(
        text("id"), text("ref"), text("kind"), text("service"), text("summary"), time, ended, None,
        text("reverts"), text("before"), text("after"), text("derived") == "True", text("takes_effect") == "expiry",
    )  # fmt: skip


def _with_effect(row: Change, record: dict[Any, Any], rows: Sequence[Change]) -> Change:
    at = str(record.get("takes_effect") or "now")
    # a deploy rolls out over its time; what passes acts from its start to its end
    effect: Instant | None = Instant(row.time, row.time if row.passes else (row.until or row.time))
    if at == "restart":
        starts = [
            r
            for r in rows
            if r.kind in ("restart", "deploy") and r.service == row.service and r.time >= row.time and r.id != row.id
        ]
        effect = Instant(starts[0].time, starts[0].until or starts[0].time) if starts else None
    return replace(row, effect=effect)


def find_change(facts: Facts, ref: str) -> tuple[Change, tuple[str, ...]] | Outcome:
    """The row of this id or ref with its evidence; no data where there is none."""
    table = facts.changes()
    if table is None:
        return no_data("No change log is collected here.")
    rows = change_rows(table)
    matching = [r for r in rows if r.id == ref] or [r for r in rows if r.ref == ref]
    if not matching:
        return no_data(f"The change log has no {ref!r}.", evidence=table.evidence)
    return matching[0], table.evidence


def reversals(facts: Facts, change: str) -> tuple[Change, ...]:
    """Which later changes undo this one: those that say so, and those of its kind and service back to `before`?"""
    found = find_change(facts, change)
    if isinstance(found, Outcome):
        return ()
    row, _ = found
    return tuple(other for other in change_rows(facts.changes()) if undoes(other, row))


def undoes(other: Change, row: Change) -> bool:
    """Does the later change undo this one: because it says so, by going back, or by renewing what had run out?"""
    if other.time <= row.time or other.id == row.id:
        return False
    alike = (other.kind, other.service) == (row.kind, row.service)
    back = bool(row.before) and other.after == row.before and alike
    renewed = row.expires and not other.expires and alike
    return other.reverts in {n for n in (row.id, row.ref) if n} or back or renewed


def other_actions(facts: Facts, row: Change, span: Window) -> list[str]:
    """What else was done in the span, by name; what was done within two seconds is the same act."""
    groups = actions_within(facts, span, but=row)
    return [name_of(g[0]) for g in groups if abs((g[0].time - row.time).total_seconds()) > SAME_ACTION_S]


def actions_within(facts: Facts, span: Window, *, but: Change) -> list[list[Change]]:
    """Actions in the span, those within two seconds or of one name as one; without `but` and what shares its name."""
    groups: list[list[Change]] = []
    for other in change_rows(facts.changes()):
        if not other.is_action or not span.contains(other.time) or other.id == but.id:
            continue
        if _same(other, but):
            continue
        for group in groups:
            if _same(group[-1], other) or abs((group[-1].time - other.time).total_seconds()) <= SAME_ACTION_S:
                group.append(other)
                break
        else:
            groups.append([other])
    return groups


def _same(one: Change, other: Change) -> bool:
    by_ref = bool(one.ref) and one.ref == other.ref
    undoes_same = bool(one.reverts) and one.reverts == other.reverts
    return by_ref or undoes_same


def name_of(row: Change) -> str:
    """What it is called in a sentence."""
    return row.ref or row.summary or row.id
