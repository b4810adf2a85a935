"""The face of `kit`: its names are there, cost nothing to import, and stay verbs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pandas as pd

import kit


def test_every_name_is_there():
    for name in kit.__all__:
        assert getattr(kit, name) is not None, name


def test_a_verb_stays_a_verb_after_its_module_was_imported():
    code = "import kit, kit.classify, kit.align; print(callable(kit.classify), callable(kit.align))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "True True"


def test_importing_it_loads_no_library_of_weight():
    code = "import sys, kit, connectors; print(sorted({'pandas', 'pyarrow', 'plotly', 'numpy'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"


def test_a_name_that_is_not_there_is_an_attribute_error():
    assert not hasattr(kit, "root_cause")


def test_a_terminal_is_shown_sentences_not_fields():
    from IPython.core.formatters import DisplayFormatter

    from kit.result import Result

    @dataclass(frozen=True)
    class Answer(Result):
        because: tuple[str, ...]
        weight: float = 1.0

        @property
        def headline(self) -> str:
            return "Payments \x1b[31mfail."

        def to_frame(self) -> pd.DataFrame:
            return pd.DataFrame({"failed": [239]})

    shown, _ = DisplayFormatter().format(Answer(("239 of 480 failed",)))
    assert shown["text/plain"] == "Payments ␛[31mfail.\n  · 239 of 480 failed"
