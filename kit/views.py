"""What the notebooks draw: results of the steps put into the frames that the charts take. No new facts arise here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from connectors.where import all_of
from connectors.window import Window
from kit import questions

if TYPE_CHECKING:
    from kit.case import Case

EXEMPLARS = 3
LINES_OF_ONE = 40


def who_sentence(case: Case) -> str:
    """Who is hurt, in one sentence."""
    if case.episode is None:
        return "Nobody is hurt in this window"
    if case.difference.empty:
        return "No value sets the hurt requests apart from the others"
    first = case.difference.iloc[0]
    if case.episode.hurts == "lost":
        shares = f"{first['bad_share']:.0%} of the requests before, {first['good_share']:.0%} now"
        return f"{first['predicate']}: {shares}; {first['explains']:.0%} of those that are missing"
    return (
        f"{first['predicate']}: {first['bad_share']:.0%} of the hurt requests, {first['good_share']:.0%} of the others"
    )


def latency_by_hop(case: Case) -> pd.DataFrame:
    """Seconds added per request at each hop: parts of the critical path from spans, else the boundaries' tails.

    `hop`, `before_s`, `after_s`, `state` (good, bad, unknown). Only the parts from spans add up.
    """
    before, during = case.spans
    if len(before) and len(during):
        return _from_spans(case, before, during)
    rows = [
        {"hop": f"{p.boundary} ({p.side}, {r.signal.rsplit('.', 1)[-1]})", "before_s": r.before, "after_s": r.after,
         "state": str(r.health)}
        for p in case.probes.probes
        for r in p.readings
        if r.kind == "latency"
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["hop", "before_s", "after_s", "state"]).drop_duplicates("hop")


def _from_spans(case: Case, before: pd.DataFrame, during: pd.DataFrame) -> pd.DataFrame:
    from kit.traces import critical_path

    then, now = (critical_path(s).parts.groupby("where", sort=False)["seconds"].sum() for s in (before, during))
    table = pd.DataFrame({"before_s": then, "after_s": now}).fillna(0.0).rename_axis("hop").reset_index()
    bad = {part.strip() for part in (case.cut.between or "").split("→")} | set(case.cut.first_bad)
    table["state"] = ["bad" if _names_any(hop, bad) else "good" for hop in table["hop"]]
    table["_added"] = -(table["after_s"] - table["before_s"])
    table.loc[table["_added"] >= -1e-3, "state"] = "good"
    return table.sort_values("_added", kind="stable").drop(columns="_added").reset_index(drop=True).head(10)


def _names_any(hop: str, nodes: set[str]) -> bool:
    return any(part.strip() in nodes for part in hop.split("→"))


def exemplars(case: Case) -> pd.DataFrame:
    """One hurt request followed through all logs: time, service, level, message; empty when none can be followed."""
    from kit.steps.harm import bad_requests

    columns = ["time", "service", "level", "message"]
    requests = case.requests
    if requests is None or case.episode is None or "trace_id" not in requests.names:
        return pd.DataFrame(columns=columns)
    where = all_of(requests.users, bad_requests(case), "trace_id IS NOT NULL")
    hurt = case.ask("requests", lambda: requests.source.rows(case.incident, where=where, limit=EXEMPLARS))
    if hurt is None or not hurt.table.num_rows:
        return pd.DataFrame(columns=columns)
    best = pd.DataFrame(columns=columns)
    for trace in hurt.table.column("trace_id").to_pylist():
        found = _lines_of(case, trace)
        best = found if len(found) > len(best) else best
    return best.reset_index(drop=True)


def _lines_of(case: Case, trace: str) -> pd.DataFrame:
    parts = []
    window = case.incident.widen(before_s=60, after_s=60)
    for source in case.sources("logs"):
        if "trace_id" not in questions.field_names(case, source):
            continue
        where = f"trace_id = '{_quoted(trace)}'"
        found = case.ask("logs", lambda s=source, w=where: s.rows(window, where=w, limit=LINES_OF_ONE))
        if found is not None and found.table.num_rows:
            parts.append(_told(found.to_frame()))
    columns = ["time", "service", "level", "message"]
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True).sort_values("time", kind="stable")[columns]


def _told(rows: pd.DataFrame) -> pd.DataFrame:
    """Lines as they are; a request log's row, which has no message, is told by its status and duration."""
    message = rows["message"].astype("object")
    if "http.response.status_code" in rows.columns:
        path = rows.get("url.path", pd.Series("", index=rows.index)).astype("object")
        told = [
            f"{p} → {s} in {d:.3f} s" if d == d else f"{p} → {s}"
            for p, s, d in zip(path, rows["http.response.status_code"], rows["duration_s"], strict=True)
        ]
        message = message.where(message.notna(), pd.Series(told, index=rows.index, dtype="object"))
    return rows.assign(message=message, service=rows["service"].astype("object"), level=rows["level"].astype("object"))


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def tested(case: Case) -> pd.DataFrame:
    """A row per prediction that was run: hypothesis, state, prediction, result, says (with its numbers)."""
    rows: list[dict[str, Any]] = []
    for verdict in case.verdicts.verdicts:
        tries = [*verdict.tested, *(t for link in verdict.links for t in link.tested)]
        seen: set[str] = set()
        for one in tries:
            if one.prediction.text in seen:
                continue
            seen.add(one.prediction.text)
            counted = one.counts or one.result.state == "no data"
            rows.append(
                {
                    "hypothesis": verdict.hypothesis.statement,
                    "state": verdict.state,
                    "prediction": one.prediction.text,
                    "result": one.result.state if counted else "could not fail",
                    "says": one.result.sentence,
                }
            )
    return pd.DataFrame(rows, columns=["hypothesis", "state", "prediction", "result", "says"])


def tested_evidence(case: Case) -> list[str]:
    """The recorded answers that the verdicts rest on."""
    ids = dict.fromkeys(e for v in case.verdicts.verdicts for e in v.evidence)
    known = {entry.evidence for entry in case.answers}
    return [e for e in ids if e in known]


def mechanism(case: Case) -> pd.DataFrame:
    """The chain of the best hypothesis that tells one: from, to, text, evidence (empty: a gap)."""
    told = next((v for v in case.verdicts.verdicts if v.links and v.state != "refuted"), None)
    links = told.to_mechanism() if told is not None else []
    return pd.DataFrame(links, columns=["from", "to", "text", "evidence"])


def mechanism_told(case: Case) -> str:
    """How far the chain is told, in one sentence."""
    chain = mechanism(case)
    if chain.empty:
        return "No mechanism is told: what moved together is a correlation"
    gaps = sum(not len(e) for e in chain["evidence"])
    start, end = chain["from"].iloc[0], chain["to"].iloc[-1]
    return f"From {start} to {end}: " + (f"{gaps} link(s) lack evidence" if gaps else "every link has evidence")


def evidence_of_line(case: Case, thing: Any, row: int) -> list[str]:
    """The recorded answer that holds this log line, asked for now; empty where it cannot be told whose line it is."""
    frame = thing if isinstance(thing, pd.DataFrame) else thing.to_frame()
    if not 0 <= row < len(frame) or not {"time", "service", "message"} <= set(frame.columns):
        return []
    line = frame.iloc[row]
    found = case.logs_of(str(line["service"]))
    if found is None or pd.isna(line["time"]):
        return []
    source, where = found
    at = pd.Timestamp(line["time"]).to_pydatetime()
    moment = Window(at, at + timedelta(microseconds=1))
    answer = case.ask("logs", lambda: source.rows(moment, where=where, limit=LINES_OF_ONE))
    return [answer.evidence] if answer is not None and answer.table.num_rows else []
