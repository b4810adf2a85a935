"""The one machine-readable answer of a run: parts written by the notebooks, merged into `findings.json`.

Page, terminal text and tests are made from `findings.json`; `truth.toml` has the same keys and `compare_with_truth` is
the only function that compares the two. A part remembers a digest of what it read, so that a later change upstream
shows as *stale* instead of going unnoticed.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from connectors.durable import locked, write_whole
from connectors.window import utc
from kit.errors import BadCase, NoEvidence, StaleFindings

FAILURES = (
    "pool_starved", "overload", "retry_storm", "bad_change", "client_contract", "auth_misconfiguration",
    "slow_dependency", "certificate_expired", "disk_full", "scheduled_job", "queue_backlog", "fail_fast",
    "one_location", "resource_leak", "traffic_lost", "unclassified",
)  # fmt: skip
VERDICTS = ("incident", "healthy", "cannot_tell")
STATES = ("guess", "open", "supported", "confirmed", "refuted")
KEYS = (
    "verdict", "episodes", "hypotheses", "mitigations", "mechanism", "impact", "guardrails", "rules", "gaps", "partial",
    "next",
)  # fmt: skip
ONSET_WIDTH_S = 30.0
"""An onset interval wider than this does not count as found when compared with a truth."""


class Findings:
    """The findings of one case folder: `findings/NN.json` per notebook, merged into `findings.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts_folder = folder / "findings"
        self.whole = folder / "findings.json"

    def write(
        self, part: str, noun: str, values: Mapping[str, Any], *, rests_on: Iterable[str], reads: Iterable[str] = ()
    ) -> None:
        """Put one result of one notebook there, in place of the same noun's earlier one, and merge again.

        `rests_on` are evidence ids; none raises `NoEvidence`. `reads` are the earlier parts that were read; their
        digests are kept to tell when this result grows stale.
        """
        unknown = sorted(set(values) - set(KEYS))
        if unknown:
            raise BadCase(f"A finding cannot hold {', '.join(unknown)}: its keys are {', '.join(KEYS)}.")
        grounds = sorted(set(rests_on))
        if not grounds:
            raise NoEvidence(
                f"The {noun} of notebook {part} rests on nothing: give the answers it was computed from "
                "(rests_on=case.evidence(…))."
            )
        path = self.parts_folder / f"{part}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with locked(path):
            record = self.part(part) or {"part": part, "results": {}}
            record["results"][noun] = {
                "values": _plain(values),
                "rests_on": grounds,
                "reads": {name: self.digest(name) for name in sorted(set(reads)) if name != part},
            }
            write_whole(path, _dump(record))
        write_whole(self.whole, _dump(self.merge()))

    def forget(self, part: str) -> None:
        """Take out what a notebook recorded before, as it starts anew."""
        (self.parts_folder / f"{part}.json").unlink(missing_ok=True)

    def parts(self) -> list[str]:
        """Which parts are there, in the order of the walk?"""
        return sorted(p.stem for p in self.parts_folder.glob("*.json")) if self.parts_folder.exists() else []

    def part(self, name: str) -> dict[str, Any] | None:
        """One notebook's part with its values and what they rest on; None when it was not recorded yet."""
        path = self.parts_folder / f"{name}.json"
        if not path.exists():
            return None
        try:
            return orjson.loads(path.read_bytes())
        except orjson.JSONDecodeError:
            raise BadCase(f"findings/{name}.json is not whole: run notebook {name} again.") from None

    def merge(self) -> dict[str, Any]:
        """All parts as one answer, with every key present."""
        merged: dict[str, Any] = {
            "verdict": "cannot_tell", "episodes": [], "hypotheses": [], "mitigations": [], "mechanism": [],
            "impact": {}, "guardrails": [], "rules": [], "gaps": [], "partial": [], "next": [],
        }  # fmt: skip
        for name in self.parts():
            for result in (self.part(name) or {"results": {}})["results"].values():
                for key, value in result["values"].items():
                    merged[key] = _merged(merged[key], value, by_index=key == "episodes")
        if merged["verdict"] != "incident":
            merged["episodes"] = []
        merged["episodes"] = [_without_ruled_out(e, merged["hypotheses"]) for e in merged["episodes"]]
        return merged

    def rests_on(self) -> dict[str, list[str]]:
        """Which evidence does each finding rest on? By `part/key`."""
        grounds: dict[str, list[str]] = {}
        for name in self.parts():
            for result in (self.part(name) or {"results": {}})["results"].values():
                for key in result["values"]:
                    grounds[f"{name}/{key}"] = sorted({*grounds.get(f"{name}/{key}", []), *result["rests_on"]})
        return grounds

    def digest(self, part: str) -> str:
        """A digest of one part's values; of nothing when it is not there."""
        record = self.part(part)
        content = _dump({noun: r["values"] for noun, r in record["results"].items()}) if record else b""
        return hashlib.sha256(content).hexdigest()

    def stale(self) -> list[str]:
        """Which parts were computed from a part that has changed since?"""
        return [
            name
            for name in self.parts()
            if any(
                self.digest(read) != seen
                for result in (self.part(name) or {"results": {}})["results"].values()
                for read, seen in result["reads"].items()
            )
        ]

    def require_fresh(self) -> None:
        """Raises `StaleFindings`, naming the notebooks to re-run, when a part no longer fits what it read."""
        stale = self.stale()
        if stale:
            raise StaleFindings(
                f"The findings of notebook {', '.join(stale)} were made before an earlier part changed: run "
                f"{'them' if len(stale) > 1 else 'it'} again, or `incident-kit run` for the whole walk."
            )


@dataclass(frozen=True, slots=True)
class Comparison:
    """One key of a truth against what was found."""

    key: str
    expected: str
    found: str
    right: bool


def read_truth(folder: Path) -> dict[str, Any] | None:
    """What was injected, from `truth.toml`; None when the folder has none."""
    path = folder / "truth.toml"
    if not path.exists():
        return None
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise BadCase(f"{path.name} is not TOML ({error}): restore it from the recording.") from None


def compare_with_truth(
    findings: Mapping[str, Any], truth: Mapping[str, Any], *, page: str | None = None
) -> list[Comparison]:
    """Do the findings say what was injected? One comparison per key that the truth states.

    Lists in the truth hold alternatives of which one must be met. An onset is right when its interval overlaps the
    true one and is at most 30 s wide. `page` is the text in which `must_say` and `must_not_say` are looked for; without
    it they are looked for in the findings' own text.
    """
    rows = [_same("verdict", truth["verdict"], findings["verdict"])] if "verdict" in truth else []
    found_episodes = findings.get("episodes", [])
    if truth.get("verdict") == "healthy":
        suspects = [s.get("ref") for e in found_episodes for s in e.get("suspects", [])]
        rows.append(Comparison("suspects", "none", _text(suspects) or "none", not suspects))
    for index, expected in enumerate(truth.get("episodes", [])):
        found = found_episodes[index] if index < len(found_episodes) else {}
        rows.extend(_episode(f"episodes[{index}]", expected, found))
    rows.extend(_hypotheses(truth.get("hypotheses", []), findings.get("hypotheses", [])))
    rows.extend(_mitigations(truth.get("mitigations", []), findings.get("mitigations", [])))
    for name, expected in truth.get("impact", {}).items():
        rows.append(_overlap(f"impact.{name}", expected, (findings.get("impact") or {}).get(name)))
    text = (page if page is not None else orjson.dumps(dict(findings)).decode()).casefold()
    for words in truth.get("must_say", []):
        rows.append(
            Comparison("must_say", words, "said" if words.casefold() in text else "not said", words.casefold() in text)
        )
    for words in truth.get("must_not_say", []):
        said = words.casefold() in text
        rows.append(Comparison("must_not_say", words, "said" if said else "not said", not said))
    return rows


def _episode(where: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[Comparison]:
    rows = []
    for edge in ("onset", "recovered"):
        if edge in expected:
            rows.append(_interval(f"{where}.{edge}", expected[edge], found.get(edge), narrow=edge == "onset"))
    if "failure" in expected:
        failure, seen = expected["failure"], found.get("failure") or {}
        names = _alternatives(failure.get("names") or failure["name"])
        rows.append(
            Comparison(f"{where}.failure", " or ".join(names), str(seen.get("name")), seen.get("name") in names)
        )
        if "action" in failure:
            actions, said = _alternatives(failure["action"]), str(seen.get("action", ""))
            right = any(a.casefold() in said.casefold() for a in actions)
            rows.append(Comparison(f"{where}.action", " or ".join(actions), said, right))
    if "suspects" in expected:
        wanted = [str(s["ref"]) for s in expected["suspects"] if s.get("rank", 1) == 1]
        suspects = sorted(found.get("suspects") or [], key=lambda s: s.get("rank", 1))
        first = str(suspects[0].get("ref")) if suspects else "none"
        right = first in wanted if wanted else not suspects
        rows.append(Comparison(f"{where}.suspects", " or ".join(wanted) or "none", first, right))
    if "cut" in expected:
        seen = found.get("cut") or {}
        for name in ("between", "first_bad", "last_good"):
            if name in expected["cut"]:
                wanted, got = _alternatives(expected["cut"][name]), _alternatives(seen.get(name) or [])
                right = bool(set(wanted) & set(got)) if wanted else not got
                rows.append(Comparison(f"{where}.cut.{name}", " or ".join(wanted), _text(got) or "none", right))
    return rows


def _hypotheses(expected: Iterable[Mapping[str, Any]], found: list[Mapping[str, Any]]) -> list[Comparison]:
    rows = []
    for wanted in expected:
        name = str(wanted.get("ref") or wanted.get("statement"))
        match = [h for h in found if name in (str(h.get("ref")), str(h.get("id"))) or name in str(h.get("statement"))]
        states = _alternatives(wanted["state"])
        state = str(match[0].get("state")) if match else "not there"
        right = state in states and not (state == "refuted" and not match[0].get("refuted_by"))
        rows.append(Comparison(f"hypotheses[{name}]", " or ".join(states), state, right))
    return rows


def _mitigations(expected: Iterable[Mapping[str, Any]], found: list[Mapping[str, Any]]) -> list[Comparison]:
    """Was each action judged as the truth has it, and no other one called helpful?"""
    wanted = {str(m["ref"]): _alternatives(m["effect"]) for m in expected}
    if not wanted:
        return []
    seen = {str(m.get("ref")): str(m.get("effect")) for m in found}
    rows = [
        Comparison(f"mitigations[{ref}]", " or ".join(effects), seen.get(ref, "not there"), seen.get(ref) in effects)
        for ref, effects in wanted.items()
    ]
    helped = [ref for ref, effect in seen.items() if effect == "helped" and ref not in wanted]
    return [*rows, Comparison("mitigations.others", "none helped", _text(helped) or "none helped", not helped)]


def _interval(key: str, expected: Mapping[str, Any], found: Mapping[str, Any] | None, *, narrow: bool) -> Comparison:
    low, high = utc(expected["earliest"]), utc(expected["latest"])
    said = f"{low:%H:%M:%S}–{high:%H:%M:%S}"
    if not found or not found.get("earliest") or not found.get("latest"):
        return Comparison(key, said, "none", False)
    first, last = utc(found["earliest"]), utc(found["latest"])
    overlaps = first <= high and low <= last
    width = (last - first).total_seconds()
    right = overlaps and (not narrow or width <= ONSET_WIDTH_S)
    return Comparison(key, said, f"{first:%H:%M:%S}–{last:%H:%M:%S} ({width:.0f} s)", right)


def _overlap(key: str, expected: Mapping[str, Any], found: Mapping[str, Any] | None) -> Comparison:
    said = f"{expected['low']}–{expected['high']}"
    if not found:
        return Comparison(key, said, "none", False)
    right = found["low"] <= expected["high"] and expected["low"] <= found["high"]
    return Comparison(key, said, f"{found['low']}–{found['high']}", right)


def _same(key: str, expected: Any, found: Any) -> Comparison:
    return Comparison(key, " or ".join(_alternatives(expected)), str(found), str(found) in _alternatives(expected))


def _alternatives(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list | tuple) else [str(value)]


def _text(values: Iterable[Any]) -> str:
    return ", ".join(str(v) for v in values)


def _without_ruled_out(episode: dict[str, Any], hypotheses: list[Any]) -> dict[str, Any]:
    """The episode with the last ranking of its suspects, without those that a check has ruled out since.

    A change is ruled out when each hypothesis that names it was refuted.
    """
    suspects = episode.get("suspects_again", episode.get("suspects"))
    if suspects is None:
        return episode
    states: dict[str, set[str]] = {}
    for h in hypotheses:
        states.setdefault(str(h.get("ref")), set()).add(str(h.get("state")))
    ruled_out = {ref for ref, seen in states.items() if seen == {"refuted"}}
    left = [s for s in suspects if s.get("ref") not in ruled_out and s.get("id") not in ruled_out]
    ranked = [{**s, "rank": n} for n, s in enumerate(left, 1)]
    gone = [s for s in suspects if s not in left]
    rest = {k: v for k, v in episode.items() if k != "suspects_again"}
    return {**rest, "suspects": ranked, **({"ruled_out": gone} if gone else {})}


def _merged(old: Any, new: Any, *, by_index: bool = False) -> Any:
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{k: _merged(old.get(k), v) for k, v in new.items()}}
    if isinstance(old, list) and isinstance(new, list):
        if not by_index:
            return old + [item for item in new if item not in old]
        pairs = max(len(old), len(new))
        return [_merged(old[i] if i < len(old) else {}, new[i] if i < len(new) else {}) for i in range(pairs)]
    return new


def _plain(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value, default=_default, option=orjson.OPT_SERIALIZE_NUMPY))


def _default(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"a finding cannot hold {type(value).__name__}")


def _dump(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
