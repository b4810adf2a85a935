"""The HTTP client: what it follows, retries, refuses to send, and says when it fails."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from connectors.credentials import Credential
from connectors.errors import AccessDenied, BadInput, NotFound, SourceUnavailable
from connectors.http import TRIES, Http
from connectors.progress import Cancelled, watched

SECRET = "s3cret-token"
CREDENTIAL = Credential("https://logs.example:443", token=SECRET)


def client(answer, **options):
    pauses: list[float] = []
    http = Http("https://logs.example", transport=httpx.MockTransport(answer), pause=pauses.append, **options)
    return http, pauses


def test_an_answer_comes_as_json_and_the_credential_goes_along():
    seen = []
    http, _ = client(lambda r: seen.append(r) or httpx.Response(200, json={"n": 1}), credential=CREDENTIAL)
    assert http.ask("POST", "/_count", body={"query": {}}, query={"a": "b"}) == {"n": 1}
    assert seen[0].headers["authorization"] == f"Bearer {SECRET}"
    assert str(seen[0].url) == "https://logs.example/_count?a=b"
    assert seen[0].content == b'{"query":{}}'


def test_a_credential_of_another_origin_is_not_taken():
    with pytest.raises(BadInput, match="not for http://logs"):
        Http("http://logs.example", credential=CREDENTIAL)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_source_is_asked_again_later_and_later(status):
    left = [status, status]

    def answer(request):
        return httpx.Response(left.pop(), json={}) if left else httpx.Response(200, json={"n": 1})

    http, pauses = client(answer)
    assert http.ask("GET", "/x") == {"n": 1}
    assert len(pauses) == 2
    assert 0.25 <= pauses[0] <= 0.5 <= pauses[1] <= 1.0


def test_the_wait_the_server_names_is_kept():
    left = [1]

    def answer(request):
        return httpx.Response(429, headers={"retry-after": "7"}) if left and left.pop() else httpx.Response(200, json=1)

    http, pauses = client(answer)
    http.ask("GET", "/x")
    assert pauses == [7.0]


def test_a_source_that_stays_busy_is_unavailable():
    asked = []
    http, _ = client(lambda r: asked.append(r) or httpx.Response(503, json={"error": {"reason": "full"}}))
    with pytest.raises(SourceUnavailable, match=r"HTTP 503: full"):
        http.ask("GET", "/x")
    assert len(asked) == TRIES


def test_no_wait_goes_past_the_deadline():
    http, pauses = client(lambda r: httpx.Response(429, headers={"retry-after": "60"}), deadline_s=5)
    with pytest.raises(SourceUnavailable):
        http.ask("GET", "/x")
    assert pauses == []


def test_a_trickling_answer_ends_at_the_deadline(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("connectors.http.time.monotonic", lambda: clock[0])

    class Trickle(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                clock[0] += 1.0
                yield b" "

    http, _ = client(lambda r: httpx.Response(200, stream=Trickle()), deadline_s=10)
    with pytest.raises(SourceUnavailable, match="within the time limit"):
        http.ask("GET", "/x")
    assert clock[0] <= 12


def test_a_redirect_stays_in_its_origin():
    def answer(request):
        if request.url.path == "/old":
            return httpx.Response(307, headers={"location": "/new"})
        return httpx.Response(200, json={"path": request.url.path})

    http, _ = client(answer)
    assert http.ask("GET", "/old") == {"path": "/new"}


@pytest.mark.parametrize("to", ["https://evil.example/", "http://logs.example/", "https://logs.example:8443/"])
def test_nothing_is_sent_to_another_origin(to):
    hosts = []

    def answer(request):
        hosts.append(str(request.url))
        return httpx.Response(302, headers={"location": to})

    http, _ = client(answer, credential=CREDENTIAL)
    with pytest.raises(SourceUnavailable, match="where nothing was sent"):
        http.ask("GET", "/x")
    assert hosts == ["https://logs.example/x"]


def test_a_circle_of_redirects_ends():
    http, _ = client(lambda r: httpx.Response(302, headers={"location": "/x"}))
    with pytest.raises(SourceUnavailable, match="in a circle"):
        http.ask("GET", "/x")


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AccessDenied), (403, AccessDenied), (404, NotFound), (400, BadInput), (500, SourceUnavailable)],
)
def test_each_refusal_is_its_own_error_without_the_secret(status, error):
    reason = {"error": {"root_cause": [{"reason": "no such\nindex"}]}}
    http, pauses = client(lambda r: httpx.Response(status, json=reason), credential=CREDENTIAL)
    with pytest.raises(error, match="no such index") as caught:
        http.ask("GET", "/x")
    assert SECRET not in str(caught.value)
    assert pauses == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (httpx.ConnectError("[Errno 111] Connection refused"), "could not be reached"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), "certificate that is not trusted"),
        (httpx.ConnectError("[SSL: WRONG_VERSION_NUMBER]"), "http or https"),
        (httpx.RemoteProtocolError("peer closed"), "broke the connection off"),
        (httpx.ReadTimeout("slow"), "within the time limit"),
    ],
)
def test_what_breaks_on_the_wire_is_said_in_a_sentence(fault, said):
    def answer(request):
        raise fault

    http, _ = client(answer)
    with pytest.raises(SourceUnavailable, match=said):
        http.ask("GET", "/x")


def test_what_is_no_json_is_said():
    http, _ = client(lambda r: httpx.Response(200, text="<html>log in"))
    with pytest.raises(SourceUnavailable, match="with no JSON"):
        http.ask("GET", "/x")


def test_an_authority_that_is_no_file_of_certificates_is_said(tmp_path):
    with pytest.raises(BadInput, match="no file of certificates"):
        Http("https://logs.example", authority=str(tmp_path / "none.pem"))


def test_a_reply_comes_as_it_is_and_a_final_one_is_not_asked_again():
    asked = []
    http, pauses = client(lambda r: asked.append(r) or httpx.Response(503, json={"error": {"reason": "too many"}}))
    reply = http.send("POST", "/x", body={}, final=lambda r: b"too many" in r.content)
    assert (reply.status, reply.good, len(asked), pauses) == (503, False, 1, [])


@pytest.mark.parametrize("fault", ["CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER] SSL"])
def test_what_another_try_cannot_mend_is_tried_once(fault):
    asked = []

    def answer(request):
        asked.append(request)
        raise httpx.ConnectError(fault)

    http, pauses = client(answer)
    with pytest.raises(SourceUnavailable):
        http.ask("GET", "/x")
    assert (len(asked), pauses) == (1, [])


def test_plain_http_that_is_hung_up_on_asks_for_https():
    def answer(request):
        raise httpx.RemoteProtocolError("Server disconnected")

    http = Http("http://logs.example", transport=httpx.MockTransport(answer), pause=lambda seconds: None)
    with pytest.raises(SourceUnavailable, match="does it want https"):
        http.ask("GET", "/x")


def test_stopping_ends_what_is_under_way_and_leaves_the_rest():
    """A server that never answers: the request ends when its connection is closed, long before its time limit."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        http = Http(f"http://127.0.0.1:{listener.getsockname()[1]}")
        apart = http.apart()
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(apart.send, "GET", "/x")
            server, _ = listener.accept()
            server.recv(4096)
            apart.stop()
            reply = asking.result(timeout=5)
            assert server.recv(4096) == b""
            server.close()
    assert reply.status == 0
    assert not http._stopping.is_set()


def test_a_question_that_is_called_off_ends_at_the_server_and_the_next_is_asked():
    """The server never answers the first: its connection is closed while it waits, and no other one is."""
    wanted = threading.Event()
    wanted.set()

    def ask(path, until):
        with watched(lambda share: until.is_set()):
            return http.ask("GET", path)

    with socket.socket() as listener, ThreadPoolExecutor(2) as pool:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        http = Http(f"http://127.0.0.1:{listener.getsockname()[1]}")
        called_off = threading.Event()
        called_off.set()
        first = pool.submit(ask, "/first", called_off)
        one, _ = listener.accept()
        one.recv(4096)
        second = pool.submit(ask, "/second", wanted)
        other, _ = listener.accept()
        other.recv(4096)
        called_off.clear()
        with pytest.raises(Cancelled, match="called off"):
            first.result(timeout=30)
        one.settimeout(30)
        assert one.recv(4096) == b""
        other.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
        assert second.result(timeout=30) == 1
        third = pool.submit(ask, "/third", wanted)
        assert b"/third" in other.recv(4096)  # over the connection that was left
        other.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3")
        assert third.result(timeout=30) == 3
        for end in (one, other):
            end.close()
        http.close()


def test_a_source_that_stays_busy_is_not_asked_again_once_nobody_wants_it():
    asked, wanted = [], threading.Event()
    wanted.set()

    def answer(request):
        asked.append(request)
        wanted.clear()
        return httpx.Response(503, headers={"retry-after": "20"})

    def ask():
        with watched(lambda share: wanted.is_set()):
            return http.ask("GET", "/x")

    http = Http("http://logs.example", transport=httpx.MockTransport(answer))
    with ThreadPoolExecutor(1) as pool, pytest.raises(Cancelled):
        pool.submit(ask).result(timeout=15)
    assert len(asked) == 1
