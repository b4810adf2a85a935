"""Text from outside, made harmless to look at: control characters show as symbols, never act on the reader's screen."""

from __future__ import annotations

import html


def visible(text: object) -> str:
    """The same text with control characters as symbols and direction overrides by their number; lines and tabs stay.

    >>> visible("a\x1b[31mb")
    'a␛[31mb'
    """
    return "".join(_shown(c) for c in str(text))


def escaped(text: object) -> str:
    """Any value as HTML that shows as that very text: nothing in it is markup or moves the cursor.

    >>> escaped("<b>&")
    '&lt;b&gt;&amp;'
    """
    return html.escape(visible(text))


def upper(text: str) -> str:
    """A sentence begun in upper case, unless its first word is a name such as a version or a ref.

    >>> upper("requests waited"), upper("checkout-v1.42.0 changed it")
    ('Requests waited', 'checkout-v1.42.0 changed it')
    """
    first = text.split(" ", 1)[0]
    return text if any(c.isdigit() or c in "-_./@" for c in first) else text[:1].upper() + text[1:]


def _shown(character: str) -> str:
    code = ord(character)
    if character in "\n\t" or 0x20 <= code < 0x7F:
        return character
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if 0x80 <= code < 0xA0 or 0x200E <= code <= 0x200F or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069:
        return f"‹U+{code:04X}›"
    return character
