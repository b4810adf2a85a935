"""How JupyterLab is started on a notebook: without its question about news and without looking for newer versions."""

from __future__ import annotations

import sys

QUIET = ("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate")
"""Options that keep JupyterLab from asking anybody anything: it opens on the notebook, with no pop-up over it."""


def lab_command(notebook: str) -> list[str]:
    """The command that opens JupyterLab on this notebook; `-P` keeps modules of the folder it is run in out.

    >>> lab_command("explore.ipynb")[1:4]
    ['-P', '-m', 'jupyterlab']
    """
    return [sys.executable, "-P", "-m", "jupyterlab", *QUIET, notebook]
