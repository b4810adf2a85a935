"""Which disk is full, or fills so that it will be?"""

from __future__ import annotations

import re
from datetime import timedelta

import numpy as np
import pandas as pd

from connectors.window import Window
from kit.derived.rows import Row, derived_row
from kit.numerics.moments import clock

FULL = 0.98
LEFT = 0.005
"""A disk told by what is left is full at this share of the most that was ever left in the look."""
AHEAD = timedelta(hours=24)
FITS = 0.9
"""The share of the variance that a straight line must carry for a forecast."""
_USED = re.compile(r"(disk|filesystem|volume|tmpfs)[\w.]*(usage|utili[sz]ation|used|full)[\w.]*ratio", re.I)
_LEFT = re.compile(r"(disk|filesystem|volume|tmpfs)[\w.]*(avail\w*|free)", re.I)


def filling_disks(wide: pd.DataFrame, *, window: Window) -> list[Row]:
    """Which disks are full in the look, since when, and which reach it within a day at the pace of the last half?

    `wide`: the aligned frame; a disk is a signal whose name speaks of a disk's or file system's use (a ratio) or of
    what is available on it (bytes). A forecast needs a straight line that carries nine tenths of the variance; it
    misleads where something cleans up at intervals.

    >>> at = pd.date_range("2026-03-01T02:00Z", periods=60, freq="1min")
    >>> wide = pd.DataFrame({"db/system.filesystem.usage.ratio": np.linspace(0.5, 0.8, 60)}, index=at)
    >>> filling_disks(wide, window=Window.of(at[0], at[-1]))[0]["summary"]
    'the disk of db fills and will be full at about 03:38:20 UTC'
    """
    rows = []
    for signal in wide.columns:
        used, left = _USED.search(str(signal)), _LEFT.search(str(signal))
        values = wide[signal].dropna()
        if not (used or left) or len(values) < 12:
            continue
        owner = str(signal).rpartition("/")[0]
        share = values if used else 1 - values / float(values.max() or 1.0)
        full_at = FULL if used else 1 - LEFT
        rows += _row(share, full_at, owner, window)
    return rows


def _row(share: pd.Series, full_at: float, owner: str, window: Window) -> list[Row]:
    service = owner.split("@", 1)[0]
    disk, where = disk_in_words(owner)
    full = share >= full_at
    if full.any():
        at, over = full.idxmax(), share[share.index > full.idxmax()]
        room = over[over < full_at - 0.02]
        until = room.index[0].to_pydatetime() if len(room) else None
        text = f"{disk} was full already{where}" if at == share.index[0] else f"{disk} is full{where}"
        return [derived_row("disk", at.to_pydatetime(), text, service=service, until=until, after="full", name=owner)]
    half = share.iloc[len(share) // 2 :]
    seconds = (half.index.as_unit("us").asi8 - half.index.as_unit("us").asi8[0]) / 1e6
    slope, level = np.polyfit(seconds, half.to_numpy(), 1)
    rest = half.to_numpy() - (level + slope * seconds)
    spread = float(half.var(ddof=0))
    if slope <= 0 or spread <= 0 or 1 - float((rest**2).mean()) / spread < FITS:
        return []
    seconds_left = (1.0 if full_at == FULL else full_at) / slope - level / slope
    reaches = (half.index[0] + pd.Timedelta(seconds=seconds_left)).floor("us")
    if reaches > pd.Timestamp(window.end + AHEAD):
        return []
    text = f"{disk} fills and will be full at about {clock(reaches.to_pydatetime())} UTC{where}"
    return [
        derived_row(
            "disk", half.index[0].to_pydatetime(), text, service=service, until=reaches.to_pydatetime(),
            takes_effect="expiry", name=f"{owner} fills",
        )
    ]  # fmt: skip


LIES_THERE = {
    "log": "the logs", "logs": "the logs", "journal": "the journals", "spool": "the spool", "backup": "the backups",
    "backups": "the backups", "data": "the data", "pgdata": "the database", "mysql": "the database",
    "home": "the homes", "cache": "the cache",
}  # fmt: skip
"""What usually lies under a mountpoint of this last name."""


def disk_in_words(owner: str) -> tuple[str, str]:
    """How is a disk spoken of, and where is it? By what lies there when a mountpoint tells, else by whose it is.

    >>> disk_in_words("db"), disk_in_words("host@/")
    (('the disk of db', ''), ('the root disk of host', ''))
    >>> disk_in_words("host@/srv/shop/journal")
    ('the disk under the journals', ' (host, /srv/shop/journal)')
    """
    service, _, mount = owner.partition("@")
    if not mount.startswith("/"):
        return f"the disk of {owner}", ""
    last = mount.rstrip("/").rpartition("/")[2]
    if not last:
        return f"the root disk of {service}", ""
    return f"the disk under {LIES_THERE.get(last, mount)}", f" ({service}, {mount})"
