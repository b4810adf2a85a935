"""What a case says about its sources: `sources.toml`, `signals.toml`, `path.toml`.

Addresses and paths only: a secret in them is refused by name. Sources are opened when they are first asked for.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connectors import schema
from connectors.base import SignalSpec
from connectors.credentials import credential_for, origin_of
from connectors.errors import BadInput, ConnectorError
from connectors.registry import connector
from connectors.settings import Budget, Place, Settings
from connectors.where import parse

_SECRET = re.compile(
    r"(^|_)(password|passwd|pass|secret|token|api_?key|apikey|authorization|auth|bearer|credentials?|private_?key|cookie)s?($|_)",
    re.I,
)
_VARIABLE = re.compile(r"\$\{|\$[A-Z_]{2,}|%[A-Z_]{2,}%|\{\{")


class Requests(BaseModel):
    """Which log has every user request once, at the outermost hop; how one fails, and what is no user's.

    `where` keeps the rows that are requests, where a log holds others as well.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    service: str
    failed: str = "http.response.status_code >= 500 OR http.response.status_code = 0"
    probes: str | None = None
    where: str | None = None

    @field_validator("failed", "probes", "where")
    @classmethod
    def _a_filter(cls, value: str | None) -> str | None:
        if value is not None:
            parse(value)
        return value


class _Signal(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str
    kind: Literal["latency", "traffic", "errors", "saturation", "other"]
    name: str
    metric: str
    metric_type: Literal["gauge", "counter", "histogram"] = "gauge"
    unit: str = "1"
    where: Mapping[str, str] = Field(default_factory=dict)
    by: tuple[str, ...] = ()
    divide_by: str | None = None
    divide_where: Mapping[str, str] = Field(default_factory=dict)
    scale: float = 1.0

    def spec(self) -> SignalSpec:
        return SignalSpec(**{**dict(self), "where": dict(self.where), "divide_where": dict(self.divide_where)})


class _Edge(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    caller: str
    callee: str
    kind: Literal["client", "cdn", "lb", "service", "database", "queue", "worker", "third_party"]
    mode: Literal["sync", "async"] = "sync"
    route: str | None = None
    arrives: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """A case's sources by name, its signals, its requests, its path and its budget.

    `path` is a canonical PATH table, None when the case has no `path.toml`; `requests` None when `signals.toml`
    names none.
    """

    folder: Path
    sources: Mapping[str, Settings]
    signals: tuple[SignalSpec, ...] = ()
    requests: Requests | None = None
    path: pa.Table | None = None
    budget: Budget = field(default_factory=Budget)
    _opened: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def open(self, name: str) -> Any:
        """The source of this name, opened once; nothing is asked of it yet. Raises `BadInput` with near-misses."""
        if name not in self.sources:
            raise BadInput(f"sources.toml has no source {name!r}{_meant(name, self.sources)}.")
        if name not in self._opened:
            settings = self.sources[name]
            place = Place(self.folder, self.budget, credential_for)
            self._opened[name] = connector(settings.kind).open_source(name, _settled(settings, self.folder), place)
        return self._opened[name]

    def of_table(self, table: str) -> list[str]:
        """The names of the sources of logs, metrics, spans, changes or alerts."""
        return [name for name, settings in self.sources.items() if settings.table == table.lower()]


def read_catalog(folder: str | Path) -> Catalog:
    """What do the configuration files of this case say?

    `sources.toml` must be there; `signals.toml` and `path.toml` need not. Raises `BadInput` in one sentence that
    names the file, every wrong key with its near-misses, a path that leads out of the folder, or a secret.
    """
    folder = Path(folder)
    written = _toml(folder / "sources.toml", required=True) or {}
    _known(written, ("sources", "budget"), "sources.toml")
    _no_secrets(written, "sources.toml")
    budget = _model(Budget, written.get("budget", {}), "sources.toml [budget]")
    listed = written.get("sources", {})
    if not isinstance(listed, dict) or not all(isinstance(v, dict) for v in listed.values()):
        raise BadInput("sources.toml: each source is a table of its own, like [sources.nginx].")
    sources = {name: _source(name, values) for name, values in listed.items()}
    signals, requests = _signals(folder, sources)
    return Catalog(folder, sources, signals, requests, _path(folder), budget)


def _source(name: str, values: Mapping[str, Any]) -> Settings:
    where = f"sources.toml [sources.{name}]"
    if not isinstance(values.get("kind"), str):
        raise BadInput(f'{where} has no kind: write kind = "files", for example.')
    try:
        model = connector(values["kind"]).Settings
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
    settings = _model(model, values, where)
    path = getattr(settings, "path", None)
    if isinstance(path, str) and (Path(path).is_absolute() or ".." in Path(path).parts or path.startswith("~")):
        raise BadInput(f"{where}: the path {path!r} leads out of the case's folder: copy the files into it.")
    for key in ("url", "ui"):
        if isinstance(address := getattr(settings, key, None), str):
            origin_of(address)
    return settings


def _settled(settings: Settings, folder: Path) -> Settings:
    """The settings with the certificate to trust looked for in the case's folder, wherever the kit is run."""
    authority = getattr(settings, "authority", None)
    if not isinstance(authority, str) or Path(authority).is_absolute():
        return settings
    return settings.model_copy(update={"authority": str(folder / authority)})


def _signals(folder: Path, sources: Mapping[str, Settings]) -> tuple[tuple[SignalSpec, ...], Requests | None]:
    written = _toml(folder / "signals.toml")
    if written is None:
        return (), None
    _known(written, ("requests", "signal"), "signals.toml")
    specs = tuple(
        _model(_Signal, values, f"signals.toml [[signal]] {i} ({values.get('name', 'without name')})").spec()
        for i, values in enumerate(_tables(written, "signal", "signals.toml"), 1)
    )
    block = written.get("requests")
    requests = None if block is None else _model(Requests, block, "signals.toml [requests]")
    if requests is not None and requests.source not in sources and _near(requests.source, sources):
        raise BadInput(
            f"signals.toml [requests] names the source {requests.source!r}, which sources.toml does not have"
            f"{_meant(requests.source, sources)}."
        )
    return specs, requests


def _path(folder: Path) -> pa.Table | None:
    written = _toml(folder / "path.toml")
    if written is None:
        return None
    _known(written, ("edge",), "path.toml")
    edges = [
        _model(_Edge, values, f"path.toml [[edge]] {i}")
        for i, values in enumerate(_tables(written, "edge", "path.toml"), 1)
    ]
    columns = {}
    for column in schema.PATH:
        values = [getattr(edge, column.name) for edge in edges]
        type_ = pa.string() if pa.types.is_dictionary(column.type) else column.type
        columns[column.name] = pa.array([list(v) if isinstance(v, tuple) else v for v in values], type_)
    return schema.conform(pa.table(columns), "PATH")


# --- files and faults ------------------------------------------------------------------------------------------------


def _toml(path: Path, *, required: bool = False) -> dict[str, Any] | None:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise BadInput(
                f"{path.parent.name} has no {path.name}: write one, or let `incident-kit new NAME --from DIR` do it."
            ) from None
        return None
    except UnicodeDecodeError:
        raise BadInput(f"{path.name} is not UTF-8 text: save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path.name} is not whole TOML: {str(error)[0].lower()}{str(error)[1:]}.") from None
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror}.") from None


def _tables(written: Mapping[str, Any], key: str, file: str) -> list[Mapping[str, Any]]:
    found = written.get(key, [])
    if not isinstance(found, list) or not all(isinstance(v, dict) for v in found):
        raise BadInput(f"{file}: write each {key} as a table of its own that begins with [[{key}]].")
    return found


def _known(written: Mapping[str, Any], keys: Iterable[str], file: str) -> None:
    keys = tuple(keys)
    for key in written:
        if key not in keys:
            raise BadInput(f"{file}: unknown key {key!r}{_meant(key, keys)}; it may have {', '.join(keys)}.")


def _no_secrets(value: Any, where: str) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if _SECRET.search(str(key)) and not isinstance(inner, dict):
                raise BadInput(
                    f"{where} holds {key!r}, which is a secret: a case is passed on, so put it into your own "
                    f"configuration file or INCIDENT_KIT_* variables, and take this one as known to others."
                )
            _no_secrets(inner, where)
    elif isinstance(value, list):
        for inner in value:
            _no_secrets(inner, where)
    elif isinstance(value, str) and _VARIABLE.search(value):
        raise BadInput(f"{where} holds a variable ({value[:40]}): write addresses and paths out, nothing is filled in.")


def _model(model: type[Any], values: Any, where: str) -> Any:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        names = list(model.model_fields)
        faults = dict.fromkeys(_fault(fault, names) for fault in error.errors())
        raise BadInput(f"{where}: {'; '.join(faults)}.") from None
    except ConnectorError as error:
        raise BadInput(f"{where}: {error}") from None


def _fault(fault: Any, names: list[str]) -> str:
    key = ".".join(str(part) for part in fault["loc"]) or "it"
    if fault["type"] == "extra_forbidden":
        return f"unknown key {key!r}{_meant(key, names)}"
    if fault["type"] == "missing":
        return f"{key} is missing"
    if fault["type"] == "literal_error":
        return f"{key} is {fault['input']!r}, not {fault['ctx']['expected']}"
    return f"{key} is {_short(fault['input'])}: {fault['msg'][0].lower()}{fault['msg'][1:].rstrip('.')}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _near(name: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(name, list(known), 2)


def _meant(name: str, known: Iterable[str]) -> str:
    near = _near(name, known)
    return f" (did you mean {' or '.join(near)}?)" if near else ""
