"""Reversals are waived by people alone, in text, with a reason and a role, for what was predicted then."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.errors import BadInput
from kit.choices import Choices, add_waiver, read_choices
from kit.hypothesis import Hypothesis, Prediction
from kit.verdict import Waiver
from kit.walk import shipped_notebooks

RISES = Prediction("errors rise", "rises", {"signal": "web/errors.ratio"})
DEPLOY = Hypothesis("the deploy broke it", change="4.7", predictions=(RISES,), id="deploy")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[waiver]", "is not TOML"),
        ("[[verdict]]\nx = 1\n", "unknown sections: verdict"),
        ("waiver = 3\n", "a section"),
        ('[[waiver]]\nhypothesis = "h"\nby_role = "lead"\n', "waiver 1: .*needs a reason and the role"),
        ('[[waiver]]\nhypothesis = "h"\nreason = "r"\n', "needs a reason and the role"),
        ('[[waiver]]\nreason = "r"\nby_role = "lead"\n', "names the hypothesis"),
        ('[[waiver]]\nhypothesis = "h"\nreason = 5\nby_role = "lead"\n', "all it says is text"),
        ('[[waiver]]\nhypothesis = "h"\nreason = "r"\nby_role = "l"\nstate = "confirmed"\n', "has no state"),
        ('[[waiver]]\nhypothesis = "h"\nreason = "r"\nby_role = "l"\n' * 2, "waives the reversal of h twice"),
    ],
)
def test_a_wrong_file_is_one_clear_sentence(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_choices(text)


def test_a_waiver_is_appended_and_what_people_wrote_stays(tmp_path: Path) -> None:
    path = tmp_path / "choices.toml"
    path.write_text("# agreed on Monday\n")
    add_waiver(path, DEPLOY, reason="undone by hand, not in the feed", by_role="on-call lead")
    assert path.read_text().startswith("# agreed on Monday\n")
    (waiver,) = read_choices(path.read_text()).waivers
    assert (waiver.hypothesis, str(waiver)) == ("deploy", "undone by hand, not in the feed (on-call lead)")
    with pytest.raises(BadInput, match="twice"):
        add_waiver(path, DEPLOY, reason="again", by_role="lead")
    with pytest.raises(BadInput, match="needs a reason"):
        add_waiver(path, Hypothesis("other"), reason=" ", by_role="lead")
    assert len(read_choices(path.read_text()).waivers) == 1


def test_a_waiver_lapses_when_the_hypothesis_is_another_or_gone() -> None:
    waived = Choices((Waiver("deploy", "r", "lead", DEPLOY.digest),))
    assert waived.on([DEPLOY]) == (waived.waivers, ())
    holding, lapsed = waived.on([Hypothesis("the deploy broke it", change="4.8", predictions=(RISES,), id="deploy")])
    assert (holding, lapsed[0].endswith("the hypothesis predicts something else now")) == ((), True)
    assert waived.on([])[1][0].endswith("no such hypothesis is put up")


def test_no_notebook_of_the_walk_waives_anything() -> None:
    import json

    for path in shipped_notebooks().glob("*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        assert not [c for c in cells if c["cell_type"] == "code" and "waive" in "".join(c["source"])]
