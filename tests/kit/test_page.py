"""The exported page: self-contained, hostile text shown as text, every evidence id resolves."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import nbformat
import pandas as pd
import pyarrow as pa
import pytest

from connectors.answers import Answers
from connectors.load import Recorded
from connectors.schema import conform
from connectors.tables import Tables
from connectors.window import Window
from kit.errors import BadCase, StaleFindings
from kit.export.export import export_unredacted
from kit.findings import Findings
from kit.plots import incident_strip

START = datetime(2026, 3, 1, 2, tzinfo=UTC)
HOUR = Window.of("2026-03-01T02:00Z", "2026-03-01T03:00Z")
HOSTILE = "<script>window.canary=1</script><img src=x onerror='window.canary=1'>\x1b[31m\u202eevil"

INCIDENT = """
id = "demo"
title = "Checkout answers 503 & is <slow>"
tz = "Europe/Berlin"
[look]
start = 2026-03-01T02:00:00Z
end = 2026-03-01T03:00:00Z
"""


def walked_case(folder):
    """A case as a walk leaves it: one recorded answer, findings that rest on it, one executed notebook."""
    folder.mkdir(exist_ok=True)
    (folder / "incident.toml").write_text(INCIDENT)
    rows = {
        "time": [START + timedelta(seconds=i) for i in range(4)], "seq": [0, 1, 2, 3], "weight": [1.0] * 4,
        "message": [HOSTILE] * 4,
    }  # fmt: skip
    source = Recorded("checkout", Tables("checkout", table=conform(pa.table(rows), "LOGS")), Answers(folder))
    evidence = source.count(HOUR).evidence
    findings = Findings(folder)
    onset = {"earliest": "2026-03-01T02:14:00Z", "time": "2026-03-01T02:14:02Z", "latest": "2026-03-01T02:14:05Z"}
    findings.write("00", "Symptom", {"verdict": "incident", "episodes": [{"onset": onset}]}, rests_on=[evidence])
    findings.write(
        "06", "Board",
        {
            "hypotheses": [
                {"statement": f"the migration did it {HOSTILE}", "state": "supported", "missing": ["a reversal"]},
                {"statement": "CPU is the cause", "state": "refuted", "refuted_by": "CPU stayed flat"},
            ],
            "mechanism": [
                {"from": "migration", "to": "slow query", "evidence": [evidence]},
                {"from": "slow query", "to": "503", "evidence": []},
            ],
        },
        rests_on=[evidence],
        reads=["00"],
    )  # fmt: skip
    notebook = nbformat.v4.new_notebook()
    times = pd.date_range(START, periods=30, freq="10s")
    symptom = pd.DataFrame({"failed share": [0.0] * 15 + [0.4] * 15}, index=times)
    changes = pd.DataFrame(
        {"time": [times[14]], "kind": ["schema"], "service": ["postgres"], "summary": [HOSTILE], "until": [pd.NaT]}
    )
    chart = incident_strip(symptom, title=f"Errors began after {HOSTILE}", changes=changes, zone="Europe/Berlin")
    outputs = [
        nbformat.v4.new_output("display_data", data=chart.citing(evidence)._repr_mimebundle_()),
        nbformat.v4.new_output("display_data", data={"text/html": f"<b>bold</b>{HOSTILE}", "text/plain": "x"}),
        nbformat.v4.new_output("stream", name="stdout", text=HOSTILE),
    ]
    notebook.cells = [
        nbformat.v4.new_markdown_cell(f"# Start here\n\nWhat do we have? {HOSTILE}"),
        nbformat.v4.new_code_cell("case.wide", outputs=outputs),
    ]
    (folder / "notebooks").mkdir(exist_ok=True)
    nbformat.write(notebook, folder / "notebooks" / "00_start_here.ipynb")
    return evidence


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "case"
    evidence = walked_case(folder)
    path = export_unredacted(folder).path
    return path, path.read_text(), evidence


def without_library(text):
    """The page without plotly's own code, which is not ours to judge."""
    from kit.export.page import inlined_scripts

    library = inlined_scripts()[0]
    assert text.count(library) == 1
    return text.replace(library, "")


def test_it_says_that_it_is_not_redacted(page):
    path, text, _ = page
    assert path.name == "demo.unredacted.html"
    assert "NOT REDACTED — INTERNAL" in text


def test_nothing_on_it_comes_from_elsewhere(page):
    rest = without_library(page[1])
    assert not re.findall(r"""(?:src|href|action)\s*=\s*["']?(?!#|data:)[a-z]+:?//""", rest)
    assert "@import" not in rest
    assert "default-src &#x27;none&#x27;" in rest


def test_hostile_text_is_text(page):
    rest = without_library(page[1])
    assert "<script>window.canary" not in rest
    assert "<img" not in rest
    assert "\x1b" not in rest
    assert "\u202e" not in rest


def test_every_evidence_id_resolves(page):
    _, text, evidence = page
    linked = set(re.findall(r'href="#(ev_[0-9a-f]{16})"', text))
    records = set(re.findall(r'<tr id="(ev_[0-9a-f]{16})"', text))
    assert linked == {evidence}
    assert linked <= records


def test_the_first_screen_is_in_plain_words(page):
    rest = without_library(page[1])
    assert "Harm began between 03:14:00 and 03:14:05 CET (2026-03-01)" in rest
    assert "It is not confirmed; what is missing: a reversal." in rest
    assert "Slow query → 503 — no evidence for this link" in rest
    assert "Not so: “CPU is the cause”: CPU stayed flat." in rest
    order = [rest.index(h) for h in ("What broke", "How sure are we", "The chain", "Ruled out", "What we do not know")]
    assert order == sorted(order)


def test_a_page_is_not_written_from_stale_findings(tmp_path):
    evidence = walked_case(tmp_path / "case")
    Findings(tmp_path / "case").write("00", "Symptom", {"verdict": "healthy"}, rests_on=[evidence])
    with pytest.raises(StaleFindings, match="notebook 06"):
        export_unredacted(tmp_path / "case")


def test_a_case_that_was_not_walked_says_what_to_do(tmp_path):
    (tmp_path / "incident.toml").write_text(INCIDENT)
    with pytest.raises(BadCase, match="has not been walked yet"):
        export_unredacted(tmp_path)


def test_the_name_must_tell_that_it_is_not_redacted(tmp_path):
    walked_case(tmp_path / "case")
    with pytest.raises(BadCase, match=r"must end in .unredacted.html"):
        export_unredacted(tmp_path / "case", out=tmp_path / "page.html")


def test_a_review_lapses_when_the_evidence_changes(tmp_path):
    walked_case(tmp_path / "case")
    incident = tmp_path / "case" / "incident.toml"
    review = '\n[review]\nstate = "reviewed"\nby_role = "on-call"\ndate = 2026-03-02\nevidence_hash = "other"\n'
    incident.write_text(INCIDENT + review)
    assert "a review has lapsed" in export_unredacted(tmp_path / "case").path.read_text()
