"""What did Prometheus scrape? Every raw sample of a span of time, as OpenMetrics text with timestamps."""

from __future__ import annotations

import gzip
import json
import urllib.parse
import urllib.request
from datetime import datetime
from pathlib import Path

from sample_incidents.lab.layout import PROMETHEUS

ENDINGS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}


def export(path: Path, start: datetime, end: datetime, *, keep_every: int = 1) -> int:
    """Writes the samples (or every n-th of each series), family by family, and returns how many there are."""
    query = f'{{__name__=~".+",__name__!~"scrape_(series|samples).*"}}[{int((end - start).total_seconds())}s]'
    series = _ask("query", query=query, time=f"{end.timestamp():.3f}")["result"]
    types = {name: rows[0]["type"] for name, rows in _ask("metadata").items()}
    families: dict[tuple[str, str], list[dict]] = {}
    for one in series:
        families.setdefault(_family(one["metric"]["__name__"], types), []).append(one)
    count = 0
    with gzip.GzipFile(path, "wb", 9, mtime=0) as file:
        for name, kind in sorted(families):
            file.write(f"# TYPE {name} {kind}\n".encode())
            for one in sorted(families[name, kind], key=lambda s: sorted(s["metric"].items())):
                labels = ",".join(f'{k}="{_escape(v)}"' for k, v in sorted(one["metric"].items()) if k != "__name__")
                head = f"{one['metric']['__name__']}{{{labels}}}"
                kept = one["values"][::keep_every]
                file.write("".join(f"{head} {value} {at:.3f}\n" for at, value in kept).encode())
                count += len(kept)
        file.write(b"# EOF\n")
    return count


def _family(name: str, types: dict[str, str]) -> tuple[str, str]:
    """The family of a series' name and its type; counters that do not end in _total are unknown to OpenMetrics."""
    for kind, endings in ENDINGS.items():
        for ending in endings:
            base = name.removesuffix(ending)
            if base != name and (types.get(base) == kind or types.get(name) == kind):
                return base, kind
    kind = types.get(name, "unknown")
    return name, kind if kind == "gauge" else "unknown"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _ask(what: str, **arguments: str):
    url = f"http://127.0.0.1:{PROMETHEUS}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)["data"]
