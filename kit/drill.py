"""A drill: the method's questions on a recorded incident, answered by a person before the kit shows its own answers.

Each question comes with what it needs to be looked at and with no verdict. What was injected is compared at the end
only, with both, by the one function that compares findings with a truth.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.window import iso, utc
from kit.case import Case, open_case
from kit.errors import BadCase
from kit.findings import FAILURES, STATES, VERDICTS, compare_with_truth, read_truth
from kit.plain_text import visible
from kit.walk import run_in_process
from kit.working_copy import working_copy

Ask = Callable[[str], str]
Say = Callable[[str], None]
SCORED = ("verdict", "onset", "suspects", "cut.between", "failure", "hypotheses")
AROUND_S = 15


def drill(sample: Path, *, ask: Ask, say: Say) -> list[tuple[str, str, bool, bool]]:
    """Would you have found it? Walks a copy of a recorded sample out of sight, and plays.

    The copy is thrown away. Raises `BadCase` for a folder without a truth.
    """
    truth = read_truth(sample)
    if truth is None:
        raise BadCase(f"{sample} has no truth.toml to compare with: a drill needs a recorded sample.")
    with tempfile.TemporaryDirectory() as scratch:
        folder = working_copy(sample, Path(scratch) / "case")
        say("The walk is run out of sight first.")
        run_in_process(folder)
        return play(open_case(folder, offline=True), truth, ask=ask, say=say)


def play(case: Case, truth: Mapping[str, Any], *, ask: Ask, say: Say) -> list[tuple[str, str, bool, bool]]:
    """Asks one question at a time about a walked case, shows the kit's answer after yours, and compares at the end.

    `ask` gives what was answered to a prompt, `say` shows a line. Returns a row per thing compared: what, injected,
    you were right, the kit was right.
    """
    found = case.findings.merge()
    return compared(_questions(case, found, ask=ask, say=say), found, truth)


def compared(
    given: Mapping[str, Any], found: Mapping[str, Any], truth: Mapping[str, Any]
) -> list[tuple[str, str, bool, bool]]:
    """Who was right about what? A row for each thing that both were asked: what, injected, you, the kit."""
    asked = [key for key in SCORED if key == "verdict" or truth.get("verdict") == "incident"]
    yours = {(r.key, r.expected): r.right for r in compare_with_truth(given, truth)}
    rows = []
    for row in compare_with_truth(found, truth):
        if any(row.key.startswith(key) or row.key.endswith(f".{key}") for key in asked):
            you = yours.get((row.key, row.expected), False)
            rows.append((row.key.replace("episodes[0].", ""), row.expected, you, row.right))
    return rows


def told(rows: Iterable[tuple[str, str, bool, bool]]) -> list[str]:
    """The comparison as lines of text."""
    mark = {True: "right", False: "wrong"}
    lines = [f"{'':<34} {'you':<6} {'kit':<6} injected"]
    lines += [f"{visible(key):<34} {mark[you]:<6} {mark[kit]:<6} {visible(what)}" for key, what, you, kit in rows]
    return lines


def _questions(case: Case, found: Mapping[str, Any], *, ask: Ask, say: Say) -> dict[str, Any]:
    say(f"\n{visible(case.about.title)}\nAll times are UTC. An empty answer means that you cannot tell.\n")
    for line in _users(case):
        say(line)
    verdict = _one_of(ask, "1. Is anybody hurt?", VERDICTS, otherwise="cannot_tell")
    say(f"   the kit: {found['verdict']}")
    given: dict[str, Any] = {"verdict": verdict, "episodes": [], "hypotheses": []}
    if verdict != "incident" or not found["episodes"]:
        return given
    theirs, mine = found["episodes"][0], {}
    mine["onset"] = _interval(ask, "2. When did it begin? (HH:MM:SS)", case.look.start)
    say(f"   the kit: {_between(theirs.get('onset'))}")
    changes = [(str(r["ref"]), f"{r['time']:%H:%M:%S} {r['summary']}") for _, r in case.changes_in_look.iterrows()]
    ref = _numbered(ask, say, "3. Which change would you look at first? 0 for none of them", changes)
    mine["suspects"] = [{"ref": ref, "rank": 1}] if ref else []
    first = next(iter(theirs.get("suspects") or []), {"ref": "none"})
    say(f"   the kit: {visible(first['ref'])}")
    edges = (
        list(dict.fromkeys(f"{e.caller} → {e.callee}" for e in case.path.itertuples())) if case.path is not None else []
    )
    cut = _numbered(ask, say, "4. Between which two does it break?", [(e, e) for e in edges])
    mine["cut"] = {"between": [cut] if cut else []}
    say(f"   the kit: {visible(', '.join((theirs.get('cut') or {}).get('between') or []) or 'not found')}")
    name = _one_of(ask, "5. What kind of failure is it?", FAILURES, otherwise="unclassified")
    mine["failure"] = {"name": name}
    say(f"   the kit: {(theirs.get('failure') or {}).get('name', 'unclassified')}")
    ask("6. What would you do first, and what must then be seen? (for yourself)")
    say(f"   the kit: {visible((theirs.get('failure') or {}).get('action') or 'nothing')}")
    if ref:
        state = _one_of(ask, f"7. How sure is it that {visible(ref)} did it?", STATES, otherwise="open")
        given["hypotheses"] = [{"ref": ref, "statement": ref, "state": state, "refuted_by": ["your own reading"]}]
        say(f"   the kit: {next((h['state'] for h in found['hypotheses'] if h.get('ref') == ref), 'not put up')}")
    given["episodes"] = [mine]
    return given


def _users(case: Case, *, rows: int = 40) -> list[str]:
    """What users saw, in up to so many rows."""
    from kit.entry import entry_series

    series = entry_series(case)
    step = max(1, -(-len(series) // rows))
    lines = ["time (UTC)  requests/s  failed  p99 (s)"]
    for place in range(0, len(series), step):
        part = series.iloc[place : place + step]
        count, failed, p99 = part["requests/s"].mean(), part["failed share"].mean(), part["p99 (s)"].max()
        lines.append(f"{part.index[0]:%H:%M:%S}    {count:>9.1f}  {failed:>6.1%}  {p99:>7.2f}")
    return lines


def _one_of(ask: Ask, question: str, names: Iterable[str], *, otherwise: str) -> str:
    known = list(names)
    while True:
        answer = ask(f"{question} {' · '.join(known)}").strip().casefold().replace(" ", "_")
        if not answer:
            return otherwise
        near = [n for n in known if n.startswith(answer)]
        if answer in known or len(near) == 1:
            return answer if answer in known else near[0]


def _numbered(ask: Ask, say: Say, question: str, options: list[tuple[str, str]]) -> str | None:
    for number, (_, text) in enumerate(options, 1):
        say(f"   {number:>2}  {visible(text)}")
    while True:
        answer = ask(f"{question} (0–{len(options)})").strip() or "0"
        if answer.isdigit() and int(answer) <= len(options):
            return options[int(answer) - 1][0] if int(answer) else None


def _interval(ask: Ask, question: str, day: datetime) -> dict[str, str] | None:
    """The quarter of a minute around the time that was answered; a time before the look's start is of the next day."""
    while True:
        answer = ask(question).strip()
        if not answer:
            return None
        if match := re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", answer):
            hour, minute, second = (int(x or 0) for x in match.groups())
            at = day.replace(hour=hour, minute=minute, second=second, microsecond=0)
            at += timedelta(days=1) if at < day - timedelta(minutes=1) else timedelta()
            return {"earliest": iso(at - timedelta(seconds=AROUND_S)), "latest": iso(at + timedelta(seconds=AROUND_S))}


def _between(interval: Mapping[str, Any] | None) -> str:
    if not interval or not interval.get("earliest"):
        return "not dated"
    return f"{utc(interval['earliest']):%H:%M:%S}–{utc(interval['latest']):%H:%M:%S}"
