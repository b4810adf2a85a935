"""The same filter for rows that lack some of its fields: what is decided already falls out of it."""

from __future__ import annotations

from collections.abc import Collection

from connectors.where_text import parse
from connectors.where_tree import And, IsNull, Not, Or, Where


def fold_missing(where: str, known: Collection[str]) -> str | bool:
    """What is left of the filter where only these fields exist? True: every row fits; False: none does.

    A comparison with a missing field is false and IS NULL of it true, as everywhere.

    >>> fold_missing("agent = 'probe' OR path = '/healthz'", {"path"})
    "path = '/healthz'"
    >>> fold_missing("agent = 'probe'", {"path"})
    False
    """
    folded = _folded(parse(where), frozenset(known))
    return folded if isinstance(folded, bool) else str(folded)


def _folded(where: Where, known: frozenset[str]) -> Where | bool:
    match where:
        case Not(part):
            inner = _folded(part, known)
            return not inner if isinstance(inner, bool) else Not(inner)
        case And(parts):
            return _joined([_folded(p, known) for p in parts], stops=False, kind=And)
        case Or(parts):
            return _joined([_folded(p, known) for p in parts], stops=True, kind=Or)
        case leaf if leaf.field in known:
            return leaf
        case leaf:
            return isinstance(leaf, IsNull)


def _joined(parts: list[Where | bool], *, stops: bool, kind: type[And] | type[Or]) -> Where | bool:
    if any(p is stops for p in parts):
        return stops
    left = tuple(p for p in parts if not isinstance(p, bool))
    if not left:
        return not stops
    return left[0] if len(left) == 1 else kind(left)
