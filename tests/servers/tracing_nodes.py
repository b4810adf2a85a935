"""Real Jaeger and Loki for tests: ones that are there already, or built beforehand by `go_servers/build.sh`."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.servers.nodes import free_port

RECIPES = Path(__file__).parent / "go_servers"


class Jaeger(NamedTuple):
    """Where to ask, and where to send OTLP over HTTP."""

    url: str
    otlp: str

    def load(self, requests: Sequence[bytes]) -> None:
        """Sends these export requests of OTLP/JSON."""
        with httpx.Client(timeout=60, trust_env=False) as client:
            for request in requests:
                sent = client.post(
                    f"{self.otlp}/v1/traces", content=request, headers={"content-type": "application/json"}
                )
                sent.raise_for_status()


@contextmanager
def jaeger(folder: Path) -> Iterator[Jaeger]:
    """A Jaeger that keeps traces in memory. Skips where it was never built."""
    if "JAEGER_URL" in os.environ:
        yield Jaeger(os.environ["JAEGER_URL"], os.environ["JAEGER_OTLP_URL"])
        return
    binary = _built("jaeger")
    ports = [free_port() for _ in range(11)]
    names = (
        "query.http-server.host-port", "collector.otlp.http.host-port", "collector.otlp.grpc.host-port",
        "collector.http-server.host-port", "collector.grpc-server.host-port", "query.grpc-server.host-port",
        "admin.http.host-port", "http-server.host-port", "processor.jaeger-compact.server-host-port",
        "processor.jaeger-binary.server-host-port", "processor.zipkin-compact.server-host-port",
    )  # fmt: skip
    flags = [f"--{name}=127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)]
    flags += ["--collector.otlp.enabled=true", "--memory.max-traces=100000", "--log-level=error"]
    with _running([str(binary), *flags], folder, f"http://127.0.0.1:{ports[0]}/api/services"):
        yield Jaeger(f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}")


@contextmanager
def loki(folder: Path) -> Iterator[str]:
    """The address of a Loki that keeps its chunks in `folder`. Skips where it was never built."""
    if "LOKI_URL" in os.environ:
        yield os.environ["LOKI_URL"]
        return
    binary, port = _built("loki"), free_port()
    text = (RECIPES / "loki" / "loki.yaml").read_text()
    for name, value in (("DATA_DIR", folder / "data"), ("HTTP_PORT", port), ("GRPC_PORT", free_port())):
        text = text.replace(name, str(value))
    (folder / "loki.yaml").write_text(text)
    url = f"http://127.0.0.1:{port}"
    with _running([str(binary), "-config.file=loki.yaml"], folder, f"{url}/ready", limit_s=90):
        yield url


def push(url: str, streams: Sequence[dict[str, Any]]) -> None:
    """Sends streams of lines to Loki, and waits until all can be read, however old they are.

    The streams have a label `job` of one value, which no other push has.
    """
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        for stream in streams:
            values = stream["values"]
            for at in range(0, len(values), 5_000):  # a message of more than 4 MB is refused
                piece = {"stream": stream["stream"], "values": values[at : at + 5_000]}
                sent = client.post("/loki/api/v1/push", json={"streams": [piece]})
                assert sent.status_code == 204, sent.text[:500]
        (job,) = {stream["stream"]["job"] for stream in streams}
        times = [int(value[0]) for stream in streams for value in stream["values"]]
        hours = (max(times) - min(times)) // 3_600_000_000_000 + 2
        asked = {"query": f'sum(count_over_time({{job="{job}"}}[{hours}h]))', "time": str(max(times) + 1_000_000_000)}
        for _ in range(100):
            client.post("/flush").raise_for_status()
            found = client.get("/loki/api/v1/query", params=asked).json()["data"]["result"]
            if found and int(found[0]["value"][1]) == len(times):
                return
            time.sleep(0.2)
        raise AssertionError(f"Loki shows {found} of {len(times)} lines of {job}")


def _built(name: str) -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "go-test-servers"
    digest = hashlib.sha256((RECIPES / name / "go.sum").read_bytes()).hexdigest()[:12]
    binary = folder / f"{name}-{digest}"
    if not binary.is_file():
        pytest.skip(f"no {name}: it was not built here (tests/servers/go_servers/build.sh {name} takes minutes)")
    return binary


@contextmanager
def _running(command: Sequence[str], folder: Path, ready: str, *, limit_s: float = 30) -> Iterator[None]:
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(["nice", "-n", "19", *command], cwd=folder, stdout=log, stderr=log)
    try:
        ends = time.monotonic() + limit_s
        while not _answers(ready):
            said = (folder / "server.log").read_text(errors="replace")[-800:]
            assert process.poll() is None, f"{command[0]} stopped: {said}"
            assert time.monotonic() < ends, f"{command[0]} did not start: {said}"
            time.sleep(0.2)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
