"""The draft says what the findings carry, leaves to people what only they know, and breaks no link it cannot name."""

from __future__ import annotations

import pandas as pd

from kit.lint import lint_postmortem
from kit.postmortem import TO_FILL, draft_postmortem

LINKS = [
    {"from": "0042", "to": "statement", "text": "0042 made a statement slow", "evidence": ["ev_1", "ev_2", "ev_3"],
     "shown": ["postgres wrote 564 slow lines, 0 before."], "gap": None},
    {"from": "statement", "to": "pool", "text": "slow statements held the connections", "evidence": [], "shown": [],
     "gap": "no evidence"},
    {"from": "pool", "to": "errors", "text": "requests then waited, and gave up", "evidence": ["ev_4"],
     "shown": ["checkout wrote 99 such lines"], "gap": None},
]  # fmt: skip


def hypothesis(state: str = "confirmed", **more: object) -> dict[str, object]:
    usual = {"id": "h", "statement": "0042 starved the pool", "ref": "0042", "missing": [], "waived": None}
    return {**usual, "state": state, "refuted_by": [], **more}


def findings(**more: object) -> dict[str, object]:
    instant = {"earliest": "2026-03-01T02:14:00Z", "time": "2026-03-01T02:14:01Z", "latest": "2026-03-01T02:14:02Z"}
    over = {k: v.replace(":14:", ":17:") for k, v in instant.items()}
    suspect = {"ref": "0042", "id": "c1", "summary": "drop an index", "time": "2026-03-01T02:13:58Z"}
    return {
        "verdict": "incident",
        "episodes": [
            {
                "onset": instant,
                "recovered": over,
                "failure": {"name": "pool_starved"},
                "scope": {"where": "/orders", "share_of_traffic": 0.28, "explains": 1.0},
                "suspects": [suspect],
            }
        ],
        "hypotheses": [hypothesis()],
        "mechanism": LINKS,
        "mitigations": [],
        "gaps": ["no logs for redis"],
        "impact": {
            "failed": {"value": 111.0, "low": 109.0, "high": 111.0, "lower_bound": False},
            "slow": {"value": 0.0, "low": 0.0, "high": 3.0, "lower_bound": False},
            "lost": {"value": 60.0, "low": 0.0, "high": 145.0, "lower_bound": False},
            "minutes_over": 2.5,
            "budget_burned": 0.0004,
            "times": {"detected": 69.0, "engaged": None, "mitigated": 134.0, "resolved": None, "recovered": 149.0},
            "affected": [{"kind": "tenants", "hurt": 1, "active": 3, "most": ["pro"]}],
        },
    } | more


def section(text: str, name: str) -> list[str]:
    return text.split(f"## {name}\n\n", 1)[1].split("\n\n", 1)[0].split("\n")


def drafted(given: dict[str, object], **more: object) -> str:
    return draft_postmortem(given, title="Checkout", rests_on={"07/impact": ["ev_9"]}, **more).markdown  # type: ignore[arg-type]


def test_impact_gives_counts_only_where_chance_would_not_make_them() -> None:
    assert section(drafted(findings()), "Impact") == [
        "- Requests that failed beyond the usual: 111 (109–111) (evidence ev_9).",
        "- Requests that were slow without failing, beyond the usual: none that chance would not make (0–3) "
        "(evidence ev_9).",
        "- Requests that never arrived beyond the usual: none that chance would not make (0–145) (evidence ev_9).",
        "- 1 of 3 active tenants had a hurt request: pro (evidence ev_9).",
        "- Over the objective for 2.5 minutes (evidence ev_9).",
        "- Of the error budget of failed requests, of 30 healthy days, 0.04% was burned (evidence ev_9).",
        "- After the onset: noticed 1 min 9 s; said to be mitigated 2 min 14 s; users served as before 2 min 29 s.",
    ]
    assert section(drafted(findings(impact={})), "Impact")[0] == "- Requests that failed beyond the usual: unknown."


def test_each_link_stands_with_what_showed_it_or_is_said_not_to_be_shown() -> None:
    assert section(drafted(findings()), "Mechanism") == [
        "- 0042 made a statement slow: postgres wrote 564 slow lines, 0 before (evidence ev_1, ev_2 and 1 more).",
        "- Slow statements held the connections — not shown: no evidence for this link.",
        "- Requests then waited, and gave up: checkout wrote 99 such lines (evidence ev_4).",
    ]
    supported = findings(hypotheses=[hypothesis("supported", missing=["a reversal"])])
    assert section(drafted(supported), "Mechanism")[0] == "- Supported, not confirmed. Missing: a reversal."
    assert "correlation" in section(drafted(findings(mechanism=[])), "Mechanism")[0]


def test_a_waived_reversal_is_said_in_the_trigger_the_summary_and_what_is_not_known() -> None:
    text = drafted(findings(hypotheses=[hypothesis(waived="undone by hand (lead)")]))
    assert "its reversal waived by hand: undone by hand (lead)" in section(text, "Trigger")[0]
    assert any("waived by hand: undone by hand (lead)" in x for x in section(text, "Summary"))
    assert any("waived by hand" in x for x in section(text, "What we do not know"))


def test_an_action_breaks_the_link_that_its_words_name_and_no_other() -> None:
    removes = ["a check that refuses to drop a used index", "a timeout shorter than users wait", "a bigger machine"]
    made = draft_postmortem(findings(), title="x", removes=removes).actions
    assert [a.breaks for a in made[1:4]] == ["0042 → statement", "statement → pool", ""]
    assert [a.type for a in made[1:4]] == ["prevent", "mitigate", "prevent"]
    assert TO_FILL in drafted(findings(), removes=removes)


def test_what_was_tried_is_told_by_what_came_of_it() -> None:
    tried = [
        {"ref": "scale-5", "summary": "scale out", "effect": "none", "why": "no fewer calls reached the break"},
        {"ref": "back", "summary": "roll back", "effect": "helped", "why": ""},
    ]
    lines = section(drafted(findings(mitigations=tried)), "What limited the harm")
    assert lines == [
        "- The harm ended after: roll back.",
        "- Tried, and the harm did not end by it: scale out (no fewer calls reached the break).",
    ]
    alone = section(drafted(findings(mitigations=tried[:1])), "What limited the harm")
    assert alone[0] == f"- What limited it is not known: {TO_FILL}."


def test_it_ended_soon_after_an_action_is_no_claim_that_it_was_stopped_by_it() -> None:
    tried = [{"ref": "back", "summary": "roll back", "effect": "helped"}]
    open_case = findings(mitigations=tried, hypotheses=[hypothesis("open")])
    assert "- It ended soon after: roll back." in section(drafted(open_case), "Summary")
    assert "- What stopped it: roll back." in section(drafted(findings(mitigations=tried)), "Summary")


def test_every_row_of_the_timeline_has_its_evidence_or_is_noted_by_hand() -> None:
    at = pd.Timestamp("2026-03-01T02:14:01Z")
    second = pd.Timedelta(seconds=1)
    frame = pd.DataFrame(
        [
            {"time": at, "earliest": at - second, "latest": at + second, "lane": "symptom", "fact": "it began",
             "evidence": "ev_1, ev_2, ev_3", "by_hand": False},
            {"time": at + 60 * second, "earliest": at + 60 * second, "latest": at + 60 * second, "lane": "detection",
             "fact": "somebody noticed", "evidence": "", "by_hand": True},
        ]
    )  # fmt: skip
    text = drafted(findings(), timeline=frame)
    rows = [x for x in text.splitlines() if x.startswith("| 2026")]
    assert rows == [
        "| 2026-03-01 02:14:01 (± 1 s) | 02:14:01 UTC | symptom | it began | ev_1, ev_2 and 1 more |",
        "| 2026-03-01 02:15:01 | 02:15:01 UTC | detection | somebody noticed | noted by hand |",
    ]
    assert section(text, "Detection")[0] == (
        "- 2026-03-01 02:15:01 UTC: somebody noticed. That was 1 min 9 s after the harm began."
    )


def test_the_draft_itself_passes_the_lint_but_for_what_people_have_to_fill_in() -> None:
    text = drafted(findings(), removes=["a check that refuses to drop a used index"])
    rules = {f.rule for f in lint_postmortem(text)}
    assert rules <= {"action-incomplete", "missing-section", "number-without-evidence"}
    assert "blame" not in rules


def test_a_healthy_window_has_nothing_to_tell() -> None:
    text = draft_postmortem({"verdict": "healthy", "episodes": []}, title="quiet").markdown
    assert "Nothing is wrong" in text or "stayed within" in text
    assert "## Guardrails" not in text


def test_what_is_slow_and_which_objective_was_broken_is_said_with_its_limit() -> None:
    usual = findings()["impact"]
    slow = {"value": 288.0, "low": 288.0, "high": 288.0, "lower_bound": False}
    impact = {
        **usual,
        "slow": slow,
        "limits": {"latency_p99_s": 0.5},
        "stretches_over": [14, 15],
        "worst": ["/a", 9, 12],
    }  # type: ignore[dict-item]
    lines = section(drafted(findings(impact=impact)), "Impact")
    assert (
        "- Requests that were slow (over 0.5 s, the objective) without failing, beyond the usual: 288 (evidence ev_9)."
        in lines
    )
    assert "- 9 of the 12 requests to /a from 02:14:00 to 02:17:02 UTC were hurt (evidence ev_9)." in lines
    assert any(
        "(the 99 % quantile of the duration above 500 ms) was broken in 14 of the 15 stretches" in x for x in lines
    )


def test_each_check_of_a_link_stands_with_its_own_evidence_and_an_empty_answer_behind_none() -> None:
    link = {**LINKS[0], "shown": ["a", "b"], "shown_by": [["ev_1", "ev_2"], ["ev_3"]]}
    line = section(drafted(findings(mechanism=[link]), empty={"ev_1"}), "Mechanism")[0]
    assert line == "- 0042 made a statement slow: a (evidence ev_2); b (evidence ev_3)."


def test_an_order_that_was_not_checked_is_said_not_to_have_been() -> None:
    ordered = {**LINKS[0], "aspects": {"order": "held"}}
    unasked = {**LINKS[2], "aspects": {"order": "not asked"}}
    assert "was checked for link 1 only" in section(drafted(findings(mechanism=[ordered, unasked])), "Mechanism")[-1]
    assert (
        "order in time"
        not in drafted(findings(mechanism=[ordered])).partition("## Detection")[0].partition("## Mechanism")[2]
    )


def test_a_change_within_the_uncertainty_of_the_onset_is_not_said_to_have_come_first() -> None:
    given = findings()
    given["episodes"][0]["suspects"][0]["relation"] = "within_uncertainty"  # type: ignore[index]
    assert "does not say which came first" in section(drafted(given), "Trigger")[0]
    assert "does not say which came first" not in section(drafted(findings()), "Trigger")[0]


def test_what_was_ruled_out_never_begins_with_the_claim_and_a_rule_of_thumb_rules_nothing_out() -> None:
    late = hypothesis(
        "refuted",
        ref="flag-1",
        refuted_by=["soon — flag-1 had been in effect for 6 min; the rule here is 5 min at most."],
    )
    cpu = hypothesis("refuted", id="cpu", ref=None, refuted_by=["CPU rises — a/cpu went from 1 % to 1 %."])
    lines = section(drafted(findings(hypotheses=[late, cpu])), "Ruled out")
    assert lines[0].startswith("- Set aside by a rule of thumb, not ruled out: flag-1: ")
    assert lines[1] == "- Not a lack of CPU: a/cpu went from 1 % to 1 %."


def test_what_speaks_against_it_and_what_is_open_is_told() -> None:
    given = findings(hypotheses=[hypothesis(), hypothesis("open", statement="a rival", missing=["spans"])])
    given["episodes"][0]["failure"]["against"] = ["not seen: versions do not differ"]  # type: ignore[index]
    lines = section(drafted(given), "What speaks against it, and what is open")
    assert lines == [
        "- Looked for, and not found as this class of failure would have it: versions do not differ.",
        "- Not ruled out: “a rival” is still open (it lacks spans).",
    ]


def test_only_what_was_wholly_dark_at_the_break_becomes_an_action() -> None:
    gaps = ["no metrics for redis, bank", "no logs for bank", "no spans for bank, shop"]
    given = findings(gaps=gaps)
    given["episodes"][0]["cut"] = {"between": ["shop → bank"]}  # type: ignore[index]
    dark = [a.text for a in draft_postmortem(given, title="x").actions if a.type == "detect"]
    assert [t.split(" what it did")[0] for t in dark] == ["Ask whoever runs bank"]


def test_whether_it_recurs_is_said_by_what_is_known_of_its_beginning_and_end() -> None:
    helped = [{"ref": "back", "summary": "roll back", "effect": "helped"}]
    known = section(drafted(findings(mitigations=helped)), "Could it happen again next month?")[0]
    assert known.startswith("- Not from 0042 as long as “roll back” stays. Yes, when 0042")
    unknown = section(
        drafted(findings(hypotheses=[hypothesis("supported", ref=None)])), "Could it happen again next month?"
    )
    assert "what began it was not found" in unknown[0]


def test_the_first_error_line_of_a_bad_change_is_to_be_repaired_before_it_goes_out_again() -> None:
    given = findings(hypotheses=[hypothesis(failure="bad_change")])
    first = {"service": "shop", "text": "KeyError: 'a'"}
    text = draft_postmortem(given, title="x", first_line=first).actions[0].text
    assert text.startswith("Repair what in shop ends in “KeyError: 'a'”")
    assert text.endswith("before 0042 is made again")
