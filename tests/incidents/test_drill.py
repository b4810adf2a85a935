"""A drill takes the person's answers before it shows the kit's, and compares both with what was injected."""

from __future__ import annotations

from kit.drill import play, told
from kit.findings import read_truth
from tests.incidents.walking import SAMPLES

SLUG = "bad_deploy"


class Desk:
    """Somebody who answers from a list, and everything that was shown to them in the meantime."""

    def __init__(self, *answers):
        self.answers, self.seen = list(answers), []

    def ask(self, question):
        self.seen.append(question)
        return self.answers.pop(0)


def right(rows):
    return {key: you for key, _, you, _ in rows}


def place_of(desk, ref_words):
    return next(line.split()[0] for line in desk.seen if ref_words in line and line.strip()[0].isdigit())


def test_right_answers_are_right_and_the_kits_come_after_them(walked):
    truth = read_truth(SAMPLES / SLUG)
    began = truth["episodes"][0]["onset"]["earliest"]
    desk = Desk("incident", f"{began:%H:%M:%S}")

    def later(question):
        desk.seen.append(question)
        if question.startswith("3."):
            return place_of(desk, "checkout-v1.42.0")
        if question.startswith("4."):
            return place_of(desk, "nginx → checkout")
        return desk.answers.pop(0)

    desk.answers += ["bad_change", "roll back", "confirmed"]
    rows = play(walked(SLUG), truth, ask=later, say=desk.seen.append)
    assert all(right(rows).values()), told(rows)
    questions = [i for i, line in enumerate(desk.seen) if line[:2] in {f"{n}." for n in range(1, 8)}]
    shown = [i for i, line in enumerate(desk.seen) if line.startswith("   the kit:")]
    assert len(questions) == len(shown) == 7
    assert all(q < s for q, s in zip(questions, shown, strict=True))


def test_who_says_that_nothing_is_wrong_is_asked_no_more_and_is_wrong(walked):
    desk = Desk("nonsense", "healthy")
    rows = play(walked(SLUG), read_truth(SAMPLES / SLUG), ask=desk.ask, say=desk.seen.append)
    assert desk.answers == []
    assert not any(right(rows).values())
    assert all(kit for *_, kit in rows), told(rows)


def test_nothing_shown_before_the_first_answer_holds_a_verdict(walked):
    desk = Desk("")
    play(walked("quiet_day"), read_truth(SAMPLES / "quiet_day"), ask=desk.ask, say=desk.seen.append)
    before = "\n".join(desk.seen[: next(i for i, line in enumerate(desk.seen) if line.startswith("   the kit"))])
    assert "requests/s" in before
    assert "Healthy" not in before
