"""Each recorded incident is walked once per session."""

from __future__ import annotations

import pytest

from kit.case import Case
from tests.incidents.walking import walk_copy


@pytest.fixture(scope="session")
def walked(tmp_path_factory):
    """A function that gives the walked case of a slug, walking it only once."""
    cases: dict[str, Case] = {}

    def walk(slug: str) -> Case:
        if slug not in cases:
            cases[slug] = walk_copy(slug, tmp_path_factory.mktemp(slug) / "case")
        return cases[slug]

    return walk


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory):
    """The walked small case, and its bundle as a folder; writing it walked again and compared."""
    from kit.bundle.write import write_bundle
    from tests.incidents.small_case import make_case, walk

    folder = tmp_path_factory.mktemp("small")
    case = walk(make_case(folder / "case"))
    return case, write_bundle(case, out=folder / "small.unredacted").path
