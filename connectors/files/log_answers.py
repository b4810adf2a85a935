"""Logs as their stores answer, saved as JSON: Loki's query_range, Elasticsearch's and OpenSearch's search, Coralogix.

From Elasticsearch also lines of single hits, and lists of documents as its `fields` option writes them: every value a
list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from connectors import schema
from connectors.errors import BadInput
from connectors.files.columns import LINE, flat_row, from_rows
from connectors.files.json_rows import documents
from connectors.files.logs import to_logs
from connectors.files.names import NAMES
from connectors.files.options import Options, Reading
from connectors.files.stream import Faults

NAME = "log_answers"
TABLES = ("LOGS",)

_SIGNS = (
    (b'"resultType"', b'"streams"'), (b'"_source"', b'"_index"'), (b'"_source"', b'"_id"'), (b'"hits"', b'"_score"'),
    (b'"userData"', b'"metadata"'),
)  # fmt: skip
_LISTS = re.compile(rb'\s*\[?\s*\{(?:\s*"[^"]+"\s*:\s*\[\s*(?:"(?:[^"\\]|\\.)*"|[-\w.]+)\s*\]\s*,){3}')

Row = dict[str, Any]


def sniff(head: bytes, name: str) -> bool:
    """Is it a saved answer of one of these stores?

    >>> sniff(b'{"status":"success","data":{"resultType":"streams","result":[]}}', "query.json")
    True
    """
    return any(all(sign in head for sign in signs) for signs in _SIGNS) or (
        b'"@timestamp"' in head and _LISTS.match(head) is not None
    )


def read(path: Path, options: Options, *, label: str | None = None) -> Reading:
    """Which LOGS does this answer hold? In the answer's order; a row's number is its place in it.

    Lines of Loki that are JSON objects give a column per key, beside the stream's labels; Coralogix' user data do too.
    An answer that its store calls partial or cut off is said. Raises `BadInput` when it holds no line of a log.
    """
    faults = Faults(label or path.name)
    rows: list[Row] = []
    unknown = 0
    for document in documents(path, faults):
        found = list(_rows(document, faults))
        unknown += not found and not _empty(document)
        rows += found
    if unknown and not rows:
        raise BadInput(f"{faults.path} holds no answer with lines of a log: save the store's whole JSON answer.")
    if unknown:
        faults.missing.append(f"{unknown:,} records of {faults.path} hold no line of a log and were left out")
    if not rows:
        return Reading(schema.empty("LOGS"), faults.sentences(), tuple(faults.notes))
    table = from_rows(rows).append_column(LINE, pa.array(range(1, len(rows) + 1), pa.int64()))
    return Reading(to_logs(table, options, faults), faults.sentences(), tuple(faults.notes))


def _rows(document: Any, faults: Faults) -> Iterator[Row]:
    if isinstance(document, list):
        for one in document:
            yield from _rows(one, faults)
    elif not isinstance(document, dict):
        return
    elif isinstance(data := document.get("data"), dict) and data.get("resultType") == "streams":
        faults.missing += [f"{faults.path}: Loki warns: {str(w)[:200]}" for w in document.get("warnings") or ()]
        for stream in data.get("result") or ():
            for value in stream.get("values") or ():
                more = value[2] if len(value) > 2 and isinstance(value[2], dict) else {}
                yield {**stream.get("stream", {}), **more, **_line(str(value[1])), "time": int(value[0])}
    elif isinstance(hits := document.get("hits"), dict) and isinstance(hits.get("hits"), list):
        shards = document.get("_shards") or {}
        if document.get("timed_out") or shards.get("failed"):
            faults.missing.append(f"{faults.path} is a part only: the search timed out or some of its shards failed")
        total = hits.get("total")
        total = total.get("value") if isinstance(total, dict) else total
        if isinstance(total, int) and total > len(hits["hits"]):
            faults.missing.append(f"{faults.path} has {len(hits['hits']):,} of {total:,} hits")
        for hit in hits["hits"]:
            yield from _rows(hit, faults)
    elif isinstance(document.get("_source"), dict):
        yield {**flat_row(document["_source"]), **_document_id(document)}
    elif isinstance(document.get("fields"), dict) and "_index" in document:
        yield {**_unlisted(document["fields"]), **_document_id(document)}
    elif isinstance(result := document.get("result"), dict) and isinstance(result.get("results"), list):
        for one in result["results"]:
            yield _coralogix(one)
    elif "userData" in document and "metadata" in document:
        yield _coralogix(document)
    elif document and sum(isinstance(value, list) for value in document.values()) * 2 > len(document):
        yield _unlisted(document)


def _empty(document: Any) -> bool:
    """Is it an answer, only without a line?"""
    data, hits = (document.get(key) for key in ("data", "hits")) if isinstance(document, dict) else (None, None)
    return document == [] or isinstance(data, dict) or isinstance(hits, dict)


def _line(line: str) -> Row:
    if line[:1] == "{":
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            found = None
        if isinstance(found, dict):
            row = flat_row(found)
            said = next((name for name in NAMES["message"] if isinstance(row.get(name), str)), None)
            return {("message" if name == said else name): value for name, value in row.items()}
    return {"message": line}


def _document_id(hit: Mapping[str, Any]) -> Row:
    return {"document.id": str(hit["_id"])} if "_id" in hit else {}


def _unlisted(fields: Mapping[str, Any]) -> Row:
    """Lists of one value as that value; `x.text` beside `x` is the same words once more."""
    row = {
        key: value[0] if isinstance(value, list) and len(value) == 1 else value
        for key, value in fields.items()
        if not (key.endswith(".text") and key.removesuffix(".text") in fields)
    }
    return flat_row(row)


_CORALOGIX_LEVELS = {"1": "debug", "2": "debug", "3": "info", "4": "warn", "5": "error", "6": "fatal"}


def _coralogix(item: Mapping[str, Any]) -> Row:
    """Labels and metadata by their keys; the user data's own fields; times there are UTC though they say no zone."""
    meta = {str(pair.get("key")): pair.get("value") for pair in item.get("metadata") or () if isinstance(pair, dict)}
    labels = {str(pair.get("key")): pair.get("value") for pair in item.get("labels") or () if isinstance(pair, dict)}
    user = item.get("userData")
    own = _line(user) if isinstance(user, str) else flat_row(user) if isinstance(user, dict) else {}
    row: Row = {"service": labels.get("subsystemname"), "host": labels.get("computername"), **own}
    stamp = str(meta.get("timestamp") or "")
    if not isinstance(own.get("time"), str):  # the shipper's own is finer
        row["time"] = stamp if not stamp or stamp.endswith("Z") else f"{stamp}Z"
    if "level" not in row and (level := _CORALOGIX_LEVELS.get(str(meta.get("severity")))):
        row["level"] = level
    return row
