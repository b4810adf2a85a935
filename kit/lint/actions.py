"""Would an action change anything, and would anybody know when it is done?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kit.lint.document import Document, Line, LintFinding

_I = re.IGNORECASE
_VAGUE = (
    re.compile(r"\bbe(?:ing)? (?:more |extra |very )?(?:careful|vigilant|cautious|attentive|diligent|mindful"
               r"|thorough|aware|proactive)\b", _I),
    re.compile(r"\b(?:more|extra|better|greater) (?:care|caution|attention|vigilance|diligence|awareness|discipline"
               r"|oversight)\b", _I),
    re.compile(r"\b(?:pay|take) (?:\w+ )?(?:attention|care)\b|\btry (?:harder|to avoid|not to)\b|\bthink twice\b"
               r"|\bdouble[- ]check\b", _I),
    re.compile(r"\b(?:raise|increase|improve|create) (?:\w+ )?awareness\b|\bremind (?:\w+ ){0,3}(?:to|about|that"
               r"|of)\b", _I),
    re.compile(r"^(?:\w+ly )?(?:we (?:will|should|must|need to) )?(?:monitor|watch|test|communicate|document|plan"
               r"|review|collaborate)"
               r"(?: (?:it|this|things|everything|the system|the service|changes|more|code))? (?:better|more"
               r"|more closely|more carefully|closely|harder|thoroughly|properly)\W*$", _I),
    re.compile(r"^(?:(?:we (?:will|should|must|need to) )?(?:improve|better|enhance|strengthen|more|increase"
               r"|optimi[sz]e)d? )(?:our |the |overall )?"
               r"(?:monitoring|alerting|observability|testing|tests|communication|documentation|docs|processes?"
               r"|procedures?|code quality|quality"
               r"|code reviews?|reviews?|logging|training|resilience|reliability|stability|robustness|security"
               r"|performance|collaboration)"
               r"(?: and (?:monitoring|alerting|observability|testing|communication|documentation|logging"
               r"|processes))?\W*$", _I),
    re.compile(r"^(?:we (?:will|should|must|need to) )?(?:better|improved?|more) (?:monitoring|alerting|testing"
               r"|communication|planning|logging|visibility)"
               r"(?: (?:of|for|in|on) (?:[\w-]+ ?){1,3})?\W*$", _I),
    re.compile(r"\bmake sure (?:that )?(?:this|it|that) (?:does ?n'?t|does not|won'?t|will not"
               r"|never) happens? again\b"
               r"|\b(?:avoid|prevent) (?:this|it|such (?:incidents?|mistakes?|errors?|things)|similar (?:incidents?"
               r"|mistakes?|errors?)) (?:in (?:the )?future|happening again|from happening|again)\b", _I),
    re.compile(r"\bneeds? (?:to be )?more careful(?:ly)?\b|\bmore careful(?:ly)?\b|\bfollow (?:the )?(?:process"
               r"|procedure|best practices?|guidelines)(?: more \w+| better| strictly| properly)?\W*$", _I),
    re.compile(r"^(?:investigate|look into|consider|think about|discuss|explore|evaluate|check)(?: (?:it|this"
               r"|options|further|possible (?:improvements|solutions)|ways to improve|improvements))?\W*$", _I),
    re.compile(r"^(?:more |better |additional )?(?:training|education|coaching)(?: (?:for"
               r"|of) (?:[\w-]+ ?){1,3})?\W*$|\b(?:re-?train|educate) (?:the |all |our )?(?:team|staff|engineers"
               r"|developers|operators|users|everyone)\b", _I),
)  # fmt: skip
_DATE = re.compile(
    r"\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\b(?:Q[1-4]|H[12]) ?\d{4}\b|\b\d{4}-W\d{2}\b"
    r"|\b(?:\d{1,2}(?:st|nd|rd|th)? )?(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov"
    r"|dec)[a-z]*\.? \d{1,2}(?:st|nd|rd|th)?\b"
    r"|\b\d{1,2}(?:st|nd|rd|th)? (?:of )?(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\b"
    r"|\b(?:end of|sprint) (?:\w+ )?\d+\b",
    _I,
)
_OWNER = re.compile(
    r"(?<!\w)@[\w./-]+|\b(?:owner|assignee|assigned to|responsible|lead|dri)\b[:= ]+\S"
    r"|\((?!the |an? |if |see |for |e\.g|and |or )[A-Z][a-z]+ (?:to |will |call|is |owns?\b)"
    r"|[(—–-] ?(?:team )?[\w-]+(?: [\w-]+)? ?(?:team|squad|on-?call)\)?$",
    _I,
)
_SUBJECT = re.compile(
    r"^(?!We\b|It\b|This\b|That\b|These\b|There\b|They\b|You\b|Nobody\b|Someone\b|The\b)(?:[A-Z][\w&-]+ ){1,3}"
    r"(?:(?:team|squad) )?(?:will|has|have) (?!be\b|been\b)"
    r"|^The [\w-]+(?: [\w-]+)? (?:team|squad|on-?call) (?:will|has|have) (?!be\b|been\b)"
)
"""Who does it, as the subject of the sentence: a named team that will do, or has begun to do, something."""
_SPAN = re.compile(r"\b(?:next|within|in) (?:the next )?(?:\d+|one|two|three|four) (?:day|week|month)s?\b", _I)
"""A date by the heading's own words; the document says when it was written."""
_TRACKED = re.compile(r"/(?:issues|pull|browse|merge_requests)/|\b[A-Z]{2,10}-\d+\b|(?<!\w)#\d+\b")
_ACHIEVED = re.compile(
    r"^(?:[\w/ -]+(?: \([^)]*\))?: )?(?:we(?:'ve| have)? |was |were |already )?(?:significantly |now )?"
    r"(?:added|fixed|implemented|increased|switched|re-?worked|tightened|removed|reverted|created|deployed|disabled"
    r"|enabled"
    r"|updated|upgraded|rolled|changed|configured|replaced|restarted|documented|introduced|moved|set up|completed"
    r"|values increased)\b"
    r"|\bmoved to\b|\((?:done|completed)\)|^\[x\]",
    _I,
)
"""What is done already is no wish; an issue's number has owner and date where the issue is kept."""
_CLASS = re.compile(
    r"\b(?:removes?|class|prevents?|detects?|mitigates?|so that|breaks?|avoids?|never happens?|catch(?:es)?|to limit"
    r"|eliminates?|will (?:no longer|continue)|ensures? (?:that |this |it )?(?:\w+ ){0,2}(?:no|never))\b",
    _I,
)
_LINK = re.compile(r"\b(?:breaks?|removes?|cuts?) (?:the |a |this )?(?:link|chain|class)|\blink\b.*→|→", _I)
_STOPS = re.compile(r"\b(?:prevent|stop|avoid|remove|eliminate|refuse|reject)\w* ((?:[\w/-]+ ?){1,7})", _I)
_COLUMNS = {
    "owner": r"owner|assignee|who|responsible|dri",
    "date": r"due|date|when|deadline|by",
    "class": r"removes|class|type|kind|category",
    "link": r"link|breaks",
}
_UNFILLED = re.compile(r"^\W*(?:to be filled in|tbd|tba|todo|n/?a|none|unknown|-|—|\?)?\W*$", _I)
NEEDED = ("owner", "date", "class")


def action_findings(document: Document) -> list[LintFinding]:
    """Which actions are wishes, which lack an owner, a date or a class, and does any break a link of the "
    "mechanism?"""
    actions = list(action_rows(document))
    found = [f for line, cells in actions for f in (_vague(line, cells), _incomplete(line, cells)) if f is not None]
    vague_elsewhere = [
        f
        for line in document.within("lessons")
        if line.kind == "item" and "actions" not in line.about and (f := _vague(line, None)) is not None
    ]
    return [*found, *vague_elsewhere, *_no_link(document, actions)]


def action_rows(document: Document) -> Iterator[tuple[Line, dict[str, str] | None]]:
    """Which lines are actions? Items of the sections about actions; rows of their tables, with the cells by column."""
    header: list[str] | None = None
    for line in document.lines:
        if "actions" not in line.about or line.kind in ("heading", "prose") or "done" in line.about:
            header = None
        elif line.kind == "row":
            cells = [c.strip() for c in re.split(r"(?<!\\)\|", line.text.strip().strip("|"))]
            if header is None:
                header = [c.lower() for c in cells]
            elif not all(re.fullmatch(r":?-+:?|", c) for c in cells):
                yield line, dict(zip(header, cells, strict=False))
        elif (
            line.depth <= 1
            and len(line.text.split()) > 1
            and not line.text.endswith(":")
            and not _ACHIEVED.search(line.text)
        ):
            yield line, None


def _vague(line: Line, cells: dict[str, str] | None) -> LintFinding | None:
    # what stands in brackets behind it (owner, date, class) makes a wish no deed
    text = re.sub(r"\s*\([^()]*\)\W*$", "", next(iter(cells.values())) if cells else line.text)
    for pattern in _VAGUE:
        if found := pattern.search(text):
            message = (
                f"{found[0].strip()!r} cannot be done: nobody could say when it is, and it removes no class of failure."
            )
            return LintFinding("vague-action", line.number, message, _BETTER_VAGUE)
    return None


def _incomplete(line: Line, cells: dict[str, str] | None) -> LintFinding | None:
    missing = [what for what in NEEDED if not _has(what, line, cells)]
    if not missing:
        return None
    said = " and ".join([", ".join(missing[:-1]), missing[-1]] if len(missing) > 1 else missing)
    message = f"This action names no {said}: {line.text[:60]!r}."
    return LintFinding("action-incomplete", line.number, message, _BETTER_INCOMPLETE)


def _has(what: str, line: Line, cells: dict[str, str] | None) -> bool:
    if cells is not None:
        for column, cell in cells.items():
            if re.search(rf"\b(?:{_COLUMNS[what]})\b", column):
                return not _UNFILLED.match(cell)
        return False
    if what == "class":
        return bool(_CLASS.search(line.text))
    if _TRACKED.search(line.raw) or _TRACKED.search(line.under):
        return True
    if what == "owner":
        return bool(_OWNER.search(line.text) or _SUBJECT.search(line.text))
    return bool(_DATE.search(line.text) or _DATE.search(line.under) or _SPAN.search(line.under))


def _no_link(document: Document, actions: Sequence[tuple[Line, dict[str, str] | None]]) -> Iterator[LintFinding]:
    if not actions:
        return
    told = _stems(" ".join(x.text for about in ("mechanism", "summary", "trigger") for x in document.within(about)))
    for line, cells in actions:
        if _names_link(line.text, told):
            return
        in_cells = any(
            re.search(rf"\b(?:{_COLUMNS['link']})\b", column) and not _UNFILLED.match(cell)
            for column, cell in (cells or {}).items()
        )
        if in_cells or _LINK.search(line.text):
            return
    where = next((n for n, _, _, about in document.headings if "actions" in about), actions[0][0].number)
    message = "No action says which link of the mechanism it breaks, so the same chain could run again."
    yield LintFinding("no-link", where, message, _BETTER_LINK)


def _names_link(action: str, told: frozenset[str]) -> bool:
    """Does the action say that it stops something which the mechanism or the summary tells of?"""
    return any(len(_stems(found[1]) & told) >= 2 for found in _STOPS.finditer(action))


def _stems(text: str) -> frozenset[str]:
    """The longer words, by their first six letters: "conflicting routes" and "routes conflict" are alike."""
    return frozenset(w[:6].lower() for w in re.findall(r"[A-Za-z]{5,}", text))


_BETTER_VAGUE = (
    "Name what will be different: 'CI refuses a migration that drops an index which a query of the last 7 days used' "
    "(owner, date, the class it removes)."
)
_BETTER_INCOMPLETE = (
    "Write it as: what · owner (a role or a team) · date · prevent, detect or mitigate · the class of failure it "
    "removes."
)
_BETTER_LINK = "For each action say the link: '… → breaks: query without index → pool full'."
