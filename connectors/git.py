"""What was merged when: a git repository or bundle as a source of changes.

A commit is not yet a deploy: it takes effect when something is started with it, a migration when it is applied. Who
wrote it is not asked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import pyarrow as pa
from pydantic import Field

from connectors.base import Answer, Fetch, canonical
from connectors.errors import BadInput, NotFound
from connectors.files.changes_jsonl import to_changes
from connectors.git_repository import Repository
from connectors.settings import Place
from connectors.settings import Settings as Base
from connectors.window import Window

MIGRATION = re.compile(
    r"(^|/)(migrations?|migrate|alembic/versions|flyway|liquibase|changelogs?|schema)/|(^|/)V\d+[\w.]*__\w+\.sql$|\.sql$|\.ddl$",
    re.I,
)
CONFIG = re.compile(
    r"(^|/)(config|conf|settings|env|helm|charts?|k8s|kubernetes|deploy|terraform|ansible|flags?)/"
    r"|\.(toml|ya?ml|ini|conf|cfg|properties|env|tf|tfvars|hcl)$|(^|/)(\.env[\w.]*|nginx\.conf|values[\w.-]*\.ya?ml)$",
    re.I,
)
FLAG = re.compile(r"(^|/)(feature[-_]?)?flags?(/|\.(json|ya?ml|toml)$)", re.I)
NOT_CONFIG = re.compile(
    r"(^|/)(\.github|\.gitlab|docs?|tests?)/|(^|/)(pyproject\.toml|package(-lock)?\.json|README\S*)$", re.I
)
COMMITS = 20_000
DIFF_CHARS = 200_000
FILE_CHARS = 4_000
_REVERTED = re.compile(r"This reverts commit ([0-9a-f]{7,64})")
_VERSION = re.compile(r"^(?P<name>.*?)[-_/@]?v?(?P<version>\d[\w.+-]*)$")


class Settings(Base):
    """`path` is a bundle or repository below the case's folder; `services` maps a folder in it to a service."""

    path: str
    branch: str | None = None
    services: Mapping[str, str] = Field(default_factory=dict)


def open_source(name: str, settings: Settings, place: Place) -> GitChanges:
    """The repository as a source of changes; it is opened when it is first asked."""
    path = place.folder / settings.path
    if path.exists() and place.folder.resolve() not in path.resolve().parents:
        raise BadInput(f"{settings.path} of {name} is a link that leads out of the case's folder: copy it there.")
    return GitChanges(
        name, Repository(path, settings.path), branch=settings.branch, service=settings.service,
        services=dict(settings.services), ui=settings.ui,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of the main line: its id, time, first parent, subject and the files it changed there."""

    sha: str
    time: datetime
    parent: str | None
    subject: str
    files: tuple[str, ...]


@dataclass(eq=False)
class GitChanges:
    """A change source over a repository: `changes`, and the text between two versions with `diff`."""

    name: str
    repository: Repository
    branch: str | None = None
    service: str | None = None
    services: Mapping[str, str] = field(default_factory=dict)
    ui: str | None = None

    def changes(self, window: Window) -> Answer:
        """CHANGES: what was committed or merged to the main line inside the window, and tags made there.

        `kind` is schema when migration files were touched, flag or config when nothing but those were, else other.
        `ref` is the commit's tag, else its first ten digits; `before` and `after` are versions where tags tell them,
        else commits. `takes_effect` is restart: it is not live before something starts with it (a migration: schedule).
        It can mislead: a commit's time is when it was written to the history, which a rebase moves.
        """
        began = time.monotonic()
        found = [self._row(commit) for commit in self._commits(window)] + self._tag_rows(window)
        table = to_changes(sorted(found, key=lambda row: (row["time"], row["id"])))
        partial = None
        if self.repository.shallow:
            partial = (
                f"{self.repository.label} is a shallow clone: what was changed before its first commit is not in it"
            )
        fetch = Fetch(
            source=self.name, question="changes", query=f"git log --first-parent {' '.join(self._line)}", window=window,
            rows=table.num_rows, partial=partial, took_s=time.monotonic() - began, engine="git",
        )  # fmt: skip
        return Answer(table, fetch, canonical({"window": window}))

    def contents(self, *, before: str | None, after: str) -> Answer:
        """What is different between two deployed versions, a row per file: file, kind, added, removed, text.

        Versions as for `diff`; `before` None: what `after` itself changed. `kind` is schema, flag, config or other;
        `added` and `removed` are numbers of lines, `text` the unified diff, cut to 4,000 characters. Empty where the
        repository lacks one of the two, or nothing is different.
        """
        began = time.monotonic()
        known = [self.repository.resolve(name) for name in (before, after) if name is not None]
        text = ""
        if None not in known:
            text = self.content(after) if before is None else self.diff(before, after)
        files = [_of_file(part) for part in re.split(r"(?m)^(?=diff --git )", text) if part.startswith("diff --git ")]
        table = pa.Table.from_pylist(files, schema=CONTENTS)
        query = f"git diff {before or f'{after}^'} {after}"
        fetch = Fetch(
            source=self.name, question="contents", query=query, window=None, rows=table.num_rows, engine="git",
            took_s=time.monotonic() - began,
        )  # fmt: skip
        return Answer(table, fetch, canonical({"before": before, "after": after}))

    def diff(self, before: str, after: str, *, paths: Sequence[str] = (), limit: int = DIFF_CHARS) -> str:
        """What is different between two versions, as a unified diff of at most `limit` characters.

        `before` and `after` are tags, branches, commits, or text that holds one, like "v2.7.4 (b4a708e750)". The text
        ends with a line that says so when it was cut. Raises `NotFound` for a version that the repository lacks.
        """
        ends = [self._known(before), self._known(after)]
        text = self.repository.run(
            "diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--unified=3", *ends, "--", *paths
        )
        return text if len(text) <= limit else f"{text[:limit]}\n… cut: {len(text) - limit:,} more characters\n"

    def content(self, ref: str) -> str:
        """What one commit or tag changed against its first parent, as a unified diff."""
        sha = self._known(ref)
        parent = self.repository.resolve(f"{sha}^")
        empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904" if len(sha) == 40 else None
        if parent is None and empty is None:
            return ""
        ends = [parent or str(empty), sha]
        return self.repository.run("diff", "--no-ext-diff", "--no-textconv", "--no-color", *ends)[:DIFF_CHARS]

    def _known(self, name: str) -> str:
        sha = self.repository.resolve(name)
        if sha is None:
            raise NotFound(f"{self.repository.label} has no version {name!r}: name a tag or commit that it holds.")
        return sha

    @cached_property
    def _line(self) -> list[str]:
        """The main line's starting points: the branch asked for, HEAD, a usual name, or all tags and branches."""
        for name in filter(None, (self.branch, "HEAD", "refs/heads/main", "refs/heads/master", "refs/heads/trunk")):
            sha = self.repository.resolve(name)
            if sha is not None:
                return [sha]
            if name == self.branch:
                raise NotFound(f"{self.repository.label} has no branch {name!r}: name one that it holds.")
        return ["--tags", "--branches", "--remotes"]

    def _commits(self, window: Window) -> list[Commit]:
        since = f"--since={int(window.start.timestamp()) - 86_400}"
        if self._line[0].startswith("-") and not self.repository.run("for-each-ref", "--count=1").strip():
            return []
        text = self.repository.run(
            "log", "--first-parent", "--diff-merges=first-parent", "--name-only", "--no-ext-diff", "--no-textconv",
            "--no-color", "--no-renames", since, f"--max-count={COMMITS}", "--format=%x01%H%x1f%ct%x1f%P%x1f%s",
            *self._line, "--",
        )  # fmt: skip
        found = (_commit(part) for part in text.split("\x01")[1:])
        return [commit for commit in found if commit is not None and window.contains(commit.time)]

    @cached_property
    def _tags(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for sha, name, _ in self._all_tags:
            found.setdefault(sha, []).append(name)
        return found

    @cached_property
    def _all_tags(self) -> list[tuple[str, str, datetime | None]]:
        """Commit, name, and for an annotated tag the time at which it was made."""
        text = self.repository.run(
            "for-each-ref", "--format=%(objectname)%00%(*objectname)%00%(taggerdate:unix)%00%(refname)", "refs/tags"
        )
        found = []
        for line in text.splitlines():
            sha, peeled, made, name = line.split("\0", 3)
            at = datetime.fromtimestamp(int(made), UTC) if made.isdigit() else None
            found.append((peeled or sha, name.removeprefix("refs/tags/"), at))
        return found

    def _row(self, commit: Commit) -> dict[str, Any]:
        tags = self._tags.get(commit.sha, [])
        kind = _kind(commit.files)
        before, after = self._versions(commit, tags)
        return {
            "id": f"git:{commit.sha[:10]}",
            "time": commit.time,
            "kind": kind,
            "service": self._service(commit.files),
            "summary": commit.subject or f"commit {commit.sha[:10]}",
            "ref": tags[0] if tags else commit.sha[:10],
            "before": before,
            "after": after,
            "takes_effect": "schedule" if kind == "schema" else "restart",
            "reverts": self._reverts(commit),
            "derived": False,
            "url": f"{self.ui.rstrip('/')}/commit/{commit.sha}" if self.ui else None,
        }

    def _tag_rows(self, window: Window) -> list[dict[str, Any]]:
        rows = []
        for sha, name, made in self._all_tags:
            if made is None or not window.contains(made):
                continue
            rows.append(
                {
                    "id": f"git:tag:{name}", "time": made, "kind": "other", "service": self._service_of_tag(name),
                    "summary": f"tag {name}", "ref": name, "after": sha[:10], "takes_effect": "restart",
                    "derived": False,
                }
            )  # fmt: skip
        return rows

    def _versions(self, commit: Commit, tags: Sequence[str]) -> tuple[str | None, str]:
        parent = commit.parent[:10] if commit.parent else None
        if not tags:
            return parent, commit.sha[:10]
        name = _VERSION.match(tags[0])
        family = name["name"] if name else tags[0]
        older = [
            tag for _, tag, _ in self._all_tags if tag != tags[0] and (m := _VERSION.match(tag)) and m["name"] == family
        ]
        older = sorted((t for t in older if _order(t) < _order(tags[0])), key=_order)
        return (older[-1] if older else parent), tags[0]

    def _service(self, files: Sequence[str]) -> str | None:
        if self.service is not None:
            return self.service
        touched = set()
        for file in files:
            mapped = next((s for folder, s in self.services.items() if file.startswith(folder.rstrip("/") + "/")), None)
            top = file.split("/", 1)[0] if "/" in file else None
            touched.add(mapped or (None if self.services or top is None or _SHARED.fullmatch(top) else top))
        return touched.pop() if len(touched) == 1 else None

    def _service_of_tag(self, name: str) -> str | None:
        match = _VERSION.match(name)
        return self.service or (match["name"] if match and match["name"] and match["name"] != "v" else None)

    def _reverts(self, commit: Commit) -> str | None:
        if not commit.subject.startswith('Revert "'):
            return None
        body = self.repository.run("show", "--no-patch", "--format=%B", commit.sha)
        match = _REVERTED.search(body)
        if match is None:
            return None
        sha = self.repository.resolve(match[1]) or match[1]
        tags = self._tags.get(sha, [])
        return tags[0] if tags else sha[:10]


_TEXTS, _NUMBERS = ("file", "kind", "text"), ("added", "removed")
CONTENTS = pa.schema([*((name, pa.string()) for name in _TEXTS), *((name, pa.int64()) for name in _NUMBERS)])
"""The shape of what `contents` answers."""


def _of_file(part: str) -> dict[str, Any]:
    """One file of a unified diff."""
    lines = part.splitlines()
    named = next((line[6:] for line in lines if line.startswith(("+++ b/", "--- a/"))), "")
    named = next((line[6:] for line in lines if line.startswith("+++ b/")), named) or lines[0].rpartition(" b/")[2]
    body = lines[next((at for at, line in enumerate(lines) if line.startswith("@@")), len(lines)) :]
    return {
        "file": _unquoted(named), "kind": _kind([named]), "added": sum(line.startswith("+") for line in body),
        "removed": sum(line.startswith("-") for line in body), "text": "\n".join(body)[:FILE_CHARS],
    }  # fmt: skip


_SHARED = re.compile(
    r"migrations?|docs?|tests?|common|lib|libs|\.github|\.gitlab|config|conf|deploy|src|scripts?|tools?", re.I
)


def _commit(text: str) -> Commit | None:
    head, _, names = text.partition("\n")
    parts = head.split("\x1f", 3)
    if len(parts) != 4 or not parts[1].isdigit():
        return None
    parents = parts[2].split()
    at = datetime.fromtimestamp(int(parts[1]), UTC)
    files = tuple(_unquoted(line) for line in names.splitlines() if line.strip())
    return Commit(parts[0], at, parents[0] if parents else None, " ".join(parts[3].split()), files)


def _unquoted(line: str) -> str:
    return line[1:-1] if line.startswith('"') and line.endswith('"') else line


def _kind(files: Sequence[str]) -> str:
    if any(MIGRATION.search(file) for file in files):
        return "schema"
    if files and all(FLAG.search(file) for file in files):
        return "flag"
    if files and all(CONFIG.search(file) and not NOT_CONFIG.search(file) for file in files):
        return "config"
    return "other"


def _order(tag: str) -> tuple[Any, ...]:
    """Versions in their order: numbers as numbers, a pre-release before its release."""
    match = _VERSION.match(tag)
    parts = re.findall(r"\d+|[A-Za-z]+", match["version"] if match else tag)
    return (*((1, int(p), "") if p.isdigit() else (0, 0, p) for p in parts), (0.5, 0, ""))
