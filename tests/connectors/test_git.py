"""A git repository as a source of changes: what it tells, and that nothing in it is run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from connectors import schema
from connectors.errors import BadInput, NotFound
from connectors.git import GitChanges, Settings, open_source
from connectors.git_repository import Repository
from connectors.settings import Place
from connectors.window import Window

DAY = Window.of("2026-11-24T00:00Z", "2026-11-25T00:00Z")


class Repo:
    """A repository made for a test, a commit at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, at: str = "2026-11-24T04:00:00+00:00") -> str:
        who = {"GIT_AUTHOR_NAME": "Ann Author", "GIT_AUTHOR_EMAIL": "ann@example.org"}
        who |= {"GIT_COMMITTER_NAME": "Ann Author", "GIT_COMMITTER_EMAIL": "ann@example.org"}
        who |= {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at, "GIT_CONFIG_GLOBAL": os.devnull}
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env={**os.environ, **who}, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str], message: str, *, at: str) -> str:
        for name, text in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message, at=at)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repo(tmp_path) -> Repo:
    made = Repo(tmp_path / "repo")
    made.commit({"checkout/app.py": "1\n", "README.md": "x\n"}, "First", at="2026-11-23T10:00:00+00:00")
    made.git("tag", "checkout-v1.9")
    made.commit({"checkout/app.py": "2\n"}, "checkout: try again on a timeout", at="2026-11-24T05:00:00+01:00")
    made.git("tag", "checkout-v1.10")
    made.commit({"migrations/0042_drop.sql": "DROP INDEX a;\n"}, "migration 0042", at="2026-11-24T04:10:00+00:00")
    made.commit({"deploy/values.yaml": "pool: 2\n"}, "smaller pool", at="2026-11-24T04:20:00+00:00")
    return made


def source(path: Path, **more) -> GitChanges:
    return GitChanges("repo", Repository(path, path.name), **more)


def rows(path: Path, window: Window = DAY, **more) -> list[dict]:
    answer = source(path, **more).changes(window)
    schema.check(answer.table, "CHANGES")
    return answer.table.to_pylist()


def bundled(repo: Repo, *what: str) -> Path:
    path = repo.path.parent / "changes.git.bundle"
    repo.git("bundle", "create", "-q", str(path), *(what or ("--all",)))
    return path


@pytest.mark.parametrize("form", ["folder", "bundle", "tags only"])
def test_what_was_committed_in_the_window(repo, form):
    path = {
        "folder": lambda: repo.path,
        "bundle": lambda: bundled(repo),
        "tags only": lambda: (repo.git("tag", "tip"), bundled(repo, "--tags"))[1],
    }[form]()
    code, migration, config = rows(path)
    assert code["time"].isoformat() == "2026-11-24T04:00:00+00:00"
    assert (code["kind"], code["service"], code["ref"]) == ("other", "checkout", "checkout-v1.10")
    assert (code["before"], code["after"]) == ("checkout-v1.9", "checkout-v1.10")
    assert code["takes_effect"] == "restart"
    assert (migration["kind"], migration["takes_effect"], migration["summary"]) == (
        "schema",
        "schedule",
        "migration 0042",
    )
    assert config["kind"] == "config"
    assert migration["ref"] == migration["id"].removeprefix("git:") == migration["after"]


def test_nobody_is_named(repo):
    assert "Ann" not in str(rows(repo.path))
    assert "ann@" not in str(rows(repo.path))


def test_only_the_main_line_counts_and_a_merge_shows_what_it_brought(repo):
    repo.git("checkout", "-q", "-b", "side")
    repo.commit({"payments/a.py": "1\n"}, "half done", at="2026-11-24T04:30:00+00:00")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "-m", "Merge side", "side", at="2026-11-24T04:40:00+00:00")
    found = rows(repo.path)
    assert [r["summary"] for r in found][-2:] == ["smaller pool", "Merge side"]
    assert found[-1]["service"] == "payments"


def test_a_revert_names_what_it_undoes(repo):
    repo.git("revert", "--no-edit", "checkout-v1.10", at="2026-11-24T04:50:00+00:00")
    assert rows(repo.path)[-1]["reverts"] == "checkout-v1.10"


def test_an_annotated_tag_is_a_change_at_the_time_it_was_made(repo):
    repo.git("tag", "-a", "payments-v3", "-m", "release", at="2026-11-24T04:55:00+00:00")
    last = rows(repo.path)[-1]
    assert (last["summary"], last["service"]) == ("tag payments-v3", "payments")
    assert last["time"].isoformat() == "2026-11-24T04:55:00+00:00"


def test_nothing_in_the_window_is_an_empty_table(repo):
    assert rows(repo.path, Window.of("2020-01-01T00:00Z", "2020-01-02T00:00Z")) == []


def test_the_text_between_two_versions(repo):
    git = source(bundled(repo))
    text = git.diff("checkout-v1.9", f"v1.10 ({repo.git('rev-parse', '--short=10', 'checkout-v1.10')})")
    assert "-1\n+2\n" in text
    assert "0042" not in text
    assert "DROP INDEX a;" in git.diff("checkout-v1.10", "main")
    assert git.content("main").startswith("diff --git a/deploy/values.yaml")
    assert git.diff("checkout-v1.9", "main", paths=["deploy"]).count("diff --git") == 1
    assert "… cut:" in git.diff("checkout-v1.9", "main", limit=40)
    with pytest.raises(NotFound, match=r"no version 'v99'"):
        git.diff("checkout-v1.9", "v99")


def test_what_is_different_between_two_deployed_versions_is_a_table_of_files(repo):
    git = source(bundled(repo))
    table = git.contents(
        before="v1.9 (" + repo.git("rev-parse", "--short=10", "checkout-v1.9") + ")", after="main"
    ).table
    found = {row.pop("file"): row for row in table.to_pylist()}
    assert {name: row["kind"] for name, row in found.items()} == {
        "checkout/app.py": "other", "deploy/values.yaml": "config", "migrations/0042_drop.sql": "schema",
    }  # fmt: skip
    assert (found["checkout/app.py"]["added"], found["checkout/app.py"]["removed"]) == (1, 1)
    assert found["migrations/0042_drop.sql"]["text"] == "@@ -0,0 +1 @@\n+DROP INDEX a;"
    assert git.contents(before=None, after="checkout-v1.10").table.column("file").to_pylist() == ["checkout/app.py"]


def test_a_version_that_the_repository_lacks_has_no_contents(repo):
    git = source(repo.path)
    assert git.contents(before="0.05", after="0.04").table.num_rows == 0
    assert git.contents(before="checkout-v1.9", after="v77").table.num_rows == 0


def test_a_name_is_never_an_option(repo, tmp_path):
    with pytest.raises(NotFound):
        source(repo.path).diff(f"--output={tmp_path / 'pwned'}", "main")
    assert not (tmp_path / "pwned").exists()


def test_a_repositorys_own_configuration_hooks_and_filters_are_not_run(repo, tmp_path):
    trap = tmp_path / "ran"
    script = tmp_path / "trap.sh"
    script.write_text(f"#!/bin/sh\ntouch {trap}\ncat\n")
    script.chmod(0o755)
    (repo.path / ".gitattributes").write_text("* diff=evil filter=evil\n")
    (repo.path / ".git" / "info").mkdir(exist_ok=True)
    (repo.path / ".git" / "info" / "attributes").write_text("* diff=evil filter=evil\n")
    for key in ("core.fsmonitor", "diff.evil.textconv", "diff.evil.command", "diff.external", "core.pager"):
        repo.git("config", key, str(script))
    repo.git("config", "gpg.program", str(script))
    repo.git("config", "log.showSignature", "true")
    git = source(repo.path)
    assert len(git.changes(DAY).table) == 3
    assert "+2" in git.diff("checkout-v1.9", "checkout-v1.10")
    assert not trap.exists()


def test_a_shallow_clone_says_where_it_begins(repo, tmp_path):
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "clone", "-q", "--depth=2", f"file://{repo.path}", str(clone)], check=True, capture_output=True
    )
    answer = source(clone).changes(DAY)
    assert answer.table.num_rows == 2
    assert "shallow clone" in answer.fetch.partial


def test_what_is_no_repository_is_one_sentence(repo, tmp_path):
    (tmp_path / "x.bundle").write_text("hello")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInput, match="is no git bundle"):
        rows(tmp_path / "x.bundle")
    with pytest.raises(BadInput, match="is no git repository"):
        rows(tmp_path / "folder")
    with pytest.raises(NotFound, match=r"no repository gone"):
        rows(tmp_path / "gone")
    whole = bundled(repo).read_bytes()
    (tmp_path / "half.bundle").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="damaged or half-written"):
        rows(tmp_path / "half.bundle")


def test_a_link_cannot_lead_out_of_the_case(repo, tmp_path):
    case = tmp_path / "case"
    case.mkdir()
    (case / "repo").symlink_to(repo.path)
    with pytest.raises(BadInput, match="leads out of the case's folder"):
        open_source("repo", Settings(kind="git", table="changes", path="repo"), Place(case))
