"""Does a postmortem change anything? Blame, hindsight, vague actions, and facts that stand on nothing, line by line.

A lint reads words, not minds: it names the line, why it stumbled and a wording that would carry more. It looks at any
Markdown, whoever wrote it.
"""

from __future__ import annotations

from kit.lint.actions import action_findings
from kit.lint.document import Document, LintFinding, read_document
from kit.lint.facts import number_findings, time_findings
from kit.lint.sections import section_findings
from kit.lint.wording import wording_findings

__all__ = ["Document", "LintFinding", "lint_postmortem", "read_document"]

RULES = {
    "blame": "a person or a group is named as what went wrong",
    "hindsight": "the text says what people ought to have done, knowing the end",
    "name-as-cause": "a person's name or role stands where a mechanism belongs",
    "vague-action": "an action that nobody could say is done",
    "action-incomplete": "an action without an owner, a date or the class of failure it removes",
    "no-link": "no action says which link of the mechanism it breaks",
    "relative-time": "a time that only the day's readers can place",
    "time-without-zone": "a clock time without its zone",
    "number-without-evidence": "a number of the harm that no link, query or evidence id stands behind",
    "missing-section": "a question of the postmortem that no section answers",
}
"""Every rule, and what it means."""


def lint_postmortem(markdown: str) -> list[LintFinding]:
    """What in this postmortem blames, guesses, wishes, or stands on nothing?

    Returns findings in order of line (1-based), each with its `rule` (a key of `RULES`), a `message` that says why and
    a `better` wording. Code, quotations, comments and headings' links are not read. An empty list means that none of
    the rules stumbled, not that the postmortem is good. English only; irony, and blame without its usual words, pass.

    >>> found = lint_postmortem("## Root cause\\n\\nThe operator was careless.")
    >>> [f.rule for f in found][:2]
    ['missing-section', 'blame']
    """
    document = read_document(markdown)
    found = [
        *section_findings(document),
        *wording_findings(document),
        *action_findings(document),
        *time_findings(document),
        *number_findings(document),
    ]
    return sorted(found, key=lambda f: (f.line, list(RULES).index(f.rule)))
