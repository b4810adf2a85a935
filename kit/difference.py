"""Which values, and which combinations of them, set the bad rows apart from the good ones?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from connectors.errors import BadInput
from kit.numerics.beam import Finding, conjunction, search, stands_for
from kit.numerics.value_codes import NOT_DIMENSIONS, as_table
from kit.numerics.value_counts import Counter, GroupCounter, RowCounter, SourceCounter, source_fields

if TYPE_CHECKING:
    from connectors.base import LogSource, Selection

QUESTIONS = 30

COLUMNS = (
    "predicate", "depth", "sign", "fields", "values", "bad", "good", "bad_share", "good_share", "lift", "risk_ratio",
    "rr_low", "rr_high", "p", "q", "explains", "aliases", "because",
)  # fmt: skip


def explain_difference(
    rows: Any,
    *,
    bad: Any,
    good: Any = None,
    fields: Sequence[str] | None = None,
    weight: str = "weight",
) -> pd.DataFrame:
    """Which values, and which combinations of up to three, set the bad rows apart?

    `rows`: a pandas DataFrame or pyarrow Table. `bad`, `good`: true/false per row, or a portable `where`;
    `good=None` means all other rows. Rows in neither set are left out, rows in both are refused. `fields=None`:
    every column except times, ids, messages, and those that the two filters name themselves (they would explain
    it by definition). `compared_fields` says what was left out and why. `weight` names the column that says how
    many rows one stands for; it may be absent.

    A row per finding, the one that explains most first: `predicate` (a portable `where`, to push down as a
    slice), `depth`, `sign` (more: bad rows have it more often; less: they are spared), `fields`, `values`, `bad`
    and `good` (weighted rows that have it), `bad_share`, `good_share` (0–1), `lift` (ratio of these),
    `risk_ratio` with its 95 % interval `rr_low`, `rr_high`, `p`, `q`, `explains` (attributable fraction: the
    share of the bad rows that would vanish if these rows behaved like the rest), `aliases` (predicates with the
    same bad rows), `because`. No rows: nothing sets them apart beyond the floors.

    Method: the 50 most frequent values of a field, a missing one included; numbers with more than 20 values in
    ranges at quantiles of the good rows. G-test per value, Benjamini–Hochberg over all values of all fields. Kept
    are q ≤ .01, a gap of five points between the shares, a risk ratio whose 95 % interval lies above 1.5 (below
    1/1.5), and five bad rows. Values whose bad rows are the same (Jaccard ≥ .95) are one finding. Combinations
    grow from what passed: one more value that passes the same tests inside its parent and raises the lower bound
    of the ratio; a combination stands before those of its parts whose other rows no longer pass without it. A
    weighted sample is tested at its effective size (Σw)²/Σw². If the mean weights of bad and good rows differ by
    half, sampling depended on the outcome: the ratio then is that of the shares, and `risk_ratio` is NaN. Of
    more than 400,000 bad or good rows the search looks at a random sample with a fixed seed; `p` and `q` are that
    sample's, everything else is counted on all rows.

    Assumes that rows are independent; retries of one request are not, and make p too small. False alarms: on
    tables without any difference fewer than 1 in 100 give a finding (tests/benchmarks/README.md). It misleads
    when the bad rows are the consequence of something that is no column here (it then names what goes along with
    it), when values of two fields go together but less than 95 % of the time (both are told), and when two fields
    matter only together (neither alone then passes, and the combination is not found).

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"version": ["4.6"] * 80 + ["4.7"] * 20, "zone": ["a", "b"] * 50,
    ...     "status": [200] * 78 + [500] * 2 + [500] * 15 + [200] * 5})
    >>> explain_difference(rows, bad="status >= 500")[["predicate", "bad", "good"]].values.tolist()
    [["version = '4.7'", 15.0, 5.0]]
    """
    table, is_bad, is_good, names, weights = _prepare(rows, bad, good, fields, weight)
    counter = RowCounter(table, is_bad, is_good, names, weights)
    return _frame(search(counter), counter)


def explain_grouped_difference(rows: Any, *, bad: Any, count: str, fields: Sequence[str]) -> pd.DataFrame:
    """Which values and combinations set the bad rows apart, where one row stands for `count` equal ones?

    `rows`: as for `explain_difference`; `count` names the column that says how many rows there were like this one, all
    of which were seen: nothing is estimated, unlike with a weight. `bad` is true/false per row or a `where`; all
    others are good. `fields` are compared. The answer is that of `explain_difference` over all rows, except that
    numbers with more than 20 values fall into ranges at quantiles of the distinct rows.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"version": ["4.6", "4.7"] * 2, "status": [200, 200, 500, 500], "n": [78, 5, 2, 15]})
    >>> explain_grouped_difference(rows, bad="status >= 500", count="n", fields=["version"])[
    ...     ["predicate", "bad", "good"]].values.tolist()
    [["version = '4.7'", 15.0, 5.0]]
    """
    table, is_bad, is_good, names, counts = _prepare(rows, bad, None, fields, count)
    counter = GroupCounter(table, is_bad, is_good, names, counts)
    return _frame(search(counter), counter)


def explain_source_difference(
    source: LogSource,
    *,
    bad: Selection,
    good: Selection,
    fields: Sequence[str] | None = None,
    questions: int = QUESTIONS,
) -> pd.DataFrame:
    """Which values and combinations set the bad lines apart, asked of a source that is too large to read?

    `bad` and `good`: a window and a filter each; they must not overlap. Asks `fields` once and `compare` once for
    the single values, then `compare` again with a finding's predicate added to both selections, at most
    `questions` times in all. The answer has the columns of `explain_difference`, from the same scorer.

    Method, what it assumes and false alarms: as for `explain_difference`. It misleads where the source counts a value's
    rows only approximately, and where what sets the bad apart is among the values it left out.

    Beyond what is said there: numbers are compared by value, not in ranges, and left out when they have more than
    20; where the source's counts are approximate (`error`), `because` says so; when the budget is spent,
    combinations that were not asked for are missing, not refuted. Errors of the source pass through.
    """
    counter = SourceCounter(source, bad, good, source_fields(source, bad, fields), questions=questions)
    return _frame(search(counter), counter)


def compared_fields(
    rows: Any, *, bad: Any, good: Any = None, fields: Sequence[str] | None = None, weight: str = "weight"
) -> pd.DataFrame:
    """Which fields does `explain_difference` compare with these arguments, and why are the others left out?

    A row per column: `field`, `compared`, `distinct` (None: not counted), `missing_share` (0–1), `why`.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"zone": ["a", "b"] * 2, "status": [200, 500] * 2, "id": list("wxyz"), "app": ["web"] * 4})
    >>> compared_fields(rows, bad="status = 500").set_index("field")["compared"].to_dict()
    {'zone': True, 'app': False, 'status': False, 'id': False}
    """
    table, is_bad, is_good, names, weights = _prepare(rows, bad, good, fields, weight)
    counter = RowCounter(table, is_bad, is_good, names, weights)
    records = [vars(record) for record in counter.considered]
    left = [n for n in table.column_names if n not in names and n != weight]
    records += [
        {"field": n, "compared": False, "distinct": None, "missing_share": table[n].null_count / max(table.num_rows, 1),
         "why": "tells rows apart, or defines the bad ones: name it in fields= to compare it"}
        for n in left
    ]  # fmt: skip
    return pd.DataFrame(records, columns=["field", "compared", "distinct", "missing_share", "why"])


def _prepare(
    rows: Any, bad: Any, good: Any, fields: Sequence[str] | None, weight: str
) -> tuple[pa.Table, np.ndarray, np.ndarray, list[str], np.ndarray | None]:
    from connectors import where as filters

    table = as_table(rows)
    is_bad = choose_rows(bad, table, "bad")
    is_good = ~is_bad if good is None else choose_rows(good, table, "good")
    if (is_bad & is_good).any():
        raise BadInput(
            f"{int((is_bad & is_good).sum()):,} rows are both bad and good: choose sets that do not overlap."
        )
    if fields is not None:
        filters.need_fields(fields, table.column_names, where="these rows")
        names = list(fields)
    else:
        own = {n for text in (bad, good) if isinstance(text, str) for n in filters.fields(filters.parse(text))}
        names = [n for n in table.column_names if n not in NOT_DIMENSIONS | own | {weight}]
    weights = None
    if weight in table.column_names:
        weights = table[weight].cast(pa.float64()).fill_null(1.0).to_numpy()
        if (weights < 0).any():
            raise BadInput(f"The column {weight} holds negative weights.")
        weights = None if (weights == 1).all() else weights
    return table, is_bad, is_good, names, weights


def choose_rows(choice: Any, table: pa.Table, name: str) -> np.ndarray:
    """Which rows does a `where` text, a boolean Series or array choose? `name` is the argument, for the message."""
    if isinstance(choice, str):
        from connectors.where import evaluate

        mask = np.asarray(evaluate(choice, table).to_numpy(zero_copy_only=False))
    elif isinstance(choice, pa.Array | pa.ChunkedArray):
        mask = np.asarray(choice.fill_null(False), bool)
    else:
        series = pd.Series(choice)
        mask = series.astype("boolean").fillna(False).to_numpy(bool)
    if mask.dtype != bool or len(mask) != table.num_rows:
        raise BadInput(f"{name}= must be a filter text or {table.num_rows:,} true/false values, one per row.")
    return mask


def _frame(findings: list[Finding], counter: Counter) -> pd.DataFrame:
    records = []
    for f in findings:
        more = f.bad_share > f.good_share
        records.append(
            {
                "predicate": f.where,
                "depth": len(f.values),
                "sign": "more" if more else "less",
                "fields": tuple(v.field for v in f.values),
                "values": tuple(v.text for v in f.values),
                "bad": f.bad,
                "good": f.good,
                "bad_share": f.bad_share,
                "good_share": f.good_share,
                "lift": f.lift,
                "risk_ratio": np.nan if counter.biased else f.ratio,
                "rr_low": np.nan if counter.biased else f.low,
                "rr_high": np.nan if counter.biased else f.high,
                "p": f.p,
                "q": f.q,
                "explains": f.explains if more else 0.0,
                "aliases": tuple(conjunction(values) for values in f.aliases),
                "because": _because(f, findings, counter),
            }
        )
    return pd.DataFrame(records, columns=list(COLUMNS))


def _because(f: Finding, findings: list[Finding], counter: Counter) -> str:
    told = [f"{f.bad_share:.1%} of the bad rows have it and {f.good_share:.2%} of the good ones"]
    if f.bad_share < f.good_share:
        told.append("the bad rows are spared there")
    elif counter.biased:
        told.append("sampling depended on the outcome, so no risk is told")
    else:
        told.append(f"with it rows are {f.ratio:.3g} times likelier to be bad")
    if f.bad_share > f.good_share:
        told.append(f"residual {1 - f.bad_share:.1%}")
    if wholes := [g.where for g in findings if stands_for(g, f, counter)]:
        told.append(f"explained better by {wholes[0]}")
    if counter.inexact:
        told.append("the source's counts are approximate")
    return "; ".join(told)
