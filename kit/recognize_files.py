"""Which sources are these files? Each is told by its content, not by its name; rotated copies of one are one source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import ConnectorError
from connectors.files.formats import sniff, table_in
from connectors.folder.copies import stem_of

GIT = "git"
"""The format of a bundle, which is a source of its own kind."""
CASE = ("incident.toml", "sources.toml")
"""A folder with these is a case: its answers, findings and notebooks are no data."""
SHOWN = 8
"""So many files that were left out are named."""


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """Files that are one source: `name` is their path below the place looked at, without rotation and compression.

    `format` is one of `connectors.files.formats` or "git"; `table` logs, metrics, spans, changes or alerts. `paths` lie
    below `root`, the oldest rotation last as their names sort.
    """

    name: str
    format: str
    table: str
    root: Path
    paths: tuple[Path, ...]

    @property
    def service(self) -> str:
        """Whose they are, by their folder, or by their own name where they lie at the top: a guess.

        >>> one = FoundFiles("checkout/c-1.jsonl", "json_lines", "logs", Path(), ())
        >>> one.service, FoundFiles("nginx.log", "combined", "logs", Path(), ()).service
        ('checkout', 'nginx')
        """
        return Path(self.name).parent.name or Path(self.name).name.split(".")[0]


def recognize_files(places: Sequence[Path]) -> tuple[list[FoundFiles], list[str]]:
    """Which sources lie in these files and folders, and what was left out and why, a sentence each?

    Hidden files and folders, links and empty files are passed over, and of a case everything but its `raw/`. Nothing is
    read but the beginning of each file.
    """
    groups: dict[tuple[Path, str, str, str], list[Path]] = {}
    cases: dict[Path, None] = {}
    unknown: list[str] = []
    for root, path in _below(places):
        if case := _case_of(path, root):
            cases[case] = None
            root = case / "raw"
            if root not in path.parents:
                continue
        try:
            format_ = GIT if path.suffix == ".bundle" else sniff(path)
        except ConnectorError as error:
            unknown.append(str(error))
            continue
        table = "changes" if format_ == GIT else table_in(path, format_).lower()
        name = stem_of(path.relative_to(root).as_posix())
        groups.setdefault((root, name, format_, table), []).append(path)
    left_out = [f"{case.name} is a case: only what is in its raw/ is looked at" for case in cases]
    left_out += unknown[:SHOWN]
    if len(unknown) > SHOWN:
        left_out.append(f"and {len(unknown) - SHOWN:,} more files of no known format")
    found = [FoundFiles(name, format_, table, root, tuple(p)) for (root, name, format_, table), p in groups.items()]
    return found, left_out


def _case_of(path: Path, root: Path) -> Path | None:
    """The case folder that this file lies in, at the place looked at or below it; None when in none."""
    above = [p for p in path.parents if p == root or root in p.parents]
    return next((p for p in above if all((p / name).is_file() for name in CASE)), None)


def _below(places: Sequence[Path]) -> Iterator[tuple[Path, Path]]:
    """The place that was given, and each file that is worth a look: no links below it, nothing hidden or empty."""
    for place in places:
        if place.is_file():
            files = [place]
        else:
            below = sorted(p for p in place.rglob("*") if p.is_file() and not p.is_symlink())
            files = [p for p in below if not any(part.startswith(".") for part in p.relative_to(place).parts)]
        root = place if place.is_dir() else place.parent
        yield from ((root, path) for path in files if path.stat().st_size)
