"""OpenMetrics and Prometheus text with a timestamp on every sample: what `promtool tsdb dump-openmetrics` writes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from connectors.errors import BadInput
from connectors.files.options import Options
from connectors.files.stream import Faults, chunks
from connectors.samples import SampleBuilder, Samples, Series

NAME = "openmetrics"
TABLES = ("METRICS",)

_LABEL = re.compile(r'\s*,?\s*("?[a-zA-Z_:.][\w:./-]*"?)\s*=\s*"((?:[^"\\]|\\.)*)"')
_LINE = re.compile(rb"^[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{[^\n]*\})? \S+(?: -?[0-9.eE+]+)?$")
_ESCAPE = re.compile(r"\\(.)")
_EXEMPLAR = b" # {"


class MetricReading(NamedTuple):
    """A file's samples, and why some of it is missing."""

    samples: Samples
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def sniff(head: bytes, name: str) -> bool:
    """Is it exposition text: # TYPE, # HELP or samples?

    >>> sniff(b"# TYPE up gauge\\nup{job=\\"a\\"} 1 1790000000.0\\n", "metrics.om")
    True
    """
    lines = [line for line in head.split(b"\n")[:20] if line.strip()]
    if any(line.startswith((b"# TYPE ", b"# HELP ", b"# UNIT ")) for line in lines):
        return True
    return bool(lines) and all(_LINE.match(line) for line in lines[:-1] or lines) and b"{" in b"".join(lines)


def read(path: Path, options: Options, *, label: str | None = None) -> MetricReading:
    """Which samples does this file hold? Times to the microsecond; NaN samples (staleness marks) are no samples.

    OpenMetrics counts seconds, Prometheus' older text milliseconds: told by the size. Raises `BadInput` when samples
    have no timestamp: such a text is one moment, and which one it does not say.
    """
    faults = Faults(label or path.name)
    build = SampleBuilder()
    known: dict[bytes, int] = {}
    kinds: dict[str, str] = {}
    units: dict[str, str] = {}
    undated = lines = 0
    for chunk in chunks(path, faults):
        rows = chunk.data.split(b"\n")[:-1]
        lines += len(rows)
        for number, line in enumerate(rows, chunk.first_line):
            if not line or line[0] == 35:
                _comment(line, kinds, units)
                continue
            if _EXEMPLAR in line and line[line.rfind(_EXEMPLAR) - 1 : line.rfind(_EXEMPLAR)].isdigit():
                line = line[: line.rfind(_EXEMPLAR)]
            parts = line.rsplit(None, 2)
            try:
                name, value, time = parts
                micros = _micros(time)
                amount = float(value)
            except ValueError:
                if len(parts) == 2 or (len(parts) == 3 and parts[1].endswith(b"}")):
                    undated += 1
                    continue
                torn = chunk.torn and number - chunk.first_line == len(rows) - 1
                faults.bad(number, "the last line is half-written" if torn else "not a sample")
                continue
            series = known.get(name)
            if series is None:
                one = parse_series(name.decode())
                if one is None:
                    faults.bad(number, "not a series with labels")
                    continue
                series = known[name] = build.new(one)
            if amount == amount:
                build.add(series, micros, amount)
    if undated and not len(build.times):
        raise BadInput(
            f"The samples of {faults.path} carry no time: it is one scrape; use a dump with times, like that of "
            f"promtool tsdb dump-openmetrics."
        )
    if undated:
        faults.missing.append(f"{undated:,} samples of {faults.path} carry no time and are left out")
    if not len(build.times) and faults.bad_lines:
        raise BadInput(f"{faults.path} is not OpenMetrics text: none of its {lines:,} lines is a sample.")
    if not lines and not faults.missing:
        faults.notes.append(f"{faults.path} is empty")
    build.series = [s._replace(kind=_kind(s.metric, kinds), unit=units.get(s.metric, "")) for s in build.series]
    return MetricReading(build.build(), faults.sentences(), tuple(faults.notes))


def _micros(time: bytes) -> int:
    """A timestamp's microseconds, exactly: digits are shifted as text where they can be."""
    if time.isdigit():
        number = int(time)
        return number * 1000 if number > 100_000_000_000 else number * 1_000_000
    whole, dot, fraction = time.partition(b".")
    if dot and whole.isdigit() and fraction.isdigit():
        return int(whole) * 1_000_000 + int(fraction[:6].ljust(6, b"0"))
    number = float(time)
    if number < 1e8:
        raise ValueError(time)
    return round(number * (1e3 if number > 1e11 else 1e6))


def _comment(line: bytes, kinds: dict[str, str], units: dict[str, str]) -> None:
    parts = line.decode().split(None, 3)
    if len(parts) >= 4 and parts[1] == "TYPE":
        kinds[parts[2]] = parts[3].strip().lower()
    elif len(parts) >= 4 and parts[1] == "UNIT":
        units[parts[2]] = parts[3].strip()


def parse_series(text: str) -> Series | None:
    """Which series is this? None when it is not `name{label="value",…}`.

    >>> parse_series('http_requests_total{code="503",path="/a\\\\"b"}').labels["path"]
    '/a"b'
    """
    name, brace, rest = text.partition("{")
    if not brace:
        return Series(name.strip(), {}) if name.strip() else None
    labels: dict[str, str] = {}
    at = 0
    while match := _LABEL.match(rest, at):
        labels[match[1].strip('"')] = _ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], match[2])
        at = match.end()
    if rest[at:].strip(", ") != "}":
        return None
    name = labels.pop("__name__", name.strip())
    return Series(name, labels) if name else None


def _kind(metric: str, kinds: dict[str, str]) -> str:
    if metric in kinds:
        kind = kinds[metric]
        return kind if kind in ("gauge", "counter", "histogram") else "unknown"
    for suffix, of in (("_total", "counter"), ("_bucket", "histogram"), ("_count", "histogram"), ("_sum", "histogram")):
        if metric.endswith(suffix):
            declared = kinds.get(metric.removesuffix(suffix))
            if declared in ("counter", "histogram", "summary"):
                return "counter" if suffix != "_bucket" else of
            if suffix in ("_total", "_bucket"):
                return of
    return "unknown"
