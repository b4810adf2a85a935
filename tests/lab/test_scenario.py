"""Does a scenario that makes no sense get one clear sentence, before anything is started?"""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from sample_incidents.lab.scenario import BadScenario, null_of, parse, read, seconds

SCENARIOS = sorted((Path(__file__).parents[2] / "sample_incidents" / "scenarios").glob("*.toml"))

GOOD = {
    "title": "Checkout fails",
    "services": ["checkout"],
    "lasts": "16m",
    "release": [
        {"name": "checkout-v2", "service": "checkout", "summary": "x", "write": [{"file": "a", "text": "b"}]},
    ],
    "event": [
        {"at": "12m", "kind": "deploy", "service": "checkout", "release": "checkout-v2", "role": "trigger"},
        {"at": "14m", "kind": "deploy", "service": "checkout", "release": "checkout-v1@before", "role": "cure"},
    ],
    "truth": {"verdict": "incident", "failure": {"name": "bad_change"}, "suspects": []},
}


def changed(**values):
    return copy.deepcopy(GOOD) | values


@pytest.mark.parametrize(("text", "expected"), [("15m", 900), ("2m30s", 150), ("45s", 45), ("1h", 3600), (7, 7)])
def test_lengths_of_time_are_read(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "-3m"])
def test_what_is_no_length_of_time_is_refused(text):
    with pytest.raises(BadScenario, match="not a length of time"):
        seconds(text)


def test_a_good_scenario_is_read_in_the_order_of_time():
    scenario = parse(changed(event=GOOD["event"][::-1]), slug="good")
    assert [e.at for e in scenario.events] == [720, 840]
    assert not scenario.harmless


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (changed(tittle="x"), "Unknown in scenario bad: tittle"),
        ({k: v for k, v in GOOD.items() if k != "truth"}, "lacks `truth`"),
        (changed(lasts="13m"), "lies after the scenario's end"),
        (changed(event=[GOOD["event"][0] | {"at": "3m"}, GOOD["event"][1]]), "six times the harm is needed"),
        (changed(event=[]), "mark the event or fault that starts it"),
        (changed(truth={"verdict": "healthy"}), "is healthy and yet has a trigger"),
        (changed(truth={"verdict": "maybe"}), "truth.verdict is incident, healthy or cannot_tell"),
        (changed(truth={"verdict": "incident", "suspects": []}), "its truth lacks `failure`"),
        (changed(event=[{"at": "1m", "kind": "prayer"}]), "an event's kind is one of"),
        (changed(event=[{"at": "1m", "kind": "job"}]), "an event of kind job needs `ref`"),
        (changed(event=[GOOD["event"][0] | {"release": "checkout-v9"}]), "'checkout-v9' is not among its releases"),
        (changed(event=[GOOD["event"][0] | {"role": "hero"}]), "an event's role is one of"),
        (changed(fault=[{"at": "9m", "until": "8m", "kind": "host"}]), "fault host ends before it starts"),
        (changed(fault=[{"at": "9m", "until": "10m", "kind": "gremlin"}]), "a fault's kind is one of"),
        (changed(fault=[{"at": "9m", "until": "10m", "kind": "host", "how": 1}]), "Unknown in fault host"),
        (changed(mark=[{"at": "9m", "kind": "panicked"}]), "A mark is one of"),
        (changed(release=[{"name": "a", "service": "b", "summary": "c"}]), "changes nothing"),
    ],
)
def test_nonsense_is_refused_with_one_sentence(raw, sentence):
    with pytest.raises(BadScenario, match=sentence) as refused:
        parse(raw, slug="bad")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"before": {"load": {"retrys": 2}}}, "Unknown in the load before scenario bad: retrys"),
        ({"before": {"config": {"pool.red": 2}}}, "Unknown in the configuration before scenario bad: pool.red"),
        (
            {"fault": [{"at": "12m", "until": "14m", "kind": "host", "target": "checkout-9"}]},
            "There is no instance 'checkout-9'",
        ),
        (
            {"event": [GOOD["event"][0] | {"instances": ["checkout-7"]}, GOOD["event"][1]]},
            "There is no instance 'checkout-7'",
        ),
        (
            {"truth": GOOD["truth"] | {"suspects": [{"ref": "checkout-v3"}]}},
            "suspects 'checkout-v3', which no event has",
        ),
    ],
)
def test_a_name_that_nothing_has_is_refused(more, sentence):
    with pytest.raises(BadScenario) as refused:
        parse(changed(**more), slug="bad")
    assert sentence in str(refused.value)


def test_a_slug_must_be_plain():
    with pytest.raises(BadScenario, match="small letters"):
        parse(GOOD, slug="Not Plain")


def test_a_file_that_is_not_toml_is_refused(tmp_path):
    (tmp_path / "broken.toml").write_text("title = ")
    with pytest.raises(BadScenario, match=r"broken.toml cannot be read"):
        read(tmp_path / "broken.toml")


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda p: p.stem)
def test_every_scenario_that_is_here_can_be_recorded(path):
    assert read(path).slug == path.stem


def test_a_null_keeps_the_harmless_changes_and_nothing_else():
    herring = {"at": "5m", "kind": "flag", "flag": "x", "value": True, "role": "herring"}
    null = null_of(parse(changed(event=[herring, *GOOD["event"]]), slug="good"))
    assert (null.slug, [e.kind for e in null.events], null.harmless) == ("good_null", ["flag"], True)
