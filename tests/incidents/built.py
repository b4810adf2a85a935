"""Incidents built from recordings: one fault thinned to a small part of the traffic, two faults spliced into one."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from kit.working_copy import working_copy
from tests.incidents.walking import SAMPLES

REQUEST_LOGS = ("client.jsonl.gz", "edge/access.log.gz", "nginx/access.log.gz", "checkout/*.jsonl.gz",
                "payments/*.jsonl.gz")  # fmt: skip
COPIES, KEPT = 6, 3


def thinned(slug: str, to: Path) -> Path:
    """The same fault on less than a hundredth of the traffic: one failing request in three is kept, and every request
    that was answered stands six times, right after each other; counters are scaled alike, and so are the traces."""
    folder = working_copy(SAMPLES / slug, to)
    failing = [_id(r) for r in _rows(folder / "raw" / "client.jsonl.gz") if r["http.response.status_code"] >= 500]
    kept, dropped = set(failing[::KEPT]), set(failing) - set(failing[::KEPT])

    def lines(row: dict) -> Iterable[dict]:
        if _id(row) in dropped:
            return ()
        if _id(row) in kept or row.get("level") not in (None, "info"):
            return (row,)
        return (_moved(row, timedelta(milliseconds=70 * n), mark=f"{n}") for n in range(COPIES))

    for path in _request_logs(folder):
        _rewrite(path, lines)
    _rewrite_metrics(folder / "raw" / "metrics.om.gz", _scaled)
    few = set(failing[:: KEPT * COPIES])
    _rewrite(folder / "raw" / "traces.jsonl.gz", lambda r: () if _trace(r) in set(failing) - few else (r,))
    return folder


def spliced(base: str, other: str, to: Path, *, route: str, earlier: timedelta) -> Path:
    """The recording `base` with the requests of one route taken from another, so much earlier; no traces.

    Logs of requests and changes are joined, and what the service counts of requests and errors; all other metrics stay
    those of `base`.
    """
    folder = working_copy(SAMPLES / base, to)
    first = min(_time(r) for r in _rows(SAMPLES / other / "raw" / "client.jsonl.gz")) - earlier
    for path in _request_logs(folder):
        theirs = SAMPLES / other / path.relative_to(folder)
        rows = [r for r in _rows(path) if not (_on(r, route) and _time(r) >= first)]
        rows += [_moved(r, -earlier) for r in _rows(theirs) if _on(r, route)]
        rows.sort(key=_time)
        _write(path, rows)
    changes = folder / "raw" / "changes.jsonl"
    more = [_moved(r, -earlier) for r in _rows(SAMPLES / other / "raw" / "changes.jsonl")]
    _write(changes, [*_rows(changes), *({**r, "id": f"other-{r['id']}"} for r in more)])
    counted = re.compile(r'^http_server_(errors|requests)_total\{.*service="checkout"')
    extra = [_metric_moved(x, earlier) for x in _lines(SAMPLES / other / "raw" / "metrics.om.gz") if counted.match(x)]
    _rewrite_metrics(folder / "raw" / "metrics.om.gz", lambda x: x, extra=extra)
    (folder / "raw" / "traces.jsonl.gz").unlink()
    return folder


def _id(row: dict) -> str:
    return str(row.get("http.request.id") or row.get("request_id") or row.get("trace_id") or "")


def _time(row: dict) -> datetime:
    if "msec" in row:
        return datetime.fromtimestamp(row["msec"]).astimezone()
    return datetime.fromisoformat(row["time"])


def _on(row: dict, route: str) -> bool:
    return (row.get("route") or row.get("uri")) == route


def _moved(row: dict, by: timedelta, *, mark: str = "") -> dict:
    moved = dict(row)
    if "msec" in row:
        moved["msec"] = row["msec"] + by.total_seconds()
    for field in ("time", "until", "time_iso8601"):
        if row.get(field):
            shifted = datetime.fromisoformat(row[field]) + by
            moved[field] = shifted.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for field in ("http.request.id", "request_id", "trace_id"):
        if mark and row.get(field):
            moved[field] = f"{row[field][:-2]}{int(mark):02x}"
    return moved


def _trace(row: dict) -> str:
    return row["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]


def _scaled(line: str) -> str:
    """A counter of requests six times as high, of errors a third."""
    found = re.match(r"^(\w+?_(total|bucket|count|sum))(\{.*\}) ([\d.e+]+)( .*)?$", line)
    if found is None or 'service="checkout"' not in found[3] or found[1].startswith("process_"):
        return line
    times = 1 / KEPT if "errors_total" in found[1] else COPIES
    return f"{found[1]}{found[3]} {float(found[4]) * times:.10g}{found[5] or ''}"


def _metric_moved(line: str, earlier: timedelta) -> str:
    head, value, at = line.rsplit(" ", 2)
    head = re.sub(r'instance="([^"]+)"', r'instance="\1-other"', head)
    return f"{head} {value} {float(at) - earlier.total_seconds():.3f}"


def _request_logs(folder: Path) -> list[Path]:
    return [p for pattern in REQUEST_LOGS for p in sorted((folder / "raw").glob(pattern))]


def _lines(path: Path) -> list[str]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return text.decode().splitlines()


def _rows(path: Path) -> list[dict]:
    return [orjson.loads(line) for line in _lines(path) if line]


def _write(path: Path, rows: Iterable[dict]) -> None:
    _write_lines(path, (orjson.dumps(r).decode() for r in rows))


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    text = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(text, 1) if path.suffix == ".gz" else text)


def _rewrite(path: Path, change: Callable[[dict], Iterable[dict]]) -> None:
    _write(path, [out for row in _rows(path) for out in change(row)])


def _rewrite_metrics(path: Path, change: Callable[[str], str], *, extra: Iterable[str] = ()) -> None:
    """Each sample changed; `extra` samples go to their own families, before the family's next one begins."""
    lines = [line if line.startswith("#") else change(line) for line in _lines(path)]
    added: dict[str, list[str]] = {}
    for sample in extra:
        added.setdefault(sample.split("{", 1)[0], []).append(sample)
    for family, samples in added.items():
        last = max(n for n, line in enumerate(lines) if line.startswith(f"{family}{{"))
        lines[last + 1 : last + 1] = samples
    _write_lines(path, lines)
