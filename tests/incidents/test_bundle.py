"""A bundle: anyone can check it; whatever is changed in it is found and named; opened elsewhere it is a case."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import bagit
import orjson
import pytest

from connectors.answers import evidence_hash
from connectors.errors import NotRecorded
from kit.bundle.bag import check_bag, read_info
from kit.bundle.contents import stage
from kit.bundle.received import open_bundle, read_received, trust
from kit.bundle.signature import read_signature, sign
from kit.bundle.write import write_bundle
from kit.case import Case
from kit.errors import BadCase, CheckFailed
from kit.provenance import register
from kit.verify import verify_bundle
from tests.incidents.bundled import copied


def first_table(payload):
    return sorted((payload / "snapshots").glob("*.parquet"))[0]


def flip_a_byte(payload):
    content = bytearray(first_table(payload).read_bytes())
    content[len(content) // 2] ^= 1
    first_table(payload).write_bytes(content)


def swap_two_tables(payload):
    one, two = sorted((payload / "snapshots").glob("*.parquet"))[:2]
    content = one.read_bytes()
    shutil.copyfile(two, one)
    two.write_bytes(content)


def edit_the_page(payload):
    page = payload / "index.html"
    text = page.read_text()
    assert "240 more requests failed" in text
    page.write_text(text.replace("240 more requests failed", "23 more requests failed"))


def edit_a_finding(payload):
    path = payload / "findings" / "07.json"
    record = orjson.loads(path.read_bytes())
    record["results"]["Impact"]["values"]["impact"]["failed"]["value"] = 24.0
    path.write_bytes(orjson.dumps(record))


def test_it_is_a_bag_by_the_librarys_and_by_sha256sums_own_judgement(small_bundle):
    _, bundle = small_bundle
    assert bagit.Bag(str(bundle)).validate()
    done = subprocess.run(["sha256sum", "-c", "--quiet", "manifest-sha256.txt"], cwd=bundle, capture_output=True)
    assert done.returncode == 0, done.stdout
    assert check_bag(bundle) == []


def test_the_page_prints_the_evidence_hash_and_the_info_says_what_is_withheld(small_bundle):
    _, bundle = small_bundle
    assert evidence_hash(bundle / "data") in (bundle / "data" / "index.html").read_text()
    info = read_info(bundle)
    assert info["Withheld"] == "the raw files"
    assert info["Rows"].startswith("2,400 of edge")
    assert "duration_s" in info["Row-Columns"]
    assert "incident-notebook-kit" in info["Bag-Software-Agent"]


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (flip_a_byte, r"data/snapshots/ev_\w+\.parquet was changed"),
        (lambda payload: first_table(payload).unlink(), r"data/snapshots/ev_\w+\.parquet is missing"),
        (swap_two_tables, r"data/snapshots/ev_\w+\.parquet was changed"),
        (edit_the_page, r"data/index\.html was changed"),
        (lambda payload: (payload / "more.txt").write_text("more"), r"data/more\.txt was added"),
    ],
)
def test_whatever_is_changed_is_named(small_bundle, tmp_path, harm, named):
    bundle = copied(small_bundle[1], tmp_path / "bundle", harm, remade=False)
    found = verify_bundle(bundle)
    assert not found.good
    assert any(re.search(named, fault) for fault in found.faults), found.faults
    with pytest.raises(CheckFailed, match="is not what it was"):
        open_bundle(bundle, to=tmp_path / "case")


def test_a_forger_who_makes_new_hashes_is_found_by_the_ids_of_the_answers(small_bundle, tmp_path):
    bundle = copied(small_bundle[1], tmp_path / "bundle", swap_two_tables, remade=True)
    found = verify_bundle(bundle)
    assert len([f for f in found.faults if "was changed" in f]) == 2
    assert found.differences == ()


def test_a_forger_who_edits_a_number_and_makes_new_hashes_is_found_by_walking_again(small_bundle, tmp_path):
    def both(payload):
        edit_the_page(payload)
        edit_a_finding(payload)

    bundle = copied(small_bundle[1], tmp_path / "bundle", both, remade=True)
    found = verify_bundle(bundle)
    assert found.faults == ()
    where = {d.where: (d.exported, d.found) for d in found.differences}
    assert where["findings/07.json Impact.values.impact.failed.value"] == ("24.0", "240.0")
    assert any(d.where == "index.html" and "23 more requests" in d.exported for d in found.differences)
    assert "are not the same" in found.headline
    assert found.outputs > 15
    assert "none of the bundle's code was run" in str(found)


def test_opened_elsewhere_it_is_a_case_that_answers_the_same_and_asks_nobody(small_bundle, tmp_path):
    case, bundle = small_bundle
    folder = open_bundle(bundle, to=tmp_path / "case")
    here, there = Case(folder), Case(case, offline=True)
    assert here.symptom.headline == there.symptom.headline
    with pytest.raises(NotRecorded, match="never recorded"):
        here.source("edge").count(here.look, where="route = '/nowhere'")
    assert read_received(folder).bundle == "small.unredacted"
    assert not (folder / "findings.json").exists()
    assert open_bundle(bundle, to=folder) == folder
    with pytest.raises(BadCase, match="holds another case"):
        open_bundle(bundle, to=case)


def test_only_an_origin_that_is_trusted_is_asked(small_bundle, tmp_path):
    def elsewhere(payload):
        text = '[sources.edge]\nkind = "elasticsearch"\ntable = "logs"\nurl = "http://127.0.0.1:9"\nindex = "logs"\n'
        rest = (payload / "sources.toml").read_text().split("[sources.changes]")[1]
        (payload / "sources.toml").write_text(f"{text}[sources.changes]{rest}")

    folder = open_bundle(copied(small_bundle[1], tmp_path / "bundle", elsewhere, remade=True), to=tmp_path / "case")
    assert Case(folder).source("edge").source is None
    with pytest.raises(BadCase, match="names no source at http://other"):
        trust(folder, "http://other.example")
    trust(folder, "http://127.0.0.1:9")
    assert Case(folder).source("edge").source is not None
    assert Case(folder).source("changes").source is None


def test_rows_that_no_finding_cites_are_withheld_unless_they_are_wanted(small_bundle, tmp_path):
    case = shutil.copytree(small_bundle[0], tmp_path / "case")
    opened = Case(case)
    extra = opened.source("edge").rows(opened.look, where="client = 'c3'", limit=10).evidence
    without = stage(case, tmp_path / "without", with_rows=False)
    assert "10 of edge" in without.withheld[0]
    assert not (tmp_path / "without" / "snapshots" / f"{extra}.parquet").exists()
    assert extra not in (tmp_path / "without" / "evidence.jsonl").read_text()
    stage(case, tmp_path / "whole", with_rows=True)
    assert (tmp_path / "whole" / "snapshots" / f"{extra}.parquet").exists()
    assert (tmp_path / "whole" / "evidence.jsonl").read_bytes() == (case / "evidence.jsonl").read_bytes()


def test_an_open_end_is_frozen_at_the_end_that_was_asked_for(small_bundle, tmp_path):
    case = shutil.copytree(small_bundle[0], tmp_path / "case")
    text = (case / "incident.toml").read_text().replace("end = 2026-03-01T02:20:00Z", 'end = "now"')
    (case / "incident.toml").write_text(text)
    stage(case, tmp_path / "staged", with_rows=False)
    assert "end = 2026-03-01 02:20:00+00:00" in (tmp_path / "staged" / "incident.toml").read_text()


def test_findings_that_do_not_come_out_again_are_not_exported(small_bundle, tmp_path):
    case = shutil.copytree(small_bundle[0], tmp_path / "case")
    edit_a_finding(case)
    with pytest.raises(CheckFailed, match="would not verify"):
        write_bundle(case, out=tmp_path / "small.unredacted.zip")
    assert not (tmp_path / "small.unredacted.zip").exists()
    with pytest.raises(BadCase, match="must say unredacted"):
        write_bundle(case, out=tmp_path / "small.zip")


def test_a_signature_is_authentic_only_for_a_key_that_is_allowed(small_bundle, tmp_path):
    for name in ("mine", "other"):
        key = tmp_path / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    bundle = copied(small_bundle[1], tmp_path / "bundle", remade=True)
    assert read_signature(bundle) is None
    sign(bundle, key=tmp_path / "mine")
    assert check_bag(bundle) == []
    assert bagit.Bag(str(bundle)).validate()
    signers = tmp_path / "signers"
    signers.write_text(f"ann@example {(tmp_path / 'other.pub').read_text()}")
    unknown = read_signature(bundle, signers=signers)
    assert (unknown.good, unknown.principal) == (True, None)
    assert "not authentic" in unknown.says
    signers.write_text(f"ann@example {(tmp_path / 'mine.pub').read_text()}")
    known = read_signature(bundle, signers=signers)
    assert (known.good, known.principal) == (True, "ann@example")
    forged = copied(bundle, tmp_path / "forged", edit_the_page, remade=False)
    info = forged / "bag-info.txt"
    info.write_text(info.read_text() + "Note: changed\n")
    (forged / "tagmanifest-sha256.txt").write_text((forged / "tagmanifest-sha256.txt").read_text() + "\n")
    assert not read_signature(forged, signers=signers).good


def test_any_number_says_which_query_where_when_and_how_many_rows(small_bundle):
    case, _ = small_bundle
    found = register(case).of("impact.failed.value")
    assert {o.value for o in found.origins} == {240.0}
    frame = found.to_frame()
    assert set(frame["source"]) == {"edge"}
    assert (frame["asked"].notna() & frame["query"].str.contains("FROM logs")).all()
    assert frame["rows"].sum() > 0


def test_the_command_says_so_and_ends_with_1_when_something_was_changed(small_bundle, tmp_path):
    bundle = copied(small_bundle[1], tmp_path / "bundle", flip_a_byte, remade=False)
    done = subprocess.run(
        [sys.executable, "-m", "kit.cli", "verify", str(bundle)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "was changed" in done.stdout
    assert "does not verify" in done.stderr
