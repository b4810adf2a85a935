"""The DuckDB SQL of the six questions; `logs` is the view asked, `kept` a predicate on it.

Names of our own begin with an underscore: _time (start of the bin), _k0 _k1 … (the fields grouped by), _w (weight), _v
(the value measured), _n (rows, weighted), _place (rank of a group; NULL: past the top).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from connectors.base import MISSING, OTHER
from connectors.questions import PERCENTILES
from connectors.where import sql_name

ALL_WEIGHTS_ONE = "count(*)"
WEIGHED = "sum(CAST(_w AS DECIMAL(18, 6)))"
"""How many rows a group stands for. Decimals add up to the same whatever the order the engine adds them in."""
HASH_SHARE = 64
"""Distinct values are estimated from every so many-th hash."""

Types = Mapping[str, pa.DataType]


@dataclass(frozen=True, slots=True)
class Grouping:
    """By what a question's rows are grouped: bins of `step` microseconds (None: no bins) and the `top` of `by`."""

    types: Types
    step: int | None
    by: Sequence[str]
    top: int
    n: str

    def keys(self) -> str:
        """The keys as computed from a row of `logs`."""
        bins = [f"make_timestamptz(epoch_us(time) - epoch_us(time) % {self.step}) AS _time"] if self.step else []
        return ", ".join(
            [*bins, *(f"{value_sql(f, self.types)} AS _k{i}" for i, f in enumerate(self.by)), "weight AS _w"]
        )

    def top_groups(self, source: str, n: str) -> str:
        """The CTE `_top`: the largest groups, and the largest of those with a missing field."""
        if not self.by:
            return "_top AS (SELECT 1)"
        names = ", ".join(f"_k{i}" for i in range(len(self.by)))
        missing = " OR ".join(f"_k{i} IS NULL" for i in range(len(self.by)))
        return (
            f"_top AS (SELECT {names}, row_number() OVER (ORDER BY {n} DESC, {missing}, {names}) AS _place "
            f"FROM {source} GROUP BY {names} "
            f"QUALIFY row_number() OVER (PARTITION BY {missing} ORDER BY {n} DESC, {names}) <= {self.top})"
        )

    def labelled(self, source: str) -> str:
        """`source` with the labels of its groups as columns `_l0` …, and `_place`."""
        if not self.by:
            return f"SELECT *, 1 AS _place FROM {source}"
        same = " AND ".join(f"{source}._k{i} IS NOT DISTINCT FROM _top._k{i}" for i in range(len(self.by)))
        labels = ", ".join(
            f"CASE WHEN _place IS NULL THEN '{OTHER}' "
            f"ELSE coalesce(CAST({source}._k{i} AS VARCHAR), '{MISSING}') END AS _l{i}"
            for i in range(len(self.by))
        )
        return f"SELECT {source}.*, _place, {labels} FROM {source} LEFT JOIN _top ON {same}"

    def group_names(self) -> list[str]:
        """The columns by which labelled rows are grouped."""
        return [*(["_time"] if self.step else []), "_place", *(f"_l{i}" for i in range(len(self.by)))]

    def chosen(self, values: Sequence[str]) -> str:
        """The answer's columns, keys under their own names first."""
        bins = ["_time AS time"] if self.step else []
        return ", ".join([*bins, *(f"_l{i} AS {sql_name(f)}" for i, f in enumerate(self.by)), *values])

    def order(self) -> str:
        """By bin, then the largest group first and the remainder last."""
        return ", ".join([*(["_time"] if self.step else []), "_place NULLS LAST"])


def value_sql(name: str, types: Types) -> str:
    """The field's value, NULL where it is missing; NaN counts as missing."""
    column = sql_name(name)
    return f"CASE WHEN NOT isnan({column}) THEN {column} END" if pa.types.is_floating(types[name]) else column


def key_sql(seed: int) -> str:
    """A row's place in the draw: a hash of its id, or of time, seq and service where it has none, and the seed."""
    return f"md5(concat(coalesce(id, concat_ws('|', epoch_us(time), seq, service)), '|{seed:d}'))"


def count_sql(kept: str, grouping: Grouping) -> str:
    """Rows per bin and group."""
    names = ", ".join(grouping.group_names())
    keys = ", ".join([*(["_time"] if grouping.step else []), *(f"_k{i}" for i in range(len(grouping.by)))])
    if not keys:
        return (
            f"SELECT CAST(coalesce({grouping.n}, 0) AS DOUBLE) AS n FROM (SELECT weight AS _w FROM logs WHERE {kept})"
        )
    return (
        f"WITH _kept AS (SELECT {grouping.keys()} FROM logs WHERE {kept}), "
        f"_groups AS (SELECT {keys}, {grouping.n} AS _n FROM _kept GROUP BY ALL), "
        f"{grouping.top_groups('_groups', 'sum(_n)')}, _labelled AS ({grouping.labelled('_groups')}), "
        f"_summed AS (SELECT {names}, CAST(sum(_n) AS DOUBLE) AS n FROM _labelled GROUP BY ALL) "
        f"SELECT {grouping.chosen(['n'])} FROM _summed ORDER BY {grouping.order()}"
    )


def measure_sql(kept: str, field: str, grouping: Grouping, *, stats: Sequence[str]) -> str:
    """Statistics of a number per bin and group. With weights, each value counts as so many equal ones."""
    weighted = grouping.n != ALL_WEIGHTS_ONE
    names = grouping.group_names()
    value = value_sql(field, grouping.types)
    window = f"PARTITION BY {', '.join(names)}"
    ranked = (
        f"SELECT *, sum(_w) OVER ({window} ORDER BY _v ROWS UNBOUNDED PRECEDING) - _w AS _before, "
        f"lead(_v, 1, _v) OVER ({window} ORDER BY _v) AS _next, sum(_w) OVER ({window}) AS _all FROM _labelled"
    )
    columns = [f"CAST({_stat_sql(stat, grouping.n, weighted)} AS DOUBLE) AS {sql_name(stat)}" for stat in stats]
    total = not grouping.step and not grouping.by
    grouped = "" if total else f" GROUP BY {', '.join(names)}"
    return (
        f"WITH _kept AS (SELECT {grouping.keys()}, CAST({value} AS DOUBLE) AS _v FROM logs "
        f"WHERE {kept} AND {value} IS NOT NULL), "
        f"{grouping.top_groups('_kept', grouping.n)}, _labelled AS ({grouping.labelled('_kept')}), "
        f"_ranked AS ({ranked if weighted and set(stats) & set(PERCENTILES) else 'SELECT * FROM _labelled'}), "
        f"_summed AS (SELECT {', '.join([] if total else names) + (', ' if not total else '')}{', '.join(columns)} "
        f"FROM _ranked{grouped}) "
        f"SELECT {grouping.chosen([sql_name(s) for s in stats])}, 0.0::DOUBLE AS error FROM _summed"
        f"{'' if total else f' ORDER BY {grouping.order()}'}"
    )


def compare_sql(name: str, types: Types, n: str, span: str, sides: tuple[str, str], top: int) -> str:
    """One field's values on both sides: the union of both tops, the remainder, the missing, the totals.

    Rows of neither side are grouped too and dropped afterwards: filtering first would unpack dictionary-encoded text,
    which takes twice as long.
    """
    bad, good = sides
    return (
        f"WITH _sides AS (SELECT {value_sql(name, types)} AS _v, weight AS _w, coalesce({bad}, false) AS _bad, "
        f"coalesce({good}, false) AS _good FROM logs WHERE {span}), "
        f"_values AS (SELECT _v, coalesce({n} FILTER (_bad), 0) AS _b, coalesce({n} FILTER (_good), 0) AS _g "
        "FROM _sides GROUP BY _v HAVING _b > 0 OR _g > 0), "
        "_ranked AS (SELECT *, row_number() OVER (PARTITION BY _v IS NULL ORDER BY _b DESC, _v) AS _pb, "
        "row_number() OVER (PARTITION BY _v IS NULL ORDER BY _g DESC, _v) AS _pg FROM _values), "
        "_placed AS (SELECT _b, _g, _v, CASE WHEN _v IS NULL THEN 2 "
        f"WHEN (_b > 0 AND _pb <= {top}) OR (_g > 0 AND _pg <= {top}) THEN 0 ELSE 1 END AS _place FROM _ranked), "
        f"_named AS (SELECT CASE _place WHEN 0 THEN CAST(_v AS VARCHAR) WHEN 1 THEN '{OTHER}' ELSE '{MISSING}' END "
        "AS value, _place, sum(_b) AS _b, sum(_g) AS _g FROM _placed GROUP BY ALL) "
        f"SELECT {_text(name)} AS field, value, CAST(_b AS DOUBLE) AS bad, CAST(_g AS DOUBLE) AS good, "
        "CAST(sum(_b) OVER () AS DOUBLE) AS bad_total, CAST(sum(_g) OVER () AS DOUBLE) AS good_total, "
        "0.0::DOUBLE AS error FROM _named ORDER BY _place, bad DESC, good DESC, value"
    )


def present_sql(names: Sequence[str], types: Types, n: str, kept: str) -> str:
    """In one pass: rows in all, and per field (p0 d0 p1 d1 …) rows with a value and distinct hashes of one share."""
    columns = []
    for at, name in enumerate(names):
        value = value_sql(name, types)
        columns.append(f"CAST(coalesce({n} FILTER ({value} IS NOT NULL), 0) AS DOUBLE) AS p{at}")
        columns.append(f"count(DISTINCT {value}) FILTER (hash({value}) % {HASH_SHARE} = 0) AS d{at}")
    listed = ", ".join([f"CAST(coalesce({n}, 0) AS DOUBLE) AS total", *columns])
    return f"SELECT {listed} FROM (SELECT *, weight AS _w FROM logs WHERE {kept})"


def field_sql(name: str, types: Types, n: str, kept: str, top: int) -> str:
    """One field's commonest values, and how many there are."""
    return (
        f"WITH _values AS (SELECT _v, {n} AS _n FROM (SELECT {value_sql(name, types)} AS _v, weight AS _w FROM logs "
        f"WHERE {kept}) GROUP BY _v HAVING _v IS NOT NULL) "
        "SELECT CAST(_v AS VARCHAR) AS value, CAST(_n AS DOUBLE) AS n, (SELECT count(*) FROM _values) "
        f"AS distinct_values, (SELECT CAST(sum(_n) AS DOUBLE) FROM _values) AS present "
        f"FROM _values ORDER BY _n DESC, _v LIMIT {top}"
    )


def cut_sql(kept: str, n: int, seed: int) -> str:
    """How many rows there are, and the last key of the `n` drawn."""
    return (
        f"WITH _keys AS (SELECT {key_sql(seed)} AS _key FROM logs WHERE {kept}) "
        "SELECT (SELECT count(*) FROM _keys) AS total, "
        f"(SELECT max(_key) FROM (SELECT _key FROM _keys ORDER BY _key LIMIT {n})) AS cut"
    )


def _stat_sql(stat: str, n: str, weighted: bool) -> str:
    if stat in PERCENTILES:
        share = PERCENTILES[stat]
        if not weighted:
            return f"quantile_cont(_v, {share})"
        at = f"greatest((_all - 1) * {share}, 0)"
        between = f"_v + greatest({at} - _before - _w + 1, 0) * (_next - _v)"
        return f"max(CASE WHEN {at} >= _before AND {at} < _before + _w THEN {between} END)"
    return {
        "n": f"coalesce({n}, 0)",
        "count": "count(*)",
        "sum": "sum(_v * _w)" if weighted else "sum(_v)",
        "mean": "sum(_v * _w) / sum(_w)" if weighted else "avg(_v)",
        "min": "min(_v)",
        "max": "max(_v)",
    }[stat]


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
