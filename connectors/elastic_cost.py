"""What will a question cost the server? Asked before it is: rows times fields, against the budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.errors import OverBudget
from connectors.settings import Budget

SECONDS_A_VALUE = 6e-8
"""What one field of one row takes to be counted, on one core; measured, and on the high side for most fields."""
REMEMBERED_S = 300.0


@dataclass(slots=True)
class Cost:
    """Refuses questions over the budget. How many rows there are in all is asked once in five minutes; only where that
    many would be too many are those of the question itself counted."""

    source: str
    budget: Budget
    _all: tuple[float, int] | None = field(default=None, repr=False)

    @property
    def rows(self) -> int:
        """How many rows there are in all, as far as that was asked; 0 before."""
        return self._all[1] if self._all is not None else 0

    def allow(self, values: int, *, everything: Callable[[], int], matching: Callable[[], int]) -> float:
        """The server's seconds, estimated, for `values` fields of each row. Raises `OverBudget` with the estimate."""
        now = time.monotonic()
        if self._all is None or now - self._all[0] > REMEMBERED_S:
            self._all = (now, everything())
        rows = self._all[1]
        if seconds(rows, values) > self.budget.server_seconds:
            rows = matching()
        needed = seconds(rows, values)
        if needed > self.budget.server_seconds:
            raise OverBudget(
                f"{self.source} would work about {needed:,.0f} s on this ({rows:,} rows, {values} fields each) and the "
                f"budget is {self.budget.server_seconds:g} s: ask a narrower window or fewer fields, or raise "
                f"server_seconds under [budget] in sources.toml."
            )
        return needed


def seconds(rows: int, values: int) -> float:
    """The server's seconds for so many fields of so many rows.

    >>> round(seconds(5_000_000, 20), 3)
    6.0
    """
    return rows * values * SECONDS_A_VALUE
