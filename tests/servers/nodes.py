"""Real nodes for tests: one that is there already (`ES_URL`), or one built from published jars and started."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson
import pytest

RECIPE = Path(__file__).parent / "elasticsearch"


@contextmanager
def elasticsearch(folder: Path) -> Iterator[str]:
    """The address of a node without security. Skips where neither `ES_URL` nor a JDK and Maven are there."""
    if "ES_URL" in os.environ:
        yield os.environ["ES_URL"]
        return
    if not all(map(shutil.which, ("java", "javac", "mvn", "curl"))):
        missing = "no Elasticsearch: set ES_URL, or install a JDK 17, Maven and curl"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    home = subprocess.run([RECIPE / "assemble.sh"], check=True, capture_output=True, text=True).stdout.strip()
    started = subprocess.run(
        [RECIPE / "start.sh", home, str(free_port())],
        check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "ES_WORK": str(folder), "ES_HEAP": "512m"},
    )  # fmt: skip
    url, pid, _ = started.stdout.split()
    try:
        yield url
    finally:
        os.kill(int(pid), signal.SIGTERM)


def load(url: str, index: str, mappings: dict, documents: list[tuple[str, dict]]) -> None:
    """Makes the index anew and fills it: (id, document) each."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        client.delete(f"/{index}")
        settings = {"number_of_shards": 2, "number_of_replicas": 0}
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
