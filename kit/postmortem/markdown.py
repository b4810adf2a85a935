"""How does the draft stand as Markdown: sections of sentences, cells, evidence behind what it carries?"""

from __future__ import annotations

from collections.abc import Collection, Sequence

TO_FILL = "**to be filled in**"
SHOWN = 2
"""So many evidence ids stand behind a sentence; how many more there are is said."""


def section(heading: str, lines: Sequence[str]) -> str:
    """A heading and its sentences, one an item."""
    return "\n".join([f"## {heading}", "", *(f"- {line}" for line in lines)])


def cell(text: object) -> str:
    """Text that cannot end its cell.

    >>> cell("a | b")
    'a \\\\| b'
    """
    return str(text).replace("|", "\\|").replace("\n", " ")


def ids(evidence: Sequence[str], *, empty: Collection[str] = ()) -> str:
    """The evidence behind a sentence: two ids at most, and how many more; answers without a row only where all are.

    >>> ids(["ev_1", "ev_2", "ev_3"], empty={"ev_1"}), ids([])
    (' (evidence ev_2, ev_3)', '')
    """
    told = [e for e in dict.fromkeys(evidence) if e not in empty] or list(dict.fromkeys(evidence))
    if not told:
        return ""
    more = f" and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    return f" (evidence {', '.join(told[:SHOWN])}{more})"
