"""Numbers that money moves by: payment cards and IBANs, told from other numbers by their own check digits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kit.redaction.hit import Hit

_CARD = re.compile(r"(?<![\w.+-])(?:\d[ \-\t]?){12,18}\d(?![\w])")
_BRANDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|"
    r"6(?:011|5\d\d|4[4-9]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ \t-]?[A-Z0-9]{4}){2,7}(?:[ \t-]?[A-Z0-9]{1,4})?(?![A-Za-z0-9])")
_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20,
    "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24,
    "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip


def find_cards(text: str) -> Iterator[Hit]:
    """Which payment card numbers stand in the text? Brand, length and Luhn's check digit must fit.

    >>> [h.value for h in find_cards("paid 4111 1111 1111 1111, order 4111111111111112, at 1795494109145000")]
    ['4111111111111111']
    """
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if _BRANDS.fullmatch(digits) and luhn(digits):
            yield Hit(match.start(), match.end(), "card", "card number", digits)


def luhn(digits: str) -> bool:
    """Does the last digit fit the others? (Luhn 1960, ISO/IEC 7812-1.)

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    doubled = (int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def find_ibans(text: str) -> Iterator[Hit]:
    """Which IBANs stand in the text? Country, length and check digits must fit (ISO 13616, ISO 7064 mod 97).

    >>> [h.value for h in find_ibans("to DE89 3704 0044 0532 0130 00 from DE00370400440532013000")]
    ['DE89370400440532013000']
    """
    for match in _IBAN.finditer(text):
        value = re.sub(r"[ \t-]", "", match[0])
        length = _LENGTHS.get(value[:2])
        for cut in {len(value), length}:
            if cut and length == cut <= len(value) and _mod_97(value[:cut]):
                end = match.end() if cut == len(value) else _end_of(match, cut)
                yield Hit(match.start(), end, "iban", "IBAN", value[:cut])


def _end_of(match: re.Match[str], count: int) -> int:
    seen = 0
    for index, character in enumerate(match[0]):
        seen += character not in " \t-"
        if seen == count:
            return match.start() + index + 1
    return match.end()


def _mod_97(value: str) -> bool:
    return int("".join(str(int(c, 36)) for c in value[4:] + value[:4])) % 97 == 1
