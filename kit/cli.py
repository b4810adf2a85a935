"""The command line `incident-kit`: each command is one verb of the kit, with one clear sentence when it cannot.

Status: 0 done, whatever was found · 1 a check failed · 2 bad input or configuration · 3 done in part: a source could
not be asked · 130 interrupted, nothing lost.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kit import cli_evidence, cli_explore, cli_now, cli_people
from kit.cli_evidence import case_folder
from kit.errors import IN_PART, CheckFailed, KitError

app = typer.Typer(
    name="incident-kit",
    help="Investigate a production incident: evidence frozen, hypotheses tested, causes told as mechanisms.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
CasePath = Annotated[Path, typer.Argument(help="Folder of a case, or of a recorded sample.", metavar="CASE")]


def main() -> None:
    """Run the command line; errors become one sentence on stderr and a status, never a traceback (unless --debug)."""
    debug = "--debug" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        _own_packages()
        status = app(args=arguments, standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("Interrupted; nothing that was written before is lost.", err=True)
        sys.exit(130)
    except Exception as error:
        if debug:
            raise
        sys.exit(_told(error))


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the new case; a folder of this name is made.")],
    sample: Annotated[
        str | None, typer.Option(help="A recorded sample incident to start from.", metavar="SLUG")
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--from", help="Folder of data, or the address of a source.", metavar="DIR|URL"),
    ] = None,
    alert: Annotated[
        str | None, typer.Option(help="What fired: a file or address of Alertmanager.", metavar="FILE|URL")
    ] = None,
    at: Annotated[str | None, typer.Option(help="When it happened: look around it.", metavar="TIME")] = None,
    authority: Annotated[
        Path | None, typer.Option(help="Certificate to trust at the addresses (PEM).", metavar="FILE")
    ] = None,
) -> None:
    """Make a case folder with the notebooks; finds out what the data is."""
    from kit.new import new_case, new_from_sample

    if alert is not None and sample is None:
        from kit.new_from_alert import new_from_alert

        for line in new_from_alert(Path(name), alert, data or [], at=at, authority=authority):
            typer.echo(line)
        return
    if (sample is None) == (not data):
        raise typer.BadParameter("give either --sample SLUG or --from DIR or URL (one or more times).")
    made = (
        new_from_sample(Path(name), sample) if sample else new_case(Path(name), data or [], at=at, authority=authority)
    )
    for line in made:
        typer.echo(line)


@app.command()
def run(
    case: CasePath,
    out: Annotated[Path | None, typer.Option(help="Work in this folder (made when it is not there).")] = None,
    refresh: Annotated[bool, typer.Option(help="Ask the sources again instead of using recorded answers.")] = False,
) -> int:
    """Execute the walk without a browser, with progress, and print the findings."""
    from kit.case import open_case
    from kit.incident import read_incident
    from kit.ledger import changed_since
    from kit.summary import terminal_text
    from kit.walk import run_through_kernel
    from kit.working_copy import working_copy

    case = case_folder(case)
    read_incident(case)
    folder = working_copy(case, out) if out is not None else open_case(case).folder
    if refresh and (folder / "evidence.jsonl").exists():
        (folder / "evidence.jsonl").replace(folder / "evidence-before-refresh.jsonl")
    with _progress("walking") as progress:
        run_through_kernel("..", out=folder / "notebooks", progress=progress)
    opened = open_case(folder, offline=True)
    findings = opened.findings.merge()
    typer.echo(terminal_text(findings, title=opened.about.title, zone=opened.zone))
    for line in changed_since(opened.verdict_history):
        typer.echo(f"changed  {line}")
    typer.echo(f"case     {_shown(folder)}")
    return IN_PART if findings["partial"] else 0


@app.command()
def lab(case: CasePath) -> None:
    """Open JupyterLab on a case, at notebook 00."""
    import subprocess

    from kit.case import open_case
    from kit.lab_command import lab_command, lab_environment
    from kit.walk import WALK, copy_notebooks

    opened = open_case(case_folder(case))
    notebooks = opened.folder / "notebooks"
    if not (notebooks / f"{WALK[0]}.ipynb").exists():
        copy_notebooks(notebooks, case_path="..")
    command = lab_command(f"notebooks/{WALK[0]}.ipynb")
    raise typer.Exit(subprocess.run(command, cwd=opened.folder, env=lab_environment(), check=False).returncode)


@app.command()
def export(
    case: CasePath,
    to: Annotated[str, typer.Option(help="What to write: html, pdf, md, ipynb, bundle or issues.")] = "html",
    out: Annotated[Path | None, typer.Option(help="Where to write it.")] = None,
    profile: Annotated[
        str, typer.Option(help="For whom it is redacted: internal, vendor or public.", metavar="PROFILE")
    ] = "vendor",
    unredacted: Annotated[
        bool, typer.Option("--unredacted", help="Show everything as it was recorded; the name then says so.")
    ] = False,
    with_rows: Annotated[
        bool, typer.Option("--with-rows", help="A bundle with all rows that were kept, cited or not.")
    ] = False,
    sign: Annotated[Path | None, typer.Option(help="Sign the bundle with this SSH key.", metavar="KEY")] = None,
    keep_until: Annotated[str | None, typer.Option(help="Until when the bundle is to be kept.", metavar="DATE")] = None,
) -> None:
    """Write a walked case as something to pass on, redacted: a page, or a bundle that anyone can check, offline."""
    from kit.export.export import BundleWishes, export_case, export_unredacted

    case = case_folder(case)
    if unredacted and to == "bundle":
        cli_evidence.export_bundle(case, out=out, with_rows=with_rows, key=sign, keep_until=keep_until)
        return
    with cli_evidence.stages_on_stderr():
        if unredacted:
            done = export_unredacted(case, to=to, out=out)
        else:
            wishes = BundleWishes.of(with_rows=with_rows, sign=sign, keep_until=keep_until)
            with _progress("walking the redacted answers") as progress:
                done = export_case(case, to=to, out=out, profile=profile, bundle=wishes, progress=progress)
    for line in done.lines:
        typer.echo(line)
    typer.echo(f"{'page' if to == 'html' else to:<9}{_shown(done.path)} ({done.bytes / 1e6:.1f} MB)")


@app.command()
def lint(
    postmortem: Annotated[Path, typer.Argument(help="Any Markdown file, whoever wrote it.", metavar="FILE")],
) -> None:
    """Find blame, hindsight, wishes and bare numbers in a postmortem, each with a better wording."""
    from kit.lint import lint_postmortem

    try:
        text = postmortem.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KitError(f"{postmortem} cannot be read as Markdown ({type(error).__name__}): name a text file.") from None
    found = lint_postmortem(text)
    for finding in found:
        typer.echo(f"{postmortem.name}:{finding.line}  {finding.rule}  {finding.message}\n    better: {finding.better}")
    if found:
        raise CheckFailed(f"{len(found)} places to mend.")
    typer.echo("Nothing that the rules stumble over.")


@app.command()
def check(case: CasePath) -> int:
    """Ask each source of a case something cheap: is it there, from when to when, with which fields?"""
    from kit.case import open_case
    from kit.check import check_sources, pillar_gaps

    opened = open_case(case_folder(case))
    rows = check_sources(opened)
    width = max(len(r.source) for r in rows) if rows else 0
    for row in rows:
        typer.echo(f"{row.source:<{width}}  {row.table:<8}  {row.says}")
    for gap in pillar_gaps(opened, rows):
        typer.echo(f"not to be seen here: {gap}")
    return IN_PART if any(not row.reached for row in rows) else 0


@app.command()
def drill(
    sample: Annotated[str, typer.Argument(help="A recorded sample incident.", metavar="SLUG")],
) -> None:
    """Answer the method's questions on a recorded incident before the kit shows its own; then compare both."""
    from kit.drill import drill as play
    from kit.drill import told
    from kit.new import sample_folder

    ask = lambda text: typer.prompt(text, default="", show_default=False)
    for line in told(play(sample_folder(sample), ask=ask, say=typer.echo)):
        typer.echo(line)


cli_evidence.register(app)
cli_explore.register(app)
cli_now.register(app)
cli_people.register(app)


def _own_packages() -> None:
    """Are `kit` and `connectors` ours? Other distributions carry packages of these names."""
    import connectors
    import kit

    for package in (connectors, kit):
        if getattr(package, "__distribution__", None) != "incident-notebook-kit":
            raise KitError(
                f"Another distribution's package {package.__name__!r} stands in front of ours "
                f"({(package.__path__ or ['?'])[0]}): uninstall it, or install the kit in an environment of its own."
            )


def _told(error: Exception) -> int:
    import click

    from connectors.errors import ConnectorError

    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.ClickException):
        error.show()
        return 2
    if isinstance(error, CheckFailed):
        typer.echo(str(error), err=True)
        return 1
    if isinstance(error, KitError | ConnectorError):
        typer.echo(str(error), err=True)
        return 2
    typer.echo(
        f"Something unforeseen happened ({type(error).__name__}: {str(error)[:300]}): run it again with --debug and "
        "report the traceback.",
        err=True,
    )
    return 2


def _progress(title: str) -> Any:
    from kit.progress import walk_progress

    return walk_progress(title)


def _shown(path: Path) -> str:
    resolved = path.resolve()
    return str(resolved.relative_to(Path.cwd())) if resolved.is_relative_to(Path.cwd()) else str(resolved)


if __name__ == "__main__":
    main()
