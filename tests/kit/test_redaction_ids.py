"""Ids made of words: what is taken out of a statement is taken out of the id that was made of it, and stays one id."""

from __future__ import annotations

import tomllib

import pytest

from kit.choices import add_waiver, keep_focus, keep_pin, read_case_choices
from kit.findings import Findings
from kit.focus import Chosen
from kit.hypothesis import Hypothesis, slug
from kit.ledger import add_hypothesis, read_hypotheses
from kit.pins import Pin
from kit.redaction.case_copy import learn_case, redact_inputs
from kit.redaction.ids import Ids
from kit.redaction.profile import Profile
from kit.redaction.pseudonyms import Pseudonyms
from kit.redaction.redactor import Redactor
from tests.incidents.small_case import INCIDENT

KEY = b"a key for tests, as long as need"
SAYS = "password=Tulip-9Kx/Moon of Ada.Lovelace@shop.example broke it"


def redactor():
    return Redactor(Profile(), Pseudonyms(KEY))


@pytest.fixture
def case(tmp_path):
    """A hypothesis whose statement holds a password and an address, its reversal waived, looked at and pinned."""
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "incident.toml").write_text(INCIDENT)
    hypothesis = Hypothesis(SAYS, change="c1")
    add_hypothesis(folder / "hypotheses.toml", hypothesis)
    add_waiver(folder / "choices.toml", hypothesis, reason="undone by hand", by_role="on-call lead")
    add_waiver(
        folder / "choices.toml",
        Hypothesis("x", id="ada-lovelace-shop-example-bad-change"),
        reason="undone",
        by_role="lead",
    )
    keep_focus(folder / "choices.toml", Chosen(hypothesis=hypothesis.id))
    keep_pin(folder / "choices.toml", Pin("Ada.Lovelace@shop.example asked", "a line", "line"))
    (folder / "postmortem.md").write_text(f"See {hypothesis.id} on the board.\n")
    return folder


def redacted(case, to):
    made = redactor()
    learn_case(case, made)
    redact_inputs(case, to, made)
    return made


def test_no_word_of_a_secret_is_left_in_an_id(case, tmp_path):
    redacted(case, tmp_path / "copy")
    left = "\n".join(p.read_text() for p in (tmp_path / "copy").rglob("*") if p.is_file()).lower()
    for word in ("tulip", "9kx", "moon", "lovelace"):
        assert word not in left


def test_ids_still_name_each_other_after_redaction(case, tmp_path):
    redacted(case, tmp_path / "copy")
    (hypothesis,) = read_hypotheses((tmp_path / "copy" / "hypotheses.toml").read_text())
    choices = read_case_choices(tmp_path / "copy")
    assert hypothesis.id == slug(hypothesis.statement)
    assert choices.waivers[0].hypothesis == choices.focus.hypothesis == hypothesis.id


def test_an_id_that_a_walk_makes_of_a_change_is_the_one_that_the_redacted_walk_makes(case, tmp_path):
    made = redacted(case, tmp_path / "copy")
    expected = slug(f"{made.text('ada.lovelace@shop.example')} bad change")
    assert read_case_choices(tmp_path / "copy").waivers[1].hypothesis == expected


def test_a_waiver_of_what_was_predicted_holds_for_what_the_redacted_walk_predicts(case, tmp_path):
    predicted = Hypothesis(SAYS, change="c1").digest
    found = {"hypotheses": [{"id": slug(SAYS), "digest": predicted, "state": "open"}]}
    Findings(case).write("06", "Board", found, rests_on=["ev_0123456789abcdef"])
    redacted(case, tmp_path / "copy")
    holds, lapsed = read_case_choices(tmp_path / "copy").waivers
    assert holds.digest == ""
    assert lapsed.digest == "0" * 16


def test_the_id_of_a_pin_is_made_of_what_it_says_now(case, tmp_path):
    redacted(case, tmp_path / "copy")
    (record,) = tomllib.loads((tmp_path / "copy" / "choices.toml").read_text())["pin"]
    assert record["id"] == Pin.of(record).id


def test_names_of_sections_and_sources_give_nothing_away(case, tmp_path):
    """A `[[pin]]` was taken for a PIN: all that it said was hidden, and the copy could not be read."""
    keep_pin(case / "choices.toml", Pin("half of the lines say so", "the logs", "table"))
    (case / "sources.toml").write_text('[sources.user]\nkind = "files"\ntable = "logs"\npath = "raw/user.jsonl"\n')
    redacted(case, tmp_path / "copy")
    assert read_case_choices(tmp_path / "copy").pins[1].sentence == "half of the lines say so"
    source = tomllib.loads((tmp_path / "copy" / "sources.toml").read_text())["sources"]["user"]
    assert source["kind"] == "files"
    assert source["table"] == "logs"


def test_an_id_that_was_cut_within_a_value_tells_no_half_of_it():
    made = redactor()
    made.learn("Augusta Ada King Lovelace", "personal")
    whole = f"{'a long story of ' * 4}Augusta Ada King Lovelace"
    assert "augusta-ada-ki" in slug(whole)[:78]
    assert "augusta" not in Ids(made).of(slug(whole)[:78])


def test_an_innocent_id_stays():
    made = redactor()
    made.learn("Grace Hopper", "personal")
    assert Ids(made).of("migration-0042-slow-query") == "migration-0042-slow-query"
    assert Ids(made).of("grace-period-too-short") == "grace-period-too-short"
