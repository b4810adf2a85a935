"""Each class of failure is named by its own signs, and by nothing else when its rule is left out."""

from __future__ import annotations

import pandas as pd
import pytest

from connectors.window import Window
from kit.changes import rank_changes
from kit.classify import NAMES, RULES, classify, rule_table
from kit.failure_kinds import count_failures
from kit.findings import FAILURES
from kit.golden_signals import read_signals
from kit.signs import gather_signs
from tests.kit.test_golden_signals import BASELINE, INCIDENT, TIMES, series

PATH = pd.DataFrame(
    {
        "caller": ["client", "web", "web", "web", "web"],
        "callee": ["web", "postgres", "fraud", "jobs", "mail"],
        "kind": ["lb", "database", "third_party", "queue", "service"],
    }
)
DEPLOY = {
    "id": "d1",
    "time": "2026-03-01T02:14:40Z",
    "kind": "deploy",
    "service": "web",
    "summary": "web 4.7",
    "ref": "web-4.7",
}
QUIET = {
    "web/requests.duration.p99": (0.1, 0.1),
    "web/requests.duration.p50": (0.03, 0.03),
    "web/requests.count": (300, 300),
    "web/requests.errors_ratio": (0.001, 0.001),
    "web/db.client.connection.usage_ratio.ratio": (0.3, 0.3),
    "web/db.client.operation.duration.p99": (0.02, 0.02),
    "web/http.client.fraud.duration.p99": (0.05, 0.05),
    "web/http.client.fraud.failures.delta": (1, 1),
    "host/system.cpu.utilization.ratio": (0.3, 0.3),
    "jobs/messaging.queue.depth.gauge": (10, 10),
    "host/system.filesystem.usage.ratio": (0.5, 0.5),
}


def board(**moved):
    """A quiet board, with these signals moved: the key is the last unmistakable part of the name."""
    values = dict(QUIET)
    for part, pair in moved.items():
        hits = [k for k in values if part.replace("_", ".") in k.replace("_", ".")]
        assert len(hits) == 1, (part, hits)
        values[hits[0]] = pair
    wide = pd.DataFrame({k: series(*v, noise=0.02, seed=n) for n, (k, v) in enumerate(values.items())}, index=TIMES)
    return read_signals(wide, baseline=BASELINE, incident=INCIDENT)


def suspects(*changes):
    frame = pd.DataFrame(list(changes) or [DEPLOY])
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601")
    return rank_changes(frame, INCIDENT.start, path=PATH, symptom="web")


def failing(status: int, *, duration: float = 0.05, attempts: float = 1, usual_attempts: float = 1):
    """Requests every second: good before, then four in ten failing like this."""
    at = pd.date_range("2026-03-01T02:00Z", "2026-03-01T02:20Z", freq="1s")
    bad = (at >= pd.Timestamp(INCIDENT.start)) & (pd.Series(range(len(at))).to_numpy() % 10 < 4)
    rows = pd.DataFrame({"time": at, "duration_s": 0.05, "http.response.status_code": 200, "attempts": usual_attempts})
    rows.loc[bad, "http.response.status_code"] = status
    rows.loc[bad, "duration_s"] = duration
    rows.loc[at >= pd.Timestamp(INCIDENT.start), "attempts"] = attempts
    return count_failures(rows, baseline=BASELINE, incident=INCIDENT)


def templates(*lines: str):
    return pd.DataFrame({"template": lines, "class": "new", "ratio": float("inf")})


def differs(field: str, value: str):
    return pd.DataFrame(
        [
            {
                "predicate": f"{field} = '{value}'",
                "depth": 1,
                "sign": "more",
                "fields": (field,),
                "values": (value,),
                "bad_share": 0.98,
                "good_share": 0.3,
                "explains": 0.95,
            }
        ]
    )


JOB = pd.DataFrame(
    {
        "kind": ["job"],
        "time": pd.to_datetime(["2026-03-01T02:14:50Z"]),
        "until": pd.to_datetime(["2026-03-01T02:18:05Z"]),
        "summary": ["nightly report"],
    }
)


class Episode:
    """What `classify` reads of an episode that ended at 02:18."""

    onset = "2026-03-01T02:15:00Z"
    recovered = "2026-03-01T02:18:00Z"

    class _Reading:
        signal, route, before, now, ill = "errors_ratio", None, 0.001, 0.4, True

    readings = (_Reading(),)


CASES = {
    "pool_starved": lambda: {
        "board": board(usage_ratio_ratio=(0.3, 1.0), requests_errors=(0.001, 0.2), operation=(0.02, 1.5)),
        "suspects": suspects(),
    },
    "overload": lambda: {"board": board(requests_count=(300, 800), requests_errors=(0.001, 0.2), cpu=(0.3, 0.97))},
    "retry_storm": lambda: {
        "board": board(requests_errors=(0.001, 0.2), cpu=(0.3, 0.97)),
        "failures": failing(503, attempts=3),
    },
    "bad_change": lambda: {"board": board(requests_errors=(0.001, 0.3)), "suspects": suspects()},
    "client_contract": lambda: {"board": board(), "failures": failing(422), "suspects": suspects()},
    "auth_misconfiguration": lambda: {"board": board(), "failures": failing(401)},
    "slow_dependency": lambda: {
        "board": board(requests_duration_p99=(0.1, 3.0), fraud_duration=(0.05, 2.9)),
        "suspects": suspects(),
    },
    "certificate_expired": lambda: {
        "board": board(requests_errors=(0.001, 0.3), fraud_failures=(1, 90)),
        "failures": failing(502),
        "templates": templates("certificate verify failed: certificate has expired"),
    },
    "disk_full": lambda: {
        "board": board(requests_errors=(0.001, 0.3), filesystem=(0.5, 0.999)),
        "templates": templates("could not extend file <*>: No space left on device"),
    },
    "scheduled_job": lambda: {
        "board": board(requests_duration_p99=(0.1, 2.0), operation=(0.02, 1.9)),
        "symptom": Episode(),
        "jobs": JOB,
    },
    "queue_backlog": lambda: {"board": board(queue_depth=(10, 4000))},
    "fail_fast": lambda: {
        "board": board(requests_errors=(0.001, 0.4), fraud_failures=(1, 90)),
        "failures": failing(500, duration=0.002),
        "suspects": rank_changes(
            pd.DataFrame(columns=["id", "time", "kind", "summary"]).assign(time=pd.to_datetime([], utc=True)),
            INCIDENT.start,
        ),
    },
    "one_location": lambda: {"board": board(requests_errors=(0.001, 0.2)), "differences": differs("zone", "eu-1b")},
    "traffic_lost": lambda: {"board": board(requests_count=(300, 40))},
}


def named(given, **more) -> str:
    given = dict(given)
    return classify(given.pop("board"), **{"path": PATH, "entry": "web", **given, **more}).name


@pytest.mark.parametrize("name", CASES)
def test_the_class_is_named(name):
    assert named(CASES[name]()) == name


@pytest.mark.parametrize("name", CASES)
def test_without_its_rule_no_other_class_takes_it(name):
    assert named(CASES[name](), without=(name,)) == "unclassified"


def test_a_leak_is_told_by_its_long_climb():
    wide = pd.DataFrame({k: series(*v, noise=0.02, seed=n) for n, (k, v) in enumerate(QUIET.items())}, index=TIMES)
    wide["web/process.memory.usage.gauge"] = [1e8 * 1.03**n for n in range(80)]
    wide["web/requests.errors_ratio"] = series(0.001, 0.2)
    found = read_signals(wide, baseline=BASELINE, incident=INCIDENT)
    assert classify(found, path=PATH, entry="web").name == "resource_leak"
    assert classify(found, path=PATH, entry="web", without=("resource_leak",)).name == "unclassified"


def test_a_quiet_board_is_healthy_even_right_after_a_deploy():
    diagnosis = classify(board(), suspects=suspects(), path=PATH, entry="web")
    assert diagnosis.name == "healthy"
    assert diagnosis.action == ""


def test_an_inner_signal_alone_hurts_nobody():
    assert classify(board(cpu=(0.3, 0.97)), path=PATH, entry="web").name == "healthy"


def test_without_the_entry_it_cannot_be_told():
    wide = pd.DataFrame({"web/requests.errors_ratio": series(0.001, 0.001)}, index=TIMES)
    wide.iloc[60:, 0] = float("nan")
    found = read_signals(wide, baseline=BASELINE, incident=INCIDENT)
    assert classify(found, entry="web").name == "cannot_tell"


def test_errors_with_nothing_else_are_unclassified_with_their_numbers():
    diagnosis = classify(board(requests_errors=(0.001, 0.3)), path=PATH, entry="web")
    assert diagnosis.name == "unclassified"
    assert any("errors rose" in reason for reason in diagnosis.because)
    assert "bad_change" in dict(diagnosis.rivals)


def test_a_full_pool_right_after_a_deploy_is_not_called_a_bad_change():
    diagnosis = classify(**CASES["pool_starved"](), path=PATH, entry="web")
    assert diagnosis.action == "read the query plan"
    assert any("pool full" in reason for reason in diagnosis.because)
    assert "bad_change" in dict(diagnosis.rivals)
    assert "pool full" in dict(diagnosis.rivals)["bad_change"]


def test_a_pool_filled_by_a_slow_third_party_is_the_third_partys():
    found = board(usage_ratio_ratio=(0.3, 1.0), requests_duration_p99=(0.1, 3.0), fraud_duration=(0.05, 2.9))
    assert classify(found, path=PATH, entry="web").name == "slow_dependency"


def test_more_traffic_made_of_attempts_is_no_overload():
    found = board(requests_count=(300, 800), requests_errors=(0.001, 0.2))
    assert classify(found, failures=failing(503, attempts=3), entry="web", path=PATH).name != "overload"


def test_every_class_of_the_findings_has_a_rule_and_every_rule_its_signs():
    assert set(NAMES) == set(FAILURES) - {"unclassified"}
    known = {sign.name for sign in gather_signs(board())}
    used = {n for rule in RULES for need in (*rule.needs, *rule.spoils, *rule.helps) for n in need.split("|")}
    assert used <= known
    assert all(rule.action and rule.says for rule in RULES)
    assert rule_table()["class"].tolist()[0] == "traffic_lost"


def test_what_was_not_given_is_unknown():
    signs = {sign.name: sign.held for sign in gather_signs(board())}
    assert signs["change_lines_up"] is None
    assert signs["certificate_says"] is None
    assert signs["pool_full"] is False


def test_kinds_of_failure_are_told_apart_and_timeouts_cluster():
    assert failing(403).share("401/403")[1] == pytest.approx(0.4, abs=0.01)
    assert failing(499).share("other 4xx")[1] == 0
    assert failing(504, duration=3.0).fixed_s == pytest.approx(3.0)
    assert failing(500, duration=0.05).fixed_s is None
    assert "5xx" in failing(500).headline
    quiet = Window.of("2026-03-01T02:05Z", "2026-03-01T02:10Z")
    rows = pd.DataFrame({"time": TIMES, "duration_s": 0.1, "http.response.status_code": 200})
    assert (
        count_failures(rows, baseline=BASELINE, incident=quiet).headline == "No kind of failure became more frequent."
    )


@pytest.mark.parametrize(
    ("line", "spoken"),
    [
        ("no free connection in pool reads after <*> s", True),
        ("QueuePool limit of size <*> overflow <*> reached", True),
        ("connection reset by peer", False),
        ("order <*> stored", False),
    ],
)
def test_lines_that_speak_of_the_pool(line, spoken):
    signs = {sign.name: sign.held for sign in gather_signs(board(), templates=templates(line))}
    assert signs["pool_says"] is spoken


def with_memory(values: list[float], **moved):
    frame = pd.DataFrame({k: series(*v, noise=0.02, seed=n) for n, (k, v) in enumerate(QUIET.items())}, index=TIMES)
    frame["web/process.memory.usage.gauge"] = values
    frame["web/requests.errors_ratio"] = series(0.001, 0.2)
    return read_signals(frame, baseline=BASELINE, incident=INCIDENT)


def test_memory_that_climbs_and_drops_again_and_again_is_a_leak_and_undone_as_its_change_demands():
    teeth = [1e8 * (1 + 0.15 * (n % 5)) for n in range(20)]
    found = with_memory([1e8] * 60 + teeth)
    diagnosis = classify(found, path=PATH, entry="web", suspects=suspects())
    assert diagnosis.name == "resource_leak"
    assert diagnosis.action.startswith("roll back web-4.7;")
    left_out = classify(found, path=PATH, entry="web", suspects=suspects(), without=("resource_leak",))
    assert left_out.name == "unclassified"


@pytest.mark.parametrize(
    "values",
    [
        [1e8 * (1 + 0.15 * (n % 5)) for n in range(80)],  # it does so all day, as a heap that is swept
        [1e8] * 60 + [2e8] + [1e8] * 12 + [2e8] + [1e8] * 6,  # two processes for a moment at each deploy
        [1e8] * 60 + [1.6e8] * 20,  # a step
    ],
)
def test_a_sweep_a_deploy_and_a_step_are_no_sawtooth(values):
    assert classify(with_memory(values), path=PATH, entry="web", suspects=suspects()).name == "bad_change"


def test_a_pool_that_fills_while_a_job_runs_is_the_jobs():
    given = {"board": board(usage_ratio_ratio=(0.3, 1.0), requests_errors=(0.001, 0.2)), "symptom": Episode()}
    assert named(given, jobs=JOB) == "scheduled_job"
    assert named(given, jobs=JOB, without=("scheduled_job",)) == "unclassified"
    assert named(given, jobs=JOB.assign(until=pd.to_datetime(["2026-03-01T02:16:00Z"]))) == "pool_starved"


@pytest.mark.parametrize(
    ("change", "action"),
    [
        ({"kind": "flag", "ref": "gifts", "summary": "gifts on", "after": "True"}, "switch the flag off (gifts)"),
        (
            {"kind": "flag", "ref": "gifts", "summary": "gifts off", "after": "False"},
            "switch the flag on again (gifts)",
        ),
        ({"kind": "config", "ref": "limits", "summary": "limits"}, "put the configuration back (limits)"),
        ({"kind": "deploy", "ref": "web-4.7", "summary": "web 4.7"}, "roll back web-4.7"),
        ({"kind": "schema", "ref": "0042", "summary": "drop index"}, "undo the migration 0042"),
    ],
)
def test_what_to_do_follows_from_the_kind_of_change(change, action):
    given = {"board": board(requests_errors=(0.001, 0.3)), "suspects": suspects({**DEPLOY, **change})}
    diagnosis = classify(given["board"], suspects=given["suspects"], path=PATH, entry="web")
    assert (diagnosis.name, diagnosis.action) == ("bad_change", action)


def test_users_who_are_refused_after_a_change_are_no_bad_change_without_the_rule_of_the_contract():
    given = {"board": board(requests_errors=(0.001, 0.3)), "failures": failing(422), "suspects": suspects()}
    assert named(given) == "client_contract"
    assert named(given, without=("client_contract",)) == "unclassified"
