"""What points to a person by its form: e-mail addresses, telephone and social security numbers."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from kit.redaction.hit import Hit

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9.!#$&'*+/=?^_`{|}~-])[A-Za-z0-9][A-Za-z0-9.!#$&'*+=?^_`{|}~-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+"
    r"(?P<tld>[A-Za-z]{2,24}|xn--[a-z0-9]+)(?![A-Za-z0-9])"
)
_FILES_TEXT = (
    "png jpg jpeg gif svg webp ico js mjs css ts tsx jsx py go java rb rs c h cpp sh so jar war json yaml yml xml "
    "md txt log local service slice scope socket timer mount target"
)
_FILES = frozenset(_FILES_TEXT.split())
_WORDS = frozenset({"local"})
_INTERNATIONAL = re.compile(r"(?<![\w+.:/=-])(?:\+|00)(?=[1-9])(?:[ \t.\-/()]{0,2}\d){8,15}(?![\w])")
_NORTH_AMERICAN = re.compile(
    r"(?<![\w.+-])(?:1[ .-])?(?:\([2-9]\d{2}\)[ .-]?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}(?![\w.-]?\w)"
)
_SAYS = "tel|phone|telephone|mobile|cell|call(?:ed)?|fax|sms|text|handy|telefon|whatsapp|dial"
_SAID = re.compile(
    rf"(?i)\b(?:{_SAYS})\b[\w .]{{0,12}}?[:=#]?[ \t]{{0,3}}(?P<n>\(?0?\d(?:[ .\-/()]{{0,2}}\d){{6,14}})(?!\w)"
)
_SSN = re.compile(r"(?<![\w.-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w.-]?\w)")


def find_emails(text: str, *, services: Collection[str] = ()) -> Iterator[Hit]:
    """Which e-mail addresses stand in the text? `service@instance/…`, the key of a signal, is none.

    >>> [h.value for h in find_emails("Mail bob@shop.example, logo@2x.png, git@github.com:a/b")]
    ['bob@shop.example']
    """
    if "@" not in text:
        return
    for match in _EMAIL.finditer(text):
        local, _, host = match[0].partition("@")
        after = text[match.end() : match.end() + 1]
        if match["tld"].lower() in _FILES - _WORDS or (local == "git" and after in (":", "/")):
            continue
        if local in services and (after in ("/", ":") or host):
            continue
        yield Hit(match.start(), match.end(), "email", "e-mail", match[0].casefold())


def find_phones(text: str) -> Iterator[Hit]:
    """Which telephone numbers stand in the text: international, North American, or behind a word that says so?

    >>> [h.value for h in find_phones("call 030 901820-12 or +49 (30) 90 18 20, took 2026-11-24 04:37:58")]
    ['+4930901820', '03090182012']
    """
    for form in (_INTERNATIONAL, _NORTH_AMERICAN):
        for match in form.finditer(text):
            digits = re.sub(r"\D", "", match[0])
            if match[0].startswith("00") and not re.search(r"[ ./()-]", match[0]):
                continue
            yield Hit(
                match.start(), match.end(), "phone", "telephone", ("+" if form is _INTERNATIONAL else "") + digits
            )
    for match in _SAID.finditer(text):
        yield Hit(match.start("n"), match.end("n"), "phone", "telephone", re.sub(r"\D", "", match["n"]))


def find_social_security(text: str) -> Iterator[Hit]:
    """Which US social security numbers stand in the text?

    >>> [h.value for h in find_social_security("ssn 219-09-9999, took 000-12-3456")]
    ['219-09-9999']
    """
    for match in _SSN.finditer(text):
        yield Hit(match.start(), match.end(), "ssn", "social security number", match[0])
