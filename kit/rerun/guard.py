"""What a process that looks at a stranger's evidence may not do: reach the network, start a program, read or write
elsewhere.

Two fences: the kernel's own, a network namespace with nothing in it, where the system allows one; and Python's audit
hook, which cannot be taken off again. Code of a bundle is never run in here; the fences hold if a library is tricked.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_STARTS = frozenset({
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn",
})  # fmt: skip
_WRITES = frozenset({
    "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.chown", "os.truncate",
    "shutil.rmtree", "shutil.move", "os.utime", "os.setxattr", "os.removexattr",
})  # fmt: skip
_LISTS = ("os.listdir", "os.scandir", "os.chdir", "os.getxattr", "os.listxattr")
_SYSTEM = (
    "/usr/share/zoneinfo", "/usr/lib", "/lib", "/lib64", "/usr/local/lib", "/etc/localtime", "/etc/mime.types",
    "/dev/null", "/dev/urandom", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/mounts",
    "/sys/devices/system", "/sys/fs/cgroup",
)  # fmt: skip


class Refused(PermissionError):
    """Something was tried that a look at evidence needs no right to."""


def fence(work: Path) -> str:
    """Shut this process in for good, with `work` as the only folder it may write to; says which fences stand.

    Call it before any library starts a thread: a network namespace needs a process of one thread.
    """
    cut = _no_network()
    _limits()
    readable = _readable(work)
    inside = (os.path.realpath(work), "/dev/null")
    sys.addaudithook(lambda event, arguments: _judge(event, arguments, readable, inside))
    return "an empty network namespace and an audit hook" if cut else "an audit hook"


def _judge(event: str, arguments: tuple[Any, ...], readable: Sequence[str], inside: Sequence[str]) -> None:
    if event == "open":
        path, mode, flags = arguments
        writes = bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND))
        writes = writes or (isinstance(mode, str) and any(c in mode for c in "wax+"))
        _must_be_in(path, inside if writes else readable, "write" if writes else "read")
    elif event.startswith("socket."):
        raise Refused("network access is refused while evidence is checked")
    elif event in _STARTS:
        raise Refused("starting a program is refused while evidence is checked")
    elif event in _WRITES:
        for path in arguments[: 2 if event in ("os.rename", "os.link", "shutil.move") else 1]:
            _must_be_in(path, inside, "change")
    elif event in _LISTS and arguments and arguments[0] is not None:
        _must_be_in(arguments[0], readable, "list")


def _must_be_in(path: Any, folders: Sequence[str], what: str) -> None:
    if isinstance(path, int):
        return
    whole = os.path.realpath(os.fsdecode(path))
    if not any(whole == folder or whole.startswith(f"{folder}{os.sep}") for folder in folders):
        raise Refused(f"it was refused to {what} a file outside the evidence: {whole}")


def _readable(work: Path) -> tuple[str, ...]:
    """The evidence, this installation, and the system's libraries and time zones."""
    own = os.path.realpath(Path(__file__).parents[2])
    libraries = {os.path.realpath(p) for p in (*site.getsitepackages(), *sysconfig.get_paths().values())}
    places = {os.path.realpath(p) for p in (work, *sys.path, sys.prefix, sys.base_prefix, *_SYSTEM) if p}
    places |= {os.path.join(own, name) for name in ("kit", "connectors", "notebooks")} | libraries  # noqa: PTH118
    alone = {os.sep} if own in libraries else {os.sep, own}
    return tuple(sorted(places - alone))


def _no_network() -> bool:
    """Leave every network, by a namespace of the kernel; False where that is not allowed or not known."""
    if sys.platform != "linux":
        return False
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    return any(libc.unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET))


def _limits() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 30, 4 << 30))
