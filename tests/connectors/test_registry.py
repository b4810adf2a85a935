"""Kinds of source: built in, by entry point, never two owners."""

from __future__ import annotations

import sys
import types

import pytest

from connectors import registry
from connectors.errors import BadInput, ConnectorError


def test_every_built_in_kind_imports_and_is_a_connector():
    for kind in registry.BUILT_IN:
        assert issubclass(registry.connector(kind).Settings, registry.connector("files").Settings.__mro__[1])


def test_an_unknown_kind_names_its_neighbours():
    with pytest.raises(BadInput, match="no kind of source 'file': did you mean files"):
        registry.connector("file")


def test_two_owners_of_one_name_are_an_error():
    with pytest.raises(BadInput, match="'files' is offered by both incident-notebook-kit and other-dist"):
        registry._owned([("files", "other.module", "other-dist")])
    with pytest.raises(BadInput, match="'mine' is offered by both a and b"):
        registry._owned([("mine", "a.m", "a"), ("mine", "b.m", "b")])


def test_a_kind_of_ones_own_is_found(monkeypatch):
    module = types.ModuleType("their_connector")
    module.Settings = registry.connector("git").Settings
    module.open_source = lambda name, settings, place: (name, settings, place)
    monkeypatch.setitem(sys.modules, "their_connector", module)
    monkeypatch.setattr(registry, "kinds", lambda: registry._owned([("theirs", "their_connector", "their-dist")]))
    assert registry.connector("theirs") is module


def test_a_connector_that_does_not_import_is_one_sentence(monkeypatch):
    monkeypatch.setattr(registry, "kinds", lambda: {"gone": "no_such_module_at_all"})
    with pytest.raises(ConnectorError, match="cannot be imported"):
        registry.connector("gone")
    monkeypatch.setattr(registry, "kinds", lambda: {"odd": "connectors.window"})
    with pytest.raises(ConnectorError, match="has no Settings: it is not a connector"):
        registry.connector("odd")
