"""All lines of a window as what they say, once each, and who says it when: twelve bytes a line beside one example.

Built in one pass over the bytes (`connectors.folder.line_codes`); from then on counts, values, kinds of line and
differences of any part of the window are exact at once. Texts that are no JSON lines are read, line by line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
import pyarrow as pa

from connectors import schema
from connectors.errors import OverBudget
from connectors.files.columns import concat
from connectors.folder.at_once import Went, read_at_once
from connectors.folder.line_codes import MOST_KINDS, ODD, LineCodes, Values, varied
from connectors.folder.opened import Opened
from connectors.folder.reading import PART, Range, read_lines, read_ranges
from connectors.folder.stamps import NO_TIME
from connectors.questions import step_us
from connectors.schema import conform
from connectors.where import Has, IsNull, evaluate, fields, leaves, parse
from connectors.window import Window, micros

LOOKED_AT_BYTES, PLACES = 128 << 10, 3
TRIED_LINES = 6
CODED_BYTES = 1 << 20
"""So many bytes are coded at a time: their quotes and words stay in the processor's own memory."""
READERS = 2
_NEVER = frozenset({"time", "seq", "id", "weight"})


@dataclass(frozen=True)
class Coded:
    """The lines of a window: `times` (microseconds), `codes`, and `table` with the row that each code stands for.

    `left_out` names the columns that are not in the table, as hardly two lines have the same value; `digits_as_one`:
    messages that differ only in numbers share a row.
    """

    window: Window
    times: np.ndarray
    codes: np.ndarray
    table: pa.Table
    left_out: frozenset[str]
    digits_as_one: bool
    partial: str | None

    def answers(self, where: str | None, names: Sequence[str] = ()) -> bool:
        """Does the table tell which lines fit this filter, and their values of these fields?"""
        asked = set(names)
        if where is not None:
            tree = parse(where)
            asked |= set(fields(tree))
            if self.digits_as_one and any(not _of_words(leaf) for leaf in leaves(tree) if "message" in fields(leaf)):
                return False
        return not asked & self.left_out and not ("message" in names and self.digits_as_one)

    def lines(self, window: Window, where: str | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The time of each line of the window that fits, in microseconds, and its row of the table."""
        start, stop = micros(window)
        inside = (self.times >= start) & (self.times < stop)
        if where is not None:
            inside &= np.asarray(evaluate(where, self.table).to_numpy(zero_copy_only=False), bool)[self.codes]
        return self.times[inside], self.codes[inside]

    def alike(self, window: Window, where: str | None = None, *, every: str | None = None) -> pa.Table:
        """The rows that fit, each for `weight` lines of the window; with `every` once a bin, `time` its start."""
        start, stop = micros(window)
        whole = start <= micros(self.window)[0] and micros(self.window)[1] <= stop
        inside = slice(None) if whole else (self.times >= start) & (self.times < stop)
        codes = self.codes[inside]
        fits = None if where is None else evaluate(where, self.table).to_numpy(zero_copy_only=False)
        size = self.table.num_rows
        if every is None:
            counts = np.bincount(codes, minlength=size)
            rows = np.flatnonzero(counts if fits is None else counts * np.asarray(fits, bool))
            return self._rows(rows, counts[rows], np.full(len(rows), start))
        step = step_us(every, window)
        base = start - start % step
        times = self.times[inside]
        if fits is not None:
            chosen = np.asarray(fits, bool)[codes]
            codes, times = codes[chosen], times[chosen]
        bins = (stop - base - 1) // step + 1
        counts = np.bincount((times - base) // step * size + codes, minlength=bins * size)
        there = np.flatnonzero(counts)
        return self._rows(there % size, counts[there], np.maximum(base + there // size * step, start))

    def _rows(self, rows: np.ndarray, counts: np.ndarray, times: np.ndarray) -> pa.Table:
        table = self.table.take(pa.array(rows))
        for name, values in (
            ("time", pa.array(times).cast(schema.TIME)), ("weight", pa.array(counts.astype(float))),
            ("seq", pa.array(np.arange(len(rows), dtype=np.int64))),
        ):  # fmt: skip
            at = table.column_names.index(name)
            table = table.set_column(at, schema.LOGS.field(name), values)
        return table


def _of_words(leaf: object) -> bool:
    """Is it asked only whether a message holds words that have no digit?"""
    return isinstance(leaf, IsNull) or (isinstance(leaf, Has) and not any(c.isdigit() for c in str(leaf)))


@dataclass(frozen=True)
class _Text:
    """One text's lines: a time and a code each, and the table of the codes' rows."""

    times: np.ndarray
    codes: np.ndarray
    table: pa.Table
    missing: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()
    digits_as_one: bool = False


def coded(texts: Sequence[Opened], window: Window, *, rows: int = 5_000_000) -> Coded:
    """Code all lines of the window, which have to fit in memory at twelve bytes each. Says how far it is.

    At most `rows` lines are read that are no flat JSON objects; raises `OverBudget` where there are more.
    """
    start, stop = micros(window)
    jobs = [(text, text.ranges(start, stop)) for text in texts]
    jobs = sorted(((t, r) for t, r in jobs if r), key=lambda job: -sum(b - a for a, b in job[1]))
    read = sum(sum(b - a for a, b in r) / max(t.bytes_per_line, 1.0) for t, r in jobs if not _json(t))
    if read > rows:
        raise OverBudget(
            f"About {read:,.0f} of the lines are no JSON objects and would be read one by one, over the {rows:,} that "
            f"are held at a time: ask a part of {window}, or look at a sample."
        )
    found = read_at_once(
        jobs,
        lambda job, went: list(_coded_text(*job, start, stop, went)),
        readers=READERS,
        total=sum(b - a for _, ranges in jobs for a, b in ranges),
    )
    return _together([one for texts_found in found for one in texts_found], window)


def _together(found: list[_Text], window: Window) -> Coded:
    left_out = frozenset(name for one in found for name in one.left_out) - _NEVER
    tables = [one.table.drop_columns([n for n in one.table.column_names if n in left_out]) for one in found]
    offsets = np.cumsum([0, *(t.num_rows for t in tables)])
    codes = [one.codes + np.int32(offset) for one, offset in zip(found, offsets[:-1].tolist(), strict=True)]
    times = [one.times for one in found]
    tables = [t for t in tables if t.num_rows]
    table = conform(concat(tables) if len(tables) > 1 else tables[0], "LOGS") if tables else schema.empty("LOGS")
    missing = dict.fromkeys(m for one in found for m in one.missing)
    return Coded(
        window, np.concatenate(times or [np.zeros(0, np.int64)]), np.concatenate(codes or [np.zeros(0, np.int32)]),
        table, left_out | _NEVER, any(one.digits_as_one for one in found), "; ".join(missing) or None,
    )  # fmt: skip


def _coded_text(text: Opened, ranges: list[tuple[int, int]], start: int, stop: int, went: Went) -> Iterator[_Text]:
    """The lines of one text: those with a code, and those that had to be read."""
    size = sum(b - a for a, b in ranges)
    values = values_of(text) if size > 4 * LOOKED_AT_BYTES else None
    if values is not None:
        made = _by_codes(text, ranges, start, stop, values, went)
        if made is not None:
            yield from made
            return
    table, missing = read_ranges([Range(text, a, b, start, stop) for a, b in ranges])
    went(size)
    yield _read_one_by_one(table, start, stop, missing)


def _read_one_by_one(table: pa.Table, start: int, stop: int, missing: tuple[str, ...]) -> _Text:
    if PART in table.column_names:
        table = table.drop_columns([PART])
    times = table.column("time").cast(pa.int64()).to_numpy()
    inside = np.flatnonzero((times >= start) & (times < stop))
    table = table.take(pa.array(inside))
    return _Text(times[inside], np.arange(len(inside), dtype=np.int32), table, missing)


def _by_codes(
    text: Opened, ranges: list[tuple[int, int]], start: int, stop: int, values: tuple[Values, frozenset[str]],
    went: Went,
) -> list[_Text] | None:  # fmt: skip
    assert text.stamp is not None
    kinds = LineCodes(values[0])
    all_times, all_codes, odd_lines = [], [], []
    for low, high in ranges:
        for _, data in text.pieces(low, high, each=CODED_BYTES):
            codes, begins, ends = kinds.of(data)
            times = text.stamp.all_of(np.frombuffer(data, np.uint8), begins, ends)
            untold = (codes == ODD) | (times == NO_TIME)
            odd_lines += [bytes(data[begins[i] : ends[i]]) for i in np.flatnonzero(untold & (ends > begins)).tolist()]
            good = ~untold & (times >= start) & (times < stop)
            all_times.append(times[good])
            all_codes.append(codes[good])
            went(len(data))
            if len(kinds.examples) > MOST_KINDS:
                return None
    table, missing = read_lines(text, kinds.examples)
    codes = np.concatenate(all_codes) if all_codes else np.zeros(0, np.int32)
    times = np.concatenate(all_times) if all_times else np.zeros(0, np.int64)
    row_of = np.full(len(kinds.examples) + 1, ODD, np.int32)
    numbers = table.column("seq").to_numpy()
    if len(np.unique(numbers)) < len(numbers):
        return None  # a line that makes two rows
    row_of[numbers - 1] = np.arange(len(numbers))
    codes = row_of[codes]
    if len(numbers) < len(kinds.examples):
        lost = int((codes == ODD).sum())
        missing = (*missing, f"{lost:,} lines of {text.label} were left out: their reader refuses them")
        times, codes = times[codes != ODD], codes[codes != ODD]
    found = [_Text(times, codes, table, missing, values[1], bool(values[0].digits_as_one))]
    if odd_lines:
        rest, faults = read_lines(text, odd_lines)
        found.append(_read_one_by_one(rest, start, stop, faults))
    return found


def values_of(text: Opened) -> tuple[Values, frozenset[str]] | None:
    """Which keys hardly ever say the same twice, and which columns do they fill? None: its lines are no JSON objects.

    Found by trying: what a reader makes of a few lines without the key tells which columns it fills.
    """
    if not _json(text):
        return None
    lines: list[bytes] = []
    for place in range(PLACES):
        at = max(0, (text.end - LOOKED_AT_BYTES) * place // max(PLACES - 1, 1))
        lines += text.text.read(at, at + LOOKED_AT_BYTES).split(b"\n")[1 if at else 0 : -1]
    many = varied(lines)
    tried = _unlike(lines)
    if not tried:
        return None
    fills = {key: _filled(text, [(row, _without(row, key)) for row in tried if key in row]) for key in many}
    kept = frozenset(key for key, names in fills.items() if names & {"level", "service"})
    said = frozenset(key for key, names in fills.items() if "message" in names) - kept
    rows = [row for line in lines[:: max(len(lines) // 20, 1)] if (row := _row(line)) is not None]
    for key in said:  # a column that stays the same when the digits are others is told as well
        fills[key] = _filled(text, [(row, _other_digits(row, key)) for row in rows if key in row])
    left_out = frozenset(name for key, names in fills.items() if key not in kept for name in names) - {"message"}
    return Values(many - said - kept, said), left_out


def _json(text: Opened) -> bool:
    return text.stamp is not None and text.stamp.json and not text.text.unread


def _row(line: bytes) -> dict[str, object] | None:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return row if isinstance(row, dict) else None


def _unlike(lines: list[bytes]) -> list[dict[str, object]]:
    """A few lines that have other keys than one another."""
    found: dict[frozenset[str], dict[str, object]] = {}
    for line in lines:
        row = _row(line)
        if row is not None and len(found) < TRIED_LINES:
            found.setdefault(frozenset(row), row)
    return list(found.values())


def _without(row: dict[str, object], key: str) -> dict[str, object]:
    return {k: v for k, v in row.items() if k != key}


_OTHER = str.maketrans("0123456789", "1234567891")


def _other_digits(row: dict[str, object], key: str) -> dict[str, object]:
    return {**row, key: str(row[key]).translate(_OTHER)}


def _filled(text: Opened, pairs: list[tuple[dict[str, object], dict[str, object]]]) -> frozenset[str]:
    """In which columns do the two lines of a pair differ? The time where one of them is none by itself."""
    changed: set[str] = set()
    for pair in pairs:
        table, _ = read_lines(text, [orjson.dumps(row) for row in pair])
        if table.num_rows != 2:
            changed.add("time")
            continue
        for name in table.column_names:
            one, other = table.column(name).to_pylist()
            if one != other:
                changed.add(name)
    return frozenset(changed)


__all__ = ["Coded", "coded", "values_of"]
