"""Can a stranger place the times, and check the numbers?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kit.lint.document import Document, Line, LintFinding

_I = re.IGNORECASE
_CLOCK = re.compile(
    r"(?<![\d:./-])(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?(?![\d:])(?: ?[ap]\.?m\.?\b)?", _I
)
_ZONE = re.compile(
    r"\b(?:UTC|GMT|Z|CES?T|WES?T|EES?T|BST|IST|JST|KST|SGT|HKT|AE[SD]?T|AC[SD]T|NZ[SD]T|[PMCE][SD]?T|MSK|Zulu"
    r"|(?:Europe|America|Asia|Australia|Africa|Pacific)/\w+)\b|\d{2}Z\b|[+-]\d{2}:?\d{2}\b(?! ?[ap]m)|local time \("
)
_ALL_TIMES = re.compile(r"\b(?:all )?times?(?:tamps?)?\b[^.|]{0,40}", _I)
_RELATIVE = re.compile(
    r"\b(?:yesterday|today|tonight|tomorrow|last night|this (?:morning|afternoon|evening|week|month)"
    r"|(?:last|next) (?:week|month|year|monday|tuesday|wednesday|thursday|friday|saturday|sunday|sprint|quarter)"
    r"|(?:a few|some|several|a couple of|two|three|four|five) (?:minutes|hours|days|weeks|months) ago|an hour ago"
    r"|\d+ (?:minutes|hours|days|weeks|months) ago"
    r"|the other day|recently|lately|just now|earlier today|later today|soon|currently|at the moment|nowadays)\b",
    _I,
)
_QUOTED = re.compile(r"[“\"][^”\"]{3,}[”\"]")
_PLACED = ("recently", "lately", "currently", "at the moment", "nowadays", "soon", "today")
_LATER = re.compile(
    r"^(?:about |around |some |roughly |~)?(?:a few|several|\d+|two|three|five|ten|an?) (?:seconds|minutes?|mins?"
    r"|hours?|days?)"
    r" (?:later|after(?:wards)?)\b",
    _I,
)
_NUMBER = re.compile(
    r"(?<![\w.#/:-])(?:[~≈<>≤≥]|about |around |over |roughly |nearly |approximately |more than |less than |up to )?"
    r"(?![1-5]\d\d (?:\w+ )?(?:errors?|messages?|responses?|requests?|calls?)\b)(?:\d{1,3}(?:[,  ]\d{3})+"
    r"|\d+)(?:\.\d+)?(?:[kKM]\b)? ?"
    r"(?:%|percent\b|per ?cent\b|(?:\w+ ){0,2}(?:requests?|users?|customers?|errors?|orders?|sessions?|events?"
    r"|tenants?|messages?|transactions?"
    r"|payments?|checkouts?|pods?|nodes?|clients?|calls?|queries|rows|ms\b|milliseconds?|seconds?|minutes?|hours?))"
    r"|(?:[$€£] ?\d[\d,.]*)",
    _I,
)
_SETTING = re.compile(
    r"\b(?:timeouts?|limits?|intervals?|thresholds?|retention|TTL|quotas?|delays?) (?:\w+ )?(?:of|from|to)\b", _I
)
_TIME = re.compile(r"(?:ms|milliseconds?|seconds?|minutes?|hours?)$", _I)
"""A time in a sentence about a setting is what the setting says, not how long the harm was."""
_MACHINES = re.compile(r"(?:pods?|nodes?)$", _I)
_EVIDENCE = re.compile(
    r"\]\([^)]+\)|https?://|\[\^?\w+\]|!\[|<img|\b(?:evidence|query|dashboard|panel|snapshot|screenshots?"
    r"|see (?:figure|fig\.|table|notebook))\b|\b[EQ]-?\d+\b"
    r"|\b[0-9a-f]{8,}\b|`[^`]{6,}`",
    _I,
)


def time_findings(document: Document) -> list[LintFinding]:
    """Which times could a stranger not place? Clock times without a zone are told once a section, with how many."""
    return [*_without_zone(document), *_relative(document)]


def number_findings(document: Document) -> Iterator[LintFinding]:
    """Which numbers of the harm stand on nothing that can be looked up? Told once a section, with how many.

    Looked at are the impact, the summary and the mechanism; a link, image, footnote, query or evidence id on the line
    or on the next one is taken as what stands behind it.
    """
    for about in ("impact", "summary", "mechanism"):
        lines = [x for x in document.within(about) if about == "impact" or "impact" not in x.about]
        bare = [
            (line, found)
            for line, after in zip(lines, [*lines[1:], None], strict=False)
            if (found := _NUMBER.search(line.text))
            and "timeline" not in line.about
            and not _EVIDENCE.search(line.raw)
            and not (_TIME.search(found[0]) and (_SETTING.search(line.text) or _placed(line)))
            and not (about != "impact" and _MACHINES.search(found[0]))
            and not (after is not None and after.number <= line.number + 2 and after.kind == "image")
        ]
        if bare:
            line, found = bare[0]
            more = f" ({len(bare) - 1} more line{'s' * (len(bare) > 2)} in this section)" if len(bare) > 1 else ""
            message = f"{found[0].strip()!r} names no query, link or evidence that it can be checked by{more}."
            yield LintFinding("number-without-evidence", line.number, message, _BETTER_NUMBER)


def _placed(line: Line) -> bool:
    """Does the line give a clock time with its zone? Then how long something took can be checked by it."""
    return bool(_CLOCK.search(line.text) and _ZONE.search(line.text))


def _without_zone(document: Document) -> Iterator[LintFinding]:
    if any(_states_zone(line) for line in document.lines):
        return
    by_section: dict[int, list[Line]] = {}
    for line in document.lines:
        if line.kind != "heading" and _CLOCK.search(line.text) and not _ZONE.search(line.text):
            section = max((n for n, *_ in document.headings if n < line.number), default=0)
            by_section.setdefault(section, []).append(line)
    for lines in by_section.values():
        clock = _CLOCK.search(lines[0].text)
        more = f" ({len(lines) - 1} more line{'s' * (len(lines) > 2)} in this section)" if len(lines) > 1 else ""
        message = f"{clock[0] if clock else ''} has no time zone{more}."
        yield LintFinding("time-without-zone", lines[0].number, message, _BETTER_ZONE)


def _states_zone(line: Line) -> bool:
    """Does this line give the zone of all the times, as a heading, a table's head, or 'all times in UTC'?"""
    if not _ZONE.search(line.text) or _CLOCK.search(line.text):
        return False
    return line.kind == "heading" or line.kind == "row" or bool(_ALL_TIMES.search(line.text))


def _relative(document: Document) -> Iterator[LintFinding]:
    for line in document.lines:
        if line.kind == "heading":
            continue
        own_words = _QUOTED.sub("", line.text)
        found = _RELATIVE.search(own_words)
        if found and found[0].lower() in _PLACED and "timeline" not in line.about:
            found = next((f for f in _RELATIVE.finditer(own_words) if f[0].lower() not in _PLACED), None)
        if found is None and "timeline" in line.about:
            found = _LATER.search(line.text)
        if found:
            message = f"{found[0]!r} can be placed only by who reads it that day."
            yield LintFinding("relative-time", line.number, message, _BETTER_RELATIVE)


_BETTER_ZONE = "Write it absolute with its zone: 2026-03-01 02:14 UTC; or say once, above the table: all times in UTC."
_BETTER_RELATIVE = "Write the moment: 2026-03-01 02:14 UTC, with how sure it is (± 30 s) where it was estimated."
_BETTER_NUMBER = "Put the evidence beside it: '1,204 of 5,310 requests failed (query: status >= 500, 02:14–02:31 UTC)'."
