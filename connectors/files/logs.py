"""Rows of a log as canonical LOGS: times, levels, ids, attribute names, durations in seconds, routes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors import schema
from connectors.errors import BadInput, NaiveTime, UnknownField
from connectors.files import columns as flat
from connectors.files.names import DURATIONS, LEVELS, NAMES, number_level
from connectors.files.options import Options
from connectors.files.routes import fold_column
from connectors.files.stream import Faults
from connectors.files.times import Clock, ambiguous, to_times
from connectors.schema import LABEL, TEXT

CANONICAL = schema.LOGS.names
_WHOLE = ("http.response.status_code", "attempts", "http.response.body.size", "http.request.body.size")
_WORDS = {"trace_id": 32, "span_id": 16}


def to_logs(
    rows: pa.Table, options: Options, faults: Faults, names: Mapping[str, tuple[str, ...]] | None = None
) -> pa.Table:
    """Which LOGS are these rows? `rows` is flat and has `columns.LINE`; `names` puts a format's own names first.

    Rows whose time cannot be read are left out and noted. Raises `BadInput` when no column holds a time,
    `NaiveTime` when times lack a zone and the source has no `tz`, `UnknownField` when `fields` names a column that
    the rows do not have.
    """
    taken = _chosen(rows, options, names or {})
    clock = Clock(options.tz, options.year, faults.path)
    times, time_name = _times(rows, taken, options, clock, faults)
    if times.null_count:
        lost = pc.is_null(times)
        lines = rows.column(flat.LINE).filter(lost)
        for number in lines.to_pylist():
            faults.bad(number, f"no readable time in {time_name!r}" if time_name else "no time")
        keep = pc.invert(lost)
        rows, times = rows.filter(keep), times.filter(keep)
    out: dict[str, Any] = {"time": times, "seq": rows.column(flat.LINE)}
    used = {time_name, flat.LINE}
    for canonical, source in taken.items():
        if canonical == "time":
            continue
        used.add(source)
        out[canonical] = _converted(canonical, source, rows.column(source))
    _durations(rows, options, out, used)
    if options.tz and (doubtful := ambiguous(times, clock)):
        faults.notes.append(
            f"{doubtful:,} times of {faults.path} lie in the hour that {options.tz} passes through twice; they are "
            f"read as its first pass"
        )
    for name in rows.column_names:
        if name not in used:
            out[f"record.{name}" if name in out or name in CANONICAL else name] = rows.column(name)
    _fill(rows.num_rows, options, faults, out)
    canonical = [name for name in CANONICAL if name in out]
    return schema.conform(flat.tidy(pa.table({**{n: out.pop(n) for n in canonical}, **out}), CANONICAL), "LOGS")


def _chosen(rows: pa.Table, options: Options, own: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Which source column becomes which canonical one?"""
    present = {f.name for f in rows.schema if not pa.types.is_null(f.type)}
    taken: dict[str, str] = {}
    used: set[str] = set()
    for canonical, source in options.fields.items():
        if source not in rows.column_names:
            near = difflib.get_close_matches(source, rows.column_names, 3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"it has {_listed(rows)}."
            raise UnknownField(f"fields.{canonical} names {source!r}, which the rows do not have: {hint}")
        taken[canonical] = source
        used.add(source)
    for canonical in dict.fromkeys([*own, *NAMES]):
        if canonical in taken:
            continue
        for source in (*own.get(canonical, ()), *NAMES.get(canonical, ())):
            if source in present and source not in used and _fits(canonical, rows.column(source)):
                taken[canonical] = source
                used.add(source)
                break
    return taken


def _listed(rows: pa.Table) -> str:
    names = [n for n in rows.column_names if n != flat.LINE]
    return ", ".join(names[:12]) + (" …" if len(names) > 12 else "")


def _fits(canonical: str, column: pa.ChunkedArray) -> bool:
    """Can a column of this type be that? A `status` of "ok" is not a status code, a `host` of 1 is no host."""
    type_ = column.type
    text = pa.types.is_string(type_) or pa.types.is_dictionary(type_)
    if canonical == "http.response.status_code":
        if pa.types.is_integer(type_):
            bounds = pc.min_max(column).as_py()
            return bounds["min"] is None or (bounds["min"] >= 0 and bounds["max"] <= 999)
        if not text:
            return False
        numbers = pc.match_substring_regex(column.cast(TEXT), r"^(\d{3}|0|000|-)?$")
        return bool(pc.all(numbers).as_py())
    if canonical in ("url.path",) and text:
        first = next((v.as_py() for v in column if v.is_valid), "")
        return first.startswith(("/", "http://", "https://", "*"))
    if canonical in ("time", "level", *_WHOLE):
        return True
    if canonical in ("message",):
        return text
    return text or canonical not in CANONICAL or canonical in ("tenant", "version", "trace_id", "span_id", "client")


def _times(
    rows: pa.Table, taken: dict[str, str], options: Options, clock: Clock, faults: Faults
) -> tuple[pa.Array, str | None]:
    """The rows' times from the first column that is one, later candidates filling nothing in."""
    if rows.num_rows == 0:
        return pa.nulls(0, schema.TIME), taken.get("time")
    candidates = [taken["time"]] if "time" in taken else []
    if "time" not in options.fields:
        candidates += [n for n in NAMES["time"] if n in rows.column_names and n not in candidates]
    naive: NaiveTime | None = None
    for name in candidates:
        try:
            times = to_times(rows.column(name), clock)
        except NaiveTime as error:
            naive = naive or error
            continue
        if times.null_count < len(times):
            return times, name
    if naive is not None:
        raise naive
    if candidates:
        sample = next((v.as_py() for v in rows.column(candidates[0]) if v.is_valid), None)
        raise BadInput(
            f"No time in {faults.path} can be read: its {candidates[0]!r} is {sample!r}; name the column that holds it "
            f'with fields = {{ time = "…" }}.'
        )
    raise BadInput(
        f"{faults.path} has no column that holds a time; it has {_listed(rows)}: name it with fields = "
        f'{{ time = "…" }}.'
    )


def _converted(canonical: str, source: str, column: pa.ChunkedArray) -> Any:
    if canonical == "level":
        return levels(column, source)
    if canonical in _WHOLE:
        return whole(column)
    if canonical == "url.path":
        texts = column.cast(TEXT)
        queried = pc.or_(pc.match_substring(texts, "?"), pc.match_substring(texts, "#"))
        return pc.replace_substring_regex(texts, r"[?#].*$", "") if pc.any(queried).as_py() else texts
    if canonical in _WORDS:
        return ids(column, _WORDS[canonical])
    if canonical in CANONICAL and not pa.types.is_dictionary(column.type):
        return column.cast(TEXT)
    if canonical == "message":
        return column.cast(TEXT)
    return column


def levels(column: pa.ChunkedArray | pa.Array, source: str) -> pa.Array:
    """Which severity does each value mean? Null where it is none that is known."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    meant = []
    for value in coded.dictionary.to_pylist():
        if isinstance(value, str) and not value.strip().lstrip("-").isdigit():
            meant.append(LEVELS.get(value.strip().lower()))
        else:
            meant.append(None if value is None else number_level(float(value), source))
    return pa.array(meant, TEXT).take(coded.indices).dictionary_encode()


def whole(column: pa.ChunkedArray) -> pa.Array:
    """The column as whole numbers; "-" and what is no number is null."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(TEXT)
    if pa.types.is_string(column.type):
        numeric = pc.match_substring_regex(column, r"^\d{1,18}$")
        column = pc.if_else(numeric, column, None)
    return column.cast(pa.int64(), safe=False)


def seconds(column: pa.ChunkedArray, unit_s: float) -> pa.Array:
    """The column as seconds; text that is no number is null."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(TEXT)
    if pa.types.is_string(column.type):
        numeric = pc.match_substring_regex(column, r"^\d+(\.\d+)?$")
        column = pc.if_else(numeric, column, None)
    numbers = column.cast(pa.float64())
    return numbers if unit_s == 1.0 else pc.divide(numbers, round(1 / unit_s))


def ids(column: pa.ChunkedArray, digits: int) -> Any:
    """Trace and span ids as lower-case hex without dashes; decimal ones (Datadog's) are kept as they are."""
    if not pa.types.is_string(column.type):
        return column.cast(TEXT)
    first = next((v.as_py() for v in column if v.is_valid and v.as_py()), "")
    if len(first) == digits and first == first.lower():
        return column
    plain = pc.utf8_lower(pc.replace_substring(column, "-", ""))
    return pc.if_else(pc.equal(plain, ""), None, plain)


def _durations(rows: pa.Table, options: Options, out: dict[str, Any], used: set[str | None]) -> None:
    if "duration_s" in out:
        source = options.fields.get("duration_s")
        out["duration_s"] = seconds(rows.column(source), DURATIONS.get(source, 1.0)) if source else out["duration_s"]
        return
    for name, unit_s in DURATIONS.items():
        if name in rows.column_names and name not in used:
            column = rows.column(name)
            if pa.types.is_boolean(column.type) or pa.types.is_null(column.type):
                continue
            out["duration_s"] = seconds(column, unit_s)
            used.add(name)
            return


def _fill(n: int, options: Options, faults: Faults, out: dict[str, Any]) -> None:
    if options.service is not None:
        if "service" in out:
            out["service"] = pc.fill_null(out["service"].cast(TEXT), options.service)
        else:
            out["service"] = repeated(options.service, n)
    if "route" not in out and "url.path" in out:
        out["route"] = fold_column(out["url.path"])
    if "message" not in out and "url.path" in out:
        out["message"] = _request_line(out)
    out["weight"] = pa.repeat(pa.scalar(1.0), n)
    out["id"] = pc.binary_join_element_wise(pa.scalar(faults.path), out["seq"].cast(TEXT), ":")


def repeated(text: str, n: int) -> pa.DictionaryArray:
    """One label, n times."""
    return pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), n), pa.array([text], TEXT)).cast(LABEL)


def _request_line(out: dict[str, Any]) -> Any:
    parts = [out.get("http.request.method"), out["url.path"], out.get("http.response.status_code")]
    texts = [p.cast(TEXT) for p in parts if p is not None]
    return pc.binary_join_element_wise(*texts, " ", null_handling="skip")
