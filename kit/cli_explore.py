"""The command `explore`: log exploration in JupyterLab, with no case and no configuration."""

from __future__ import annotations

import subprocess
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any

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
    fields: Annotated[bool, typer.Option("--fields", help="Print which fields there are to ask for.")] = False,
    tz: Annotated[str | None, typer.Option(help="Zone of times that are written without one.")] = None,
) -> int:
    """Open the log explorer on a folder or an address; with --find or --fields print the answer here."""
    if find or fields:
        typer.echo(f"looking into {place} …", err=True)
        _print_fields(place, tz) if fields else _print_found(place, find, tz)
        return 0
    notebook = place_notebook(out, place, tz=tz)
    typer.echo(f"notebook {notebook}")
    command, environment = lab_command(notebook.name), lab_environment()
    return subprocess.run(command, cwd=notebook.parent, env=environment, check=False).returncode


PRINTED = 50


def _print_found(place: str, find: str, tz: str | None) -> None:
    from kit.explore import explore as look_into

    view = look_into(place, tz=tz).find(find)
    typer.echo(view.volume().headline)
    look = view.lines(PRINTED)
    for row in look.table.to_dict("records"):
        typer.echo(_line(row))
    for said in (look.title if len(look.table) == PRINTED else "", *look.because):
        if said:
            typer.echo(said, err=True)


def _print_fields(place: str, tz: str | None) -> None:
    import json

    from kit.explore import explore as look_into
    from kit.plain_text import visible

    for row in look_into(place, tz=tz).fields().to_dict("records"):
        values = [visible(value)[:40] for value, _ in json.loads(row["top"] or "[]")[:4]]
        typer.echo(f"{visible(row['name'])}  {row['type']}  {row['share_present']:.0%}  {', '.join(values)}")


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


def _line(row: dict[Hashable, Any]) -> str:
    """One line as text; what it does not say is left out."""
    from kit.plain_text import visible

    said = [row.get(name) for name in ("time", "service", "level", "message")]
    return "  ".join(visible(value) for value in said if value is not None and value == value)
