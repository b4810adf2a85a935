"""How may this query line go on? Names of fields while a word is typed, their commonest values after an operator."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from connectors.where import quote_field

if TYPE_CHECKING:
    import pandas as pd

MOST = 12
_LAST = re.compile(
    r"""(?:^|(?<=[\s(]))(?P<minus>-?)(?:(?P<field>"[^"]*"|[A-Za-z_@][\w.@-]*)(?P<op><=|>=|<>|!=|=|:|<|>)"""
    r"""(?P<value>"[^"]*|'[^']*|[^\s"']*)|(?P<word>[A-Za-z_@][\w.@-]*))$""",
    re.VERBOSE,
)


def completions(text: str, fields: pd.DataFrame, *, caret: int | None = None) -> list[str]:
    """The query lines that this one may become, at most twelve, the likeliest first; none where nothing is typed.

    `fields` as `LogSource.fields` answers: names, how well they are filled, and their commonest values. What stands
    after the caret stays.

    >>> import pandas as pd
    >>> fields = pd.DataFrame({"name": ["level", "service"], "share_present": [1.0, 0.9],
    ...                        "top": ['[["ERROR", 12], ["INFO", 3]]', '[["checkout", 9]]']})
    >>> completions("pool lev", fields), completions("pool level=E", fields)
    (['pool level='], ['pool level=ERROR'])
    """
    before, after = (text, "") if caret is None else (text[:caret], text[caret:])
    found = _LAST.search(before)
    if found is None:
        return []
    if found["word"]:
        typed = found["word"].lower()
        names = [str(n) for n in fields.sort_values("share_present", ascending=False, kind="stable")["name"]]
        first = [n for n in names if n.lower().startswith(typed)]
        inside = [n for n in names if typed in n.lower() and n not in first] if len(typed) > 1 else []
        return [f"{before[: found.start('word')]}{quote_field(n)}={after}" for n in [*first, *inside][:MOST]]
    name = found["field"].strip('"')
    tops = fields.loc[fields["name"] == name, "top"]
    values = [str(v) for v, _ in json.loads(tops.iloc[0])] if len(tops) and tops.iloc[0] else []
    typed = found["value"].strip("\"'").lower()
    fits = [v for v in values if v.lower().startswith(typed)] + [
        v for v in values if typed and typed in v.lower() and not v.lower().startswith(typed)
    ]
    start = before[: found.start("value")]
    return [f"{start}{_written(v)}{after}" for v in fits[:MOST] if v.lower() != typed or len(fits) > 1]


def _written(value: str) -> str:
    """The value as it stands in a query line: quoted where it has a blank."""
    if re.fullmatch(r"[\w./:@+-]+", value):
        return value
    return f'"{value}"' if '"' not in value else "'" + value.replace("'", "''") + "'"
