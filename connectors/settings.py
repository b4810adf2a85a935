"""What every source says about itself in `sources.toml`, and where it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connectors.window import step_seconds

if TYPE_CHECKING:
    from connectors.credentials import Credential
    from connectors.http import Http

Table = Literal["logs", "metrics", "spans", "changes", "alerts"]


class Budget(BaseModel):
    """How much a case may ask of its sources: requests at a time, seconds of theirs, rows moved."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    in_flight: int = Field(default=2, ge=1, le=64)
    server_seconds: float = Field(default=120.0, gt=0)
    rows: int = Field(default=5_000_000, ge=1)


class Settings(BaseModel):
    """The keys that every source may have; a connector's own settings extend it.

    `interval` is how often a metric source has a sample, `retention` how long the source keeps its data; `withheld`
    says what was left out of it, and why; `ui` is the address of the source's own interface, for links. `history`: its
    changes count for the base rate alone, those before the look; none of them is a suspect.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    table: Table
    service: str | None = None
    interval: str | None = None
    retention: str | None = None
    withheld: str | None = None
    ui: str | None = None
    history: bool = False

    @field_validator("interval", "retention")
    @classmethod
    def _a_step(cls, value: str | None) -> str | None:
        if value is not None:
            step_seconds(value)
        return value


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source is opened: the case's folder, what it may cost, and who knows credentials for an origin."""

    folder: Path
    budget: Budget = field(default_factory=Budget)
    credential: Callable[[str], Credential | None] = field(default=lambda origin: None)

    def http(self, url: str, *, authority: str | None, timeout_s: float = 30.0, deadline_s: float = 120.0) -> Http:
        """The client for this address, with the user's credential for its origin, within the budget."""
        from connectors.credentials import origin_of
        from connectors.http import Http

        return Http(
            url, credential=self.credential(origin_of(url)), authority=authority, timeout_s=timeout_s,
            deadline_s=deadline_s, in_flight=self.budget.in_flight,
        )  # fmt: skip


Opener = Callable[[str, Any, Place], Any]
"""A connector's `open_source(name, settings, place)`: asks nothing yet, gives the source."""
