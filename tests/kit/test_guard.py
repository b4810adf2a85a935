"""The fence around a look at a stranger's evidence: what it refuses, and that the evidence itself can be read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TRIES = """
import os, sys
from pathlib import Path
from kit.rerun.guard import fence
work, outside = Path(sys.argv[1]), sys.argv[2]
import socket, subprocess, shutil
fence(work)
def tried(name, what):
    try:
        what()
    except PermissionError:
        print(name, "refused")
    except OSError as error:
        print(name, type(error).__name__)
    else:
        print(name, "done")
tried("read outside", lambda: open(outside).read())
tried("list outside", lambda: os.listdir(Path(outside).parent))
tried("write outside", lambda: open(outside + ".new", "w"))
tried("remove outside", lambda: os.remove(outside))
tried("link out", lambda: os.symlink(outside, Path(outside).parent / "link"))
tried("read by link", lambda: open(work / "link").read())
tried("environment of others", lambda: open(f"/proc/{os.getppid()}/environ").read())
tried("program", lambda: subprocess.run(["true"]))
tried("shell", lambda: os.system("true"))
tried("fork", os.fork)
tried("exec", lambda: os.execv("/bin/true", ["true"]))
tried("spawn", lambda: os.posix_spawn("/bin/true", ["true"], {}))
tried("socket", lambda: socket.create_connection(("127.0.0.1", 9)))
tried("name", lambda: socket.getaddrinfo("example.com", 80))
tried("read inside", lambda: open(work / "in").read())
tried("write inside", lambda: open(work / "new", "w").close())
import zoneinfo, decimal, pyarrow
tried("zone", lambda: zoneinfo.ZoneInfo("Europe/Berlin"))
"""


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guard")
    (folder / "work").mkdir()
    (folder / "work" / "in").write_text("in")
    (folder / "secret").write_text("secret")
    (folder / "work" / "link").symlink_to(folder / "secret")
    done = subprocess.run(
        [sys.executable, "-c", TRIES, str(folder / "work"), str(folder / "secret")],
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    "what",
    ["read outside", "list outside", "write outside", "remove outside", "link out", "read by link",
     "environment of others", "program", "shell", "fork", "exec", "spawn", "socket", "name"],
)  # fmt: skip
def test_what_a_look_at_evidence_does_not_need_is_refused(tried, what):
    assert tried[what] == "refused"


@pytest.mark.parametrize("what", ["read inside", "write inside", "zone"])
def test_what_it_needs_is_there(tried, what):
    assert tried[what] == "done"
