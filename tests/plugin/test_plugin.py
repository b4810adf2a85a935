"""Somebody else's distribution offers a kind of source: installed with pip, found by entry point, held to contract."""

from __future__ import annotations

import importlib
import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from connectors.errors import BadInput
from connectors.registry import BUILT_IN, connector, kinds
from connectors.testing import HOUR, ConnectorContract, contract_documents

PROJECT = Path(__file__).parent / "incident_kit_sqlite"
DECLARED = {"int64": "INTEGER", "double": "REAL", "bool": "BOOLEAN"}


def test_without_it_the_kind_is_unknown_and_what_there_is_is_named():
    with pytest.raises(BadInput, match=r"no kind of source 'sqlite': there are .*prometheus"):
        connector("sqlite")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that pip installed the plugin into, on the path of this process."""
    source = shutil.copytree(PROJECT, tmp_path_factory.mktemp("source") / "plugin")
    target = tmp_path_factory.mktemp("site")
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation",
        "--disable-pip-version-check", "--target", target, source,
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, text=True)
    sys.path.insert(0, str(target))
    importlib.invalidate_caches()
    yield target
    sys.path.remove(str(target))
    sys.modules.pop("incident_kit_sqlite", None)


def fill(documents: pa.Table, file: Path) -> None:
    """Writes LOGS into the table that the plugin reads; times as microseconds."""
    columns = []
    for field in documents.schema:
        kind = "TIME" if pa.types.is_timestamp(field.type) else DECLARED.get(str(field.type), "TEXT")
        columns.append(f'"{field.name}" {kind}')
    rows = [
        tuple(round(v.timestamp() * 1e6) if name == "time" else v for name, v in row.items())
        for row in documents.to_pylist()
    ]
    with closing(sqlite3.connect(file)) as base, base:
        base.execute(f"CREATE TABLE logs ({', '.join(columns)})")
        base.executemany(f"INSERT INTO logs VALUES ({', '.join('?' * len(columns))})", rows)


@pytest.mark.usefixtures("installed")
class TestSqlite(ConnectorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def source(cls, installed, documents, tmp_path_factory):
        return cls().open_source(documents, tmp_path_factory.mktemp("sqlite"))

    def open_source(self, documents, folder):
        fill(documents, folder / "logs.db")
        return connector("sqlite").SqliteLogs("logs", folder / "logs.db")


def test_it_is_found_by_its_entry_point(installed):
    assert kinds()["sqlite"] == "incident_kit_sqlite"
    assert set(BUILT_IN) < set(kinds())
    assert connector("sqlite").__file__ == str(installed / "incident_kit_sqlite.py")


def test_a_case_in_another_process_reads_through_it(installed, tmp_path):
    fill(contract_documents(), tmp_path / "logs.db")
    (tmp_path / "sources.toml").write_text(
        '[sources.app]\nkind = "sqlite"\ntable = "logs"\npath = "logs.db"\nservice = "checkout"\n'
    )
    script = (
        "import json, sys\n"
        "from connectors.catalog import read_catalog\n"
        "from connectors.window import Window\n"
        "source = read_catalog(sys.argv[1]).open('app')\n"
        "answer = source.count(Window.of(*sys.argv[2:]), by=('level',), where=\"route = '/pay'\")\n"
        "print(json.dumps(answer.table.to_pylist()))\n"
    )
    window = (HOUR.start.isoformat(), HOUR.end.isoformat())
    paths = [str(installed), str(Path(__file__).parents[2])]
    ran = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}\n{script}", tmp_path, *window],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert sum(row["n"] for row in json.loads(ran.stdout)) == 119


def test_the_connector_is_forty_lines_at_most():
    lines = (PROJECT / "incident_kit_sqlite.py").read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 40
