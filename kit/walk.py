"""Run the notebooks of the walk in order: through a real kernel, or their code cells in this process.

One kernel serves the whole walk, but each notebook starts with cleared names and can be run alone: state passes through
the case folder, never through the kernel.
"""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from connectors.durable import write_whole
from kit.cell_progress import HEADLESS
from kit.errors import BadCase, KitError

WALK = (
    "00_start_here", "01_stop_the_bleeding", "02_what_changed", "03_golden_signals", "04_bisect_the_path",
    "05_read_the_spot", "06_test_the_cause", "07_postmortem",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One notebook of the walk, while it is run: how many of its code cells are done."""

    notebook: str
    done: int
    total: int


Progress = Callable[[Step], None]
Show = Callable[[str, int, Mapping[str, Any]], None]
"""Is told what each code cell displays: notebook, number among its code cells from 0, mime bundle."""


def shipped_notebooks() -> Path:
    """Where do this installation's own notebooks stand? In a checkout `notebooks/`, in a wheel beside the package."""
    beside = Path(__file__).parent / "_notebooks"
    checkout = Path(__file__).parent.parent / "notebooks"
    for folder in (beside, checkout):
        if (folder / f"{WALK[0]}.ipynb").exists():
            return folder
    raise BadCase("This installation has no notebooks: install incident-notebook-kit again.")


def run_in_process(
    case_path: Path,
    *,
    notebooks: Sequence[Path] | None = None,
    progress: Progress | None = None,
    show: Show | None = None,
) -> None:
    """Run the walk's code cells in this process, without a kernel.

    What a cell displays is rendered all the same, so that a broken chart fails here too, and given to `show`. Raises
    whatever a cell raises, with the notebook and cell named.
    """
    for path in notebooks if notebooks is not None else _walk_files(shipped_notebooks()):
        names: dict[str, Any] = {"__name__": "__main__"}
        cells = _code_cells(path)
        for number, (source, tags) in enumerate(cells):
            if progress:
                progress(Step(path.stem, number, len(cells)))
            code = _with_case(source, case_path) if "parameters" in tags else source
            shown = _run_cell(code, names, where=f"{path.stem}, code cell {number + 1}")
            if show and shown:
                show(path.stem, number, shown)
        if progress:
            progress(Step(path.stem, len(cells), len(cells)))


def run_through_kernel(
    case_path: Path | str, *, out: Path, notebooks: Sequence[Path] | None = None, progress: Progress | None = None
) -> list[Path]:
    """Execute the walk in one Jupyter kernel, in the folder `out`, and write the executed notebooks there.

    `case_path` is absolute, or as seen from `out` ("..", where that is the case's own notebooks folder). Modules that
    lie in `out` are never imported.

    Returns their paths. A cell that fails raises `BadCase` with the notebook and the error's own sentence; the
    notebooks executed so far, and the failing one with its traceback, are kept.
    """
    from jupyter_client.manager import KernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    files = list(notebooks) if notebooks is not None else _walk_files(shipped_notebooks())
    out.mkdir(parents=True, exist_ok=True)
    sockets = tempfile.TemporaryDirectory(prefix="ik-")
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets.name}/k")
    manager.shutdown_wait_time = 1.0
    alone = {**os.environ, HEADLESS: "yes"}
    manager.start_kernel(cwd=str(out), env=alone, extra_arguments=["--IPKernelApp.ignore_cwd=True"])
    written: list[Path] = []
    try:
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=120)
        for path in files:
            notebook = _read(path)
            total = sum(c.cell_type == "code" for c in notebook.cells)
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cell.source = _source(cell, case_path)
            runner = NotebookClient(notebook, km=manager, timeout=600, shutdown_kernel="immediate")
            runner.kc = client
            client.execute_interactive("%reset -f", silent=True, store_history=False)
            runner.reset_execution_trackers()
            done = 0
            try:
                for index, cell in enumerate(notebook.cells):
                    if progress:
                        progress(Step(path.stem, done, total))
                    runner.execute_cell(cell, index)
                    done += cell.cell_type == "code"
            except CellExecutionError as error:
                _write(notebook, out / path.name)
                raise BadCase(
                    f"Notebook {path.stem} stopped: {error.ename}: {error.evalue} "
                    f"(its traceback stands in {out / path.name})."
                ) from None
            _write(notebook, out / path.name)
            written.append(out / path.name)
    finally:
        manager.shutdown_kernel(now=True)
        sockets.cleanup()
    return written


def copy_notebooks(to: Path, *, case_path: str) -> list[Path]:
    """Put the shipped notebooks into a case folder, with the parameter that points at the case."""
    written = []
    for path in sorted(shipped_notebooks().glob("*.ipynb")):
        notebook = _content(path)
        for cell in notebook["cells"]:
            if "parameters" in _tags(cell):
                cell["source"] = _with_case("".join(cell["source"]), case_path).splitlines(keepends=True)
        written.append(to / path.name)
        text = json.dumps(notebook, sort_keys=True, indent=1, ensure_ascii=False, separators=(",", ": "))
        write_whole(written[-1], text + "\n")
    return written


def _walk_files(folder: Path) -> list[Path]:
    return [folder / f"{name}.ipynb" for name in WALK if (folder / f"{name}.ipynb").exists()]


def _read(path: Path) -> Any:
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (OSError, nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise BadCase(f"{path} is not a notebook ({str(error).splitlines()[0]}): restore it.") from None


def _write(notebook: Any, path: Path) -> None:
    import nbformat

    write_whole(path, nbformat.writes(copy.deepcopy(notebook)) + "\n")


def _code_cells(path: Path) -> list[tuple[str, list[str]]]:
    """The code cells of a notebook and their tags."""
    return [("".join(c["source"]), _tags(c)) for c in _content(path)["cells"] if c.get("cell_type") == "code"]


def _content(path: Path) -> dict[str, Any]:
    """What the file of a notebook says, read without the libraries that a kernel needs: they take seconds to load."""
    try:
        notebook = orjson.loads(path.read_bytes())
        notebook["cells"]
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise BadCase(f"{path} is not a notebook ({error}): restore it.") from None
    return notebook


def _tags(cell: Mapping[str, Any]) -> list[str]:
    return cell.get("metadata", {}).get("tags", [])


def _source(cell: Any, case_path: Path | str) -> str:
    """The cell's code; the one tagged `parameters` gets the path of the case, as a literal."""
    return _with_case(cell.source, case_path) if "parameters" in cell.metadata.get("tags", []) else cell.source


def _with_case(source: str, case_path: Path | str) -> str:
    return "\n".join(
        f"case_path = {str(case_path)!r}" if line.split("=")[0].strip() == "case_path" else line
        for line in source.splitlines()
    )


def _run_cell(source: str, names: dict[str, Any], *, where: str) -> Mapping[str, Any]:
    """Runs the cell; what its last expression displays, as a mime bundle, empty when that is nothing."""
    import ast

    tree = ast.parse(source, filename=where)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    try:
        exec(compile(tree, where, "exec"), names)  # noqa: S102 - the installation's own notebooks, checked by the tests
        if last is not None:
            return _shown(eval(compile(ast.Expression(last.value), where, "eval"), names))  # noqa: S307 - as above
    except KitError as error:
        error.add_note(f"in {where}")
        raise
    return {}


def _shown(value: Any) -> Mapping[str, Any]:
    if value is None:
        return {}
    if hasattr(value, "_repr_mimebundle_"):
        return value._repr_mimebundle_()
    if hasattr(value, "_repr_html_"):
        return {"text/html": value._repr_html_()}
    return {"text/plain": repr(value)}
