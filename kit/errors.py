"""What can go wrong in an investigation: bad input, stale findings, a bundle that is not what it says."""

from __future__ import annotations

IN_PART = 3
"""The status of a command that was done in part: a source could not be asked."""


class KitError(Exception):
    """Something the user can put right; the message says what, where and what to do next. Exit status 2."""


class BadCase(KitError):
    """A case folder's file is missing, half-written or says something impossible."""


class NoEvidence(KitError):
    """A result was to be recorded that rests on nothing."""


class StaleFindings(KitError):
    """A part of the findings was computed from data that has since changed; the notebooks to re-run are named."""


class TooShort(KitError):
    """There is not enough data for the question; the message says how much is needed and what to use instead."""


class CheckFailed(KitError):
    """A check ran and did not hold: verify, redaction, truth or lint. Exit status 1."""
