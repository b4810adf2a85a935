"""Two selections compared on the server: what is commonest on either side first, then the union counted exactly.

Where one selection is the other's opposite inside a common whole, the whole is asked instead of the opposite: counting
everything takes a server the least work, and the opposite's counts are the differences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.base import MISSING, OTHER, Selection
from connectors.elastic_counts import Groups, listed_at_once, text_of
from connectors.elastic_fields import Column
from connectors.elastic_filter import Query
from connectors.elastic_presence import Presence, Searches
from connectors.where import And, Not, all_of, parse

LISTED = 1_000
"""So many values of each field are asked for at first, or `top` when that is more: of most fields those are all, and
nothing is left to ask."""
LISTED_OF_MANY = 100
"""The same of a field with very many values: what one side lists is counted on the other."""


@dataclass(slots=True)
class _Side:
    """What is known of one query: rows in all, and per field the rows with a value and the counts of its values."""

    query: Query
    total: float = 0.0
    here: dict[int, float] = field(default_factory=dict)
    counts: dict[int, dict[str, float]] = field(default_factory=dict)
    keys: dict[int, dict[Any, str]] = field(default_factory=dict)
    whole: dict[int, bool] = field(default_factory=dict)


def compared_rows(
    searches: Searches,
    groups: Groups,
    columns: Sequence[Column],
    bad: Query,
    good: Query,
    *,
    both: Query | None,
    top: int,
    sampled: Mapping[str, float] | None = None,
) -> list[tuple[Any, ...]]:
    """Rows of `compare`. Each side is a search of its own; both go in one round trip.

    `sampled` names fields of very many values: their commonest are looked for in so large a share of the rows only
    of the good rows, and then counted in all of them.

    The second round trip is for the fields only of which a side has more values than were given in the first. `both`
    are the rows of either side, where no row is on both.
    """
    one, other = _Side(bad), _Side(both or good)
    _discover(searches, groups, columns, (one, other), top, sampled or {})
    _complete(searches, groups, columns, (one, other))
    opposite = _opposite(one, other) if both is not None else other
    unsure = [] if both is None else [
        column for at, column in enumerate(columns)
        if column.name not in (sampled or {}) and not _certain(other, opposite, top, at)
    ]  # fmt: skip
    again: dict[str, list[tuple[Any, ...]]] = {column.name: [] for column in unsure}
    if unsure:
        for row in compared_rows(searches, groups, unsure, bad, good, both=None, top=top):
            again[row[0]].append(row)
    rows: list[tuple[Any, ...]] = []
    for at, column in enumerate(columns):
        if column.name in again:
            rows += again[column.name]
            continue
        union = dict.fromkeys([*_commonest(one, at, top), *_commonest(opposite, at, top)])
        named = [(v, one.counts[at].get(v, 0.0), opposite.counts[at].get(v, 0.0)) for v in union]
        named.sort(key=lambda row: (-row[1], -row[2], row[0]))
        rest = [side.here[at] - sum(row[1 + i] for row in named) for i, side in enumerate((one, opposite))]
        named += [(OTHER, *rest), (MISSING, *(side.total - side.here[at] for side in (one, opposite)))]
        rows += [
            (column.name, value, max(b, 0.0), max(g, 0.0), one.total, opposite.total, 0.0)
            for value, b, g in named
            if b > 0 or g > 0
        ]
    return rows


def whole_of(bad: Selection, good: Selection) -> Selection | None:
    """Which rows are both sides together, where the one is the other's opposite? None where it is not.

    >>> from connectors.window import Window
    >>> hour = Window.of("2026-03-01T02:00Z", "2026-03-01T03:00Z")
    >>> whole_of(Selection(hour, "a = 1 AND b = 2"), Selection(hour, "b = 2 AND NOT a = 1")).where
    'b = 2'
    """
    if bad.window != good.window or bad.where is None or good.where is None:
        return None
    mine, theirs = (_parts(side.where) for side in (bad, good))
    only, others = mine.keys() - theirs.keys(), theirs.keys() - mine.keys()
    if len(only) != 1 or len(others) != 1:
        return None
    one, other = mine[only.pop()], theirs[others.pop()]
    if str(Not(one)) != str(other) and str(Not(other)) != str(one):
        return None
    common = sorted(mine.keys() & theirs.keys())
    return Selection(bad.window, all_of(*common))


def _parts(where: str | None) -> dict[str, Any]:
    tree = parse(where or "")
    return {str(part): part for part in (tree.parts if isinstance(tree, And) else (tree,))}


def _discover(
    searches: Searches,
    groups: Groups,
    columns: Sequence[Column],
    sides: Sequence[_Side],
    top: int,
    sampled: Mapping[str, float],
) -> None:
    listed = listed_at_once(len(columns), least=LISTED_OF_MANY, most=LISTED)
    presence = Presence(groups, columns)
    few = presence.aggregations()
    many: dict[str, Any] = {}
    every = dict(few)
    for at, column in enumerate(columns):
        size = LISTED_OF_MANY if column.name in sampled else listed
        every |= {f"t{at}": groups.top(column, max(top, size))}
        (many if column.name in sampled else few)[f"t{at}"] = every[f"t{at}"]
    bodies = [_body(groups, sides[0].query, every), _body(groups, sides[1].query, few if many else every)]
    if many:
        share = min(sampled.values())
        bodies[1]["aggs"]["s"] = {"random_sampler": {"probability": share, "seed": 1}, "aggs": many}
    answers = searches(bodies)
    own_of = [found.get("aggregations", {}) for found in answers]
    here = presence.here(searches, [(side.query, own) for side, own in zip(sides, own_of, strict=True)])
    for side, found, own, rows in zip(sides, answers, own_of, here, strict=True):
        side.total = groups.total_of(found)
        side.here = rows
        aggregations = {**own, **own.get("s", {})}
        for at, column in enumerate(columns):
            terms = aggregations[f"t{at}"]
            side.counts[at] = dict(groups.counts(column, terms["buckets"]))
            texts = {bucket["key"]: text_of(bucket["key"], column) for bucket in terms["buckets"]}
            side.keys[at] = {key: text for key, text in texts.items() if text is not None}
            side.whole[at] = not terms["sum_other_doc_count"] and f"t{at}" in own


def _complete(searches: Searches, groups: Groups, columns: Sequence[Column], sides: Sequence[_Side]) -> None:
    """Counts on each side the values that only the other told of, among the rows that have one of them."""
    asked: list[tuple[_Side, int]] = []
    bodies = []
    for at, column in enumerate(columns):
        union = {key: text for side in sides for key, text in side.keys[at].items()}
        for side in sides:
            keys = list(union)
            if side.whole[at] or not keys:
                continue
            narrowed = {"bool": {"filter": [side.query, {"terms": {groups.whole(column): keys}}]}}
            asked.append((side, at))
            bodies.append(_body(groups, narrowed, {"t": groups.top(column, len(keys), only=keys)}))
    for (side, at), found in zip(asked, searches(bodies) if bodies else [], strict=True):
        side.counts[at] = dict(groups.counts(columns[at], found["aggregations"]["t"]["buckets"]))


def _opposite(one: _Side, whole: _Side) -> _Side:
    """The rows of the whole that are not on the one side."""
    side = _Side(whole.query, whole.total - one.total)
    for at, counts in whole.counts.items():
        side.here[at] = whole.here[at] - one.here[at]
        left = {value: n - one.counts[at].get(value, 0.0) for value, n in counts.items()}
        side.counts[at] = {value: n for value, n in left.items() if n > 0}
    return side


def _certain(whole: _Side, opposite: _Side, top: int, at: int) -> bool:
    """Can no value that was not listed be among the opposite's commonest? It has at most the least of those listed."""
    if whole.whole[at]:
        return True
    counts = whole.counts[at]
    listed = [counts.get(text, 0.0) for text in whole.keys[at].values()]
    best = sorted(opposite.counts[at].values(), reverse=True)[:top]
    return len(best) >= top and best[-1] >= min(listed, default=0.0)


def _commonest(side: _Side, at: int, top: int) -> list[str]:
    return [value for value, _ in sorted(side.counts[at].items(), key=lambda item: (-item[1], item[0]))[:top]]


def _body(groups: Groups, query: Query, aggs: Mapping[str, Any]) -> dict[str, Any]:
    inner = {**aggs, **groups.n().get("aggs", {})}
    return {"size": 0, "track_total_hits": True, "query": query, **({"aggs": inner} if inner else {})}
