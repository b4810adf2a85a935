"""The one HTTP client: time limits that hold, retries that back off, one origin, and no secret in any message."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin

import httpx
import orjson

from connectors.credentials import Credential, origin_of
from connectors.errors import AccessDenied, BadInput, ConnectorError, NotFound, SourceUnavailable

BUSY = frozenset({429, 502, 503, 504})
"""Answers after which a read is asked again, later and later."""
TRIES = 5
REDIRECTS = 3
LONGEST_ANSWER = 256 << 20


class Http:
    """Asks one origin, with at most `in_flight` requests at a time.

    `deadline_s` holds for a whole request, retries included, however slowly the answer trickles in. A redirect is
    followed within the origin and never out of it. The credential goes to its own origin or nowhere: `BadInput`.
    `authority` is a file of certificates to trust, for servers with a certificate of their own making.

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
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.origin = origin_of(address)
        if credential is not None and credential.origin != self.origin:
            raise BadInput(f"The credential is for {credential.origin}, not for {self.origin}: name the right one.")
        self.deadline_s = deadline_s
        self._timeout_s = timeout_s
        self._address = address.rstrip("/") + "/"
        self._pause = pause
        self._places = threading.BoundedSemaphore(in_flight)
        self._client = httpx.Client(
            headers={"Accept": "application/json", **(credential.headers() if credential else {})},
            verify=_trust(authority) if authority else True,
            transport=transport,
            trust_env=False,
        )

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
        ends = time.monotonic() + (self.deadline_s if deadline_s is None else deadline_s)
        content = None if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
        kind = "application/x-ndjson" if isinstance(body, bytes) else "application/json"
        with self._places:
            for attempt in range(1, TRIES + 1):
                try:
                    status, text, wait_s = self._once(method, path, query, content, kind, ends)
                except (httpx.TransportError, httpx.InvalidURL) as error:
                    status, text, wait_s = 0, _unreached(error).encode(), None
                    if isinstance(error, httpx.TimeoutException) and time.monotonic() >= ends:
                        break
                if 200 <= status < 300:
                    return self._json(text)
                if status not in BUSY | {0} or attempt == TRIES:
                    break
                wait_s = wait_s if wait_s is not None else random.uniform(0.5, 1.0) * 0.25 * 2**attempt
                if time.monotonic() + wait_s >= ends:
                    break
                self._pause(wait_s)
        raise self._refused(status, text)

    def close(self) -> None:
        """Gives the connections back."""
        self._client.close()

    def _once(
        self, method: str, path: str, query: Mapping[str, str] | None, content: bytes | None, kind: str, ends: float
    ) -> tuple[int, bytes, float | None]:
        """Status, content and, where the server says so, the seconds to wait."""
        url = urljoin(self._address, path.lstrip("/"))
        for _ in range(REDIRECTS + 1):
            if origin_of(url) != self.origin:
                raise SourceUnavailable(
                    f"{self.origin} sends the request on to {origin_of(url)}, where nothing was sent: use that address "
                    f"itself if you trust it."
                )
            timeout = max(0.001, min(self._timeout_s, ends - time.monotonic()))
            headers = {"Content-Type": kind} if content is not None else {}
            with self._client.stream(
                method, url, params=query, content=content, headers=headers, timeout=timeout
            ) as response:
                if response.is_redirect and method in ("GET", "HEAD"):
                    url, query = urljoin(url, response.headers.get("location", "")), None
                    continue
                return response.status_code, self._read(response, ends), _retry_after(response)
        raise SourceUnavailable(f"{self.origin} redirects in a circle: check the address.")

    def _read(self, response: httpx.Response, ends: float) -> bytes:
        parts, size = [], 0
        for part in response.iter_bytes():
            size += len(part)
            parts.append(part)
            if size > LONGEST_ANSWER:
                raise SourceUnavailable(
                    f"{self.origin} answers with more than {LONGEST_ANSWER >> 20} MB at once: ask for less."
                )
            if time.monotonic() > ends:
                raise httpx.ReadTimeout("the answer was still coming at the deadline")
        return b"".join(parts)

    def _json(self, text: bytes) -> Any:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            raise SourceUnavailable(
                f"{self.origin} answers with no JSON: check that the address is the source's own, not "
                "a proxy's or a login page's."
            ) from None

    def _refused(self, status: int, text: bytes) -> ConnectorError:
        reason = _reason(text)
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
        return SourceUnavailable(f"{self.origin} {text.decode()}: check that it runs and can be reached from here.")


def _unreached(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "gave no whole answer within the time limit"
    if isinstance(error, httpx.ConnectError):
        if "CERTIFICATE" in str(error).upper():
            return "shows a certificate that is not trusted (name its authority's file if it is your own)"
        return "speaks another protocol (http or https?)" if "SSL" in str(error).upper() else "could not be reached"
    return "broke the connection off"


def _reason(text: bytes) -> str:
    """The server's own words, one short line of them."""
    try:
        error = orjson.loads(text)["error"]
        causes = error.get("root_cause") or [error]
        said = str(causes[0].get("reason") or error.get("reason") or "")
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, IndexError):
        return ""
    return f": {' '.join(said.split())[:200]}" if said else ""


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() else None


def _trust(authority: str) -> Any:
    import ssl

    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ssl.SSLError):
        raise BadInput(f"{authority} is no file of certificates (PEM): name the authority's file.") from None
