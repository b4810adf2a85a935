"""What is configured at this moment? Configuration and feature flags are JSON files, read again when they change."""

import json
import os
import time
from pathlib import Path


class Settings:
    """The values of one JSON file; looked at again at most twice a second."""

    def __init__(self, path: str):
        self.path = Path(path)
        self.values: dict = {}
        self.looked = 0.0
        self.stamp = 0

    def get(self, name: str, default=None):
        if time.monotonic() - self.looked > 0.5:
            self.looked = time.monotonic()
            try:
                stamp = self.path.stat().st_mtime_ns
                if stamp != self.stamp:
                    self.values, self.stamp = json.loads(self.path.read_text()), stamp
            except (OSError, ValueError):
                pass  # half-written or not there yet: the values read before stay
        return self.values.get(name, default)


config = Settings(os.environ["SHOP_CONFIG"])
flags = Settings(os.environ["SHOP_FLAGS"])


def clock_s() -> float:
    """The time as this host's clock has it; a wrong clock is off by `clock_s.<instance>` seconds."""
    return time.time() + config.get(f"clock_s.{os.environ['SHOP_INSTANCE']}", 0.0)


def flag_on(name: str, *, region: str, plan: str) -> bool:
    """Is the flag on for this user? A flag is off, on for all, or on for some: {"region": [...], "plan": [...]}."""
    rule = flags.get(name, False)
    if isinstance(rule, dict):
        return region in rule.get("region", [region]) and plan in rule.get("plan", [plan])
    return bool(rule)
