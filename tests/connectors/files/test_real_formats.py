"""Real files of other projects are read right, and the ones that are conversions of each other read alike.

`KIT_REAL_DATA=DIR` names the folder that holds `formats` or `formats.tar.zst`; without it these tests are skipped (none
of the files are part of this project; the twins in the other tests here are). Expected values are taken from the files
by other means than the readers.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
from collections import Counter
from pathlib import Path

import orjson
import pyarrow.compute as pc
import pytest

from connectors import schema
from connectors.errors import BadInput
from connectors.files.formats import FORMATS, reader, sniff
from connectors.files.options import Options

GITHUB = "github/api.github.com"


@pytest.fixture(scope="module")
def formats(tmp_path_factory) -> Path:
    given = os.environ.get("KIT_REAL_DATA")
    if not given:
        pytest.skip("no real files: KIT_REAL_DATA names the folder with formats.tar.zst")
    if (Path(given) / "formats").is_dir():
        return Path(given) / "formats"
    archive = Path(given) / "formats.tar.zst"
    if not archive.is_file():
        pytest.skip(f"{given} holds neither formats nor formats.tar.zst")
    import zstandard

    folder = tmp_path_factory.mktemp("real")
    plain = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj().decompress(archive.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(plain)) as packed:
        packed.extractall(folder, filter="data")
    return folder / "formats"


def read(path: Path, table: str, *, as_format: str | None = None):
    """The reading of a file whose format is told by looking; whole, and canonical."""
    found = sniff(path)
    assert as_format in (None, found)
    reading = reader(found).read(path, Options(table=table, tz="UTC"))
    assert reading.faults == ()
    if table != "METRICS":
        schema.check(reading.table, table)
    return reading


def plain(reading, *leave: str) -> list[dict]:
    return [{k: v for k, v in r.items() if v is not None and k not in leave} for r in reading.table.to_pylist()]


def test_an_access_log(formats):
    path = formats / "apache_combined" / "access.log"
    table = read(path, "LOGS", as_format="combined").table
    lines = path.read_text().splitlines()
    assert table.num_rows == len(lines)
    status = Counter(int(re.search(r'" (\d{3}) ', line)[1]) for line in lines)
    assert Counter(table.column("http.response.status_code").to_pylist()) == status
    assert Counter(table.column("client.address").to_pylist()) == Counter(line.split(" ", 1)[0] for line in lines)
    assert f"{table.column('time')[0].as_py():%d/%b/%Y:%H:%M:%S}" == re.search(r"\[(\S+)", lines[0])[1]


def test_the_status_page_of_nginx_plus(formats):
    path = formats / "nginx_json" / "nginxplus_json_logs"
    table = read(path, "LOGS").table
    first = orjson.loads(path.read_bytes().split(b"\n", 1)[0])
    assert table.num_rows == 250
    assert round(table.column("time")[0].as_py().timestamp() * 1000) == first["timestamp"]
    assert table.column("requests.total")[0].as_py() == first["requests"]["total"]


def test_the_same_trace_in_otlp_and_in_jaegers_json(formats):
    otlp = read(formats / "otlp" / "otlp2jaeger-in.json", "SPANS", as_format="otlp_json")
    jaeger = read(formats / "jaeger" / "otlp2jaeger-out.json", "SPANS", as_format="jaeger_json")
    assert plain(otlp) == plain(jaeger)
    (row,) = plain(jaeger)
    assert (row["name"], row["kind"], row["duration_s"]) == ("okey-dokey-0", "server", 0.000123)
    assert len(otlp.notes) == len(jaeger.notes) == 1  # the span stands there twice


@pytest.mark.parametrize("name", ["testTrace_ui.json", "testTrace_graph.json"])
def test_jaegers_traces(formats, name):
    path = formats / "jaeger" / name
    document = orjson.loads(path.read_bytes())
    spans = {}

    def gather(node, processes):
        if isinstance(node, list):
            for one in node:
                gather(one, processes)
        elif isinstance(node, dict):
            if "spanID" in node and "operationName" in node:
                spans[node["spanID"]] = (node, processes)
                return
            for one in node.values():
                gather(one, node.get("processes", processes))

    gather(document, {})
    table = read(path, "SPANS", as_format="jaeger_json").table
    assert table.num_rows == len(spans) > 0
    for row in table.to_pylist():
        span, processes = next(v for k, v in spans.items() if k.lower().rjust(16, "0") == row["span_id"])
        assert row["name"] == span["operationName"]
        assert row["duration_s"] == pytest.approx(int(span.get("duration") or 0) / 1e6)
        assert row["service"] == (processes.get(span.get("processID")) or span.get("process") or {}).get("serviceName")


def test_otlp_examples(formats):
    folder = formats / "otlp"
    (span,) = plain(read(folder / "trace.json", "SPANS", as_format="otlp_json"))
    assert (span["trace_id"], span["service"]) == ("5b8efff798038103d269b633813fc60c", "my.service")
    (log,) = plain(read(folder / "logs.json", "LOGS"))
    assert (log["message"], log["level"], log["service"]) == ("Example log record", "INFO", "my.service")
    assert len(plain(read(folder / "events.json", "LOGS"))) == 1
    names = {s.metric for s in read(folder / "metrics.json", "METRICS").samples.series}
    assert {"my.counter", "my.gauge"} <= names
    assert read(formats / "jaeger" / "model_example_trace.json", "SPANS").table.num_rows == 5


def test_documents_of_elasticsearch(formats):
    for name in ("TestIntakeLog_with_timestamp", "TestIntake_Events", "TestOTLPGRPCLogs"):
        path = formats / "elastic_ecs" / f"{name}.json"
        documents = orjson.loads(path.read_bytes())
        table = read(path, "LOGS", as_format="log_answers").table
        assert table.num_rows == len(documents)
        for row, document in zip(table.to_pylist(), documents, strict=True):
            assert f"{row['time']:%Y-%m-%dT%H:%M:%S}" == document["@timestamp"][0][:19]
            assert row["service"] == document["service.name"][0]
            assert row["message"] == document.get("message", [None])[0]


def test_an_answer_of_coralogix_has_the_lines_of_its_formatted_twin(formats):
    table = read(formats / "logs_api" / "coralogix_raw_logs_response.txt", "LOGS", as_format="log_answers").table
    said = table.sort_by("time").column("message").to_pylist()
    expected = (formats / "logs_api" / "coralogix_formatted_logs.txt").read_text().splitlines()
    lines = [line for message in said for line in message.split("\n")]
    assert [line for line in lines if line.strip()] == [line for line in expected if line.strip()]


def test_kubernetes_events(formats):
    for name in ("core.v1.Event.json", "events.k8s.io.v1.Event.json", "eventlist_lastTimestamp.json"):
        table = read(formats / "kubernetes" / name, "CHANGES", as_format="change_feeds").table
        assert table.num_rows == 1
    assert "stopped leading" in table.column("summary")[0].as_py()
    assert f"{table.column('time')[0].as_py():%Y-%m-%dT%H:%M:%SZ}" == "2023-12-24T09:29:51Z"


@pytest.mark.parametrize(("folder", "key"), [("deployment", "deployment"), ("deployment_status", "deployment")])
def test_github_deployments(formats, folder, key):
    for path in sorted((formats / GITHUB / folder).glob("*.json")):
        made = orjson.loads(path.read_bytes())[key]
        (row,) = plain(read(path, "CHANGES", as_format="change_feeds"))
        assert row["id"] == f"github:deployment:{made['id']}"
        assert f"{row['time']:%Y-%m-%dT%H:%M:%SZ}" == made["created_at"]
        assert (row["kind"], row["environment"], row["after"]) == ("deploy", made["environment"], made["sha"][:10])


def test_github_runs_releases_and_pushes(formats):
    for path in sorted((formats / GITHUB / "workflow_run").glob("*.json")):
        run = orjson.loads(path.read_bytes())["workflow_run"]
        done = run["status"] == "completed" and run["conclusion"] not in ("action_required", "skipped")
        assert len(plain(read(path, "CHANGES"))) == int(done)
    for path in sorted((formats / GITHUB / "release").glob("*.json")):
        written = orjson.loads(path.read_bytes())
        rows = plain(read(path, "CHANGES"))
        assert len(rows) == int(written["action"] not in ("deleted", "edited"))
        assert all(row["ref"] == written["release"]["tag_name"] for row in rows)
    pushes = [*(formats / GITHUB / "push").glob("*.json"), formats / "argocd" / "github-commit-event.json"]
    for path in sorted(pushes):
        written = orjson.loads(path.read_bytes())
        rows = plain(read(path, "CHANGES"))
        assert len(rows) == int(written["head_commit"] is not None)
        assert all(row["after"] == written["after"][:10] for row in rows)
        people = {(written.get("pusher") or {}).get("name"), (written.get("sender") or {}).get("login")} - {None}
        assert not any(person in str({k: v for k, v in row.items() if k != "url"}) for row in rows for person in people)


def test_argo_manifests_without_a_history_change_nothing(formats):
    for path in sorted((formats / "argocd").glob("*.yaml")):
        reading = read(path, "CHANGES", as_format="change_feeds")
        assert reading.table.num_rows == 0
        assert "nothing that was changed" in reading.notes[0]


def test_every_file_is_of_a_known_format_or_refused_in_one_sentence(formats):
    twin = formats / "logs_api" / "coralogix_formatted_logs.txt"  # lines without a time
    for path in sorted(p for p in formats.rglob("*") if p.is_file() and p.parent != formats and p != twin):
        assert sniff(path) in FORMATS
    with pytest.raises(BadInput, match="no format that is known"):
        sniff(twin)


def test_times_are_all_plausible(formats):
    table = read(formats / "logs_api" / "coralogix_raw_logs_response.txt", "LOGS").table
    bounds = pc.min_max(table.column("time")).as_py()
    assert bounds["min"].year == bounds["max"].year == 2025
