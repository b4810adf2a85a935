"""Which masked lines were written by the same statement? A tree over distinct lines: length, delimiters, then words.

Own algorithm, in the family of Drain and IPLoM. Lines of the same frame (the same delimiters in the same places) are
split at the position with the fewest words as long as those words look like part of the statement; positions whose
words look like values become `<*>`. Unlike an online tree it sees all lines at once, so the order of lines is
irrelevant, and it works on distinct lines, so a million repetitions cost nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from kit.mining.mask import VARIABLE

Tokens = tuple[str, ...]

DELIMITERS = frozenset({*" =:,;()[]{}\"'<>|!?", "://"})
_DIGITS = re.compile(r"\d+")
_LIST = re.compile(r"<\*>(?:[ ,]+<\*>)+")

FEW_WORDS = 2
MANY_WORDS = 5
MANY_FIRST_WORDS = 8
LEAST_CONSTANT = 2
LONG_LIST = 12


def group(lines: Sequence[Tokens]) -> tuple[list[int], list[str]]:
    """Which statement does each distinct masked line belong to, and what is its template?

    Returns a group number per line and a template per group.

    >>> group([("user", " ", w, " ", "in") for w in ("<*>", "eve", "bob")])
    ([0, 0, 0], ['user <*> in'])
    """
    frames: dict[Tokens, list[int]] = defaultdict(list)
    for index, line in enumerate(lines):
        frames[tuple(t if t in DELIMITERS else "w" for t in line)].append(index)
    found = [part for members in frames.values() for part in _split([(i, lines[i]) for i in members])]
    covered = _covered([template for _, template in found])
    found = [(part, covered.get(template, template)) for part, template in found]
    spellings: dict[str, set[str]] = defaultdict(set)
    for _, template in found:
        spellings[_fold_lists(template)].add(template)
    templates: dict[str, int] = {}
    groups = [-1] * len(lines)
    for part, template in found:
        folded = _fold_lists(template)
        final = template if len(spellings[folded]) == 1 and template.count(VARIABLE) < LONG_LIST else folded
        number = templates.setdefault(final, len(templates))
        for i in part:
            groups[i] = number
    return groups, list(templates)


def _split(members: list[tuple[int, Tokens]]) -> list[tuple[list[int], str]]:
    """The groups among lines of one frame."""
    columns = [set(column) for column in zip(*(line for _, line in members), strict=True)]
    varying = [p for p, words in enumerate(columns) if len(words) > 1]
    for position in [p for p in varying if _same_shape(columns[p])]:
        members = _replace(members, position, VARIABLE)
        varying.remove(position)
    if not varying:
        return [([i for i, _ in members], "".join(members[0][1]))]
    constant = sum(1 for p, words in enumerate(columns) if p not in varying and not words & DELIMITERS)
    position = min(varying, key=lambda p: (VARIABLE in columns[p], len(columns[p]), p))
    if _is_value(columns, varying, position, constant):
        for p in varying:
            members = _replace(members, p, VARIABLE)
        return [([i for i, _ in members], "".join(members[0][1]))]
    parts: dict[str, list[tuple[int, Tokens]]] = defaultdict(list)
    for i, line in members:
        parts[line[position]].append((i, line))
    return [found for part in parts.values() for found in _split(part)]


def _is_value(columns: list[set[str]], varying: list[int], position: int, constant: int) -> bool:
    """Are the words at the position with the fewest of them values? Then those at all varying positions are."""
    words = columns[position]
    if VARIABLE in words and constant:
        return len(words) > FEW_WORDS
    if position == 0:
        return constant >= 3 * len(varying) and len(words) >= MANY_FIRST_WORDS
    return constant >= len(varying) and len(words) >= MANY_WORDS


def _same_shape(words: set[str]) -> bool:
    return VARIABLE not in words and len({_DIGITS.sub("0", w) for w in words}) == 1


def _replace(members: list[tuple[int, Tokens]], position: int, word: str) -> list[tuple[int, Tokens]]:
    return [(i, (*line[:position], word, *line[position + 1 :])) for i, line in members]


def _covered(templates: list[str]) -> dict[str, str]:
    """Which templates are another one whose value held delimiters? `at LOCAL(<*>), on` is `at <*>, on`.

    The other template starts with a constant word and has two or more; what its values take in holds `<*>` itself.
    """
    alike: dict[tuple[str, int], list[tuple[str, list[str]]]] = defaultdict(list)
    for template in dict.fromkeys(templates):
        words = template.split()
        if words and VARIABLE not in words[0]:
            alike[words[0], len(words)].append((template, words))
    found: dict[str, str] = {}
    for members in alike.values():
        wholes = [m for m in members if VARIABLE in m[0] and _constant_words(m[1]) >= LEAST_CONSTANT]
        for whole, own in sorted(wholes if len(members) > 1 else [], key=lambda m: (len(m[0]), m[0])):
            for template, words in members:
                if template != whole and template not in found and whole not in found and _covers(own, words):
                    found[template] = whole
    return found


def _covers(whole: list[str], words: list[str]) -> bool:
    """Are these the words of the other template, save that values in a word with one `<*>` hold more?"""
    for mine, other in zip(whole, words, strict=True):
        if mine == other:
            continue
        before, found, after = mine.partition(VARIABLE)
        inner = other[len(before) : len(other) - len(after)]
        if not found or VARIABLE in after or VARIABLE not in inner:
            return False
        if not (other.startswith(before) and other.endswith(after)):
            return False
    return True


def _constant_words(words: list[str]) -> int:
    return sum(1 for word in words if VARIABLE not in word and any(c.isalpha() for c in word))


def _fold_lists(template: str) -> str:
    return _LIST.sub(VARIABLE, template)
