"""The signs that tell classes of failure apart: each held, not held or unknown, with the numbers that say so."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import pandas as pd

from kit.golden_signals import SignalBoard
from kit.signs.coincidence import change_signs, job_signs
from kit.signs.dependencies import dependency_signs
from kit.signs.harm import harm_signs
from kit.signs.lines import certificate_sign, lock_sign
from kit.signs.refusals import refusal_signs
from kit.signs.resources import pool_signs, resource_signs
from kit.signs.sign import Sign, episode_of, kinds_of_nodes, outermost
from kit.signs.splits import split_signs
from kit.signs.traffic import traffic_signs

__all__ = ["Sign", "gather_signs"]


def gather_signs(
    board: SignalBoard,
    *,
    symptom: Any = None,
    failures: Any = None,
    suspects: Any = None,
    differences: pd.DataFrame | None = None,
    compared: Collection[str] | None = None,
    places: Sequence[Any] | None = None,
    templates: pd.DataFrame | None = None,
    cut: Any = None,
    path: pd.DataFrame | None = None,
    entry: str | None = None,
    jobs: pd.DataFrame | None = None,
) -> tuple[Sign, ...]:
    """What do the signals say, sign by sign? What was not given is unknown. For the arguments see `classify`."""
    nodes = kinds_of_nodes(path)
    entry = entry or (next(iter(outermost(path)), None) if path is not None else None)
    episode = episode_of(symptom)
    found = [
        *harm_signs(board, symptom, episode, entry),
        *refusal_signs(failures, board, entry),
        *traffic_signs(board, episode, failures, entry),
        *pool_signs(board, templates),
        *resource_signs(board, templates, nodes),
        *dependency_signs(board, nodes, cut),
        *change_signs(suspects, episode, board),
        *split_signs(differences, places, compared=compared),
        certificate_sign(templates),
        lock_sign(templates),
        *job_signs(jobs, episode),
    ]
    return tuple(found)
