"""What the log explorer says and understands: a look in one line, a time as it is typed, a service in a query."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from connectors.errors import ConnectorError
from connectors.where import And, Compare, parse, quote_value
from connectors.window import Window
from kit.exploring.query_line import read_query
from kit.plain_text import escaped, visible

if TYPE_CHECKING:
    from kit.exploring.look import Look

_SERVICE = re.compile(r"""(?:^|(?<=\s))service[=:](?:"[^"]*"|'(?:[^']|'')*'|\S+)(?=\s|$)""")


def look_html(look: Look, *, exact: bool) -> str:
    """What a look shows and lacks, marked as sampled or as counted exactly."""
    mark = '<span class="ik-mark-sampled">sampled</span> ' if look.sampled else ""
    mark = '<span class="ik-mark-exact">exact</span> ' if exact and not look.sampled else mark
    lacks = "; ".join(look.because)
    more = f' <span class="ik-lacks">({escaped(visible(lacks))})</span>' if lacks else ""
    return f'<div role="status">{mark}{escaped(look.headline)}{more}</div>'


def refusal_html(text: str, *, bad: bool) -> str:
    """A sentence, as a refusal where `bad`."""
    class_ = ' class="ik-refused"' if bad else ""
    return f'<div role="status"{class_}>{escaped(visible(text))}</div>'


def moment_of(said: str, window: Window) -> datetime | None:
    """The time that was meant: with its zone, or in UTC, a clock alone as the one inside the window; None: it is none.

    >>> day = Window.of("2026-03-01T22:00:00Z", "2026-03-02T04:00:00Z")
    >>> [moment_of(said, day).isoformat()[:16] for said in ("2026-03-02T01:00Z", "23:10", "02:14:30")]
    ['2026-03-02T01:00', '2026-03-01T23:10', '2026-03-02T02:14']
    """
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        try:
            clock = time.fromisoformat(said)
        except ValueError:
            return None
        days = [datetime.combine(moment.date(), clock, clock.tzinfo or UTC) for moment in (window.start, window.end)]
        return next((day for day in days if window.start <= day < window.end), days[0])
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def quoted(value: str) -> str:
    """The value as it stands in a query line."""
    return quote_value(value) if '"' in value or "'" in value else f'"{value}"'


def service_in(line: str) -> str | None:
    """The one service that the query line asks for; None where it asks for none or for several.

    >>> service_in('pool service="checkout"'), service_in("service=a OR service=b")
    ('checkout', None)
    """
    try:
        where = read_query(line).where
        tree = None if where is None else parse(where)
    except ConnectorError:
        return None
    parts = tree.parts if isinstance(tree, And) else (tree,)
    named = [p.value for p in parts if isinstance(p, Compare) and p.field == "service" and p.op == "="]
    return str(named[0]) if len(named) == 1 else None


def with_service(line: str, service: str | None) -> str:
    """The query line for this service instead of the one it asks for.

    >>> with_service('pool service="checkout" -health', "payments"), with_service("pool service=checkout", None)
    ('pool -health service="payments"', 'pool')
    """
    rest = " ".join(_SERVICE.sub(" ", line).split())
    return rest if service is None else f"{rest} service={quoted(service)}".strip()
