"""What people decided by hand in this case, in `choices.toml`: waived reversals, what they look at, pins, frames.

Written by a person's hand (a widget, `Case.waive`, an editor), never by the walk, which repeats what stands there and
adds nothing. The text keeps its comments, a choice is appended, so that two people's choices merge in git. Whatever is
written was read back first and says just what was meant; the file is replaced whole or not at all.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from connectors.durable import locked, write_whole
from connectors.errors import BadInput, ConnectorError
from kit.focus import NOTHING, Chosen
from kit.frame_spec import FrameSpec
from kit.pins import Pin
from kit.verdict import Waiver

if TYPE_CHECKING:
    from kit.hypothesis import Hypothesis

_KEYS = ("hypothesis", "reason", "by_role", "digest")
_SECTIONS = ("waiver", "focus", "pin", "frame")
CHOICES = "choices.toml"
LARGEST = 1_000_000
"""Characters of a file of choices; a larger one was not written by hands."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices of a case: `waivers` of reversals, what is looked at (`focus`), `pins`, `frames` loaded by name."""

    waivers: tuple[Waiver, ...] = ()
    focus: Chosen = NOTHING
    pins: tuple[Pin, ...] = ()
    frames: tuple[FrameSpec, ...] = ()

    def on(self, hypotheses: Sequence[Hypothesis]) -> tuple[tuple[Waiver, ...], tuple[str, ...]]:
        """Which waivers hold for these hypotheses, and why do the others not? The second part is sentences.

        A waiver lapses when its hypothesis is not put up any more, or predicts something else than what was waived.
        """
        by_id = {h.id: h for h in hypotheses}
        holding, lapsed = [], []
        for w in self.waivers:
            found = by_id.get(w.hypothesis)
            if found is None:
                lapsed.append(f"the reversal waived for {w.hypothesis} waives nothing: no such hypothesis is put up")
            elif w.digest and w.digest != found.digest:
                lapsed.append(
                    f"the reversal waived for {w.hypothesis} waives nothing: the hypothesis predicts something else now"
                )
            else:
                holding.append(w)
        return tuple(holding), tuple(lapsed)


def read_choices(text: str, *, where: str = "choices.toml") -> Choices:
    """Which choices are written here? Raises `BadInput` naming the place and the fault.

    >>> text = '[[waiver]]' + chr(10) + 'hypothesis = "h"' + chr(10) + 'reason = "undone by hand"' + chr(10)
    >>> read_choices(text + 'by_role = "on-call lead"').waivers[0].reason
    'undone by hand'
    """
    if len(text) > LARGEST:
        raise BadInput(f"{where} has more than {LARGEST:,} characters: that is not a file of choices.")
    try:
        record = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInput(f"{where} is not TOML: {error}.") from None
    unknown = sorted(set(record) - set(_SECTIONS))
    if unknown:
        raise BadInput(
            f"{where} has unknown sections: {', '.join(unknown)}; it holds [focus], [[waiver]], [[pin]], [[frame]]."
        )
    waivers = _read(record, "waiver", _waiver, where)
    ids = [w.hypothesis for w in waivers]
    double = sorted({i for i in ids if ids.count(i) > 1})
    if double:
        raise BadInput(f"{where} waives the reversal of {', '.join(double)} twice: keep one.")
    pins = _read(record, "pin", lambda entry, _: Pin.of(entry), where)
    frames = _read(record, "frame", lambda entry, _: FrameSpec.of(entry), where)
    by_name = {f.name: f for f in frames}  # the last one of a name counts
    return Choices(waivers, _focus(record.get("focus", {}), where), pins, tuple(by_name.values()))


def read_case_choices(folder: Path) -> Choices:
    """What people chose in this case; nothing where the folder has no `choices.toml`. Raises `BadInput`."""
    path = folder / CHOICES
    try:
        return read_choices(path.read_text(encoding="utf-8"), where=CHOICES) if path.exists() else Choices()
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not UTF-8 text: mend it, or remove it to choose again.") from None


def waiver_text(waiver: Waiver) -> str:
    """The section that says this waiver, to be appended to `choices.toml`.

    >>> print(waiver_text(Waiver("h", "undone by hand", "on-call lead")).strip())
    [[waiver]]
    hypothesis = "h"
    reason = "undone by hand"
    by_role = "on-call lead"
    """
    record = {key: getattr(waiver, key) for key in _KEYS if getattr(waiver, key)}
    return f"\n[[waiver]]\n{tomli_w.dumps(record)}"


def add_waiver(path: Path, hypothesis: Hypothesis, *, reason: str, by_role: str) -> None:
    """Append a waiver for this hypothesis, as it predicts now, to the file of choices; what stands there stays.

    Raises `BadInput` when a reason or a role is missing, or its reversal is waived there already.
    """
    waiver = Waiver(hypothesis.id, reason, by_role, hypothesis.digest)
    with locked(path):
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        text = f"{before.rstrip()}{chr(10) if before.strip() else ''}{waiver_text(waiver)}".lstrip()
        read_choices(text, where=path.name)
        write_whole(path, text)


def keep_focus(path: Path, chosen: Chosen) -> None:
    """Write down what is looked at, in the place of what was; nothing chosen: the section goes."""
    record = chosen.to_record()
    block = f"[focus]\n{tomli_w.dumps(record)}" if record else ""
    _edit(path, lambda c: replace(c, focus=chosen), drop=lambda header, _: header == "[focus]", add=block)


def keep_pin(path: Path, pin: Pin) -> None:
    """Append a pin; what stands there stays."""
    _edit(path, lambda c: replace(c, pins=(*c.pins, pin)), add=f"[[pin]]\n{tomli_w.dumps(pin.to_record())}")


def drop_pin(path: Path, pin: Pin) -> None:
    """Take a pin out again."""
    _edit(
        path,
        lambda c: replace(c, pins=tuple(p for p in c.pins if p != pin)),
        drop=lambda header, block: header == "[[pin]]" and Pin.of(tomllib.loads(block)["pin"][0]) == pin,
    )


def keep_frame(path: Path, frame: FrameSpec) -> None:
    """Write down how a frame of this name is loaded, in the place of what was said of that name before."""
    _edit(
        path,
        lambda c: replace(c, frames=(*(f for f in c.frames if f.name != frame.name), frame)),
        drop=lambda header, block: header == "[[frame]]" and tomllib.loads(block)["frame"][0].get("name") == frame.name,
        add=f"[[frame]]\n{tomli_w.dumps(frame.to_record())}",
    )


def _edit(
    path: Path,
    meant: Callable[[Choices], Choices],
    *,
    drop: Callable[[str, str], bool] = lambda _header, _block: False,
    add: str = "",
) -> None:
    """Leave out some sections of the file and append one; it is written only if it then says what is meant."""
    with locked(path):
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        before = read_choices(text, where=path.name)
        try:
            kept = [block for block in _blocks(text) if not drop(block.partition("\n")[0].strip(), block)]
        except (tomllib.TOMLDecodeError, KeyError, ConnectorError):
            kept = []
        new = "\n\n".join(part for part in ("".join(kept).strip(), add.strip()) if part)
        new = f"{new}\n" if new else ""
        try:
            as_meant = read_choices(new, where=path.name) == meant(before)
        except ConnectorError:
            as_meant = False
        if not as_meant:
            raise BadInput(f"{path.name} is written in a way that cannot be changed piece by piece: change it by hand.")
        write_whole(path, new)


def _blocks(text: str) -> list[str]:
    """The text in pieces, each beginning with the header of its section."""
    return [block for block in re.split(r"(?m)^(?=\[)", text) if block]


def _read(record: Mapping[str, Any], name: str, read: Callable[[Mapping[str, Any], str], Any], where: str) -> tuple:
    """All sections of one name, each read by `read`."""
    entries = record.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(e, Mapping) for e in entries):
        raise BadInput(f"{where}: write each {name} as a section [[{name}]] of its own.")
    found = []
    for number, entry in enumerate(entries, 1):
        place = f"{where}, {name} {number}"
        try:
            found.append(read(entry, place))
        except ConnectorError as error:
            told = str(error)
            raise BadInput(told if told.startswith(where) else f"{place}: {told.rstrip('.')}.") from None
    return tuple(found)


def _focus(record: Any, where: str) -> Chosen:
    if not isinstance(record, Mapping):
        raise BadInput(f"{where}: write what is looked at as one section [focus].")
    try:
        return Chosen.of(record)
    except ConnectorError as error:
        raise BadInput(f"{where}: {error}") from None


def _waiver(entry: Mapping[str, Any], where: str) -> Waiver:
    unknown = sorted(set(entry) - set(_KEYS))
    if unknown:
        raise BadInput(f"{where} has no {', '.join(unknown)}: it says {', '.join(_KEYS)}.")
    if not all(isinstance(v, str) for v in entry.values()):
        raise BadInput(f"{where}: all it says is text.")
    try:
        return Waiver(
            entry.get("hypothesis", ""), entry.get("reason", ""), entry.get("by_role", ""), entry.get("digest", "")
        )
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
