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
from kit.numerics.value_codes import (
    FEW_NUMBERS,
    NOT_DIMENSIONS,
    SAMPLE_ROWS,
    TOP,
    Considered,
    Field,
    Value,
    encode,
    holds,
    tally,
)

if TYPE_CHECKING:
    from connectors.base import LogSource, Selection


BIAS = 1.5


@dataclass(frozen=True)
class Counts:
    """Per value the weighted number of bad and good rows, and the totals of the rows that were looked at."""

    values: tuple[Value, ...]
    bad: np.ndarray
    good: np.ndarray
    bad_total: float
    good_total: float


class Counter(Protocol):
    """Counts values within other values.

    `bad_scale` and `good_scale`: effective rows per counted row; `biased`: sampling depended on the outcome;
    `inexact`: the counts are approximate.
    """

    bad_scale: float
    good_scale: float
    biased: bool
    inexact: bool

    def count(self, within: tuple[Value, ...]) -> Counts: ...
    def exact(self, within: tuple[Value, ...]) -> tuple[float, float] | None: ...


class RowCounter:
    """Counts over rows in memory: fields become integer codes once, each question is a `bincount`.

    `bad` and `good` are true/false per row. Of a side with more than 400,000 rows a random sample with a fixed
    seed is coded and scaled up to the side's total; `exact` then counts all rows.
    """

    inexact = False

    def __init__(
        self, table: pa.Table, bad: np.ndarray, good: np.ndarray, fields: Sequence[str], weights: np.ndarray | None
    ) -> None:
        self._table, self._all = table, tuple(np.flatnonzero(mask) for mask in (bad, good))
        self._all_weights = weights
        drawn = [_draw(rows) for rows in self._all]
        rows = np.concatenate(drawn)
        self._split = len(drawn[0])
        self._weights = None if weights is None else weights[rows]
        self._coded_rows = len(rows)
        self.sampled = len(rows) < sum(len(side) for side in self._all)
        self._totals = tuple(self._sum_all(side) for side in self._all)
        shares = [total / max(self._sum(side), 1e-300) for total, side in zip(self._totals, self._sides(), strict=True)]
        self._factors = tuple(shares)
        with ThreadPoolExecutor(2) as pool:
            coded = list(pool.map(lambda name: self._encode(name, rows), fields))
        self.fields = [field for field, _ in coded if field is not None]
        self.considered = [record for _, record in coded]
        self._by_name = {field.name: field for field in self.fields}
        self.bad_scale, self.good_scale = (self._scale(side) for side in (0, 1))
        means = [total / max(len(side), 1) for total, side in zip(self._totals, self._all, strict=True)]
        self.biased = min(means) > 0 and max(means) / min(means) > BIAS

    def count(self, within: tuple[Value, ...]) -> Counts:
        """The counts of every value of the fields that are not in `within`."""
        taken = {value.field for value in within}
        fields = [field for field in self.fields if field.name not in taken]
        values = tuple(value for field in fields for value in field.values)
        if not within and self._weights is None:
            tallies = [[field.bad for field in fields], [field.good for field in fields]]
            totals = self._totals
        else:
            rows = [self._within(side, within) for side in self._sides()]
            tallies = [self._tallies(fields, side) for side in rows]
            totals = tuple(self._sum(side) * factor for side, factor in zip(rows, self._factors, strict=True))
        bad, good = (_by_value(fields, t) * factor for t, factor in zip(tallies, self._factors, strict=True))
        return Counts(values, bad, good, *totals)

    def exact(self, within: tuple[Value, ...]) -> tuple[float, float] | None:
        """The weighted number of bad and of good rows that have all these values; None: `count` saw all rows."""
        if not self.sampled:
            return None
        mask = np.ones(self._table.num_rows, bool)
        for value in within:
            mask &= holds(self._table[value.field], value)
        bad, good = (self._sum_all(rows[mask[rows]]) for rows in self._all)
        return bad, good

    def _encode(self, name: str, rows: np.ndarray) -> tuple[Field | None, Considered]:
        column = self._table[name]
        missing = column.null_count / max(len(column), 1)
        whole = len(rows) == len(column) and self._split in (0, len(rows))
        return encode(name, column if whole else column.take(pa.array(rows)), self._split, missing)

    def _sides(self) -> tuple[np.ndarray | slice, np.ndarray | slice]:
        return slice(0, self._split), slice(self._split, None)

    def _tallies(self, fields: list[Field], rows: np.ndarray | slice) -> list[np.ndarray]:
        weights = None if self._weights is None else self._weights[rows]
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda field: tally(field.codes[rows], len(field.bad), weights), fields))

    def _within(self, rows: np.ndarray | slice, within: tuple[Value, ...]) -> np.ndarray | slice:
        for value in within:
            codes = self._by_name[value.field].codes[rows]
            hit = codes == value.first if value.first == value.last else (codes >= value.first) & (codes <= value.last)
            found = np.flatnonzero(hit)
            rows = found + (rows.start or 0) if isinstance(rows, slice) else rows[found]
        return rows

    def _sum(self, rows: np.ndarray | slice) -> float:
        """The weight of coded rows."""
        if self._weights is not None:
            return float(self._weights[rows].sum())
        length = len(range(*rows.indices(self._coded_rows))) if isinstance(rows, slice) else len(rows)
        return float(length)

    def _sum_all(self, rows: np.ndarray) -> float:
        """The weight of rows of the table."""
        return float(len(rows)) if self._all_weights is None else float(self._all_weights[rows].sum())

    def _scale(self, side: int) -> float:
        """Effective rows per weighted row of one side: 1 / factor without weights."""
        if self._weights is None:
            return 1.0 / self._factors[side] if self._factors[side] else 1.0
        w = self._weights[self._sides()[side]]
        return float(w.sum() / np.square(w).sum() / self._factors[side]) if len(w) else 1.0


class GroupCounter(RowCounter):
    """Counts over rows that each stand for as many equal ones as their weight says: nothing was drawn.

    Of more than 400,000 rows of a side p is what so many would give, as for rows that are counted one by one.
    """

    def __init__(
        self, table: pa.Table, bad: np.ndarray, good: np.ndarray, fields: Sequence[str], counts: np.ndarray | None
    ) -> None:
        super().__init__(table, bad, good, fields, counts)
        self.bad_scale, self.good_scale = (min(1.0, SAMPLE_ROWS / max(total, 1.0)) for total in self._totals)
        self.biased = False


class SourceCounter:
    """Counts by asking a source's `compare`, once per question and within a budget of questions."""

    bad_scale = good_scale = 1.0
    biased = False

    def __init__(
        self, source: LogSource, bad: Selection, good: Selection, fields: Sequence[tuple[str, str]], *, questions: int
    ) -> None:
        self._source, self._bad, self._good, self._types = source, bad, good, dict(fields)
        self._left = questions
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
        return Counts(
            values,
            np.array([row["bad"] for row in kept], float),
            np.array([row["good"] for row in kept], float),
            float(rows[0]["bad_total"]) if rows else 0.0,
            float(rows[0]["good_total"]) if rows else 0.0,
        )

    def exact(self, within: tuple[Value, ...]) -> None:
        """None: what the source counted is all there is."""


def _draw(rows: np.ndarray) -> np.ndarray:
    """These rows, or 400,000 of them in their order, drawn with replacement and a fixed seed."""
    if len(rows) <= SAMPLE_ROWS:
        return rows
    return rows[np.sort(np.random.default_rng(0).integers(0, len(rows), SAMPLE_ROWS))]


def _by_value(fields: list[Field], tallies: list[np.ndarray]) -> np.ndarray:
    """From counts per code to counts per value, field after field; a range adds up its codes."""
    counts = []
    for field, per_code in zip(fields, tallies, strict=True):
        sums = np.concatenate(([0.0], np.cumsum(per_code)))
        counts += [sums[value.last + 1] - sums[value.first] for value in field.values]
    return np.array(counts, np.float64)


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
