"""Verdicts: what they are made of, what keeps them from the next state, and that nothing is confirmed too easily."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import BadInput
from kit.board import contradict, find_next_test, judge
from kit.checks.frame_facts import FrameFacts
from kit.checks.registry import FAILED, HELD, NO_DATA, Outcome
from kit.hypothesis import Hypothesis, Link, Mechanism, Prediction, hypothesis_of
from kit.ledger import (
    add_hypothesis,
    changed_since,
    diary,
    extend_history,
    keep_history,
    read_history,
    read_hypotheses,
    told_history,
    write_hypotheses,
)
from kit.verdict import LinkTried, Trials, Tried, Waiver, judge_one
from tests.kit import made_incident as incident
from tests.kit.made_incident import change

ERRORS = "nginx/requests.errors_ratio"
POOL = "checkout@*/db.client.connection.usage_ratio.gauge"


def rises(signal: str, **more: object) -> Prediction:
    return Prediction(f"{signal} rises", "rises", {"signal": signal, "at_least": 0.005, **more})


UNDONE = Prediction(
    "undoing it ends it",
    "recovers_after",
    {"reversal": "migration 0042 down", "signal": ERRORS},
    "counterfactual",
)
CHAIN = Mechanism(
    (
        Link("migration 0042", "slow statements", "the migration made a statement slow", (
            Prediction("slow lines", "appears", {"service": "postgres", "where": "duration_s > 1"}),)),
        Link("slow statements", "full pool", "they held the connections", (
            Prediction("full", "saturates", {"signal": POOL, "at": 0.9}),)),
        Link("full pool", "errors", "requests waited and failed", (rises(ERRORS),)),
    ),
    question="Which index did the statement use?",
)  # fmt: skip
MIGRATION = Hypothesis(
    "migration 0042 starved the pool",
    change="migration 0042",
    predictions=(Prediction("full", "saturates", {"signal": POOL, "at": 0.9}), UNDONE),
    mechanism=CHAIN,
    id="migration",
)
CPU = Hypothesis(
    "CPU is the cause",
    predictions=(
        Prediction("CPU near its limit", "saturates", {"signal": "checkout/cpu.usage_ratio.gauge", "at": 0.85}),
        Prediction("undoing the migration is idle", "recovers_after", UNDONE.arguments, "must-not"),
    ),
    id="cpu",
)
GUESS = Hypothesis("gremlins", id="guess")


@pytest.fixture(scope="module")
def facts() -> FrameFacts:
    return incident.facts()


# --- what a hypothesis is ------------------------------------------------------------------------------------------


def test_a_hypothesis_survives_being_written_and_read() -> None:
    text = write_hypotheses((MIGRATION, CPU, GUESS))
    back = read_hypotheses(text)
    assert back == (MIGRATION, CPU, GUESS)
    assert [h.digest for h in back] == [h.digest for h in (MIGRATION, CPU, GUESS)]


def test_another_argument_is_another_digest() -> None:
    other = Hypothesis("CPU is the cause", predictions=(rises("a/b.c"),), id="cpu")
    assert other.digest != CPU.digest


def test_a_verdict_cannot_be_typed() -> None:
    with pytest.raises(BadInput, match="has no state"):
        hypothesis_of({"statement": "x", "state": "confirmed"})
    with pytest.raises(BadInput, match=r"h.toml, hypothesis 1: .*verdict"):
        read_hypotheses('[[hypothesis]]\nstatement = "x"\nverdict = "confirmed"\n', where="h.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[hypothesis]\n", "is not TOML"),
        ("[[verdict]]\nx = 1\n", "unknown sections: verdict"),
        ('[[hypothesis]]\nstatement = ""\n', "needs a statement"),
        ('[[hypothesis]]\nstatement = "x"\nrole = "culprit"\n', "'culprit' is no role"),
        ('[[hypothesis]]\nstatement = "x"\n[[hypothesis.prediction]]\ncheck = "risse"\n', "did you mean rises"),
        ('hypothesis = "x"\n', "a section \\[\\[hypothesis\\]\\] of its own"),
        ('[[hypothesis]]\nstatement = 5\n', "of the wrong kind"),
        ('[[hypothesis]]\nstatement = "x"\nprediction = ["y"]\n', "of the wrong kind"),
    ],
)  # fmt: skip
def test_a_wrong_file_of_hypotheses_is_one_clear_sentence(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        read_hypotheses(text)


def test_a_hypothesis_is_added_beside_what_people_wrote(tmp_path: Path) -> None:
    path = tmp_path / "hypotheses.toml"
    path.write_text('# ours\n[[hypothesis]]\nstatement = "gremlins"\n')
    add_hypothesis(path, CPU)
    assert path.read_text().startswith("# ours\n")
    assert [h.id for h in read_hypotheses(path.read_text())] == ["gremlins", "cpu"]
    add_hypothesis(path, Hypothesis("CPU, said otherwise", id="cpu"))
    assert [h.statement for h in read_hypotheses(path.read_text())] == ["gremlins", "CPU, said otherwise"]


def test_a_mechanism_whose_links_do_not_meet_is_refused() -> None:
    with pytest.raises(BadInput, match="breaks between 'b' and 'c'"):
        Mechanism((Link("a", "b", "x"), Link("c", "d", "y")))


def test_arguments_are_literals() -> None:
    with pytest.raises(BadInput, match="not text, a number or a list"):
        Prediction("x", "rises", {"signal": lambda: "a/b.c"})


# --- verdicts on the incident --------------------------------------------------------------------------------------


def test_with_mechanism_reversal_and_a_rival_told_apart_it_is_confirmed(facts: FrameFacts) -> None:
    board = judge([MIGRATION, CPU, GUESS], facts)
    assert {v.hypothesis.id: v.state for v in board.verdicts} == {
        "migration": "confirmed", "cpu": "refuted", "guess": "guess",
    }  # fmt: skip
    verdict = board.of("migration 0042")
    assert verdict.missing == ()
    assert verdict.discriminating == ("undoing it ends it",)
    assert set(verdict.evidence) == {"ev_wide", "ev_changes", "ev_postgres"} - set()
    assert board.of("cpu").refuted_by[0].startswith("CPU near its limit — ")
    assert board.headline == "migration 0042 starved the pool: confirmed; 1 of 3 ruled out."


def test_the_mechanism_is_told_as_one_paragraph_that_ends_with_the_question(facts: FrameFacts) -> None:
    assert judge([MIGRATION, CPU], facts).of("migration").told() == (
        "The migration made a statement slow; they held the connections; requests waited and failed. "
        "The question for the code: Which index did the statement use?"
    )
    blind = incident.facts(without=("postgres",))
    told = judge([MIGRATION, CPU], blind).of("migration").told()
    assert "(not shown: no evidence: The log of postgres is not collected here)" in told


def test_without_a_rival_nothing_was_told_apart(facts: FrameFacts) -> None:
    verdict = judge([MIGRATION], facts).of("migration")
    assert verdict.state == "supported"
    assert verdict.missing == ("a prediction that held and that a rival predicts otherwise",)


def test_a_rival_out_of_time_is_no_rival(facts: FrameFacts) -> None:
    late = Prediction("it came before", "onset_follows", {"change": "migration 0042 down"}, "timing")
    straw = Hypothesis("straw", predictions=(*CPU.predictions, late), id="straw")
    assert judge([MIGRATION, straw], facts).of("migration").state == "supported"


@pytest.mark.parametrize(
    ("without", "missing"),
    [
        ("postgres", "migration 0042 → slow statements: no evidence"),
        ("changes", "a reversal or counterfactual"),
    ],
)
def test_with_a_pillar_withheld_it_falls_to_supported_and_says_what_is_missing(without: str, missing: str) -> None:
    verdict = judge([MIGRATION, CPU], incident.facts(without=(without,))).of("migration")
    assert verdict.state == "supported"
    assert any(m.startswith(missing) for m in verdict.missing)


def test_without_metrics_it_is_open_or_supported_never_confirmed() -> None:
    assert judge([MIGRATION, CPU], incident.facts(without=("wide",))).of("migration").state == "open"


def test_a_contradicted_link_keeps_it_from_confirmed(facts: FrameFacts) -> None:
    broken = Mechanism((Link("a", "b", "x", (rises("nginx/requests.count", by=1.3),)),))
    verdict = judge([Hypothesis("x", "migration 0042", MIGRATION.predictions, broken), CPU], facts).of("x")
    assert verdict.state == "supported"
    assert verdict.missing[0].startswith("a → b: contradicted: nginx/requests.count went from")
    assert verdict.links[0].aspects == {
        "order": "not asked",
        "direction": "failed",
        "dose": "not asked",
        "scope": "not asked",
    }


def test_without_a_state_change_nothing_is_confirmed(facts: FrameFacts) -> None:
    nameless = Hypothesis("the pool", None, MIGRATION.predictions, CHAIN)
    verdict = judge([nameless, CPU], facts).of("the-pool")
    assert (verdict.state, verdict.missing) == ("supported", ("a state change that began it",))


def test_a_correlation_alone_supports_nothing_and_what_is_always_so_counts_for_nothing(facts: FrameFacts) -> None:
    timing = Prediction("it came first", "onset_follows", {"change": "migration 0042"}, "timing")
    flat = Prediction("traffic is flat", "stays_flat", {"signal": "nginx/requests.count", "by": 1.3})
    usual = Prediction("orders", "present_in_logs", {"service": "checkout", "where": "has(message, 'order placed')"})
    verdict = judge([Hypothesis("x", "migration 0042", (timing, flat, usual), CHAIN)], facts).of("x")
    assert verdict.state == "open"
    assert [t.counts for t in verdict.tested] == [True, False, False]
    assert "could not have failed" in verdict.tested[1].why_not
    assert verdict.links[2].evidence == ("ev_wide",)


def test_a_prediction_that_holds_on_the_unaffected_part_counts_for_nothing(facts: FrameFacts) -> None:
    errors = {"signal": "checkout/http.server.errors.ratio", "at_least": 0.01}
    web = Prediction(
        "errors at checkout, not at web", "rises", errors, control={"signal": "web/http.server.errors.ratio"}
    )
    nginx = Prediction("errors at checkout, not at nginx", "rises", errors, control={"signal": ERRORS})
    trials = Trials(facts)
    assert trials.test(web).supports
    assert not trials.test(nginx).counts
    assert "unaffected part" in trials.test(nginx).why_not


def test_no_control_no_weight(facts: FrameFacts) -> None:
    w = facts.windows
    none = type(w)(w.incident, w.incident, w.whole, w.onset, w.recovered, w.complete_until)
    alone = type(w)(
        type(w.whole)(w.baseline.start, w.baseline.start), w.incident, w.whole, w.onset, None, w.complete_until
    )
    assert (
        Trials(facts, alone)
        .test(Prediction("x", "saturates", {"signal": POOL, "at": 0.9}))
        .why_not.startswith("No control")
    )
    assert not Trials(facts, none).test(rises(ERRORS)).supports


def test_swapped_windows_confirm_nothing(facts: FrameFacts) -> None:
    board = judge([MIGRATION, CPU, GUESS], facts, windows=facts.windows.swapped())
    assert {v.state for v in board.verdicts} <= {"open", "refuted", "guess"}


def test_on_a_quiet_day_nothing_is_supported() -> None:
    board = judge([MIGRATION, CPU], incident.facts(ill=False))
    assert {v.state for v in board.verdicts} <= {"open", "refuted"}


# --- reversals waived, inseparable ---------------------------------------------------------------------------------


def no_undo() -> FrameFacts:
    rows = incident.changes()
    base = incident.facts()
    return FrameFacts(base.windows, base.wide, base.logs, rows[rows["id"] != "c4"], evidence=base.evidence, every_s=5)


TOLD_APART = Prediction("pool full", "saturates", {"signal": POOL, "at": 0.9}, "must-not")


def test_only_a_person_waives_a_reversal_and_the_verdict_says_so() -> None:
    rival = Hypothesis("not the pool", predictions=(TOLD_APART,), id="rival")
    kept = judge([MIGRATION, rival], no_undo()).of("migration")
    assert kept.state == "supported"
    assert kept.waived == ""
    waived = judge(
        [MIGRATION, rival], no_undo(), waivers=[Waiver("migration", "undone by hand, not recorded", "on-call lead")]
    ).of("migration")
    assert waived.state == "confirmed"
    assert waived.waived == "undone by hand, not recorded (on-call lead)"
    assert waived.headline.endswith("its reversal waived by hand: undone by hand, not recorded (on-call lead).")
    with pytest.raises(BadInput, match="needs a reason"):
        Waiver("migration", " ", "on-call lead")
    with pytest.raises(BadInput, match="waived for nobody"):
        judge([MIGRATION], no_undo(), waivers=[Waiver("nobody", "why not", "lead")])


def test_a_waiver_does_not_replace_a_link() -> None:
    facts = incident.facts(without=("postgres", "changes"))
    rival = Hypothesis("not the pool", predictions=(TOLD_APART,), id="rival")
    verdict = judge([MIGRATION, rival], facts, waivers=[Waiver("migration", "no change log", "lead")]).of("migration")
    assert verdict.state == "supported"
    assert verdict.waived == ""


def test_a_rollback_beside_a_restart_does_not_confirm() -> None:
    also = change("x1", "02:17:55", "restart", "checkout", "restart checkout")
    verdict = judge([MIGRATION, CPU], incident.facts(extra=[also])).of("migration")
    assert verdict.state == "supported"
    assert any("inseparable" in t.result.sentence for t in verdict.tested)


# --- the board -----------------------------------------------------------------------------------------------------


def test_the_matrix_marks_what_held_failed_and_was_not_seen(facts: FrameFacts) -> None:
    unseen = Hypothesis("disk", predictions=(rises("postgres/disk.ratio"),), id="disk")
    matrix = judge([MIGRATION, CPU, unseen], facts).matrix().set_index("subject")
    assert matrix.loc["migration 0042 down", "migration"] == "+"
    assert matrix.loc["migration 0042 down", "cpu"] == "−"
    assert matrix.loc["postgres/disk.ratio", "disk"] == "?"
    assert matrix.loc["postgres/disk.ratio", "cpu"] == ""


def test_the_next_test_is_the_one_that_splits_the_live_hypotheses(facts: FrameFacts) -> None:
    up = Hypothesis("up", predictions=(rises("redis/memory.gauge"),), id="up")
    flat = Hypothesis(
        "flat", predictions=(Prediction("flat", "stays_flat", {"signal": "redis/memory.gauge"}),), id="flat"
    )
    lone = Hypothesis("lone", predictions=(rises("redis/cpu.gauge"),), id="lone")
    board = judge([lone, up, flat], facts)
    assert board.next_test is not None
    assert board.next_test.splits == (("up",), ("flat",))
    assert "redis/memory.gauge is not collected here" in str(board.next_test)
    assert find_next_test(judge([GUESS], facts).verdicts) is None


def test_contradiction_is_about_one_thing() -> None:
    flat = Prediction("flat", "stays_flat", {"signal": "a/b.c"})
    assert contradict(rises("a/b.c"), flat)
    assert contradict(rises("a/b.c"), Prediction("x", "rises", {"signal": "a/b.c"}, "must-not"))
    assert not contradict(rises("a/b.c"), rises("a/b.c"))
    assert not contradict(rises("a/b.d"), flat)


def test_two_hypotheses_of_one_id_are_an_error(facts: FrameFacts) -> None:
    with pytest.raises(BadInput, match="called cpu"):
        judge([CPU, CPU], facts)


def test_history_grows_only_when_a_verdict_changes(facts: FrameFacts, tmp_path: Path) -> None:
    first, later = datetime(2026, 3, 1, 3, tzinfo=UTC), datetime(2026, 3, 2, 3, tzinfo=UTC)
    blind = judge([MIGRATION, CPU], incident.facts(without=("postgres",)))
    history = extend_history((), blind, now=first)
    assert [(e.hypothesis, e.state) for e in history] == [("migration", "supported"), ("cpu", "refuted")]
    assert extend_history(history, blind, now=later) == history
    history = extend_history(history, judge([MIGRATION, CPU], facts), now=later)
    assert told_history(history, "migration")[1] == "2026-03-02T03:00:00Z confirmed (undoing it ends it)"
    path = tmp_path / "verdicts.jsonl"
    assert read_history(path) == ()
    assert len(keep_history(path, blind, now=first)) == 2
    assert keep_history(path, blind, now=later) == ()
    keep_history(path, judge([MIGRATION, CPU], facts), now=later)
    assert read_history(path) == history
    assert changed_since(history) == ("migration: supported → confirmed (undoing it ends it)",)
    path.write_text('{"hypothesis": "x"}\n')
    with pytest.raises(BadInput, match="line 1 is no entry of a history"):
        read_history(path)


def test_the_diary_holds_what_gave_nothing(facts: FrameFacts) -> None:
    unseen = Hypothesis("disk", predictions=(rises("postgres/disk.ratio"),), id="disk")
    assert diary(judge([unseen], facts)) == (
        "disk: postgres/disk.ratio rises — postgres/disk.ratio is not collected here.",
    )


# --- whatever the outcomes -----------------------------------------------------------------------------------------

KINDS = st.sampled_from(["must", "must-not", "timing", "dose", "scope", "counterfactual"])
STATES = st.sampled_from([HELD, FAILED, NO_DATA])


@st.composite
def tried(draw: st.DrawFn) -> Tried:
    """A prediction with any outcome and any outcomes of its controls, weighed as the kit weighs it."""
    from kit.verdict import _why_not

    prediction = Prediction("p", "rises", {"signal": draw(st.sampled_from(["a/x.y", "b/x.y"]))}, draw(KINDS))
    evidence = draw(st.sampled_from([(), ("ev_1",)]))
    result = Outcome(draw(STATES), "s", {}, evidence)
    controls = tuple((f"placebo {i}", Outcome(draw(STATES), "c")) for i in range(draw(st.integers(0, 2))))
    why = "s" if result.state == NO_DATA else _why_not(prediction, result, controls)
    return Tried(prediction, result, controls, counts=not why, why_not=why)


@settings(max_examples=400, deadline=None)
@given(
    tested=st.lists(tried(), max_size=4),
    links=st.lists(st.lists(tried(), max_size=2), max_size=3),
    rivals=st.lists(st.lists(tried(), min_size=1, max_size=3), max_size=2),
    change=st.sampled_from([None, "c1"]),
    waive=st.booleans(),
)
def test_whatever_comes_out_confirmed_has_evidence_on_every_link_and_could_have_failed(
    tested: list[Tried], links: list[list[Tried]], rivals: list[list[Tried]], change: str | None, waive: bool
) -> None:
    hypothesis = Hypothesis("h", change, tuple(t.prediction for t in tested))
    verdict = judge_one(
        hypothesis,
        tested=tested,
        links=[LinkTried(Link("a", "b", "x", tuple(t.prediction for t in ts)), tuple(ts)) for ts in links],
        rivals=rivals,
        waiver=Waiver("h", "because", "lead") if waive else None,
    )

    def could_have_failed(t: Tried) -> bool:
        return (
            t.result.state == HELD
            and bool(t.result.evidence)
            and any(o.state == FAILED for _, o in t.controls)
            and (all(o.state != HELD for _, o in t.controls))
        )

    if verdict.state in ("supported", "confirmed"):
        assert any(could_have_failed(t) for t in tested if t.prediction.kind not in ("timing", "must-not"))
        assert not verdict.refuted_by
    if verdict.state == "confirmed":
        assert change is not None
        assert links
        assert all(any(could_have_failed(t) for t in ts) for ts in links)
        assert verdict.waived or any(t.prediction.kind == "counterfactual" and could_have_failed(t) for t in tested)
        assert any(
            could_have_failed(t) and r.result.state == FAILED and r.prediction.subject == t.prediction.subject
            for t in tested
            for rival in rivals
            for r in rival
        )
    else:
        assert verdict.missing or verdict.state == "refuted"
    if verdict.state == "refuted":
        assert verdict.refuted_by


@settings(max_examples=200, deadline=None)
@given(st.lists(tried(), max_size=4))
def test_a_prediction_that_holds_on_its_control_supports_nothing(tested: list[Tried]) -> None:
    for t in tested:
        if any(o.state == HELD for _, o in t.controls):
            assert not t.supports


@settings(max_examples=200, deadline=None)
@given(st.lists(tried(), min_size=1, max_size=4))
def test_no_data_never_refutes(tested: list[Tried]) -> None:
    blind = [Tried(t.prediction, Outcome(NO_DATA, "gap"), t.controls, why_not="gap") for t in tested]
    verdict = judge_one(Hypothesis("h", "c", tuple(t.prediction for t in tested)), tested=blind, links=[], rivals=[])
    assert verdict.state == "open"
