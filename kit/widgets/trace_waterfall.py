"""Traces of the harm against usual ones: cohort against cohort, then one against one with the critical path marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from kit.cohorts import TraceDifference
from kit.focus import Focus
from kit.pins import Pins
from kit.plain_text import escaped, visible
from kit.result import table_html
from kit.spantree import span_tree
from kit.traces import critical_path, path_seconds
from kit.widgets.alive import Alive, pick
from kit.widgets.trace_cohorts import TraceCohorts, cohorts_markup

MOST = 40
"""Spans of one trace that are drawn: the longest ones."""
CHOICES = ("typical", "slowest", "failing")
COHORTS = ("during", "before")


class TraceWaterfall(Alive):
    """SPANS of the harm against those before it. `.value` is the id of the trace shown of the harm, None: no trace.

    Above, two cohorts are compared path by path: all, the slow or the failing traces of the harm against those before
    it or the rest. Below, one trace against one: *typical* is the trace of median length, *slowest* the longest,
    *failing* the longest with an error. A picked path or span moves the focus to its service. Static twin: the
    comparison, and where the time went in both cohorts, as tables. It misleads where sampling kept ill traces by
    another rule than healthy ones.
    """

    def __init__(
        self,
        during: pd.DataFrame,
        before: pd.DataFrame,
        *,
        focus: Focus | None = None,
        pins: Pins | None = None,
        evidence: Sequence[str] = (),
    ) -> None:
        self.cohorts = {"during": during, "before": before}
        self.compared = TraceCohorts(during, before)
        self._choices = self.compared.choices()
        self._traces = {name: _per_trace(spans) for name, spans in self.cohorts.items()}
        self._shows, self._span = "slowest", ""
        self._shape: tuple[Any, ...] = ()
        super().__init__(kind="traces", title=self._title(), focus=focus, pins=pins, evidence=evidence)
        kept = self.focus.chosen.trace
        if kept in set(self._traces["during"]["trace_id"]):
            self._shows = ""
        self.draw()

    @property
    def value(self) -> str | None:  # type: ignore[override]
        """The trace of the harm that is shown."""
        return self._trace("during")

    @property
    def cohorts_shown(self) -> str | None:
        """Which cohorts are compared, like `slow against before`; None: there are no two."""
        chosen = self.focus.chosen.cohorts
        return chosen if chosen in self._choices else next(iter(self._choices), None)

    @property
    def difference(self) -> TraceDifference | None:
        """What sets the one cohort apart from the other; None: there are no two."""
        chosen = self.cohorts_shown
        return None if chosen is None else self.compared.difference(chosen)

    @property
    def code(self) -> str:
        """The lines that give the same comparison and the same spans."""
        if self.value is None:
            return "case.spans"
        compared = f"{self.compared.code(self.cohorts_shown)}\n" if self.cohorts_shown else ""
        return f"{compared}case.spans[1].loc[lambda t: t['trace_id'] == {self.value!r}]"

    @property
    def twin(self) -> str:
        """What differs between the cohorts, and the seconds per part of the critical path in both."""
        table = self._parts_of_both()
        if not len(table):
            return f"<p><strong>{escaped(self.title)}</strong></p><p>No trace of the harm was kept.</p>"
        said = ""
        if self.cohorts_shown is not None and self.difference is not None:
            claims = self.compared.claims(self.cohorts_shown)
            said = f"<p><strong>{escaped(self.difference.headline)}</strong><br>"
            said += f"{escaped(self.compared.told(self.cohorts_shown))}</p>"
            said += table_html(claims[["path", "what"]], limit=12) if len(claims) else ""
        return f"{said}<p><strong>{escaped(self.title)}</strong></p>{table_html(table, limit=12)}"

    def _title(self) -> str:
        counts = {name: len(t) for name, t in self._traces.items()}
        if not counts["during"]:
            return "There is no trace of the harm."
        path = critical_path(self.cohorts["during"])
        return f"{path.headline} ({counts['during']:,} traces during the harm, {counts['before']:,} before)"

    def _parts(self) -> frozenset[str]:
        return frozenset({"trace", "service", "cohorts"})

    def _status(self) -> str:
        if self.value is None:
            return "No source gives spans of the harm, or none was sampled."
        seconds = self._traces["during"].set_index("trace_id")["seconds"][self.value]
        other = self._trace("before")
        beside = ""
        if other is not None:
            beside = f", beside {self._traces['before'].set_index('trace_id')['seconds'][other]:.3g} s before it"
        shown = f"The {self._shows or 'chosen'} trace of the harm took {seconds:.3g} s{beside}."
        return f"{shown} The strong bars are the critical path."

    def _picked(self, name: str) -> None:
        if name in CHOICES:
            self._shows, self._span = name, ""
            self.focus.choose("trace", self._trace("during"))
        elif name.startswith("cohorts:"):
            if name.removeprefix("cohorts:") in self._choices:
                self.focus.choose("cohorts", name.removeprefix("cohorts:"))
        elif name.startswith("differs:"):
            claims = self.compared.claims(self.cohorts_shown) if self.cohorts_shown else pd.DataFrame()
            number = name.removeprefix("differs:")
            if number.isdigit() and int(number) < len(claims):
                self.focus.choose("service", str(claims["service"].iloc[int(number)]))
        else:
            cohort, _, number = name.partition(":")
            rows = self._rows(cohort) if cohort in COHORTS else []
            if not (number.isdigit() and int(number) < len(rows)):
                return
            self._span = name
            self.focus.choose("service", str(rows[int(number)]["service"]))
        self.draw()

    def _cleared(self) -> None:
        self._span = ""
        self.focus.choose("cohorts", None)
        self.draw()

    def _shown(self) -> list[str]:
        compared = [self.difference.headline] if self.difference is not None else []
        rows = [r for r in self._rows("during") if r["path_s"] == r["path_s"]]
        rows.sort(key=lambda r: -r["path_s"])
        own = [f"{r['service']} {r['name']}: {r['path_s']:.4g} s of its own on the path" for r in rows]
        return [*compared, *own][:8]

    def _trace(self, cohort: str) -> str | None:
        """The trace of this cohort that is shown; of the healthy one always the typical."""
        table = self._traces[cohort]
        if table.empty:
            return None
        kept = self.focus.chosen.trace
        if cohort == "during" and not self._shows and kept in set(table["trace_id"]):
            return kept
        return _exemplar(table, self._shows or "slowest" if cohort == "during" else "typical")

    def _rows(self, cohort: str) -> list[dict[str, Any]]:
        """The spans of the trace shown, in order of the tree, the longest ones where there are many."""
        trace = self._trace(cohort)
        if trace is None:
            return []
        spans = self.cohorts[cohort]
        return _tree_rows(spans[spans["trace_id"] == trace].reset_index(drop=True))

    def _markup(self) -> str:
        if self.value is None:
            return '<p class="ik-soft">Nothing to draw. Traces are read from sources of kind spans: Jaeger, OTLP.</p>'
        failing = bool(self._traces["during"]["errors"].any())
        buttons = "".join(
            f'<button class="ik-button" {pick(name, pressed=self._shows == name)}>{name}</button>'
            for name in CHOICES
            if name != "failing" or failing
        )
        shown = {name: self._rows(name) for name in COHORTS}
        scale = max((r["offset_s"] + r["duration_s"] for rows in shown.values() for r in rows), default=1.0) or 1.0
        compared = cohorts_markup(self.compared, self.cohorts_shown or "", service=self.focus.chosen.service)
        parts = [compared, f'<div class="ik-row"><span class="ik-soft">of the harm show the</span>{buttons}</div>']
        for name in COHORTS:
            told = "During the harm" if name == "during" else "Before it, the typical one"
            parts.append(self._waterfall(name, told, shown[name], scale))
        return "".join(parts) + self._detail(shown)

    def _waterfall(self, cohort: str, told: str, rows: list[dict[str, Any]], scale: float) -> str:
        if not rows:
            return f'<p class="ik-soft">{told}: no trace.</p>'
        lines = []
        for n, r in enumerate(rows):
            place = f"{cohort}:{n}"
            left, width = 100 * r["offset_s"] / scale, 100 * r["duration_s"] / scale
            kind = ("path" if r["path_s"] == r["path_s"] else "") + (" err" if r["error"] else "")
            own = f"{r['path_s']:.3g} s own" if r["path_s"] == r["path_s"] and r["path_s"] >= 0.0005 else ""
            name = visible(f"{r['service']}  {r['name']}")[:70]
            told_row = f"{name}, {r['duration_s']:.3g} s{', error' if r['error'] else ''}"
            chosen = pick(place, pressed=place == self._span, label=told_row)
            indent = min(r["depth"], 10) * 12
            lines.append(
                f'<tr><td><div class="ik-cell" {chosen} style="margin-left:{indent}px">{escaped(name)}</div></td>'
                f'<td><div class="ik-bar"><i class="{kind}" style="left:{left:.2f}%;width:{width:.2f}%"></i></div></td>'
                f'<td>{r["duration_s"]:.3g} s{" ▲ error" if r["error"] else ""}</td><td class="ik-soft">{own}</td></tr>'
            )
        head = "".join(f"<th scope=col>{t}</th>" for t in (told, f"0 to {scale:.3g} s", "took", "on the path"))
        opened = f'<table class="ik-grid ik-waterfall" aria-label="{told}">'
        return f"{opened}<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"

    def _detail(self, shown: dict[str, list[dict[str, Any]]]) -> str:
        cohort, _, number = self._span.partition(":")
        if cohort not in shown or not number.isdigit() or int(number) >= len(shown[cohort]):
            return ""
        r = shown[cohort][int(number)]
        own = (
            "not on the critical path" if r["path_s"] != r["path_s"] else f"{r['path_s']:.4g} s of its own on the path"
        )
        facts = [f"began {r['offset_s']:.4g} s in, took {r['duration_s']:.4g} s", own]
        facts += [f"{k}: {r[k]}" for k in ("kind", "host", "peer", "error_type") if isinstance(r.get(k), str)]
        listed = "".join(f"<li>{escaped(f)}</li>" for f in facts)
        name = escaped(f"{r['service']} {r['name']}")
        return f'<div class="ik-detail"><strong>{name}</strong><ul>{listed}</ul></div>'

    def _parts_of_both(self) -> pd.DataFrame:
        sides = {n: critical_path(s).parts for n, s in self.cohorts.items() if len(s)}
        if "during" not in sides:
            return pd.DataFrame()
        sums = {n: p.groupby(["where", "part"], sort=False)["seconds"].sum() for n, p in sides.items()}
        table = pd.DataFrame({f"{n}_s": sums[n] for n in COHORTS if n in sums}).fillna(0.0)
        return table.sort_values("during_s", ascending=False, kind="stable").reset_index()


def _per_trace(spans: pd.DataFrame) -> pd.DataFrame:
    """A row per trace: its id, the longest span's seconds, whether any span failed."""
    if spans.empty:
        return pd.DataFrame({"trace_id": [], "seconds": [], "errors": []})
    failed = spans["status"].eq("error") if "status" in spans else pd.Series(False, index=spans.index)
    grouped = spans.assign(_failed=failed).groupby("trace_id", sort=True, observed=True)
    return grouped.agg(seconds=("duration_s", "max"), errors=("_failed", "any")).reset_index()


def _exemplar(table: pd.DataFrame, which: str) -> str:
    order = table.sort_values(["seconds", "trace_id"], kind="stable").reset_index(drop=True)
    if which == "failing" and order["errors"].any():
        return str(order[order["errors"].astype(bool)]["trace_id"].iloc[-1])
    return str(order["trace_id"].iloc[-1 if which == "slowest" else len(order) // 2])


def _tree_rows(spans: pd.DataFrame) -> list[dict[str, Any]]:
    """The spans of one trace, parents before their children in order of start, with depth and seconds on the path."""
    tree, path = span_tree(spans), path_seconds(spans)
    kept = set(np.argsort(-tree.duration_s, kind="stable")[:MOST].tolist())
    first = int(tree.start.min())
    children: dict[int, list[int]] = {}
    for row in np.argsort(tree.start, kind="stable").tolist():
        children.setdefault(int(tree.parent[row]), []).append(row)
    rows, stack = [], list(reversed(children.get(-1, [])))
    while stack:
        row = stack.pop()
        stack += reversed(children.get(row, []))
        if row not in kept:
            continue
        record = spans.iloc[row]
        rows.append(
            {
                "service": str(record["service"]), "name": str(record["name"]), "depth": int(tree.depth[row]),
                "offset_s": (int(tree.start[row]) - first) / 1e6, "duration_s": float(tree.duration_s[row]),
                "path_s": float(path[row]), "error": bool(tree.error[row]),
                **{k: record[k] for k in ("kind", "host", "peer", "error_type") if k in spans},
            }
        )  # fmt: skip
    return rows
