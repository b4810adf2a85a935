"""The exported page: one self-contained HTML file that opens anywhere, also years later and with no network.

First screen, then the walk, then every evidence record that a claim links to. Nothing on it comes from elsewhere: the
one library that draws is inlined once, and a content security policy names the two scripts by their hash.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from connectors.answers import Answers, Entry, evidence_hash
from kit.export.markdown import cleaned, linked, prose
from kit.findings import Findings
from kit.plain_text import escaped
from kit.plots.chart import CHART_MIME, PLOTLY_MIME
from kit.summary import Summary, summarize

_HERE = Path(__file__).parent
UNREDACTED_BAND = "NOT REDACTED — INTERNAL"
_PARTS_OF = {
    "What broke": ("verdict", "episodes", "impact"),
    "How sure are we, and what would change our mind": ("hypotheses",),
    "The chain": ("mechanism",),
    "Ruled out": ("hypotheses",),
    "What we do not know": ("gaps", "partial"),
    "What stops it next time": ("next",),
}


@dataclass
class _Page:
    """What is being put together: the figures' data go to the end, so that the text is read first."""

    known: frozenset[str]
    figures: list[str] = field(default_factory=list)
    toc: list[tuple[str, str]] = field(default_factory=list)
    cited: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    where: str = ""


def build_page(
    folder: Path,
    *,
    title: str,
    zone: str,
    notebooks: Sequence[Path],
    band: str | None = UNREDACTED_BAND,
    notes: Sequence[str] = (),
) -> str:
    """The whole page as text, from a walked case folder: its findings, its evidence index, its executed notebooks.

    `band` stands above everything, `notes` say what redaction did.
    """
    answers = Answers(folder)
    findings = Findings(folder)
    merged = findings.merge()
    page = _Page(known=frozenset(entry.evidence for entry in answers))
    summary = summarize(merged, title=title, zone=zone)
    walk = "".join(_notebook(page, path) for path in notebooks)
    first = _first_screen(page, summary, findings.rests_on())
    evidence = _evidence(page, list(answers))
    state = _review(folder)
    meta = (
        f"{state} · written {datetime.now(UTC):%Y-%m-%d %H:%M UTC} · evidence hash "
        f"<code>{evidence_hash(folder)}</code> · {len(page.known)} recorded answers"
    )
    toc = "".join(f'<li><a href="#{anchor}">{escaped(name)}</a></li>' for anchor, name in page.toc)
    body = (
        '<a class="skip" href="#walk">Skip to the walk</a>'
        + (f'<aside class="band" aria-label="Notice">{escaped(band)}</aside>' if band else "")
        + f'<header class="top"><h1>{escaped(summary.title)}</h1><p class="meta">{meta}</p></header>'
        + f'<main><div class="first">{first}</div>'
        + f'<nav class="toc" aria-label="Contents"><ol>{toc}<li><a href="#evidence">Evidence</a></li></ol></nav>'
        + f'<div id="walk">{walk}</div>{evidence}{_redaction(notes)}</main>'
        + "<footer>Each number on this page rests on recorded answers; the table above says which query, when and how "
        "many rows. Times are absolute. Checked with <code>incident-kit verify</code>.</footer>"
    )
    return _document(summary.title, body, page.figures)


def _document(title: str, body: str, figures: Sequence[str]) -> str:
    scripts = inlined_scripts() if figures else ()
    hashes = " ".join(f"'sha256-{_b64(s)}'" for s in scripts) or "'none'"
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    data = "".join(
        f'<script type="application/json" id="figure-{i}">{content}</script>' for i, content in enumerate(figures)
    )
    code = (
        f'<script type="application/x-library" id="library">{scripts[0]}</script><script>{scripts[1]}</script>'
        if scripts
        else ""
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy, quote=True)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<title>{escaped(title)}</title><link rel="icon" href="data:,">'
        f"<style>{inlined_style()}</style></head><body>{body}{data}{code}</body></html>\n"
    )


def inlined_scripts() -> tuple[str, ...]:
    """The two scripts of a page, to the byte: the library that draws, and what calls it."""
    from plotly.offline import get_plotlyjs

    return get_plotlyjs().replace("</script", "<\\/script"), (_HERE / "page.js").read_text()


def inlined_style() -> str:
    """How a page looks, to the byte."""
    return (_HERE / "page.css").read_text()


def _first_screen(page: _Page, summary: Summary, rests_on: Mapping[str, Sequence[str]]) -> str:
    blocks = []
    for heading, lines in summary.sections():
        page.where = heading
        if not lines and heading not in ("What broke", "What we do not know"):
            continue
        listing = "ol" if heading == "The chain" else "ul"
        shown = lines or ("Nothing that the walk noticed.",)
        items = "".join(f"<li>{linked(escaped(line), page.known)}</li>" for line in shown)
        ids = sorted({i for key, found in rests_on.items() if key.split("/")[1] in _PARTS_OF[heading] for i in found})
        wide = {"What broke": ' class="wide"', "Ruled out": ' class="across"'}.get(heading, "")
        blocks.append(
            f"<section{wide}><h2>{escaped(heading)}</h2><{listing}>{items}</{listing}>{_cites(ids, page)}</section>"
        )
    return "".join(blocks)


def _cites(ids: Sequence[str], page: _Page) -> str:
    links = [f'<a class="ev" href="#{i}">{i[3:9]}</a>' for i in ids if i in page.known]
    if not links:
        return ""
    anchor = f"claim-{sum(len(c) for c in page.cited.values())}"
    for i in ids:
        if i in page.known:
            page.cited.setdefault(i, []).append((anchor, page.where))
    shown = " ".join(links[:8])
    if len(links) <= 8:
        return f'<p class="cites" id="{anchor}">rests on {shown}</p>'
    summary = f"<summary>rests on {len(links)} recorded answers</summary>"
    return f'<details class="cites" id="{anchor}">{summary}{" ".join(links)}</details>'


def _notebook(page: _Page, path: Path) -> str:
    notebook = orjson.loads(path.read_bytes())
    parts: list[str] = []
    anchor = f"nb-{path.stem}"
    for cell in notebook["cells"]:
        source = _text(cell["source"])
        if cell["cell_type"] == "markdown":
            if source.startswith("# "):
                heading, _, rest = source.partition("\n")
                page.toc.append((anchor, heading[2:].strip()))
                page.where = heading[2:].strip()
                parts.append(f'<h2 id="{anchor}">{escaped(heading[2:].strip())}</h2>{prose(rest)}')
            else:
                parts.append(linked(prose(source), page.known))
        elif cell["cell_type"] == "code":
            parts.extend(_output(page, output) for output in cell.get("outputs", []))
            if source.strip():
                parts.append(f"<details><summary>code</summary><pre><code>{escaped(source)}</code></pre></details>")
    return f'<section aria-labelledby="{anchor}">{"".join(parts)}</section>'


def _output(page: _Page, output: Mapping[str, Any]) -> str:
    kind = output.get("output_type")
    if kind == "error":
        return f'<pre class="partial">{escaped(output.get("ename"))}: {escaped(output.get("evalue"))}</pre>'
    if kind == "stream":
        return f"<pre>{escaped(_text(output.get('text', '')))}</pre>"
    data = output.get("data", {})
    if PLOTLY_MIME in data:
        return _figure(page, data[PLOTLY_MIME], data.get(CHART_MIME) or {})
    if "text/html" in data:
        return _scroll(linked(cleaned(_text(data["text/html"])), page.known), "result")
    if "text/markdown" in data:
        return linked(prose(_text(data["text/markdown"])), page.known)
    if "text/plain" in data:
        return f"<pre>{linked(escaped(_text(data['text/plain'])), page.known)}</pre>"
    return ""


def _figure(page: _Page, figure: Mapping[str, Any], chart: Mapping[str, Any]) -> str:
    number = len(page.figures)
    drawn = {"data": figure.get("data", []), "layout": figure.get("layout", {})}
    page.figures.append(orjson.dumps(drawn).decode().replace("<", "\\u003c"))
    title = str(chart.get("title", "chart"))
    height = int((figure.get("layout") or {}).get("height") or 320)
    numbers = cleaned(str(chart.get("table", "")))
    table = (
        f"<details><summary>the numbers</summary>{_scroll(numbers, 'the numbers of the chart')}</details>"
        if numbers
        else ""
    )
    cites = _cites([str(e) for e in chart.get("evidence", [])], page)
    label = escaped(f"{title}. {chart.get('description', '')}")
    return (
        f'<figure><div class="plot" role="group" aria-label="{label}" data-figure="figure-{number}" '
        f'style="height:{height}px"></div><figcaption>{escaped(chart.get("description", ""))}{cites}</figcaption>'
        f"{linked(table, page.known)}</figure>"
    )


def _scroll(markup: str, label: str) -> str:
    """A part that may be wider or longer than its place: the keyboard reaches it too."""
    return f'<div class="scroll" tabindex="0" role="group" aria-label="{escaped(label)}">{markup}</div>'


def _evidence(page: _Page, entries: Sequence[Entry]) -> str:
    rows = []
    for entry in entries:
        fetch = entry.fetch
        lacks = "; ".join(
            part
            for part in (
                f"partial: {fetch.partial}" if fetch.partial else "",
                f"sampled: {fetch.sampled}" if fetch.sampled else "",
                "truncated" if fetch.truncated else "",
            )
            if part
        )
        outside = (fetch.link or "").startswith(("https://", "http://"))
        link = f' <a href="{escaped(fetch.link)}">open at the source</a>' if outside else ""
        rows.append(
            f'<tr id="{entry.evidence}"><td><code>{entry.evidence}</code></td><td>{escaped(fetch.source)} <br>'
            f"{escaped(fetch.question)}</td><td>{escaped(fetch.window or 'all')}</td><td>{fetch.rows:,}"
            f"{f' <br><span class=partial>{escaped(lacks)}</span>' if lacks else ''}</td>"
            f"<td><details><summary>query</summary><pre>{escaped(fetch.query)}</pre>"
            f"<pre>{escaped(entry.arguments)}</pre>"
            f"<small>{escaped(fetch.engine)}; sha256 of the table file {entry.sha256}</small></details>{link}"
            f"{_back(page, entry.evidence)}</td>"
            "</tr>"
        )
    return (
        '<section aria-labelledby="evidence"><h2 id="evidence">Evidence</h2><p>Every answer that the walk was given, '
        "as it was recorded. The id is made from source, question, arguments and the table itself.</p>"
        '<div class="scroll" tabindex="0" role="region" aria-label="Evidence records">'
        '<table class="evidence"><thead><tr>'
        "<th scope=col>id</th><th scope=col>source, question</th><th scope=col>window (UTC)</th><th scope=col>rows</th>"
        f"<th scope=col>how it was asked</th></tr></thead><tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _back(page: _Page, evidence: str) -> str:
    """Links from a record back to the claims that rest on it, one for each part of the page."""
    places = {where: anchor for anchor, where in reversed(page.cited.get(evidence, []))}
    links = ", ".join(f'<a href="#{anchor}">{escaped(where)}</a>' for where, anchor in reversed(places.items()))
    return f'<br><small class="back">cited by {links}</small>' if links else ""


def _redaction(notes: Sequence[str]) -> str:
    """What redaction did, said at the end of the page; nothing where nothing was redacted."""
    if not notes:
        return ""
    items = "".join(f"<li>{escaped(note)}</li>" for note in notes)
    return f'<section aria-labelledby="redaction"><h2 id="redaction">Redaction</h2><ul>{items}</ul></section>'


def _review(folder: Path) -> str:
    from kit.case import read_incident

    review = read_incident(folder).review
    if review is None or review.state != "reviewed":
        return "Draft"
    if review.evidence_hash != evidence_hash(folder):
        return "Draft (a review has lapsed: the evidence changed after it)"
    return f"Reviewed by {escaped(review.by_role)} on {escaped(review.date)}"


def _text(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def _b64(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
