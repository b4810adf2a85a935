"""A case redacted on a copy: its recorded answers and what people wrote, then the walk run again on those.

Every number, hash and id of the copy is of redacted data, so that it can be checked without the key. The copy has no
raw files and no addresses of sources: nothing can be asked from it.
"""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import tomli_w

from connectors.answers import Answers, evidence_hash
from connectors.base import Answer, Fetch
from connectors.durable import write_whole
from connectors.errors import ConnectorError
from connectors.settings import Settings
from kit.choices import CHOICES
from kit.errors import BadCase
from kit.findings import Findings
from kit.pins import Pin
from kit.progress import begun
from kit.redaction.added_cells import add_own_cells, learn_own_cells
from kit.redaction.arguments import redact_arguments
from kit.redaction.changed import Change, compare_findings
from kit.redaction.ids import Ids, hypothesis_ids, put_ids
from kit.redaction.profile import DEFAULT, read_profile
from kit.redaction.pseudonyms import Pseudonyms, user_key
from kit.redaction.redactor import Redactor
from kit.redaction.structures import learn_value, redact_value
from kit.redaction.tables import learn_table, redact_table

if TYPE_CHECKING:
    from kit.walk import Progress

HYPOTHESES = "hypotheses.toml"
_TOML = ("incident.toml", "sources.toml", "signals.toml", "path.toml", HYPOTHESES, CHOICES)
_STAYS_OF_A_SOURCE = frozenset(Settings.model_fields) - {"kind", "ui"}


@dataclass(frozen=True, slots=True)
class Redaction:
    """What was done: profile, distinct values by detector, what was left out, what came out otherwise in the walk."""

    profile: str
    counts: Mapping[str, int]
    left_out: tuple[str, ...]
    changes: tuple[Change, ...]

    @property
    def headline(self) -> str:
        """One sentence for the page and the terminal."""
        total = sum(self.counts.values())
        told = f"Redacted ({self.profile}): {total:,} distinct value{'s' if total != 1 else ''} replaced by pseudonyms"
        if not self.changes:
            return f"{told}; no finding changed by it."
        return f"{told}; it changed {len(self.changes)} value{'s' if len(self.changes) > 1 else ''} in the findings."

    @property
    def lines(self) -> tuple[str, ...]:
        """The same at length: the counts by detector, what was left out, each changed finding."""
        counted = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
        return (
            self.headline,
            *((f"By detector: {counted}.",) if counted else ()),
            *(f"Left out: {what}." for what in self.left_out),
            *(f"Changed by redaction: {change}." for change in self.changes),
        )

    def bag_info(self) -> dict[str, str]:
        """The same as lines of a bundle's `bag-info.txt`."""
        counted = ", ".join(f"{name} {count:,}" for name, count in self.counts.items()) or "nothing"
        return {
            "Redaction-Profile": self.profile,
            "Redacted": counted,
            "Redaction-Left-Out": "; ".join(self.left_out) or "nothing",
            "Redaction-Changed": "; ".join(change.key for change in self.changes) or "no finding",
        }


@dataclass(frozen=True, slots=True)
class RedactedCase:
    """A walked, redacted copy of a case; `redactor` knows what was taken out, to look for it in the finished bytes."""

    folder: Path
    redaction: Redaction
    redactor: Redactor


@contextmanager
def redacted_case(
    folder: Path, *, profile: str = DEFAULT, key: bytes | None = None, progress: Progress | None = None
) -> Iterator[RedactedCase]:
    """The case as it may be shown to others, in a private folder for the length of the block.

    `profile` is internal, vendor or public; `key` None: the user's own, made on first use. Raises `BadCase` when the
    case was not walked, or its walk does not come to an end on the redacted answers.
    """
    from kit.walk import run_through_kernel

    if not Findings(folder).parts():
        raise BadCase(f"{folder} has not been walked yet: run `incident-kit run {folder}` first.")
    redactor = Redactor(read_profile(profile, case=folder), Pseudonyms(key or user_key()), services=_services(folder))
    with tempfile.TemporaryDirectory(prefix="incident-kit-") as private:
        copy = Path(private) / "case"
        begun("reading what the recorded answers give away")
        learn_case(folder, redactor)
        begun("taking it out of a copy")
        evidence = redact_inputs(folder, copy, redactor)
        begun("walking the redacted copy")
        run_through_kernel("..", out=copy / "notebooks", progress=progress)
        pictures = add_own_cells(folder, copy, redactor)
        changes = compare_findings(
            Findings(folder).merge(), Findings(copy).merge(), redactor=redactor, evidence=evidence
        )
        if not changes:
            _carry_review(folder, copy)
        counts = {name: len(values) for name, values in sorted(redactor.counts.items())}
        left = (f"{pictures} picture{'s' if pictures > 1 else ''} (pictures cannot be read)",) if pictures else ()
        yield RedactedCase(copy, Redaction(profile, counts, left, changes), redactor)


def redact_inputs(folder: Path, to: Path, redactor: Redactor) -> dict[str, str]:
    """Write what a walk reads, redacted, into the folder `to`; gives the new id of every recorded answer.

    The redactor must have learnt from the same case before. The history of verdicts stays behind: its ids are made of
    statements' words, joined by dashes, as nothing would find them.
    """
    to.mkdir(parents=True)
    renamed = _redact_answers(folder, to, redactor)
    ids = _redact_settings(folder, to, redactor)
    if (folder / "timeline.jsonl").exists():
        rows = [orjson.dumps(redact_value(row, redactor)) for row in _json_lines(folder / "timeline.jsonl")]
        write_whole(to / "timeline.jsonl", b"".join(row + b"\n" for row in rows))
    for path in _playbooks(folder):
        (to / "playbooks").mkdir(exist_ok=True)
        write_whole(to / "playbooks" / f"{ids.of(path.stem)}.toml", tomli_w.dumps(redact_value(_toml(path), redactor)))
    if (folder / "postmortem.md").exists():
        write_whole(to / "postmortem.md", redactor.text((folder / "postmortem.md").read_text()))
    _rename_pinned(to / "choices.toml", renamed)
    return renamed


def _redact_settings(folder: Path, to: Path, redactor: Redactor) -> Ids:
    """Write the TOML files of a case, and give what became of the ids that hypotheses have in them."""
    before = {name: _toml(folder / name) for name in _TOML if (folder / name).exists()}
    after = {name: _redacted_sections(values, redactor) for name, values in before.items()}
    none: dict[str, Any] = {}
    ids = hypothesis_ids(before.get(HYPOTHESES, none), after.get(HYPOTHESES, none), redactor)
    digests = {h["id"]: h.get("digest", "") for h in Findings(folder).merge().get("hypotheses", ())}
    for name, values in after.items():
        if name in (HYPOTHESES, CHOICES):
            put_ids(values, before[name], ids, digests=digests)
        elif name == "sources.toml":
            values = _without_addresses(values)
        write_whole(to / name, tomli_w.dumps(values))
    redactor.learn_ids(own for own, new in ids.renamed.items() if own != new)
    return ids


def _redacted_sections(values: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    """The content of a TOML file of the case. Names of sections are the kit's own: what is pinned is no PIN."""
    return {
        section: _redacted_sections(value, redactor) if section == "sources" else redact_value(value, redactor)
        for section, value in values.items()
    }


def _rename_pinned(path: Path, renamed: Mapping[str, str]) -> None:
    """Let what people pinned rest on the redacted answers; a pin's id is made of what it says, so it is made again."""
    values = _toml(path) if path.exists() else {}
    if values.get("pin"):
        pins = [{**pin, "evidence": [renamed.get(e, e) for e in pin.get("evidence", [])]} for pin in values["pin"]]
        values["pin"] = [Pin.of(pin).to_record() for pin in pins]
        write_whole(path, tomli_w.dumps(values))


def learn_case(folder: Path, redactor: Redactor) -> None:
    """Learn what every part of a case gives away, before anything of it is redacted."""
    answers = Answers(folder)
    for entry in answers:
        learn_table(answers.read(entry.evidence).table, redactor)
        redactor.learn_text([entry.fetch.query, entry.arguments, entry.fetch.link or ""])
    redactor.learn_text([refusal.says for refusal in answers.refusals])
    for name in _TOML:
        values = _toml(folder / name) if (folder / name).exists() else {}
        for section in (*values.pop("sources", {}).values(), *values.values()):
            learn_value(section, redactor)
    if (folder / "timeline.jsonl").exists():
        learn_value(list(_json_lines(folder / "timeline.jsonl")), redactor)
    for path in _playbooks(folder):
        learn_value(_toml(path), redactor)
    if (folder / "postmortem.md").exists():
        redactor.learn_text([(folder / "postmortem.md").read_text()])
    learn_own_cells(folder, redactor)


def _redact_answers(folder: Path, to: Path, redactor: Redactor) -> dict[str, str]:
    answers, made = Answers(folder), Answers(to)
    renamed = {}
    for entry in answers:
        answer = answers.read(entry.evidence)
        new = Answer(
            table=redact_table(answer.table, redactor),
            fetch=_fetch(answer.fetch, redactor),
            arguments=redact_arguments(answer.arguments, redactor),
        )
        made.keep(new, asked=entry.asked)
        renamed[entry.evidence] = new.evidence
    for refusal in answers.refusals:
        made.refuse(
            redactor.text(refusal.source),
            refusal.question,
            redact_arguments(refusal.arguments, redactor),
            _redacted_error(refusal.error(), redactor),
        )
    return renamed


def _redacted_error(error: ConnectorError, redactor: Redactor) -> ConnectorError:
    """The same kind of error, its sentence redacted."""
    return type(error)(redactor.text(str(error)))


def _fetch(fetch: Fetch, redactor: Redactor) -> Fetch:
    link = None if fetch.link is None or redactor.profile.hosts else redactor.text(fetch.link)
    return replace(
        fetch,
        source=redactor.text(fetch.source),
        query=redactor.text(fetch.query),
        sampled=redactor.text(fetch.sampled) if fetch.sampled else fetch.sampled,
        partial=redactor.text(fetch.partial) if fetch.partial else fetch.partial,
        engine=redactor.text(fetch.engine),
        link=link,
    )


def _without_addresses(values: dict[str, Any]) -> dict[str, Any]:
    """The sources with what any source may say of itself: a redacted copy asks nobody, and tells nobody where."""
    sources = {}
    for name, source in values.get("sources", {}).items():
        kept = {k: source[k] for k in _STAYS_OF_A_SOURCE if k in source}
        kind = "git" if source.get("kind") == "git" else "files"
        sources[name] = {"kind": kind, **kept, "path": "raw/not-in-a-redacted-copy"}
    return {**values, "sources": sources}


def _playbooks(folder: Path) -> list[Path]:
    return sorted((folder / "playbooks").glob("*.toml"))


def _services(folder: Path) -> frozenset[str]:
    """Names of the case's own parts: services, sources, ends of the path. They stay."""
    from connectors.catalog import read_catalog
    from kit.incident import read_incident

    catalog = read_catalog(folder)
    names = {*read_incident(folder).services, *catalog.sources}
    names |= {s.service for s in catalog.sources.values() if s.service}
    if catalog.path is not None:
        names |= {str(n) for c in ("caller", "callee") for n in catalog.path.column(c).to_pylist() if n}
    names |= {s.service for s in catalog.signals}
    return frozenset(names)


def _carry_review(folder: Path, copy: Path) -> None:
    """A review of the evidence stands for the redacted evidence too, where no finding came out otherwise."""
    values = _toml(copy / "incident.toml")
    review = values.get("review")
    if review and review.get("evidence_hash") == evidence_hash(folder):
        review["evidence_hash"] = evidence_hash(copy)
        write_whole(copy / "incident.toml", tomli_w.dumps(values))


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadCase(f"{path} is not whole ({error}): mend the file, or write it again.") from None


def _json_lines(path: Path) -> Iterator[Any]:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if line.strip():
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                raise BadCase(f"{path.name} line {number} is not JSON: mend or remove the line.") from None
