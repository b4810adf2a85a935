"""A walk on a secured server, by the command line with the key in variables: the key is in nothing that is written.

Looked for in every byte of the case, its recorded answers, logs, notebooks and exports, as it is and as it can be
turned: decoded, encoded again, quoted for an address, in hexadecimal.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.schema import conform
from tests.incidents.small_case import HOSTILE_FIELD, HOSTILE_VALUE, requests
from tests.servers.load_incident import fill
from tests.servers.nodes import secured_elasticsearch
from tests.servers.secured import LEAST, Secured

pytestmark = pytest.mark.server
DATA = {".parquet", ".zip", ".gz", ".tar", ".tgz", ".bz2", ".zst"}


def forms(key: str) -> dict[str, bytes]:
    """The ways in which a key may stand somewhere: `key` is `encoded`, the base64 of id:secret."""
    both = base64.b64decode(key)
    secret = both.partition(b":")[2]
    plain = {"encoded": key.encode(), "id:secret": both, "secret": secret}
    turned = {
        "base64 of {}": base64.b64encode,
        "url-safe base64 of {}": base64.urlsafe_b64encode,
        "hexadecimal of {}": lambda text: text.hex().encode(),
        "{} quoted": lambda text: quote(text, safe="").encode(),
        "{} backwards": lambda text: text[::-1],
    }
    found = dict(plain)
    for name, text in plain.items():
        for how, turn in turned.items():
            found[how.format(name)] = turn(text).rstrip(b"=")
    for shift in (1, 2):  # in the middle of something that was encoded as a whole
        found[f"base64 of {shift} letters and secret"] = base64.b64encode(b"x" * shift + secret)[4:-4]
    return found


def readable(path: Path) -> Iterator[tuple[str, bytes]]:
    """The bytes of a file, and of all that is packed in it."""
    yield from _unpacked(path.name, path.read_bytes())


def _unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, content
    if content[:4] == b"PAR1":
        table = pq.read_table(BytesIO(content))
        yield f"{name} as text", str([table.schema.metadata, table.to_pylist()]).encode()
    elif content[:2] == b"\x1f\x8b":
        yield from _unpacked(f"{name}, unpacked", gzip.decompress(content))
    elif content[:3] == b"BZh":
        yield from _unpacked(f"{name}, unpacked", bz2.decompress(content))
    elif content[:4] == b"\x28\xb5\x2f\xfd":
        yield from _unpacked(f"{name}, unpacked", pa.input_stream(BytesIO(content), compression="zstd").read())
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(BytesIO(content)) as packed:
            for one in packed.namelist():
                yield from _unpacked(f"{name}/{one}", packed.read(one))
    elif content[257:262] == b"ustar":
        with tarfile.open(fileobj=BytesIO(content)) as packed:
            for member in packed:
                if member.isfile():
                    yield from _unpacked(f"{name}/{member.name}", packed.extractfile(member).read())


def leaks(folder: Path, key: str) -> list[str]:
    """Where is the key, and in which form?"""
    wanted = forms(key)
    return [
        f"{form} in {name}"
        for path in sorted(p for p in folder.rglob("*") if p.is_file())
        for name, content in readable(path)
        for form, text in wanted.items()
        if text in content
    ]


@pytest.fixture(scope="module")
def worked(tmp_path_factory) -> Iterator[tuple[Path, str, dict[str, str]]]:
    """The folder in which a case was made, checked, walked, kept and exported; the key; what each command said."""
    place = tmp_path_factory.mktemp("secured")
    with secured_elasticsearch() as node:
        secured = Secured(node)
        admin = secured.admin()
        rows = [{name: value for name, value in row.items() if name != HOSTILE_FIELD} for row in requests()]
        for row in rows:
            row["message"] = row["message"].replace(HOSTILE_VALUE, "")
        columns = {name: [row.get(name) for row in rows] for name in rows[0]}
        columns["time"] = pa.array(columns["time"]).cast(pa.timestamp("us", "UTC"))
        columns |= {"seq": list(range(len(rows))), "weight": [1.0] * len(rows)}
        fill(admin, "shop-edge", conform(pa.table(columns), "LOGS"))
        admin.close()
        key = secured.key(LEAST)
        yield place, key, _said(place, secured, key)
        secured.client.close()


def _said(place: Path, secured: Secured, key: str) -> dict[str, str]:
    """Everything is kept below the place: home, configuration, temporary files, what Jupyter writes while it runs."""
    for folder in ("home", "tmp"):
        (place / folder).mkdir()
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("INCIDENT_KIT_", "XDG_"))}
    own = {"HOME": str(place / "home"), "TMPDIR": str(place / "tmp"), "PYTHONPATH": str(Path(__file__).parents[2])}
    variables = {"INCIDENT_KIT_ORIGIN_LOGS": secured.url, "INCIDENT_KIT_API_KEY_LOGS": key}
    environment = {**bare, **own, **variables}
    address, exported = f"{secured.url}/shop-edge", ("export", "case", "--out")
    commands = {
        "new": ["new", "case", "--from", address, "--authority", secured.authority],
        "check": ["check", "case"],
        "snapshot": ["snapshot", "case"],
        "run": ["run", "case"],
        "html": [*exported, "page.html"],
        "ipynb": [*exported, "walk.unredacted.ipynb", "--to", "ipynb", "--unredacted"],
        "bundle": [*exported, "case.unredacted.zip", "--to", "bundle", "--unredacted", "--with-rows"],
        "wrong": ["new", "other", "--from", f"{secured.url}/shop-nowhere", "--authority", secured.authority, "--debug"],
    }
    said = {}
    for name, command in commands.items():
        ran = subprocess.run(
            [sys.executable, "-m", "kit.cli", *command],
            cwd=place, env=environment, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        said[name] = f"{ran.returncode}\n{ran.stdout}{ran.stderr}"
        (place / f"said-{name}.txt").write_text(said[name])
    return said


def test_the_search_would_find_a_key(tmp_path):
    """In plain files, in packed ones, in tables, decoded or encoded again."""
    key = base64.b64encode(b"an-identifier:a-secret-of-22-letters").decode()
    (tmp_path / "a.txt").write_text(f"Authorization: ApiKey {key}")
    pq.write_table(pa.table({"x": ["the secret is a-secret-of-22-letters"]}), tmp_path / "b.parquet")
    (tmp_path / "c.json.gz").write_bytes(gzip.compress(b"elastic:an-identifier:a-secret-of-22-letters"))
    with zipfile.ZipFile(tmp_path / "d.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("inner.html", base64.b64encode(f"key={key}".encode()))
        packed.writestr("other.html", base64.b64encode(b"12a-secret-of-22-letters"))
    (tmp_path / "e.txt").write_text("nothing here")
    found = leaks(tmp_path, key)
    for name in ("a.txt", "b.parquet as text", "c.json.gz, unpacked", "d.zip/other.html"):
        assert any(one.endswith(f"in {name}") for one in found), name
    assert not any("e.txt" in one for one in found)


@pytest.mark.parametrize("command", ["new", "check", "snapshot", "run", "html", "ipynb", "bundle"])
def test_the_commands_did_their_work(worked, command):
    said = worked[2][command]
    assert said.startswith("0\n"), said[-2000:]


def test_an_error_with_its_traceback_shows_no_key(worked):
    said = worked[2]["wrong"]
    assert said.startswith("1\n"), said[:200]
    assert "Traceback" in said
    assert "shop-nowhere" in said


def test_the_key_is_nowhere(worked):
    place, key, _ = worked
    names = {path.name for path in place.rglob("*")}
    assert {"evidence.jsonl", "00_start_here.ipynb", "page.html", "walk.unredacted.ipynb"} <= names
    assert list((place / "case").rglob("*.parquet"))
    assert leaks(place, key) == []
