"""What `incident.toml` says: which incident, which span to look at, whose objectives, which marks. Never the onset."""

from __future__ import annotations

import datetime as calendar
import difflib
import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connectors.durable import write_whole
from connectors.errors import ConnectorError
from connectors.window import Window, iso, utc
from kit.errors import BadCase

OPENED = "opened.txt"
"""Where an open case keeps the end of the span that was asked for last."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Look(_Strict):
    """The span that is loaded. `end = "now"` keeps it open while it burns."""

    start: datetime
    end: datetime | Literal["now"]

    @field_validator("start", "end", mode="before")
    @classmethod
    def _zoned(cls, value: Any) -> Any:
        if value == "now":
            return value
        try:
            return utc(value)
        except ConnectorError as error:
            raise ValueError(str(error)) from None


class Objective(_Strict):
    """A limit: `signal` is errors_ratio or latency_p99_s at the entry hop, or the key of a metric (worker/lag.gauge)
    that must not be over it; `share` of the time it may be broken."""

    signal: str
    limit: float
    share: float | None = None


class Mark(_Strict):
    """A moment of the response that people noted."""

    kind: Literal["detected", "engaged", "mitigated", "resolved"]
    time: datetime

    @field_validator("time", mode="before")
    @classmethod
    def _zoned(cls, value: Any) -> Any:
        try:
            return utc(value)
        except ConnectorError as error:
            raise ValueError(str(error)) from None


class Review(_Strict):
    """Who read it, when, and which evidence they read."""

    state: Literal["draft", "reviewed"]
    by_role: str = ""
    date: calendar.date | None = None
    evidence_hash: str = ""


class Incident(_Strict):
    """The whole of `incident.toml`."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str
    tz: str = "UTC"
    services: tuple[str, ...] = ()
    look: Look
    noticed: datetime | None = None
    symptom: str | None = None
    objective: tuple[Objective, ...] = ()
    mark: tuple[Mark, ...] = ()
    review: Review | None = None

    @field_validator("tz")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            near = difflib.get_close_matches(value, available_timezones(), n=2)
            hint = f", perhaps {' or '.join(near)}" if near else ""
            raise ValueError(f"{value!r} is not a time zone{hint}") from None
        return value

    @field_validator("noticed", mode="before")
    @classmethod
    def _zoned(cls, value: Any) -> Any:
        if value is None:
            return None
        try:
            return utc(value)
        except ConnectorError as error:
            raise ValueError(str(error)) from None

    @property
    def window(self) -> Window:
        """The span to look at; an open end is this moment, to the second."""
        end = datetime.now(UTC).replace(microsecond=0) if self.look.end == "now" else self.look.end
        return Window(self.look.start, max(end, self.look.start + timedelta(seconds=1)) if self.open else end)

    @property
    def open(self) -> bool:
        """Does it still burn (`end = "now"`)?"""
        return self.look.end == "now"


def open_look(incident: Incident, folder: Path, *, offline: bool) -> Window:
    """Which span is looked at, when the end may still move?

    An open incident ends at this moment, which is kept in the folder: who opens it later without its sources sees the
    span that was asked for last. Without a kept end, and for a closed one, it is what `incident.toml` says.
    """
    if not incident.open:
        return incident.window
    kept = folder / OPENED
    if offline and kept.is_file():
        end = utc(kept.read_text(encoding="utf-8").strip())
        return Window(incident.look.start, max(end, incident.look.start + timedelta(seconds=1)))
    window = incident.window
    if not offline:
        write_whole(kept, f"{iso(window.end)}\n")
    return window


def incident_id(name: str) -> str:
    """The id that fits a folder's name: what an id may not hold becomes a hyphen.

    >>> incident_id("checkout 503 (Köln)")
    'checkout-503-K-ln'
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "case"


def read_incident(folder: Path) -> Incident:
    """What does this folder's `incident.toml` say?

    Raises `BadCase` with one sentence that lists every fault and says what to do.
    """
    path = folder / "incident.toml"
    if not path.exists():
        raise BadCase(
            f"{folder} is not a case: it has no incident.toml; make one with `incident-kit new NAME --from DIR`."
        )
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadCase(f"{path} is not whole ({error}): mend the file, or write it again.") from None
    try:
        incident = Incident.model_validate(values)
        _ = incident.window
    except ValidationError as error:
        raise BadCase(f"{path}: {_faults(error)}.") from None
    except ConnectorError as error:
        raise BadCase(f"{path} [look]: {error}") from None
    return incident


def _faults(error: ValidationError) -> str:
    known = list(Incident.model_fields)
    sentences = []
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"] if part not in ("datetime", "literal['now']")) or "the file"
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(where.split(".")[-1], known, n=1)
            said = f"{where} is not a key of it" + (f", perhaps {near[0]}" if near else "")
        elif fault["type"] == "missing":
            said = f"{where} is missing"
        else:
            said = f"{where}: {fault['msg'].removeprefix('Value error, ').rstrip('.')}"
        if said not in sentences:
            sentences.append(said)
    return "; ".join(sentences)
