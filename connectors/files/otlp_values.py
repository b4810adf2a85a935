"""OTLP's typed values, attributes and ids as plain ones."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

import orjson

_HEX = re.compile(r"[0-9a-fA-F]*")


def value_of(value: Any) -> Any:
    """A typed OTLP value as a plain one; arrays and maps as JSON text.

    >>> value_of({"intValue": "10"}), value_of({"arrayValue": {"values": [{"stringValue": "a"}]}})
    (10, '["a"]')
    """
    plain = _plain(value)
    return orjson.dumps(plain).decode() if isinstance(plain, list | dict) else plain


def _plain(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    for name, found in value.items():
        if name in ("intValue", "int_value"):
            return int(found)
        if name in (
            "stringValue",
            "boolValue",
            "doubleValue",
            "bytesValue",
            "string_value",
            "bool_value",
            "double_value",
        ):
            return found
        if name in ("arrayValue", "array_value"):
            return [_plain(v) for v in (found or {}).get("values", [])]
        if name in ("kvlistValue", "kvlist_value"):
            return {kv.get("key"): _plain(kv.get("value")) for kv in (found or {}).get("values", [])}
    return None


def attributes(pairs: Any) -> dict[str, Any]:
    """A list of OTLP key–value pairs as a dictionary of plain values."""
    return {kv["key"]: value_of(kv.get("value")) for kv in pairs or () if isinstance(kv, dict) and "key" in kv}


def hex_id(text: Any, digits: int) -> str | None:
    """An id as lower-case hex digits, from hex or base64; None when there is none or it is all zeros.

    >>> hex_id("W47/95gDgQPSabYzgT/GDA==", 32), hex_id("EEE19B7EC3C1B174", 16), hex_id("", 16)
    ('5b8efff798038103d269b633813fc60c', 'eee19b7ec3c1b174', None)
    """
    if not isinstance(text, str) or not text:
        return None
    if len(text) != digits or not _HEX.fullmatch(text):
        try:
            decoded = base64.b64decode(text, validate=True).hex()
        except ValueError:
            decoded = ""
        text = decoded if len(decoded) == digits else text
    text = text.lower()
    return None if not text.strip("0") else text


def either(item: Mapping[str, Any], name: str, old: str) -> Any:
    """The value under its name, or under the one with underscores that some writers use."""
    return item.get(name, item.get(old))
