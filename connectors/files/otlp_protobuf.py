"""OTLP in protobuf, as collectors' file exporters write it: messages with their length before them, or one request.

The wire format is read here, for this one fixed schema (opentelemetry-proto 1.x), into the same shape as OTLP/JSON. A
message starts with its length in four bytes, big end first (the collector's file exporter), or as a varint
(protobuf's own delimited streams); a file without lengths is one request. Single messages may be zstd-compressed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connectors.errors import BadInput
from connectors.files.openmetrics import MetricReading
from connectors.files.options import Options, Reading
from connectors.files.otlp_fields import REQUESTS, Field
from connectors.files.otlp_json import read_exports
from connectors.files.stream import Faults, raw_head, raw_of

NAME = "otlp_protobuf"
TABLES = ("SPANS", "LOGS", "METRICS")
LONGEST = 512 << 20
_ZSTD = b"\x28\xb5\x2f\xfd"


class _Torn(Exception):
    """The bytes end inside a field."""


class _Wrong(Exception):
    """The bytes are no protobuf of this schema."""


def sniff(head: bytes, name: str) -> bool:
    """Does the file begin with an OTLP request in protobuf, or with the length of one? `head` is its raw bytes.

    >>> sniff(b"\\x89PNG\\r\\n", "picture.png")
    False
    """
    return table_of(head) is not None


def table_of(head: bytes) -> str | None:
    """Which table do the first bytes speak of: SPANS, LOGS or METRICS? None: they are no OTLP in protobuf."""
    if not head or head[:1] in b"{[<#":
        return None
    for framing in ("big", "varint", "none"):
        start = _first(head, framing)
        if start is None:
            continue
        found = [table for table in TABLES if _speaks_of(start, table)]
        if len(found) == 1:
            return found[0]
    return None


def read(path: Path, options: Options, *, label: str | None = None) -> Reading | MetricReading:
    """Which SPANS, LOGS or metric samples (by `options.table`) does this file hold? Columns as in `otlp_json`.

    A file that ends inside a message gives everything before it, and the whole resources of that message; the reading
    says that the rest is missing. Raises `BadInput` when it holds no OTLP of this kind.
    """
    faults = Faults(label or path.name)
    return read_exports(_exports(path, faults, options.table), options, faults)


def _exports(path: Path, faults: Faults, table: str) -> Iterator[tuple[dict[str, Any], int]]:
    """The requests of the file in OTLP/JSON's shape, each with its number."""
    head = raw_head(path, faults)
    if not head:
        faults.notes.append(f"{faults.path} is empty")
        return
    found = table_of(head)
    if found is not None and found != table:
        raise BadInput(f"{faults.path} holds {found.lower()} in OTLP, not {table.lower()}: mend its table.")
    if found is None:
        raise BadInput(f"{faults.path} is not OTLP in protobuf: export it again, or as OTLP/JSON.")
    framing = next(f for f in ("big", "varint", "none") if (s := _first(head, f)) is not None and _speaks_of(s, table))
    number = 0
    for number, (message, torn) in enumerate(_messages(path, faults, framing), 1):
        try:
            yield _request_of(message, table, torn), number
        except _Wrong:
            faults.bad(number, "not an OTLP message")
            if framing != "big":
                return
        if torn:
            faults.missing.append(f"{faults.path} is cut off: it ends inside its message {number:,}")


def _messages(path: Path, faults: Faults, framing: str) -> Iterator[tuple[bytes, bool]]:
    """Each message's bytes, and whether the file ended inside it."""
    pieces, held = raw_of(path, faults), bytearray()
    if framing == "none":
        whole = b"".join(pieces)
        if len(whole) > LONGEST:
            raise BadInput(f"{faults.path} is one message of more than {LONGEST >> 20} MB: export it in batches.")
        yield whole, _ends_early(whole)
        return
    for piece in pieces:
        held += piece
        at = 0
        while (found := _length(held, at, framing)) is not None:
            length, start = found
            if length > LONGEST:
                faults.missing.append(f"{faults.path} is damaged: a message of {length:,} bytes is announced")
                return
            if len(held) - start < length:
                break
            yield _plain(bytes(held[start : start + length])), False
            at = start + length
        del held[:at]
    if held:
        found = _length(held, 0, framing)
        yield (bytes(held[found[1] :]) if found else b""), True


def _plain(message: bytes) -> bytes:
    if not message.startswith(_ZSTD):
        return message
    import zstandard

    try:
        return zstandard.ZstdDecompressor().decompressobj().decompress(message)
    except zstandard.ZstdError:
        return b"\xff"


def _length(data: bytes | bytearray, at: int, framing: str) -> tuple[int, int] | None:
    """The length announced here and where its message starts; None when the announcement is not whole."""
    if framing == "big":
        return (struct.unpack_from(">I", data, at)[0], at + 4) if len(data) - at >= 4 else None
    try:
        return _varint(data, at)
    except (_Torn, _Wrong):
        return None


def _first(head: bytes, framing: str) -> bytes | None:
    """The beginning of the first message, as far as the head goes; None when it is not framed so."""
    if framing == "none":
        return head
    found = _length(head, 0, framing)
    if found is None or not 2 <= found[0] <= LONGEST:
        return None
    message = head[found[1] : found[1] + found[0]]
    return _plain(message) if len(message) == found[0] else message


def _speaks_of(start: bytes, table: str) -> bool:
    """Do these bytes, cut off anywhere, fit the request of this table down to one item?"""
    try:
        for item in list(_items(start))[:3]:
            fields = dict(_fields(item, cut=True))
            if table == "SPANS" and len(fields.get(1, b"")) == 16 and len(fields.get(2, b"")) == 8:
                return True
            if table == "LOGS" and (isinstance(fields.get(1), int) or isinstance(fields.get(11), int)):
                return True
            if table == "METRICS" and isinstance(fields.get(1), bytes) and _name(fields[1]) and set(fields) & {5, 7, 9}:
                return True
    except (_Torn, _Wrong, TypeError):
        return False
    return False


def _items(start: bytes) -> Iterator[bytes]:
    """The spans, records or metrics of the request's beginning, the last one maybe cut off."""
    for number, resource in _fields(start, cut=True):
        if number != 1 or not isinstance(resource, bytes):
            raise _Wrong
        for inner, scope in _fields(resource, cut=True):
            if inner not in (1, 2, 3) or not isinstance(scope, bytes):
                raise _Wrong
            if inner == 2:
                for place, item in _fields(scope, cut=True):
                    if place not in (1, 2, 3) or not isinstance(item, bytes):
                        raise _Wrong
                    if place == 2:
                        yield item


def _name(text: bytes) -> bool:
    try:
        return text.decode().isprintable()
    except UnicodeDecodeError:
        return False


# --- the wire --------------------------------------------------------------------------------------------------------


def _varint(data: bytes | bytearray, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise _Torn
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise _Wrong


def _fields(data: bytes, *, cut: bool = False) -> Iterator[tuple[int, int | bytes]]:
    """Each field's number and raw value: whole numbers for varints and fixed sizes, bytes for the rest.

    `cut`: the data may end anywhere, the last field's bytes are given as far as they go.
    """
    at, end = 0, len(data)
    while at < end:
        try:
            key, at = _varint(data, at)
            number, wire = key >> 3, key & 7
            if number == 0:
                raise _Wrong
            if wire == 0:
                value, at = _varint(data, at)
                yield number, value
                continue
            if wire == 2:
                length, at = _varint(data, at)
            elif wire in (1, 5):
                length = 8 if wire == 1 else 4
            else:
                raise _Wrong
            if end - at < length:
                if cut and wire == 2:
                    yield number, data[at:]
                    return
                raise _Torn
        except _Torn:
            if cut:
                return
            raise
        found = data[at : at + length]
        at += length
        yield number, found if wire == 2 else int.from_bytes(found, "little")


def _ends_early(data: bytes) -> bool:
    try:
        for _ in _fields(data):
            pass
    except _Torn:
        return True
    except _Wrong:
        return False
    return False


def _request_of(message: bytes, table: str, torn: bool) -> dict[str, Any]:
    """The request; of one that is cut off, the resources that are whole."""
    schema = REQUESTS[table]
    (root,) = schema.values()
    found: list[Any] = []
    try:
        for number, value in _fields(message):
            if number == 1 and isinstance(value, bytes):
                found.append(_message(value, root.inner))
    except _Torn:
        if not torn:
            raise _Wrong from None
    return {root.name: found}


def _message(data: bytes, schema: dict[int, Field]) -> dict[str, Any]:
    """The message as a dictionary; written out, since nearly all the time of reading is spent here."""
    found: dict[str, Any] = {}
    at, end = 0, len(data)
    try:
        while at < end:
            key = data[at]
            at += 1
            if key > 0x7F:
                key, at = _varint(data, at - 1)
            wire = key & 7
            if wire == 2:
                length = data[at]
                at += 1
                if length > 0x7F:
                    length, at = _varint(data, at - 1)
                start, at = at, at + length
                if at > end:
                    raise _Wrong
                value: int | bytes = data[start:at]
            elif wire == 0:
                value, at = _varint(data, at)
            elif wire in (1, 5):
                start, at = at, at + (8 if wire == 1 else 4)
                if at > end:
                    raise _Wrong
                value = int.from_bytes(data[start:at], "little")
            else:
                raise _Wrong
            field = schema.get(key >> 3)
            if field is None:
                continue
            name, kind, many, inner = field
            if kind == "message" and wire == 2:
                plain: Any = _message(value, inner)  # type: ignore[arg-type]
            elif kind == "text" and wire == 2:
                plain = str(value, "utf-8", "replace")  # type: ignore[arg-type]
            else:
                plain = _value(value, field)
            if many:
                found.setdefault(name, []).append(plain)
            elif kind in ("doubles", "fixed64s"):
                found.setdefault(name, []).extend(plain)
            else:
                found[name] = plain
    except (_Torn, IndexError):
        raise _Wrong from None
    return found


def _value(value: int | bytes, field: Field) -> Any:
    kind = field.kind
    if isinstance(value, int):
        if kind in ("int", "sfixed64"):
            return value - (1 << 64) if value >> 63 else value
        if kind == "bool":
            return bool(value)
        if kind in ("double", "doubles"):
            number = struct.unpack("<d", value.to_bytes(8, "little"))[0]
            return [number] if kind == "doubles" else number
        if kind in ("fixed64", "fixed64s"):
            return [value] if kind == "fixed64s" else value
        raise _Wrong
    if kind == "message":
        return _message(value, field.inner)
    if kind == "text":
        return value.decode("utf-8", "replace")
    if kind == "hex":
        return value.hex()
    if kind == "base64":
        import base64

        return base64.b64encode(value).decode()
    if kind in ("doubles", "fixed64s") and len(value) % 8 == 0:
        return list(struct.unpack(f"<{len(value) // 8}{'d' if kind == 'doubles' else 'Q'}", value))
    raise _Wrong


__all__ = ["NAME", "TABLES", "read", "sniff", "table_of"]
