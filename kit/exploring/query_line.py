"""What did somebody mean who typed this? Words, "phrases", /patterns/, -not, and only then predicates."""

from __future__ import annotations

import re
from dataclasses import dataclass

from connectors.errors import BadInput
from connectors.where import parse, quote_field, quote_value

_TOKEN = re.compile(
    r"""(?P<minus>-)?(?:
        /(?P<pattern>(?:\\/|[^/\n])+)/(?=\s|$)
      | "(?P<phrase>[^"\n]*)"
      | (?P<field>[A-Za-z_@][\w.@-]*)\s*(?P<op><=|>=|<>|!=|=|:|<|>)\s*(?P<value>"[^"\n]*"|'(?:[^']|'')*'|[^\s"']+)
      | (?P<word>[^\s"]+)
    )(?=\s|$)""",
    re.VERBOSE,
)
_GRAMMAR = re.compile(r"\b(?:AND|OR|NOT|IN|IS|BETWEEN)\b|has\(|\(")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?$")
NATIVE = ("lucene:",)
"""How a filter in the server's own language begins."""
_FEW_WORDS = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class QueryLine:
    """A query line as what can be asked where the data lives, and what has to be looked for in the lines that came.

    `where` is the portable filter (None: everything); `patterns` are regular expressions that the message must hold,
    `not_patterns` those that it must not. No backend is asked a pattern: counts do not know of them, and views say so.
    `native` is a filter in the server's own language.
    """

    text: str
    where: str | None
    patterns: tuple[str, ...] = ()
    not_patterns: tuple[str, ...] = ()
    native: str | None = None

    @property
    def local(self) -> bool:
        """Is part of it looked for only in the lines that came?"""
        return bool(self.patterns or self.not_patterns)


def read_query(text: str, *, message: str = "message") -> QueryLine:
    """What is asked for? Everything that is written has to hold.

    `timeout` and `"pool is full"` are words of the message in any case, a phrase in order; `-word` must not be there;
    `/re/` is a regular expression on the message; `field=value`, `field:value`, `field>=500` compare; a line that uses
    AND, OR, NOT, IN, BETWEEN, IS or brackets is the portable filter as it stands; one that begins with `lucene:` is in
    the server's own language. Raises `BadInput` for what is none of these.

    >>> query = read_query('pool -health status>=500 /took [0-9]+ ms/')
    >>> query.where
    "has(message, 'pool') AND NOT has(message, 'health') AND status >= 500"
    >>> query.patterns
    ('took [0-9]+ ms',)
    >>> read_query("service IN ('a', 'b') AND level = 'ERROR'").where
    "service IN ('a', 'b') AND level = 'ERROR'"
    """
    if not text.strip():
        return QueryLine(text, None)
    if text.strip().startswith(NATIVE):
        return QueryLine(text, None, native=text.strip())
    if _GRAMMAR.search(re.sub(r'"[^"]*"|\'[^\']*\'|/(?:\\/|[^/\n])+/(?=\s|$)', "", text)):
        parse(text)
        return QueryLine(text, text.strip())
    conditions: list[str] = []
    patterns: tuple[list[str], list[str]] = ([], [])
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = _TOKEN.match(text, at)
        if found is None:
            raise BadInput(
                f'The query cannot be read from {text[at : at + 30]!r} on: write words, "phrases", /patterns/, -not or '
                "field=value; a quotation mark wants its second."
            )
        if found["pattern"]:
            patterns[bool(found["minus"])].append(_compiles(found["pattern"].replace("\\/", "/")))
        else:
            conditions.append(_condition(found, message))
        at = found.end()
    where = " AND ".join(conditions) or None
    if where is not None:
        parse(where)
    return QueryLine(text, where, tuple(patterns[0]), tuple(patterns[1]))


def _condition(found: re.Match[str], message: str) -> str:
    if found["field"]:
        value, op = found["value"], {":": "=", "!=": "<>"}.get(found["op"], found["op"])
        quoted = value[:1] in "\"'"
        plain = value[1:-1].replace("''", "'") if quoted else value
        literal = value if not quoted and _NUMBER.match(value) else quote_value(plain)
        said = f"{quote_field(found['field'])} {op} {literal}"
    else:
        words = found["phrase"] if found["phrase"] is not None else found["word"]
        if not _FEW_WORDS.search(words or ""):
            raise BadInput(
                f"{found[0]!r} has no letter and no digit to look for: search it with /{re.escape(found[0])}/."
            )
        said = f"has({quote_field(message)}, {quote_value(words)})"
    return f"NOT {said}" if found["minus"] else said


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise BadInput(f"The pattern /{pattern}/ is not a regular expression ({error}): mend it or quote it.") from None
    return pattern
