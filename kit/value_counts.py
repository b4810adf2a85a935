"""How often does each value of each field occur among the bad and the good rows? From rows, or by asking a source.

Both counters answer the same question, `count(within)`, so that one scorer serves both: the counts of every value among
the rows that have all the values in `within`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa

from connectors.base import MISSING, OTHER
from kit.value_codes import FEW_NUMBERS, NOT_DIMENSIONS, SAMPLE_ROWS, TOP, Field, Value, encode

if TYPE_CHECKING:
    from connectors.base import LogSource, Selection


@dataclass(frozen=True)
class Counts:
    """Per value the weighted number of bad and good rows, and the totals of the rows that were looked at."""

    values: tuple[Value, ...]
    bad: np.ndarray
    good: np.ndarray
    bad_total: float
    good_total: float


class Counter(Protocol):
    """Counts values within other values; `bad_scale`, `good_scale`: effective rows per weighted row."""

    bad_scale: float
    good_scale: float
    biased: bool
    inexact: bool

    def count(self, within: tuple[Value, ...]) -> Counts: ...
    def exact(self, within: tuple[Value, ...]) -> tuple[float, float]: ...


class RowCounter:
    """Counts over rows in memory: fields become integer codes once, each question is a `bincount`."""

    inexact = False

    def __init__(
        self, table: pa.Table, bad: np.ndarray, good: np.ndarray, fields: Sequence[str], weights: np.ndarray | None
    ) -> None:
        self._sides = (np.flatnonzero(bad), np.flatnonzero(good))
        with ThreadPoolExecutor(2) as pool:
            coded = list(pool.map(lambda name: encode(name, table[name], self._sides), fields))
        self.fields = [field for field, _ in coded if field is not None]
        self.considered = [record for _, record in coded]
        self._by_name = {field.name: field for field in self.fields}
        self._weights = weights
        self._totals = tuple(self._total(rows) for rows in self._sides)
        self.bad_scale, self.good_scale = (self._scale(rows) for rows in self._sides)
        means = [total / max(len(rows), 1) for total, rows in zip(self._totals, self._sides, strict=True)]
        self.biased = min(means) > 0 and max(means) / min(means) > 1.5

    def count(self, within: tuple[Value, ...]) -> Counts:
        """The counts of every value of the fields not in `within`; above 400,000 rows a side from a random sample."""
        taken = {value.field for value in within}
        fields = [field for field in self.fields if field.name not in taken]
        sides = []
        totals = []
        for side, rows in enumerate(self._sides):
            rows, total = (self._within(rows, within), None) if within else (rows, self._totals[side])
            total = self._total(rows) if total is None else total
            factor = 1.0
            if within and len(rows) > SAMPLE_ROWS:
                factor = len(rows) / SAMPLE_ROWS
                rows = rows[np.sort(np.random.default_rng(0).integers(0, len(rows), SAMPLE_ROWS))]
            sides.append(self._counts(fields, rows, factor))
            totals.append(total)
        values = tuple(value for field in fields for value in field.values)
        return Counts(values, sides[0], sides[1], totals[0], totals[1])

    def exact(self, within: tuple[Value, ...]) -> tuple[float, float]:
        """The weighted number of bad and of good rows that have all these values."""
        bad, good = (self._total(self._within(rows, within)) for rows in self._sides)
        return bad, good

    def _counts(self, fields: list[Field], rows: np.ndarray, factor: float) -> np.ndarray:
        weights = None if self._weights is None else self._weights[rows]

        def one(field: Field) -> np.ndarray:
            codes = field.codes[rows]
            size = 1 + max(value.last for value in field.values)
            sums = np.concatenate(([0.0], np.cumsum(np.bincount(codes, weights, minlength=size))))
            return np.array([sums[value.last + 1] - sums[value.first] for value in field.values]) * factor

        if not fields:
            return np.zeros(0)
        with ThreadPoolExecutor(2) as pool:
            return np.concatenate(list(pool.map(one, fields)))

    def _within(self, rows: np.ndarray, within: tuple[Value, ...]) -> np.ndarray:
        for value in within:
            codes = self._by_name[value.field].codes[rows]
            hit = codes == value.first if value.first == value.last else (codes >= value.first) & (codes <= value.last)
            rows = rows[hit]
        return rows

    def _total(self, rows: np.ndarray) -> float:
        return float(len(rows)) if self._weights is None else float(self._weights[rows].sum())

    def _scale(self, rows: np.ndarray) -> float:
        if self._weights is None or not len(rows):
            return 1.0
        w = self._weights[rows]
        return float(w.sum() / np.square(w).sum())


class SourceCounter:
    """Counts by asking a source's `compare`, once per question and within a budget of questions."""

    bad_scale = good_scale = 1.0
    biased = False

    def __init__(
        self, source: LogSource, bad: Selection, good: Selection, fields: Sequence[tuple[str, str]], *, questions: int
    ) -> None:
        self._source, self._bad, self._good, self._types = source, bad, good, dict(fields)
        self._left = questions
        self._known: dict[tuple[str, ...], tuple[float, float]] = {}
        self.inexact = False

    @property
    def exhausted(self) -> bool:
        """Is the budget spent?"""
        return self._left <= 0

    def count(self, within: tuple[Value, ...]) -> Counts:
        """The source's counts of the fields not in `within`, with these values added to both selections."""
        from connectors.base import Selection
        from connectors.where import all_of

        taken = [value.field for value in within]
        names = [name for name in self._types if name not in taken]
        if self.exhausted or not names:
            return Counts((), np.zeros(0), np.zeros(0), 0.0, 0.0)
        self._left -= 1
        more = [value.where for value in within]
        bad, good = (Selection(s.window, all_of(s.where, *more)) for s in (self._bad, self._good))
        rows = self._source.compare(names, bad=bad, good=good, top=TOP).table.to_pylist()
        self.inexact |= any(row.get("error") for row in rows)
        kept = [row for row in rows if row["value"] != OTHER]
        values = tuple(_source_value(row["field"], row["value"], self._types[row["field"]]) for row in kept)
        for row, value in zip(kept, values, strict=True):
            self._known[_key((*within, value))] = (float(row["bad"]), float(row["good"]))
        return Counts(
            values,
            np.array([row["bad"] for row in kept], float),
            np.array([row["good"] for row in kept], float),
            float(rows[0]["bad_total"]) if rows else 0.0,
            float(rows[0]["good_total"]) if rows else 0.0,
        )

    def exact(self, within: tuple[Value, ...]) -> tuple[float, float]:
        """The counts of this combination as the source gave them."""
        return self._known[_key(within)]


def source_fields(source: LogSource, bad: Selection, names: Sequence[str] | None) -> list[tuple[str, str]]:
    """Which fields of a source group its rows, and of which type are they?

    Left out: text with one value a row, numbers with more than 20 values, times, and what the filters name
    themselves.
    """
    from connectors import where as filters

    table = source.fields(bad.window, where=bad.where).table.to_pylist()
    known = {row["name"]: row for row in table}
    if names is not None:
        filters.need_fields(names, known, where=source.name)
        return [(name, known[name]["type"]) for name in names]
    own = filters.fields(filters.parse(bad.where)) if bad.where else ()
    kept = []
    for name, row in known.items():
        top = json.loads(row["top"]) if row.get("top") else []
        one_each = bool(top) and max(n for _, n in top) <= 2
        many_numbers = _is_number(row["type"]) and (row["distinct"] or 0) > FEW_NUMBERS
        if (
            name not in NOT_DIMENSIONS
            and name not in own
            and "time" not in row["type"]
            and not one_each
            and not many_numbers
        ):
            kept.append((name, row["type"]))
    return kept


def _key(values: tuple[Value, ...]) -> tuple[str, ...]:
    return tuple(sorted(value.where for value in values))


def _is_number(type_: str) -> bool:
    return any(word in type_ for word in ("int", "float", "double", "decimal", "number", "long", "short"))


def _source_value(field: str, text: str, type_: str) -> Value:
    from connectors.where import equals

    if text == MISSING:
        return Value(field, text, equals(field, None))
    literal: Any = text
    if "bool" in type_:
        literal = text.lower() in ("true", "1")
    elif _is_number(type_):
        literal = float(text) if any(c in text for c in ".eE") else int(text)
    return Value(field, text, equals(field, literal))
