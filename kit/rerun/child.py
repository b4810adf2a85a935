"""The process that walks again: fenced in first, then the evidence is read, the walk is run, and both are compared.

Started by `kit.rerun.clean` alone. What it finds is written to `report.json` in its own folder.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def main(work: Path) -> None:
    """Look at `work/exported`, walk in `work/case`, and write `work/report.json`."""
    from kit.rerun.guard import fence

    fences = fence(work)
    from connectors.durable import write_whole

    write_whole(work / "report.json", _json({**_report(work / "exported", work / "case"), "fences": fences}))


def _report(exported: Path, case: Path) -> dict[str, Any]:
    from connectors.answers import Answers
    from kit.findings import Findings
    from kit.plots.chart import PLOTLY_MIME

    answers = Answers(exported)
    faults = answers.check()
    known = {entry.evidence for entry in answers}
    for key, ids in Findings(exported).rests_on().items():
        faults += [f"The finding {key} rests on {i}, which is not recorded." for i in ids if i not in known]
    differences: list[Any] = []
    notes: list[str] = []
    outputs: dict[tuple[str, int], Mapping[str, Any]] = {}
    if not faults:
        differences, notes = _compared(exported, case, outputs)
    return {
        "answers": len(answers),
        "faults": faults,
        "differences": [d.to_dict() for d in differences],
        "notes": notes,
        "numbers": _numbers(exported),
        "charts": sum(PLOTLY_MIME in shown for shown in outputs.values()),
        "outputs": len(outputs),
    }


def _compared(
    exported: Path, case: Path, outputs: dict[tuple[str, int], Mapping[str, Any]]
) -> tuple[list[Any], list[str]]:
    from kit.rerun.cells import compare_notebooks
    from kit.rerun.differences import Difference
    from kit.rerun.page import compare_page
    from kit.walk import run_in_process, shipped_notebooks

    try:
        run_in_process(case, show=lambda notebook, cell, shown: outputs.__setitem__((notebook, cell), _plain(shown)))
    except Exception as error:
        where = "; ".join(getattr(error, "__notes__", [])) or "the walk"
        stopped = Difference(where, "was walked to its end", f"stops: {type(error).__name__}: {str(error)[:300]}")
        return [stopped], []
    differences = _findings(exported, case)
    cells, notes = compare_notebooks(exported / "notebooks", shipped_notebooks(), outputs)
    differences += cells
    differences += compare_page(exported)
    differences += _register(exported)
    notes += _postmortem(exported, case)
    return differences, notes


def _findings(exported: Path, case: Path) -> list[Any]:
    """The findings of each notebook with what they rest on, and their sum."""
    import orjson

    from kit.findings import Findings
    from kit.rerun.differences import differing

    there, again = Findings(exported), Findings(case)
    differences: list[Any] = []
    for part in sorted({*there.parts(), *again.parts()}):
        left, right = ((f.part(part) or {"results": {}})["results"] for f in (there, again))
        differences += differing(_stated(left), _stated(right), where=f"findings/{part}.json")
    path = exported / "findings.json"
    whole = orjson.loads(path.read_bytes()) if path.is_file() else {}
    differences += differing(whole, again.merge(), where="findings.json")
    return differences


def _stated(results: Mapping[str, Any]) -> dict[str, Any]:
    return {noun: {"values": r.get("values"), "rests_on": r.get("rests_on")} for noun, r in results.items()}


def _register(exported: Path) -> list[Any]:
    from kit.provenance import register
    from kit.rerun.differences import Difference

    path = exported / "provenance.jsonl"
    if not path.is_file():
        return [Difference("provenance.jsonl", "not there", "the register of the bundle")]
    there, own = path.read_bytes().splitlines(), register(exported).to_lines().splitlines()
    wrong = [n for n, (a, b) in enumerate(zip(there, own, strict=False), start=1) if a != b]
    if len(there) != len(own) or wrong:
        line = wrong[0] if wrong else min(len(there), len(own)) + 1
        return [Difference(f"provenance.jsonl line {line}", "not what the findings rest on", "made from them again")]
    return []


def _postmortem(exported: Path, case: Path) -> list[str]:
    there, again = exported / "postmortem.md", case / "postmortem.md"
    if there.is_file() and again.is_file() and there.read_text(errors="replace") != again.read_text():
        return ["postmortem.md was written on by people: what it says was not compared."]
    return []


def _numbers(exported: Path) -> int:
    from kit.findings import Findings
    from kit.provenance import leaves

    merged = Findings(exported).merge()
    return sum(isinstance(v, int | float) and not isinstance(v, bool) for _, v in leaves(merged))


def _plain(shown: Mapping[str, Any]) -> Mapping[str, Any]:
    """The mime bundle as it would stand in a notebook file."""
    import orjson

    return orjson.loads(_json(dict(shown)))


def _json(value: Any) -> bytes:
    import orjson

    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY, default=str)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
