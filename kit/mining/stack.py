"""What does a message of several lines say once? Its first line, and the fingerprint of the stack below it."""

from __future__ import annotations

import re

TOP_FRAMES = 5

_JAVA = re.compile(r"^\s*at (?:[\w.\-]+/+)?([\w$.<>]+)\([^)]*\)")
_JAVASCRIPT = re.compile(r"^\s*at (?:(?:async |new )?([\w$.<>\[\] ]+?) \()?(?:file://)?([^\s()]+?):\d+:\d+\)?$")
_DOTNET = re.compile(r"^\s*at ([\w.`<>\[\],+]+)\(.*\)(?: in .*)?$")
_PYTHON = re.compile(r'^\s*File "([^"]+)", line \d+, in (\S+)')
_GO = re.compile(r"^([\w./\-]+\.[\w.()*]+)\(.*\)$")
_RAISED = re.compile(
    r"^(?:Caused by: |Suppressed: )?((?:[\w$]+\.)*[A-Z][\w$]*(?:Error|Exception|Interrupt|Exit|Warning|Timeout))\b"
)
_FOREIGN = re.compile(
    r"^(?:java|javax|jdk|sun|com\.sun|scala|kotlin|akka|org\.(?:springframework|apache|hibernate|eclipse|jboss|junit)|io\.netty|"
    r"reactor|System|Microsoft|runtime|net/http|node:)\b|site-packages|dist-packages|/lib/python|node_modules|<frozen"
)


def fold(message: str) -> tuple[str, str]:
    """Which first line and which stack does this message have? The stack is "" for a message of one line.

    The fingerprint names what was raised and the top five frames that are not of a library (all frames when none is
    own), without files' line numbers, so that it survives a rebuild. Lines that are no frame are not looked at: a query
    or a JSON document below the first line makes the fingerprint "…".

    >>> fold("pay failed\\njava.io.IOException: reset\\n\\tat java.net.Socket.read(S:9)\\n\\tat shop.Pay.go(P:7)")
    ('pay failed', 'java.io.IOException at shop.Pay.go')
    >>> fold("one line")
    ('one line', '')
    """
    lines = [line for line in message.splitlines() if line.strip()]
    if len(lines) < 2:
        return (lines[0].strip() if lines else ""), ""
    raised: list[str] = []
    frames: list[str] = []
    innermost_last = False
    for line in lines[1:]:
        if python := _PYTHON.match(line):
            innermost_last = True
            frames.append(f"{python[1]}:{python[2]}")
        elif frame := _JAVASCRIPT.match(line):
            frames.append(f"{frame[2]}:{frame[1]}" if frame[1] else frame[2])
        elif frame := _JAVA.match(line) or _DOTNET.match(line) or _GO.match(line):
            frames.append(frame[1])
        elif found := _RAISED.match(line.strip()):
            raised.append(found[1])
    if innermost_last:
        frames.reverse()
    own = [frame for frame in frames if not _FOREIGN.search(frame)] or frames
    parts = [" < ".join(dict.fromkeys(raised)), " < ".join(own[:TOP_FRAMES])]
    return lines[0].strip(), " at ".join(part for part in parts if part) or "…"
