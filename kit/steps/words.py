"""What the words of a playbook stand for in this case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kit.steps.harm import at_the_cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.case import Case
    from kit.playbooks import Playbook


def case_playbooks(case: Case) -> Mapping[str, Playbook]:
    """The kit's playbooks, and those that people put into the case's folder `playbooks/`."""
    from kit.playbooks import load_playbooks

    folder = case.folder / "playbooks"
    return load_playbooks(folder if folder.is_dir() else None)


def playbook(case: Case) -> Playbook | None:
    """What is known of this class of failure; None for an unclassified one."""
    return next((b for b in case_playbooks(case).values() if b.failure == case.diagnosis.name), None)


def bound_lever(case: Case, lever: Any) -> dict[str, Any]:
    """The playbook's lever in the words of this incident."""
    from kit.playbooks.seed import bind

    words = incident_words(case)
    names = ("do", "fits", "risk", "reversible", "erases", "watch", "within_s")
    return {name: bind(getattr(lever, name), words) for name in names}


ANSWERABLE = ("change.ref", "callee", "statement", "route")
"""Words of which a case knows whether it has them: what is to be done to something that is not there is not told."""


def fits_here(case: Case, template: str) -> bool:
    """Is everything that this text of a playbook is about there in this case: a suspect, a dependency, a database?"""
    from kit import questions
    from kit.playbooks import PLACEHOLDER
    from kit.steps.the_spot import STATEMENT

    named = set(PLACEHOLDER.findall(template)) & set(ANSWERABLE)
    if not named:
        return True
    there = {
        "change.ref": bool(case.suspects.ranked),
        "callee": len(at_the_cut(case)) > 1,
        "route": case.episode is not None and bool(case.episode.routes),
    }
    if "statement" in named:
        there["statement"] = any(STATEMENT in questions.field_names(case, s) for s in case.sources("logs"))
    return all(there[name] for name in named)


def removes_here(case: Case, book: Playbook) -> list[str]:
    """What would remove the class, in the words of this incident; without what needs something that is not there."""
    from kit.playbooks.seed import bind

    words = incident_words(case)
    more = [text for word, texts in book.removes_with.items() if fits_here(case, f"{{{word}}}") for text in texts]
    return [bind(text, words) for text in (*book.removes, *more) if fits_here(case, text)]


def incident_words(case: Case) -> dict[str, str]:
    """What the placeholders of a playbook stand for here, those that nobody knows told as such."""
    from kit.playbooks.words import FALLBACK

    service = at_the_cut(case)
    ranked = case.suspects.ranked
    return {
        **FALLBACK,
        "entry": case.entry or "the entry",
        "service": service[0] if service else FALLBACK["service"],
        "callee": service[1] if len(service) > 1 else FALLBACK["callee"],
        "change.ref": (ranked[0].ref or ranked[0].id) if ranked else FALLBACK["change.ref"],
        "symptom": "the failed share",
        **({"route": case.episode.routes[0]} if case.episode is not None and case.episode.routes else {}),
        **squeezed_words(case),
    }


def squeezed_words(case: Case) -> dict[str, str]:
    """Which pool, and which resource at all, was squeezed at the cut: the playbooks ask about that one, not another."""
    near = at_the_cut(case)
    squeezed = [r for r in case.board.readings if r.squeezed and (not near or r.service in near)]
    squeezed.sort(key=lambda r: -r.now)
    words = {}
    pools = [r for r in squeezed if "pool" in r.signal or "connection" in r.signal]
    for name, readings in (("squeezed", squeezed), ("pool", pools)):
        if readings:
            service, _, rest = readings[0].signal.partition("/")
            words[name] = f"{service.split('@')[0]}@*/{rest}" if "@" in service else readings[0].signal
    return words
