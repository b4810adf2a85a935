"""Which words blame people, or judge them by what only the end has shown?"""

from __future__ import annotations

import re

from kit.lint.document import Document, Line, LintFinding

PEOPLE = (
    r"(?:engineers?|developers?|operators?|admin(?:istrator)?s?|sysadmins?|dbas?|on-?call(?:er)?s?|responders?|devs?"
    r"|employees?|staff|interns?|contractors?|teams?|managers?|reviewers?|authors?|colleagues?|people|persons?|users?"
    r"|someone|somebody|nobody|no one|none of us|everyone|anyone|he|she|they|we|you|i)"
)
ROLES = (
    r"(?:engineer|developer|operator|admin(?:istrator)?|sysadmin|dba|on-?call(?: engineer)?|employee|intern"
    r"|contractor|team|manager|reviewer|author|colleague|person|staff(?: member)?)"
)
MISHAP = (
    r"(?:forgot(?:ten)?|neglected|overlooked|misread|mistyped|misconfigured|mis-?clicked|ignored|disregarded"
    r"|messed up"
    r"|screwed up|botched|broke (?:the|our|prod)|failed to|didn'?t bother|did not bother|didn'?t (?:check|test|read"
    r"|notice"
    r"|think|realise|realize|follow)|did not (?:check|test|read|notice|think|realise|realize|follow)|was careless"
    r"|were careless|made (?:a|an|the|several|some) (?:\w+ )?(?:mistake|error|blunder)s?)"
)
_I = re.IGNORECASE
_BLAME = (
    (re.compile(r"\b(human|operator|user|pilot|people) error\b", _I), "{0!r} ends the search where it should begin"),
    (
        re.compile(
            r"\b(careless(?:ness|ly)?|negligen(?:t|ce|tly)|incompeten(?:t|ce)|stupid(?:ly|ity)?|reckless(?:ly|ness)?"
            r"|sloppy|sloppiness|lazy|laziness|irresponsibl[ey]|inattenti(?:ve|on)|complacen(?:t|cy)|clueless)\b",
            _I,
        ),
        "{0!r} judges people and explains nothing",
    ),
    (
        re.compile(
            r"\b(is|are|was|were) (?:at fault|to blame|guilty|responsible for (?:the|this) (?:outage|incident"
            r"|failure|break))",
            _I,
        ),
        "it looks for who, not for how",
    ),
    (re.compile(r"\b(?:fault|blame) (?:of|lies with|falls on|goes to)\b", _I), "it looks for who, not for how"),
    (
        re.compile(r"\b(lack of (?:care|attention|discipline|diligence|knowledge|common sense|understanding))\b", _I),
        "{0!r} is about people's heads, not about what the system let happen",
    ),
    (
        re.compile(rf"\b(?:the |an? |our |one |some |another )?(?:\w+[ -])?{ROLES}s? (?:\w+ly )?{MISHAP}", _I),
        "it tells what a person did not do, not what made that easy",
    ),
    (
        re.compile(r"\b(?:mistakes?|blunders?|slip) (?:by|of|made by) (?:the|an?|our|one)\b", _I),
        "it tells whose mistake, not what made it easy",
    ),
    (
        re.compile(
            rf"\b(?:knew better|know better|(?:didn'?t|did not) know (?:better|how to)|{PEOPLE} not knowing)\b", _I
        ),
        "it is about people's heads, not about what the system let happen",
    ),
)
_HINDSIGHT = (
    re.compile(
        rf"\b{PEOPLE} (?:clearly |really |simply |probably |definitely )?(?:should|ought to) (?:\w+ly )?(?:have"
        rf"|'ve)\b",
        _I,
    ),
    re.compile(
        rf"\b{PEOPLE} could (?:easily |simply |clearly )?(?:have|'ve) (?:\w+ly )?"
        r"(?:prevented|avoided|caught|noticed|seen|known|checked|stopped|acted|done|spotted|tested)\b",
        _I,
    ),
    re.compile(
        r"\bshould(?:n'?t| not)? (?:\w+ly )?have (?:been )?(?:\w+ly )?(?:known|seen|caught|noticed|checked|tested"
        r"|anticipated"
        r"|foreseen|reviewed|prevented|avoided|expected|realised|realized|spotted|done|addressed|considered|merged"
        r"|deployed)\b",
        _I,
    ),
    re.compile(
        r"\bcould (?:easily |simply )?have been (?:easily |simply )?(?:prevented|avoided|caught|foreseen"
        r"|spotted)\b",
        _I,
    ),
    re.compile(r"\b(?:in|with|by) hindsight\b|\bin retrospect\b|\bhindsight is\b", _I),
    re.compile(
        rf"\bif only\b|\bhad {PEOPLE} (?:only |just )?(?:been more|looked|checked|tested|read|followed|known"
        rf"|noticed|paid)\b",
        _I,
    ),
    re.compile(
        rf"\b(?:obviously|clearly),? (?:wrong|a mistake|{PEOPLE})\b|\bit was obvious\b|\bobvious (?:mistake|error"
        rf"|signs?|warning)",
        _I,
    ),
    re.compile(rf"\b(?:all )?{PEOPLE} had to do was\b|\bshould be obvious\b|\bcommon sense\b", _I),
)
_NAMED = (
    re.compile(
        rf"\b(?:caused|triggered|introduced|broken|brought down) by (?:the |an? |our "
        rf"|one )?(?:\w+[ -]){{0,2}}{ROLES}s?\b"
        r"(?! ?(?:'s )?(?:account|job|tool|script|process|pod|service|namespace|role|api|component|deployment|'s))",
        _I,
    ),
    re.compile(
        rf"\b(?:because|due to|thanks to) (?:the |an? |our |one )?(?:\w+[ -])?{ROLES} (?:had |has |having |who )?"
        r"(?:\w+ly )?(?:forg\w+|ran|run|push\w*|deploy\w*|delet\w*|merg\w*|miss\w*|chang\w*|did|typed?|typing)",
        _I,
    ),
    re.compile(
        r"(?<!\w)@[\w-]{2,}(?:\[\w+\])? (?:forgot|pushed|broke|deleted|merged|deployed|ran|missed|caused|changed"
        r"|dropped)\b"
    ),
    re.compile(
        r"\b(?:caused|broken|brought down) by (?:@[\w-]+|(?!The\b|An?\b|Our\b)[A-Z][a-z]{2,} [A-Z](?:[a-z]{2,}|\.)"
        r"(?=[.,;]|$| (?:who|when|while|forgetting|deploying|pushing|running)))"
    ),
    re.compile(
        r"(?:^|[.;:] |, |[Bb]ecause |[Tt]hat )(?!The\b|Nobody\b|Someone\b|Everyone\b|They\b|She\b|This\b|That\b"
        r"|Team\b)[A-Z][a-z]{2,}"
        r"(?: [A-Z](?:[a-z]{2,}|\.))? (?:forgot|neglected|overlooked|misread|mistyped|accidentally (?:ran|deleted"
        r"|dropped"
        r"|pushed|deployed|merged)|didn'?t bother)\b"
    ),
    re.compile(r"\b[Rr]oot cause:? (?:was |is )?(?:@[\w-]+|(?:the )?(?:on-?call|developer|operator|admin)\b)"),
)  # fmt: skip


def wording_findings(document: Document) -> list[LintFinding]:
    """Which lines blame, judge by hindsight, or name a person as the cause? At most one finding of each rule a "
    "line."""
    return [
        found
        for line in document.lines
        for rule in (_blame, _hindsight, _name_as_cause)
        if (found := rule(line)) is not None
    ]


def _blame(line: Line) -> LintFinding | None:
    for pattern, why in _BLAME:
        if found := pattern.search(line.text):
            said = why.format(found[0])
            return LintFinding("blame", line.number, f"{found[0]!r}: {said}.", _BETTER_BLAME)
    return None


def _hindsight(line: Line) -> LintFinding | None:
    for pattern in _HINDSIGHT:
        if found := pattern.search(line.text):
            message = f"{found[0]!r} judges by the end, which nobody knew then; it does not say what happened."
            return LintFinding("hindsight", line.number, message, _BETTER_HINDSIGHT)
    return None


def _name_as_cause(line: Line) -> LintFinding | None:
    for pattern in _NAMED:
        if found := pattern.search(line.text):
            message = f"{found[0].strip(' .,;:')!r}: a person or a role stands where a mechanism belongs."
            return LintFinding("name-as-cause", line.number, message, _BETTER_NAME)
    return None


_BETTER_BLAME = (
    "Say what the system showed and allowed: 'the command ran on production as on staging: nothing on the screen "
    "told "
    "them apart, and no second confirmation was asked for'."
)
_BETTER_HINDSIGHT = (
    "Say what was known when, and what would have to be there: 'at 14:05 UTC the dashboard showed 12 % errors; no "
    "alert "
    "was set on it' — and put what is to be into an action."
)
_BETTER_NAME = (
    "Tell the chain: which change of state, through what, to what users felt: 'release 2.4 removed the index; the "
    "query "
    "then read every row; the pool filled'. Name roles only in the timeline."
)
