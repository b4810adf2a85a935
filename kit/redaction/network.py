"""Addresses of machines: IPv4, IPv6, MAC. Versions, times and scopes that look alike are none."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from kit.redaction.hit import Hit

_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = re.compile(rf"(?<![\w.])(?<!\d-){_OCTET}(?:\.{_OCTET}){{3}}(?![\w.]*\.\d)(?!\w)")
_IN_NAME = re.compile(rf"(?<![A-Za-z0-9])ip-({_OCTET}(?:-{_OCTET}){{3}})(?![\w-]*\d-)")
_BROWSERS = (
    "Chrome|Chromium|Safari|Firefox|Edge?|OPR|Opera|Version|CriOS|FxiOS|Mozilla|WebKit|Gecko|Trident|MSIE|YaBrowser|"
    "Vivaldi|SamsungBrowser|HeadlessChrome|Electron|Browser|Agent|Client"
)
_AFTER_NAME = re.compile(rf"(?:\bv|[Vv]ersion[ :=/\"']*|(?:{_BROWSERS})[/ ])$")
_IPV6 = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?:%\w+)?(?![\w:])"
)
_MAC = re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}(?:([:-])[0-9A-Fa-f]{2})(?:\1[0-9A-Fa-f]{2}){4}(?![\w:-])")
EVERYONE = frozenset({"127.0.0.1", "0.0.0.0", "255.255.255.255", "::1", "::"})  # noqa: S104


def find_ips(text: str) -> Iterator[Hit]:
    """Which IP addresses stand in the text? Loopback and "any" are nobody's and stay.

    >>> [h.value for h in find_ips("10.1.2.3:8080 v1.2.3.4 Chrome/99.0.1.2 2001:db8::7 std::string 04:37:58 127.0.0.1")]
    ['10.1.2.3', '2001:db8::7']
    """
    for match in _IPV4.finditer(text):
        if match[0] not in EVERYONE and not _AFTER_NAME.search(text[max(match.start() - 24, 0) : match.start()]):
            yield Hit(match.start(), match.end(), "ip", "IP address", match[0])
    for match in _IN_NAME.finditer(text):
        yield Hit(match.start(1), match.end(1), "ip", "IP address", match[1].replace("-", "."))
    if "::" in text or text.count(":") > 6:
        for match in _IPV6.finditer(text):
            value = match[0].partition("%")[0]
            if value in EVERYONE or not any(c.isdigit() for c in value) or value.count(":") < 2:
                continue
            try:
                address = ipaddress.IPv6Address(value)
            except ValueError:
                continue
            if len(value) > 4:
                yield Hit(match.start(), match.end(), "ip", "IP address", str(address))


def is_public(address: str) -> bool:
    """Does the address belong to the internet, not to a private network?

    >>> is_public("10.0.0.1"), is_public("8.8.8.8")
    (False, True)
    """
    try:
        return not ipaddress.ip_address(address).is_private
    except ValueError:
        return True


def find_macs(text: str) -> Iterator[Hit]:
    """Which MAC addresses stand in the text?

    >>> [h.value for h in find_macs("eth0 00:1a:2b:3c:4d:5e at 04:37:58")]
    ['001a2b3c4d5e']
    """
    for match in _MAC.finditer(text):
        value = re.sub("[:-]", "", match[0]).lower()
        if len(set(value)) > 2:
            yield Hit(match.start(), match.end(), "mac", "MAC address", value)
