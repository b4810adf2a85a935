"""Find what must not leave in any text, and put pseudonyms in its place: the same everywhere."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from kit.redaction.accounts import find_cards, find_ibans
from kit.redaction.disguises import encoded, is_disguised, views
from kit.redaction.entropy import find_random, is_hash_or_word
from kit.redaction.hit import SEPARATOR, Hit, merged
from kit.redaction.hosts import find_hosts
from kit.redaction.keyed import find_keyed, is_placeholder
from kit.redaction.learnt import Learnt
from kit.redaction.names import PERSONAL, SECRET, STEMS, TENANT, gives_away, told_by_name
from kit.redaction.network import EVERYONE, find_ips, find_macs, is_public
from kit.redaction.own_patterns import find_own
from kit.redaction.people import find_emails, find_phones, find_social_security
from kit.redaction.profile import HOST_COLUMNS, Profile
from kit.redaction.pseudonyms import FORM, STARTS, Pseudonyms
from kit.redaction.tokens import find_tokens
from kit.redaction.urls import find_home_folders, find_in_urls

_BLOCK = 400_000
_DEPTH = 3
_LEAST_LEFT = 6
_BY_NAME = ("key by name", "personal", "URL parameter", "URL user info")
NOT_A_VALUE = frozenset({"", "<other>", "<missing>"}) | EVERYONE


class Redactor:
    """Takes out of texts what a profile says must not leave; remembers what it took, to look for it at the end.

    `services` are names of the case's own parts, which stay. First everything is learnt from (`learn`, `learn_text`),
    then redacted: a value that one column gives away is taken out of every other text too.

    >>> redactor = Redactor(Profile(), Pseudonyms(b"k" * 32))
    >>> redactor.text("ada@example.org asked").endswith(" asked"), redactor.text("took 12 ms")
    (True, 'took 12 ms')
    """

    def __init__(self, profile: Profile, pseudonyms: Pseudonyms, *, services: Collection[str] = ()) -> None:
        self.profile = profile
        self.pseudonyms = pseudonyms
        self.services = frozenset(services)
        self.learnt = Learnt()
        self.identifiers: set[str] = set()
        """Values of columns of trace ids and the like: random by nature, and let pass."""
        self.taken: dict[str, str] = {}
        """What was taken out so far, and the pseudonym that stands in its place."""
        self.counts: dict[str, set[str]] = defaultdict(set)
        """The distinct values that each detector found."""
        self.kept = self.services | profile.keep
        self._done: dict[str, str] = {}
        self._read: set[str] = set()

    # --- learning ----------------------------------------------------------------------------------------------------

    def told(self, name: str) -> str | None:
        """Does this name of a column say that its values are `secret`, `personal`, an `identifier` or a `tenant`?"""
        low = name.lower()
        if low in self.profile.personal:
            return PERSONAL
        if self.profile.hosts and low in HOST_COLUMNS:
            return "host"
        return TENANT if low == TENANT else told_by_name(name)

    def learn(self, value: str, told: str) -> None:
        """A value of a column that is secret or about a person: look for it in every other text as well."""
        if not gives_away(told, value):
            return
        if value not in self.kept and value not in NOT_A_VALUE and not is_placeholder(value):
            self.learnt.add(value, _kind_told(told))

    def learn_text(self, texts: Iterable[str]) -> None:
        """Learn the values that names inside these texts give away, as in `password=…`."""
        new = [t for t in texts if t not in self._read]
        self._read.update(new)
        for block in _blocks(_with_names(new)[0]):
            for hit in find_keyed(block):
                self._learn_hit(hit)
        self._done.clear()

    def _learn_hit(self, hit: Hit) -> None:
        if hit.value not in self.kept and hit.value not in self.pseudonyms.issued:
            self.learnt.add(hit.value, hit.kind)

    # --- finding -----------------------------------------------------------------------------------------------------

    def find(self, text: str) -> list[Hit]:
        """Every place of the text that must not leave, without overlaps."""
        return merged(self._find(text, depth=0))

    def _find(self, text: str, *, depth: int, named: bool = True, joined: bool = False) -> Iterator[Hit]:
        ours = self._issued_in(text)
        direct = [
            h
            for h in self._direct(text, named=named)
            if self._counts_as_hit(h) and not (ours and _overlaps(h.start, h.start + 1, ours))
        ]
        yield from direct
        if depth >= _DEPTH:
            return
        yield from self._encoded(text, depth)
        if joined:
            return
        pieces = text.split(SEPARATOR) if SEPARATOR in text else [text]
        at = 0
        for piece in pieces:
            if is_disguised(piece):
                yield from self._disguised(piece, at, depth, direct)
            at += len(piece) + 1

    def _encoded(self, text: str, depth: int) -> Iterator[Hit]:
        for start, end, told, how in encoded(text):
            inner = list(self._find(told, depth=depth + 1))
            if inner:
                first = max(inner, key=lambda h: h.end - h.start)
                whole = first.end - first.start >= len(told) - 2
                yield Hit(
                    start, end, first.kind, f"{first.found_by} in {how}", first.value if whole else text[start:end]
                )

    def _disguised(self, piece: str, at: int, depth: int, direct: Sequence[Hit]) -> Iterator[Hit]:
        ours = self._issued_in(piece)
        for view in views(piece):
            if view.text == piece:
                continue
            inner = (
                self._known(view.text)
                if view.spaced
                else self._find(view.text, depth=depth + 1, joined=bool(view.joints))
            )
            for hit in inner:
                start, end = (p + at for p in view.back(hit.start, hit.end))
                if _overlaps(start - at, end - at, ours):
                    continue
                if view.joints and not (
                    view.crosses(hit.start, hit.end)
                    and self._is_torn(hit, piece, start - at, end - at, at, direct, spaced=view.spaced)
                ):
                    continue
                yield Hit(start, end, hit.kind, f"{hit.found_by}, {view.disguise}", hit.value)

    def _known(self, text: str) -> Iterator[Hit]:
        """Known values, and numbers that are written in groups: what a line may be broken in at a blank."""
        yield from self.learnt.find(text)
        yield from find_cards(text)
        yield from find_ibans(text)
        yield from find_phones(text)

    def _is_torn(
        self, hit: Hit, piece: str, start: int, end: int, at: int, direct: Sequence[Hit], *, spaced: bool
    ) -> bool:
        """Is what only shows when lines are joined one value, not the end of a line and the beginning of the next?

        A known value is, and a form that did not fit before the join. A value behind a name is when the rest of it is
        all that the next line holds.
        """
        if FORM.search(hit.value) or (hit.kind == "phone" and not hit.value.startswith("+")):
            return False
        if hit.found_by == "learnt value":
            return True
        if spaced and hit.kind not in ("card", "iban", "phone"):
            return False
        if hit.found_by == "high entropy" and any(is_hash_or_word(p) for p in piece[start:end].split()):
            return False
        if hit.found_by in _BY_NAME and hit.found_by != "URL user info":
            return piece[end : end + 1] in ("", "\n", "\r", '"', "'", "<", "\\", "`", "&") and hit.kind == "secret"
        return not any(d.start <= start + at < d.end and d.kind == hit.kind for d in direct)

    def _direct(self, text: str, *, named: bool) -> Iterator[Hit]:
        profile = self.profile
        yield from find_tokens(text)
        if named:
            yield from find_keyed(text)
        yield from find_in_urls(text)
        yield from find_emails(text, services=self.services)
        yield from find_cards(text)
        yield from find_ibans(text)
        yield from find_social_security(text)
        yield from find_phones(text)
        for hit in find_ips(text):
            if profile.private_addresses or is_public(hit.value):
                yield hit
        if profile.private_addresses:
            yield from find_macs(text)
            yield from find_home_folders(text)
        if profile.hosts:
            yield from find_hosts(text)
        yield from find_random(text, known=self.identifiers)
        yield from self.learnt.find(text)
        yield from find_own(text, profile.patterns)

    def _issued_in(self, text: str) -> list[tuple[int, int]]:
        """Where do pseudonyms of ours stand in the text? What begins in one is no finding."""
        if not self.pseudonyms.issued or "_" not in text:
            return []
        return [m.span() for m in STARTS.finditer(text) if m[0] in self.pseudonyms.issued]

    def _counts_as_hit(self, hit: Hit) -> bool:
        if hit.value in self.kept or hit.value in self.pseudonyms.issued:
            return False
        if hit.kind == "card" and hit.value in self.identifiers:
            return False
        if hit.found_by not in _BY_NAME or "_" not in hit.value:
            return True
        first = STARTS.match(hit.value)
        if first is not None and first[0] in self.pseudonyms.issued:
            return False
        rest = FORM.sub(lambda m: "" if m[0] in self.pseudonyms.issued else m[0], hit.value)
        return rest == hit.value or sum(c.isalnum() for c in rest) >= _LEAST_LEFT

    # --- replacing ---------------------------------------------------------------------------------------------------

    def text(self, text: str) -> str:
        """The text with a pseudonym in every such place."""
        return self.texts([text])[0]

    def texts(self, texts: Sequence[str]) -> list[str]:
        """Many texts at once, each distinct one read once."""
        new = [t for t in dict.fromkeys(texts) if t not in self._done]
        for group, named in zip(_with_names(new), (True, False), strict=True):
            for block in _blocks(group):
                out = self._replaced(block, named=named)
                self._done.update(zip(block.split(SEPARATOR), out.split(SEPARATOR), strict=True))
        for text in (t for t in new if is_disguised(t) and self._done.get(t, t) != t):
            self._done[text] = self._replaced(self._done[text])  # what a disguise hid may show only now
        for text in (t for t in new if SEPARATOR in t):
            self._done[text] = self._replaced(text)
        return [self._done[t] for t in texts]

    def _replaced(self, text: str, *, named: bool = True) -> str:
        parts, done = [], 0
        for hit in merged(self._find(text, depth=0, named=named)):
            if SEPARATOR in text[hit.start : hit.end]:
                continue
            made = self._stand_in(hit.value, hit.kind, hit.found_by)
            self.taken.setdefault(text[hit.start : hit.end], made)
            parts += [text[done : hit.start], made]
            done = hit.end
        return "".join([*parts, text[done:]])

    def peek(self, texts: Sequence[str]) -> list[list[str]]:
        """By which detectors is something found in each text? Nothing is replaced, learnt or counted."""
        found: dict[str, list[str]] = {}
        for group, named in zip(_with_names(list(dict.fromkeys(texts))), (True, False), strict=True):
            for block in _blocks(group):
                at, ends = 0, []
                for piece in block.split(SEPARATOR):
                    at += len(piece) + 1
                    ends.append((at, piece))
                starts = [end for end, _ in ends]
                for hit in merged(self._find(block, depth=0, named=named)):
                    found.setdefault(ends[bisect_right(starts, hit.start)][1], []).append(hit.found_by)
        return [found.get(t, []) for t in texts]

    def whole(self, value: str, told: str) -> str:
        """The pseudonym of a whole value, since the name of its column gives it away."""
        if value in NOT_A_VALUE or value in self.kept or is_placeholder(value) or value in self.pseudonyms.issued:
            return value
        if not gives_away(told, value):
            return self.text(value)
        return self._stand_in(value, _kind_told(told), "column of hosts" if told == "host" else f"{told} column")

    def learn_ids(self, ids: Iterable[str]) -> None:
        """Ids that told a value: look for them in every text that is read from now on."""
        for one in ids:
            self.learnt.add(one, "match")
        self._done.clear()

    def known_values(self) -> Iterator[str]:
        """Every value that was taken out or learnt so far."""
        yield from self.taken
        yield from self.learnt

    def pseudonym(self, value: str) -> str:
        """What stands in the place of a known value."""
        return self.taken.get(value) or self._stand_in(value, self.learnt.kind_of(value) or "match", "learnt value")

    def number(self, value: int, told: str) -> int:
        """The same for a column of numbers."""
        self.counts[f"{told} column"].add(str(value))
        return self.pseudonyms.number_of(value)

    def _stand_in(self, value: str, kind: str, found_by: str) -> str:
        self.counts[found_by.split(",")[0].split(" in ")[0]].add(value)
        kind, value = self._form_of(value, kind)
        made = self.pseudonyms.of(kind, value)
        self.taken.setdefault(value, made)
        return made

    def _form_of(self, value: str, kind: str) -> tuple[str, str]:
        """A value that has a form of its own is called by it wherever it was found, so that it is one pseudonym."""
        if kind in ("user", "secret", "host", "match"):
            stripped = value.strip()
            for find in (find_emails, find_cards, find_ibans, find_ips, find_tokens, find_phones):
                for hit in find(stripped):
                    if hit.start == 0 and hit.end == len(stripped):
                        return hit.kind, hit.value
            return self.learnt.kind_of(stripped) or kind, stripped
        return kind, value


def is_pseudonym(value: str) -> bool:
    """Has a text the form of a pseudonym?

    >>> is_pseudonym("email_abcdefghijkl2"), is_pseudonym("email_ada")
    (True, False)
    """
    return FORM.fullmatch(value) is not None


def _kind_told(told: str) -> str:
    return {SECRET: "secret", "host": "host"}.get(told, "user")


def _with_names(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """The texts in which some name may give a value away, and the others, told apart in one cheap pass."""
    if not texts:
        return [], []
    may = pc.match_substring_regex(pa.array(texts, pa.large_string()), STEMS, ignore_case=True).to_pylist()
    return [t for t, m in zip(texts, may, strict=True) if m], [t for t, m in zip(texts, may, strict=True) if not m]


def _overlaps(start: int, end: int, spans: Sequence[tuple[int, int]]) -> bool:
    at = bisect_right(spans, (start, 1 << 62)) - 1
    return (at >= 0 and spans[at][1] > start) or (at + 1 < len(spans) and spans[at + 1][0] < end)


def _blocks(texts: Iterable[str]) -> Iterator[str]:
    block: list[str] = []
    size = 0
    for text in texts:
        if SEPARATOR in text:
            continue
        block.append(text)
        size += len(text)
        if size > _BLOCK:
            yield SEPARATOR.join(block)
            block, size = [], 0
    if block:
        yield SEPARATOR.join(block)
