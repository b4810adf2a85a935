"""Who may not, and what is not there, is told in one sentence with the next step; no key is in anything kept."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import tomli_w

from connectors.base import Selection
from connectors.catalog import read_catalog
from connectors.credentials import credential_for
from connectors.errors import AccessDenied, BadInput, ConnectorError, NotFound, SourceUnavailable
from connectors.http import Http
from connectors.testing import HOUR, contract_documents
from connectors.window import Window
from kit.case import open_case
from kit.check import check_sources
from kit.new import new_case
from tests.servers.load_incident import fill
from tests.servers.nodes import PASSWORD, secured_elasticsearch
from tests.servers.secured import LEAST, Secured

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    with secured_elasticsearch() as node:
        made = Secured(node)
        admin = made.admin()
        fill(admin, "shop-logs", contract_documents())
        fill(admin, "shop-empty", contract_documents().slice(0, 0))
        timeless = {"mappings": {"properties": {"message": {"type": "text"}}}}
        admin.ask("PUT", "/shop-timeless", body=timeless)
        admin.close()
        yield made
        made.client.close()


@pytest.fixture(scope="module")
def least(secured) -> str:
    return secured.key(LEAST)


def refused(kind: type[ConnectorError], question: Any, secured: Secured) -> str:
    """The sentence of the refusal: one line, an end, and no key in it."""
    with pytest.raises(kind) as error:
        question()
    said = str(error.value)
    assert "\n" not in said
    assert said.endswith(".")
    no_secret(said, secured)
    return said


def no_secret(text: str, secured: Secured) -> None:
    for key in (*secured.keys, PASSWORD):
        assert key not in text


# --- one clear sentence each -----------------------------------------------------------------------------------------


def test_no_credential(secured):
    said = refused(AccessDenied, lambda: secured.logs(None).count(HOUR), secured)
    assert "valid credential" in said
    assert "INCIDENT_KIT_*" in said


def test_wrong_key(secured, least):
    wrong = least[:-4] + ("AAAA" if not least.endswith("AAAA") else "BBBB")
    secured.keys.append(wrong)
    said = refused(AccessDenied, lambda: secured.logs(wrong).count(HOUR), secured)
    assert "set another one for this origin" in said


def test_expired_key(secured):
    key = secured.key(LEAST, expiration="1s")
    time.sleep(1.5)
    said = refused(AccessDenied, lambda: secured.logs(key).count(HOUR), secured)
    assert "the key has expired" in said


def test_key_without_the_privilege(secured):
    other = {"cluster": ["monitor"], "indices": [{"names": ["other-*"], "privileges": ["read"]}]}
    key = secured.key(other)
    said = refused(AccessDenied, lambda: secured.logs(key).count(HOUR), secured)
    assert "does not allow this credential to read shop-logs" in said
    assert "privilege read" in said


def test_unknown_authority(secured, least):
    said = refused(SourceUnavailable, lambda: secured.logs(least, authority=None).count(HOUR), secured)
    assert "certificate that is not trusted" in said
    assert "authority" in said


def test_http_for_https(secured, least):
    plain = secured.url.replace("https:", "http:")
    said = refused(SourceUnavailable, lambda: secured.logs(least, url=plain, authority=None).count(HOUR), secured)
    assert "https?" in said


def test_no_such_index(secured, least):
    said = refused(NotFound, lambda: secured.logs(least, "shop-nowhere").count(HOUR), secured)
    assert "shop-nowhere" in said
    assert "sources.toml" in said


def test_no_index_fits_the_pattern(secured, least):
    said = refused(NotFound, lambda: secured.logs(least, "shop-no*").count(HOUR), secured)
    assert "shop-no*" in said


def test_empty_index_is_no_fault(secured, least):
    source = secured.logs(least, "shop-empty")
    assert source.count(HOUR).table.to_pylist() == [{"n": 0.0}]
    assert source.rows(HOUR).answer().table.num_rows == 0


def test_index_without_a_time_field(secured, least):
    said = refused(BadInput, lambda: secured.logs(least, "shop-timeless").count(HOUR), secured)
    assert "time" in said
    assert "fields" in said


# --- the least privileges --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("privileges", [["read"], ["read", "view_index_metadata"]])
def test_the_least_privileges_answer_every_question(secured, privileges):
    key = secured.key({"indices": [{"names": ["shop-logs"], "privileges": privileges}]})
    source = secured.logs(key)
    half = Window(HOUR.start, HOUR.start + (HOUR.end - HOUR.start) / 2)
    whole = source.count(HOUR).table.column("n")[0].as_py()
    assert whole > 600
    assert source.fields(HOUR).table.num_rows > 5
    assert source.measure(HOUR, "duration_s", by=("route",)).table.num_rows > 2
    assert source.compare(["route"], bad=Selection(half), good=Selection(HOUR)).table.num_rows > 2
    assert source.sample(HOUR, 10).table.num_rows == 10
    rows = source.rows(HOUR)
    assert sum(batch.num_rows for batch in rows) == whole
    assert rows.fetch.partial is None
    assert secured.client.get("/_nodes/stats/indices/search").json()["nodes"].popitem()[1]["indices"]["search"][
        "open_contexts"
    ] == 0  # fmt: skip


# --- a case on it, and what it keeps ---------------------------------------------------------------------------------


@pytest.fixture
def own(secured, least, tmp_path, monkeypatch) -> Path:
    """The user's own configuration folder, with the key for this origin in it."""
    folder = tmp_path / "config"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    file = folder / "incident-kit" / "credentials.toml"
    file.parent.mkdir(parents=True)
    file.write_text(tomli_w.dumps({"credential": [{"origin": secured.url, "api_key": least}]}))
    file.chmod(0o600)
    return folder


def test_a_new_case_on_the_index_keeps_no_key(secured, least, own, tmp_path):
    folder = tmp_path / "case"
    said = new_case(folder, [f"{secured.url}/shop-logs"], authority=Path(secured.authority))
    assert any("shop-logs" in line for line in said)
    case = open_case(folder)
    (row,) = check_sources(case)
    assert row.reached, row.says
    case.logs.sample(case.look, 20)
    case.logs.rows(case.look, limit=20)
    for path in folder.rglob("*"):
        if path.is_file():
            no_secret(path.read_bytes().decode("latin-1"), secured)
    record = orjson.loads((folder / "evidence.jsonl").read_bytes().splitlines()[0])
    assert "Authorization" not in str(record)


def test_the_command_line_shows_no_key_even_with_a_traceback(secured, least, own, tmp_path):
    command = [sys.executable, "-m", "kit.cli", "new", str(tmp_path / "case"), "--from", f"{secured.url}/shop-nowhere"]
    for more in ([], ["--debug"]):
        ran = subprocess.run(
            [*command, "--authority", secured.authority, *more], capture_output=True, text=True, check=False
        )  # fmt: skip
        assert ran.returncode != 0
        assert "shop-nowhere" in ran.stderr
        no_secret(ran.stdout + ran.stderr, secured)


def test_a_credential_goes_to_its_own_origin_only(secured, least, own):
    assert credential_for(secured.url).api_key == least
    host_only = secured.url.replace("127.0.0.1", "localhost")
    assert credential_for(host_only) is None
    with pytest.raises(BadInput, match="The credential is for"):
        Http(host_only, credential=credential_for(secured.url))


def test_a_key_in_the_case_is_refused(secured, least, tmp_path):
    for line in (f'api_key = "{least}"', f'url = "https://elastic:{PASSWORD}@127.0.0.1:9200"'):
        source = f'[sources.es]\nkind = "elasticsearch"\ntable = "logs"\nindex = "x"\n{line}\n'
        if "url" not in line:
            source += f'url = "{secured.url}"\n'
        (tmp_path / "sources.toml").write_text(source)
        refused(BadInput, lambda: read_catalog(tmp_path), secured)
