"""When is this? Times as files write them, to microseconds UTC.

Numbers are epoch seconds, milliseconds, microseconds or nanoseconds by their size. A time without a zone is refused
unless the source's `tz` says how to read it; one without a year takes `year`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import BadInput, NaiveTime
from connectors.schema import TIME

_MONTHS = {
    m: i for i, m in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_UTC_NAMES = frozenset({"UTC", "GMT", "Z", "UCT"})
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_ISO = re.compile(
    r"(\d{4})[-/.](\d\d?)[-/.](\d\d?)(?:[T ]+|-)(\d\d?):(\d\d)(?::(\d\d)(?:[.,:](\d+))?)?\s*"
    r"(Z|z|[+-]\d\d(?::?\d\d)?|[A-Z]{2,5})?"
)
_CLF = re.compile(
    r"(\d\d?)/([A-Za-z]{3})/(\d{4})[: ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:\s*([+-]\d{4}|Z|[A-Z]{2,5}))?"
)
_SYSLOG = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?([A-Z][a-z]{2}) +(\d\d?) (?:(\d{4}) )?(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?"
    r"(?: (\d{4}))?(?: ([+-]\d{4}|[A-Z]{2,5}))?"
)


@dataclass(frozen=True, slots=True)
class Clock:
    """How times that lack something are to be read: the zone's name, and the year."""

    tz: str | None = None
    year: int | None = None
    where: str = "the file"

    @property
    def zone(self) -> ZoneInfo | None:
        """The zone, None when no `tz` is set. Raises `BadInput` when there is no zone of that name."""
        return zone(self.tz) if self.tz else None


def zone(name: str) -> ZoneInfo:
    """Which time zone has this name? Raises `BadInput` when none has."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadInput(f'There is no time zone {name!r}: write it like tz = "Europe/Berlin" or tz = "UTC".') from None


def to_times(column: pa.ChunkedArray | pa.Array, clock: Clock) -> pa.Array:
    """Which instants does this column name? `timestamp[us, UTC]`; null where a value is no time.

    Takes numbers (epoch), timestamps and text: ISO 8601, the access logs' 17/May/2015:10:05:03 +0000, syslog's
    May 17 10:05:03, RFC 2822, a comma before the fraction. Raises `NaiveTime` for a time without a zone when
    `clock.tz` is not set, and for one without a year when `clock.year` is not.

    >>> import pyarrow as pa
    >>> to_times(pa.array([1_790_000_000.5, 1_790_000_001.0]), Clock()).cast(pa.int64()).to_pylist()
    [1790000000500000, 1790000001000000]
    >>> str(to_times(pa.array(["2026-11-24 04:21:00,250"]), Clock(tz="Europe/Berlin"))[0])
    '2026-11-24 03:21:00.250000+00:00'
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    type_ = column.type
    if pa.types.is_null(type_):
        return pa.nulls(len(column), TIME)
    if pa.types.is_timestamp(type_):
        if type_.tz is not None:
            return column.cast(pa.timestamp("us", type_.tz), safe=False).cast(TIME)
        return _localized(column.cast(pa.timestamp("us"), safe=False), clock)
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return _from_epoch(column)
    if not (pa.types.is_string(type_) or pa.types.is_large_string(type_)):
        return pa.nulls(len(column), TIME)
    return _from_text(column.cast(pa.string()), clock)


_EARLIEST = 1e8


def _from_epoch(numbers: pa.Array) -> pa.Array:
    """Epoch numbers to times; the unit is told by the largest one's size (seconds reach 1e11 in the year 5138).

    Numbers below 1e8 (the year 1973) are durations or counts that happen to be called a time: all null.
    """
    if pa.types.is_decimal(numbers.type):
        numbers = numbers.cast(pa.float64())
    if pa.types.is_floating(numbers.type):
        numbers = pc.if_else(pc.is_finite(numbers), numbers, None)
    largest = pc.max(pc.abs(numbers)).as_py()
    if largest is None or largest < _EARLIEST:
        return pa.nulls(len(numbers), TIME)
    if pa.types.is_floating(numbers.type):
        factor = 1e6 if largest < 1e11 else 1e3 if largest < 1e14 else 1.0 if largest < 1e17 else 1e-3
        micros = pc.round(pc.multiply(numbers, factor)).cast(pa.int64(), safe=False)
    else:
        wide = numbers.cast(pa.int64())
        if largest < 1e14:
            micros = pc.multiply(wide, 1_000_000 if largest < 1e11 else 1_000)
        else:
            micros = wide if largest < 1e17 else pc.divide(wide, 1_000)
    return micros.cast(TIME)


def _from_text(column: pa.Array, clock: Clock) -> pa.Array:
    first = next((v.as_py().strip() for v in column if v.is_valid and v.as_py().strip()), None)
    if first is None:
        return pa.nulls(len(column), TIME)
    if _NUMBER.fullmatch(first):
        digits = pc.match_substring_regex(column, r"^\s*[+-]?\d+(\.\d*)?\s*$")
        kept = pc.utf8_trim_whitespace(pc.if_else(digits, column, None))
        whole = not pc.any(pc.match_substring(kept, ".")).as_py()
        return _from_epoch(kept.cast(pa.int64() if whole else pa.float64()))
    match = _ISO.fullmatch(first)
    if match and first[4] == "-" and match[6]:
        fast = _from_iso(column, has_zone=match[8] is not None, clock=clock)
        if fast is not None:
            return fast
    return _one_by_one(column, clock)


def _from_iso(column: pa.Array, *, has_zone: bool, clock: Clock) -> pa.Array | None:
    """All of one ISO form, converted at once; None when they are not and each has to be looked at."""
    for type_ in (pa.timestamp("ns", "UTC") if has_zone else pa.timestamp("ns"),):
        for mended in (
            lambda: column,
            lambda: pc.replace_substring_regex(
                pc.replace_substring_regex(column, r",(\d+)", r".\1"), r"\s*(UTC|GMT|z)$", "Z"
            ),
            lambda: pc.replace_substring_regex(
                pc.replace_substring_regex(column, r"(\.\d{9})\d+", r"\1"), r"\s+([+-]\d\d:?\d\d)$", r"\1"
            ),
        ):
            try:
                times = mended().cast(type_)
            except pa.ArrowInvalid:
                continue
            if has_zone:
                return times.cast(pa.timestamp("us", "UTC"), safe=False)
            return _localized(times.cast(pa.timestamp("us"), safe=False), clock)
    return None


def _localized(naive: pa.Array, clock: Clock) -> pa.Array:
    """Naive times read in the clock's zone; the repeated hour is read as its first pass."""
    if clock.tz is None:
        sample = next((str(v) for v in naive if v.is_valid), "")
        raise naive_time(sample, clock)
    zone(clock.tz)
    return pc.assume_timezone(naive, clock.tz, ambiguous="earliest", nonexistent="earliest").cast(TIME)


def ambiguous(column: pa.Array, clock: Clock) -> int:
    """How many of these instants lie in an hour that the clock's zone passes through twice?"""
    if clock.tz is None or not len(column):
        return 0
    naive = pc.local_timestamp(column.cast(pa.timestamp("us", clock.tz)))
    early = pc.assume_timezone(naive, clock.tz, ambiguous="earliest", nonexistent="earliest")
    late = pc.assume_timezone(naive, clock.tz, ambiguous="latest", nonexistent="earliest")
    return pc.sum(pc.not_equal(early, late)).as_py() or 0


def naive_time(sample: str, clock: Clock) -> NaiveTime:
    """The refusal of a time without a zone, with the option that mends it."""
    return NaiveTime(
        f"The times in {clock.where} have no zone (the first is {sample!r}): name the zone of the machine that wrote "
        f'it in sources.toml, like tz = "Europe/Berlin".'
    )


def _one_by_one(column: pa.Array, clock: Clock) -> pa.Array:
    coded = column.dictionary_encode()
    values = [_micros(text, clock) for text in coded.dictionary.to_pylist()]
    return pa.array(values, pa.int64()).take(coded.indices).cast(TIME)


def _micros(text: str, clock: Clock) -> int | None:
    time = parse_time(text, clock)
    return None if time is None else (time - _EPOCH) // _MICRO


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


def parse_time(text: str, clock: Clock) -> datetime | None:
    """Which instant is this one text? None when it is no time; raises `NaiveTime` when it lacks a zone or year.

    >>> parse_time("17/May/2015:10:05:03 +0200", Clock()).isoformat()
    '2015-05-17T08:05:03+00:00'
    >>> parse_time("Nov  4 03:51:09", Clock(tz="UTC", year=2026)).isoformat()
    '2026-11-04T03:51:09+00:00'
    >>> parse_time("not a time", Clock()) is None
    True
    """
    text = text.strip().strip("[]")
    try:
        if match := _ISO.fullmatch(text):
            year, month, day, hour, minute, second, fraction, offset = match.groups()
            return _instant(text, clock, int(year), int(month), int(day), hour, minute, second, fraction, offset)
        if match := _CLF.fullmatch(text):
            day, name, year, hour, minute, second, fraction, offset = match.groups()
            month = _MONTHS[name.lower()]
            return _instant(text, clock, int(year), month, int(day), hour, minute, second, fraction, offset)
        if match := _SYSLOG.fullmatch(text):
            name, day, year, hour, minute, second, fraction, late_year, offset = match.groups()
            known = year or late_year or clock.year
            if known is None:
                raise NaiveTime(
                    f"The times in {clock.where} have no year (the first is {text!r}): name it in sources.toml, like "
                    f"year = 2026."
                )
            month = _MONTHS[name.lower()]
            return _instant(text, clock, int(known), month, int(day), hour, minute, second, fraction, offset)
        if _NUMBER.fullmatch(text):
            micros = _from_epoch(pa.array([float(text)]))[0].cast(pa.int64()).as_py()
            return None if micros is None else _EPOCH + _MICRO * micros
        if "," in text[:5]:
            time = parsedate_to_datetime(text)
            if time.tzinfo is not None:
                return time.astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        return None
    return None


def _instant(
    text: str,
    clock: Clock,
    year: int,
    month: int,
    day: int,
    hour: str,
    minute: str,
    second: str | None,
    fraction: str | None,
    offset: str | None,
) -> datetime:
    micro = int((fraction or "0")[:6].ljust(6, "0"))
    whole = int(second or 0)
    leap = whole == 60
    naive = datetime(year, month, day, int(hour), int(minute), 59 if leap else whole, micro)
    if leap:
        naive += timedelta(seconds=1)
    if offset and offset.upper() in _UTC_NAMES:
        return naive.replace(tzinfo=UTC)
    if offset and offset[0] in "+-":
        digits = offset[1:].replace(":", "").ljust(4, "0")
        shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return naive.replace(tzinfo=timezone(shift if offset[0] == "+" else -shift)).astimezone(UTC)
    if (place := clock.zone) is None:
        raise naive_time(text, clock)
    local = naive.replace(tzinfo=place)
    if offset:  # a zone's abbreviation: it tells the two passes of the repeated hour apart
        later = local.replace(fold=1)
        if local.tzname() != offset and later.tzname() == offset:
            local = later
    return local.astimezone(UTC)
