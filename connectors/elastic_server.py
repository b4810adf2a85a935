"""One Elasticsearch or OpenSearch: what it is asked with, what it says when it cannot, and what its answers lack."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import orjson

from connectors.asking import Asking
from connectors.errors import AccessDenied, BadInput, ConnectorError, NotFound, OverBudget, SourceUnavailable
from connectors.http import Http, Reply

Product = Literal["Elasticsearch", "OpenSearch"]
OLDEST: Mapping[Product, tuple[int, int]] = {"Elasticsearch": (7, 12), "OpenSearch": (2, 4)}
"""The first versions with points in time and the aggregations that are asked for."""
KEPT_ALIVE = "2m"
AGAIN_S = (0.5, 1.5)
"""How long to wait before an answer of which shards failed is asked for again."""


class TooManyBuckets(OverBudget):
    """The answer has more buckets than the server makes at once: ask for a part at a time."""


class TooLarge(SourceUnavailable):
    """The answer does not fit the server's or our memory: ask for a smaller page."""


class PointGone(SourceUnavailable):
    """The point in time has expired or was lost with its node: open another."""


class Server:
    """Asks one server about the indices that `index` names. Only read requests are sent.

    `Asking.queries` gets each body sent and `Asking.missing` what an answer lacks. `deadline_s` is a question's, all
    its requests together.
    """

    def __init__(self, name: str, http: Http, index: str, *, product: Product = "Elasticsearch") -> None:
        self.name = name
        self.http = http
        self.index = index
        self.product: Product = product

    # -- who it is and what it holds --------------------------------------------------------------------------

    @cached_property
    def engine(self) -> str:
        """Product and version. Raises `BadInput` for another product or a version that is too old."""
        version, found = self._version()
        if found is not None and found != self.product:
            raise BadInput(f'{self.name} is {found} {version}: write kind = "{found.lower()}" in sources.toml.')
        if version is None:
            return self.product
        numbers = tuple(int(part) if part.isdigit() else 0 for part in version.split(".")[:2])
        if numbers < OLDEST[self.product]:
            oldest = ".".join(map(str, OLDEST[self.product]))
            raise BadInput(
                f"{self.name} is {self.product} {version}, and {oldest} is the oldest that can be asked: export the "
                f"rows to files and read those."
            )
        return f"{self.product} {version}"

    def _version(self) -> tuple[str | None, str | None]:
        """The version and the product, as far as this server tells whoever asks."""
        reply = self.http.send("GET", "/")
        if reply.good:
            version = self.http.json(reply.content).get("version") or {}
            known = "OpenSearch" if version.get("distribution") == "opensearch" else "Elasticsearch"
            return version.get("number"), known if version.get("number") else None
        if reply.status == 401 or not reply.status:
            raise self.refusal(reply)
        reply = self.http.send("GET", "/_nodes/_local", query={"filter_path": "nodes.*.version"})
        if reply.status in (0, 401) or reply.status >= 500:
            raise self.refusal(reply)
        nodes = self.http.json(reply.content).get("nodes", {}) if reply.good else {}
        return next((node["version"] for node in nodes.values()), None), None

    def capabilities(self) -> tuple[Mapping[str, Any], list[str]]:
        """The fields of the indices and what each can do, and the indices' names. Raises `NotFound` for none."""
        found = self._json("GET", f"/{self.index}/_field_caps", query={"fields": "*"})
        if not found.get("indices"):
            raise NotFound(f"{self.name} finds no index named {self.index}: check index = in sources.toml.")
        return found["fields"], found["indices"]

    def filled(self) -> frozenset[str] | None:
        """The fields with a value in any document; None where the server cannot tell (before 8.13)."""
        try:
            found = self._json(
                "GET", f"/{self.index}/_field_caps", query={"fields": "*", "include_empty_fields": "false"}
            )
        except BadInput:
            return None
        return frozenset(found["fields"])

    def without(self, field: str) -> list[str]:
        """The indices that do not have this field."""
        query = {"fields": field, "include_unmapped": "true"}
        found = self._json("GET", f"/{self.index}/_field_caps", query=query)["fields"]
        lacking = found.get(field, {}).get("unmapped", {})
        return lacking.get("indices", []) if isinstance(lacking.get("indices", []), list) else [lacking["indices"]]

    def documents(self, query: Mapping[str, Any] | None = None) -> int:
        """How many documents fit? The cheap question before the dear one."""
        return int(self._json("POST", f"/{self.index}/_count", body={"query": query} if query else None)["count"])

    # -- asking -----------------------------------------------------------------------------------------------

    def search(self, asking: Asking, body: Mapping[str, Any]) -> Any:
        """One search. What is missing of it after another two tries is told to `asking`."""
        return self.searches(asking, [body])[0]

    def searches(self, asking: Asking, bodies: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Several searches in one round trip, two at a time."""
        asking.queries.append("\n".join(orjson.dumps(body).decode() for body in bodies))
        for pause in (*AGAIN_S, None):
            found = self._searches(asking, bodies)
            missing = [reason for answer in found for reason in lacking(answer)]
            if not missing or pause is None or left(asking, self.http) < 2 * pause or _cut_short(found):
                break
            time.sleep(pause)
        asking.missing += missing
        took = sum(answer.get("took", 0) for answer in found) / 1000
        asking.cost["server_s"] = asking.cost.get("server_s", 0.0) + took
        return found

    def _searches(self, asking: Asking, bodies: Sequence[Mapping[str, Any]]) -> list[Any]:
        remaining = left(asking, self.http)
        timed = [{"timeout": _patience(remaining), **body} for body in bodies]
        if len(bodies) == 1:
            query = {"allow_partial_search_results": "true"}
            reply = self.send("POST", f"/{self.index}/_search", query=query, body=timed[0], deadline_s=remaining)
            return [self.http.json(reply.content)]
        heads = {"allow_partial_search_results": True}
        lines = b"".join(orjson.dumps(part) + b"\n" for body in timed for part in (heads, body))
        query = {"max_concurrent_searches": str(self.http.in_flight)}
        reply = self.send("POST", f"/{self.index}/_msearch", query=query, body=lines, deadline_s=remaining)
        answers = self.http.json(reply.content)["responses"]
        for answer in answers:
            if "error" in answer:
                raise self.refusal(Reply(answer.get("status", 500), orjson.dumps(answer)))
        return answers

    def page(self, http: Http, body: Mapping[str, Any], *, packed: bool) -> Reply:
        """One page of rows, as it came. `packed`: compressed on its way."""
        path = "/_search" if "pit" in body else f"/{self.index}/_search"
        headers = {"Accept-Encoding": "gzip" if packed else "identity"}
        query = {"allow_partial_search_results": "true"}
        return self.send("POST", path, query=query, body=body, headers=headers, http=http)

    def open_point(self) -> str:
        """A point in time to read from. Raises `PointGone` where not all shards are there."""
        if self.product == "OpenSearch":
            found = self._json("POST", f"/{self.index}/_search/point_in_time", query={"keep_alive": KEPT_ALIVE})
            return found["pit_id"]
        return self._json("POST", f"/{self.index}/_pit", query={"keep_alive": KEPT_ALIVE})["id"]

    def close_point(self, point: str) -> None:
        """Gives a point in time back; one that is gone already is none to give back."""
        if self.product == "OpenSearch":
            self.http.send("DELETE", "/_search/point_in_time", body={"pit_id": [point]}, final=lambda reply: True)
        else:
            self.http.send("DELETE", "/_pit", body={"id": point}, final=lambda reply: True)

    def _json(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None) -> Any:
        return self.http.json(self.send(method, path, query=query, body=body).content)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        deadline_s: float | None = None,
        http: Http | None = None,
    ) -> Reply:
        """The reply to this, a good one. Raises what `refusal` makes of any other."""
        http = http or self.http
        reply = http.send(
            method,
            path,
            query=query,
            body=body,
            headers=headers,
            deadline_s=deadline_s,
            silence_s=deadline_s,
            final=_not_worth_another,
        )
        if not reply.good:
            raise self.refusal(reply)
        return reply

    def refusal(self, reply: Reply) -> ConnectorError:
        """Which error is this reply? One sentence with the next step."""
        kinds, reason = said(reply.content)
        if "too_many_buckets_exception" in kinds:
            return TooManyBuckets(
                f"{self.name} makes no answer of so many groups at once ({reason}): take a longer step, fewer fields "
                f"or a narrower window."
            )
        if "circuit_breaking_exception" in kinds or "max_result_window" in reason:
            return TooLarge(f"{self.name} has not the memory for this ({reason}): ask a narrower window or less.")
        if "search_context_missing_exception" in kinds or "no_shard_available_action_exception" in kinds:
            return PointGone(f"{self.name} has lost shards or the point in time read from ({reason}): ask again.")
        if "index_not_found_exception" in kinds:
            return NotFound(
                f"{self.name} has no index {self.index} ({reason}): check index = in sources.toml; patterns and commas "
                f"are allowed."
            )
        if reply.status == 401:
            expired = " has expired" if b"expired" in reply.content else "s are not known there"
            what = "the key" if expired == " has expired" else "the credential"
            return AccessDenied(
                f"{self.name} at {self.http.origin} lets nobody in without a valid credential, and {what}{expired} "
                f"(HTTP 401): set another one for this origin (INCIDENT_KIT_* variables, your own file or keyring)."
            )
        if reply.status == 403:
            reason = next(iter(re.findall(r"action \[[^\]]+\]", reason)), "")
            return AccessDenied(
                f"{self.name} at {self.http.origin} does not allow this credential to read {self.index} "
                f"(HTTP 403{f': {reason}' if reason else ''}): give it the index privilege read there, or use another."
            )
        return self.http.refusal(reply)


def said(content: bytes) -> tuple[frozenset[str], str]:
    """The kinds of error in a refusal, however deep, and the server's own words, one short line of them."""
    try:
        error = orjson.loads(content)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return frozenset(), ""
    if isinstance(error, str):
        return frozenset(), " ".join(error.split())[:200]
    parts = list(_parts(error))
    causes = [part for part in parts if part.get("type") not in ("search_phase_execution_exception", None)]
    words = str(next((part["reason"] for part in causes if part.get("reason")), error.get("reason") or ""))
    return frozenset(str(part["type"]) for part in parts if "type" in part), " ".join(words.split())[:200]


def lacking(answer: Mapping[str, Any]) -> list[str]:
    """What does this answer of a search lack, and why?"""
    reasons = []
    shards = answer.get("_shards") or {}
    if shards.get("failed"):
        kinds = sorted({str(part["type"]) for part in _parts(shards.get("failures") or []) if "type" in part})
        why = f" ({', '.join(kinds[:3])})" if kinds else ""
        reasons.append(
            f"{shards['failed']} of {shards.get('total', '?')} shards failed{why}, so their rows are missing"
        )
    if answer.get("timed_out"):
        reasons.append("the server stopped at the time limit, so rows are missing")
    if answer.get("terminated_early"):
        reasons.append("the server stopped early, so rows are missing")
    return reasons


def left(asking: Asking, http: Http) -> float:
    """The seconds that are left of a question's time. Raises `SourceUnavailable` when they are used up."""
    remaining = http.deadline_s - (time.monotonic() - asking.started)
    if remaining <= 0:
        raise SourceUnavailable(
            f"{asking.source} took over {http.deadline_s:g} s for {asking.question}: ask a narrower window."
        )
    return remaining


def _patience(remaining_s: float) -> str:
    """How long may the server work? A little less than is left, in whole tens of seconds where that is long: a shard
    remembers an answer by all that was asked, and the same question must be asked in the same words.

    >>> _patience(119.9), _patience(118.2), _patience(6)
    ('100s', '100s', '5400ms')
    """
    allowed = 0.9 * remaining_s
    return f"{int(allowed // 10) * 10}s" if allowed >= 30 else f"{max(1, int(1000 * allowed))}ms"


def _cut_short(found: Sequence[Mapping[str, Any]]) -> bool:
    return any(answer.get("timed_out") or answer.get("terminated_early") for answer in found)


def _not_worth_another(reply: Reply) -> bool:
    kinds, _ = said(reply.content)
    return bool(
        kinds & {"too_many_buckets_exception", "circuit_breaking_exception", "search_context_missing_exception"}
    )


def _parts(error: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(error, list):
        for part in error:
            yield from _parts(part)
    elif isinstance(error, dict):
        for value in error.values():
            if isinstance(value, dict | list):
                yield from _parts(value)
        yield error
