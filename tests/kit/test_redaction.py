"""Nothing planted is left, in any pillar and any corner; what is innocent stays; a hit in the finished bytes fails."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w

from connectors.answers import Answers
from connectors.base import Answer, Fetch, canonical
from connectors.schema import conform
from connectors.window import Window
from kit.errors import BadCase, CheckFailed
from kit.export.notebook_file import notebook_file
from kit.export.page import build_page
from kit.findings import Findings
from kit.redaction.added_cells import add_own_cells
from kit.redaction.case_copy import learn_case, redact_inputs
from kit.redaction.profile import Profile, read_profile
from kit.redaction.pseudonyms import Pseudonyms, user_key
from kit.redaction.redactor import Redactor, is_pseudonym
from kit.redaction.scan import require_clean, scan_file
from kit.summary import Summary
from kit.walk import copy_notebooks
from tests.kit.planted_places import add_corners, everything, left_in, split
from tests.kit.planted_secrets import KINDS, planted

START = datetime(2026, 3, 1, 2, tzinfo=UTC)
HOUR = Window.of("2026-03-01T02:00Z", "2026-03-01T03:00Z")
KEY = b"a key for tests, as long as need" * 1
INCIDENT = {
    "id": "demo", "title": "Checkout is slow", "services": ["checkout", "postgres"],
    "look": {"start": START, "end": START + timedelta(hours=1)},
}  # fmt: skip


def keep(folder, source, question, table, query="SELECT 1", arguments=None):
    fetch = Fetch(source=source, question=question, query=query, window=HOUR, rows=table.num_rows, engine="files")
    Answers(folder).keep(Answer(table, fetch, canonical(arguments or {"window": HOUR})))


def logs(messages, **columns):
    times = [START + timedelta(seconds=i) for i in range(len(messages))]
    base = {"time": times, "seq": list(range(len(messages))), "weight": [1.0] * len(messages), "message": messages}
    return conform(pa.table({**base, **columns}), "LOGS")


def plant(folder, secrets):
    """A case with each kind's twelve secrets in twelve places: pillars, words of people, corners of a notebook."""
    folder.mkdir()
    by = [[s for s in secrets if secrets.index(s) % 12 == place] for place in range(12)]
    # the columns that give names and customer numbers away, as a case with a customers' log would have them
    people = [s.value for s in secrets if s.kind == "person's name"]
    numbers = [s.value for s in secrets if s.kind == "customer number"]
    keep(folder, "customers", "rows", logs(["seen"] * 12, **{"user.name": people, "customer_id": numbers}))
    keep(folder, "checkout", "rows", logs([s.text for s in by[0]]))
    keep(folder, "checkout", "sample", logs([split(s.text, s.value) for s in by[1]]))
    keep(folder, "nginx", "rows", logs([f"GET /back?to={quote(s.text, safe='')} 302" for s in by[2]]))
    keep(folder, "worker", "rows", logs([f"payload {base64.b64encode(s.text.encode()).decode()}" for s in by[3]]))
    spans = {
        "start": [START] * 25, "duration_s": [0.1] * 25, "trace_id": [f"{i:032x}" for i in range(25)],
        "span_id": [f"{i:016x}" for i in range(25)], "weight": [1.0] * 25,
        "db.query.text": [f"SELECT * FROM notes WHERE text = '{s.text}'" for s in by[4]],
    }  # fmt: skip
    keep(folder, "traces", "traces", conform(pa.table(spans), "SPANS"))
    metrics = {
        "time": [START] * 25, "signal": [f"checkout/seen{i}.gauge" for i in range(25)], "kind": ["other"] * 25,
        "name": [f"seen{i}" for i in range(25)], "stat": ["gauge"] * 25, "value": [1.0] * 25,
        "labels": [orjson.dumps({"note": s.text}).decode() for s in by[5]],
    }  # fmt: skip
    keep(folder, "prometheus", "metrics", conform(pa.table(metrics), "METRICS"), query=by[6][0].text)
    changes = {
        "id": [f"c{i}" for i in range(25)], "time": [START] * 25, "kind": ["config"] * 25,
        "summary": [s.text for s in by[6]],
    }  # fmt: skip
    keep(folder, "changes", "changes", conform(pa.table(changes), "CHANGES"))
    wide = pa.table({s.text: ["x"] for s in by[7]})
    keep(folder, "odd", "compare", wide, query="\n".join(s.text for s in by[7]))
    rows = [orjson.dumps({"time": "2026-03-01T02:05:00Z", "fact": s.text}) for s in by[8]]
    (folder / "timeline.jsonl").write_bytes(b"\n".join(rows))
    (folder / "postmortem.md").write_text("# Draft\n\n" + "\n\n".join(s.text for s in by[9]))
    (folder / "incident.toml").write_text(tomli_w.dumps(INCIDENT))
    (folder / "sources.toml").write_text(
        tomli_w.dumps(
            {"sources": {"checkout": {"kind": "files", "table": "logs", "path": f"raw/{by[9][15].value}.log"}}}
        )
    )
    (folder / "redaction.toml").write_text('[[pattern]]\nname = "employee"\nregex = "EMP-[0-9]{6}"\n')
    Findings(folder).write("00", "Symptom", {"verdict": "healthy"}, rests_on=[next(iter(Answers(folder))).evidence])
    copy_notebooks(folder / "notebooks", case_path="..")
    add_corners(folder / "notebooks" / "05_read_the_spot.ipynb", by[10], by[11])
    return folder


@pytest.fixture(scope="module")
def planted_case(tmp_path_factory):
    secrets = planted()
    return plant(tmp_path_factory.mktemp("planted") / "case", secrets), secrets


@pytest.fixture(scope="module")
def redacted(planted_case, tmp_path_factory):
    """The planted case redacted: its folder with a page and a notebook, the redactor, and what was planted."""
    base = tmp_path_factory.mktemp("redaction")
    case, secrets = planted_case
    redactor = Redactor(
        read_profile("vendor", case=case, environment={"XDG_CONFIG_HOME": str(base)}),
        Pseudonyms(KEY),
        services=("checkout", "postgres", "nginx"),
    )
    learn_case(case, redactor)
    copy = base / "copy"
    redact_inputs(case, copy, redactor)
    notebooks = copy_notebooks(copy / "notebooks", case_path="..")
    add_own_cells(case, copy, redactor)
    (copy / "index.html").write_text(build_page(copy, title="Demo", zone="UTC", notebooks=notebooks, band=None))
    whole = notebook_file(notebooks, summary=Summary("Demo", (), ()), band=None, notes=())
    (copy / "walk.ipynb").write_bytes(whole)
    return copy, redactor, secrets


def test_three_hundred_secrets_of_twenty_five_kinds_are_planted():
    secrets = planted()
    assert len(secrets) == len({s.value for s in secrets}) == 300
    assert len(KINDS) == 25


def test_every_planted_secret_can_be_read_before_redaction(planted_case):
    case, secrets = planted_case
    left = {s.value for s in left_in("\n".join(everything(case)), secrets)}
    assert left == {s.value for s in secrets}


def test_none_of_the_planted_secrets_is_left(redacted):
    copy, _, secrets = redacted
    left = {s.kind: s.value for s in left_in("\n".join(everything(copy)), secrets)}
    assert left == {}


def test_the_finished_files_pass_the_scan(redacted):
    copy, redactor, _ = redacted
    from kit.export.page import inlined_scripts

    require_clean(copy, redactor, known_parts=inlined_scripts())


def test_a_hit_in_the_finished_bytes_fails_and_never_says_the_value(redacted, tmp_path):
    _, redactor, secrets = redacted
    card = next(s.value for s in secrets if s.kind == "card")
    name = next(s.value for s in secrets if s.kind == "person's name")
    page = tmp_path / "page.html"
    page.write_text(
        f"<title>x</title><p id=a>paid with {card[:6]}<b>{card[6:]}</b></p><img alt='{name}'><!-- bob@shop.example -->"
    )
    with pytest.raises(CheckFailed) as failed:
        require_clean(page, redactor)
    said = str(failed.value)
    assert "card number" in said
    assert "learnt value" in said
    assert "a comment: e-mail" in said
    assert card not in said
    assert name not in said


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        ('<a href="#ev_002035dbbdb36287">002035</a> <a href="#ev_02773804c4b5d310">027738</a>', []),
        ("002035 027738", ["telephone"]),
        ('<a href="#ev_002035dbbdb36287">0049 30 901820</a>', ["telephone"]),
        ('<a href="#ev_002035dbbdb36287">002035</a> +49 <b>30</b> 901820', ["telephone"]),
        ('<a href="#about">002035</a> <a href="#about">027738</a>', ["telephone"]),
        ('<a href="#ev_002035dbbdb36287">002035</a><i>0049 30</i> 901820', ["telephone"]),
    ],
)
def test_digits_of_an_evidence_id_are_no_telephone_number_but_any_other_is(tmp_path, shown, says):
    page = tmp_path / "page.html"
    page.write_text(f"<p>rests on two recorded answers {shown}</p>")
    assert [leak.found_by for leak in scan_file(page, plain())] == says


def test_a_table_is_read_with_its_names_and_metadata(redacted, tmp_path):
    _, redactor, _ = redacted
    table = pa.table({"bob@shop.example": ["fine"]}).replace_schema_metadata({"note": "password=Xy7Kq02b"})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(CheckFailed, match=r"its metadata: key by name.*a column's name: e-mail"):
        require_clean(tmp_path / "t.parquet", redactor)


def plain(profile="vendor", **more):
    return Redactor(Profile(profile, **more), Pseudonyms(KEY), services=("checkout",))


@pytest.mark.parametrize(
    "text",
    [
        "GET /orders/1604122 503 in 12 ms at 2026-11-24T04:36:48.007Z",
        "trace 01a20bc9db8670000000000000000306 span 000000000000030c",
        "image registry/checkout@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "commit 540615d9fb5571262eb4e9c11fe847c41fb3cd07 by nobody",
        "request_id=01HXYZ7Q8RKD3N5B2C9VWM4TFA",
        "at org.apache.hadoop.mapreduce.v2.app.rm.RMContainerAllocator$ScheduleStats.updateAndLogIfChanged",
        "pod checkout-7f9c8d6b5d-x2x4z on ip-range node-12 restarted 3 times",
        "Chrome/120.0.6099.71 Safari/537.36, v1.2.3.4, listening on 127.0.0.1:8080 and 0.0.0.0",
        "max_tokens=4096 completion_tokens: 512 password_policy=strict token=null secret=${DB_SECRET} auth=failed",
        "std::vector<int>::iterator, 04:37:58, Foo::Bar, 12:34:56:789",
        "order 4111111111111112 of 1795494109145000, step 5105105105105101",
        "logo@2x.png from git@github.com:shop/checkout.git",
        "checkout@checkout-1.shop.internal/http.server.request.duration.p99",
        "Failed password for root from nowhere; the session was opened",
        "users: 12, user: 0.00 s, system: 0.01 s",
        "Mail[11203]: Unrecognized attribute; stat=Deferred, dsn=4.0.0; ProcessThread(sid:1 cport:-1)",
        "From a change to 4xx for users: every link has evidence",
        'SELECT "time", "user.name", "route", "session_id", "started" FROM logs GROUP BY "user.name", "route"',
        "us-east-1-production-checkout-service-2024-01-15-backup",
        f"{'9f86d081' * 8}  data/snapshots/ev_0123456789abcdef.parquet\n{'a3bf4f1b' * 8}  data/incident.toml",
        "VGhpcyBpcyBhIHBsYWluIHNlbnRlbmNlLg== says nothing",
    ],
)
def test_what_is_innocent_stays(text):
    assert plain().text(text) == text


def test_a_value_has_one_pseudonym_in_every_pillar():
    redactor = plain()
    redactor.learn("ada@example.org", "personal")
    table = pa.table({"user.email": ["Ada@example.org"], "message": ["mail to ada@example.org"]})
    from kit.redaction.tables import redact_table

    made = redact_table(table, redactor)
    name = made.column("user.email")[0].as_py()
    assert is_pseudonym(name)
    assert made.column("message")[0].as_py() == f"mail to {name}"
    assert redactor.text("GET /?to=ada%40example.org") == f"GET /?to={name}"


def test_numbers_about_persons_stay_numbers_and_other_types_keep_theirs():
    from kit.redaction.tables import redact_table

    table = pa.table(
        {
            "customer_id": pa.array([1604122, None, 1604122], pa.int64()),
            "latitude": pa.array([52.5, 1.0, None]),
            "route": pa.array(["/pay", "/pay", None]).dictionary_encode(),
        }
    )
    made = redact_table(table, plain())
    assert made.schema.types == table.schema.types
    first, nothing, last = made.column("customer_id").to_pylist()
    assert nothing is None
    assert first == last != 1604122
    assert made.column("latitude").null_count == 3
    assert made.column("route").to_pylist() == ["/pay", "/pay", None]


def test_small_answers_name_the_field_in_a_row_of_their_own():
    from kit.redaction.tables import learn_table, redact_table

    table = pa.table({"field": ["user.name", "route"], "value": ["Grace", "/pay"], "bad": [3.0, 2.0]})
    redactor = plain()
    learn_table(table, redactor)
    made = redact_table(table, redactor)
    assert is_pseudonym(made.column("value")[0].as_py())
    assert made.column("value")[1].as_py() == "/pay"
    assert "Grace" not in redactor.text("asked by Grace, gracefully")
    assert redactor.text("asked by Grace, gracefully").endswith(", gracefully")


def test_a_secret_torn_over_two_rows_is_taken_out_of_both():
    from kit.redaction.tables import redact_table

    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    rows = logs([f"cloning with {token[:20]}", f"{token[20:]} done", "one line", "another line"])
    made = redact_table(rows, plain()).column("message").to_pylist()
    assert token[:20] not in made[0]
    assert token[20:] not in made[1]
    assert made[1].endswith(" done")
    assert made[2:] == ["one line", "another line"]


def test_profiles_take_out_more_the_further_a_page_goes():
    text = "https://wiki.shop.example/x from 10.1.2.3 and 198.51.100.7 by 00:1a:2b:3c:4d:5e"
    internal, vendor, public = (plain(p).text(text) for p in ("internal", "vendor", "public"))
    assert "10.1.2.3" in internal
    assert "10.1.2.3" not in vendor
    assert "00:1a:2b:3c:4d:5e" in internal
    assert "00:1a:2b:3c:4d:5e" not in vendor
    assert "wiki.shop.example" in vendor
    assert "wiki.shop.example" not in public
    assert "8.8.4.4" not in plain("internal").text("asked 8.8.4.4")


def test_the_key_is_made_once_and_for_the_user_alone(tmp_path):
    file = tmp_path / "config" / "redaction.key"
    key = user_key(file=file)
    assert len(key) == 32
    assert user_key(file=file) == key
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    with pytest.raises(BadCase, match="chmod 600"):
        user_key(file=file)


def test_a_case_may_add_patterns_but_keep_nothing(tmp_path):
    (tmp_path / "redaction.toml").write_text('keep = ["ada@example.org"]\n')
    with pytest.raises(BadCase, match="may not keep"):
        read_profile("vendor", case=tmp_path, environment={"XDG_CONFIG_HOME": str(tmp_path / "none")})


def test_the_users_own_file_keeps_values_and_names_columns(tmp_path):
    own = tmp_path / "incident-kit"
    own.mkdir()
    (own / "redaction.toml").write_text('keep = ["help@shop.example"]\npersonal = ["badge"]\n')
    profile = read_profile("internal", environment={"XDG_CONFIG_HOME": str(tmp_path)})
    redactor = Redactor(profile, Pseudonyms(KEY))
    assert redactor.text("ask help@shop.example") == "ask help@shop.example"
    assert redactor.told("badge") == "personal"
    with pytest.raises(BadCase, match="no redaction profile"):
        read_profile("friends")


def test_a_pattern_that_is_none_is_named(tmp_path):
    (tmp_path / "redaction.toml").write_text('[[pattern]]\nname = "bad"\nregex = "(a"\n')
    with pytest.raises(BadCase, match="'bad' is no RE2 expression"):
        read_profile("vendor", case=tmp_path, environment={"XDG_CONFIG_HOME": str(tmp_path / "none")})


def test_what_redaction_changed_is_named_and_a_pseudonym_is_no_change():
    from kit.redaction.changed import compare_findings

    redactor = plain()
    name = redactor.text("ada@example.org")
    before = {"verdict": "incident", "gaps": ["no logs of ada@example.org"], "impact": {"failed": {"value": 111.0}}}
    after = {"verdict": "incident", "gaps": [f"no logs of {name}"], "impact": {"failed": {"value": 112.0}}}
    changes = compare_findings(before, after, redactor=redactor, evidence={})
    assert [c.key for c in changes] == ["impact.failed.value"]
    assert str(changes[0]) == "impact.failed.value: 111.0 before, 112.0 after redaction"


def test_a_question_is_asked_again_in_the_words_of_the_redacted_answers():
    from kit.redaction.arguments import redact_arguments

    redactor = plain()
    redactor.learn("Grace", "personal")
    made = orjson.loads(redact_arguments(canonical({"where": "user.name = 'Grace'", "n": 3}), redactor))
    name = redactor.whole("Grace", "personal")
    assert made["n"] == 3
    assert made["where"].count(name) == 1
    assert "Grace" not in made["where"]


def test_of_a_text_that_came_out_otherwise_nothing_from_before_is_told():
    from kit.redaction.changed import compare_findings

    before = {"hypotheses": [{"id": "declined-4234533100405984-51", "digest": "1a", "statement": "declined it"}]}
    after = {"hypotheses": [{"id": "declined-card-nc6rxf7gtte7k-51", "digest": "2b", "statement": "declined card"}]}
    changes = compare_findings(before, after, redactor=plain(), evidence={})
    assert [str(c) for c in changes] == ["hypotheses[0].statement: another text before, declined card after redaction"]


def test_a_tenant_that_is_a_number_is_a_customer_and_a_plan_is_none():
    from kit.redaction.tables import learn_table, redact_table

    redactor = plain()
    table = pa.table({"tenant": ["60485099", "business"], "message": ["basket of 60485099", "upgraded to business"]})
    learn_table(table, redactor)
    made = redact_table(table, redactor)
    number, plan = made.column("tenant").to_pylist()
    assert is_pseudonym(number)
    assert plan == "business"
    assert made.column("message").to_pylist() == [f"basket of {number}", "upgraded to business"]
    counts = redact_table(pa.table({"tenant": pa.array([60485099, 60485100]), "n": [5, 5]}), redactor)
    assert 60485099 not in counts.column("tenant").to_pylist()
    assert redact_table(pa.table({"tenant": pa.array([3, 4])}), redactor).column("tenant").to_pylist() == [3, 4]


def test_a_span_id_of_digits_alone_is_no_card_number():
    from kit.redaction.tables import learn_table, redact_table

    redactor = plain()
    spans = pa.table({"span_id": ["3534381200001629", "353438120000161e"]})
    fields = pa.table({"name": ["span_id"], "top": ['[["3534381200001629",1.0],["353438120000161e",1.0]]']})
    paid = pa.table({"ref": ["3534381200001629", "4111111111111111"]})
    learn_table(fields, redactor)
    assert redact_table(spans, redactor) == spans
    assert redact_table(fields, redactor) == fields
    other = plain()
    learn_table(paid, other)
    assert is_pseudonym(redact_table(paid, other).column("ref")[1].as_py())


def test_a_line_of_code_gives_no_persons_name_away():
    redactor = plain()
    redactor.learn_text(['    customer = body["customer"]', "user: ottoline"])
    assert redactor.text("the body of ottoline's request").startswith("the body of user_")
