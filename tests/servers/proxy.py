"""A TCP proxy between a test and a real server that cuts, stalls or garbles what the server says."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Fault = Literal["cut", "stall", "garble"]
PIECE = 4096
GARBLED = 64
"""Bytes that are replaced by zeros: no text has them, so what is garbled can be told."""


@dataclass
class Proxy:
    """Passes bytes on until it is told to do harm; `url` is where a client asks.

    `harm(fault, after=, times=)`: once so many bytes of answers have passed, the connection that carries the next ones
    is cut, stalled for good, or garbled; then again after as many more, up to `times`. `done` counts it.
    """

    url: str
    done: int = 0
    _target: tuple[str, int] = ("127.0.0.1", 0)
    _fault: Fault = "cut"
    _after: int = 0
    _left: int = 0
    _passed: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _sockets: list[socket.socket] = field(default_factory=list)

    def harm(self, fault: Fault, *, after: int, times: int = 1) -> None:
        """From now on. `times=0`: no more harm."""
        with self._lock:
            self._fault, self._after, self._left, self._passed, self.done = fault, after, times, 0, 0

    def serve(self, listener: socket.socket) -> None:
        """Takes connections until the listener is closed."""
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            self._sockets += [client, server]
            threading.Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def close(self) -> None:
        """Ends every connection."""
        for one in self._sockets:
            _end(one)

    def _pass_on(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                fault = self._due(len(piece)) if answers else None
                if fault == "cut":
                    target.sendall(piece[: len(piece) // 2])
                    target.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    break
                if fault == "stall":
                    return
                if fault == "garble":
                    at = max(0, len(piece) - GARBLED) // 2
                    piece = piece[:at] + bytes(min(GARBLED, len(piece))) + piece[at + GARBLED :]
                target.sendall(piece)
        _end(source)
        _end(target)

    def _due(self, size: int) -> Fault | None:
        with self._lock:
            self._passed += size
            if not self._left or self._passed <= self._after:
                return None
            self._left -= 1
            self._passed = 0
            self.done += 1
            return self._fault


@contextmanager
def proxy(url: str) -> Iterator[Proxy]:
    """A proxy before the server at this address."""
    parts = urlsplit(url)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    between = Proxy(f"{parts.scheme}://127.0.0.1:{port}", _target=(parts.hostname or "", parts.port or 0))
    threading.Thread(target=between.serve, args=(listener,), daemon=True).start()
    try:
        yield between
    finally:
        listener.close()
        between.close()


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        one.close()
