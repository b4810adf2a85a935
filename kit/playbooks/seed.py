"""Which hypotheses does this incident call for: the class with each near change, its rivals, the ever-present two?

Placeholders are replaced by text, once, and never evaluated. A prediction whose placeholder is not known stays on the
board as one that can't be tested here, with what would have to be collected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pandas as pd

from kit.checks.change_log import Change, undoes
from kit.checks.changes import SETTLING_S
from kit.checks.facts import Facts
from kit.hypothesis import Hypothesis, Link, Mechanism, Prediction, slug
from kit.numerics.moments import clock
from kit.playbooks import PLACEHOLDER, Playbook, common_playbook, load_playbooks
from kit.playbooks.situation import Situation
from kit.playbooks.words import FALLBACK, NEEDS

NEAR_S = 1800.0
SYMPTOMS = frozenset({"dependency"})
"""What the data shows of how something fared: a hypothesis only where the class can begin with it."""
SLOW_KINDS = frozenset({"certificate", "disk", "job", "traffic"})
RESTARTING = frozenset({"deploy", "restart", "node"})


def seed_hypotheses(
    diagnosis: Any,
    suspects: Any,
    situation: Situation,
    *,
    facts: Facts,
    playbooks: Mapping[str, Playbook] | None = None,
    limit: int = 6,
) -> tuple[Hypothesis, ...]:
    """Which hypotheses should be put up, each with its predictions bound to this incident?

    `diagnosis` has a `name` (a class of failure) or is one; `suspects` has `to_frame()` or is a frame with ref, rank,
    relation. Every suspect near the onset becomes "the change did it, through the class's mechanism"; then come the
    class without a recorded change, and at most `limit` rivals: always *measurement artefact*, *something not observed*
    and *CPU*, then the class's own. Without a playbook for the class the changes stand without a mechanism; none is
    confirmed.
    """
    books = load_playbooks() if playbooks is None else playbooks
    name = diagnosis if isinstance(diagnosis, str) else str(getattr(diagnosis, "name", "unclassified"))
    mine = [b for b in books.values() if b.failure == name]
    near = near_changes(suspects, situation, facts)
    found: list[Hypothesis] = []
    for book in mine:
        fitting = [row for row in near if row.kind in book.triggers]
        found += [_of_change(book, row, situation) for row in fitting]
        found.append(_of_class(book, situation, unrecorded=bool(fitting)))
    covered = {h.change for h in found}
    found += [
        _of_change(None, row, situation)
        for row in near
        if _handle(row, situation) not in covered and not (row.derived and row.kind in SYMPTOMS)
    ]
    rivals = [_of_class(common_playbook(n), situation) for n in ("artefact", "unobserved", "cpu")]
    wanted = [books[r] for book in mine for r in book.rivals if r in books]
    rivals += [_of_class(book, situation) for book in wanted]
    every = _distinct([*found, *rivals[: max(limit, 2)]])
    return _with_idle_reversal(every, situation, facts)


def near_changes(suspects: Any, situation: Situation, facts: Facts) -> tuple[Change, ...]:
    """Which suspects came before the onset, or within its uncertainty, and lie near it? In the order of their rank.

    Near is within 30 minutes, and a day for what the ranking singles out (in a frame that is no ranking: for what acts
    slowly, certificate, disk, job, traffic): each suspect is put up, so that a check can rule it out. What was over by
    then is not.
    """
    frame = _suspect_frame(suspects)
    if frame.empty:
        return ()
    by_name = {n: row for row in reversed(situation.changes) for n in (row.ref, row.id) if n}
    onset = facts.windows.onset
    rows = []
    for record in frame.sort_values("rank", kind="stable").to_dict("records"):
        # the id names one row; a ref may be shared by a change and its reversal, or by two runs of one job
        names = [str(record.get(n) or "") for n in ("change_id", "id")]
        row = next((by_id for by_id in situation.changes if by_id.id and by_id.id in names), None)
        row = row or by_name.get(str(record.get("ref") or "")) or by_name.get(names[1])
        if row is None or str(record.get("relation", "before")) == "after" or row.time > onset.latest:
            continue
        if "by_time" in record:  # a ranking: what it singles out counts from afar, all else only when it is near
            afar = bool(record["by_time"]) or row.derived or pd.notna(record["rank"])
            reach = 86400.0 if afar else 0.0 if record.get("over") else NEAR_S
        else:
            reach = 86400.0 if row.kind in SLOW_KINDS else NEAR_S
        ended = row.until if row.passes and row.until else row.time
        if (onset.earliest - max(row.time, ended)).total_seconds() <= reach and row not in rows:
            rows.append(row)
    return tuple(rows)


def bind(template: Any, words: Mapping[str, Any]) -> Any:
    """The template with its placeholders replaced; a value that is only a placeholder keeps the word's own type.

    Inside single quotes (a literal of a filter) quotes in the word are doubled, so that no text can end the literal.

    >>> bind("name = '{who}' on {where}", {"who": "O'Hara", "where": "db"})
    "name = 'O''Hara' on db"
    >>> bind("{within_s}", {"within_s": 300.0})
    300.0
    """
    if isinstance(template, list | tuple):
        return [bind(t, words) for t in template]
    if not isinstance(template, str):
        return template
    whole = PLACEHOLDER.fullmatch(template)
    if whole and whole[1] in words:
        return words[whole[1]]

    def replaced(match: re.Match[str]) -> str:
        word = str(words.get(match[2], match[0].strip("'") if match[1] else match[0]))
        return f"'{word.replace(chr(39), chr(39) * 2)}'" if match[1] else word

    return re.sub(r"(')?\{([a-z_]+(?:\.[a-z_]+)*)\}(?(1)')", replaced, template)


def unbound(template: Any, words: Mapping[str, Any]) -> tuple[str, ...]:
    """Which placeholders have no word?

    >>> unbound({"signal": "{pool}", "at": 0.9}, {})
    ('pool',)
    """
    if isinstance(template, Mapping):
        return tuple(dict.fromkeys(n for v in template.values() for n in unbound(v, words)))
    if isinstance(template, list | tuple):
        return tuple(dict.fromkeys(n for v in template for n in unbound(v, words)))
    if not isinstance(template, str):
        return ()
    return tuple(dict.fromkeys(n for n in PLACEHOLDER.findall(template) if n not in words))


def _of_change(book: Playbook | None, row: Change, situation: Situation) -> Hypothesis:
    """ "This change did it", with the class's predictions and mechanism when there is a playbook."""
    words = _words_of(row, situation, book)
    common = common_playbook("change")
    through = f" through {_say(book.through, words)}" if book is not None and book.through else ""
    name = words["change.ref"]
    shared = _own_name(row, situation) != name
    actor = f"{row.summary}: it" if row.derived else f"{name} of {clock(row.time)}" if shared else name
    return Hypothesis(
        statement=f"{actor} caused {words.get('symptom_words', FALLBACK['symptom_words'])}{through}",
        change=words["change.id"],
        predictions=(
            *_predictions(common.predictions, words),
            *(_predictions(book.predictions, words) if book is not None else ()),
        ),
        mechanism=_mechanism(book, words),
        failure=book.failure if book is not None else "",
        restart_cures=bool(book and book.restart_cures),
        id=slug(f"{_own_name(row, situation)} {book.name if book is not None else 'change'}"),
    )


def _of_class(book: Playbook, situation: Situation, *, unrecorded: bool = False) -> Hypothesis:
    """The class on its own, with no change named: a rival, or all there is when no change came before."""
    words = {**situation.words, "lag_s": book.lag_s, "lag_words": _lag(book.lag_s)}
    says = book.statement or f"{book.title}: {book.through}"
    says += "; no recorded change began it" if unrecorded and book.role == "trigger" else ""
    return Hypothesis(
        statement=_say(says, words),
        predictions=_predictions(book.predictions, words),
        mechanism=_mechanism(book, words),
        failure=book.failure,
        role=book.role,  # type: ignore[arg-type]
        restart_cures=book.restart_cures,
        id=slug(book.name),
    )


def _words_of(row: Change, situation: Situation, book: Playbook | None) -> dict[str, Any]:
    lag = book.lag_s if book is not None else 300.0
    words = {
        **situation.words,
        "lag_s": lag,
        "lag_words": _lag(lag),
        "change.id": _handle(row, situation),
        "change.ref": row.ref or row.summary or row.id,
        "change.kind": row.kind,
        "change.summary": row.summary,
        "change.time": row.time.isoformat(),
    }
    if (book is None or book.callers) and "reach_callers" in words:
        words["reach"] = words["reach_callers"]
    optional = {"change.service": row.service, "change.before": row.before, "change.after": row.after}
    words |= {k: v for k, v in optional.items() if v}
    version = _version(row, situation.words.get("versions", ()))
    if version is not None:
        words["change.version"] = version
    if row.kind == "traffic":
        words["change_or_traffic"] = words["change.ref"]
    back = _reversal(row, situation)
    if back is not None:
        words |= {
            "reversal.id": _handle(back, situation),
            "reversal.ref": back.ref or back.summary,
            "reversal.kind": back.kind,
        }
    return words


def _version(row: Change, seen: Sequence[str]) -> str | None:
    """Which version in the logs is the one this change brought? The longest that its `after` names as a whole word."""
    named = [v for v in seen if re.search(rf"(?<![\w.]){re.escape(v)}(?![\w.]|-\d)", row.after)]
    return max(named, key=len, default=None)


def _predictions(templates: Iterable[Mapping[str, Any]], words: Mapping[str, Any]) -> tuple[Prediction, ...]:
    return tuple(_prediction(t, words) for t in templates if _applies(t, words))


def _applies(template: Mapping[str, Any], words: Mapping[str, Any]) -> bool:
    given = all(words.get(name) in allowed for name, allowed in template.get("when", {}).items())
    return (
        given
        and all(n in words for n in template.get("bound", ()))
        and not any(n in words for n in template.get("unbound", ()))
    )


def _prediction(template: Mapping[str, Any], words: Mapping[str, Any]) -> Prediction:
    text, kind = _say(template["text"], words), template.get("kind", "must")
    arguments = template.get("arguments", {})
    missing = unbound(arguments, words)
    if missing:
        needs = " and ".join(_say(NEEDS.get(n, n.replace("_", " ").replace(".", "'s ")), words) for n in missing)
        return Prediction(text, "not_collected", {"needs": f"not collected: {needs}"}, kind)
    control = template.get("control", {})
    bound_control = {} if unbound(control, words) else {k: bind(v, words) for k, v in control.items()}
    return Prediction(text, template["check"], {k: bind(v, words) for k, v in arguments.items()}, kind, bound_control)


def _mechanism(book: Playbook | None, words: Mapping[str, Any]) -> Mechanism:
    if book is None or not book.links:
        return Mechanism()
    links = [
        Link(
            _say(x["from"], words),
            _say(x["to"], words),
            _say(_link_text(x, words), words),
            _predictions(x.get("prediction", ()), words),
        )
        for x in book.links
    ]
    if "slow_where" in words and any(p.subject == words.get("symptom") for p in links[-1].predictions):
        arguments = {"service": words["requests_log"], "where": words["slow_where"], "times": 2.0}
        also = Prediction("slow requests appear beside the failed ones", "appears", arguments)
        links[-1] = replace(links[-1], predictions=(*links[-1].predictions, also))
    return Mechanism(links, _say(book.question, words), tuple(_say(place, words) for place in book.look_at))


def _link_text(link: Mapping[str, Any], words: Mapping[str, Any]) -> str:
    """What the link says; where no change is named, only what was seen of it, and that its beginning is not known."""
    text = str(link["text"])
    if "change.ref" in words or "{change.ref}" not in text:
        return text
    seen = link.get("unrecorded") or next((p["text"] for p in link.get("prediction", ())), text)
    return f"{seen}; what began it is not recorded"


def _say(template: str, words: Mapping[str, Any]) -> str:
    """A sentence: what is not known is spoken of in general words."""
    return str(bind(template, {**FALLBACK, **words}))


def _with_idle_reversal(hypotheses: Sequence[Hypothesis], situation: Situation, facts: Facts) -> tuple[Hypothesis, ...]:
    """Give each rival its word on what ended the harm by the first change's account: for the rival it would not have.

    Not where that was a restart as well and the rival is one that a restart cures, or a change of that service.
    """
    changes = [h for h in hypotheses if h.change]
    main = next((h for h in changes if _ends_with_the_harm(h, situation, facts)), next(iter(changes), None))
    row = _row_of(main.change, situation) if main is not None else None
    if main is None or row is None:
        return tuple(hypotheses)
    ended = [p for p in main.predictions if p.check in ("recovers_after", "lasts_as_long_as")]
    return tuple(h if h.change == main.change else _doubting(h, ended, row, situation) for h in hypotheses)


def _ends_with_the_harm(h: Hypothesis, situation: Situation, facts: Facts) -> bool:
    """Was this change undone, or over by itself, during the harm and no later than when it ended?"""
    windows = facts.windows
    end = (windows.recovered.latest if windows.recovered else windows.incident.end) + timedelta(seconds=SETTLING_S)
    for p in h.predictions:
        if p.check not in ("recovers_after", "lasts_as_long_as") or p.arguments.get("change") != h.change:
            continue
        back = _row_of(p.arguments.get("reversal"), situation)
        own = _row_of(h.change, situation)
        at = back.time if back is not None else own.until if own is not None else None
        if at is not None and windows.onset.earliest < at <= end:
            return True
    return False


def _doubting(h: Hypothesis, ended: Sequence[Prediction], row: Change, situation: Situation) -> Hypothesis:
    own = _row_of(h.change, situation)
    doubts = []
    for p in ended:
        action = _row_of(p.arguments.get("reversal") or p.arguments.get("change"), situation)
        if action is None or any((q.check, q.arguments) == (p.check, p.arguments) for q in h.predictions):
            continue
        restarts = action.kind in RESTARTING or (p.check == "recovers_after" and row.kind in RESTARTING)
        if not (restarts and (h.restart_cures or (own is not None and own.service == action.service))):
            doubts.append(Prediction(f"not so: {p.text}", p.check, p.arguments, "must-not"))
    return _added(h, doubts) if doubts else h


def _added(h: Hypothesis, predictions: Sequence[Prediction]) -> Hypothesis:
    return Hypothesis(
        h.statement, h.change, (*h.predictions, *predictions), h.mechanism, h.failure, h.role, h.restart_cures, h.id
    )


def _reversal(row: Change, situation: Situation) -> Change | None:
    return next((other for other in situation.changes if undoes(other, row)), None)


def _handle(row: Change, situation: Situation) -> str:
    """The name a check finds this row by: its ref when it is the first of that ref, else its id."""
    alike = [r for r in situation.changes if r.ref == row.ref]
    return row.ref if row.ref and alike and alike[0] is row and len(alike) == 1 else (row.id or row.ref)


def _own_name(row: Change, situation: Situation) -> str:
    """The ref, or the id where several rows share it: two runs of one job are two hypotheses."""
    alike = [r for r in situation.changes if row.ref and r.ref == row.ref]
    return row.id if len(alike) > 1 and row.id else (row.ref or row.summary or row.id)


def _row_of(name: str | None, situation: Situation) -> Change | None:
    return next((r for r in situation.changes if name and name in (r.id, r.ref)), None)


def _distinct(hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
    return list({h.id: h for h in reversed(hypotheses)}.values())[::-1]


def _suspect_frame(suspects: Any) -> pd.DataFrame:
    frame = suspects.to_frame() if hasattr(suspects, "to_frame") else pd.DataFrame(suspects)
    if not frame.empty and "rank" not in frame:
        frame = frame.assign(rank=range(1, len(frame) + 1))
    return frame


def _lag(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
