"""Which question of a postmortem has no section that answers it?"""

from __future__ import annotations

from collections.abc import Iterator

from kit.lint.document import Document, LintFinding

NEEDED = {
    "impact": ("Impact", "who was hurt, how much, for how long"),
    "timeline": ("Timeline", "what happened when, in absolute times with their zone"),
    "detection": ("Detection", "how it was noticed, and how long that took"),
    "trigger": ("Trigger", "the change of state that set it off, which is not the mechanism"),
    "mechanism": ("Mechanism", "the chain from the trigger to what users felt, a link at a time"),
    "limited": ("What limited the harm", "which defences held"),
    "luck": ("Where we were lucky", "what could have made it worse and by chance did not"),
    "actions": ("Action items", "what will be different, with owner, date and the class it removes"),
    "recurrence": ("Could it happen again next month?", "which link of the chain is broken now"),
}
"""The sections looked for: what they are called here, and what they answer."""


def section_findings(document: Document) -> Iterator[LintFinding]:
    """Which of the needed sections is missing? One finding, on the first line, that names them all.

    A section counts as there when a heading speaks of it; a text without any heading lacks them all.
    """
    there = frozenset().union(*(about for *_, about in document.headings)) if document.headings else frozenset()
    missing = [title for name, (title, _) in NEEDED.items() if name not in there]
    if missing:
        answers = "; ".join(f"{title}: {answer}" for title, answer in NEEDED.values() if title in missing)
        yield LintFinding("missing-section", 1, f"No section on: {', '.join(missing)}.", f"Add: {answers}.")
