"""Which kinds of line does a log hold? Mask, count equal lines once, then a tree over what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from connectors.errors import BadInput
from kit.mining.mask import shape_keys, tokens
from kit.mining.stack import fold
from kit.mining.tree import group
from kit.result import Result

STACK_MARK = " ⏎ "
"""Stands in a template between the first line and the fingerprint of the stack below it."""


@dataclass(frozen=True)
class Templates(Result):
    """The templates of some messages: `ids`, one int per message (-1 for a missing one), and `table`.

    `table` has a row per template: `id`, `template` (the line's tokens, every variable `<*>`), `count`.
    """

    ids: np.ndarray
    table: pd.DataFrame
    because: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """How many kinds of line there are, and how much the largest ones cover."""
        lines = int(self.table["count"].sum())
        if not lines:
            return "There are no lines."
        top = int(self.table["count"].nlargest(10).sum())
        return f"{lines:,} lines are of {len(self.table):,} kinds; the ten largest hold {top / lines:.0%} of them."

    def to_frame(self) -> pd.DataFrame:
        """The table, largest template first."""
        return self.table.sort_values("count", ascending=False, kind="stable").reset_index(drop=True)


def mine_templates(messages: Any) -> Templates:
    """Which kinds of line are there?

    `messages`: text as a list, a pandas Series, or a pyarrow array. Missing ones get the id -1 and are not counted.
    The answer does not depend on the order of the lines, and equal lines always share a template.

    Method: values that their form gives away (times, addresses, paths, ids, numbers, quantities) are masked first,
    lines that are equal then are counted once, and a tree over these distinct lines (same delimiters in the same
    places, then word by word) decides which of the other words vary. Of several lines in one message the first
    counts, together with the fingerprint of the stack below it (`kit.mining.stack`). Own algorithm in the family of
    Drain and IPLoM.

    Assumes that one statement keeps its words and delimiters. It misleads where a statement prints free text (one
    template per text), where two statements differ only in a word that looks like a value (one template for both),
    and in lines past 2,000 characters, of which only the beginning is read. No test is made, so there is no false-
    alarm rate; tests/benchmarks/README.md has the accuracy on labelled logs.

    >>> mined = mine_templates(["took 12 ms", "took 7 ms", "cache cold", None])
    >>> mined.ids.tolist(), mined.table["template"].tolist()
    ([0, 0, 1, -1], ['took <*> ms', 'cache cold'])
    """
    text = as_text(messages)
    present = np.flatnonzero(text.is_valid().to_numpy(zero_copy_only=False)) if text.null_count else None
    known = text if present is None else text.take(pa.array(present))
    if not len(known):
        return Templates(np.full(len(text), -1, np.int64), _table([], np.zeros(0, np.int64)))
    codes, first, last = _distinct(shape_keys(known))
    rows, names = _name(known, np.unique(np.concatenate((first, last))), first)
    ids = rows[codes]
    if present is not None:
        every = np.full(len(text), -1, np.int64)
        every[present] = ids
        ids = every
    return Templates(ids, _table(names, np.bincount(ids[ids >= 0], minlength=len(names))))


def _name(text: pa.Array, picked: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The template number of each shape (by its first line), and the templates' names."""
    masked: dict[tuple[str, ...], int] = {}
    folded: dict[int, tuple[int, str]] = {}
    for row, message in zip(picked.tolist(), text.take(pa.array(picked)).to_pylist(), strict=True):
        line, stack = fold(message)
        folded[row] = (masked.setdefault(tokens(line), len(masked)), stack)
    groups, templates = group(list(masked))
    numbers: dict[tuple[int, str], int] = {}
    shapes = np.empty(len(first), np.int64)
    for shape, row in enumerate(first.tolist()):
        line, stack = folded[row]
        shapes[shape] = numbers.setdefault((groups[line], stack), len(numbers))
    return shapes, [templates[number] + (STACK_MARK + stack if stack else "") for number, stack in numbers]


def _distinct(keys: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A code per key, and the first and the last row of each code."""
    encoded = keys.dictionary_encode().unify_dictionaries()
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])
    size = len(encoded.chunk(0).dictionary)
    first, last, rows = np.empty(size, np.int64), np.empty(size, np.int64), np.arange(len(codes))
    first[codes[::-1]] = rows[::-1]
    last[codes] = rows
    return codes, first, last


def _table(names: Sequence[str], counts: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {"id": np.arange(len(names)), "template": pd.Series(list(names), dtype=object), "count": counts}
    )


def as_text(messages: Any) -> pa.Array:
    """Which Arrow strings are these messages? Raises `BadInput` when they are not text."""
    if isinstance(messages, pd.Series):
        messages = pa.Array.from_pandas(messages)
    elif not isinstance(messages, pa.Array | pa.ChunkedArray):
        messages = _from_python(list(messages))
    if isinstance(messages, pa.ChunkedArray):
        large = messages.nbytes >= 2**31 - 1
        messages = messages.cast(pa.large_string() if large else pa.string()).combine_chunks()
        messages = pa.concat_arrays(messages.chunks) if isinstance(messages, pa.ChunkedArray) else messages
    if (
        pa.types.is_null(messages.type)
        or pa.types.is_dictionary(messages.type)
        or pa.types.is_string_view(messages.type)
    ):
        messages = messages.cast(pa.string())
    if not (pa.types.is_string(messages.type) or pa.types.is_large_string(messages.type)):
        raise BadInput(f"Messages must be text, these are {messages.type}: give the column message.")
    return messages


def _from_python(messages: list[Any]) -> pa.Array:
    """Arrow strings of Python ones; plain ASCII, the usual case, in half the time that pyarrow takes."""
    try:
        joined = "".join(messages)
    except TypeError:  # a missing message, or no text at all
        joined = "…"
    if not joined.isascii() or len(joined) >= 2**31:
        try:
            return pa.array(messages, pa.string())
        except UnicodeEncodeError:  # half of a surrogate pair
            return pa.array([m if m is None else m.encode(errors="replace").decode() for m in messages], pa.string())
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            raise BadInput("Messages must be text, some of these are not: give the column message.") from None
    ends = np.zeros(len(messages) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, messages), np.int32, len(messages)), out=ends[1:])
    return pa.StringArray.from_buffers(len(messages), pa.py_buffer(ends), pa.py_buffer(joined.encode()))
