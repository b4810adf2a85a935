"""Which playbooks does a person bring to every case? Files in a configuration folder, copied into new cases.

Copied, so that a case holds all that its verdicts rest on: it can be sent, and what a person writes later changes none
that is there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from connectors.configuration import configuration_folder
from connectors.durable import write_whole
from kit.playbooks import playbook_files, read_playbook, text_of

FOLDER = "playbooks"


def own_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where a person's own playbooks lie: `incident-kit/playbooks` beside their credentials.

    >>> own_folder({"XDG_CONFIG_HOME": "/home/a/.config"}).as_posix()
    '/home/a/.config/incident-kit/playbooks'
    """
    environment = os.environ if environment is None else environment
    return configuration_folder(environment) / FOLDER


def bring_playbooks(case: Path, *, environment: Mapping[str, str] | None = None) -> list[str]:
    """Copy one's own playbooks into this case's folder `playbooks/`; says which. Those there already stay as they are.

    Raises `BadInput` for a file that is no playbook, before anything is copied.
    """
    folder = own_folder(environment)
    if not folder.is_dir():
        return []
    texts = {p.name: text_of(p) for p in playbook_files(folder)}
    for name, text in texts.items():
        read_playbook(text, where=str(folder / name))
    new = [name for name in texts if not (case / FOLDER / name).exists()]
    if not new:
        return []
    (case / FOLDER).mkdir(parents=True, exist_ok=True)
    for name in new:
        write_whole(case / FOLDER / name, texts[name])
    return [f"Your own playbooks are in {FOLDER}/: {', '.join(new)}."]
