"""From the filter's text to its tree: our tokenizer, sqlglot's parser, and an allow-list between both.

A SQL parser reads `@timestamp > 1` as ABS(timestamp) and `a.my-field` as a subtraction, and takes any function. So
names and literals are read here first and sqlglot gets placeholders only; what it parses is checked node by node and
argument by argument, and anything not on the list is refused by name.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from connectors.errors import BadInput
from connectors.schema import LEVELS
from connectors.where_tree import (
    KEYWORDS,
    NAME,
    REFUSED,
    And,
    Between,
    Compare,
    Has,
    In,
    IsNull,
    Not,
    Op,
    Or,
    Value,
    Where,
    quote_value,
)

LONGEST = 50_000
DEEPEST = 50


def parse(text: str) -> Where:
    """Which rows does this filter keep? Its tree in normal form, so that equal filters have equal trees and texts.

    The parts of AND and OR and the values of IN are flattened, freed of doubles and sorted; a double NOT is dropped.
    Raises `BadInput` that names what is not part of the grammar.

    >>> str(parse("b.my-field = 'x' and (a >= 5.0 AND b.my-field = 'x')"))
    "a >= 5 AND b.my-field = 'x'"
    >>> parse("NOT status = 200")
    Not(part=Compare(field='status', op='=', value=200))
    >>> parse("route LIKE '/pay%'")
    Traceback (most recent call last):
    ...
    connectors.errors.BadInput: The filter "route LIKE '/pay%'" uses LIKE, which is not part of the grammar: ...
    """
    import sqlglot
    from sqlglot.errors import SqlglotError

    sketch, names, texts = _tokenize(text)
    try:
        trees = sqlglot.parse(sketch, dialect="duckdb")
    except (SqlglotError, RecursionError):
        raise _refusal(text, None, "is not complete or not in order") from None
    if len(trees) != 1 or trees[0] is None:
        raise _refusal(text, None, "is empty")
    return _Reader(text, names, texts).read(trees[0])


_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.@/])")
_TOKEN = re.compile(
    rf"""(?P<space>\s+)|(?P<text>'(?:[^']|'')*')|(?P<quoted>"(?:[^"]|"")+")
    |(?P<number>{_NUMBER.pattern})|(?P<name>{NAME.pattern})|(?P<op><>|<=|>=|=(?!=)|<|>)|(?P<mark>[(),])""",
    re.VERBOSE,
)
_INSTEAD = {
    "==": "write =", "!=": "write <>", "::": "compare the field as it is", "--": "leave comments out",
    "/*": "leave comments out", ";": "give one predicate", "||": "write OR", "&&": "write AND",
}  # fmt: skip


def _tokenize(text: str) -> tuple[str, list[str], list[str]]:
    """The filter as a sketch for sqlglot, its names and texts replaced by "f0" and 's0', and the two lists of them."""
    if len(text) > LONGEST:
        raise BadInput(f"The filter is {len(text):,} characters long, {LONGEST:,} is the most: split the question.")
    if "\0" in text:
        raise _refusal(text, "a NUL character", None)
    sketch: list[str] = []
    names: list[str] = []
    texts: list[str] = []
    at = depth = run = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            mark = next((m for m in _INSTEAD if text.startswith(m, at)), None)
            what = "an unfinished quotation" if text[at] in "'\"" else repr(mark or text[at : at + 1])
            raise _refusal(text, what, _INSTEAD.get(mark or ""))
        at, found = token.end(), token.group()
        if token.lastgroup == "space":
            continue
        word = found.upper() if token.lastgroup == "name" else ""
        called = bool(word) and text[at:].lstrip()[:1] == "("
        run = run + 1 if word == "NOT" else 0
        depth += (found == "(") - (found == ")")
        if max(run, depth) > DEEPEST:
            raise _refusal(text, f"more than {DEEPEST} brackets or NOTs inside each other", "say it flatter")
        if token.lastgroup == "text":
            texts.append(found[1:-1].replace("''", "'"))
            sketch.append(f"'s{len(texts) - 1}'")
        elif word == "HAS" and called:
            sketch.append("has")
        elif word in REFUSED:
            raise _refusal(text, word, f'write "{found}" in double quotes if it is a field')
        elif called and word not in KEYWORDS:
            raise _refusal(text, f"the function {found}()", "the only function is has(field, 'words')")
        elif word in KEYWORDS - {"HAS"}:
            sketch.append(word)
        elif token.lastgroup in ("name", "quoted"):
            names.append(found if token.lastgroup == "name" else found[1:-1].replace('""', '"'))
            sketch.append(f'"f{len(names) - 1}"')
        else:
            sketch.append(found.removeprefix("+"))
    return " ".join(sketch), names, texts


def _refusal(text: str, what: str | None, instead: str | None) -> BadInput:
    shown = text if len(text) <= 120 else text[:117] + "…"
    grammar = "= <> < <= > >= IN BETWEEN IS NULL has() AND OR NOT and brackets"
    if what is None:
        return BadInput(f"The filter \"{shown}\" {instead}: it is made of {grammar}, like: a >= 500 AND b = '/'.")
    hint = f"{instead}; there are" if instead else "there are"
    return BadInput(f'The filter "{shown}" uses {what}, which is not part of the grammar: {hint} {grammar}.')


_OPS: dict[str, Op] = {"EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
_ARGUMENTS = {
    **{op: {"this", "expression"} for op in (*_OPS, "And", "Or", "Is")},
    "Not": {"this"}, "Paren": {"this"}, "In": {"this", "expressions"}, "Between": {"this", "low", "high"},
    "Anonymous": {"this", "expressions"}, "Column": {"this"}, "Identifier": {"this", "quoted"},
    "Literal": {"this", "is_string"}, "Boolean": {"this"}, "Neg": {"this"}, "Null": set(),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns the parsed sketch into our tree; whatever is not on the allow-list is refused by its name."""

    text: str
    names: list[str]
    texts: list[str]

    def read(self, node: Any) -> Where:
        kind = self._allowed(node)
        if kind in ("And", "Or"):
            return self._chain(node, kind)
        if kind == "Paren":
            return self.read(node.this)
        if kind == "Not":
            part = self.read(node.this)
            return part.part if isinstance(part, Not) else Not(part)
        if kind in _OPS:
            return Compare(*self._levelled(self._field(node.this), _OPS[kind], self._value(node.expression)))
        if kind == "In" and node.expressions:
            field = self._field(node.this)
            values = {_level(self._value(v)) if field == "level" else self._value(v) for v in node.expressions}
            return In(field, tuple(sorted(values, key=quote_value)))
        if kind == "Between":
            field = self._field(node.this)
            ends = (self._value(node.args["low"]), self._value(node.args["high"]))
            return Between(field, *(map(_level, ends) if field == "level" else ends))
        if kind == "Is" and self._allowed(node.expression) == "Null":
            return IsNull(self._field(node.this))
        if kind == "Anonymous" and str(node.this) == "has" and len(node.expressions) == 2:
            return self._has(*node.expressions)
        raise _refusal(self.text, _called(node), None)

    def _chain(self, node: Any, kind: str) -> Where:
        """All parts of a chain of ANDs or ORs, however long, in one step."""
        parts: dict[str, Where] = {}
        waiting = [node]
        while waiting:
            item = waiting.pop()
            found = self._allowed(item)
            if found == kind:
                waiting += [item.this, item.expression]
            elif found == "Paren":
                waiting.append(item.this)
            else:
                part = self.read(item)
                # doubles that fell out inside may have left a chain of this very kind
                same = isinstance(part, And if kind == "And" else Or)
                parts |= {str(inner): inner for inner in (part.parts if same else (part,))}
        ordered = tuple(parts[text] for text in sorted(parts))
        if len(ordered) == 1:
            return ordered[0]
        return And(ordered) if kind == "And" else Or(ordered)

    def _has(self, field: Any, words: Any) -> Has:
        value = self._value(words)
        if not isinstance(value, str):
            raise _refusal(self.text, "has() with something other than text", "write has(field, 'words')")
        found = tuple("".join(c if _in_word(c) else " " for c in value.lower()).split())
        if not found:
            raise _refusal(self.text, f"has() without a word ({value!r})", "write has(field, 'words')")
        return Has(self._field(field), found)

    def _levelled(self, field: str, op: Op, value: Value) -> tuple[str, Op, Value]:
        return (field, op, _level(value)) if field == "level" else (field, op, value)

    def _field(self, node: Any) -> str:
        if self._allowed(node) != "Column" or self._allowed(node.this) != "Identifier":
            raise _refusal(self.text, f"{_called(node)} on the left of a comparison", "write field, op, literal")
        if not node.this.args.get("quoted"):
            # a word of the grammar where a field should stand: ours are all placeholders in double quotes
            what = f"the word {node.name} where a field should stand"
            raise _refusal(self.text, what, 'write it as "…" if it is a field')
        return self.names[int(node.name[1:])]

    def _value(self, node: Any) -> Value:
        kind = self._allowed(node)
        if kind == "Neg" and self._allowed(node.this) == "Literal" and not node.this.is_string:
            return self._number("-" + node.this.name)
        if kind == "Boolean":
            return bool(node.this)
        if kind == "Literal":
            return self.texts[int(node.name[1:])] if node.is_string else self._number(node.name)
        raise _refusal(self.text, f"{_called(node)} on the right of a comparison", "write field, op, literal")

    def _number(self, digits: str) -> Value:
        number = float(digits)
        if digits.lstrip("-").isdigit():
            if not -(2**63) <= int(digits) < 2**63:
                raise _refusal(self.text, f"the number {digits}, longer than 64 bits", "write text in quotes")
            return int(digits)
        if not math.isfinite(number):
            raise _refusal(self.text, f"the number {digits}, too large for a double", None)
        return int(number) if number.is_integer() and abs(number) < 2**53 else number

    def _allowed(self, node: Any) -> str:
        kind = type(node).__name__
        if kind not in _ARGUMENTS:
            raise _refusal(self.text, _called(node), None)
        extra = [name for name, value in node.args.items() if name not in _ARGUMENTS[kind] and value]
        if extra:
            raise _refusal(self.text, f"{_called(node)} with {', '.join(extra)}", None)
        return kind


def _called(node: Any) -> str:
    names = {"Column": "a field", "Null": "NULL", "Literal": "a literal", "Tuple": "a list", "Is": "IS without NULL"}
    return names.get(type(node).__name__, type(node).__name__)


def _level(value: Value) -> str:
    if isinstance(value, str) and value.upper() in LEVELS:
        return value.upper()
    raise BadInput(f"{quote_value(value)} is no level: the levels are {' < '.join(LEVELS)}.")


def _in_word(character: str) -> bool:
    return character == "_" or unicodedata.category(character)[0] in "LNM"
