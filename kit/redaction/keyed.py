"""Values that the name before them gives away: `password=…`, `"token": "…"`, headers, options, SQL, XML, OTLP pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kit.redaction.hit import Hit
from kit.redaction.names import PERSONAL, SECRET, told_by_name

_NAME = r"[A-Za-z_@][\w.\-]{1,63}"
_QUOTE = r"(?:\\{0,3}[\"'`]|&quot;|&\#39;|&\#x27;)"
_QUOTED = r"(?P<q{n}>\\{{0,3}}[\"'`]|&quot;|&\#39;|&\#x27;)(?P<v{n}>(?:(?!(?P=q{n}))[^\x1e]){{1,4000}}?)(?P=q{n})"
_BARE = r"[^\s,;&|(){}\[\]\"'<>\x1e]+"
_SCHEME = r"(?:Basic|Bearer|Digest|Token|ApiKey|Negotiate|NTLM|AWS4-HMAC-SHA256)"

_PAIR = re.compile(
    rf"(?<![\w.$-]){_QUOTE}?(?P<name>{_NAME})(?P<at>\[\w*\])?{_QUOTE}?[ \t]{{0,8}}(?:=>|:=|==|=|:)"
    r"[ \t]{0,8}\n?[ \t]{0,8}"
    rf"(?:{_QUOTED.format(n=1)}|(?P<bare>{_BARE}))"
)
_LISTED = re.compile(rf"{_QUOTE}(?P<name>{_NAME}){_QUOTE}[ \t]*,[ \t]*{_QUOTED.format(n=1)}")
_OTLP = re.compile(
    rf"{_QUOTE}(?:key|name){_QUOTE}\s*:\s*{_QUOTE}(?P<name>{_NAME}){_QUOTE}\s*,\s*{_QUOTE}value{_QUOTE}\s*:\s*"
    rf"(?:\{{\s*{_QUOTE}\w+{_QUOTE}\s*:\s*)?(?:{_QUOTED.format(n=1)}|(?P<bare>{_BARE}))"
)
_IN_LIST = re.compile(rf"(?<![\w.])\"?(?P<name>{_NAME})\"?\s+(?:NOT\s+)?IN\s*\((?P<list>[^)\x1e]{{1,4000}})\)", re.I)
_TAG = re.compile(rf"<(?P<name>{_NAME})(?:\s[^<>\x1e]*)?>(?P<bare>[^<>\x1e]{{1,4000}})</(?P=name)>")
_OPTION = re.compile(rf"(?<![\w-])--?(?P<name>{_NAME})[ \t]+(?:{_QUOTED.format(n=1)}|(?P<bare>{_BARE}))")
_SAID = re.compile(
    r"\b(?P<name>password|passphrase|passcode|secret|token|api key|PIN)\b(?: was| is|:)? "
    rf"(?:(?:was|is|set to|changed to) (?:{_QUOTED.format(n=1)}|(?P<bare>{_BARE}))|{_QUOTED.format(n=2)})",
    re.I,
)
_HEADER = re.compile(
    r"(?i)(?<![\w-])(?P<name>(?:set-)?cookie2?|(?:proxy-)?authorization|x-[\w-]*(?:auth|token|api-key|secret)[\w-]*)"
    rf"{_QUOTE}?[ \t]*[:=,][ \t]*(?:{_QUOTED.format(n=1)}|(?P<bare>[^\r\n\x1e\"']+))"
)
_BEARER = re.compile(rf"(?<![\w-]){_SCHEME} (?P<bare>[A-Za-z0-9\-._~+/]{{8,}}=*)")
_IDENTIFIED_BY = re.compile(rf"(?i)\b(?P<name>identified by|password)\s+{_QUOTED.format(n=1)}")

_PROCESS, _STATUS = re.compile(r"\[\d{3,8}\]"), re.compile(r"\d\.\d\.\d{1,3}")
_FROM = re.compile(r"(?i)\bfrom\b|\x1e")
_BY = re.compile(r"(?i)\b(?:group|order|partition) by [\s\w.,\"]*$")

_EMPTY = re.compile(
    r"(?i)(?:null|none|nil|undefined|nan|true|false|yes|no|ok|on|off|n/?a|unknown|missing|empty|invalid|expired|required|"
    r"valid|failed|failure|success|succeeded|enabled|disabled|denied|granted|not|found|used|error|anonymous|guest|"
    r"authentication|changed|reset|mismatch|rejected|accepted|string|int|bool|"
    r"[*x•.\-]{2,}|\[?(?:filtered|redacted|masked|hidden|removed)\]?|<[^<>]*>|\$\{?\w+\}?|\{\{.*\}\}|%\(?\w*\)?[sdr]|"
    r"\$+|\$\d+|\?|:\w+|\{\w*\}|\.\.\.|…)"
)

_PROSE = re.compile(
    r"(?i:every|each|all|any|some|most|many|more|fewer|both|only|the|this|that|these|those|there|it|they|we|was|were|are|"
    r"is|has|have|had|when|where|which|who|what|how|why|nobody|nothing)(?=[ \t]+\w)"
)
"""A word that begins a sentence and is nobody's name: "4xx for users: every link …" is prose, not a key."""


def find_keyed(text: str) -> Iterator[Hit]:
    """Which values stand behind a name that says they are secret or personal?

    >>> [h.value for h in find_keyed('login dbPassword="hunter 2" route=/pay Authorization: Bearer abc.def-123')]
    ['hunter 2', 'abc.def-123', 'abc.def-123']
    """
    for form in (_PAIR, _LISTED, _OTLP, _OPTION):
        for match, told in _told(form, text):
            if form is not _LISTED or not _among_columns(text[max(match.start() - 4000, 0) : match.start()]):
                yield from _value(match, told)
    for match in _IN_LIST.finditer(text):
        told = told_by_name(match["name"])
        if told in (SECRET, PERSONAL):
            for item in re.finditer(r"'((?:[^']|'')+)'", match["list"]):
                at = match.start("list")
                yield _hit(at + item.start(1), at + item.end(1), told, item[1])
    if "<" in text:
        for match in _TAG.finditer(text):
            told = told_by_name(match["name"])
            if told in (SECRET, PERSONAL):
                yield from _value(match, told)
    for form in (_HEADER, _SAID, _BEARER, _IDENTIFIED_BY):
        for match in form.finditer(text):
            yield from _value(match, SECRET)


def is_placeholder(value: str) -> bool:
    """Does a value hold nothing: empty, `null`, `***`, `${VARIABLE}`, a word of state?

    >>> is_placeholder("[FILTERED]"), is_placeholder("hunter2")
    (True, False)
    """
    return not value.strip() or _EMPTY.fullmatch(value.strip()) is not None


def _told(form: re.Pattern[str], text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Every match whose name tells something; the value of any other name is read on its own."""
    at = 0
    while (match := form.search(text, at)) is not None:
        told = told_by_name(match["name"])
        if told in (SECRET, PERSONAL):
            yield match, told
            at = match.end()
        else:
            at = match.end("name")


def _among_columns(before: str) -> bool:
    """Does a list of column names go on here: `SELECT "user.name", "route"`, `GROUP BY …`?"""
    begun = before.lower().rfind("select ")
    return (begun >= 0 and not _FROM.search(before, begun)) or _BY.search(before) is not None


def _value(match: re.Match[str], told: str) -> Iterator[Hit]:
    groups = match.re.groupindex
    name = next((n for n in ("v1", "v2", "bare") if n in groups and match[n] is not None), None)
    if name is None:
        return
    value, start, end = match[name], match.start(name), match.end(name)
    trimmed = value.rstrip(".:!") if name == "bare" else value
    scheme = re.match(rf"{_SCHEME} +", trimmed)
    start += scheme.end() if scheme else 0
    trimmed = trimmed[scheme.end() :] if scheme else trimmed
    if name == "bare":
        end = start + len(trimmed)
    if match.re is _PAIR and _is_no_key(match, trimmed):
        return
    if is_placeholder(trimmed) or (told == SECRET and re.fullmatch(_SCHEME, trimmed)):
        return
    if told == PERSONAL and name == "bare" and match.string[end : end + 1] in ("[", "(") and trimmed.isidentifier():
        return  # a line of code in a traceback: `customer = body["customer"]`
    if told == PERSONAL and name == "bare" and _PROSE.match(match.string, start):
        return
    if told == PERSONAL and re.fullmatch(r"\d+\.\d+|\d{1,3}", trimmed) and "id" not in match["name"].lower():
        return
    if told == SECRET and match.re is _PAIR and re.fullmatch(r"[A-Za-z]+s", match["name"]) and trimmed.isdigit():
        return
    yield _hit(start, end, told, trimmed)


def _is_no_key(match: re.Match[str], value: str) -> bool:
    """Is it a program with its number (`Mail[11203]: …`), a mail's delivery status (`dsn=4.0.0`), or a small count?"""
    name = match["name"].lower()
    return (
        _PROCESS.fullmatch(match["at"] or "") is not None
        or (name == "dsn" and _STATUS.fullmatch(value) is not None)
        or (value.isdigit() and len(value) < 3 and told_by_name(name) == SECRET)
    )


def _hit(start: int, end: int, told: str, value: str) -> Hit:
    return Hit(
        start, end, "secret" if told == SECRET else "user", "key by name" if told == SECRET else "personal", value
    )
