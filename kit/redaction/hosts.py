"""Names of hosts in addresses: what a page for everybody does not show."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kit.redaction.hit import Hit

_HOST = re.compile(r"(?<=://)(?:[^\s/@\"'<>\x1e]*@)?(?P<host>[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
_INTERNAL = re.compile(
    r"(?<![\w.@-])(?:[A-Za-z0-9-]+\.)+(?:internal|local|lan|corp|intra|svc|cluster\.local|consul)(?![\w-])"
)


def find_hosts(text: str) -> Iterator[Hit]:
    """Which hosts are named in addresses, and by names of an inner network?

    >>> [h.value for h in find_hosts("https://deploys.shop.example/1 db-1.prod.internal java.lang.String")]
    ['deploys.shop.example', 'db-1.prod.internal']
    """
    for match in _HOST.finditer(text):
        if not match["host"].replace(".", "").isdigit():
            yield Hit(match.start("host"), match.end("host"), "host", "host name", match["host"].lower())
    for match in _INTERNAL.finditer(text):
        yield Hit(match.start(), match.end(), "host", "host name", match[0].lower())
