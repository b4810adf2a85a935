"""A question's canonical arguments, redacted so that the walk on redacted answers asks exactly these again."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.base import canonical
from connectors.errors import ConnectorError
from connectors.where import parse
from kit.redaction.redactor import Redactor
from kit.redaction.structures import redact_value


def redact_arguments(arguments: str, redactor: Redactor) -> str:
    """The arguments with what must not leave taken out, canonical again: keys in order, filters as they are written."""
    try:
        values = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return redactor.text(arguments)
    new = redact_value(values, redactor)
    return arguments if new == values else canonical(_rewritten(new))


def _rewritten(value: Any, *, key: str = "") -> Any:
    if isinstance(value, dict):
        return {k: _rewritten(v, key=k) for k, v in value.items()}
    if isinstance(value, str) and key == "where":
        try:
            return str(parse(value))
        except ConnectorError:
            return value
    return value
