"""Prose of a notebook as safe HTML: Markdown is rendered, raw HTML in it shows as text."""

from __future__ import annotations

import re

from kit.plain_text import visible

_EMPTY_HEAD = re.compile(r"<th[^>]*>\s*</th>")
_EVIDENCE = re.compile(r"\bev_[0-9a-f]{16}\b")


def prose(text: str) -> str:
    """Markdown to HTML. Tags in the source are escaped; links keep http(s) addresses and anchors only."""
    import mistune

    return mistune.create_markdown(escape=True, plugins=["table"])(visible(text))


def cleaned(markup: str) -> str:
    """Somebody's HTML output with everything active taken out: scripts, handlers, styles, foreign addresses."""
    import nh3

    tags = {
        "div", "p", "span", "strong", "em", "b", "i", "code", "pre", "ul", "ol", "li", "table", "thead", "tbody", "tr",
        "th", "td", "br", "h3", "h4", "small", "details", "summary",
    }  # fmt: skip
    clean = nh3.clean(
        visible(markup), tags=tags, attributes={"*": {"class"}, "th": {"scope"}, "a": set()}, url_schemes=set()
    )
    return _EMPTY_HEAD.sub("<td></td>", clean)


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
