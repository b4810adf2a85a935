"""What does a change touch and speak of: its place on the path, the versions it brought, the words it shares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from kit.suspects import Suspect

_STOP = frozenset(
    """
    select from where and or the of to in on for set add drop create alter table index column migration update insert
    delete into values order by group having limit join left inner null not with is as at error failed request http
    get post put status code time ms true false deploy config version release rollback change line new old this that
    after before more than was are has have no yes idx fk pk uq
    """.split()  # noqa: SIM905
)


def words_in(text: str) -> set[str]:
    """The words and identifiers of a text, cut at underscores and camel humps, lower case, plural s dropped."""
    pieces = re.findall(r"[A-Za-z][a-z]+|[A-Z]{2,}(?![a-z])|[a-z]{2,}", text)
    whole = re.findall(r"[A-Za-z_][A-Za-z0-9_]{3,}", text)
    words = {w.lower() for w in (*pieces, *whole)}
    words = {w.removesuffix("s") if len(w) > 4 else w for w in words}
    return {w for w in words if len(w) > 2 and w not in _STOP and w + "s" not in _STOP}


def words_of(texts: Iterable[str]) -> set[str]:
    """All words of all these texts."""
    return set().union(*(words_in(str(t)) for t in texts))


def version_split(s: Suspect, differences: pd.DataFrame | None) -> str | None:
    """Do failing requests have the version that this change brought?"""
    if differences is None or not len(differences):
        return None
    named = _versions_named(s)
    for row in differences.itertuples():
        if row.sign != "more" or row.explains < 0.5:
            continue
        for field, value in zip(row.fields, row.values, strict=False):
            if "version" in str(field) and str(value) in named:
                return f"{row.bad_share:.0%} of failing requests ran on {value}, {row.good_share:.0%} of the others"
    return None


def _versions_named(s: Suspect) -> set[str]:
    return set(re.findall(r"v?\d[\w.\-]*", f"{s.ref or ''} {s.after or ''} {s.summary}"))


def cut_nodes(cut: Any) -> tuple[str, ...]:
    """Between which nodes does the break lie?"""
    if cut is None:
        return ()
    between = str(getattr(cut, "between", "") or "")
    names = [*getattr(cut, "first_bad", ()), *(part.strip() for part in between.split("→") if part.strip())]
    return tuple(dict.fromkeys(str(n) for n in names))


def scope_of_cut(
    service: str | None, nodes: tuple[str, ...], distance: Mapping[tuple[str, str], int]
) -> tuple[str, float]:
    if service is None:
        return "touches everything", 0.7
    if service in nodes:
        return f"touches {service}, where the break lies", 1.5
    near = min((distance.get((n, service), 99) for n in nodes), default=99)
    return (f"{service} is next to the break", 0.5) if near == 1 else (f"{service} is not where the break lies", 0.15)


def distances(path: pd.DataFrame | None) -> dict[tuple[str, str], int]:
    """How many calls lie between each two nodes of the path, either way? Nodes that are not connected are left out."""
    if path is None or not len(path):
        return {}
    near: dict[str, set[str]] = {}
    for caller, callee in zip(path["caller"], path["callee"], strict=True):
        near.setdefault(str(caller), set()).add(str(callee))
        near.setdefault(str(callee), set()).add(str(caller))
    found = {}
    for start in near:
        seen, edge, hops = {start}, {start}, 0
        while edge:
            for node in edge:
                found[(start, node)] = hops
            edge = set().union(*(near[n] for n in edge)) - seen
            seen |= edge
            hops += 1
    return found


def first_caller(path: pd.DataFrame) -> str | None:
    callees = set(path["callee"])
    return next((str(c) for c in path["caller"] if c not in callees), None)
