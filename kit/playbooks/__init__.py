"""What to suspect, test, do and remove for each class of failure: data, one TOML file a class, users' own beside.

A playbook is never code: placeholders such as `{service}` are replaced by text, and checks are named.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from connectors.errors import BadInput
from kit.checks.registry import find_check, validate
from kit.hypothesis import KINDS, Role

PLACEHOLDER = re.compile(r"\{([a-z_]+(?:\.[a-z_]+)*)\}")
_KEYS = {
    "name", "failure", "title", "through", "action", "triggers", "lag_s", "rivals", "restart_cures", "removes",
    "removes_with",
    "question", "look_at", "prediction", "link", "lever", "statement", "callers", "role",
}  # fmt: skip
_PREDICTION_KEYS = {"text", "kind", "check", "arguments", "control", "when", "bound", "unbound"}
_LINK_KEYS = {"from", "to", "text", "unrecorded", "prediction"}
"""`unrecorded`: what the link says where no change that began it is named."""
_LEVER_KEYS = {"do", "fits", "risk", "reversible", "erases", "watch", "within_s"}
_TEXTS = {"name", "failure", "title", "through", "statement", "action", "role", "question"}
_LISTS = {"triggers", "rivals", "removes", "look_at"}
CONDITIONS = ("change.ref", "callee", "statement", "route")
"""What an action may need to be there."""
_SWITCHES = {"restart_cures", "callers"}
_TABLES = {"prediction", "link", "lever"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
LARGEST_BYTES = 200_000
"""A playbook is a page or two of text; a larger file is no playbook."""
MOST_FILES = 50
MOST_PARTS = 40
"""So many predictions, links or levers at most: each prediction is a question to a source."""


@dataclass(frozen=True, slots=True)
class Lever:
    """Something that may stop the harm: what to do, when it fits, its risk, whether it can be undone, the evidence it

    erases, what must be seen if it works, and within how many seconds.
    """

    do: str
    fits: str = ""
    risk: str = ""
    reversible: bool = True
    erases: str = ""
    watch: str = ""
    within_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Playbook:
    """What one class of failure predicts. Templates: `predictions` and `links` hold placeholders until they are bound.

    `triggers` are the kinds of change that can begin it, `lag_s` how long after such a change it may show, `rivals` the
    playbooks that explain the same signals otherwise, `removes` what would remove the class, `removes_with` more of it,
    by the word that must be known for it (`callee`, `statement`). `callers`: a change of
    whoever calls the failing place can begin it, too, by what it sends. `role`: what the class itself is in the chain,
    where a change that began it is the trigger.
    """

    name: str
    failure: str
    title: str
    through: str = ""
    statement: str = ""
    action: str = ""
    triggers: tuple[str, ...] = ()
    lag_s: float = 300.0
    rivals: tuple[str, ...] = ()
    restart_cures: bool = False
    callers: bool = False
    role: str = "trigger"
    removes: tuple[str, ...] = ()
    removes_with: Mapping[str, Sequence[str]] = field(default_factory=dict)
    question: str = ""
    look_at: tuple[str, ...] = ()
    predictions: tuple[Mapping[str, Any], ...] = ()
    links: tuple[Mapping[str, Any], ...] = ()
    levers: tuple[Lever, ...] = ()


def load_playbooks(folder: Path | str | None = None) -> Mapping[str, Playbook]:
    """Which playbooks are there? The kit's own by name, and every `*.toml` of `folder`, the user's own.

    A user's playbook has a name of its own; `failure` says which class it explains. A fault in a file is one error that
    names the file and every fault in it. The files are data from anywhere: what they say is text, numbers and names of
    checks, of bounded size, and none of it is run.

    >>> "pool_starved" in load_playbooks()
    True
    """
    books = {}
    for path in _own():
        book = read_playbook(path.read_text(encoding="utf-8"), where=path.name)
        books[book.name] = book
    for path in playbook_files(Path(folder)) if folder is not None else ():
        book = read_playbook(text_of(path), where=path.name)
        if book.name in books:
            raise BadInput(f"{path.name}: there is a playbook {book.name!r} already; give yours another name.")
        books[book.name] = book
    return books


def common_playbook(name: str) -> Playbook:
    """The predictions that every case has: `change` (of any change), and the rivals `cpu`, `artefact`, `unobserved`."""
    path = resources.files("kit.playbooks") / "common" / f"{name}.toml"
    return read_playbook(path.read_text(encoding="utf-8"), where=f"common/{name}.toml")


def read_playbook(text: str, *, where: str) -> Playbook:
    """The playbook written in this TOML text; `where` names it in errors. Every check is validated, none is run."""
    try:
        record = tomllib.loads(text)
    except RecursionError:
        raise BadInput(f"{where} is nested too deep to be a playbook.") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{where} is not TOML: {error}.") from None
    faults = _shape_faults(record) or _faults(record)
    if faults:
        raise BadInput(f"{where}: {'; '.join(faults)}.")
    return Playbook(
        name=record["name"],
        failure=record.get("failure", record["name"]),
        title=record["title"],
        through=record.get("through", ""),
        statement=record.get("statement", ""),
        action=record.get("action", ""),
        triggers=tuple(record.get("triggers", ())),
        lag_s=float(record.get("lag_s", 300)),
        rivals=tuple(record.get("rivals", ())),
        restart_cures=bool(record.get("restart_cures", False)),
        callers=bool(record.get("callers", False)),
        role=record.get("role", "trigger"),
        removes=tuple(record.get("removes", ())),
        removes_with=record.get("removes_with", {}),
        question=record.get("question", ""),
        look_at=tuple(record.get("look_at", ())),
        predictions=tuple(record.get("prediction", ())),
        links=tuple(record.get("link", ())),
        levers=tuple(Lever(**lever) for lever in record.get("lever", ())),
    )


def _own() -> list[Any]:
    found = resources.files("kit.playbooks").iterdir()
    return sorted((p for p in found if p.name.endswith(".toml")), key=lambda p: p.name)


def playbook_files(folder: Path) -> list[Path]:
    """The playbooks in a folder: plain files that lie in it, no links out of it."""
    found = sorted(p for p in folder.glob("*.toml") if p.is_file() and not p.is_symlink())
    if len(found) > MOST_FILES:
        raise BadInput(
            f"{folder.name}/ holds {len(found)} playbooks, at most {MOST_FILES} are read: keep those you use."
        )
    return found


def text_of(path: Path) -> str:
    """What stands in this file of a playbook. Raises `BadInput` for one too large, or not UTF-8."""
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise BadInput(f"{path.name} is larger than {LARGEST_BYTES:,} bytes: that is no playbook.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The playbook {path.name} cannot be read ({error}): save it as UTF-8 text.") from None


def _shape_faults(record: Mapping[str, Any]) -> list[str]:
    """What is not even of the right kind: text, number, list of texts, list of sections."""
    faults = [f"{key} must be text" for key in sorted(_TEXTS & set(record)) if not isinstance(record[key], str)]
    if isinstance(record.get("name"), str) and not _NAME.fullmatch(record["name"]):
        faults.append(f"name {record['name'][:40]!r} must be small letters, digits and _, at most 40")
    faults += [f"{key} must be true or false" for key in sorted(_SWITCHES & set(record))
               if not isinstance(record[key], bool)]  # fmt: skip
    lag = record.get("lag_s", 300)
    if isinstance(lag, bool) or not isinstance(lag, int | float) or not 0 < lag <= 30 * 86400:
        faults.append("lag_s must be a number of seconds, at most thirty days")
    faults += [f"{key} must be a list of texts" for key in sorted(_LISTS & set(record)) if not _texts(record[key])]
    more = record.get("removes_with", {})
    if not isinstance(more, Mapping) or not all(k in CONDITIONS and _texts(v) for k, v in more.items()):
        faults.append(f"removes_with must be a table of lists of texts, by {' or '.join(CONDITIONS)}")
    for key in sorted(_TABLES & set(record)):
        if not _sections(record[key]):
            faults.append(f"write each {key} as a section [[{key}]] of its own")
        elif len(record[key]) > MOST_PARTS:
            faults.append(f"{len(record[key])} sections [[{key}]], {MOST_PARTS} at most")
    if faults:
        return faults
    for i, link in enumerate(record.get("link", ()), 1):
        if not _sections(link.get("prediction", [])):
            faults.append(f"link {i}: write each prediction as a section [[link.prediction]]")
    return faults


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def _sections(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, Mapping) for v in value)


def _faults(record: Mapping[str, Any]) -> list[str]:
    faults = _unknown(record, _KEYS, "the playbook")
    faults += [f"{key} is missing" for key in ("name", "title") if not record.get(key)]
    for i, prediction in enumerate(record.get("prediction", ()), 1):
        faults += _prediction_faults(prediction, f"prediction {i}")
    for i, link in enumerate(record.get("link", ()), 1):
        faults += _unknown(link, _LINK_KEYS, f"link {i}")
        faults += [f"link {i} has no {key}" for key in ("from", "to", "text") if not link.get(key)]
        for j, prediction in enumerate(link.get("prediction", ()), 1):
            faults += _prediction_faults(prediction, f"link {i}, prediction {j}")
    for i, lever in enumerate(record.get("lever", ()), 1):
        faults += _unknown(lever, _LEVER_KEYS, f"lever {i}")
        faults += [] if lever.get("do") else [f"lever {i} does not say what to do"]
        faults += _lever_faults(lever, f"lever {i}")
    role = record.get("role", "trigger")
    if role not in get_args(Role):
        faults.append(f"role {role!r} is none: it is one of {', '.join(get_args(Role))}")
    return faults


def _lever_faults(lever: Mapping[str, Any], name: str) -> list[str]:
    wrong = [k for k in ("do", "fits", "risk", "erases", "watch") if not isinstance(lever.get(k, ""), str)]
    wrong += [] if isinstance(lever.get("reversible", True), bool) else ["reversible"]
    within = lever.get("within_s", 180)
    wrong += [] if isinstance(within, int | float) and not isinstance(within, bool) else ["within_s"]
    return [f"{name}: {key} is of the wrong kind" for key in wrong]


def _prediction_faults(prediction: Mapping[str, Any], name: str) -> list[str]:
    faults = _unknown(prediction, _PREDICTION_KEYS, name)
    if not prediction.get("text") or not isinstance(prediction["text"], str):
        faults.append(f"{name} has no text")
    if prediction.get("kind", "must") not in KINDS:
        faults.append(f"{name}: {prediction['kind']!r} is no kind; it is one of {', '.join(KINDS)}")
    faults += [f"{name}: {key} must be a table" for key in ("arguments", "control", "when")
               if not isinstance(prediction.get(key, {}), Mapping)]  # fmt: skip
    faults += [f"{name}: {key} must be a list of texts" for key in ("bound", "unbound")
               if not _texts(prediction.get(key, []))]  # fmt: skip
    if not isinstance(prediction.get("check", ""), str):
        faults.append(f"{name}: check must be the name of a check")
    if faults:
        return faults
    try:
        find_check(prediction.get("check", ""))
        validate(prediction["check"], {**prediction.get("arguments", {}), **prediction.get("control", {})})
    except BadInput as error:
        faults.append(f"{name}: {str(error).rstrip('.')}")
    return faults


def _unknown(record: Mapping[str, Any], known: Sequence[str] | set[str], name: str) -> list[str]:
    return [f"{name} has an unknown key {key!r}" for key in record if key not in known]
