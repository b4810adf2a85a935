"""Rows of the timeline from people: typed by hand, or taken from the export of a chat or a pager. Nobody is named.

What is taken from outside is text. Who wrote it is left out, mentions become "somebody"; the file it came from and the
message's own time stay.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from connectors.durable import append_line
from connectors.errors import BadInput, ConnectorError
from connectors.window import Window, iso, utc
from kit.timeline import Fact

LONGEST = 200
MOST_ROWS = 500
LARGEST_BYTES = 50_000_000
_NOISE = frozenset({
    "channel_join", "channel_leave", "channel_topic", "channel_purpose", "channel_name", "channel_archive",
    "group_join", "group_leave", "pinned_item", "bot_add", "bot_remove", "reminder_add", "tombstone",
})  # fmt: skip
_LANES = (
    ("recovery", re.compile(r"\b(?:resolved|recovered|all clear|back to normal|healthy again|stable again)\b", re.I)),
    (
        "change",
        re.compile(r"\b(?:deployed|deploying|merged|released|flag (?:on|off)|migration (?:ran|applied))\b", re.I),
    ),
    ("detection", re.compile(r"\b(?:alert|paged|firing|customers? report|seeing errors|is (?:it )?down)\b", re.I)),
)
"""The lane that a message's words speak for; else it is a response."""
_PAGER = {
    "trigger": ("detection", "the pager went off", "detected"),
    "acknowledge": ("response", "somebody took the page", "engaged"),
    "escalate": ("response", "the page was passed on", None),
    "annotate": ("response", "a note was added to the page", None),
    "resolve": ("recovery", "the page was closed", "resolved"),
}


def read_export(path: Path, *, window: Window) -> tuple[list[dict[str, Any]], str]:
    """Which rows for the timeline does this export hold within the window, and what is there to say about it?

    Known are Slack's export of a channel (a list of messages, or `{"messages": […]}` of its API) and PagerDuty's log
    entries (`{"log_entries": […]}`). Where messages of the window are pinned, those alone are taken: people chose them.
    Rows have `time`, `lane`, `fact`, `source` and, of a pager, `mark`. Raises `BadInput` in one sentence for anything
    else, and for what is too large.

    Misleads in the lane, which is guessed from the words of a message: mend it in `timeline.jsonl`.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise BadInput(
                f"{path.name} is larger than {LARGEST_BYTES:,} bytes: export the days of the incident alone."
            )
        content = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise BadInput(
            f"{path.name} is no JSON export ({type(error).__name__}): give Slack's or PagerDuty's."
        ) from None
    records, of_one = _records(content)
    if not records:
        raise BadInput(f"{path.name} is neither Slack's export of a channel nor PagerDuty's log entries.")
    rows = [(bool(r.get("pinned_to")), row) for r in records if (row := of_one(r)) is not None]
    inside = [(pinned, row) for pinned, row in rows if window.start <= utc(row["time"]) < window.end]
    chosen = [row for pinned, row in inside if pinned] or [row for _, row in inside]
    chosen.sort(key=lambda row: utc(row["time"]))
    said = f"{len(chosen)} of {len(records)} records of {path.name} lie in the look"
    said += " and are pinned" if any(pinned for pinned, _ in inside) else ""
    if len(chosen) > MOST_ROWS:
        raise BadInput(
            f"{said}: more than {MOST_ROWS} rows are no timeline; pin the messages that matter, export again."
        )
    return [{**row, "source": path.name} for row in chosen], said


def add_rows(path: Path, rows: Iterable[Mapping[str, Any]], *, there: Sequence[Mapping[str, Any]]) -> int:
    """Append the rows that are not in the file yet (same time and words); gives how many. All are checked first."""
    known = {(iso(utc(r["time"])), str(r["fact"])) for r in there if r.get("time") and r.get("fact")}
    fresh = []
    for row in rows:
        fact = Fact.of(row)
        key = (iso(fact.moment.time), fact.text)
        if key not in known:
            known.add(key)
            fresh.append({**row, "time": key[0]})
    for row in fresh:
        append_line(path, orjson.dumps(row).decode())
    return len(fresh)


def without_names(text: str) -> str:
    """A chat message as plain words: mentions become "somebody", links their text, entities their characters.

    >>> without_names("<@U02ABC> rolled back <https://ci/7|build 7> &amp; it helped")
    'somebody rolled back build 7 & it helped'
    """
    text = re.sub(r"<@[A-Z0-9]+(?:\|[^>]*)?>", "somebody", text)
    text = re.sub(r"<#[A-Z0-9]+\|([^>]*)>", r"#\1", text)
    text = re.sub(r"<![^>]*>", "everybody", text)
    text = re.sub(r"<[^>|]*\|([^>]*)>", r"\1", text)
    text = re.sub(r"<((?:https?|mailto):[^>]*)>", r"\1", text)
    text = " ".join(html.unescape(text).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


Reader = Callable[[Mapping[str, Any]], dict[str, Any] | None]


def _records(content: Any) -> tuple[list[Mapping[str, Any]], Reader]:
    if isinstance(content, Mapping):
        for key, of_one in (("log_entries", _of_pager), ("messages", _of_chat)):
            if isinstance(content.get(key), list):
                return [r for r in content[key] if isinstance(r, Mapping)], of_one
        return [], _of_chat
    listed = [r for r in content if isinstance(r, Mapping)] if isinstance(content, list) else []
    if any("log_entry" in str(r.get("type", "")) for r in listed):
        return [r for r in listed if "log_entry" in str(r.get("type", ""))], _of_pager
    return [r for r in listed if "ts" in r and "text" in r], _of_chat


def _of_chat(message: Mapping[str, Any]) -> dict[str, Any] | None:
    text = message.get("text")
    if not isinstance(text, str) or not text.strip() or message.get("subtype") in _NOISE:
        return None
    try:
        time = datetime.fromtimestamp(float(message["ts"]), UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
    words = without_names(text)
    lane = next((name for name, pattern in _LANES if pattern.search(words)), "response")
    return {"time": iso(time), "lane": lane, "fact": words}


def _of_pager(entry: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = str(entry.get("type", "")).removesuffix("_reference").removesuffix("_log_entry")
    if kind not in _PAGER:
        return None
    lane, told, mark = _PAGER[kind]
    try:
        time = utc(str(entry.get("created_at")))
    except (ConnectorError, ValueError):
        return None
    what = entry.get("incident")
    title = what.get("summary") or what.get("title") if isinstance(what, Mapping) else None
    fact = f"{told}: {without_names(str(title))}" if title else told
    return {"time": iso(time), "lane": lane, "fact": fact, **({"mark": mark} if mark else {})}
