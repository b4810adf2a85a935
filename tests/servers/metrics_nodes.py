"""Real metric stores for tests, from distribution packages: Prometheus and VictoriaMetrics, filled and started."""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from connectors.samples import Samples
from tests.servers.nodes import free_port


def exposition(samples: Samples, kinds: dict[str, str] | None = None) -> str:
    """The samples as OpenMetrics text with times in seconds, each family in one piece."""
    rows: dict[str, list[str]] = {}
    columns = (samples.table.column(c).to_pylist() for c in ("time", "series", "value"))
    for at, series, value in sorted(zip(*columns, strict=True), key=lambda row: (row[1], row[0])):
        one = samples.series[series]
        labels = ",".join(f"{name}={_quoted(text)}" for name, text in sorted(one.labels.items()))
        rows.setdefault(one.metric, []).append(f"{one.metric}{{{labels}}} {value!r} {at.timestamp():.3f}")
    lines = []
    for metric in sorted(rows):
        lines += [f"# TYPE {metric} {(kinds or {}).get(metric, 'unknown')}", *rows[metric]]
    return "\n".join([*lines, "# EOF", ""])


def sample_lines(file: Path) -> Iterable[str]:
    """The lines of a recorded OpenMetrics file, plain or gzip."""
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt") as lines:
        yield from lines


def regrouped(lines: Iterable[str]) -> str:
    """OpenMetrics text with every family in one piece and without types, whatever order its lines came in."""
    families: dict[str, list[str]] = {}
    for line in lines:
        if line.strip() and not line.startswith("#"):
            families.setdefault(line.partition("{")[0].partition(" ")[0], []).append(line.rstrip("\n"))
    body = [line for name in sorted(families) for line in (f"# TYPE {name} unknown", *families[name])]
    return "\n".join([*body, "# EOF", ""])


@contextmanager
def prometheus(folder: Path, text: str) -> Iterator[str]:
    """The address of a Prometheus that holds these samples (OpenMetrics text, seconds)."""
    _installed("prometheus", "promtool")
    (folder / "inc.om").write_text(text)
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", "inc.om", "data"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    (folder / "prometheus.yml").write_text("global: {}\n")
    port = free_port()
    command = [
        "prometheus", "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.path=data", "--storage.tsdb.retention.time=100y", "--log.level=error",
    ]  # fmt: skip
    with _running(command, folder, f"http://127.0.0.1:{port}", "/-/ready") as url:
        yield url


@contextmanager
def victoria_metrics(folder: Path, text: str) -> Iterator[str]:
    """The address of a VictoriaMetrics that holds these samples (OpenMetrics text, seconds)."""
    _installed("victoria-metrics")
    port = free_port()
    command = [
        "victoria-metrics", f"-storageDataPath={folder / 'vm'}", f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y", "-search.latencyOffset=0s", "-loggerLevel=ERROR",
    ]  # fmt: skip
    with _running(command, folder, f"http://127.0.0.1:{port}", "/health") as url:
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            client.post("/api/v1/import/prometheus", content=_milliseconds(text).encode()).raise_for_status()
            client.get("/internal/force_flush").raise_for_status()
        yield url


def _milliseconds(text: str) -> str:
    lines = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            head, _, at = line.rpartition(" ")
            lines.append(f"{head} {round(float(at) * 1000)}\n")
    return "".join(lines)


@contextmanager
def _running(command: list[str], folder: Path, url: str, ready: str) -> Iterator[str]:
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        for _ in range(200):
            if server.poll() is not None:
                break
            try:
                if httpx.get(url + ready, timeout=2, trust_env=False).status_code == 200:
                    yield url
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"{command[0]} did not start: {(folder / 'server.log').read_text()[-500:]}")
    finally:
        if server.poll() is None:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=20)


def _installed(*programs: str) -> None:
    missing = [p for p in programs if shutil.which(p) is None]
    if missing:
        said = f"{' and '.join(missing)} not installed: apt-get install prometheus victoria-metrics"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
