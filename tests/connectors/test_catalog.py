"""A case's configuration: read whole, refused in one sentence."""

from __future__ import annotations

import pytest

from connectors.catalog import read_catalog
from connectors.credentials import Credential, credential_for, origin_of
from connectors.errors import BadInput
from connectors.window import Window

SOURCES = """
[sources.nginx]
kind = "files"
table = "logs"
format = "nginx_json"
path = "raw/access.log"
service = "nginx"

[sources.prometheus]
kind = "files"
table = "metrics"
path = "raw/m.om"
interval = "5s"

[budget]
rows = 1000
"""
SIGNALS = """
[requests]
source = "nginx"
service = "nginx"
failed = "http.response.status_code >= 500"
probes = "url.path = '/healthz'"

[[signal]]
service = "checkout"
kind = "saturation"
name = "pool.usage"
metric = "in_use"
divide_by = "size"
by = ["instance"]
where = { pool = "reads" }
"""
PATH = """
[[edge]]
caller = "nginx"
callee = "checkout"
kind = "service"
leaves = ["nginx/upstream.duration.p99"]
"""


@pytest.fixture
def case(tmp_path):
    def write(sources=SOURCES, signals=SIGNALS, path=PATH):
        for name, text in (("sources", sources), ("signals", signals), ("path", path)):
            if text is not None:
                (tmp_path / f"{name}.toml").write_text(text)
        return tmp_path

    return write


def test_what_a_case_says(case):
    catalog = read_catalog(case())
    assert list(catalog.sources) == ["nginx", "prometheus"]
    assert catalog.sources["nginx"].service == "nginx"
    assert catalog.sources["prometheus"].interval == "5s"
    assert catalog.of_table("logs") == ["nginx"]
    assert catalog.budget.rows == 1000
    assert catalog.requests.failed == "http.response.status_code >= 500"
    (signal,) = catalog.signals
    assert (signal.metric, signal.divide_by, signal.by, signal.where) == (
        "in_use",
        "size",
        ("instance",),
        {"pool": "reads"},
    )
    (edge,) = catalog.path.to_pylist()
    assert edge["leaves"] == ["nginx/upstream.duration.p99"]
    assert (edge["mode"], edge["route"], edge["arrives"]) == ("sync", None, [])


def test_signals_and_path_need_not_be_there(case):
    catalog = read_catalog(case(signals=None, path=None))
    assert (catalog.signals, catalog.requests, catalog.path) == ((), None, None)


def test_sources_are_opened_lazily_and_once(case):
    folder = case()
    catalog = read_catalog(folder)
    source = catalog.open("nginx")
    assert catalog.open("nginx") is source
    (folder / "raw").mkdir()
    (folder / "raw" / "access.log").write_text('{"msec":1795494060.1,"request_time":0.1,"status":200,"uri":"/"}\n')
    day = Window.of("2026-11-24T00:00Z", "2026-11-25T00:00Z")
    assert source.count(day).table.to_pylist() == [{"n": 1.0}]
    with pytest.raises(BadInput, match=r"no source 'ngnix' \(did you mean nginx\?\)"):
        catalog.open("ngnix")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('path = "raw/access.log"', 'pth = "raw/access.log"', r"unknown key 'pth' \(did you mean path\?\)"),
        ('kind = "files"', 'kind = "fils"', r"no kind of source 'fils': did you mean files"),
        ('kind = "files"', "", r"\[sources.nginx\] has no kind"),
        ('table = "logs"', 'table = "log"', "table is 'log', not 'logs'"),
        ('format = "nginx_json"', 'format = "nginx_jsn"', "no file format 'nginx_jsn': did you mean nginx_json"),
        ('service = "nginx"', 'tz = "Europe/Berln"', "no time zone 'Europe/Berln'"),
        ('interval = "5s"', 'interval = "often"', "'often' is not a step"),
        ('"raw/access.log"', '"../other/access.log"', "leads out of the case's folder"),
        ('"raw/access.log"', '"/etc/passwd"', "leads out of the case's folder"),
        ('service = "nginx"', 'password = "x"', "holds 'password', which is a secret"),
        ('service = "nginx"', 'api_key = "x"', "holds 'api_key', which is a secret"),
        ('service = "nginx"', 'service = "${HOME}"', "holds a variable"),
        ('service = "nginx"', 'ui = "https://ann:pw@logs.example"', "holds a user name or password"),
        ("rows = 1000", "rows = 0", "rows is 0"),
        ("[budget]", "[buget]", r"unknown key 'buget' \(did you mean budget\?\)"),
        ('table = "logs"', 'table = "logs', "sources.toml is not whole TOML"),
    ],
)
def test_a_wrong_sources_file_is_one_sentence(case, old, new, said):
    assert old in SOURCES
    with pytest.raises(BadInput, match=said) as refused:
        read_catalog(case(SOURCES.replace(old, new, 1)))
    assert "\n" not in str(refused.value)
    assert "pw@" not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('source = "nginx"', 'source = "ngnix"', r"names the source 'ngnix'.*did you mean nginx"),
        ('"http.response.status_code >= 500"', '"length(x) > 3"', r"signals.toml \[requests\]"),
        ('kind = "saturation"', 'kind = "fullness"', "kind is 'fullness', not 'latency'"),
        ('metric = "in_use"', "", "metric is missing"),
        ("divide_by", "divided_by", r"unknown key 'divided_by' \(did you mean divide_by or"),
    ],
)
def test_a_wrong_signals_file_is_one_sentence(case, old, new, said):
    assert old in SIGNALS
    with pytest.raises(BadInput, match=said):
        read_catalog(case(signals=SIGNALS.replace(old, new, 1)))


def test_a_wrong_path_file_is_one_sentence(case):
    with pytest.raises(BadInput, match=r"path\.toml \[\[edge\]\] 1: kind is 'servce', not"):
        read_catalog(case(path=PATH.replace('"service"', '"servce"')))


def test_a_case_without_sources_says_what_to_do(tmp_path):
    with pytest.raises(BadInput, match=r"has no sources\.toml: write one, or let `incident-kit new"):
        read_catalog(tmp_path)


# --- credentials -----------------------------------------------------------------------------------------------------

ENVIRONMENT = {
    "INCIDENT_KIT_ORIGIN_LOGS": "https://logs.example/",
    "INCIDENT_KIT_TOKEN_LOGS": "t0ken",
    "INCIDENT_KIT_TOKEN_OTHER": "stray",
    "XDG_CONFIG_HOME": "/nonexistent",
}


def test_a_credential_is_bound_to_one_origin():
    found = credential_for("https://LOGS.example:443/_search", environment=ENVIRONMENT)
    assert found == Credential("https://logs.example:443", token="t0ken")
    assert found.headers() == {"Authorization": "Bearer t0ken"}
    for other in (
        "http://logs.example",
        "https://logs.example:9200",
        "https://logs.example.evil",
        "https://other.example",
    ):
        assert credential_for(other, environment=ENVIRONMENT) is None


def test_a_credential_never_shows_its_secret():
    found = credential_for("https://logs.example", environment=ENVIRONMENT)
    assert "t0ken" not in f"{found} {found!r}"


def test_the_users_file_must_be_the_users_alone(tmp_path):
    file = tmp_path / "credentials.toml"
    file.write_text('[[credential]]\norigin = "https://es.example:9200"\nuser = "kit"\npassword = "pw"\n')
    file.chmod(0o644)
    with pytest.raises(BadInput, match="may be read by others than you: chmod 600"):
        credential_for("https://es.example:9200", environment={}, file=file)
    file.chmod(0o600)
    found = credential_for("https://es.example:9200", environment={}, file=file)
    assert found.headers() == {"Authorization": "Basic a2l0OnB3"}
    assert credential_for("https://es.example", environment={}, file=file) is None


def test_an_address_is_http_and_holds_no_password():
    with pytest.raises(BadInput, match="is no http address"):
        origin_of("file:///etc/passwd")
    with pytest.raises(BadInput, match="holds a user name or password") as refused:
        origin_of("https://ann:pw@logs.example")
    assert "pw" not in str(refused.value).replace("password", "")
