"""JSON-like values with what must not leave taken out: by the name of the key above, by form in every text and key."""

from __future__ import annotations

from typing import Any

import orjson

from kit.redaction.names import IDENTIFIER
from kit.redaction.redactor import Redactor

_JSON_STARTS = ("{", "[")


def redact_value(value: Any, redactor: Redactor, *, told: str | None = None) -> Any:
    """The same value redacted. `told`: what the key above says of it (`secret`, `personal`); None: nothing.

    Texts that are JSON themselves are redacted as JSON. Numbers under such a key become text; times and truth stay.
    """
    if isinstance(value, str):
        if told is not None:
            return redactor.whole(value, told)
        return redact_json_text(value, redactor) if value[:1] in _JSON_STARTS else redactor.text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        if told is not None:
            new = redactor.whole(str(value), told)
            return value if new == str(value) else new
        return redactor.text(str(value)) if isinstance(value, int) and abs(value) >= 10**12 else value
    if isinstance(value, dict):
        named = _named_value(value, redactor)
        return {
            redactor.text(k) if isinstance(k, str) else k: redact_value(
                v, redactor, told=told or _told(k, redactor) or (named if k in ("value", "values") else None)
            )
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact_value(v, redactor, told=told) for v in value]
    return value


def redact_json_text(text: str, redactor: Redactor) -> str:
    """A text that is JSON, redacted as such and written back the same way; any other text as text."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return redactor.text(text)
    if not isinstance(value, dict | list):
        return redactor.text(text)
    new = redact_value(value, redactor)
    return text if new == value else orjson.dumps(new).decode()


def learn_value(value: Any, redactor: Redactor, *, told: str | None = None) -> None:
    """Learn what the keys of a JSON-like value give away."""
    if isinstance(value, dict):
        named = _named_value(value, redactor)
        for key, inner in value.items():
            learn_value(
                inner,
                redactor,
                told=told or _told(key, redactor) or (named if key in ("value", "values") else None),
            )
    elif isinstance(value, list | tuple):
        for inner in value:
            learn_value(inner, redactor, told=told)
    elif told is not None and isinstance(value, str | int) and not isinstance(value, bool):
        redactor.learn(str(value), told)
    elif isinstance(value, str):
        redactor.learn_text([value])


def _told(key: Any, redactor: Redactor) -> str | None:
    told = redactor.told(key) if isinstance(key, str) else None
    return None if told == IDENTIFIER else told


def _named_value(value: dict[Any, Any], redactor: Redactor) -> str | None:
    """OpenTelemetry and others write `{"key": "user.id", "value": …}`: the name stands beside the value."""
    for name in ("key", "name"):
        if isinstance(value.get(name), str) and "value" in value:
            return _told(value[name], redactor)
    return None
