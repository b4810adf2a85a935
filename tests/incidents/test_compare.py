"""Two investigations side by side."""

from __future__ import annotations

import shutil

import orjson
import pytest

from kit.compare import compare_investigations
from kit.errors import BadCase
from tests.incidents.small_case import make_case


def test_a_case_and_its_own_bundle_found_the_same(small_bundle):
    case, bundle = small_bundle
    found = compare_investigations(case, bundle)
    assert found.headline == "small and small found the same."
    assert any("were asked in both with the same arguments; 0 were answered otherwise" in b for b in found.because)
    told = {row.what: row.one for row in found.rows}
    assert told["class"] == "bad_change"
    assert told["first suspect"].startswith("pay-v2")
    assert told["lasted"] == "4.0 minutes"


def test_where_they_part_is_named_and_marked(small_bundle, tmp_path):
    case, _ = small_bundle
    other = shutil.copytree(case, tmp_path / "other")
    path = other / "findings" / "03.json"
    path.write_bytes(path.read_bytes().replace(b'"bad_change"', b'"overload"'))
    (other / "incident.toml").write_text((other / "incident.toml").read_text().replace('"small"', '"second"'))
    found = compare_investigations(case, other)
    assert [row.what for row in found.rows if not row.same] == ["class"]
    line = next(line for line in found.to_text().splitlines() if line.startswith("≠"))
    assert line.split() == ["≠", "class", "bad_change", "overload"]
    assert list(found.to_frame().columns) == ["what", "small", "second", "same"]


def test_a_case_that_was_not_walked_is_one_sentence(small_bundle, tmp_path):
    with pytest.raises(BadCase, match="has not been walked yet"):
        compare_investigations(small_bundle[0], make_case(tmp_path / "fresh"))


def test_what_one_lacks_shows_as_such(small_bundle, tmp_path):
    case, _ = small_bundle
    other = shutil.copytree(case, tmp_path / "other")
    record = orjson.loads((other / "findings" / "07.json").read_bytes())
    del record["results"]["Impact"]
    (other / "findings" / "07.json").write_bytes(orjson.dumps(record))
    rows = {row.what: (row.one, row.other) for row in compare_investigations(case, other).rows}
    assert rows["failed"] == ("240 (240–240)", "—")
