"""One walked case as something to pass on: redacted unless somebody says otherwise by name, whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.durable import copy_in_place, write_whole
from kit.errors import BadCase
from kit.export.html import page_of, walked
from kit.export.page import UNREDACTED_BAND
from kit.incident import read_incident
from kit.progress import begun
from kit.redaction.profile import DEFAULT

if TYPE_CHECKING:
    from kit.redaction.case_copy import RedactedCase
    from kit.summary import Summary
    from kit.walk import Progress

FORMATS = ("html", "pdf", "md", "ipynb", "bundle", "issues")
_CALLED = {"html": "page", "pdf": "page and its print", "md": "document and its pictures", "bundle": "bundle"}
_ENDINGS = {"html": ".html", "pdf": ".pdf", "md": ".md", "ipynb": ".ipynb", "bundle": ".zip", "issues": ".csv"}


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the file (pictures stand in a folder beside a `.md`), and what there is to say about it."""

    path: Path
    lines: tuple[str, ...] = ()

    @property
    def bytes(self) -> int:
        """How much was written, of a folder all its files."""
        beside = self.path.parent / f"{self.path.stem}_files" if self.path.suffix == ".md" else self.path
        files = [self.path, *beside.rglob("*")] if beside.is_dir() else [self.path]
        return sum(f.stat().st_size for f in files if f.is_file())


@dataclass(frozen=True, slots=True)
class BundleWishes:
    """What a bundle is to have beside the usual: all rows that were kept, a signature, a day to be kept until."""

    with_rows: bool = False
    sign: Path | None = None
    keep_until: date | None = None

    @classmethod
    def of(cls, *, with_rows: bool, sign: Path | None, keep_until: str | None) -> BundleWishes:
        """From what a command line says. Raises `BadCase` when the day is none."""
        try:
            return cls(with_rows, sign, date.fromisoformat(keep_until) if keep_until else None)
        except ValueError:
            raise BadCase(f"{keep_until!r} is no date to keep it until: write one like 2027-12-31.") from None


def export_case(
    folder: Path,
    *,
    to: str = "html",
    out: Path | None = None,
    profile: str = DEFAULT,
    key: bytes | None = None,
    bundle: BundleWishes | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write this walked case, redacted by a profile (internal, vendor, public), in one of the formats.

    The walk is run again on a redacted copy, and the finished bytes are read once more before they are put in place.
    `key` is what pseudonyms are made with; None: the user's own. Raises `CheckFailed` when something was left in them,
    `StaleFindings` or `BadCase` when the case cannot be exported as it is.
    """
    from kit.redaction.case_copy import redacted_case
    from kit.redaction.scan import require_clean

    _require_format(to)
    walked(folder)
    with redacted_case(folder, profile=profile, key=key, progress=progress) as made:
        target = out or _default(folder, to, name=made.redactor.text(read_incident(folder).id))
        with tempfile.TemporaryDirectory(prefix="incident-kit-") as private:
            into, notes = Path(private), made.redaction.lines
            begun(f"writing the {_CALLED.get(to, 'file')}")
            if to == "bundle":
                files, said = _bundle(made, into, bundle or BundleWishes())
            else:
                files, said = _WRITERS[to](made.folder, into / target.name, None, notes), ()
            begun("reading what was written once more, for anything that was taken out")
            for path in files:
                require_clean(path, made.redactor, known_parts=_own_parts())
            if made.redactor.text(target.name) != target.name:
                raise BadCase("The name of the file itself would have to be redacted: choose another with --out.")
            _put(files, target)
        return Exported(target, (*notes, *said))


def export_unredacted(folder: Path, *, to: str = "html", out: Path | None = None) -> Exported:
    """Write this walked case as it was recorded. The name must say `.unredacted.`, and every page says so too."""
    _require_format(to)
    if to == "bundle":
        raise BadCase("An unredacted bundle is written by kit.bundle.write.write_bundle.")
    walked(folder)
    target = out or _default(folder, to, name=f"{read_incident(folder).id}.unredacted")
    if f".unredacted{target.suffix}" not in target.name:
        raise BadCase(
            f"{target.name} must end in .unredacted{_ENDINGS[to]}, so that nobody takes the page for a redacted one."
        )
    begun(f"writing the {_CALLED.get(to, 'file')}")
    with tempfile.TemporaryDirectory(prefix="incident-kit-") as private:
        _put(_WRITERS[to](folder, Path(private) / target.name, UNREDACTED_BAND, ()), target)
    return Exported(target)


def _html(folder: Path, path: Path, band: str | None, notes: Sequence[str]) -> list[Path]:
    path.write_text(page_of(folder, band=band, notes=notes), encoding="utf-8")
    return [path]


def _pdf(folder: Path, path: Path, band: str | None, notes: Sequence[str]) -> list[Path]:
    from kit.export.browser import print_to_pdf

    page = path.with_suffix(".html")
    page.write_text(page_of(folder, band=band, notes=notes), encoding="utf-8")
    print_to_pdf(page, to=path)
    return [path, page]


def _md(folder: Path, path: Path, band: str | None, notes: Sequence[str]) -> list[Path]:
    from kit.export.markdown_file import markdown_file

    beside = path.parent / f"{path.stem}_files"
    text, pictures = markdown_file(
        walked(folder), summary=_summary(folder), band=band, notes=notes, pictures_in=beside.name
    )
    path.write_text(text, encoding="utf-8")
    if pictures:
        beside.mkdir()
        for name, content in pictures.items():
            (beside / name).write_bytes(content)
    return [path, *([beside] if pictures else [])]


def _ipynb(folder: Path, path: Path, band: str | None, notes: Sequence[str]) -> list[Path]:
    from kit.export.notebook_file import notebook_file

    path.write_bytes(notebook_file(walked(folder), summary=_summary(folder), band=band, notes=notes))
    return [path]


def _issues(folder: Path, path: Path, band: str | None, notes: Sequence[str]) -> list[Path]:
    """The action items of `postmortem.md` as CSV, or as JSON where the file is to end so."""
    from kit.issues import issues_csv, issues_json, read_actions, require_actions

    actions = read_actions((folder / "postmortem.md").read_text(encoding="utf-8"))
    require_actions(actions)
    incident = read_incident(folder).title
    as_json = path.suffix == ".json"
    path.write_bytes(
        issues_json(actions, incident=incident) if as_json else issues_csv(actions, incident=incident).encode()
    )
    return [path]


_WRITERS: dict[str, Callable[[Path, Path, str | None, Sequence[str]], list[Path]]] = {
    "html": _html, "pdf": _pdf, "md": _md, "ipynb": _ipynb, "issues": _issues,
}  # fmt: skip


def _bundle(made: RedactedCase, into: Path, wishes: BundleWishes) -> tuple[list[Path], tuple[str, ...]]:
    """The bag of a redacted case as a folder, and what there is to say about it."""
    from kit.bundle.write import write_bundle

    bundle = write_bundle(
        made.folder,
        out=into / "bundle",
        with_rows=wishes.with_rows,
        key=wishes.sign,
        keep_until=wishes.keep_until,
        redaction=made.redaction.bag_info(),
    )
    return [bundle.path], (
        f"evidence {bundle.evidence} (stands on the page)",
        f"bag      {bundle.bag} (keep it elsewhere)",
        f"holds    {bundle.answers} recorded answers; withheld: {'; '.join(bundle.withheld) or 'nothing'}",
    )


def _put(files: Sequence[Path], target: Path) -> None:
    """Move the finished files in place: the main one, and for Markdown its pictures beside it."""
    main = files[0]
    if main.is_dir():
        _pack(main, target)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    for extra in (f for f in files[1:] if f.is_dir()):
        beside = target.parent / f"{target.stem}_files"
        copy_in_place(extra, beside)
    write_whole(target, main.read_bytes())


def _pack(bag: Path, target: Path) -> None:
    """A bag as the archive that its name asks for, or as a folder."""
    from kit.bundle.archive import SUFFIXES, pack

    target.parent.mkdir(parents=True, exist_ok=True)
    if target.name.endswith(SUFFIXES):
        pack(bag, target)
    elif target.exists():
        raise BadCase(f"{target} is there already: name another folder, or a file that ends in .zip or .tar.zst.")
    else:
        copy_in_place(bag, target)


def _summary(folder: Path) -> Summary:
    from kit.findings import Findings
    from kit.summary import summarize

    about = read_incident(folder)
    return summarize(Findings(folder).merge(), title=about.title, zone=about.tz)


def _own_parts() -> tuple[str, ...]:
    """The scripts and the style of every page."""
    from kit.export.page import inlined_scripts, inlined_style

    return *inlined_scripts(), inlined_style()


def _default(folder: Path, to: str, *, name: str) -> Path:
    return folder / "exports" / f"{name}{_ENDINGS[to]}"


def _require_format(to: str) -> None:
    if to not in FORMATS:
        raise BadCase(f"{to!r} is not a format this installation writes: it writes {', '.join(FORMATS)}.")
