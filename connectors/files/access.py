"""What an access log's fields mean: the request line, times that nginx writes as lists, attempts at the upstream."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from connectors.files.columns import LINE

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def with_request_line(rows: pa.Table) -> pa.Table:
    """The rows with method and path from `request` ("GET /pay HTTP/1.1") where they have no columns of their own."""
    if "request" not in rows.column_names or not pa.types.is_string(rows.schema.field("request").type):
        return rows
    parts = pc.extract_regex(rows.column("request"), r"^(?P<method>[A-Z]+) (?P<uri>\S+)(?: (?P<protocol>\S+))?")
    for name, part in (("request_method", "method"), ("uri", "uri"), ("network.protocol", "protocol")):
        if name not in rows.column_names:
            rows = rows.append_column(name, pc.struct_field(parts, part))
    return rows.drop_columns(["request"]) if "uri" in rows.column_names else rows


def with_upstream(rows: pa.Table) -> pa.Table:
    """The rows with `upstream.duration_s` (summed over attempts) and `attempts` from nginx's upstream variables.

    Attempts are counted in `upstream_addr`, which names each server tried ("a, b"); where nginx answered by itself
    there were none. A part of the sum that is "-" (broken off) counts as nothing. Variables that are empty or "-" had
    no value: they are null.
    """
    for source, name in (
        ("upstream_response_time", "upstream.duration_s"),
        ("upstream_connect_time", "upstream.connect_s"),
        ("upstream_header_time", "upstream.header_s"),
    ):
        if source in rows.column_names and name not in rows.column_names:
            at = rows.column_names.index(source)
            rows = rows.set_column(at, name, summed(rows.column(source)))
    counted = next((n for n in ("upstream_addr", "upstream_status") if n in rows.column_names), None)
    if counted and "attempts" not in rows.column_names:
        rows = rows.append_column("attempts", attempts(rows.column(counted)))
    for i, field in enumerate(rows.schema):
        if pa.types.is_string(field.type):
            texts = rows.column(i)
            shortest = pc.min(pc.binary_length(texts)).as_py()
            if shortest is None or shortest > 1:
                continue
            empty = pc.is_in(texts, pa.array(["", "-"]))
            if pc.any(empty).as_py():
                rows = rows.set_column(i, field.name, pc.if_else(empty, None, texts))
    return rows


def summed(column: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Seconds of each "0.100, 0.200" summed; null where there is no number.

    >>> import pyarrow as pa
    >>> summed(pa.chunked_array([["0.100, 0.200", "-", "0.5 : 0.1", "0.25"]])).to_pylist()
    [0.3, None, 0.6, 0.25]
    """
    if not (pa.types.is_string(column.type) or pa.types.is_dictionary(column.type)):
        return column.cast(pa.float64())
    texts = column.cast(pa.string())
    simple = pc.match_substring_regex(texts, r"^\d+(\.\d+)?$")
    single = pc.if_else(simple, texts, None).cast(pa.float64())
    if pc.all(pc.or_kleene(simple, pc.is_in(texts, pa.array(["", "-"])))).as_py() is not False:
        return single
    coded = pc.if_else(simple, None, texts).combine_chunks().dictionary_encode()
    totals = []
    for text in coded.dictionary.to_pylist():
        numbers = [float(n) for n in _NUMBER.findall(text or "")]
        totals.append(round(sum(numbers), 6) if numbers else None)
    return pc.coalesce(single, pa.array(totals, pa.float64()).take(coded.indices))


def attempts(column: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """How many servers or answers does each "a, b" list? None tried: 0.

    >>> import pyarrow as pa
    >>> attempts(pa.chunked_array([["502, 200", "200", "-", "", "10.0.0.1:80, 10.0.0.2:80 : unix:/s"]])).to_pylist()
    [2, 1, 0, 0, 3]
    """
    coded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    texts = coded.dictionary
    more = pc.count_substring_regex(texts, r", | : ").cast(pa.int64())
    each = pc.if_else(pc.is_in(texts, pa.array(["", "-"])), 0, pc.add(more, 1))
    return pc.fill_null(each.take(coded.indices), 0)


__all__ = ["LINE", "attempts", "summed", "with_request_line", "with_upstream"]
