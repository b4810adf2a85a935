"""Ids that are made of a text's words, in small letters and joined by dashes: redacted as the text itself was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kit.hypothesis import slug
from kit.redaction.learnt import is_telling
from kit.redaction.redactor import Redactor

_CUT = 60
"""Characters from which on an id may have been cut, within a word of the text."""
_NONE = "0" * 16


class Ids:
    """What do the ids of a case's hypotheses become, once the texts that they are made of were redacted?

    An id that is its statement's words becomes the redacted statement's; in any other each known value is replaced, as
    it reads in an id, by its pseudonym as that does. So a redacted walk, which makes ids of redacted texts, meets the
    ids that people wrote down.
    """

    def __init__(self, redactor: Redactor, statements: Iterable[tuple[str, str, str]] = ()) -> None:
        self._redactor = redactor
        self._values: dict[str, str] = {}
        for value in redactor.known_values():
            if is_telling(value, "user") and slug(value):
                self._values.setdefault(slug(value), value)
        self.renamed = {own: slug(after) for own, before, after in statements if own == slug(before)}
        """Each id that was asked for, and what it has become."""

    def of(self, own: str) -> str:
        """What has this id become? The same, where nothing in it must not leave."""
        if own not in self.renamed:
            self.renamed[own] = self._redactor.text("-".join(self._words(own.split("-"))))
        return self.renamed[own]

    def _words(self, words: list[str]) -> list[str]:
        made: list[str] = []
        at, cut = 0, len("-".join(words)) >= _CUT
        while at < len(words):
            for end in range(len(words), at, -1):
                run = "-".join(words[at:end])
                value = self._values.get(run.lower())
                if value is None and cut and end == len(words):
                    value = self._begun(run.lower())
                if value is not None:
                    made.append(slug(self._redactor.pseudonym(value)))
                    at = end
                    break
            else:
                made.append(words[at])
                at += 1
        return made

    def _begun(self, run: str) -> str | None:
        """The value of which this is the beginning, where an id was cut."""
        if len(run) < 4:
            return None
        return next((value for told, value in self._values.items() if told.startswith(run)), None)


def hypothesis_ids(before: Mapping[str, Any], after: Mapping[str, Any], redactor: Redactor) -> Ids:
    """The ids of `hypotheses.toml`, given as it was and as its texts are now."""
    pairs = zip(before.get("hypothesis", ()), after.get("hypothesis", ()), strict=True)
    return Ids(redactor, [(b.get("id", ""), b.get("statement", ""), a.get("statement", "")) for b, a in pairs])


def put_ids(values: dict[str, Any], before: Mapping[str, Any], ids: Ids, *, digests: Mapping[str, str]) -> None:
    """Put the redacted ids in place in what `hypotheses.toml` or `choices.toml` hold.

    `digests` is what each hypothesis predicted when the case was walked: a waiver of just that holds for what the
    redacted walk predicts, so it names no digest any more. Any other lapsed, and its digest, a hash of unredacted
    texts, becomes one of nothing.
    """
    for new, old in zip(values.get("hypothesis", ()), before.get("hypothesis", ()), strict=True):
        if old.get("id"):
            new["id"] = ids.of(old["id"])
    for new, old in zip(values.get("waiver", ()), before.get("waiver", ()), strict=True):
        new["hypothesis"] = ids.of(old["hypothesis"])
        if old.get("digest"):
            new["digest"] = "" if old["digest"] == digests.get(old["hypothesis"]) else _NONE
    if "hypothesis" in before.get("focus", {}):
        values["focus"]["hypothesis"] = ids.of(before["focus"]["hypothesis"])
