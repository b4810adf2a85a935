"""YAML as `kubectl get -o yaml` and `argocd app get -o yaml` write it: plain data only, one or several documents.

No tags, no anchors (a few of them can unfold to gigabytes), and times stay text as they do in JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from connectors.errors import BadInput
from connectors.files.stream import Faults, whole

LONGEST = 64 << 20


def looks_like_yaml(head: bytes) -> bool:
    """Does it begin with a Kubernetes object in YAML?

    >>> looks_like_yaml(b"---\\napiVersion: v1\\nkind: List\\n"), looks_like_yaml(b'{"apiVersion": "v1"}')
    (True, False)
    """
    lines = [line for line in head.split(b"\n") if line.strip() and not line.startswith((b"#", b"---"))][:400]
    keys = {line.split(b":", 1)[0] for line in lines if b":" in line and not line.startswith((b" ", b"-", b"{"))}
    return bool(lines) and b"apiVersion" in keys and not head.lstrip().startswith((b"{", b"["))


def yaml_documents(path: Path, faults: Faults) -> Iterator[Any]:
    """The file's documents. Raises `BadInput` when it is no plain YAML, or PyYAML is not installed."""
    try:
        import yaml
    except ImportError:
        raise BadInput(
            f"{faults.path} is YAML and PyYAML is not installed here: save it as JSON (-o json), or install PyYAML."
        ) from None

    class Plain(yaml.SafeLoader):
        """Plain data: no reference to another part, no time made of text."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("it refers to another part of itself")
            return super().compose_node(parent, index)

    Plain.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        yield from yaml.load_all(whole(path, faults, limit=LONGEST).decode(), Loader=Plain)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        said = " ".join(str(error).split())[:150]
        raise BadInput(f"{faults.path} is not plain YAML ({said}): export it again, or as JSON.") from None
