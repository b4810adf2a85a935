"""The walk on an incident whose logs are in Elasticsearch finds what it finds in the files."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from kit.case import Case, open_case
from kit.check import check_sources
from kit.findings import compare_with_truth, read_truth
from kit.new import new_case
from kit.walk import run_in_process
from kit.working_copy import working_copy
from tests.incidents.walking import SAMPLES, walk_copy
from tests.servers.load_incident import load_incident
from tests.servers.nodes import elasticsearch

pytestmark = pytest.mark.server
SLUG = "pool_starved_by_slow_query"
LOGS = ("client", "edge", "nginx", "checkout", "payments", "worker", "postgres")
NUMBER = re.compile(r"\d+(?:\.\d+)?")
PERCENTILE_ERROR = 0.05
"""What a sketch of a percentile may be off by, on bins of some hundred requests."""


def with_logs_in(url: str, indices: dict[str, str], to: Path) -> Path:
    """A copy of the sample in which every log source is an index; no log file is left in it."""
    folder = working_copy(SAMPLES / SLUG, to)
    written = tomllib.loads((folder / "sources.toml").read_text())
    for name, index in indices.items():
        old = written["sources"][name]
        (folder / old["path"].replace("*", "")).unlink(missing_ok=True)
        written["sources"][name] = {
            "kind": "elasticsearch", "table": "logs", "url": url, "index": index, "service": old["service"],
        }  # fmt: skip
    for service in indices:
        shutil.rmtree(folder / "raw" / service, ignore_errors=True)
    (folder / "sources.toml").write_text(tomli_w.dumps(written))
    return folder


@pytest.fixture(scope="module")
def walked(tmp_path_factory) -> tuple[Case, Case]:
    with elasticsearch() as url:
        indices = load_incident(SAMPLES / SLUG, url)
        folder = with_logs_in(url, indices, tmp_path_factory.mktemp("walk") / "on-elasticsearch")
        run_in_process(folder)
    return open_case(folder, offline=True), walk_copy(SLUG, tmp_path_factory.mktemp("walk") / "on-files")


def differences(one: Any, other: Any, at: str = "") -> list[str]:
    """Where do two findings differ? Numbers, also those in sentences, are equal within the error of a percentile.

    Which answers they rest on is compared by number: an answer's id is made from its bytes.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        keys = one.keys() | other.keys()
        return [d for key in sorted(keys) for d in differences(one.get(key), other.get(key), f"{at}.{key}")]
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return [f"{at}: {len(one)} and {len(other)} of them: {one} / {other}"]
        pairs = enumerate(zip(one, other, strict=True))
        return [d for number, (a, b) in pairs for d in differences(a, b, f"{at}[{number}]")]
    if isinstance(one, str) and isinstance(other, str):
        if one.startswith("ev_") and other.startswith("ev_"):
            return []
        words, numbers = NUMBER.sub("#", one), [float(n) for n in NUMBER.findall(one)]
        same = words == NUMBER.sub("#", other)
        return [] if same and alike(numbers, [float(n) for n in NUMBER.findall(other)]) else [f"{at}: {one} / {other}"]
    if isinstance(one, int | float) and isinstance(other, int | float):
        return [] if alike([one], [other]) else [f"{at}: {one} / {other}"]
    return [] if one == other else [f"{at}: {one} / {other}"]


def alike(one: list[float], other: list[float]) -> bool:
    return all(abs(a - b) <= PERCENTILE_ERROR * max(abs(a), abs(b)) for a, b in zip(one, other, strict=True))


def test_numbers_may_differ_as_percentiles_do_and_nothing_else_may():
    assert not differences({"because": ["p99 1.00 s", "n 3"]}, {"because": ["p99 1.01 s", "n 3"]})
    assert differences({"because": ["p99 1.00 s"]}, {"because": ["p99 1.20 s"]})
    assert differences({"name": "overload"}, {"name": "pool_starved"})
    assert differences({"gaps": []}, {"gaps": ["no logs"]})
    assert differences({"rank": 1}, {})


def test_the_findings_are_those_from_the_files(walked):
    on_elasticsearch, on_files = walked
    found = on_elasticsearch.findings.merge()
    assert not found["partial"]
    assert differences(found, on_files.findings.merge()) == []


def test_the_truth_is_found(walked):
    compared = compare_with_truth(walked[0].findings.merge(), read_truth(SAMPLES / SLUG))
    assert [row.key for row in compared if not row.right] == []


def test_it_was_asked_there(walked):
    engines = {entry.fetch.engine for entry in walked[0].answers if entry.fetch.source in LOGS}
    assert engines
    assert all(engine.startswith("Elasticsearch") for engine in engines), engines


# --- a case made by looking ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def looked(tmp_path_factory, walked) -> tuple[Case, list[str]]:
    """A case made from nothing but the address of all the indices."""
    folder = tmp_path_factory.mktemp("looked") / "case"
    with elasticsearch() as url:
        said = new_case(folder, [f"{url}/shop-*"])
        rows = check_sources(open_case(folder))
        assert all(row.reached for row in rows), rows
        run_in_process(folder)
    return open_case(folder, offline=True), said


def test_looking_finds_who_the_users_are(looked):
    case, said = looked
    assert any("client in" in line and "users' requests" in line for line in said)
    assert (case.catalog.requests.service, case.catalog.requests.where) == ("client", "service = 'client'")
    assert set(case.about.services) >= {"client", "edge", "nginx", "checkout", "payments", "worker", "postgres"}


def test_all_notebooks_run_on_it_and_find_the_harm(looked, walked):
    found, known = looked[0].findings.merge(), walked[1].findings.merge()
    assert found["verdict"] == "incident"
    onset, other = found["episodes"][0]["onset"], known["episodes"][0]["onset"]
    assert onset["earliest"] <= other["latest"]
    assert other["earliest"] <= onset["latest"]


def test_services_that_share_an_index_are_read_like_those_with_logs_of_their_own(looked):
    """The logs alone name the class, by the lines of one service and the statements of another."""
    (episode,) = looked[0].findings.merge()["episodes"]
    assert episode["failure"]["name"] == "pool_starved"
    assert any("no free connection in pool" in because for because in episode["failure"]["because"])
    assert any("postgres/statements.duration.p99" in because for because in episode["failure"]["because"])
    assert episode["suspects"][0]["service"] == "postgres"
