"""A bundle whose every part tries something: run a command, read or write outside, reach a socket, get a secret.

None of it happens under verify, check, run, export or lab.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import threading

import nbformat
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kit.bundle.bag import file_hash
from kit.verify import verify_bundle
from tests.incidents.bundled import copied

SECRET = "s3cret-of-the-user"


class Canaries:
    """A server that counts who comes, a folder where anything that ran would leave something, secrets to look for."""

    def __init__(self, folder):
        self.folder = folder
        self.touched = folder / "touched"
        self.touched.mkdir(parents=True)
        self.home = folder / "home"
        (self.home / ".config" / "incident-kit").mkdir(parents=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.came = []
        threading.Thread(target=self._count, daemon=True).start()
        credentials = self.home / ".config" / "incident-kit" / "credentials.toml"
        credentials.write_text(f'[[credential]]\norigin = "{self.address}"\ntoken = "{SECRET}"\n')
        credentials.chmod(0o600)

    @property
    def address(self):
        return f"http://127.0.0.1:{self.port}"

    def _count(self):
        while True:
            try:
                self.server.accept()[0].close()
            except OSError:
                return
            self.came.append(1)

    @property
    def code(self):
        """Python that leaves a trace in every way there is."""
        return (
            f"import os, socket\nopen({str(self.touched / 'written')!r}, 'w').write(str(dict(os.environ)))\n"
            f"os.system('touch {self.touched / 'command'}')\nsocket.create_connection(('127.0.0.1', {self.port}))\n"
        )

    def kit(self, *arguments, cwd):
        """Run the command line with secrets in its environment."""
        environment = {
            **os.environ, "HOME": str(self.home), "INCIDENT_KIT_ORIGIN_X": self.address,
            "INCIDENT_KIT_TOKEN_X": SECRET,
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "-m", "kit.cli", *map(str, arguments)], capture_output=True, text=True, check=False,
            cwd=cwd, env=environment,
        )  # fmt: skip

    def assert_quiet(self, done=None):
        assert list(self.touched.iterdir()) == []
        assert self.came == []
        if done is not None:
            assert SECRET not in done.stdout + done.stderr
            assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def canaries(tmp_path_factory):
    made = Canaries(tmp_path_factory.mktemp("canaries"))
    yield made
    made.server.close()


class _Touches:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def arm(payload, canaries):
    """Everything that opens and would do harm if it were run, imported, followed, asked or believed."""
    for name in ("kit", "pandas", "sitecustomize", "jupyter_server_config", "jupyterlab", "ipython_config"):
        for folder in (payload, payload / "notebooks"):
            (folder / f"{name}.py").write_text(canaries.code)
    for name in ("00_start_here", "05_read_the_spot", "explore_logs"):
        path = payload / "notebooks" / f"{name}.ipynb"
        notebook = nbformat.read(path, as_version=4) if path.exists() else nbformat.v4.new_notebook()
        html = f"<script>fetch('{canaries.address}')</script><img src='{canaries.address}/x'>"
        cell = nbformat.v4.new_code_cell(
            canaries.code, outputs=[nbformat.v4.new_output("display_data", data={"text/html": html})]
        )
        notebook.cells.insert(1, cell)
        path.write_text(nbformat.writes(notebook))
    (payload / "playbooks").mkdir()
    (payload / "playbooks" / "evil.toml").write_text('name = "evil"\ntitle = "{__import__(\'os\')}"\n')
    git = payload / "raw" / "repo" / ".git"
    git.mkdir(parents=True)
    (git / "config").write_text(f"[core]\n\tfsmonitor = touch {canaries.touched / 'git'}\n")
    sources = f'[sources.edge]\nkind = "elasticsearch"\ntable = "logs"\nurl = "{canaries.address}"\nindex = "logs"\n'
    sources += '[sources.changes]\nkind = "git"\ntable = "changes"\npath = "raw/repo"\n'
    (payload / "sources.toml").write_text(sources)
    (payload / "received.toml").write_text(f'bundle = "b"\nbag = "b"\nopened = "o"\ntrusted = ["{canaries.address}"]\n')


@pytest.fixture(scope="module")
def hostile(small_bundle, canaries, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    return copied(small_bundle[1], folder / "hostile", lambda payload: arm(payload, canaries), remade=True)


def test_verify_runs_none_of_it_and_says_what_it_left(hostile, canaries, tmp_path):
    done = canaries.kit("verify", hostile, cwd=tmp_path)
    canaries.assert_quiet(done)
    assert "00_start_here: 1 cells were added or changed by the analyst; they were not run again." in done.stdout
    assert "notebooks/kit.py is of no kind that a case has" in done.stdout
    assert "none of the bundle's code was run" in done.stdout


def test_check_run_and_export_ask_nobody_and_run_none_of_it(hostile, canaries, tmp_path):
    checked = canaries.kit("check", hostile, cwd=tmp_path)
    canaries.assert_quiet(checked)
    walked = canaries.kit("run", hostile, cwd=tmp_path)
    canaries.assert_quiet(walked)
    assert walked.returncode in (0, 3), walked.stderr
    assert "pay-v2" in walked.stdout
    case = tmp_path / "cases" / "small"
    assert sorted(p.name for p in case.rglob("*.py")) == []
    exported = canaries.kit("export", case, "--to", "html", "--unredacted", cwd=tmp_path)
    canaries.assert_quiet(exported)
    page = next((case / "exports").glob("*.html")).read_text()
    assert SECRET not in page
    assert "<script>document.title" not in page
    assert list(tmp_path.rglob("canary.csv")) == []
    assert canaries.address not in page.split("application/json")[0].split('<section aria-labelledby="evidence"')[0]


def test_lab_opens_own_notebooks_where_no_module_of_the_bundle_is_found(hostile, canaries, tmp_path, monkeypatch):
    import typer

    from kit import cli

    monkeypatch.chdir(tmp_path)
    started = []

    def start(command, *, cwd, **options):
        started.append((command, cwd))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", start)
    with pytest.raises(typer.Exit):
        cli.lab(hostile)
    (command, folder) = started[-1]
    assert command[1] == "-P"
    sources = [c for p in folder.rglob("*.ipynb") for c in orjson.loads(p.read_bytes())["cells"]]
    assert sources
    assert not any("os.system" in "".join(c["source"]) for c in sources)
    assert list(folder.rglob("*.py")) == []
    canaries.assert_quiet()


def test_a_table_that_would_be_unpickled_is_not(small_bundle, canaries, tmp_path):
    def pickled(payload):
        lines = (payload / "evidence.jsonl").read_bytes().splitlines()
        record = orjson.loads(lines[0])
        path = payload / "snapshots" / f"{record['evidence']}.parquet"
        kind = {
            b"ARROW:extension:name": b"arrow.py_extension_type",
            b"ARROW:extension:metadata": pickle.dumps(_Touches(canaries.touched / "unpickled")),
        }
        table = pa.table([pa.array([1])], schema=pa.schema([pa.field("n", pa.int64(), metadata=kind)]))
        pq.write_table(table, path)
        record |= {"sha256": file_hash(path), "bytes": path.stat().st_size}
        (payload / "evidence.jsonl").write_bytes(b"\n".join([orjson.dumps(record), *lines[1:]]) + b"\n")

    found = verify_bundle(copied(small_bundle[1], tmp_path / "bundle", pickled, remade=True))
    canaries.assert_quiet()
    assert any("does not hold the answer its id names" in fault for fault in found.faults)


OUT = '[sources.edge]\nkind = "files"\ntable = "logs"\npath = "../../../etc/passwd"\n'
VARIABLE = '[sources.edge]\nkind = "elasticsearch"\ntable = "logs"\nurl = "http://$HOME/"\nindex = "a"\n'
CHECK = """\
[[hypothesis]]
id = "h"
statement = "x"
[[hypothesis.prediction]]
text = "x"
check = "os.system"
"""


@pytest.mark.parametrize(
    ("file", "text"), [("sources.toml", OUT), ("sources.toml", VARIABLE), ("hypotheses.toml", CHECK)]
)
def test_a_configuration_that_reaches_out_is_one_sentence(small_bundle, canaries, tmp_path, file, text):
    bundle = copied(small_bundle[1], tmp_path / "b", lambda payload: (payload / file).write_text(text), remade=True)
    found = verify_bundle(bundle)
    assert not found.good
    assert any("stops" in d.found for d in found.differences), found
    canaries.assert_quiet()
