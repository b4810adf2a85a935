"""What kind of sick is it? The shapes of the signals combined into a class of failure, by rules that can be read.

A rule needs some signs and is spoiled by others. A sign is held, not held, or unknown, with the numbers that say so.
No rule that fits is an answer, too: *unclassified*, with the numbers. A class of failure is not a cause.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kit.golden_signals import SignalBoard
from kit.result import Result
from kit.signs import Sign, gather_signs
from kit.undoing import how_to_undo


@dataclass(frozen=True, slots=True)
class Rule:
    """One class of failure.

    The signs it needs (`a|b`: either), those that spoil it and those that help; what to do next. `{undo}` in the
    action stands for undoing the first suspect of the kinds `begun_by`, by its own kind; without one, for `undo`.
    """

    name: str
    needs: tuple[str, ...]
    spoils: tuple[str, ...] = ()
    helps: tuple[str, ...] = ()
    action: str = ""
    says: str = ""
    begun_by: tuple[str, ...] = ()
    undo: str = ""


CHANGES = ("deploy", "config", "flag", "schema")
"""Kinds that somebody undoes."""

TOLD = (
    "client_errors_up", "auth_errors_up", "location_splits", "job_spans", "certificate_says", "disk_says",
    "resource_sawtooth", "resource_creeps", "attempts_up",
)  # fmt: skip
"""Signs that name a kind of their own: where one is held, that errors merely rose says nothing more."""

RULES: tuple[Rule, ...] = (
    Rule("traffic_lost",
         needs=("traffic_down",), spoils=("errors_up", "latency_up"),
         says="fewer requests arrive and those that do are served well",
         action="look before the edge: DNS, routing, the client's release"),
    Rule("certificate_expired",
         needs=("errors_up|dependency_errors_up", "certificate_says"), helps=("certificate_due", "failures_fast"),
         says="calls fail because a certificate is out of date",
         action="renew the certificate"),
    Rule("disk_full",
         needs=("errors_up|latency_up", "disk_full|disk_says"), helps=("disk_full", "disk_says"),
         says="a disk has no room left",
         action="free the disk: remove what can be spared, or grow it"),
    Rule("auth_misconfiguration",
         needs=("auth_errors_up",), helps=("change_lines_up",),
         says="requests are refused as not authorised",
         action="{undo}", begun_by=CHANGES, undo="undo the change of keys, tokens or permissions"),
    Rule("client_contract",
         needs=("client_errors_up",), spoils=("auth_errors_up", "throttled"), helps=("one_client", "change_lines_up"),
         says="requests are refused as malformed or unknown",
         action="{undo}, or serve both versions of the interface", begun_by=CHANGES,
         undo="undo the change of the interface"),
    Rule("one_location",
         needs=("errors_up|latency_up", "location_splits"), helps=("traffic_steady",),
         says="one host, zone or instance is ill and the others are not",
         action="take the host out of rotation{place}, if the others have room for its share"),
    Rule("retry_storm",
         needs=("errors_up|latency_up", "attempts_up"), spoils=("traffic_up",),
         helps=("resource_squeezed", "inner_traffic_up"),
         says="the load is made of attempts, not of users",
         action="stop the retries: back off, cap, break the circuit"),
    Rule("queue_backlog",
         needs=("queue_grows",), spoils=("pool_full", "traffic_up", "errors_up"), helps=("traffic_steady",),
         says="work arrives faster than it is taken from a queue",
         action="let the worker go faster: scale or mend what takes from the queue, or stop what fills it"),
    Rule("resource_leak",
         needs=("errors_up|latency_up", "resource_creeps|resource_sawtooth"), spoils=("traffic_up",),
         helps=("restarts", "resource_creeps", "resource_sawtooth"),
         says="a resource fills at steady traffic until it is gone",
         action="{undo}; restart in turns until then, and find what is never freed",
         begun_by=("deploy", "config", "flag"), undo="restart to buy time"),
    Rule("slow_dependency",
         needs=("errors_up|latency_up", "dependency_slow"), spoils=("traffic_up", "database_slower"),
         helps=("latency_fixed", "cut_at_dependency"),
         says="a dependency answers late and its callers wait",
         action="cap the wait on {dependency}: time it out sooner, break the circuit, serve without it"),
    Rule("scheduled_job",
         needs=("errors_up|latency_up", "job_spans"), spoils=("traffic_up",),
         helps=("database_slow", "lock_says", "pool_waits"),
         says="harm lasts as long as a job runs",
         action="{undo}, then move it to a quiet hour", begun_by=("job",), undo="end the job"),
    Rule("pool_starved",
         needs=("latency_up|errors_up", "pool_full|pool_says"), spoils=("traffic_up", "attempts_up", "job_spans"),
         helps=("database_slow", "pool_waits", "traffic_steady"),
         says="a connection pool is full at steady traffic: something holds its connections",
         action="read the query plan"),
    Rule("overload",
         needs=("traffic_up", "errors_up|latency_up|queue_grows"), spoils=("attempts_up",),
         helps=("resource_squeezed",),
         says="more users ask than the system can serve",
         action="shed or add capacity: refuse the least important requests, scale out what is squeezed"),
    Rule("bad_change",
         needs=("errors_up", "change_lines_up"),
         spoils=("traffic_up", "pool_full", "pool_says", "dependency_slow", "dependency_errors_up", "resource_squeezed",
                 *TOLD),
         helps=("version_splits", "failures_fast", "traffic_steady"),
         says="errors rose right after a change and no resource is squeezed",
         action="{undo}", begun_by=CHANGES, undo="roll back"),
    Rule("bad_change",
         needs=("latency_up", "change_lines_up", "version_splits"),
         spoils=("traffic_up", "pool_full", "pool_says", "dependency_slow", *TOLD), helps=("traffic_steady",),
         says="the new version is slower than the old one beside it",
         action="{undo}", begun_by=CHANGES, undo="roll back"),
    Rule("fail_fast",
         needs=("errors_up", "latency_down|failures_fast"),
         spoils=("change_lines_up", "resource_squeezed", "traffic_up", *TOLD),
         helps=("dependency_errors_up",),
         says="requests fail faster than they used to succeed",
         action="read the first error: it is refused before any work is done"),
)  # fmt: skip
"""Read from the top: the first rule whose needs are held and that nothing spoils gives the class."""

NAMES = tuple(dict.fromkeys(rule.name for rule in RULES))


@dataclass(frozen=True, slots=True)
class Diagnosis(Result):
    """The class of failure with what speaks for and against it, the next action, and the rivals that come near.

    `name` is one of the rules' names, or healthy, cannot_tell, unclassified. `rivals`: (name, what it lacks).
    """

    name: str
    because: tuple[str, ...]
    against: tuple[str, ...]
    action: str
    rivals: tuple[tuple[str, str], ...]
    signs: tuple[Sign, ...]
    says: str = ""

    @property
    def headline(self) -> str:
        """The answer in one sentence."""
        words = self.name.replace("_", " ")
        if self.name == "healthy":
            return "Healthy: nothing that users notice is ill."
        if self.name == "cannot_tell":
            return "Cannot tell: the signals that would say it are missing."
        if self.name == "unclassified":
            return "Unclassified: the signals fit none of the known classes of failure."
        return f"{words.capitalize()}: {self.says}. Next: {self.action}."

    def to_frame(self) -> pd.DataFrame:
        """A row per sign: sign, held (yes, no, unknown), for (the class leans on it), what it says."""
        rule = next((r for r in RULES if r.name == self.name), None)
        leans = set(_alternatives((*rule.needs, *rule.helps))) if rule else set()
        rows = [
            {
                "sign": s.name,
                "held": {True: "yes", False: "no", None: "unknown"}[s.held],
                "used": s.name in leans,
                "says": s.says,
            }
            for s in self.signs
        ]
        return pd.DataFrame(rows, columns=["sign", "held", "used", "says"])


def classify(
    board: SignalBoard,
    *,
    symptom: Any = None,
    failures: Any = None,
    suspects: Any = None,
    differences: pd.DataFrame | None = None,
    compared: Collection[str] | None = None,
    places: Sequence[Any] | None = None,
    templates: pd.DataFrame | None = None,
    cut: Any = None,
    path: pd.DataFrame | None = None,
    entry: str | None = None,
    jobs: pd.DataFrame | None = None,
    without: Collection[str] = (),
    rules: Sequence[Rule] = RULES,
) -> Diagnosis:
    """Which class of failure do the signals show?

    `board` from `read_signals`; everything else sharpens it and may be missing, which then is *unknown*, not *no*:
    `symptom` (`find_symptom`, or one of its episodes), `failures` (`count_failures`), `suspects` (`rank_changes`),
    `differences` (`explain_difference` on failing requests; `compared`: the fields that were compared, None: all),
    `places` (`find_places`), `templates` (`compare_templates`), `cut` (`bisect`), `path` (PATH: tells databases,
    queues and third parties), `entry` (name of the outermost service), `jobs` (CHANGES of kind job with `until`).
    `without` leaves rules out by name, for the test that no other class fits by accident.

    Method: the rules are `RULES` (`rule_table()` shows them), tried from the top; each names the signs it needs and
    those that spoil it. Assumes one fault, and a board read over its own windows. False alarms: of 450 simulated quiet
    boards none was classed other than healthy, and 2 of 100 of those that scatter most
    (`tests.benchmarks.quiet`). It misleads where two faults overlap: the first rule wins, the other is among the
    rivals; and where what would spoil a rule is not measured.

    >>> times = pd.date_range("2026-03-01T02:00Z", periods=40, freq="15s", name="time")
    >>> wide = pd.DataFrame({"shop/db.pool.usage.ratio": [0.3, 0.32] * 15 + [1.0] * 10,
    ...     "shop/requests.duration.p99": [0.1, 0.11] * 15 + [3.0] * 10,
    ...     "shop/requests.count": [300.0, 310.0] * 20}, index=times)
    >>> from connectors.window import Window
    >>> from kit.golden_signals import read_signals
    >>> board = read_signals(wide, baseline=Window.of("2026-03-01T02:00Z", "2026-03-01T02:07Z"),
    ...     incident=Window.of("2026-03-01T02:07:30Z", "2026-03-01T02:10Z"))
    >>> classify(board).name, classify(board).action
    ('pool_starved', 'read the query plan')
    >>> classify(board, without=("pool_starved",)).name
    'unclassified'
    """
    signs = gather_signs(
        board,
        symptom=symptom,
        failures=failures,
        suspects=suspects,
        differences=differences,
        compared=compared,
        places=places,
        templates=templates,
        cut=cut,
        path=path,
        entry=entry,
        jobs=jobs,
    )
    by_name = {sign.name: sign for sign in signs}
    numbers = tuple(s.says for s in signs if s.held)
    harm = [by_name[n].held for n in HARM]
    if not any(harm):
        if by_name["entry_seen"].held is False or all(h is None for h in harm):
            missing = (by_name["entry_seen"].says or "no signal of what users see",)
            return Diagnosis("cannot_tell", missing, (), "get the outermost hop's data", (), signs)
        return Diagnosis("healthy", (by_name["entry_seen"].says,), numbers, "", (), signs)
    usable = [rule for rule in rules if rule.name not in set(without)]
    fitting = [rule for rule in usable if _fits(rule, by_name)]
    if not fitting:
        return Diagnosis(
            "unclassified",
            numbers,
            (),
            "bisect the path: the numbers do not name the kind",
            _rivals(usable, by_name, None),
            signs,
        )
    rule = fitting[0]
    because = [by_name[n].says for n in _alternatives((*rule.needs, *rule.helps)) if by_name[n].held]
    against = [f"not seen: {by_name[n].says}" for n in rule.helps if by_name[n].held is False]
    against += [f"unknown: {by_name[n].says}" for n in rule.spoils if by_name[n].held is None]
    return Diagnosis(
        rule.name,
        tuple(dict.fromkeys(because)),
        tuple(dict.fromkeys(against)),
        _next_action(rule, suspects=suspects, cut=cut, path=path, places=places),
        _rivals(usable, by_name, rule.name),
        signs,
        rule.says,
    )


HARM = ("errors_up", "latency_up", "traffic_down", "client_errors_up", "auth_errors_up", "queue_grows")
"""Signs that somebody is hurt."""


def rule_table(rules: Sequence[Rule] = RULES) -> pd.DataFrame:
    """What are the rules? A row each, in the order they are tried."""
    rows = [
        {
            "class": r.name,
            "needs": " and ".join(r.needs),
            "spoiled by": ", ".join(r.spoils),
            "helped by": ", ".join(r.helps),
            "next": r.action.replace("{undo}", r.undo).replace("{place}", ""),
        }
        for r in rules
    ]
    return pd.DataFrame(rows)


def _fits(rule: Rule, signs: dict[str, Sign]) -> bool:
    needed = all(any(signs[n].held for n in need.split("|")) for need in rule.needs)
    return needed and not any(signs[n].held for n in rule.spoils)


def _rivals(rules: Sequence[Rule], signs: dict[str, Sign], winner: str | None) -> tuple[tuple[str, str], ...]:
    """Which other classes come near, and what keeps each from fitting? Those with at least half of their needs held."""
    found: dict[str, str] = {}
    for rule in rules:
        held = [any(signs[n].held for n in need.split("|")) for need in rule.needs]
        if rule.name == winner or rule.name in found or sum(held) * 2 < len(held) or not _beyond_harm(rule, signs):
            continue
        lacks = [signs[need.split("|")[0]].says for need, ok in zip(rule.needs, held, strict=True) if not ok]
        spoiled = [signs[n].says for n in rule.spoils if signs[n].held]
        why = "; ".join([*(f"lacks: {t}" for t in lacks), *(f"against: {t}" for t in spoiled)]) or "fits as well"
        found[rule.name] = why
    return tuple(found.items())


def _next_action(rule: Rule, *, suspects: Any, cut: Any, path: pd.DataFrame | None, places: Any) -> str:
    """The rule's action in the words of this incident: what began it is undone as its kind demands."""
    words = {"{dependency}": _dependency(cut, path), "{place}": f" ({places[-1].value})" if places else ""}
    if "{undo}" in rule.action:
        words["{undo}"] = rule.undo
        for suspect in getattr(suspects, "ranked", ()):
            if suspect.kind in rule.begun_by:
                words["{undo}"] = how_to_undo(suspect)
                break
    said = rule.action
    for placeholder, text in words.items():
        said = said.replace(placeholder, text)
    return said


def _dependency(cut: Any, path: pd.DataFrame | None) -> str:
    """How is the callee at the cut spoken of: by its kind where that says more than a name?"""
    callee = str(getattr(cut, "between", None) or "").rpartition("→")[2].strip()
    if path is not None and callee:
        kinds = dict(zip(path["callee"], path["kind"], strict=True))
        if kinds.get(callee) == "third_party":
            return f"the third party ({callee})"
    return callee or "the dependency"


def _beyond_harm(rule: Rule, signs: dict[str, Sign]) -> bool:
    """Does anything but the harm itself speak for it, or is the deciding sign at least not known to be absent?"""
    deciding = [n for need in rule.needs for n in need.split("|") if n not in ("errors_up", "latency_up")]
    return not deciding or any(signs[n].held is not False for n in deciding)


def _alternatives(needs: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(n for need in needs for n in need.split("|")))
