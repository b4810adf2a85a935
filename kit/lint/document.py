"""What does a Markdown postmortem consist of? Lines of prose with the section they stand in; code and quotes left "
"out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

SECTIONS = {
    "summary": r"summary|overview|abstract|executive|what happened|tl;?dr|introduction|background",
    "impact": r"impact|affected|who was hurt|harm\b|damage|consequence|blast radius|severity",
    "trigger": r"trigger",
    "mechanism": r"mechanism|root cause|cause\b|causes\b|contributing|why did it|how did it|analysis"
    "|what went wrong|fault",
    "detection": r"detection|detected|discovery|how (?:was it|we|it was) (?:noticed|found|detected)|noticed",
    "response": r"recovery|resolution|response|mitigation\b|mitigated|restoration",
    "limited": r"limited the harm|went well|limiting|safeguards|defen[cs]es that held",
    "luck": r"luck",
    "timeline": r"timeline|chronology|sequence of events|log of events",
    "actions": r"action|remediation|corrective|preventat?ive|prevention|follow.?ups?|next steps|improvements?\b"
    r"|preventing it|moving forward|to.?do\b",
    "recurrence": r"happen again|recurrence|could it recur|prevent(?:ing)? (?:it|this) from",
    "done": r"completed|done\b|already",
    "lessons": r"lessons|learned|learnings|takeaways|went (?:wrong|badly)|didn.?t go well|retrospective",
}
"""What a section is about, by the words of its heading."""
_IMAGE = re.compile(r"!\[|<img")
_FENCE = re.compile(r"^\s{0,3}(```|~~~)")
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s+(.*?)\s*#*\s*$")
_BOLD_HEADING = re.compile(r"^\s{0,3}(?:\*\*|__)([^*_]{3,60}?):?(?:\*\*|__):?\s*$")
_ITEM = re.compile(r"^(\s*)(?:[-*+•]|\d+[.)])\s+(?:\[([ xX])\]\s+)?(.*)$")


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One stumble: which rule, on which line (1-based), why, and a wording that would carry more."""

    rule: str
    line: int
    message: str
    better: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of prose: its number (1-based), its text without markup, its raw text, the sections it stands in.

    `about` are keys of `SECTIONS` of its heading and of the headings above it. `kind` is prose, item, row, heading or
    image; `depth` is the indent of an item in spaces; `under` the raw text of the headings it stands under.
    """

    number: int
    text: str
    raw: str
    about: frozenset[str]
    kind: str
    depth: int = 0
    under: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A postmortem as lines, its headings apart. `headings` are (line, level, text, what it is about)."""

    lines: tuple[Line, ...]
    headings: tuple[tuple[int, int, str, frozenset[str]], ...]

    def within(self, about: str) -> Iterator[Line]:
        """The lines of prose, items and rows in sections about this."""
        return (line for line in self.lines if about in line.about and line.kind != "heading")


def read_document(markdown: str) -> Document:
    """Which lines are prose, and in which section does each stand? Code, quotations and comments are left out.

    >>> doc = read_document("# Outage\\n## Action items\\n- fix it\\n```\\nshould have\\n```")
    >>> [(line.number, line.kind, sorted(line.about)) for line in doc.lines]
    [(1, 'heading', []), (2, 'heading', ['actions']), (3, 'item', ['actions'])]
    """
    lines: list[Line] = []
    headings: list[tuple[int, int, str, frozenset[str]]] = []
    open_sections: list[tuple[int, frozenset[str], str]] = []
    for number, raw in _shown_lines(markdown):
        heading = _HEADING.match(raw) or _BOLD_HEADING.match(raw)
        if heading:
            level, text = (len(heading[1]), heading[2]) if heading.re is _HEADING else (7, heading[1])
            about = about_of(text)
            while open_sections and open_sections[-1][0] >= level:
                open_sections.pop()
            open_sections.append((level, about, text))
            headings.append((number, level, plain(text), about))
            lines.append(Line(number, plain(text), raw, about, "heading"))
            continue
        about = frozenset().union(*(a for _, a, _ in open_sections)) if open_sections else frozenset()
        under = " / ".join(text for *_, text in open_sections)
        item = _ITEM.match(raw)
        kind = "row" if raw.lstrip().startswith("|") else "item" if item else "prose"
        text = item[3] if item else raw
        if plain(text) or _IMAGE.search(raw):
            kind = kind if plain(text) else "image"
            lines.append(Line(number, plain(text), raw, about, kind, len(item[1]) if item else 0, under))
    return Document(tuple(lines), tuple(headings))


def about_of(heading: str) -> frozenset[str]:
    """What is a section with this heading about? Several things at once, or nothing known."""
    text = plain(heading).lower()
    return frozenset(name for name, words in SECTIONS.items() if re.search(rf"\b(?:{words})", text))


def plain(text: str) -> str:
    """Markdown's words without its marks: links become their text, code its content, images nothing.

    >>> plain("**Fix** [the probe](https://x/y) `retry` ![](z)")
    'Fix the probe retry'
    """
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)|<img[^>]*>", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<[^>\s][^>]*>", "", text)
    text = re.sub(r"\*\*|__|(?<!\w)[*_](?=\w)|(?<=[\w.!?:])[*_](?!\w)|`|~~", "", text)
    return " ".join(text.split())


def _shown_lines(markdown: str) -> Iterator[tuple[int, str]]:
    """The lines that are neither code, quotation, comment nor front matter."""
    fence, comment = "", False
    rows = markdown.split("\n")
    opened = rows[0].strip() == "---"
    front = next((i for i, row in enumerate(rows[1:], 1) if row.strip() == "---"), 0) if opened else 0
    for number, raw in enumerate(rows, 1):
        mark = _FENCE.match(raw)
        if number <= front + 1 and front:
            continue
        if fence:
            fence = "" if mark and mark[1] == fence else fence
            continue
        if mark:
            fence = mark[1]
            continue
        raw, comment = _without_comment(raw.rstrip("\r"), comment)
        if raw.lstrip().startswith(">") or (raw.startswith("    ") and not _ITEM.match(raw)):
            continue
        yield number, raw


def _without_comment(raw: str, inside: bool) -> tuple[str, bool]:
    kept = []
    while raw:
        if inside:
            _, found, raw = raw.partition("-->")
            inside = not found
        else:
            before, found, raw = raw.partition("<!--")
            kept.append(before)
            inside = bool(found)
    return "".join(kept), inside
