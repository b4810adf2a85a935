"""How JupyterLab is started on a notebook: without its question about news and without looking for newer versions."""

from __future__ import annotations

import os
import sys
from pathlib import Path

QUIET = ("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate")
_CONFIG = Path(__file__).parent / "jupyter"


def lab_command(notebook: str) -> list[str]:
    """The command that opens JupyterLab on this notebook; `-P` keeps modules of the folder it is run in out.

    >>> lab_command("explore.ipynb")[1:4]
    ['-P', '-m', 'jupyterlab']
    """
    return [sys.executable, "-P", "-m", "jupyterlab", *QUIET, notebook]


def lab_environment() -> dict[str, str]:
    """The environment in which it is started: with a configuration that turns the pop-up about news off.

    The question is asked by an extension of the page, which the options above do not reach. Whatever configuration
    there is beside it stays.

    >>> "jupyter" in lab_environment()["JUPYTER_CONFIG_PATH"]
    True
    """
    paths = [str(_CONFIG), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return {**os.environ, "JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}
