"""Prose of a notebook as safe HTML: Markdown is rendered, raw HTML in it shows as text."""

from __future__ import annotations

import html
import re

_EVIDENCE = re.compile(r"\bev_[0-9a-f]{16}\b")


def prose(text: str) -> str:
    """Markdown to HTML. Tags in the source are escaped; links keep http(s) addresses and anchors only."""
    import mistune

    return mistune.create_markdown(escape=True, plugins=["table"])(text)


def cleaned(markup: str) -> str:
    """Somebody's HTML output with everything active taken out: scripts, handlers, styles, foreign addresses."""
    import nh3

    tags = {
        "div", "p", "span", "strong", "em", "b", "i", "code", "pre", "ul", "ol", "li", "table", "thead", "tbody", "tr",
        "th", "td", "br", "h3", "h4", "small", "details", "summary",
    }  # fmt: skip
    return nh3.clean(markup, tags=tags, attributes={"*": {"class"}, "th": {"scope"}, "a": set()}, url_schemes=set())


def linked(markup: str, known: frozenset[str]) -> str:
    """Every evidence id in the text becomes a link to its record, where there is one."""
    parts = re.split(r"(<[^>]*>)", markup)
    inside_link = False
    for index, part in enumerate(parts):
        if part.startswith("<"):
            inside_link = part.startswith("<a ") or (inside_link and part != "</a>")
        elif not inside_link:
            parts[index] = _EVIDENCE.sub(
                lambda m: f'<a class="ev" href="#{m[0]}">{m[0]}</a>' if m[0] in known else m[0], part
            )
    return "".join(parts)


def escaped(text: object) -> str:
    """Any value as text, with control characters made visible: nothing in it is markup or moves the cursor."""
    shown = "".join(_visible(c) for c in str(text))
    return html.escape(shown)


def _visible(character: str) -> str:
    code = ord(character)
    if character in "\n\t" or 0x20 <= code < 0x7F:
        return character
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069:
        return f"‹U+{code:04X}›"
    return character
