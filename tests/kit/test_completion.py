"""A query line is completed with fields and their commonest values; what is typed already is never changed."""

import pandas as pd
import pytest

from kit.exploring.complete import completions

FIELDS = pd.DataFrame(
    {
        "name": ["level", "service", "my field", "http.response.status_code"],
        "share_present": [1.0, 0.9, 0.8, 0.7],
        "top": ['[["INFO", 9], ["ERROR", 2]]', '[["check out", 5], ["it\'s", 1]]', "[]", '[["200", 9], ["503", 1]]'],
    }
)


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("le", ["level="]),
        ("pool -ser", ["pool -service="]),
        ("status", ["http.response.status_code="]),
        ("my", ['"my field"=']),
        ("level=", ["level=INFO", "level=ERROR"]),
        ("level=e", ["level=ERROR"]),
        ("service=check", ['service="check out"']),
        ("service=it", ['service="it\'s"']),
        ("http.response.status_code>=5", ["http.response.status_code>=503"]),
        ("", []),
        ("level=ERROR", []),
        ("nothing=", []),
        ('"a phrase', []),
    ],
)
def test_what_is_typed_goes_on(typed, becomes):
    assert completions(typed, FIELDS) == becomes


def test_what_stands_after_the_caret_stays():
    assert completions("lev pool", FIELDS, caret=3) == ["level= pool"]
