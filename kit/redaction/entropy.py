"""Strings that look drawn at random: passwords and keys of no known form. Hashes, trace ids and names are let pass."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Container, Iterator
from functools import lru_cache

from kit.redaction.disguises import from_base64
from kit.redaction.hit import Hit
from kit.redaction.names import IDENTIFIER, told_by_name

LENGTH, BITS = 20, 3.5
_RUN = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{20,}={0,2}")
_HASH = re.compile(r"(?:0x)?[0-9a-fA-F]+(?:[-_:][0-9a-fA-F]+)*|sha(?:256|384|512)-[A-Za-z0-9+/]+=*|[\d+/_=-]+")
_NAMED = re.compile(r"([A-Za-z][\w.\-]{1,40})[\"'\\]{0,3}[ \t]{0,3}[:=@][ \t]{0,3}[\"'\\]{0,3}$")
_BEFORE = re.compile(r"(?i)(?:sha\d*|md5|digest|commit|trace|span|request|etag|checksum|integrity)[ :=@\"'/-]{1,3}$")
_WORD = re.compile(r"[A-Z]?[a-z]{4,}|[0-9a-f]{16,}")
_CLASSES = str.maketrans(
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "d" * 10 + "l" * 26 + "U" * 26
)
_TURNS = re.compile(r"d+|l+|U+")


def find_random(text: str, *, known: Container[str] = ()) -> Iterator[Hit]:
    """Which strings of 20 characters or more look drawn at random?

    `known` are identifiers that were seen in columns of ids. Hexadecimal ids and hashes pass by their form, and so do
    names, and base64 of readable text (which is read by itself). What tells random from a name is how often capitals,
    small letters and digits take turns, beside Shannon's entropy.

    >>> [h.value for h in find_random("key q8Zt3KxLw0Vb7RnYc2Jd in ContainerAllocatorService on shop-7f9c8d6b5d-x2x4z")]
    ['q8Zt3KxLw0Vb7RnYc2Jd']
    """
    for match in _RUN.finditer(text):
        parts = _random_parts(match[0])
        if not parts or match[0] in known or _is_identifier(text[max(match.start() - 48, 0) : match.start()]):
            continue
        for start, end in parts:
            if match[0][start:end] not in known:
                yield Hit(match.start() + start, match.start() + end, "secret", "high entropy", match[0][start:end])


def bits_per_character(text: str) -> float:
    """Shannon's entropy of the characters of a text, in bits a character.

    >>> bits_per_character("abcd"), bits_per_character("aaaa")
    (2.0, 0.0)
    """
    return sum(-n / len(text) * math.log2(n / len(text)) for n in Counter(text).values()) + 0.0


def is_hash_or_word(piece: str) -> bool:
    """Is the end of a line, or the beginning of the next, a hash or a word of its own, and so no half of a secret?

    >>> is_hash_or_word("9f86d081884c7d65"), is_hash_or_word("parquet"), is_hash_or_word("q8Zt3KxL")
    (True, True, False)
    """
    return piece.isalpha() or (len(piece) >= 16 and _HASH.fullmatch(piece) is not None)


@lru_cache(maxsize=50_000)
def _random_parts(run: str) -> tuple[tuple[int, int], ...]:
    """Which stretches of a run look random: the whole of it, or words of it?"""
    if _HASH.fullmatch(run):
        return ()
    if _mixed(run) and not ("/" in run and any(_WORD.fullmatch(p) for p in run.split("/"))):
        return () if from_base64(run) is not None else ((0, len(run)),)
    return tuple(
        part.span()
        for part in re.finditer(r"[A-Za-z0-9]{20,}", run)
        if not _HASH.fullmatch(part[0]) and _drawn(part[0]) and from_base64(part[0]) is None
    )


def _drawn(part: str) -> bool:
    """One word: letters and digits take turns."""
    classes = part.translate(_CLASSES)
    return (
        classes.count("d") >= 2
        and len(_TURNS.findall(classes)) - 1 >= 0.3 * (len(part) - 1)
        and len(set(part)) > 10
        and bits_per_character(part) >= BITS
    )


def _mixed(run: str) -> bool:
    """Words joined by punctuation: only when capitals, small letters and digits all take turns often."""
    letters = re.sub(r"[^A-Za-z0-9]", "", run)
    classes = letters.translate(_CLASSES)
    return (
        len(letters) >= 18
        and min(classes.count("U"), classes.count("l")) >= 3
        and "d" in classes
        and len(_TURNS.findall(classes)) - 1 >= 0.42 * (len(letters) - 1)
        and bits_per_character(letters) >= 3.7
    )


def _is_identifier(before: str) -> bool:
    named = _NAMED.search(before)
    return (named is not None and told_by_name(named[1]) == IDENTIFIER) or _BEFORE.search(before) is not None
