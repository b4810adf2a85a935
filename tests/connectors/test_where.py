"""The portable filter: what it takes, what it refuses by name, and which rows it keeps."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import BadInput, NaiveTime, NotExpressible, UnknownField
from connectors.where import (
    And,
    Between,
    Compare,
    Has,
    In,
    IsNull,
    Not,
    Or,
    all_of,
    equals,
    evaluate,
    fields,
    parse,
    resolve,
    to_sql,
)  # fmt: skip

ROWS = pa.table(
    {
        "status": [200, 503, None],
        "route": pa.array(["/pay", None, "/cart"]).dictionary_encode(),
        "message": ["Pool timeout after 5 s", "pooling: timeouts", None],
        "level": ["WARN", "INFO", None],
        "duration_s": [0.25, math.nan, None],
        "ok": [True, False, None],
        "time": pa.array([datetime(2026, 3, 1, 2, m, tzinfo=UTC) for m in (0, 1, 2)], pa.timestamp("us", "UTC")),
        "empty": pa.nulls(3),
        "tags": [["a"], [], None],
    }
)


def kept(text: str) -> list[int]:
    return [row for row, keep in enumerate(evaluate(text, ROWS).to_pylist()) if keep]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a = 1", Compare("a", "=", 1)),
        ("@timestamp > '2026-03-01T00:00:00Z'", Compare("@timestamp", ">", "2026-03-01T00:00:00Z")),
        ("a.my-field <> -2.5", Compare("a.my-field", "<>", -2.5)),
        ('"a ""b""" <= 1e3', Compare('a "b"', "<=", 1000)),
        ("a = 'it''s; -- DROP'", Compare("a", "=", "it's; -- DROP")),
        ("a in (2, 1, 2)", In("a", (1, 2))),
        ("a NOT IN ('x')", Not(In("a", ("x",)))),
        ("a BETWEEN 1 AND 2", Between("a", 1, 2)),
        ("a is not null", Not(IsNull("a"))),
        ("HAS(message, 'Pool  timeout!')", Has("message", ("pool", "timeout"))),
        ("a = TRUE", Compare("a", "=", True)),
        ("level >= 'warn'", Compare("level", ">=", "WARN")),
        ("a<-1", Compare("a", "<", -1)),
        ("a=1 OR b=2 AND c=3", Or((Compare("a", "=", 1), And((Compare("b", "=", 2), Compare("c", "=", 3)))))),
        ("NOT a = 1 AND b = 2", And((Not(Compare("a", "=", 1)), Compare("b", "=", 2)))),
        ("\"from\" = 'x'", Compare("from", "=", "x")),
    ],
)
def test_it_reads(text, tree):
    parsed = parse(text)
    assert parsed == tree or set(map(str, parsed.parts)) == set(map(str, tree.parts))
    assert parse(str(parsed)) == parsed


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("read_csv('/etc/passwd')", "the function read_csv()"),
        ("a = getenv('HOME')", "the function getenv()"),
        ("a = (SELECT 1)", "SELECT"),
        ("a IN (select b)", "SELECT"),
        ("CAST(a AS int) = 1", "CAST"),
        ("a::int = 1", "'::'"),
        ("a LIKE 'x%'", "LIKE"),
        ("a NOT LIKE 'x%'", "LIKE"),
        ("a = b", "a field on the right"),
        ("5 < a", "a literal on the left"),
        ("a IN (b)", "a field on the right"),
        ("a = NULL", "NULL"),
        ("a IS TRUE", "IS without NULL"),
        ("a BETWEEN SYMMETRIC 1 AND 2", "SYMMETRIC"),
        ("a != 1", "'!='"),
        ("a = 1; DROP TABLE logs", "';'"),
        ("a = 1 -- b", "'--'"),
        ("a + 1 = 2", "'+'"),
        ("a = 'x' 'y'", "Concat"),
        ("a = 1 = 2", "on the left"),
        ("(a, b) = (1, 2)", "a list"),
        ("a = 'unfinished", "an unfinished quotation"),
        ("a = 1 AND", "is not complete"),
        ("a = 1 b = 2", "is not complete"),
        ("", "is empty"),
        ("a", "a field"),
        ("has(a)", "Anonymous"),
        ("has(message, '...')", "has() without a word"),
        ("has(message, 5)", "has() with something other than text"),
        ("a = 99999999999999999999", "longer than 64 bits"),
        ("a = 1e999", "too large"),
        ("a = '\0'", "a NUL character"),
        ("NOT " * 60 + "a = 1", "more than 50"),
        ("(" * 60 + "a = 1" + ")" * 60, "more than 50"),
        ("level >= 'LOUD'", "no level"),
        ("level = 3", "no level"),
    ],
)
def test_anything_else_is_refused_by_name(text, named):
    with pytest.raises(BadInput, match=re.escape(named)):
        parse(text)


def test_a_long_chain_of_ors_is_read():
    assert len(parse(" OR ".join(f"a = {n}" for n in range(1000))).parts) == 1000


def test_an_endless_filter_is_refused():
    with pytest.raises(BadInput, match="characters long"):
        parse("a = 1 OR " * 10_000 + "a = 1")


def test_equal_filters_have_equal_trees_and_texts():
    one, other = parse("b = 2 AND (a = 5.0 AND NOT NOT c IN (3, 1, 3))"), parse("c in (1,3) and a=5 and b=2 and a = 5")
    assert one == other
    assert str(one) == "a = 5 AND b = 2 AND c IN (1, 3)"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("status = 200", [0]),
        ("status <> 200", [1]),  # the missing one compares false
        ("NOT status = 200", [1, 2]),  # ... and its NOT is true
        ("status IN (503, 1)", [1]),
        ("status NOT IN (503)", [0, 2]),
        ("status NOT BETWEEN 300 AND 600", [0, 2]),
        ("NOT (status = 200 AND route = '/pay')", [1, 2]),
        ("NOT (status = 200 OR route = '/cart')", [1]),
        ("status IS NULL", [2]),
        ("route IS NOT NULL", [0, 2]),
        ("duration_s > 0.1", [0]),  # NaN is missing, not the greatest number
        ("duration_s <> 0.1", [0]),
        ("NOT duration_s > 0.1", [1, 2]),
        ("duration_s IS NULL", [1, 2]),
        ("ok = FALSE", [1]),
        ("ok IN (TRUE, FALSE)", [0, 1]),
        ("time < '2026-03-01T03:01:00+01:00'", [0]),
        ("time BETWEEN '2026-03-01T02:01:00Z' AND '2026-03-01T02:02:00Z'", [1, 2]),
        ("level >= 'WARN'", [0]),
        ("level < 'warn'", [1]),
        ("level <> 'ERROR'", [0, 1]),
        ("NOT level >= 'WARN'", [1, 2]),
        ("level BETWEEN 'DEBUG' AND 'INFO'", [1]),
        ("level BETWEEN 'FATAL' AND 'TRACE'", []),
        ("has(message, 'TIMEOUT')", [0]),  # timeouts is another word
        ("has(message, 'pool timeout')", [0]),
        ("has(message, 'timeout pool')", []),  # in order
        ("NOT has(message, 'pool')", [1, 2]),
        ("empty = 'x'", []),
        ("NOT empty = 5", [0, 1, 2]),
        ("empty IS NULL", [0, 1, 2]),
        ("tags IS NOT NULL", [0, 1]),
    ],
)
def test_it_keeps(text, rows):
    assert kept(text) == rows


@pytest.mark.parametrize(
    ("text", "error", "named"),
    [
        ("staus = 200", UnknownField, "did you mean status"),
        ("xyz = 200", UnknownField, "ask `fields`"),
        ("status = '200'", BadInput, "without quotes"),
        ("route = 5", BadInput, "in single quotes"),
        ("ok = 'true'", BadInput, "TRUE or FALSE"),
        ("ok > TRUE", BadInput, "has no meaning"),
        ("time > 5", BadInput, "write it like"),
        ("time > '2026-03-01T00:00:00'", NaiveTime, "has no zone"),
        ("has(status, 'x')", BadInput, "is no text"),
        ("tags = 'a'", NotExpressible, "lists or structures"),
    ],
)
def test_what_does_not_fit_the_table_is_said(text, error, named):
    with pytest.raises(error, match=re.escape(named)):
        evaluate(text, ROWS)


def test_words_are_told_apart_by_letters_digits_marks_and_underscores():
    lines = pa.table({"m": ["a.pool=1", "a_pool", "POOL", "x\npool\ny", "pool2", "Straße", "cafe\u0301 pool"]})
    assert evaluate("has(m, 'pool')", lines).to_pylist() == [True, False, True, True, False, False, True]
    assert evaluate("has(m, 'cafe')", lines).to_pylist() == [False] * 7  # the accent belongs to the word
    assert evaluate("has(m, 'straße')", lines).to_pylist()[5]


def test_no_rows_gives_no_booleans():
    assert evaluate("status = 1", ROWS.slice(0, 0)).to_pylist() == []


def test_a_backend_never_meets_a_comparison_of_levels():
    tree = resolve(parse("NOT level >= 'ERROR'"), {"level": pa.string()})
    assert tree == Not(In("level", ("ERROR", "FATAL")))


def test_only_a_negated_leaf_is_wrapped_so_that_the_engine_can_still_skip_blocks():
    known = {"a": pa.int64(), 'b"c': pa.string()}
    assert to_sql("a > 5", known) == '"a" > 5'
    assert to_sql("NOT \"b\"\"c\" = 'it''s'", known) == "NOT coalesce(\"b\"\"c\" = 'it''s', false)"


def test_filters_are_joined_and_made_from_values():
    assert all_of(None, None) is None
    assert all_of("a = 1") == "a = 1"
    assert str(parse(all_of("a = 1 OR b = 2", "c = 3"))) == "(a = 1 OR b = 2) AND c = 3"
    assert equals("route", "it's") == "route = 'it''s'"
    assert parse(equals("my field", None)) == IsNull("my field")
    assert fields(parse("a = 1 OR NOT has(b, 'x') OR a = 2")) == ("a", "b")


# -- any filter on any rows, against the plainest reading of the rules in Python

TEXTS = st.sampled_from(["", "a", "A b", "it's", 'q"', "b a", "é"])
NUMBERS = st.sampled_from([-2, 0, 1, 2, 3.5, -0.5])
LEVELS = st.sampled_from(["DEBUG", "INFO", "ERROR"])
OPS = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])
LEAVES = st.one_of(
    st.builds(Compare, st.just("n"), OPS, NUMBERS),
    st.builds(Compare, st.just("my-text"), OPS, TEXTS),
    st.builds(Compare, st.just("level"), OPS, LEVELS),
    st.builds(lambda v: In("n", tuple(v)), st.lists(NUMBERS, min_size=1, max_size=3)),
    st.builds(lambda v: In("my-text", tuple(v)), st.lists(TEXTS, min_size=1, max_size=3)),
    st.builds(Between, st.just("n"), NUMBERS, NUMBERS),
    st.builds(Between, st.just("level"), LEVELS, LEVELS),
    st.builds(IsNull, st.sampled_from(["n", "my-text", "level"])),
    st.builds(lambda w: Has("my-text", (w,)), st.sampled_from(["a", "b", "it"])),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda p: And(tuple(p)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(lambda p: Or(tuple(p)), st.lists(inner, min_size=2, max_size=3)),
        st.builds(Not, inner),
    ),
    max_leaves=8,
)
TABLE_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.one_of(st.none(), NUMBERS.map(float), st.just(math.nan)),
            "my-text": st.one_of(st.none(), TEXTS),
            "level": st.one_of(st.none(), LEVELS),
        }
    ),
    min_size=1,
    max_size=6,
)
SEVERITY = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"]


def holds(node, row) -> bool:
    match node:
        case And(parts):
            return all(holds(part, row) for part in parts)
        case Or(parts):
            return any(holds(part, row) for part in parts)
        case Not(part):
            return not holds(part, row)
    value = row[node.field]
    missing = value is None or value != value
    if isinstance(node, IsNull):
        return missing
    if missing:
        return False
    rank = SEVERITY.index if node.field == "level" else lambda v: v
    match node:
        case Compare(_, op, literal):
            a, b = rank(value), rank(literal)
            return {"=": a == b, "<>": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]
        case In(_, values):
            return value in values
        case Between(_, low, high):
            return rank(low) <= rank(value) <= rank(high)
        case Has(_, (word,)):
            return word in re.split(r"\W+", value.lower())


@settings(max_examples=120, deadline=None)
@given(TREES, TABLE_ROWS)
def test_any_filter_keeps_what_the_rules_say(tree, rows):
    types = pa.schema([("n", pa.float64()), ("my-text", pa.string()), ("level", pa.string())])
    table = pa.table({name: pa.array([row[name] for row in rows], types.field(name).type) for name in types.names})
    expected = [holds(tree, row) for row in rows]
    assert evaluate(str(tree), table).to_pylist() == expected
    assert evaluate(tree, table).to_pylist() == expected


@settings(max_examples=200, deadline=None)
@given(TREES)
def test_the_canonical_text_parses_to_itself(tree):
    once = parse(str(tree))
    assert parse(str(once)) == once


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab'\"()=<>, \n\\;-.@AND ORNOTINhas%$1"), max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        tree = parse(text)
    except BadInput:
        return
    assert parse(str(tree)) == tree
