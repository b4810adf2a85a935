"""People type words, /patterns/ and -not, and only then a predicate."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import BadInput
from connectors.where import parse
from kit.exploring.query_line import read_query


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("", None),
        ("timeout", "has(message, 'timeout')"),
        ("pool timeout", "has(message, 'pool') AND has(message, 'timeout')"),
        ('"pool is full" -health', "has(message, 'pool is full') AND NOT has(message, 'health')"),
        ("status>=500", "status >= 500"),
        ("service:checkout", "service = 'checkout'"),
        ("service!=checkout", "service <> 'checkout'"),
        ("-level=INFO", "NOT level = 'INFO'"),
        ('user.name="O\'Neil"', "user.name = 'O''Neil'"),
        ("url.path='/pay'", "url.path = '/pay'"),
        ("level = 'ERROR' OR level = 'WARN'", "level = 'ERROR' OR level = 'WARN'"),
        ("version=2.7.5", "version = '2.7.5'"),
    ],
)
def test_what_is_typed_becomes_a_filter(line, where):
    assert read_query(line).where == where


def test_a_servers_own_language_is_passed_on_as_it_stands():
    query = read_query("lucene: http.response.status_code:[500 TO 599]")
    assert query.where is None
    assert query.native == "lucene: http.response.status_code:[500 TO 599]"


def test_patterns_are_kept_for_the_lines_that_came():
    query = read_query(r"pool /took \d+ ms/ -/health\/live/")
    assert query.where == "has(message, 'pool')"
    assert query.patterns == (r"took \d+ ms",)
    assert query.not_patterns == ("health/live",)
    assert query.local


@pytest.mark.parametrize("line", ['"open phrase', "/[/", "level LIKE 'x' AND a = 1", "***", "a = 1 AND"])
def test_what_cannot_be_read_is_said(line):
    with pytest.raises(BadInput):
        read_query(line)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_words(line):
    try:
        query = read_query(line)
    except BadInput:
        return
    if query.where is not None:
        parse(query.where)
