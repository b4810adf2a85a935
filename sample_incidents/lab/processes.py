"""Processes of the lab: started with priority, CPUs and control groups of their own, and stopped again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path

PRIORITY, SHARES = -5, 20_480


class Group:
    """A control group (version 1) that limits memory, disk reads or CPU of the processes in it.

    Each group has twenty times the weight of the sessions outside: a kernel that groups processes by session does not
    heed priorities across sessions.
    """

    def __init__(self, name: str, controllers: tuple[str, ...] = ("memory", "blkio", "cpu")):
        self.folders: dict[str, Path] = {}
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, mounted, path = line.split(":", 2)
            for controller in controllers:
                if controller in mounted.split(","):
                    self.folders[controller] = Path(f"/sys/fs/cgroup/{controller}{path}") / f"shoplab-{name}"

    def make(self) -> Group:
        for folder in self.folders.values():
            folder.mkdir(exist_ok=True)
        (self.folders["cpu"] / "cpu.shares").write_text(str(SHARES))
        return self

    def limit(self, *, memory_mb: int | None = None, read_mb_s: int | None = None, cpus: float | None = None) -> None:
        if memory_mb:
            (self.folders["memory"] / "memory.limit_in_bytes").write_text(str(memory_mb << 20))
        if read_mb_s:
            device = Path("/").stat().st_dev
            numbers = f"{os.major(device)}:{os.minor(device)}"
            (self.folders["blkio"] / "blkio.throttle.read_bps_device").write_text(f"{numbers} {read_mb_s * 1_000_000}")
        if cpus is not None:
            (self.folders["cpu"] / "cpu.cfs_quota_us").write_text(str(int(cpus * 100_000) if cpus else -1))

    def add(self, pid: int) -> None:
        for folder in self.folders.values():
            (folder / "cgroup.procs").write_text(str(pid))

    def remove(self) -> None:
        for folder in self.folders.values():
            with contextlib.suppress(OSError):
                folder.rmdir()


class Processes:
    """All processes that were started, by name."""

    def __init__(self, logs: Path):
        self.logs = logs
        self.running: dict[str, subprocess.Popen] = {}
        self.shared = Group("all", ("cpu",)).make()

    def start(
        self, name: str, argv: list[str], *, cpus: Iterable[int], env: dict[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None, group: Group | None = None,
    ) -> subprocess.Popen:  # fmt: skip
        def prepare() -> None:
            (group or self.shared).add(os.getpid())
            os.nice(PRIORITY)
            os.sched_setaffinity(0, set(cpus))

        if user:
            argv = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *argv]
        with (self.logs / f"{name}.out").open("ab") as out:
            process = subprocess.Popen(
                argv, stdout=out, stderr=subprocess.STDOUT, env=os.environ | (env or {}), cwd=cwd, preexec_fn=prepare,
                start_new_session=True,
            )  # fmt: skip
        self.running[name] = process
        return process

    def stop(self, name: str, *, how: int = signal.SIGTERM, wait_s: float = 8.0) -> None:
        process = self.running.pop(name, None)
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(wait_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
