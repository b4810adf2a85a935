"""The commands about evidence: snapshot, bundle, verify, trust, compare, provenance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from kit.errors import IN_PART, CheckFailed


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (snapshot, verify, trust, compare, provenance):
        app.command()(command)


def case_folder(path: Path, *, out: Path | None = None) -> Path:
    """The folder of a case; a bundle is opened first, safely, and stays offline."""
    from kit.bundle.received import is_bundle, open_bundle

    if not is_bundle(path):
        return path
    folder = open_bundle(path, to=out)
    typer.echo(
        f"{path.name} is opened as {folder}; it asks no source until `incident-kit trust {folder} ORIGIN`.", err=True
    )
    return folder


@contextmanager
def stages_on_stderr() -> Iterator[None]:
    """Inside, what is being done is told on stderr, a line for each stage of it."""
    from kit.progress import stages_told

    with stages_told(lambda line: typer.echo(f"{line} …", err=True)):
        yield


def snapshot(
    places: Annotated[
        list[str], typer.Argument(help="A case; or folders, files and addresses of sources.", metavar="CASE|ADDRESS…")
    ],
    budget: Annotated[str, typer.Option(help="How long to ask, like 60s; what is left is asked next time.")] = "60s",
    out: Annotated[Path | None, typer.Option(help="The case to make from addresses.", metavar="DIR")] = None,
) -> int:
    """Record the evidence now, what vanishes first first; nothing is analysed. Run it again to go on."""
    from connectors.window import step_seconds
    from kit.snapshot import take_snapshot

    taken = take_snapshot(places, budget_s=step_seconds(budget), out=out, say=lambda line: typer.echo(line, err=True))
    typer.echo(str(taken))
    return 0 if taken.complete else IN_PART


def verify(
    bundle: Annotated[
        Path, typer.Argument(help="A bundle; or a walked case or sample, for its hashes alone.", metavar="BUNDLE")
    ],
    signers: Annotated[
        Path | None, typer.Option(help="File of allowed signers, as ssh-keygen reads it.", metavar="FILE")
    ] = None,
) -> None:
    """Check every hash, then walk again over the recorded answers, without network or secrets, and compare."""
    from kit.bundle.received import is_bundle
    from kit.verify import verify_bundle, verify_hashes

    if is_bundle(bundle) or (bundle.is_file()):
        with stages_on_stderr():
            found = verify_bundle(bundle, signers=signers)
        typer.echo(str(found))
        for one in found.differences:
            typer.echo(f"  ≠ {one.where}\n      exported  {one.exported}\n      found     {one.found}")
        if not found.good:
            raise CheckFailed(f"{bundle.name} does not verify.")
        return
    report = verify_hashes(bundle)
    for line in report.lines:
        typer.echo(line)
    if report.faults:
        raise CheckFailed(f"{len(report.faults)} of {report.checked} files are not what they were.")
    typer.echo(f"{report.checked} files are intact (not signed: intact does not mean authentic).")


def trust(
    case: Annotated[Path, typer.Argument(help="A case that came in a bundle.", metavar="CASE")],
    origin: Annotated[str, typer.Argument(help="Like https://logs.example:9200", metavar="ORIGIN")],
) -> None:
    """Let a case that came in a bundle ask this origin, with your own credential for it."""
    from kit.bundle.received import trust as trust_origin

    typer.echo(f"{case} may ask {trust_origin(case, origin)} from now on.")


def compare(
    one: Annotated[Path, typer.Argument(help="A walked case or a bundle.", metavar="A")],
    other: Annotated[Path, typer.Argument(help="Another one.", metavar="B")],
) -> None:
    """Two investigations side by side: what was found, what it rests on, where they part."""
    from kit.compare import compare_investigations

    typer.echo(compare_investigations(one, other).to_text())


def provenance(
    case: Annotated[Path, typer.Argument(help="A walked case.", metavar="CASE")],
    of: Annotated[str, typer.Option(help="Only values whose place or text holds these words.", metavar="WORDS")] = "",
) -> None:
    """For every number: which query, where, when, how many rows, how much was sampled or missing."""
    from kit.provenance import register as register_of

    found = register_of(case).of(of)
    typer.echo(found.headline)
    said = None
    for origin in found.origins:
        row = origin.to_dict()
        if row["said"] != said:
            said = row["said"]
            typer.echo(f"\n{said} = {row['value']}")
        lacks = "; ".join(
            [*([f"sampled: {row['sampled']}"] if row["sampled"] else []), *(["cut off"] if row["truncated"] else []),
             *([f"partial: {row['partial']}"] if row["partial"] else [])]
        )  # fmt: skip
        typer.echo(
            f"  {row['evidence']}  {row['source']} {row['question']}, {row['window_start']} to {row['window_end']}, "
            f"asked {row['asked'] or 'unknown'}, {row['rows']:,} rows{f' ({lacks})' if lacks else ''}"
        )


def export_bundle(case: Path, *, out: Path | None, with_rows: bool, key: Path | None, keep_until: str | None) -> None:
    """Write the unredacted bundle of a case and say what is to be kept outside of it."""
    from kit.bundle.write import write_bundle
    from kit.export.export import Exported
    from kit.incident import read_incident

    target = out or case / "exports" / f"{read_incident(case).id}.unredacted.zip"
    try:
        until = date.fromisoformat(keep_until) if keep_until else None
    except ValueError:
        raise typer.BadParameter(f"{keep_until!r} is no date: write 2027-12-31.", param_hint="--keep-until") from None
    with stages_on_stderr():
        made = write_bundle(case, out=target, with_rows=with_rows, key=key, keep_until=until)
    typer.echo(f"evidence {made.evidence} (stands on the page)\nbag      {made.bag} (keep it elsewhere)")
    typer.echo(f"holds    {made.answers} recorded answers; withheld: {'; '.join(made.withheld) or 'nothing'}")
    typer.echo(f"bundle   {made.path} ({Exported(made.path).bytes / 1e6:.1f} MB)")
