"""Which kinds of line are new, gone or changed, and what do their variables say? Mining is in `template_mining`."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import BadInput
from connectors.schema import LEVELS
from connectors.window import Window
from kit.mining.mask import VARIABLE, without_echo
from kit.mining.mining import STACK_MARK, Templates, as_text, mine_templates
from kit.numerics.contrast import Z95, benjamini_hochberg, chi2_tail, effective_size, rate_g

if TYPE_CHECKING:
    from connectors.base import LogSource

__all__ = ["Templates", "compare_source_templates", "compare_templates", "extract_variable", "mine_templates"]

NEW_SHARE = 0.01
RATE_RATIO = 2.0
LINES_EACH_SIDE = 5
RULE_OF_THREE = 3.0
FALSE_DISCOVERY = 0.01
DISPERSION_BINS = 20


def compare_templates(logs: Any, *, baseline: Window, incident: Window) -> pd.DataFrame:
    """Which kinds of line are new, gone or changed between two windows?

    `logs`: canonical LOGS as a pandas DataFrame or pyarrow Table (`time` and `message` are a must), or a log source,
    which is then sampled (`compare_source_templates`). Rows outside both windows are left out; the windows must not
    overlap. A row per template, the surest news first:

    `template`, `class` (new gone changed unchanged), `baseline` and `incident` (weighted counts), `baseline_rate`
    and `incident_rate` (lines per second), `ratio` of the rates, `p`, `q`, `first_seen` and `last_seen` (UTC,
    within the two windows), `level` (the most severe seen), `service` (the most frequent), `example` (the `id` of
    the first line in the incident, else in the baseline), `bound`, `baseline_lines` and `incident_lines` (rows that
    were read).

    Method: mined over both windows jointly. *new*: absent before, and at least 1 % of the lines now (with enough of
    them that three were to be expected before), or at ERROR or FATAL. *gone*: the mirror image, always with three
    expected. *changed*: the rate at least doubled or halved, five rows on each side, q ≤ .01. *unchanged* means no
    confident claim. p: G-test of one common rate, counts divided by the dispersion of the template's own counts
    over 20 slices of the baseline (bursts are not independent lines) and by the weights' spread; q:
    Benjamini–Hochberg over all templates.

    In a sample (some `weight` above 1) absence proves little: a template that was not drawn in the baseline may
    have had up to three lines per mean weight there (rule of three, 95 %). `bound` holds that count and the class
    is never *new* or *gone*: it is *changed* if the rates still differ by two at the bound, else *unchanged*.

    False alarms: for Poisson lines at most 1 % of the *changed* rows are false by design; slow swings longer than a
    slice of the baseline add to that. A one-off line at ERROR is always *new*, which is true and may mean nothing.
    With an empty baseline everything looks new: a warning says so, p is NaN. Assumes that the service logged the same
    way in both windows; it misleads across a change of log level or format, which makes every line new or gone.

    >>> import pandas as pd
    >>> times = pd.date_range("2026-03-01T02:00Z", periods=400, freq="3s")
    >>> text = ["served in 5 ms"] * 300 + ["pool timeout after 5000 ms", "served in 9 ms"] * 50
    >>> found = compare_templates(pd.DataFrame({"time": times, "message": text}),
    ...     baseline=Window.of("2026-03-01T02:00Z", "2026-03-01T02:15Z"),
    ...     incident=Window.of("2026-03-01T02:15Z", "2026-03-01T02:20Z"))
    >>> found[["template", "class"]].values.tolist()
    [['pool timeout after <*> ms', 'new'], ['served in <*> ms', 'changed']]
    """
    from connectors.base import Answer, LogSource

    if isinstance(logs, Answer):
        logs = logs.table
    elif not isinstance(logs, pa.Table | pd.DataFrame) and isinstance(logs, LogSource):
        return compare_source_templates(logs, baseline=baseline, incident=incident)
    if baseline.intersect(incident):
        raise BadInput(f"The baseline {baseline} and the incident {incident} overlap: choose windows that do not.")
    rows = _Rows.of(logs, baseline, incident)
    if not rows.in_baseline.any():
        warnings.warn(f"The baseline {baseline} holds no lines: everything looks new.", stacklevel=2)
    mined = mine_templates(rows.message)
    return _classify(mined, rows, baseline, incident)


def compare_coded_templates(
    kinds: pa.Table, *, times: np.ndarray, codes: np.ndarray, baseline: Window, incident: Window
) -> pd.DataFrame:
    """Which kinds of line are new, gone or changed, where each line is known by the row of `kinds` that it is like?

    `times` (microseconds since the epoch, UTC) and `codes` (row numbers of `kinds`, canonical LOGS) have one entry per
    line of the two windows. The answer is that of `compare_templates` over all these lines; `example` is the id of a
    line like it.
    """
    inside = {w: (times >= _us(w.start)) & (times < _us(w.end)) for w in (baseline, incident)}
    picked = np.flatnonzero(inside[baseline] | inside[incident])
    codes = codes[picked]
    names = [name for name in ("level", "service", "id") if name in kinds.column_names]
    columns = kinds.select(names).take(pa.array(codes))
    mined = mine_templates(kinds["message"])
    rows = _Rows(pa.array([], pa.string()), times[picked], np.ones(len(picked)), inside[incident][picked], columns)
    return _classify(replace(mined, ids=mined.ids[codes]), rows, baseline, incident)


def compare_source_templates(
    source: LogSource,
    *,
    baseline: Window,
    incident: Window,
    where: str | None = None,
    n: int = 20_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Which kinds of line are new, gone or changed at a source that is too large to read?

    Asks `sample` for `n` lines of each window (fewer lines there: all of them) that fit `where`, and compares them as
    `compare_templates` does, with its columns and the 95 % intervals `baseline_low`, `baseline_high`, `incident_low`,
    `incident_high` of the weighted counts. Errors of the source pass through.

    Misleads where the source can only draw the first n lines: the answer's `Fetch.sampled` says how it was drawn.
    """
    drawn = [source.sample(window, n, where=where, seed=seed).table for window in (baseline, incident)]
    found = compare_templates(
        pa.concat_tables(drawn, promote_options="permissive"), baseline=baseline, incident=incident
    )
    for side, table in zip(("baseline", "incident"), drawn, strict=True):
        weights = _weights(table)
        size, total = effective_size(weights), float(weights.sum())
        whole = bool((weights <= 1).all())
        low, high = _wilson(found[side].to_numpy() / total if total else found[side].to_numpy(), size)
        found[f"{side}_low"] = found[side] if whole else low * total
        found[f"{side}_high"] = found[side] if whole else high * total
    return found


def extract_variable(messages: Any, template: str, position: int) -> pd.Series:
    """Which values does a template's variable take, line by line?

    `position` counts the template's `<*>` from 0. A Series as long as `messages` (with its index when it has one):
    float where every value is a number, text otherwise; lines of another template are missing.

    A value is the shortest text that lets the rest of the template match, so a variable that holds the words after it
    is cut short. Raises `BadInput` when the template has no such variable.

    >>> extract_variable(["took 12 ms", "cache cold", "took 7.5 ms"], "took <*> ms", 0).tolist()
    [12.0, nan, 7.5]
    """
    variables = template.count(VARIABLE)
    if not 0 <= position < variables:
        raise BadInput(f"The template {template!r} has {variables} variables, numbered from 0: there is no {position}.")
    parts = template.partition(STACK_MARK)[0].split(VARIABLE)
    constants = [r"\s+".join(re.escape(word) for word in re.split(r"\s+", part)) for part in parts]
    pattern = constants[0]
    for number, constant in enumerate(constants[1:]):
        pattern += ("(?P<value>.+?)" if number == position else "(?:.+?)") + constant
    text = without_echo(as_text(messages))
    values = pc.struct_field(pc.extract_regex(text, rf"^\s*{pattern}\s*(?:\n(?s:.*))?$"), [0])
    index = messages.index if isinstance(messages, pd.Series) else None
    text = pd.Series(values.to_pylist(), index=index, dtype=object, name=template)
    numbers = pd.to_numeric(text, errors="coerce")
    return numbers.astype(float) if numbers.notna().sum() == text.notna().sum() else text


@dataclass(frozen=True)
class _Rows:
    """The lines of both windows, as arrays."""

    message: pa.Array
    time: np.ndarray
    weight: np.ndarray
    in_incident: np.ndarray
    columns: pa.Table

    @property
    def in_baseline(self) -> np.ndarray:
        return ~self.in_incident

    @classmethod
    def of(cls, logs: pa.Table | pd.DataFrame, baseline: Window, incident: Window) -> _Rows:
        names = list(logs.column_names if isinstance(logs, pa.Table) else logs.columns)
        missing = [name for name in ("time", "message") if name not in names]
        if missing:
            raise BadInput(f"These logs have no column {' and '.join(missing)}: give canonical LOGS.")
        kept = [name for name in ("time", "message", "weight", "level", "service", "id") if name in names]
        table = (
            logs.select(kept) if isinstance(logs, pa.Table) else pa.Table.from_pandas(logs[kept], preserve_index=False)
        )
        type_ = table.schema.field("time").type
        if not pa.types.is_timestamp(type_) or type_.tz is None:
            raise BadInput(f"The column time is {type_}, not a time with a zone: give canonical LOGS.")
        time = table["time"].cast(pa.timestamp("us", type_.tz), safe=False).cast(pa.int64()).to_numpy()
        inside = {w: (time >= _us(w.start)) & (time < _us(w.end)) for w in (baseline, incident)}
        picked = np.flatnonzero(inside[baseline] | inside[incident])
        table = table.take(pa.array(picked))
        return cls(as_text(table["message"]), time[picked], _weights(table), inside[incident][picked], table)


def _classify(mined: Templates, rows: _Rows, baseline: Window, incident: Window) -> pd.DataFrame:
    known = mined.ids >= 0
    ids, k = mined.ids[known], len(mined.table)
    weight, now = rows.weight[known], rows.in_incident[known]
    time = rows.time[known]
    a, b = (np.bincount(ids[side], weight[side], minlength=k) for side in (now, ~now))
    a_rows, b_rows = (np.bincount(ids[side], minlength=k) for side in (now, ~now))
    rate_a, rate_b = a / incident.seconds, b / baseline.seconds
    spread = np.maximum(_dispersion(ids[~now], time[~now], baseline, k), 1.0)
    size_a, size_b = (effective_size(weight[side]) / max(weight[side].sum(), 1e-300) for side in (now, ~now))
    compared = bool((~now).any())
    scale = min(size_a, size_b) if compared else size_a
    p = chi2_tail(rate_g(a * scale / spread, incident.seconds, b * scale / spread, baseline.seconds))
    p = p if compared else np.full(k, np.nan)
    q = benjamini_hochberg(p)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = rate_a / rate_b
    severity = _severest(rows, known, ids, k)
    sampled = bool((rows.weight > 1).any())
    bound = np.full(k, np.nan)
    if sampled:
        for absent, side in ((b_rows == 0, ~now), (a_rows == 0, now)):
            bound[absent] = RULE_OF_THREE * (weight[side].mean() if side.any() else np.nan)
    classes = _classes(a, b, a_rows, b_rows, q, severity, bound, baseline.seconds, incident.seconds)
    example = _first_rows(ids, now, time, k)
    at = np.flatnonzero(known)[example]
    order = np.argsort(time, kind="stable")
    first, last = np.zeros(k, np.int64), np.zeros(k, np.int64)
    last[ids[order]] = time[order]
    first[ids[order[::-1]]] = time[order[::-1]]
    frame = pd.DataFrame(
        {
            "template": mined.table["template"],
            "class": classes,
            "baseline": b,
            "incident": a,
            "baseline_rate": rate_b,
            "incident_rate": rate_a,
            "ratio": ratio,
            "p": p,
            "q": q,
            "first_seen": pd.to_datetime(first, unit="us", utc=True),
            "last_seen": pd.to_datetime(last, unit="us", utc=True),
            "level": [LEVELS[s] if s >= 0 else None for s in severity],
            "service": _most_frequent(rows, known, ids, k),
            "example": _pick(rows, "id", at),
            "bound": bound,
            "baseline_lines": b_rows,
            "incident_lines": a_rows,
        }
    )
    rank = pd.Series(classes).map({"new": 0, "changed": 1, "gone": 2, "unchanged": 3})
    severe = np.where(rank == 0, -(severity >= LEVELS.index("ERROR")).astype(int), 0)
    news = -np.abs(np.log((rate_a + 1e-9) / (rate_b + 1e-9)))
    order = np.lexsort((first, -a, np.where(rank == 1, news, 0), severe, rank))
    return frame.iloc[order].reset_index(drop=True)


def _classes(
    a: np.ndarray,
    b: np.ndarray,
    a_rows: np.ndarray,
    b_rows: np.ndarray,
    q: np.ndarray,
    severity: np.ndarray,
    bound: np.ndarray,
    seconds_b: float,
    seconds_a: float,
) -> list[str]:
    severe = severity >= LEVELS.index("ERROR")
    share_a, share_b = a / max(a.sum(), 1e-300), b / max(b.sum(), 1e-300)
    due_b, due_a = a * seconds_b / seconds_a, b * seconds_a / seconds_b
    is_sampled = ~np.isnan(bound)
    far = (a * seconds_b >= RATE_RATIO * b * seconds_a) | (b * seconds_a >= RATE_RATIO * a * seconds_b)
    far_at_bound = (due_b >= RATE_RATIO * bound) | (due_a >= RATE_RATIO * bound)
    new = (b_rows == 0) & ~is_sampled & (severe | ((share_a >= NEW_SHARE) & (due_b >= RULE_OF_THREE)))
    gone = (a_rows == 0) & ~is_sampled & (severe | (share_b >= NEW_SHARE)) & (due_a >= RULE_OF_THREE)
    both = (np.minimum(a_rows, b_rows) >= LINES_EACH_SIDE) & far & (q <= FALSE_DISCOVERY)
    changed = both | (
        is_sampled & far_at_bound & (np.maximum(a_rows, b_rows) >= LINES_EACH_SIDE) & (q <= FALSE_DISCOVERY)
    )
    return np.select([new, gone, changed], ["new", "gone", "changed"], "unchanged").tolist()


def _dispersion(ids: np.ndarray, time: np.ndarray, window: Window, k: int) -> np.ndarray:
    """Variance over mean of each template's counts in 20 slices of a window; 1 for independent lines."""
    if not len(ids) or not window.seconds:
        return np.ones(k)
    slices = ((time - _us(window.start)) * DISPERSION_BINS // max(_us(window.end) - _us(window.start), 1)).astype(
        np.int64
    )
    counts = np.bincount(ids * DISPERSION_BINS + slices, minlength=k * DISPERSION_BINS).reshape(k, DISPERSION_BINS)
    mean = counts.mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(mean > 0, counts.var(axis=1, ddof=1) / mean, 1.0)


def _weights(table: pa.Table) -> np.ndarray:
    if "weight" not in table.column_names:
        return np.ones(table.num_rows)
    return table["weight"].cast(pa.float64()).fill_null(1.0).to_numpy()


def _us(time: Any) -> int:
    return round(time.timestamp() * 1e6)


def _severest(rows: _Rows, known: np.ndarray, ids: np.ndarray, k: int) -> np.ndarray:
    severity = np.full(k, -1, np.int64)
    if "level" in rows.columns.column_names:
        level = pc.index_in(rows.columns["level"].cast(pa.string()), pa.array(LEVELS)).fill_null(-1).to_numpy()[known]
        np.maximum.at(severity, ids, level)
    return severity


def _most_frequent(rows: _Rows, known: np.ndarray, ids: np.ndarray, k: int) -> list[str | None]:
    if "service" not in rows.columns.column_names:
        return [None] * k
    encoded = rows.columns["service"].cast(pa.string()).combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    codes = encoded.indices.fill_null(len(names)).to_numpy()[known]
    pairs, counts = np.unique(ids * (len(names) + 1) + codes, return_counts=True)
    found: list[str | None] = [None] * k
    for pair in pairs[np.argsort(counts, kind="stable")].tolist():
        number, code = divmod(pair, len(names) + 1)
        if code < len(names):
            found[number] = names[code]
    return found


def _first_rows(ids: np.ndarray, now: np.ndarray, time: np.ndarray, k: int) -> np.ndarray:
    """Each template's example: its first row in the incident, else its first in the baseline."""
    order = np.lexsort((time, ~now))[::-1]
    example = np.zeros(k, np.int64)
    example[ids[order]] = order
    return example


def _pick(rows: _Rows, column: str, at: np.ndarray) -> list[Any]:
    if column not in rows.columns.column_names:
        return [None] * len(at)
    return rows.columns[column].take(pa.array(at)).to_pylist()


def _wilson(share: np.ndarray, n: float) -> tuple[np.ndarray, np.ndarray]:
    if not n:
        return np.full(share.shape, np.nan), np.full(share.shape, np.nan)
    middle = share + Z95**2 / (2 * n)
    half = Z95 * np.sqrt(share * (1 - share) / n + Z95**2 / (4 * n**2))
    return np.maximum((middle - half) / (1 + Z95**2 / n), 0.0), (middle + half) / (1 + Z95**2 / n)
