"""A static twin made alive: what it shows is markup that the kernel made, its parts are chosen by mouse or keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from connectors.errors import BadInput, ConnectorError
from kit.errors import KitError
from kit.focus import Focus
from kit.pins import LONGEST_TEXT, MOST_SHOWN, Pin, Pins
from kit.plain_text import escaped, visible

_HERE = Path(__file__).parent
WIDGET_MIME = "application/vnd.jupyter.widget-view+json"


def script(name: str) -> str:
    """The browser's part of the widget of this name, after what all widgets share."""
    return "".join((_HERE / f"{part}.js").read_text(encoding="utf-8") for part in ("shared", name))


class Alive(anywidget.AnyWidget):
    """What all widgets of the walk are: a title, one line that says what is chosen, a body, show code, pin.

    A widget says what it shows (`_markup`), what it does when a part is picked (`_picked`), its static twin (`twin`:
    a `Chart`, or HTML), the line of Python that does the same (`code`), and its `value`. All share a `Focus`: a part
    of it that moves anywhere draws each of them again. A refusal is said in the line and changes nothing.
    """

    _esm = script("alive")
    _css = (_HERE / "alive.css").read_text(encoding="utf-8")
    body = traitlets.Unicode().tag(sync=True)
    kind = traitlets.Unicode("alive").tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)
    wrong = traitlets.Bool(False).tag(sync=True)
    code_text = traitlets.Unicode().tag(sync=True)
    pinnable = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self, *, kind: str, title: str, focus: Focus | None, pins: Pins | None, evidence: Sequence[str] = ()
    ) -> None:
        super().__init__(kind=kind, title=visible(title))
        self.focus = focus or Focus()
        self.pins = pins
        self.evidence = tuple(evidence)
        self.pinnable = pins is not None
        self.focus.watch(self._moved)
        self.on_msg(self._heard)

    # --- what each widget says of itself ------------------------------------------------------------------------------

    value: Any = None

    @property
    def code(self) -> str:
        """The line of Python that does what is chosen here."""
        raise NotImplementedError

    @property
    def twin(self) -> Any:
        """What stands on an exported page in its place: a `Chart`, or HTML with every text escaped."""
        raise NotImplementedError

    def _markup(self) -> str:
        raise NotImplementedError

    def _status(self) -> str:
        """What is chosen, in one line."""
        raise NotImplementedError

    def _picked(self, name: str) -> None:
        """A part was picked by hand."""
        raise NotImplementedError

    def _cleared(self) -> None:
        """Escape was pressed."""

    def _shown(self) -> Sequence[str]:
        """What is seen now, in a few lines, for a pin."""
        return ()

    def _parts(self) -> frozenset[str] | None:
        """Which parts of the focus it follows; None: all."""
        return None

    # --- what they have in common -------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Show what is chosen now."""
        with self.hold_sync():
            self.body = self._markup()
            self.code_text = visible(self.code)
            self.say(self._status())

    def say(self, text: str, *, wrong: bool = False) -> None:
        """Say it in the widget's line; `wrong`: as a refusal."""
        self.said, self.wrong = visible(text), wrong

    def _moved(self, name: str) -> None:
        wanted = self._parts()
        if wanted is None or name in wanted:
            self.draw()

    def _heard(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """A message of the browser; whatever it holds, it can only pick, clear or pin."""
        content = content if isinstance(content, dict) else {}
        try:
            if isinstance(content.get("pick"), str):
                self._picked(content["pick"])
            elif content.get("clear"):
                self._cleared()
            elif isinstance(content.get("pin"), str):
                self.pin(content["pin"])
        except (ConnectorError, KitError) as refused:
            self.say(str(refused), wrong=True)
        except OSError as refused:
            self.say(f"choices.toml was not written ({refused.strerror}): look at the folder's rights.", wrong=True)

    def pin(self, sentence: str) -> None:
        """Pin what is seen now with this sentence. Raises `BadInput` without one, or where nothing can be pinned."""
        if self.pins is None:
            raise BadInput("Nothing can be pinned here: give the widget the case's pins.")
        shown = tuple(visible(line)[:LONGEST_TEXT] for line in self._shown())[:MOST_SHOWN]
        what = visible(f"{self.title} — {self._status()}")[:LONGEST_TEXT]
        self.pins.add(Pin(sentence.strip(), what, "view", shown, self.evidence[:50], self.code[:LONGEST_TEXT]))
        self.say(f"Pinned: {sentence.strip()}")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The widget for a live notebook, and its static twin for everything else."""
        twin = self.twin
        static = (
            twin._repr_mimebundle_()
            if hasattr(twin, "_repr_mimebundle_")
            else {"text/html": twin, "text/plain": visible(f"{self.title} — {self._status()}")}
        )
        return {**static, WIDGET_MIME: {"version_major": 2, "version_minor": 0, "model_id": self.model_id}}


def status(text: str, *, bad: bool = False) -> str:
    """A line that says how a form stands, as HTML; `bad`: as a refusal."""
    look = ' style="color:#D55E00;font-weight:600"' if bad else ""
    return f'<div role="status"{look}>{escaped(text)}</div>'


def pick(name: str, *, pressed: bool, label: str = "") -> str:
    """The attributes of a part that can be picked: what it stands for, whether it is chosen, and its name aloud."""
    spoken = f' aria-label="{escaped(label)}"' if label else ""
    return f'data-pick="{escaped(name)}" tabindex="-1" aria-pressed="{"true" if pressed else "false"}"{spoken}'


STATES = {"good": "●", "bad": "▲", "unknown": "?"}


def state(name: str, *, text: str = "") -> str:
    """A state in a shape, a word and a colour."""
    known = name if name in STATES else "unknown"
    return f'<span class="ik-state {known}">{STATES[known]} {escaped(text or name)}</span>'
