"""Which kinds of source are there? Built-in ones by name, others by entry point; each imported when it is used.

A connector is a module (or any object) with `Settings`, a subclass of `connectors.settings.Settings`, and
`open_source(name, settings, place)`. A distribution of your own offers one with

    [project.entry-points."incident_kit.connectors"]
    mykind = "my_package.my_module"
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.errors import BadInput, ConnectorError

GROUP = "incident_kit.connectors"
BUILT_IN: Mapping[str, str] = {
    "elasticsearch": "connectors.elasticsearch",
    "files": "connectors.files.connector",
    "git": "connectors.git",
    "opensearch": "connectors.opensearch",
    "jaeger": "connectors.jaeger",
    "loki": "connectors.loki",
    "prometheus": "connectors.prometheus",
}


def kinds() -> dict[str, str]:
    """Every kind of source, and the module it comes from. Raises `BadInput` when two distributions own one kind.

    >>> kinds()["git"]
    'connectors.git'
    """
    from importlib.metadata import entry_points

    return _owned((point.name, point.value, _owner(point)) for point in entry_points(group=GROUP))


def _owner(point: Any) -> str:
    return point.dist.name if point.dist is not None else point.value


def _owned(points: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    found = dict(BUILT_IN)
    owners = dict.fromkeys(BUILT_IN, "incident-notebook-kit")
    for name, value, owner in points:
        if name in owners and found[name] != value:
            raise BadInput(
                f"The kind of source {name!r} is offered by both {owners[name]} and {owner}: uninstall one of them, or "
                f"ask its author to rename it."
            )
        found[name], owners[name] = value, owner
    return found


def connector(kind: str) -> Any:
    """The connector of this kind. Raises `BadInput` when there is none, `ConnectorError` when it does not import."""
    known = kinds()
    if kind not in known:
        near = difflib.get_close_matches(kind, known, 2)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(known))}."
        raise BadInput(f"There is no kind of source {kind!r}: {hint}")
    module, _, attribute = known[kind].partition(":")
    try:
        found = importlib.import_module(module)
        for part in filter(None, attribute.split(".")):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConnectorError(
            f"The connector for {kind!r} ({known[kind]}) cannot be imported ({error}): install or mend the "
            f"distribution that offers it."
        ) from None
    for needed in ("Settings", "open_source"):
        if not hasattr(found, needed):
            raise ConnectorError(f"The connector for {kind!r} ({known[kind]}) has no {needed}: it is not a connector.")
    return found
