"""When nodes die or connections break: the whole answer, or a part with the reason, or a clear error; never a lie."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.base import Answer
from connectors.elastic_logs import ElasticLogs
from connectors.errors import ConnectorError
from connectors.http import Http
from connectors.window import Window
from tests.servers.nodes import Pair, elasticsearch, load, two_elasticsearch
from tests.servers.proxy import Proxy, proxy

pytestmark = pytest.mark.server

START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
KEYWORD = {"type": "keyword"}
MAPPINGS = {
    "properties": {
        "@timestamp": {"type": "date"},
        "message": {"type": "text"},
        "service": {"properties": {"name": KEYWORD}},
        "duration_s": {"type": "double"},
    }
}
N = 6_000
LIMIT_S = 6.0
"""The time limit that the questions are given."""
GRACE_S = 20.0
"""Past the limit, on a machine that does other things as well; a hang is longer than that."""


def documents() -> list[tuple[str, dict[str, Any]]]:
    """Ids and documents; several have the same time."""
    return [
        (
            f"doc-{i:05d}",
            {
                "@timestamp": (START + timedelta(milliseconds=500 * (i // 3))).isoformat(),
                "message": f"request {i} was served by a pool that had room " + "x" * 150,
                "service": {"name": ("checkout", "cart")[i % 2]},
                "duration_s": i % 100 / 100,
            },
        )
        for i in range(N)
    ]


IDS = {key for key, _ in documents()}


class Outcome:
    """What came of reading all rows: how it ended, after how long, and which rows were given."""

    def __init__(self, source: ElasticLogs) -> None:
        self.ids: list[str] = []
        self.times: list[datetime] = []
        self.error: ConnectorError | None = None
        self.partial: str | None = None
        began = time.monotonic()
        try:
            self.read(source.rows(HOUR, fields=["id", "time"]))
        except ConnectorError as error:
            self.error = error
        self.took_s = time.monotonic() - began

    def read(self, stream: Any, *, then: Callable[[], None] = lambda: None) -> None:
        """Reads the stream; `then` is called after its first batch."""
        for number, batch in enumerate(stream):
            self.ids += batch.column("id").to_pylist()
            self.times += batch.column("time").to_pylist()
            if number == 0:
                then()
        self.partial = stream.fetch.partial

    def is_honest(self) -> str:
        """Asserts that nothing is doubled, out of order or silently missing; says how it ended."""
        assert len(self.ids) == len(set(self.ids)), "a row came twice"
        assert set(self.ids) <= IDS
        assert self.times == sorted(self.times)
        if self.error is not None:
            return one_sentence(self.error)
        if self.partial is None:
            assert set(self.ids) == IDS, f"{len(IDS) - len(self.ids)} rows are lost and nothing is said"
            return "whole"
        return f"partial: {self.partial}"


def one_sentence(error: ConnectorError) -> str:
    text = str(error)
    assert "\n" not in text
    assert "Traceback" not in text
    assert text.endswith(".")
    return text


# --- a connection that breaks ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def between() -> Iterator[Proxy]:
    with elasticsearch() as url:
        load(url, "faults", MAPPINGS, documents())
        with proxy(url) as one:
            yield one


@pytest.fixture
def source(between) -> Iterator[ElasticLogs]:
    between.harm("cut", after=0, times=0)
    made = ElasticLogs("es", Http(between.url, timeout_s=1.0, deadline_s=LIMIT_S), "faults")
    assert made.count(HOUR).table.to_pylist() == [{"n": float(N)}]
    yield made
    between.harm("cut", after=0, times=0)
    made.close()


@pytest.mark.parametrize("after", [0, 20_000, 400_000])
@pytest.mark.parametrize("fault", ["cut", "stall", "garble"])
def test_rows_through_one_fault(between, source, fault, after):
    between.harm(fault, after=after)
    outcome = Outcome(source)
    said = outcome.is_honest()
    assert between.done == 1
    assert outcome.took_s < LIMIT_S + GRACE_S
    if fault != "garble":
        assert said == "whole", "one broken connection is no reason to give up"


@pytest.mark.parametrize("fault", ["cut", "stall", "garble"])
def test_rows_through_faults_without_end(between, source, fault):
    between.harm(fault, after=100_000, times=10_000)
    outcome = Outcome(source)
    outcome.is_honest()
    assert outcome.took_s < 3 * LIMIT_S + GRACE_S
    between.harm(fault, after=0, times=10_000)
    assert Outcome(source).error is not None


@pytest.mark.parametrize("fault", ["cut", "stall", "garble"])
def test_a_count_is_right_or_refused(between, source, fault):
    between.harm(fault, after=0)
    began = time.monotonic()
    answer: Answer | None = None
    try:
        answer = source.count(HOUR, every="1m", by=("service",))
    except ConnectorError as error:
        one_sentence(error)
    if answer is not None:
        assert sum(answer.table.column("n").to_pylist()) == N
        assert answer.fetch.partial is None
    assert time.monotonic() - began < LIMIT_S + GRACE_S


def test_no_point_in_time_is_left_open_by_broken_connections(between, source):
    def still_open() -> int:
        stats = httpx.get(f"{between.url}/faults/_stats/search", trust_env=False).json()
        return stats["_all"]["total"]["search"]["open_contexts"]

    before = still_open()  # where a connection stayed broken, nobody could close: the server lets them expire
    for fault in ("cut", "garble"):
        between.harm(fault, after=200_000)
        Outcome(source)
    between.harm("cut", after=0, times=0)
    assert still_open() <= before


# --- a node that dies ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def killed() -> Iterator[dict[str, Any]]:
    """Two nodes, an index with copies and one without; the second node dies while both are read and counted."""
    with two_elasticsearch() as pair:
        for index, replicas in (("alone", 0), ("copied", 1)):
            load(pair.url, index, MAPPINGS, documents(), replicas=replicas)
        green = {"wait_for_status": "green", "timeout": "60s"}
        assert not httpx.get(f"{pair.url}/_cluster/health", params=green, timeout=70).json()["timed_out"]
        yield _what_happens(pair)


def _what_happens(pair: Pair) -> dict[str, Any]:
    sources = {
        index: ElasticLogs("es", Http(pair.url, timeout_s=5.0, deadline_s=30.0), index) for index in ("alone", "copied")
    }
    counts: dict[str, list[Any]] = {index: [] for index in sources}
    over = threading.Event()

    def count(index: str) -> None:
        while not over.is_set():
            try:
                counts[index].append(sources[index].count(HOUR))
            except ConnectorError as error:
                counts[index].append(error)

    counting = [threading.Thread(target=count, args=(index,)) for index in sources]
    found: dict[str, Any] = {"counts": counts}
    dead = threading.Event()

    def kill() -> None:
        if not dead.is_set():
            dead.set()
            pair.second.kill()

    outcomes = {}
    for index in ("copied", "alone"):
        reader = ElasticLogs("es", Http(pair.url, timeout_s=5.0, deadline_s=30.0), index)
        outcomes[index] = Outcome.__new__(Outcome)
        outcomes[index].ids, outcomes[index].times = [], []
        outcomes[index].error = outcomes[index].partial = None
        outcomes[index].stream = reader.rows(HOUR, fields=["id", "time"])
        outcomes[index].began = iter(outcomes[index].stream)
    for thread in counting:
        thread.start()
    for outcome in outcomes.values():
        batch = next(outcome.began)
        outcome.ids += batch.column("id").to_pylist()
        outcome.times += batch.column("time").to_pylist()
    kill()
    for outcome in outcomes.values():
        try:
            outcome.read(outcome.stream)
        except ConnectorError as error:
            outcome.error = error
    over.set()
    for thread in counting:
        thread.join(timeout=60)
    found["rows"] = outcomes
    found["after"] = {}
    for index, source in sources.items():
        try:
            found["after"][index] = source.count(HOUR)
        except ConnectorError as error:
            found["after"][index] = error
    return found


@pytest.mark.parametrize("index", ["alone", "copied"])
def test_rows_while_a_node_dies(killed, index):
    said = killed["rows"][index].is_honest()
    if index == "alone":
        assert said != "whole", "half of the rows died with the node"


@pytest.mark.parametrize("index", ["alone", "copied"])
def test_counts_while_a_node_dies(killed, index):
    answers = killed["counts"][index]
    assert answers
    for answer in answers:
        if isinstance(answer, ConnectorError):
            one_sentence(answer)
        elif answer.fetch.partial is None:
            assert answer.table.to_pylist() == [{"n": float(N)}]
        else:
            assert answer.table.column("n")[0].as_py() <= N


def test_with_a_copy_the_count_is_whole_again(killed):
    answer = killed["after"]["copied"]
    assert not isinstance(answer, ConnectorError), answer
    assert answer.table.to_pylist() == [{"n": float(N)}]
    assert answer.fetch.partial is None


def test_without_a_copy_half_a_count_is_never_passed_off_as_whole(killed):
    answer = killed["after"]["alone"]
    if not isinstance(answer, ConnectorError):
        assert "shards failed" in answer.fetch.partial
        assert answer.table.column("n")[0].as_py() < N
