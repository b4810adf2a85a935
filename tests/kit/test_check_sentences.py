"""What a check's sentence says is no more than was measured: bounds, edges of the count, how many signals, the rule."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from kit.checks.facts import Track
from kit.checks.frame_facts import FrameFacts
from kit.checks.registry import HELD, run_check
from kit.checks.windows import Windows
from kit.checks.wording import kind_of_line, moved_from, shown_level
from kit.playbooks import read_playbook
from kit.playbooks.seed import seed_hypotheses
from kit.playbooks.situation import describe_situation
from tests.kit import made_incident as incident

INDEX = pd.date_range("2026-03-01T02:00Z", periods=6, freq="10s")
BUCKETS = (0.1, 1.0, 2.5)


def latency(**more: object) -> Track:
    return Track("a/calls.duration.p99", pd.Series([0.1] * 6, index=INDEX), **more)  # type: ignore[arg-type]


def test_a_quantile_off_a_histogram_is_told_by_its_bucket_and_an_exact_one_by_its_value() -> None:
    assert moved_from(latency(bounds=BUCKETS), 0.05, 2.48) == (
        "a/calls.duration.p99 went from between 0 and 100 ms to between 1 s and 2.5 s (median of its 10 s bins)"
    )
    assert shown_level(latency(bounds=BUCKETS), 1.0) == "between 100 ms and 1 s"
    assert shown_level(latency(bounds=BUCKETS), 9.0) == "above 2.5 s"
    assert shown_level(latency(), 1.36) == "1.36 s"


def test_a_count_says_per_which_time_and_a_share_of_requests_that_it_is_one() -> None:
    count = Track("a/requests.count", pd.Series([5.0] * 6, index=INDEX), is_count=True)
    assert shown_level(count, 49.0) == "49 per 10 s"
    share = Track("a/requests.errors_ratio", count.values, counts=count.values)
    assert moved_from(share, 0.0, 0.0732) == "a/requests.errors_ratio went from 0 % to 7.32 % of all requests"


def test_lines_are_told_with_the_edges_they_were_counted_between() -> None:
    """The harm is 02:00:35 to 02:01:05; the bins of 10 s that it touches hold all its lines, those inside it do not."""
    times = pd.date_range("2026-03-01T02:00:00Z", periods=70, freq="1s")
    late = [t >= pd.Timestamp("2026-03-01T02:00:35Z") for t in times]
    rows = pd.DataFrame({"time": times, "message": ["gave up" if x else "ok" for x in late]})
    facts = FrameFacts(
        Windows.of(baseline=(times[0], times[35]), incident=(times[35], times[65]), whole=(times[0], times[69])),
        logs={"a": rows},
        every_s=10.0,
    )
    found = run_check(facts, "present_in_logs", {"service": "a", "where": "has(message, 'gave up')"})
    assert found.state == HELD
    assert found.sentence == "a wrote 25 log lines that speak of “gave up” from 02:00:30 to 02:01:00 UTC."
    assert found.numbers["during"] == 20


def test_a_filter_that_no_playbook_knows_stands_as_it_is() -> None:
    assert kind_of_line("a IS NULL AND b = 1") == "with a IS NULL AND b = 1"


def test_a_link_without_a_change_says_what_was_seen_and_that_its_beginning_is_not_recorded() -> None:
    book = read_playbook(
        'name = "x"\nfailure = "pool_starved"\ntitle = "t"\ntriggers = ["schema"]\n'
        '[[link]]\nfrom = "{change.ref}"\nto = "slow"\ntext = "{change.ref} made it slow"\n'
        '[[link.prediction]]\ntext = "it became slow"\ncheck = "rises"\narguments = { signal = "a/x.gauge" }\n',
        where="x",
    )
    facts = incident.facts()
    situation = describe_situation(facts, entry="nginx", between="checkout → postgres", path=incident.PATH)
    seeded = seed_hypotheses("pool_starved", incident.suspects(), situation, facts=facts, playbooks={"x": book})
    texts = {h.change: h.mechanism.links[0].text for h in seeded if h.mechanism.links}
    assert texts[None] == "it became slow; what began it is not recorded"
    assert all(text == f"{ref} made it slow" for ref, text in texts.items() if ref)
    book = replace(book, links=({**book.links[0], "unrecorded": "it was slow"},))
    seeded = seed_hypotheses("pool_starved", incident.suspects(), situation, facts=facts, playbooks={"x": book})
    assert any(
        h.mechanism.links[0].text == "it was slow; what began it is not recorded" for h in seeded if h.mechanism.links
    )


def test_where_requests_were_slow_beside_the_failed_ones_the_last_link_asks_for_both() -> None:
    facts = incident.facts()
    situation = describe_situation(
        facts, entry="nginx", between="checkout → postgres", path=incident.PATH, requests_log="checkout", slow_s=0.5
    )
    assert situation.words["symptom_words"].startswith("failing and slow")
    main = seed_hypotheses("pool_starved", incident.suspects(), situation, facts=facts)[0]
    asked = [p.arguments for p in main.mechanism.links[-1].predictions if p.check == "appears"]
    assert [a["where"] for a in asked] == ["duration_s > 0.5"]
