"""The commands about what people add and decide: rows of the timeline, and how the verdicts came about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kit.errors import KitError

CasePath = Annotated[Path, typer.Argument(help="Folder of a case.", metavar="CASE")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(note)
    app.command()(history)


def note(
    case: CasePath,
    fact: Annotated[str | None, typer.Argument(help="What happened, in a sentence without names.")] = None,
    at: Annotated[str | None, typer.Option(help="When, with its zone: 2026-03-01T02:20Z.", metavar="TIME")] = None,
    lane: Annotated[str, typer.Option(help="change, symptom, detection, response or recovery.")] = "response",
    source: Annotated[
        Path | None, typer.Option("--from", help="Slack's or PagerDuty's JSON export.", metavar="FILE")
    ] = None,
) -> None:
    """Add a row to the timeline by hand, or the rows of a chat's or a pager's export that lie in the look."""
    from kit.case import open_case
    from kit.noted import add_rows, read_export

    if (fact is None) == (source is None):
        raise KitError('Say what happened with --at TIME: note CASE "…" --at 2026-03-01T02:20Z; or --from FILE.')
    opened = open_case(case, offline=True)
    if source is not None:
        rows, said = read_export(source, window=opened.look)
    elif at is None:
        raise KitError("Say when it was: --at 2026-03-01T02:20Z.")
    else:
        rows, said = [{"time": at, "lane": lane, "fact": str(fact)}], "one row"
    added = add_rows(opened.folder / "timeline.jsonl", rows, there=opened.noted)
    typer.echo(f"{said}; {added} added to timeline.jsonl. Run notebook 07 again to see them.")


def history(case: CasePath) -> None:
    """How each verdict came about over the runs of this case, and what was tried and gave nothing."""
    from kit.case import open_case
    from kit.ledger import diary

    opened = open_case(case, offline=True)
    entries = opened.verdict_history
    for name in dict.fromkeys(e.hypothesis for e in entries):
        typer.echo(name)
        for entry in (e for e in entries if e.hypothesis == name):
            typer.echo(f"  {entry}")
    if not entries:
        typer.echo("No verdict has been recorded yet: run notebook 06, or `incident-kit run`.")
        return
    tried = diary(opened.verdicts)
    if tried:
        typer.echo("Tried, and gave nothing:")
    for line in tried:
        typer.echo(f"  {line}")
