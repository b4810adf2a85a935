"""Files are told by what they hold; rotated copies are one source; what is left out is said."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from kit.recognize_files import recognize_files

LINE = json.dumps({"time": "2026-03-01T02:00:00Z", "message": "hello"}) + "\n"
RESOURCE = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return folder


def test_rotated_copies_are_one_source_and_instances_are_not(tmp_path):
    place = written(tmp_path, dict.fromkeys(("web/app.log", "web/app.log.1", "web/app.log.2.gz", "web/b.log"), LINE))
    found, left_out = recognize_files([place])
    assert [(f.name, len(f.paths), f.service) for f in found] == [("web/app.log", 3, "web"), ("web/b.log", 1, "web")]
    assert left_out == []


def test_what_an_otlp_file_holds_is_told_from_its_beginning(tmp_path):
    log = {"resourceLogs": [{"resource": RESOURCE, "scopeLogs": [{"logRecords": []}]}]}
    span = {"resourceSpans": [{"resource": RESOURCE, "scopeSpans": [{"spans": []}]}]}
    metric = {"resourceMetrics": [{"resource": RESOURCE, "scopeMetrics": [{"metrics": []}]}]}
    files = {f"{name}.json": json.dumps(export) for name, export in (("a", log), ("b", span), ("c", metric))}
    found, _ = recognize_files([written(tmp_path, files)])
    assert [(f.format, f.table) for f in found] == [("otlp_json", t) for t in ("logs", "spans", "metrics")]


def test_what_is_hidden_or_empty_is_passed_over_and_what_is_unknown_is_said(tmp_path):
    place = written(
        tmp_path, {".git/config": LINE, ".env": LINE, "empty.log": "", "picture.png": "\x89PNG\r\n\x00\x00"}
    )
    found, left_out = recognize_files([place])
    assert found == []
    assert len(left_out) == 1
    assert "picture.png has no format that is known" in left_out[0]


def test_a_single_file_is_its_own_root(tmp_path):
    place = written(tmp_path, {"nginx.log": LINE, "other.log": LINE})
    (found,), _ = recognize_files([place / "nginx.log"])
    assert (found.name, found.service, found.root) == ("nginx.log", "nginx", tmp_path)


def test_of_a_case_only_its_raw_data_are_data(tmp_path):
    own = dict.fromkeys(("incident.toml", "sources.toml", "evidence.jsonl", "findings/00.json", "verdicts.jsonl"), LINE)
    place = written(tmp_path, {f"old/{name}": text for name, text in {**own, "raw/web/app.log": LINE}.items()})
    for given in (place, place / "old"):
        found, left_out = recognize_files([given])
        assert [(f.name, f.service) for f in found] == [("web/app.log", "web")]
        assert left_out == ["old is a case: only what is in its raw/ is looked at"]
    (place / "old" / "sources.toml").unlink()  # no case: a file that looks like a log is one
    assert "old/evidence.jsonl" in [f.name for f in recognize_files([place])[0]]


def test_of_many_unknown_files_the_first_are_named(tmp_path):
    place = written(tmp_path, {f"{n:02d}.bin": "PAR1" for n in range(11)})
    _, left_out = recognize_files([place])
    assert len(left_out) == 9
    assert "00.bin" in left_out[0]
    assert left_out[-1] == "and 3 more files of no known format"
