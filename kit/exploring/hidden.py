"""Which lines are of this template? By its words, wherever the template was mined."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyarrow.compute as pc

from kit.mining.mask import VARIABLE, without_echo
from kit.mining.mining import STACK_MARK, as_text


def lines_of(messages: Any, template: str) -> np.ndarray:
    """True for each message that the template fits: its words in order, anything where a variable stands.

    >>> lines_of(["took 12 ms", "cache cold", None], "took <*> ms").tolist()
    [True, False, False]
    """
    parts = template.partition(STACK_MARK)[0].split(VARIABLE)
    constants = [r"\s+".join(re.escape(word) for word in re.split(r"\s+", part)) for part in parts]
    pattern = rf"^\s*{'(?:.+?)'.join(constants)}\s*(?:\n(?s:.*))?$"
    fits = pc.match_substring_regex(without_echo(as_text(messages)), pattern)
    return np.asarray(fits.fill_null(False).to_numpy(zero_copy_only=False), bool)
