"""What a form that loads frames needs, without the case itself: sources, the cost of a frame, the frame, its keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.window import Window
from kit.frame_spec import FrameSpec

if TYPE_CHECKING:
    import pandas as pd

    from kit.case import Case
    from kit.frames import Cost


@dataclass(frozen=True, slots=True)
class Loader:
    """Which sources there are (with their tables), the case's window and step, and three verbs over a `FrameSpec`.

    `frames` are the frames that were loaded by name before.
    """

    sources: Mapping[str, tuple[str, ...]]
    window: Window
    every: str
    frames: tuple[FrameSpec, ...]
    cost: Callable[[FrameSpec], Cost]
    load: Callable[[FrameSpec], pd.DataFrame]
    keep: Callable[[FrameSpec], object]


def loader_of(case: Case) -> Loader:
    """The loader of a case; what is kept goes to its `choices.toml`."""
    from kit.choices import CHOICES, keep_frame
    from kit.frames import cost_of, load_frame, sources_of

    return Loader(
        sources=sources_of(case), window=case.grid, every=case.every, frames=case.choices.frames,
        cost=lambda spec: case.aside(lambda: cost_of(case, spec)),
        load=lambda spec: case.aside(lambda: load_frame(case, spec)),
        keep=lambda spec: keep_frame(case.folder / CHOICES, spec),
    )  # fmt: skip
