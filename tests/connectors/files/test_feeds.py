"""Changes and alerts as other tools report them; payloads small, with the keys and forms of the real ones."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from connectors.errors import BadInput

from .reading import read, rows, told

AT = datetime(2026, 11, 24, 4, 13, tzinfo=UTC)
T = "2026-11-24T04:13:00Z"
LATER = "2026-11-24T04:15:00Z"
MS = 1795493580000
SHA = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"
REPO = {"name": "checkout", "owner": {"login": "ann"}}
DEPLOYMENT = {
    "id": 7, "sha": SHA, "ref": "v4.7", "task": "deploy", "environment": "production", "created_at": T,
    "creator": {"login": "ann"}, "url": "https://api/7",
}  # fmt: skip
RUN = {
    "id": 9, "name": "Deploy", "head_branch": "main", "head_sha": SHA, "run_number": 3, "status": "completed",
    "conclusion": "success", "created_at": T, "updated_at": LATER, "actor": {"login": "ann"},
}  # fmt: skip
EVENT = {
    "kind": "Event",
    "metadata": {"name": "e1", "uid": "u1"},
    "type": "Normal",
    "firstTimestamp": T,
    "lastTimestamp": LATER,
    "involvedObject": {"kind": "Pod", "name": "checkout-7d9f8b6c5d-x2x4z"},
    "reason": "Killing",
    "message": "Stopping",
}
FEEDS = {
    "github deployment": (
        {"deployment": DEPLOYMENT, "repository": REPO, "workflow_run": None},
        {"kind": "deploy", "service": "checkout", "ref": "v4.7", "after": SHA[:10], "environment": "production"},
    ),
    "github deployments list": ([DEPLOYMENT], {"kind": "deploy", "ref": "v4.7"}),
    "github status": (
        {"deployment_status": {"state": "failure", "created_at": LATER}, "deployment": DEPLOYMENT, "repository": REPO},
        {"kind": "deploy", "summary": "deploy checkout v4.7 to production (failed)", "until": AT.replace(minute=15)},
    ),
    "github run": ({"workflow_runs": [RUN]}, {"kind": "deploy", "summary": "Deploy: success on main"}),
    "github tests": ({"workflow_run": {**RUN, "name": "Tests"}, "action": "completed"}, {"kind": "job"}),
    "github release": (
        {"action": "published", "release": {"id": 1, "tag_name": "v4.7", "published_at": T}, "repository": REPO},
        {"kind": "other", "ref": "v4.7", "service": "checkout", "takes_effect": "restart"},
    ),
    "gitlab": (
        [
            {
                "id": 4,
                "sha": SHA,
                "ref": "main",
                "created_at": T,
                "status": "success",
                "environment": {"name": "prod"},
                "deployable": {},
            }
        ],
        {"kind": "deploy", "environment": "prod", "summary": "deploy main to prod (success)"},
    ),
    "argo": (
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "checkout"},
            "status": {"history": [{"id": 0, "revision": SHA, "deployStartedAt": T, "deployedAt": LATER}]},
        },
        {"kind": "deploy", "service": "checkout", "after": SHA[:10], "until": AT.replace(minute=15)},
    ),
    "helm": (
        [
            {
                "revision": 3,
                "updated": T,
                "status": "deployed",
                "chart": "checkout-1.2.3",
                "app_version": "4.7",
                "description": "Upgrade complete",
            }
        ],
        {
            "kind": "deploy",
            "service": "checkout",
            "after": "4.7",
            "summary": "checkout-1.2.3 revision 3: Upgrade complete",
        },
    ),
    "kubernetes": (
        {"kind": "List", "items": [EVENT]},
        {"kind": "restart", "service": "checkout", "workload": "checkout", "instance": "checkout-7d9f8b6c5d-x2x4z"},
    ),
    "kubernetes scaling": (
        {**EVENT, "involvedObject": {"kind": "Deployment", "name": "checkout"}, "reason": "ScalingReplicaSet"},
        {"kind": "scale", "service": "checkout"},
    ),
    "launchdarkly": (
        {
            "items": [
                {
                    "_id": "x",
                    "date": MS,
                    "kind": "flag",
                    "name": "new-cart",
                    "titleVerb": "turned on the flag",
                    "member": {"email": "ann@example.org"},
                    "target": {"resources": ["proj/shop:env/prod:flag/new-cart"]},
                }
            ]
        },
        {"kind": "flag", "ref": "new-cart", "environment": "prod", "summary": "turned on the flag new-cart"},
    ),
    "unleash": (
        {
            "version": 1,
            "events": [
                {
                    "id": 5,
                    "type": "feature-environment-enabled",
                    "createdAt": T,
                    "createdBy": "ann",
                    "featureName": "new-cart",
                    "environment": "prod",
                }
            ],
        },
        {"kind": "flag", "ref": "new-cart", "before": "off", "after": "on"},
    ),
    "grafana": (
        [
            {
                "id": 3,
                "dashboardUID": "d",
                "dashboardId": 1,
                "time": MS,
                "timeEnd": 0,
                "text": "<b>4.7</b> out",
                "tags": ["deploy"],
                "login": "ann",
            }
        ],
        {"kind": "deploy", "summary": "4.7 out (deploy)"},
    ),
    "statuspage": (
        {
            "page": {"name": "Pay"},
            "incidents": [
                {
                    "id": "i",
                    "name": "Slow charges",
                    "status": "resolved",
                    "impact": "major",
                    "created_at": T,
                    "resolved_at": LATER,
                    "components": [{"name": "API"}],
                }
            ],
        },
        {"kind": "dependency", "summary": "Slow charges (major; API)", "until": AT.replace(minute=15)},
    ),
    "cloudtrail": (
        {
            "Records": [
                {
                    "eventID": "e",
                    "eventTime": T,
                    "eventName": "UpdateService",
                    "eventSource": "ecs.amazonaws.com",
                    "awsRegion": "eu-west-1",
                    "readOnly": False,
                    "userIdentity": {"userName": "ann"},
                },
                {
                    "eventID": "f",
                    "eventTime": T,
                    "eventName": "DescribeTasks",
                    "eventSource": "ecs.amazonaws.com",
                    "readOnly": True,
                },
            ]
        },
        {"kind": "deploy", "region": "eu-west-1", "summary": "ecs UpdateService"},
    ),
}


@pytest.mark.parametrize("name", FEEDS)
def test_a_feed_becomes_one_canonical_change_that_names_nobody(tmp_path, name):
    document, wanted = FEEDS[name]
    text = orjson.dumps(document)
    assert told(tmp_path, text, name="feed.json") == "change_feeds"
    reading = read(tmp_path, "change_feeds", text)
    (row,) = rows(reading)
    assert row["time"] == AT
    assert {key: row[key] for key in wanted} == wanted
    assert "ann" not in str([v for k, v in row.items() if k not in ("summary",)]).replace("channel", "")
    assert reading.faults == ()


def test_what_has_not_happened_yet_is_no_change(tmp_path):
    queued = {"workflow_run": {**RUN, "status": "queued", "conclusion": None}}
    assert rows(read(tmp_path, "change_feeds", orjson.dumps(queued))) == []
    pending = {"deployment_status": {"state": "pending", "created_at": T}, "deployment": DEPLOYMENT}
    assert rows(read(tmp_path, "change_feeds", orjson.dumps(pending))) == []


def test_webhooks_a_line_each_are_read_and_equal_ids_once(tmp_path):
    line = orjson.dumps({"deployment": DEPLOYMENT, "repository": REPO}) + b"\n"
    assert len(rows(read(tmp_path, "change_feeds", line * 3))) == 1


def test_unknown_records_are_said_and_nothing_known_is_one_sentence(tmp_path):
    reading = read(tmp_path, "change_feeds", orjson.dumps([DEPLOYMENT, {"hello": 1}]))
    assert reading.faults == ("1 records of a.log are of no kind that is known and were left out",)
    with pytest.raises(BadInput, match="holds no change that is known"):
        read(tmp_path, "change_feeds", b'{"hello": 1}')
    with pytest.raises(BadInput, match="is not whole JSON"):
        read(tmp_path, "change_feeds", orjson.dumps(DEPLOYMENT)[:40])


ALERT = {
    "labels": {"alertname": "HighErrors", "severity": "page", "service": "checkout"}, "startsAt": T,
    "fingerprint": "ab",
    "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prom/graph",
}  # fmt: skip


@pytest.mark.parametrize(
    ("document", "state"),
    [
        ({"version": "4", "status": "firing", "alerts": [{**ALERT, "status": "firing"}]}, "firing"),
        ([{**ALERT, "status": {"state": "active"}, "endsAt": LATER}], "active"),
    ],
    ids=["webhook", "API"],
)
def test_alertmanager(tmp_path, document, state):
    text = orjson.dumps(document)
    assert told(tmp_path, text) == "alert_feeds"
    (row,) = rows(read(tmp_path, "alert_feeds", text))
    assert (row["time"], row["name"], row["severity"], row["service"]) == (AT, "HighErrors", "page", "checkout")
    assert row["state"] == state
    assert "until" not in row  # it is still firing; the API's endsAt is a guess


def test_a_resolved_alert_has_an_end(tmp_path):
    (row,) = rows(read(tmp_path, "alert_feeds", orjson.dumps([{**ALERT, "status": "resolved", "endsAt": LATER}])))
    assert row["until"] == AT.replace(minute=15)


def test_pagerduty(tmp_path):
    incident = {
        "id": "P1", "incident_number": 12, "title": "Checkout down", "created_at": T, "status": "acknowledged",
        "urgency": "high", "service": {"summary": "checkout"}, "assignments": [{"assignee": {"summary": "Ann"}}],
    }  # fmt: skip
    text = orjson.dumps({"incidents": [incident]})
    assert told(tmp_path, text) == "alert_feeds"
    (row,) = rows(read(tmp_path, "alert_feeds", text))
    assert (row["name"], row["service"], row["severity"], row["state"]) == (
        "Checkout down",
        "checkout",
        "high",
        "acknowledged",
    )
    assert "Ann" not in str(row)


def test_what_is_no_alert_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="holds no alert that is known"):
        read(tmp_path, "alert_feeds", b'{"hello": 1}')


ARGO = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: checkout
status:
  history:
  - id: 7
    revision: 1111111111aaaa
    deployStartedAt: 2026-11-24T03:00:00Z
    deployedAt: 2026-11-24T03:01:00Z
  - id: 8
    revision: 2222222222bbbb
    deployedAt: "2026-11-24T04:00:00Z"
"""


def test_argo_cd_in_yaml(tmp_path):
    assert told(tmp_path, ARGO) == "change_feeds"
    first, second = rows(read(tmp_path, "change_feeds", ARGO))
    assert (first["id"], first["service"], first["after"]) == ("argocd:checkout:7", "checkout", "1111111111")
    assert (first["time"].hour, first["until"].minute) == (3, 1)
    assert (second["before"], second["after"]) == ("1111111111", "2222222222")


def test_an_argo_application_without_a_history_is_told(tmp_path):
    reading = read(tmp_path, "change_feeds", ARGO.split("status:", 1)[0])
    assert (reading.table.num_rows, reading.faults) == (0, ())
    assert "nothing that was changed" in reading.notes[0]


@pytest.mark.parametrize(
    "text", [ARGO + "x: &a [1]\ny: *a\n", ARGO + "x: !!python/object/apply:os.system ['true']\n", ARGO + "x: [\n"]
)
def test_yaml_that_is_not_plain_is_refused(tmp_path, text):
    with pytest.raises(BadInput, match="not plain YAML"):
        read(tmp_path, "change_feeds", text)


def test_a_push_is_a_change_that_waits_for_its_deploy(tmp_path):
    push = {
        "ref": "refs/heads/main", "before": "a" * 40, "after": "b" * 40, "compare": "https://example/compare",
        "repository": {"name": "shop", "pushed_at": 1795493580}, "pusher": {"name": "Ann"},
        "commits": [{}, {}], "head_commit": {"message": "Pool of 4\n\nby Ann", "timestamp": T},
    }  # fmt: skip
    text = orjson.dumps(push)
    assert told(tmp_path, text) == "change_feeds"
    (row,) = rows(read(tmp_path, "change_feeds", text))
    assert row["time"] == AT
    assert (row["service"], row["takes_effect"], row["after"]) == ("shop", "restart", "b" * 10)
    assert row["summary"] == "push of 2 commits to main: Pool of 4"
    assert rows(read(tmp_path, "change_feeds", orjson.dumps({**push, "deleted": True, "head_commit": None}))) == []


# --- what kubectl shows of a cluster's objects -----------------------------------------------------------------------


def replica_set(number: str, image: str, at: str, **notes: str) -> dict:
    notes = {"deployment.kubernetes.io/revision": number, **notes}
    meta = {
        "name": f"checkout-{number}aaaaaaaa", "namespace": "shop", "uid": f"rs{number}", "creationTimestamp": at,
        "annotations": notes, "ownerReferences": [{"kind": "Deployment", "name": "checkout"}],
    }  # fmt: skip
    pod = {"spec": {"containers": [{"name": "app", "image": f"registry.example:5000/shop/checkout:{image}"}]}}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta, "spec": {"replicas": 3, "template": pod}}


def deployment(number: str, image: str, updated: str, reason: str = "NewReplicaSetAvailable") -> dict:
    found = replica_set(number, image, "2026-01-01T00:00:00Z")
    found["kind"], found["metadata"]["name"] = "Deployment", "checkout"
    condition = {"type": "Progressing", "status": "True", "reason": reason, "lastUpdateTime": updated}
    return {**found, "status": {"conditions": [{"type": "Available", "status": "True"}, condition]}}


def listed(*items: dict) -> bytes:
    return orjson.dumps({"apiVersion": "v1", "items": list(items), "kind": "List", "metadata": {}})


def test_rollouts_are_told_from_replica_sets_with_the_version_each_replaced(tmp_path):
    text = listed(
        deployment("2", "v4.8", LATER), replica_set("2", "v4.8", T), replica_set("1", "v4.7", "2026-11-20T09:00:00Z")
    )
    assert told(tmp_path, text) == "change_feeds"
    first, second = rows(read(tmp_path, "change_feeds", text))
    assert (first["after"], first["time"].day) == ("checkout:v4.7", 20)
    assert (second["before"], second["after"]) == ("checkout:v4.7", "checkout:v4.8")
    assert (second["time"], second["until"]) == (AT, AT.replace(minute=15))
    assert (second["kind"], second["service"]) == ("deploy", "checkout")
    assert second["summary"] == "rollout 2 of checkout: checkout:v4.8"


def test_a_rollback_is_the_deployments_and_not_when_the_old_version_was_made(tmp_path):
    old = replica_set("3", "v4.7", T, **{"deployment.kubernetes.io/revision-history": "1"})
    found = rows(read(tmp_path, "change_feeds", listed(old, deployment("3", "v4.7", LATER))))
    assert [(r["summary"], r["time"].minute) for r in found] == [
        ("rollout 1 of checkout: checkout:v4.7", 13), ("rollout 3 of checkout: checkout:v4.7", 15),
    ]  # fmt: skip


def test_a_rollout_that_did_not_finish_is_said(tmp_path):
    (row,) = rows(read(tmp_path, "change_feeds", listed(deployment("4", "v4.9", T, "ProgressDeadlineExceeded"))))
    assert row["summary"] == "rollout 4 of checkout: checkout:v4.9 (did not finish)"


def test_a_revision_of_a_stateful_set(tmp_path):
    revision = {
        "apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 2,
        "metadata": {"name": "db-7f", "creationTimestamp": T, "ownerReferences": [{"name": "db"}]},
        "data": {"spec": {"template": {"spec": {"containers": [{"image": "postgres:15.4@sha256:00"}]}}}},
    }  # fmt: skip
    (row,) = rows(read(tmp_path, "change_feeds", listed(revision)))
    assert (row["service"], row["after"], row["time"]) == ("db", "postgres:15.4", AT)


def pod(**container) -> dict:
    meta = {"name": "checkout-7d9f8b6c5d-x2x4z", "uid": "p1", "ownerReferences": [{"name": "checkout-7d9f8b6c5d"}]}
    status = {"containerStatuses": [{"name": "app", "restartCount": 3, **container}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": status}


def test_a_container_that_was_killed_is_a_restart_and_one_that_never_ended_is_nothing(tmp_path):
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137, "startedAt": T, "finishedAt": T}}
    (row,) = rows(read(tmp_path, "change_feeds", listed(pod(lastState=ended, state={"running": {"startedAt": LATER}}))))
    assert (row["kind"], row["service"], row["time"], row["until"]) == (
        "restart",
        "checkout",
        AT,
        AT.replace(minute=15),
    )
    assert row["summary"] == ("app of checkout-7d9f8b6c5d-x2x4z ended: OOMKilled (exit code 137), 3 restarts in all")
    runs = pod(lastState={}, state={"running": {"startedAt": T}})
    reading = read(tmp_path, "change_feeds", listed(runs))
    assert rows(reading) == []
    assert "nothing that was changed" in reading.notes[0]


def test_nodes_jobs_and_scaling(tmp_path):
    conditions = [
        {"type": "MemoryPressure", "status": "False", "lastTransitionTime": T},
        {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "lastTransitionTime": T},
    ]
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n-1"}, "status": {"conditions": conditions}}
    job = {
        "apiVersion": "batch/v1", "kind": "Job", "status": {"startTime": T, "completionTime": LATER},
        "metadata": {"name": "report-2911", "ownerReferences": [{"kind": "CronJob", "name": "report"}]},
    }  # fmt: skip
    scaler = {
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "checkout"},
        "spec": {"scaleTargetRef": {"name": "checkout"}}, "status": {"lastScaleTime": T, "desiredReplicas": 5},
    }  # fmt: skip
    found = {r["kind"]: r for r in rows(read(tmp_path, "change_feeds", listed(node, job, scaler)))}
    assert found["node"]["summary"] == "node n-1: Ready is Unknown (NodeStatusUnknown)"
    assert (found["job"]["ref"], found["job"]["until"].minute) == ("report", 15)
    assert (found["scale"]["service"], found["scale"]["after"]) == ("checkout", "5")


def test_an_audit_log_of_a_cluster_is_lines_and_no_dump(tmp_path):
    line = {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "patch", "message": "patch",
            "requestReceivedTimestamp": T, "timestamp": T, "requestObject": {"kind": "Deployment"}}  # fmt: skip
    assert told(tmp_path, orjson.dumps(line) + b"\n") != "change_feeds"
