"""Which statement is this, whatever its literals? SQL texts of a slow-query log, brought to one form."""

from __future__ import annotations

import re

_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.S)
_LITERAL = re.compile(
    r"(?P<name>\"(?:[^\"]|\"\")*\")"
    r"|[eEbBxXnN]?'(?:[^'\\]|''|\\.)*'"
    r"|\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$"
    r"|\$\d+"
    r"|(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b"
    r"|\b(?:true|false)\b",
    re.S | re.I,
)
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)+\s*\)")
_ROWS = re.compile(r"\(\?\)(?:\s*,\s*\(\?\))+")
_FROM = re.compile(
    r"\b(?:from|into|update|join|table|truncate|on)\s+(?:only\s+|if\s+(?:not\s+)?exists\s+)?"
    r"((?:\"[^\"]+\"|[A-Za-z_][\w$]*)(?:\.(?:\"[^\"]+\"|[A-Za-z_][\w$]*))*)",
    re.I,
)
_VERB = re.compile(r"[\s(]*([A-Za-z]+)")
_MAIN = re.compile(r"\)\s*(select|insert|update|delete|merge)\b", re.I)


def summary(text: str | None) -> str | None:
    """The statement with literals and parameters as ?, lists of them as one, comments out and spaces single.

    >>> summary("SELECT *  FROM orders -- slow\\n WHERE id IN (1, 2,3) AND note = 'it''s' LIMIT 10")
    'SELECT * FROM orders WHERE id IN (?) AND note = ? LIMIT ?'
    """
    if text is None:
        return None
    text = _LITERAL.sub(lambda m: m["name"] or "?", _COMMENT.sub(" ", text))
    text = " ".join(text.split()).rstrip("; ")
    return _ROWS.sub("(?)", _LIST.sub("(?)", text))


def operation(text: str | None) -> str | None:
    """The statement's verb in capitals; of WITH … the verb that follows it.

    >>> operation("with t as (select 1) update orders set x = 1"), operation("/* hi */ select 1")
    ('UPDATE', 'SELECT')
    """
    match = _VERB.match(_COMMENT.sub(" ", text)) if text else None
    if match is None:
        return None
    verb = match[1].upper()
    if verb == "WITH" and (mains := _MAIN.findall(text or "")):
        return mains[-1].upper()
    return verb


def collection(text: str | None) -> str | None:
    """The first table that the statement names; None when it names none. A function in FROM looks like a table.

    >>> collection('SELECT a FROM "public".orders o JOIN items i ON true'), collection("SELECT 1")
    ('public.orders', None)
    """
    match = _FROM.search(_COMMENT.sub(" ", text)) if text else None
    return match[1].replace('"', "") if match else None
