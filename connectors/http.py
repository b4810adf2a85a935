"""The one HTTP client: time limits that hold, retries that back off, one origin, and no secret in any message."""

from __future__ import annotations

import contextlib
import io
import random
import socket
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

import httpx
import orjson

from connectors.credentials import Credential, origin_of
from connectors.errors import AccessDenied, BadInput, ConnectorError, NotFound, SourceUnavailable
from connectors.progress import ended_by, may_be_called_off

BUSY = frozenset({429, 502, 503, 504})
"""Answers after which a read is asked again, later and later."""
TRIES = 5
REDIRECTS = 3
LONGEST_ANSWER = 256 << 20


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: status, content, headers with small letters, and the seconds from the request to its last byte.

    Status 0: nothing came back, and `content` says why in words.
    """

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    took_s: float = 0.0

    @property
    def good(self) -> bool:
        """Was it answered?"""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class _Request:
    """What is sent, and how long it may take: all of it until `ends` (monotonic), each silence for `silence_s`."""

    method: str
    path: str
    query: Mapping[str, str] | None
    content: bytes | None
    headers: Mapping[str, str]
    ends: float
    silence_s: float


class Http:
    """Asks one origin, with at most `in_flight` requests at a time.

    `deadline_s` holds for a whole request, retries included, however slowly the answer trickles in. A redirect is
    followed within the origin and never out of it. The credential goes to its own origin or nowhere: `BadInput`.
    `authority` is a file of certificates to trust, for servers with a certificate of their own making. When an answer
    is not waited for (an interrupted cell, `stop`, a question that a widget calls off), its connection is closed, by
    which a server can tell.

    >>> def answer(request):
    ...     return httpx.Response(200, json={"n": 3})
    >>> Http("http://logs.example", transport=httpx.MockTransport(answer)).ask("GET", "/_count")
    {'n': 3}
    """

    def __init__(
        self,
        address: str,
        *,
        credential: Credential | None = None,
        authority: str | None = None,
        timeout_s: float = 30.0,
        deadline_s: float = 120.0,
        in_flight: int = 2,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        self.origin = origin_of(address)
        if credential is not None and credential.origin != self.origin:
            raise BadInput(f"The credential is for {credential.origin}, not for {self.origin}: name the right one.")
        self.deadline_s = deadline_s
        self._timeout_s = timeout_s
        self._address = address.rstrip("/") + "/"
        self._stopping = threading.Event()
        self._pause = pause or (lambda seconds: self._stopping.wait(seconds) and None)
        self._given_pause = pause
        self.in_flight = in_flight
        self._places = threading.BoundedSemaphore(in_flight)
        self._verify = _trust(authority) if authority else True
        self._headers = {"Accept": "application/json", **(credential.headers() if credential else {})}
        self._transport = transport
        self._connections: weakref.WeakSet[Any] = weakref.WeakSet()
        self._client = self._new_client()
        self._spare: list[Http] = []

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        deadline_s: float | None = None,
    ) -> Any:
        """What does the source answer to this? The JSON of a 2xx answer.

        Raises `AccessDenied` (401, 403), `NotFound` (404), `BadInput` (other 4xx, with the server's reason), and
        `SourceUnavailable` when it cannot be reached, stays busy, breaks off or takes longer than the deadline.
        """
        reply = self.send(method, path, query=query, body=body, deadline_s=deadline_s)
        if reply.good:
            return self.json(reply.content)
        raise self.refusal(reply)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        deadline_s: float | None = None,
        silence_s: float | None = None,
        final: Callable[[Reply], bool] = lambda reply: False,
    ) -> Reply:
        """The reply to this, whatever its status. A busy server is asked again unless the reply is `final`.

        A server may be silent for `silence_s` (`timeout_s`, when it is None), while it works on a hard question, say.

        `body` is sent as JSON, bytes as lines of JSON. What could not be reached or stayed busy comes back as the last
        reply; `refusal` makes the error of it.
        """
        ends = time.monotonic() + (self.deadline_s if deadline_s is None else deadline_s)
        content = None if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        kind = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
        sent = {**(headers or {}), **({"Content-Type": kind} if content is not None else {})}
        if not self._places.acquire(timeout=max(0.0, ends - time.monotonic())):
            return Reply(0, b"was still busy with other questions of yours at the time limit")
        try:
            request = _Request(method, path, query, content, sent, ends, silence_s or self._timeout_s)
            return self._watched(request, final) if may_be_called_off() else self._tried(request, final)
        finally:
            self._places.release()

    def _watched(self, request: _Request, final: Callable[[Reply], bool]) -> Reply:
        """The same over a connection that nobody else waits at, closed when it is called off (`Cancelled`)."""
        try:
            twin = self._spare.pop()
        except IndexError:
            twin = self.apart()
        try:
            with ended_by(twin.stop):
                return twin._tried(request, final)
        finally:
            if twin._stopping.is_set():
                twin.close()
            else:
                self._spare.append(twin)

    def _tried(self, request: _Request, final: Callable[[Reply], bool]) -> Reply:
        reply = Reply(0, b"was not asked")
        for attempt in range(1, TRIES + 1):
            again = True
            try:
                reply, wait_s = self._once(request)
            except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
                words, again = _unreached(error, self.origin)
                reply, wait_s = Reply(0, words.encode()), None
                again = again and not (isinstance(error, httpx.TimeoutException) and time.monotonic() >= request.ends)
            if reply.status not in BUSY | {0} or not again or attempt == TRIES or self._stopping.is_set():
                break
            if reply.status and final(reply):
                break
            wait_s = wait_s if wait_s is not None else random.uniform(0.5, 1.0) * 0.25 * 2**attempt
            if time.monotonic() + wait_s >= request.ends:
                break
            self._pause(wait_s)
            if self._stopping.is_set():
                break
        return reply

    def apart(self) -> Http:
        """The same origin over connections of its own, in the same places: `stop` there ends nothing here."""
        twin = Http.__new__(Http)
        twin.__dict__.update(self.__dict__)
        twin._stopping = threading.Event()
        twin._pause = self._given_pause or (lambda seconds: twin._stopping.wait(seconds) and None)
        twin._connections = weakref.WeakSet()
        twin._client = twin._new_client()
        twin._spare = []
        return twin

    def stop(self) -> None:
        """Ends what is under way here, from whichever thread, by closing its connections: the server can tell."""
        self._stopping.set()
        for stream in list(self._connections):
            raw = stream.get_extra_info("socket")
            if raw is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(raw, socket.SHUT_RDWR)

    def close(self) -> None:
        """Gives the connections back."""
        self._client.close()
        while self._spare:
            self._spare.pop().close()

    def _new_client(self) -> httpx.Client:
        return httpx.Client(headers=self._headers, verify=self._verify, transport=self._transport, trust_env=False)

    def _note(self, event: str, details: Mapping[str, Any]) -> None:
        """Remembers each connection, for `stop`."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._connections.add(details["return_value"])

    def _once(self, request: _Request) -> tuple[Reply, float | None]:
        """The reply and, where the server says so, the seconds to wait."""
        url, query = urljoin(self._address, request.path.lstrip("/")), request.query
        began = time.monotonic()
        for _ in range(REDIRECTS + 1):
            if origin_of(url) != self.origin:
                raise SourceUnavailable(
                    f"{self.origin} sends the request on to {origin_of(url)}, where nothing was sent: use that address "
                    f"itself if you trust it."
                )
            timeout = max(0.001, min(request.silence_s, request.ends - time.monotonic()))
            with self._client.stream(
                request.method,
                url,
                params=query,
                content=request.content,
                headers=request.headers,
                timeout=timeout,
                extensions={"trace": self._note},
            ) as response:
                if response.is_redirect and request.method in ("GET", "HEAD"):
                    url, query = urljoin(url, response.headers.get("location", "")), None
                    continue
                text = self._read(response, request.ends)
                reply = Reply(response.status_code, text, response.headers, time.monotonic() - began)
                return reply, _retry_after(response)
        raise SourceUnavailable(f"{self.origin} redirects in a circle: check the address.")

    def _read(self, response: httpx.Response, ends: float) -> bytes:
        whole = io.BytesIO()  # gives its bytes away without a copy
        for part in response.iter_bytes():
            if whole.tell() + len(part) > LONGEST_ANSWER:
                raise SourceUnavailable(
                    f"{self.origin} answers with more than {LONGEST_ANSWER >> 20} MB at once: ask for less."
                )
            whole.write(part)
            if time.monotonic() > ends:
                raise httpx.ReadTimeout("the answer was still coming at the deadline")
        return whole.getvalue()

    def json(self, text: bytes) -> Any:
        """The content as JSON. Raises `SourceUnavailable` where it is none."""
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            raise SourceUnavailable(
                f"{self.origin} answers with no JSON: check that the address is the source's own, not "
                "a proxy's or a login page's."
            ) from None

    def refusal(self, reply: Reply) -> ConnectorError:
        """Which error is this reply? One sentence with the server's own reason and the next step."""
        status, reason = reply.status, _reason(reply.content)
        if status in (401, 403):
            what = "does not know these credentials" if status == 401 else "does not allow this"
            return AccessDenied(f"{self.origin} {what} (HTTP {status}{reason}): set a credential for it that may read.")
        if status == 404:
            return NotFound(f"{self.origin} has nothing there (HTTP 404{reason}): check the name in sources.toml.")
        if 300 <= status < 500 and status != 429:
            return BadInput(f"{self.origin} does not accept the question (HTTP {status}{reason}).")
        if status:
            return SourceUnavailable(
                f"{self.origin} is busy or broken (HTTP {status}{reason}): ask again later, or less."
            )
        return SourceUnavailable(
            f"{self.origin} {reply.content.decode()}: check that it runs and can be reached from here."
        )


def _unreached(error: Exception, origin: str) -> tuple[str, bool]:
    """What happened in words, and whether it is worth another try."""
    if isinstance(error, httpx.TimeoutException):
        return "gave no whole answer within the time limit", True
    if isinstance(error, httpx.ConnectError):
        words = str(error).upper()
        if "HOSTNAME" in words or "IP ADDRESS MISMATCH" in words:
            return "shows a certificate made out for another name (use the name that it is for)", False
        if "CERTIFICATE" in words:
            return (
                'shows a certificate that is not trusted (write authority = "the file of its authority" beside its '
                "url if it is your own)"
            ), False
        if "SSL" in words:
            return "speaks another protocol (http or https?)", False
        return "could not be reached", True
    if isinstance(error, httpx.DecodingError):
        return "gave an answer that was damaged on its way", True
    hint = " (does it want https?)" if origin.startswith("http:") else ""
    return f"broke the connection off{hint}", True


def _reason(text: bytes) -> str:
    """The server's own words, one short line of them: from JSON as the kinds of server write it, or plain text."""
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError:
        plain = text[:1000].decode("utf-8", "replace").strip()
        said = "" if plain.startswith("<") else plain
    else:
        said = _reason_in(answer)
    return f": {' '.join(said.split())[:200]}" if said else ""


def _reason_in(answer: Any) -> str:
    try:
        if "errors" in answer and "error" not in answer:
            return str(answer["errors"][0]["msg"])
        error = answer["error"]
        if isinstance(error, str):
            return error
        causes = error.get("root_cause") or [error]
        return str(causes[0].get("reason") or error.get("reason") or "")
    except (KeyError, TypeError, AttributeError, IndexError):
        return ""


def _retry_after(response: httpx.Response) -> float | None:
    """The seconds that the server asks to wait, written as a number or as a date."""
    value = response.headers.get("retry-after", "")
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _trust(authority: str) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError):
        raise BadInput(f"{authority} is no file of certificates (PEM): name the authority's file.") from None
