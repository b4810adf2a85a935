"""What stands at an address is told from what it answers, with the least that a credential may be allowed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from connectors.errors import AccessDenied, BadInput
from kit.recognize import recognize


@pytest.fixture
def server() -> Iterator[tuple[str, dict]]:
    """A server that answers by the given paths: (status, headers, JSON) each; 404 elsewhere."""
    answers: dict[str, tuple[int, dict[str, str], object]] = {}

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, said = answers.get(self.path, (404, {}, {"error": "none"}))
            content = orjson.dumps(said)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}", answers
    finally:
        listener.shutdown()
        listener.server_close()


def refused(action: str, words: str) -> dict:
    cause = {"type": "security_exception", "reason": f"action [{action}] {words}"}
    return {"error": {"root_cause": [cause], **cause}, "status": 403}


def test_elasticsearch_by_its_welcome_with_the_index_of_the_path(server):
    url, answers = server
    answers["/"] = (200, {}, {"cluster_name": "c", "version": {"number": "8.19.0"}})
    assert recognize(f"{url}/shop-*") == {
        "127-0-0-1-logs": {"kind": "elasticsearch", "table": "logs", "url": url, "index": "shop-*"}
    }


def test_elasticsearch_behind_a_prefix(server):
    url, answers = server
    answers["/es/"] = (200, {}, {"cluster_name": "c", "version": {"number": "8.19.0"}})
    assert recognize(f"{url}/es/shop-%2A")["127-0-0-1-logs"] == {
        "kind": "elasticsearch", "table": "logs", "url": f"{url}/es", "index": "shop-*",
    }  # fmt: skip


def test_elasticsearch_by_its_header_where_the_welcome_is_refused(server):
    url, answers = server
    answers["/"] = (405, {"X-elastic-product": "Elasticsearch"}, {"error": "no such method"})
    assert recognize(f"{url}/shop")["127-0-0-1-logs"]["kind"] == "elasticsearch"


def test_elasticsearch_by_the_refusal_of_a_key_that_may_only_read_indices(server):
    url, answers = server
    answers["/"] = (403, {}, refused("cluster:monitor/main", "is unauthorized for API key id [x]"))
    assert recognize(f"{url}/shop")["127-0-0-1-logs"]["kind"] == "elasticsearch"


def test_a_refusal_without_a_name_is_passed_on(server):
    url, answers = server
    answers["/"] = (403, {}, {"error": "go away"})
    with pytest.raises(AccessDenied, match="does not allow this"):
        recognize(f"{url}/shop")


def test_an_unknown_credential_is_refused_with_the_next_step(server):
    url, answers = server
    answers["/"] = (401, {}, {"error": "who are you"})
    with pytest.raises(AccessDenied, match="set a credential for it"):
        recognize(f"{url}/shop")


def test_prometheus_is_told_by_its_own_path(server):
    url, answers = server
    answers["/api/v1/status/buildinfo"] = (200, {}, {"status": "success", "data": {"version": "2.42.0"}})
    assert {entry["table"] for entry in recognize(url).values()} == {"alerts", "metrics"}


def test_something_else_is_said_to_be_none(server):
    url, answers = server
    answers["/"] = (200, {}, {"hello": "world"})
    with pytest.raises(BadInput, match="no backend that is read"):
        recognize(url)


def test_loki_by_its_labels_with_the_streams_that_name_a_service(server):
    url, answers = server
    labels = "/loki/api/v1/labels?since=720h"
    answers[labels] = (200, {}, {"status": "success", "data": ["filename", "service_name"]})
    assert recognize(url) == {"127-0-0-1-logs": {"kind": "loki", "table": "logs", "url": url}}
    answers[labels] = (200, {}, {"status": "success", "data": ["app", "filename"]})
    assert recognize(url)["127-0-0-1-logs"]["selector"] == '{app=~".+"}'


def test_jaeger_by_its_services(server):
    url, answers = server
    answers["/api/services"] = (200, {}, {"data": ["web", "db"], "errors": None})
    assert recognize(url) == {"127-0-0-1-spans": {"kind": "jaeger", "table": "spans", "url": url}}
