"""What every result of the kit has in common: a headline, its reasons, a table, and one way to show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kit.plain_text import escaped, visible

if TYPE_CHECKING:
    import pandas as pd


class Result:
    """A noun that a verb of the kit returns: a frozen dataclass with `headline`, `because` and `to_frame()`.

    Text and HTML are made from the same three, so a terminal and a notebook never disagree. Everything shown is
    escaped: whatever a log line holds, it appears as text.
    """

    because: tuple[str, ...]

    @property
    def headline(self) -> str:
        """The answer, in one plain sentence."""
        raise NotImplementedError

    def to_frame(self) -> pd.DataFrame:
        """The facts behind the headline, a row each."""
        raise NotImplementedError

    def __str__(self) -> str:
        lines = [self.headline, *(f"  · {reason}" for reason in self.because)]
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The sentences for a terminal, never the fields; the same with a table as HTML."""
        return {"text/plain": visible(self), "text/html": self._repr_html_()}

    def _repr_html_(self) -> str:
        reasons = "".join(f"<li>{escaped(reason)}</li>" for reason in self.because)
        return (
            f'<div class="ik-result"><p class="ik-headline"><strong>{escaped(self.headline)}</strong></p>'
            f"{f'<ul class=ik-because>{reasons}</ul>' if reasons else ''}{_folded(self.to_frame())}</div>"
        )


OPEN_ROWS = 5
"""A table of more rows than this is folded: the sentence and the chart come first."""


def _folded(frame: pd.DataFrame) -> str:
    """The table, folded when it is long; reasons that stand above it already are left out of it."""
    shown = frame.drop(columns=[c for c in ("because",) if c in frame.columns])
    fold = "" if len(shown) <= OPEN_ROWS else f"<summary>{len(shown):,} rows</summary>"
    table = table_html(shown)
    return f"<details>{fold}{table}</details>" if fold else table


def table_html(frame: pd.DataFrame, *, limit: int = 50) -> str:
    """A frame as a small static HTML table, every value escaped; past `limit` rows it says how many are left out."""
    if frame.empty:
        return '<p class="ik-empty">no rows</p>'
    first = frame.iloc[0]
    head = "".join(f"<th scope=col{_side(v)}>{escaped(str(c))}</th>" for c, v in zip(frame.columns, first, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{_side(v)}>{escaped(_cut(cell_text(v)))}</td>" for v in row) + "</tr>"
        for row in frame.head(limit).itertuples(index=False)
    )
    more = f"<p class=ik-more>{len(frame) - limit:,} more rows</p>" if len(frame) > limit else ""
    return f'<table class="ik-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}'


def _side(value: Any) -> str:
    """Words begin on the left; a notebook sets every cell to the right, as numbers want it."""
    return ' style="text-align:left"' if isinstance(value, str) else ""


def _cut(text: str, limit: int = 240) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def cell_text(value: Any) -> str:
    """One value as a reader wants it: four significant digits, times in UTC, unknown as an em dash."""
    import pandas as pd

    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(cell_text(v) for v in value)
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and value != value):
        return "—"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d %H:%M:%S%z") if value.microsecond == 0 else str(value)
    return visible(value)
