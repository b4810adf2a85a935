"""What did a logger write before it escaped it? Backslashes of access logs, logfmt and JSON-like quoted text."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

_ESCAPE = re.compile(r"(?:\\x[0-9a-fA-F]{2})+|(?:\\u[0-9a-fA-F]{4})+|\\(.)", re.S)
_SHORT = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


def unescaped(text: str) -> str:
    r"""The text with `\"`, `\\`, `\n`, `\xHH` (bytes of UTF-8) and `\uHHHH` as what they stand for; others stay.

    >>> unescaped(r'say \"hi\" \x22caf\xC3\xA9\x22 \\ \q')
    'say "hi" "café" \\ \\q'
    """
    return _ESCAPE.sub(_meant, text) if "\\" in text else text


def _meant(match: re.Match[str]) -> str:
    found = match[0]
    if match[1] is not None:
        return _SHORT.get(match[1], found)
    if found[1] == "x":
        return bytes.fromhex(found.replace("\\x", "")).decode("utf-8", "replace")
    return bytes.fromhex(found.replace("\\u", "")).decode("utf-16-be", "replace")


def unescaped_column(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    r"""Every text of the column unescaped; each distinct one is looked at once, a column without `\` not at all."""
    if not pc.any(pc.match_substring(column, "\\")).as_py():
        return column
    coded = column.combine_chunks().dictionary_encode()
    meant = [None if text is None else unescaped(text) for text in coded.dictionary.to_pylist()]
    return pa.array(meant, pa.string()).take(coded.indices)
