"""What breaks without anybody reporting it. Each fault starts and ends; none goes to the deploy feed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from typing import Any

import psycopg

from sample_incidents.lab.layout import ALL_CPUS
from sample_incidents.lab.processes import Group
from sample_incidents.lab.scenario import seconds
from sample_incidents.lab.stack import DATABASE, Stack

SPIN = """
import sys, time
duty = float(sys.argv[1])
while True:
    end = time.time() + 0.05 * duty
    while time.time() < end:
        pass
    time.sleep(0.05 * (1 - duty))
"""


class Faults:
    """Starts and ends faults; `start` returns a token that `stop` takes back."""

    def __init__(self, stack: Stack):
        self.stack = stack

    def start(self, kind: str, values: dict[str, Any]) -> Any:
        return getattr(self, f"_{kind}")(values)

    def stop(self, kind: str, values: dict[str, Any], token: Any) -> None:
        if kind in ("third_party", "setting", "load"):
            self._restore(kind, token)
        elif kind == "lock":
            token.set()
        elif kind == "cpu_spin":
            for name in token:
                self.stack.processes.stop(name)
        elif kind == "host":
            token.limit(cpus=0, memory_mb=4096)
        elif kind == "disk":
            subprocess.run(["umount", "-l", str(self.stack.places.journal)], check=True)
        elif kind == "telemetry":
            os.kill(self.stack.processes.running[values["target"]].pid, signal.SIGCONT)
        elif kind == "command" and values.get("stop"):
            self._shell(values["stop"])

    def _settings(self, name: str, values: dict) -> dict:
        now = self.stack.read_control(name)
        self.stack.write_control(name, now | values["set"])
        return {key: now.get(key) for key in values["set"]}

    def _restore(self, kind: str, before: dict) -> None:
        name = {"third_party": "third_party", "setting": "config", "load": "load"}[kind]
        kept = {k: v for k, v in (self.stack.read_control(name) | before).items() if v is not None}
        self.stack.write_control(name, kept)

    def _third_party(self, values: dict) -> dict:
        return self._settings("third_party", values)

    def _setting(self, values: dict) -> dict:
        return self._settings("config", values)

    def _load(self, values: dict) -> dict:
        return self._settings("load", values)

    def _lock(self, values: dict) -> threading.Event:
        """Holds the lock that `sql` takes until it is told to let go."""
        over = threading.Event()

        def hold() -> None:
            with psycopg.connect(DATABASE + f" application_name={values.get('target', 'maintenance')}") as connection:
                connection.execute(values["sql"])
                over.wait()

        threading.Thread(target=hold, daemon=True).start()
        return over

    def _cpu_spin(self, values: dict) -> list[str]:
        names = [f"spin-{i}" for i in range(values.get("processes", 1))]
        for name in names:
            self.stack.processes.start(
                name, [self.stack.python, "-c", SPIN, str(values.get("duty", 0.5))], cpus=ALL_CPUS
            )
        return names

    def _host(self, values: dict) -> Group:
        """Gives one instance only a share of a CPU or little memory, as a crowded host does."""
        group = self.stack.groups.setdefault(values["target"], Group(values["target"]).make())
        group.add(self.stack.processes.running[values["target"]].pid)
        group.limit(cpus=values.get("quota"), memory_mb=values.get("memory_mb"))
        return group

    def _disk(self, values: dict) -> None:
        """Puts a small disk under the journals of checkout; something else fills it evenly until `full_at`."""
        size, journal = values.get("size_mb", 16), self.stack.places.journal
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "shop-journal", str(journal)], check=True)
        full = time.monotonic() + seconds(values["full_at"]) - values["at"]

        def fill() -> None:
            with contextlib.suppress(OSError), (journal / "debug.log").open("wb", buffering=0) as file:
                while True:
                    disk = os.statvfs(journal)
                    share = 0.5 / max(0.5, full - time.monotonic())
                    file.write(b"." * max(4096, int(disk.f_bavail * disk.f_frsize * share)))
                    time.sleep(0.5)

        threading.Thread(target=fill, daemon=True).start()

    def _certificate(self, values: dict) -> None:
        """The certificate ends by itself: it was issued so at the start."""

    def _telemetry(self, values: dict) -> None:
        os.kill(self.stack.processes.running[values["target"]].pid, signal.SIGSTOP)

    def _command(self, values: dict) -> None:
        self._shell(values["start"])

    def _shell(self, command: str) -> None:
        env = os.environ | {"LAB_PYTHON": self.stack.python}
        subprocess.Popen(command, shell=True, cwd=self.stack.places.work, env=env, start_new_session=True)
