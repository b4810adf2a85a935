"""Real nodes for tests: those that are there already (`ES_URL`, `OPENSEARCH_URL`), or built from published jars.

A kind of node is started when a test first asks for it, stays for the tests after it, and is stopped when another kind
is asked for or the session ends: never two kinds at a time. What is built is kept under `~/.cache`. Where a node cannot
be had, tests skip with the reason on a person's machine and fail in continuous integration.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Never

import httpx
import orjson
import pytest

HERE = Path(__file__).parent
PASSWORD = "only-for-tests-pw"
"""Of the user "elastic" on the secured node."""
STOP_S = 20.0


@dataclass(slots=True)
class Node:
    """A node that was started here; `authority` is the file of its certificate, None without HTTPS."""

    url: str
    pid: int
    folder: Path
    authority: Path | None = None

    def kill(self) -> None:
        """Ends the node at once, as a machine that loses its power does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ends the node the friendly way, and removes its folder."""
        self._end(signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        try:
            os.kill(self.pid, how)
            ends = time.monotonic() + STOP_S
            while time.monotonic() < ends and _runs(self.pid):
                time.sleep(0.05)
            if _runs(self.pid):
                os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


@dataclass(slots=True)
class Pair:
    """Two nodes joined to one cluster: the first is the master and is asked; the second only holds data."""

    first: Node
    second: Node
    _again: Callable[[], Node]

    @property
    def url(self) -> str:
        """The address of the node that stays."""
        return self.first.url

    def revive_second(self) -> None:
        """Starts a new second node after the old one was killed, and waits until the first has seen both happen."""
        self._joined(1)
        self.second.stop()
        self.second = self._again()
        self._joined(2)

    def stop(self) -> None:
        """Ends both."""
        self.second.stop()
        self.first.stop()

    def _joined(self, nodes: int) -> None:
        wanted = {"wait_for_nodes": str(nodes), "timeout": "60s"}
        answer = httpx.get(f"{self.url}/_cluster/health", params=wanted, timeout=70, trust_env=False).json()
        assert not answer["timed_out"], answer


@dataclass(slots=True)
class _Running:
    kind: str = ""
    started: Any = None
    failed: set[str] = field(default_factory=set)


_running = _Running()


@contextmanager
def elasticsearch(folder: Path | None = None) -> Iterator[str]:
    """The address of an Elasticsearch node without security."""
    del folder
    yield os.environ.get("ES_URL") or running("elasticsearch").url


@contextmanager
def opensearch() -> Iterator[str]:
    """The address of an OpenSearch node without security."""
    yield os.environ.get("OPENSEARCH_URL") or running("opensearch").url


@contextmanager
def secured_elasticsearch() -> Iterator[Node]:
    """An Elasticsearch node over HTTPS with users and API keys; the user "elastic" has `PASSWORD`."""
    yield running("secured")


@contextmanager
def two_elasticsearch() -> Iterator[Pair]:
    """Two Elasticsearch nodes joined, of which the second may be killed and revived."""
    yield running("pair")


def running(kind: str) -> Any:
    """The node or nodes of this kind, started now unless they run; those of another kind are stopped first."""
    if _running.kind != kind:
        stop_all()
        if kind in _running.failed:
            pytest.fail(f"{kind} did not start before in this session either.")
        _running.failed.add(kind)
        _running.started = {
            "elasticsearch": _start_elasticsearch,
            "opensearch": _start_opensearch,
            "secured": lambda: _start_elasticsearch(password=PASSWORD),
            "pair": _start_pair,
        }[kind]()
        _running.kind = kind
        _running.failed.discard(kind)
    return _running.started


@atexit.register
def stop_all() -> None:
    """Stops what runs."""
    if _running.started is not None:
        _running.started.stop()
    _running.kind, _running.started = "", None


def _start_elasticsearch(*settings: str, password: str = "", port: int | None = None) -> Node:
    environment = {"ES_HEAP": "512m", **({"ES_PASSWORD": password} if password else {})}
    return _start("elasticsearch", "ES_WORK", environment, settings, port or free_port())


def _start_opensearch() -> Node:
    return _start("opensearch", "OS_WORK", {"OS_HEAP": "512m"}, (), free_port())


def _start_pair() -> Pair:
    cluster, one, other = f"pair-{os.getpid()}", free_port(), free_port()
    shared = ("discovery.type=multi-node", f"cluster.name={cluster}")
    first = _start_elasticsearch(
        *shared, "node.name=first", f"transport.port={one}", "cluster.initial_master_nodes=first",
        "cluster.fault_detection.follower_check.timeout=1s",
    )  # fmt: skip

    def again() -> Node:
        return _start_elasticsearch(
            *shared, "node.name=second", f"transport.port={other}", f"discovery.seed_hosts=127.0.0.1:{one}",
            "node.roles=data",
        )  # fmt: skip

    try:
        return Pair(first, again(), again)
    except BaseException:
        first.stop()
        raise


def _start(
    product: str, folder_variable: str, environment: dict[str, str], settings: tuple[str, ...], port: int
) -> Node:
    missing = [tool for tool in ("java", "javac", "mvn", "curl", "openssl") if not shutil.which(tool)]
    if missing:
        _not_there(product, f"install a JDK 17, Maven, curl and openssl ({', '.join(missing)} missing)")
    built = subprocess.run([HERE / product / "assemble.sh"], capture_output=True, text=True, check=False)
    if built.returncode:
        _not_there(product, f"it could not be put together: {_end_of(built.stderr)}")
    folder = Path(tempfile.mkdtemp(prefix=f"{product}-node-"))
    command = [HERE / product / "start.sh", built.stdout.strip(), str(port), *settings]
    begun = {name: value for name, value in os.environ.items() if name != "ES_PASSWORD"}
    begun |= {**environment, folder_variable: str(folder)}
    started = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=begun, check=False)
    if started.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        pytest.fail(f"{product} did not start: see the end of its log above.")
    url, pid, _ = started.stdout.split()
    secured = folder / "config" / "cert.pem"
    return Node(url, int(pid), folder, secured if secured.exists() else None)


def _not_there(product: str, why: str) -> Never:
    variable = {"elasticsearch": "ES_URL", "opensearch": "OPENSEARCH_URL"}[product]
    said = f"no {product} node: set {variable}, or {why}"
    if os.environ.get("CI") == "true":
        pytest.fail(said)
    pytest.skip(said)


def _end_of(text: str) -> str:
    return " ".join(text.split())[-300:]


def _runs(pid: int) -> bool:
    """Does the process live? One that has ended and was not yet collected does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:
        return not Path("/proc/self").exists()


def load(
    url: str,
    index: str,
    mappings: dict[str, Any],
    documents: list[tuple[str, dict[str, Any]]],
    *,
    shards: int = 2,
    replicas: int = 0,
) -> None:
    """Makes the index anew and fills it: (id, document) each."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        client.delete(f"/{index}")
        settings = {"number_of_shards": shards, "number_of_replicas": replicas}
        client.put(f"/{index}", json={"settings": settings, "mappings": mappings}).raise_for_status()
        if not documents:
            return
        lines = b"".join(
            orjson.dumps({"index": {"_id": key}}) + b"\n" + orjson.dumps(document) + b"\n"
            for key, document in documents
        )
        answer = client.post(
            f"/{index}/_bulk",
            params={"refresh": "true"},
            content=lines,
            headers={"content-type": "application/x-ndjson"},
        )
        answer.raise_for_status()
        assert not answer.json()["errors"], answer.text[:500]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
