"""What is to happen, and when? A scenario is a TOML file; what it says is checked before anything is started."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sample_incidents.lab import layout

EVENT_KINDS = ("deploy", "schema", "config", "flag", "job", "scale", "restart", "certificate", "traffic", "note")
FAULT_KINDS = (
    "third_party", "setting", "load", "lock", "cpu_spin", "host", "disk", "certificate", "telemetry", "command",
)  # fmt: skip
MARKS = ("detected", "engaged", "mitigated", "resolved")
ROLES = ("trigger", "cure", "mitigation", "herring", "ordinary")
EVENT_KEYS = {
    "at", "kind", "service", "role", "summary", "ref", "release", "migration", "key", "value", "flag", "sql", "command",
    "to", "set", "reverts", "recorded", "pause_s", "fraction", "takes_effect", "days", "before", "after", "instances",
}  # fmt: skip
FAULT_KEYS = {
    "at", "until", "kind", "target", "role", "set", "sql", "duty", "start", "stop", "size_mb", "full_at", "quota",
    "memory_mb", "processes",
}  # fmt: skip
KEYS = {
    "slug", "title", "services", "lasts", "healthy", "before", "release", "event", "fault", "mark", "noticed",
    "fails_from", "truth", "withhold", "objective", "requests", "poorer", "with_null", "changes_in",
}  # fmt: skip
LOAD_KEYS = {*layout.LOAD, "kept_of_region", "clients_without_currency"}
INSTANCES = tuple(i.name for i in (*layout.INSTANCES, *layout.SPARE))
OBJECTIVE = ({"signal": "errors_ratio", "limit": 0.01}, {"signal": "latency_p99_s", "limit": 0.5})


class BadScenario(ValueError):
    """The scenario cannot be recorded; the sentence says what to change."""


@dataclass(frozen=True)
class Release:
    """A commit on top of the releases before it: files edited or written, under a tag."""

    name: str
    service: str
    summary: str
    edits: tuple[dict[str, str], ...]
    writes: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Step:
    """An event or a fault's edge at an offset in seconds from the scenario's start."""

    at: float
    what: str
    kind: str
    values: dict[str, Any]

    @property
    def role(self) -> str:
        return self.values.get("role", "ordinary")


@dataclass(frozen=True)
class Scenario:
    """One incident (or none) on a clock of its own that begins with a healthy stretch."""

    slug: str
    title: str
    services: tuple[str, ...]
    lasts: float
    healthy: float
    events: tuple[Step, ...]
    faults: tuple[Step, ...]
    marks: tuple[tuple[float, str], ...]
    releases: tuple[Release, ...]
    truth: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)
    noticed: float | None = None
    fails_from: int = 500
    withhold: tuple[str, ...] = ()
    objective: tuple[dict[str, Any], ...] = OBJECTIVE
    requests: str = "client"
    poorer: dict[str, Any] = field(default_factory=dict)
    with_null: bool = False
    changes_in: str | None = None

    @property
    def harmless(self) -> bool:
        return self.truth["verdict"] == "healthy"


def seconds(text: str | float) -> float:
    """How many seconds is `15m`, `2m30s`, `45s`?

    >>> seconds("2m30s")
    150.0
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", str(text))
    if not text or not found:
        raise BadScenario(f"{text!r} is not a length of time; write it like 15m, 2m30s or 45s.")
    hours, minutes, rest = found.groups()
    return 3600.0 * int(hours or 0) + 60.0 * int(minutes or 0) + float(rest or 0)


def read(path: Path) -> Scenario:
    """The scenario in a file. Raises `BadScenario` with one sentence."""
    try:
        raw = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadScenario(f"{path.name} cannot be read: {error}.") from None
    return parse(raw, slug=path.stem)


def parse(raw: dict[str, Any], *, slug: str) -> Scenario:
    """The scenario that these values state. Raises `BadScenario` with one sentence."""
    _only(raw, KEYS, f"scenario {slug}")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", slug):
        raise BadScenario(f"The file name {slug!r} is the scenario's slug: use small letters, digits and _.")
    for key in ("title", "services", "lasts", "truth"):
        if key not in raw:
            raise BadScenario(f"Scenario {slug} lacks `{key}`.")
    lasts = seconds(raw["lasts"])
    releases = tuple(_release(r, slug) for r in raw.get("release", []))
    events = tuple(sorted((_event(e, slug, lasts, releases) for e in raw.get("event", [])), key=lambda s: s.at))
    faults = tuple(_fault(f, slug, lasts) for f in raw.get("fault", []))
    marks = tuple((_within(m["at"], lasts, f"mark {m['kind']}"), m["kind"]) for m in raw.get("mark", []))
    for _, kind in marks:
        if kind not in MARKS:
            raise BadScenario(f"A mark is one of {', '.join(MARKS)}, not {kind!r}.")
    scenario = Scenario(
        slug=slug, title=raw["title"], services=tuple(raw["services"]), lasts=lasts,
        healthy=seconds(raw.get("healthy", "0s")), events=events, faults=faults, marks=marks, releases=releases,
        truth=raw["truth"], before=raw.get("before", {}), fails_from=raw.get("fails_from", 500),
        noticed=seconds(raw["noticed"]) if "noticed" in raw else None, withhold=tuple(raw.get("withhold", [])),
        objective=tuple(raw.get("objective", OBJECTIVE)), requests=raw.get("requests", "client"),
        poorer=raw.get("poorer", {}), with_null=raw.get("with_null", False),
        changes_in=raw.get("changes_in"),
    )  # fmt: skip
    _whole(scenario)
    _names(scenario)
    return scenario


def null_of(scenario: Scenario) -> Scenario:
    """The same scenario with the fault left out: harmless changes stay, and the truth is that nothing is wrong."""
    kept = tuple(e for e in scenario.events if e.role in ("herring", "ordinary"))
    truth = {"verdict": "healthy", "must_not_say": scenario.truth.get("must_say", [])}
    return replace(
        scenario, slug=f"{scenario.slug}_null", events=kept, faults=(), marks=(), noticed=None, truth=truth, poorer={},
        with_null=False,
    )  # fmt: skip


def _whole(scenario: Scenario) -> None:
    if scenario.truth.get("verdict") not in ("incident", "healthy", "cannot_tell"):
        raise BadScenario(f"Scenario {scenario.slug}: truth.verdict is incident, healthy or cannot_tell.")
    triggers = [s for s in (*scenario.events, *scenario.faults) if s.role == "trigger"]
    if scenario.harmless:
        if triggers:
            raise BadScenario(f"Scenario {scenario.slug} is healthy and yet has a trigger.")
        return
    if not triggers:
        raise BadScenario(
            f"Scenario {scenario.slug} is an incident: mark the event or fault that starts it role='trigger'."
        )
    onset, harm = onset_of(scenario), _harm(scenario)
    if onset < 6 * harm:
        raise BadScenario(
            f"Scenario {scenario.slug} is healthy for {onset:.0f} s before {harm:.0f} s of harm; "
            "six times the harm is needed."
        )
    for key in ("failure", "suspects"):
        if key not in scenario.truth:
            raise BadScenario(f"Scenario {scenario.slug} is an incident: its truth lacks `{key}`.")


def _names(scenario: Scenario) -> None:
    """Does everything that is named exist: what the users' plan has, instances, what the truth suspects?"""
    where = f"scenario {scenario.slug}"
    _only(scenario.before.get("load", {}), LOAD_KEYS, f"the load before {where}")
    _only(scenario.before.get("config", {}), set(layout.CONFIG), f"the configuration before {where}")
    _only(scenario.before.get("third_party", {}), set(layout.THIRD_PARTY), f"the third party before {where}")
    for step in (*scenario.events, *scenario.faults):
        if step.kind in ("traffic", "load"):
            _only(step.values["set"], LOAD_KEYS, f"{step.kind} of {where}")
        if step.kind == "third_party":
            _only(step.values["set"], set(layout.THIRD_PARTY), f"{step.kind} of {where}")
        named = [step.values.get("target")] if step.kind == "host" else step.values.get("instances", [])
        for name in named:
            if name not in INSTANCES:
                raise BadScenario(f"There is no instance {name!r} (in {where}): there are {', '.join(INSTANCES)}.")
    known = {s.values.get(key) for s in scenario.events for key in ("ref", "release", "flag", "key")}
    texts = " ".join(str(w.get("text", "")) for r in scenario.releases for w in r.writes)
    for suspect in scenario.truth.get("suspects", []):
        ref = suspect.get("ref")
        if ref not in known and not scenario.faults and ref not in texts:
            raise BadScenario(
                f"The truth of {where} suspects {ref!r}, which no event has as ref, release, flag or key."
            )


def onset_of(scenario: Scenario) -> float:
    """When does the first trigger come, in seconds after the start?"""
    return min(s.at for s in (*scenario.events, *scenario.faults) if s.role == "trigger")


def _harm(scenario: Scenario) -> float:
    onset = onset_of(scenario)
    ends = [s.at for s in scenario.events if s.role == "cure"]
    ends += [s.values["until"] for s in scenario.faults if s.role == "trigger"]
    return max(ends, default=scenario.lasts) - onset


def _event(raw: dict[str, Any], slug: str, lasts: float, releases: tuple[Release, ...]) -> Step:
    kind = raw.get("kind", "")
    if kind not in EVENT_KINDS:
        raise BadScenario(f"Scenario {slug}: an event's kind is one of {', '.join(EVENT_KINDS)}, not {kind!r}.")
    _only(raw, EVENT_KEYS, f"event {kind} of scenario {slug}")
    if raw.get("role", "ordinary") not in ROLES:
        raise BadScenario(f"Scenario {slug}: an event's role is one of {', '.join(ROLES)}, not {raw['role']!r}.")
    needs = {
        "deploy": ("service", "release"), "schema": ("release", "migration"), "config": ("key", "value"),
        "flag": ("flag", "value"), "job": ("ref",), "scale": ("service", "to"), "restart": ("service",),
        "certificate": ("service", "days"), "traffic": ("set",), "note": ("summary",),
    }[kind]  # fmt: skip
    for key in needs:
        if key not in raw:
            raise BadScenario(f"Scenario {slug}: an event of kind {kind} needs `{key}`.")
    release = raw.get("release")
    if release and "@" not in release and release not in {r.name for r in releases}:
        raise BadScenario(
            f"Scenario {slug}: release {release!r} is not among its releases; use name@before for the one before."
        )
    return Step(_within(raw.get("at", "?"), lasts, f"event {kind}"), "event", kind, dict(raw))


def _fault(raw: dict[str, Any], slug: str, lasts: float) -> Step:
    kind = raw.get("kind", "")
    if kind not in FAULT_KINDS:
        raise BadScenario(f"Scenario {slug}: a fault's kind is one of {', '.join(FAULT_KINDS)}, not {kind!r}.")
    _only(raw, FAULT_KEYS, f"fault {kind} of scenario {slug}")
    at = _within(raw.get("at", "?"), lasts, f"fault {kind}")
    until = _within(raw.get("until", "?"), lasts, f"end of fault {kind}")
    if until <= at:
        raise BadScenario(f"Scenario {slug}: fault {kind} ends before it starts.")
    return Step(at, "fault", kind, raw | {"at": at, "until": until})


def _release(raw: dict[str, Any], slug: str) -> Release:
    _only(raw, {"name", "service", "summary", "edit", "write"}, f"release of scenario {slug}")
    for key in ("name", "service", "summary"):
        if key not in raw:
            raise BadScenario(f"Scenario {slug}: a release needs `{key}`.")
    if not raw.get("edit") and not raw.get("write"):
        raise BadScenario(
            f"Scenario {slug}: release {raw['name']} changes nothing; give it [[release.edit]] or [[release.write]]."
        )
    return Release(raw["name"], raw["service"], raw["summary"], tuple(raw.get("edit", [])), tuple(raw.get("write", [])))


def _within(text: Any, lasts: float, what: str) -> float:
    at = seconds(text)
    if at > lasts:
        raise BadScenario(f"The {what} at {text} lies after the scenario's end at {lasts:.0f} s.")
    return at


def _only(raw: dict[str, Any], allowed: set[str], what: str) -> None:
    unknown = sorted(set(raw) - allowed)
    if unknown:
        raise BadScenario(f"Unknown in {what}: {', '.join(unknown)}; known are {', '.join(sorted(allowed))}.")
