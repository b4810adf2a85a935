"""Debian's Chromium for tests, headless and quiet; where it is missing a person's run skips, and CI fails."""

from __future__ import annotations

import os

import pytest

from kit.export.browser import chromium

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def needed() -> str:
    """Where Chromium stands; skips (in CI fails) where it is missing."""
    path = chromium()
    if path is None:
        missing = "no Chromium: install Debian's chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path
