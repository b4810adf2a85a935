"""Playbooks: data that can be read, bound as text and never evaluated; hypotheses seeded from them and judged."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from connectors.errors import BadInput
from connectors.where import parse
from kit.board import judge, states
from kit.checks.frame_facts import FrameFacts
from kit.checks.windows import Windows
from kit.playbooks import Playbook, common_playbook, load_playbooks, read_playbook
from kit.playbooks.own import bring_playbooks, own_folder
from kit.playbooks.seed import bind, near_changes, seed_hypotheses, unbound
from kit.playbooks.situation import Situation, describe_situation, grown_value
from kit.playbooks.words import NEEDS, PHRASES
from tests.kit import made_incident as incident
from tests.kit.made_incident import at, change

NAMES = (
    "pool_starved", "overload", "retry_storm", "bad_change", "client_contract", "auth_misconfiguration",
    "slow_dependency", "certificate_expired", "disk_full", "scheduled_job", "queue_backlog", "fail_fast",
    "one_location", "resource_leak", "traffic_lost",
)  # fmt: skip
ENTRY = {"entry": "nginx", "between": "checkout → postgres", "path": incident.PATH, "route": "/pay"}


def seeded(facts: FrameFacts, *, failure: str = "pool_starved", playbooks: object = None) -> tuple:
    situation = describe_situation(facts, **ENTRY)
    return seed_hypotheses(failure, incident.suspects(), situation, facts=facts, playbooks=playbooks)


# --- reading --------------------------------------------------------------------------------------------------------


def test_there_is_a_playbook_for_every_class_but_unclassified() -> None:
    assert set(load_playbooks()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_playbook_says_what_to_test_what_to_do_and_what_removes_the_class(name: str) -> None:
    book = load_playbooks()[name]
    assert book.failure == name
    assert book.predictions
    assert len(book.links) >= 2
    assert book.levers
    assert all(lever.risk and lever.watch for lever in book.levers)
    assert book.removes
    assert book.question.endswith("?")
    assert book.action
    assert set(book.rivals) <= set(NAMES) - {name}
    assert len(book.rivals) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_every_filter_of_a_playbook_is_in_the_portable_grammar(name: str) -> None:
    book = load_playbooks()[name]
    every = [*book.predictions, *(p for link in book.links for p in link.get("prediction", ()))]
    words = {**dict.fromkeys(placeholders(book), "word"), **PHRASES, "failed": "a = 1"}
    for prediction in every:
        for key in ("where", "of"):
            text = prediction.get("arguments", {}).get(key)
            if text:
                parse(bind(text, words))


def placeholders(book: Playbook) -> set[str]:
    return {n for p in book.predictions for n in unbound(p.get("arguments", {}), {})} | {
        n for link in book.links for p in link.get("prediction", ()) for n in unbound(p.get("arguments", {}), {})
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_placeholder_of_a_check_is_known_or_says_what_has_to_be_collected(name: str) -> None:
    always = {"lag_s", "symptom", "symptom_floor", "loop", "service", "entry", "reach", "change_or_traffic", *PHRASES}
    book = load_playbooks()[name]
    every = [*book.predictions, *(p for link in book.links for p in link.get("prediction", ()))]
    guarded = {b for p in every for b in p.get("bound", ())}
    of_changes = {n for n in placeholders(book) if n.startswith(("change.", "scale.", "remedy.", "reversal."))}
    assert placeholders(book) - always - guarded - of_changes <= set(NEEDS)


def test_the_action_is_the_essays() -> None:
    books = load_playbooks()
    assert books["pool_starved"].action == "read the query plan"
    assert books["overload"].action == "shed load, scale out"
    assert books["bad_change"].action == "roll back"


def test_the_common_ones_are_not_classes() -> None:
    for name in ("change", "cpu", "artefact", "unobserved"):
        assert common_playbook(name).name == name
        assert name not in load_playbooks()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = ", "is not TOML"),
        ('name = "x"\n', "title is missing"),
        ('name = "x"\ntitle = "t"\ncode = "import os"\n', "unknown key 'code'"),
        ('name = "x"\ntitle = "t"\n[[prediction]]\ntext = "p"\ncheck = "risse"\n', "did you mean rises"),
        ('name = "x"\ntitle = "t"\n[[prediction]]\ntext = "p"\ncheck = "rises"\n', "it needs 'signal'"),
        ('name = "x"\ntitle = "t"\n[[link]]\nfrom = "a"\n', "link 1 has no to; link 1 has no text"),
        ('name = "x"\ntitle = "t"\n[[lever]]\nrisk = "r"\n', "lever 1 does not say what to do"),
    ],
)
def test_a_faulty_playbook_is_one_sentence_that_names_the_file(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as error:
        read_playbook(text, where="mine.toml")
    assert str(error.value).startswith("mine.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('name = "../../x"\ntitle = "t"\n', "must be small letters"),
        ('name = "x"\ntitle = ["t"]\n', "title must be text"),
        ('name = "x"\ntitle = "t"\nlag_s = "soon"\n', "lag_s must be a number"),
        ('name = "x"\ntitle = "t"\nlag_s = inf\n', "lag_s must be a number"),
        ('name = "x"\ntitle = "t"\nrivals = "all"\n', "rivals must be a list"),
        ('name = "x"\ntitle = "t"\nrestart_cures = "no"\n', "restart_cures must be true or false"),
        ('name = "x"\ntitle = "t"\nprediction = "p"\n', "write each prediction as a section"),
        ('name = "x"\ntitle = "t"\nrole = "culprit"\n', "role 'culprit' is none"),
        ('name = "x"\ntitle = "t"\n[[prediction]]\ntext = 3\ncheck = "rises"\n', "prediction 1 has no text"),
        ('name = "x"\ntitle = "t"\n[[prediction]]\ntext = "p"\nkind = "proof"\n', "'proof' is no kind"),
        ('name = "x"\ntitle = "t"\n[[prediction]]\ntext = "p"\ncheck = ["os"]\n', "name of a check"),
        (
            'name = "x"\ntitle = "t"\n[[prediction]]\ntext = "p"\ncheck = "__import__"\n',
            "there is no check|There is no",
        ),
        ('name = "x"\ntitle = "t"\n[[prediction]]\ntext = "p"\narguments = "rm"\n', "arguments must be a table"),
        ('name = "x"\ntitle = "t"\n[[link]]\nfrom="a"\nto="b"\ntext="c"\nprediction = 1\n', "link 1: write each"),
        ('name = "x"\ntitle = "t"\n[[lever]]\ndo = "d"\nwithin_s = "1"\n', "lever 1: within_s is of the wrong kind"),
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deep|is not TOML"),
        ('name = "x"\ntitle = "t"\n' + '[[lever]]\ndo = "d"\n' * 41, "41 sections"),
    ],
)
def test_a_playbook_from_anywhere_is_data_of_the_right_shape_or_one_sentence(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as error:
        read_playbook(text, where="mine.toml")
    assert str(error.value).startswith("mine.toml")


def test_files_that_are_no_playbooks_are_told_or_left_alone(tmp_path: Path) -> None:
    (tmp_path / "big.toml").write_text("# " + "x" * 200_001)
    with pytest.raises(BadInput, match=r"big.toml is larger"):
        load_playbooks(tmp_path)
    (tmp_path / "big.toml").write_bytes(b"name = '\xff'")
    with pytest.raises(BadInput, match=r"cannot be read"):
        load_playbooks(tmp_path)
    (tmp_path / "big.toml").unlink()
    (tmp_path / "passwd.toml").symlink_to("/etc/passwd")
    (tmp_path / "folder.toml").mkdir()
    assert set(load_playbooks(tmp_path)) == set(NAMES)


def test_a_user_adds_a_playbook_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "lock_held.toml").write_text(
        """
name = "lock_held"
failure = "pool_starved"
title = "A lock is held"
through = "a lock in {callee}"
triggers = ["job", "schema"]
[[prediction]]
text = "{callee} logs lock waits"
check = "appears"
arguments = { service = "{callee}", where = "has(message, 'still waiting')" }
""",
        encoding="utf-8",
    )
    books = load_playbooks(tmp_path)
    hypotheses = seeded(incident.facts(), playbooks=books)
    mine = next(h for h in hypotheses if h.id == "migration-0042-lock-held")
    assert mine.statement == "migration 0042 caused failing requests at nginx through a lock in postgres"
    assert states(judge(hypotheses, incident.facts()))[mine.id] == "refuted"
    (tmp_path / "again.toml").write_text('name = "overload"\ntitle = "x"\n', encoding="utf-8")
    with pytest.raises(BadInput, match=r"again.toml: there is a playbook 'overload' already"):
        load_playbooks(tmp_path)


# --- binding --------------------------------------------------------------------------------------------------------


def test_ones_own_playbooks_are_copied_into_a_case_and_one_that_is_there_stays(tmp_path: Path) -> None:
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    case, own = tmp_path / "case", own_folder(environment)
    case.mkdir()
    assert bring_playbooks(case, environment=environment) == []
    assert not (case / "playbooks").exists()
    own.mkdir(parents=True)
    (own / "lock_held.toml").write_text('name = "lock_held"\ntitle = "A lock is held"\n')
    assert bring_playbooks(case, environment=environment) == ["Your own playbooks are in playbooks/: lock_held.toml."]
    assert load_playbooks(case / "playbooks")["lock_held"].title == "A lock is held"
    (own / "lock_held.toml").write_text('name = "lock_held"\ntitle = "Another"\n')
    assert bring_playbooks(case, environment=environment) == []
    assert load_playbooks(case / "playbooks")["lock_held"].title == "A lock is held"
    (own / "wrong.toml").write_text("title = 5")
    with pytest.raises(BadInput, match=r"wrong\.toml"):
        bring_playbooks(case, environment=environment)


def test_what_removes_a_class_may_need_a_word_that_is_known() -> None:
    book = load_playbooks()["pool_starved"]
    assert "statement" in book.removes_with
    assert not any("index" in text or "sequential" in text for text in book.removes)
    with pytest.raises(BadInput, match="removes_with must be a table"):
        read_playbook('name = "a"\ntitle = "b"\n[removes_with]\nmoon = ["x"]\n', where="x.toml")


def test_words_are_text_and_never_evaluated() -> None:
    hostile = "x' OR 1=1 {service} __import__('os')"
    bound = bind("db.query.summary = '{statement}'", {"statement": hostile, "service": "checkout"})
    assert bound == "db.query.summary = 'x'' OR 1=1 {service} __import__(''os'')'"
    assert parse(bound).value == hostile  # type: ignore[union-attr]


def test_a_placeholder_alone_keeps_its_type_and_an_unknown_one_stays() -> None:
    assert bind(["{reach}", "{lag_s}", "{what}"], {"reach": ["a"], "lag_s": 3.0}) == [["a"], 3.0, "{what}"]
    assert unbound({"a": "{x}", "b": ["{y}", "{x}"]}, {"x": 1}) == ("y",)


# --- seeding --------------------------------------------------------------------------------------------------------


def test_the_situation_finds_its_words() -> None:
    words = describe_situation(incident.facts(), **ENTRY).words
    assert words["pool"] == "checkout@*/db.client.connection.usage_ratio.gauge"
    assert words["cpu"] == "checkout/cpu.usage_ratio.gauge"
    assert words["callee_latency"] == "checkout/db.client.operation.duration.p99"
    assert words["statement"] == incident.STATEMENT
    assert words["reach"] == ["checkout", "postgres"]
    assert words["reach_callers"] == ["checkout", "nginx", "postgres"]
    assert words["symptom"] == "nginx/requests.errors_ratio"
    assert "memory" not in words


def test_the_value_that_grew_most_is_named_and_a_log_that_is_not_there_names_none() -> None:
    facts = incident.facts()
    assert grown_value(facts, "postgres", "db.query.summary") == incident.STATEMENT
    assert grown_value(facts, "postgres", "nofield") is None
    assert grown_value(facts, "redis", "db.query.summary") is None
    assert grown_value(incident.facts(ill=False), "postgres", "db.query.summary") is None


def test_near_changes_come_in_their_rank_and_responses_are_none() -> None:
    facts = incident.facts()
    situation = describe_situation(facts, **ENTRY)
    late = pd.concat(
        [incident.suspects(), pd.DataFrame({"ref": ["migration 0042 down"], "rank": [4], "relation": ["after"]})]
    )
    assert [c.id for c in near_changes(late, situation, facts)] == ["c3", "c2", "c1"]
    old = incident.facts(extra=[change("x", "01:20:00", "deploy", "web", "web 2.0")])
    frame = pd.DataFrame({"ref": ["web 2.0"], "rank": [1], "relation": ["before"]})
    assert near_changes(frame, describe_situation(old, **ENTRY), old) == ()


def test_seeds_hold_the_change_its_rivals_and_the_two_that_are_always_there() -> None:
    hypotheses = seeded(incident.facts())
    ids = [h.id for h in hypotheses]
    assert ids[0] == "migration-0042-pool-starved"
    assert {"artefact", "unobserved", "cpu", "overload", "slow-dependency"} <= set(ids)
    assert "web-2-1-pool-starved" in ids
    assert len(set(ids)) == len(ids)


def test_the_true_hypothesis_is_confirmed_and_every_decoy_is_refuted_by_a_named_check() -> None:
    facts = incident.facts()
    board = judge(seeded(facts), facts)
    found = states(board)
    assert found["migration-0042-pool-starved"] == "confirmed"
    assert found["web-2-1-pool-starved"] == found["nightly-report-pool-starved"] == found["cpu"] == "refuted"
    assert [i for i, s in found.items() if s == "confirmed"] == ["migration-0042-pool-starved"]
    assert any("not the rise" in r or "at 0.85 or more in 0%" in r for r in board.of("cpu").refuted_by)
    best = board.of("migration 0042")
    assert all(link.evidence for link in best.links)
    assert incident.STATEMENT in best.told()
    assert best.told().endswith("which index would it need?")


def test_leaving_the_playbook_of_the_true_class_out_nothing_is_confirmed() -> None:
    facts = incident.facts()
    others = {n: b for n, b in load_playbooks().items() if n != "pool_starved"}
    for failure in ("unclassified", "pool_starved"):
        board = judge(seeded(facts, failure=failure, playbooks=others), facts)
        assert "confirmed" not in states(board).values()


@pytest.mark.parametrize("without", ["postgres", "checkout", "changes", "wide"])
def test_with_a_pillar_withheld_it_is_not_confirmed_and_says_what_is_missing(without: str) -> None:
    facts = incident.facts(without=(without,))
    board = judge(seeded(facts), facts)
    assert "confirmed" not in states(board).values()
    live = [v for v in board.verdicts if v.hypothesis.failure == "pool_starved" and v.state != "refuted"]
    assert all(v.missing for v in live)
    assert live


@pytest.mark.parametrize("failure", [*NAMES, "unclassified"])
def test_on_swapped_windows_and_on_a_quiet_day_nothing_is_confirmed(failure: str) -> None:
    facts = incident.facts()
    swapped = judge(seeded(facts, failure=failure), facts, windows=facts.windows.swapped())
    assert "confirmed" not in states(swapped).values()
    quiet = incident.facts(ill=False)
    assert "confirmed" not in states(judge(seeded(quiet, failure=failure), quiet)).values()


@pytest.mark.parametrize("failure", [n for n in NAMES if n not in ("pool_starved", "slow_dependency")])
def test_the_playbook_of_another_class_confirms_nothing_here(failure: str) -> None:
    facts = incident.facts()
    assert "confirmed" not in states(judge(seeded(facts, failure=failure), facts)).values()


def test_the_class_without_a_recorded_change_is_supported_at_most() -> None:
    facts = incident.facts(without=("changes",))
    none = pd.DataFrame({"ref": [], "rank": [], "relation": []})
    hypotheses = seed_hypotheses("slow_dependency", none, describe_situation(facts, **ENTRY), facts=facts)
    verdict = judge(hypotheses, facts).of("slow-dependency")
    assert verdict.hypothesis.statement == "postgres is slow as checkout sees it, and checkout waits for it"
    assert verdict.state == "supported"
    assert "a state change that began it" in verdict.missing


def test_cpu_is_asked_where_it_rose_most_and_the_pool_that_filled() -> None:
    base = incident.facts()
    harm = base.wide["nginx/requests.errors_ratio"] > 0.1
    wide = base.wide.assign(
        **{
            "worker@w1/cpu.usage_ratio.gauge": 0.1 + 0.3 * harm,
            "worker@w2/cpu.usage_ratio.gauge": 0.1 + 0.3 * harm,
            "host/system.cpu.usage_ratio.gauge": 0.1 + 0.8 * harm,
            "checkout@c1/db.client.connection.usage_ratio.main.gauge": 0.1,
        }
    )
    facts = FrameFacts(base.windows, wide, base.logs, base.changes_frame, every_s=5)
    words = describe_situation(facts, **ENTRY).words
    assert words["cpu"] == "worker@*/cpu.usage_ratio.gauge"
    assert words["cpu_owner"] == "worker"
    assert words["pool"] == "checkout@*/db.client.connection.usage_ratio.gauge"


def test_a_change_of_a_caller_counts_only_where_callers_matter() -> None:
    facts = incident.facts(extra=[change("n1", "02:14:30", "deploy", "nginx", "nginx 3")])
    frame = pd.DataFrame({"ref": ["nginx 3"], "rank": [1], "relation": ["before"]})
    situation = describe_situation(facts, **ENTRY)

    def touched(failure: str) -> list[str]:
        hypotheses = seed_hypotheses(failure, frame, situation, facts=facts)
        return next(
            p.arguments["services"] for h in hypotheses if h.change for p in h.predictions if p.check == "touches"
        )

    assert touched("slow_dependency") == ["checkout", "postgres"]
    assert touched("retry_storm") == ["checkout", "postgres"]
    assert touched("overload") == ["checkout", "nginx", "postgres"]


def test_the_version_in_the_logs_that_a_deploy_brought_is_compared_with_the_other() -> None:
    deploy = change("d1", "02:15:00", "deploy", "checkout", "r1", before="v4.6 (aaa)", after="v4.6.1 (bbb)")
    base = incident.facts()
    times = pd.date_range(at("02:15:10"), at("02:18:00"), freq="500ms")
    rows = pd.DataFrame(
        {
            "time": times,
            "message": "request",
            "version": ["v4.6.1" if i % 2 else "v4.6" for i in range(len(times))],
            "status": [503 if i % 4 == 1 else 200 for i in range(len(times))],
            "weight": 1.0,
        }
    )
    frame = pd.DataFrame([deploy])
    facts = FrameFacts(base.windows, base.wide, {**base.logs, "checkout": rows}, frame, every_s=5)
    situation = describe_situation(
        facts, entry="nginx", between="nginx → checkout", path=incident.PATH, failed="status >= 500"
    )
    assert situation.words["versions"] == ["v4.6", "v4.6.1"]
    suspects = pd.DataFrame({"ref": ["r1"], "rank": [1], "relation": ["before"]})
    board = judge(seed_hypotheses("bad_change", suspects, situation, facts=facts), facts)
    split = next(t for t in board.of("r1").tested if t.prediction.check == "differs_between")
    assert split.prediction.arguments["values"] == ["v4.6.1"]
    assert split.supports


def test_what_is_not_collected_stays_on_the_board_with_what_it_needs() -> None:
    facts = incident.facts(without=("wide",))
    hypotheses = seed_hypotheses("pool_starved", incident.suspects(), Situation({"service": "checkout"}), facts=facts)
    needs = [p.arguments["needs"] for h in hypotheses for p in h.predictions if p.check == "not_collected"]
    assert "not collected: how full checkout's connection pool is" in needs


def test_a_rollback_that_is_a_restart_does_not_speak_against_what_a_restart_cures() -> None:
    deploy = change("d1", "02:15:00", "deploy", "checkout", "checkout 4.7", before="4.6", after="4.7")
    back = change(
        "d2", "02:18:00", "deploy", "checkout", "checkout 4.6", before="4.7", after="4.6", reverts="checkout 4.7"
    )
    base = incident.facts()
    rows = pd.DataFrame([deploy, back, change("w", "02:13:00", "deploy", "web", "web 2.1")])
    facts = FrameFacts(base.windows, base.wide, base.logs, rows, evidence=base.evidence, every_s=5)
    frame = pd.DataFrame({"ref": ["checkout 4.7", "web 2.1"], "rank": [1, 2], "relation": ["before"] * 2})
    hypotheses = seed_hypotheses("bad_change", frame, describe_situation(facts, **ENTRY), facts=facts)

    def idle(id_: str) -> bool:
        found = next(h for h in hypotheses if h.id == id_)
        return any(p.kind == "must-not" and p.check == "recovers_after" for p in found.predictions)

    assert idle("overload")
    assert idle("web-2-1-bad-change")
    assert not idle("unobserved")
    assert not idle("checkout-4-7-bad-change")


def test_two_runs_of_one_job_are_two_hypotheses_and_the_one_that_went_with_the_harm_doubts_the_other() -> None:
    runs = [
        change("j1", "02:10:00", "job", "postgres", "clear"),
        change("j2", "02:15:00", "job", "postgres", "clear", until="02:18:05"),
    ]
    facts = incident.facts(extra=runs)
    frame = pd.DataFrame({"id": ["j2", "j1"], "ref": ["clear", "clear"], "rank": [1, 2], "relation": ["before"] * 2})
    hypotheses = seed_hypotheses("scheduled_job", frame, describe_situation(facts, **ENTRY), facts=facts)
    named = {h.id: h for h in hypotheses if h.change}
    assert list(named) == ["j2-scheduled-job", "j1-scheduled-job"]
    assert named["j2-scheduled-job"].statement.startswith("clear of 02:15:00 caused")
    doubts = [p for p in named["j1-scheduled-job"].predictions if p.text.startswith("not so: ")]
    assert [p.arguments["change"] for p in doubts] == ["j2"]


def test_what_was_over_before_the_onset_is_no_hypothesis_and_a_decoy_near_it_is_one() -> None:
    facts = incident.facts()
    frame = incident.suspects().assign(by_time=False, derived=False, over=False)
    situation = describe_situation(facts, **ENTRY)
    assert "c2" in [c.id for c in near_changes(frame, situation, facts)]
    over = frame.assign(rank=None, over=frame["ref"] == "web 2.1")
    assert "c2" not in [c.id for c in near_changes(over, situation, facts)]


def full_disk(disks: dict[str, list[float]], *, said: bool) -> FrameFacts:
    """20 healthy minutes, 5 of harm; what is left on each disk by the minute, and whether the log tells of it."""
    index = pd.date_range("2026-03-01T02:00Z", periods=25, freq="60s")
    windows = Windows.of(baseline=(index[0], index[20]), incident=(index[20], index[24] + pd.Timedelta("60s")))
    times = pd.date_range("2026-03-01T02:20Z", periods=30, freq="5s")
    lines = pd.DataFrame({"time": times, "message": "No space left on device" if said else "fine"})
    return FrameFacts(windows, pd.DataFrame(disks, index=index), logs={"nginx": lines})


def test_the_disk_that_is_meant_is_the_fullest_and_never_a_roomy_one_when_a_log_tells_of_a_full_one() -> None:
    root, data = "host@//filesystem.available.gauge", "host@/data/filesystem.available.gauge"
    filling = {root: [90.0] * 25, data: [20.0 - n for n in range(20)] + [0.0] * 5}
    words = describe_situation(full_disk(filling, said=True), entry="nginx").words
    assert words["disk"] == data
    assert words["disk_reach"] == ["host", "nginx"]
    unmeasured = describe_situation(full_disk({root: [90.0] * 25}, said=True), entry="nginx").words
    assert "disk" not in unmeasured
    assert unmeasured["disk_owner"] == "nginx"
