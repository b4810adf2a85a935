"""How is a change of this kind undone, in words? A flag is switched, a configuration put back, a deploy rolled back."""

from __future__ import annotations

from typing import Any

OFF = ("false", "off", "0", "none", "")
"""What a flag's value reads as when it is off."""


def how_to_undo(change: Any) -> str:
    """What does one do to undo this change: the verb by its kind, and its name?

    `change` has `kind`, `ref`, `summary`, `id` and perhaps `after`, as a `Suspect` has. What passes by itself is ended
    (a job), renewed (a certificate) or given room (a disk).

    >>> from types import SimpleNamespace as Change
    >>> how_to_undo(Change(kind="flag", ref="new_prices", summary="flag new_prices on", id="c1", after="True"))
    'switch the flag off (new_prices)'
    >>> how_to_undo(Change(kind="flag", ref="new_prices", summary="flag new_prices off", id="c2", after="False"))
    'switch the flag on again (new_prices)'
    >>> how_to_undo(Change(kind="deploy", ref="web-4.7", summary="deploy web-4.7", id="c3", after="4.7"))
    'roll back web-4.7'
    """
    name = getattr(change, "ref", None) or getattr(change, "summary", None) or change.id
    kind = str(change.kind)
    if kind == "flag":
        was_off = str(getattr(change, "after", None) or "on").strip().lower() in OFF
        return f"switch the flag {'on again' if was_off else 'off'} ({name})"
    says = {
        "config": f"put the configuration back ({name})",
        "schema": f"undo the migration {name}",
        "scale": f"scale back {name}",
        "job": f"end the job {name}",
        "certificate": "renew the certificate",
        "disk": "free the disk",
        "traffic": "shed load",
        "node": f"put the node back ({name})",
        "dependency": f"put {name} back",
    }
    return says.get(kind, f"roll back {name}")
