"""The command `explore`: log exploration in JupyterLab, with no case and no configuration."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from connectors.durable import write_whole
from kit.errors import BadCase
from kit.lab_command import lab_command, lab_environment


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(explore)


def explore(
    place: Annotated[
        str, typer.Argument(help="A log file, a folder of logs, a case, or an address.", metavar="PATH|URL")
    ],
    out: Annotated[Path, typer.Option(help="Where the notebook is put.")] = Path("explorations"),
    find: Annotated[str, typer.Option(help="Print what fits this query line instead of opening JupyterLab.")] = "",
    tz: Annotated[str | None, typer.Option(help="Zone of times that are written without one.")] = None,
) -> int:
    """Open the log explorer on a folder or an address; with --find print the answer here."""
    from kit.explore import explore as look_into

    if find:
        view = look_into(place, tz=tz).find(find)
        typer.echo(view.volume().headline)
        for row in view.lines(50).table.itertuples(index=False):
            typer.echo(_line(row))
        return 0
    notebook = place_notebook(out, place, tz=tz)
    typer.echo(f"notebook {notebook}")
    command, environment = lab_command(notebook.name), lab_environment()
    return subprocess.run(command, cwd=notebook.parent, env=environment, check=False).returncode


def place_notebook(out: Path, place: str, *, tz: str | None = None) -> Path:
    """Put the explorer's notebook into this folder, pointed at the place; one that is there already stays.

    Raises `BadCase` when a path does not exist.
    """
    from kit.looking import is_address

    remote = is_address(place)
    if not remote and not Path(place).expanduser().exists():
        raise BadCase(f"There is no {place}: give a log file, a folder of logs, a case, or an http address.")
    stem = "".join(c if c.isalnum() else "-" for c in place.split("://")[-1]).strip("-")[-60:] or "logs"
    target = out / f"{stem}.ipynb"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, _pointed_at(place if remote else str(Path(place).expanduser().resolve()), tz))
    return target


def _pointed_at(place: str, tz: str | None) -> str:
    """The shipped notebook with its parameters as literals."""
    import nbformat

    from kit.walk import shipped_notebooks

    notebook = nbformat.read(shipped_notebooks() / "explore_logs.ipynb", as_version=4)
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source = f"case_path = {place!r}\ntz = {tz!r}"
    return nbformat.writes(notebook)


def _line(row: object) -> str:
    from kit.plain_text import visible

    fields = ("time", "service", "level", "message")
    return "  ".join(visible(getattr(row, name)) for name in fields if getattr(row, name, None) is not None)
