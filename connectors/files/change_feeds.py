"""What other tools report as changed, from their JSON: deploys, flags, cluster events, audit logs, status pages.

Known: GitHub (deployments, statuses, workflow runs, releases, pushes; webhooks and API lists), GitLab deployments,
Argo CD, Helm history, Kubernetes events and objects (`kubernetes_objects`), LaunchDarkly, Unleash, Grafana annotations,
Statuspage, CloudTrail. Argo CD's and Kubernetes' in YAML too. No person is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from connectors.errors import BadInput
from connectors.files import kubernetes_objects
from connectors.files.changes_jsonl import moment, to_changes
from connectors.files.json_rows import documents
from connectors.files.options import Options, Reading
from connectors.files.stream import Faults, head
from connectors.files.times import Clock
from connectors.files.yaml_documents import looks_like_yaml, yaml_documents

NAME = "change_feeds"
TABLES = ("CHANGES",)

Item = Mapping[str, Any]
Row = dict[str, Any]

_LISTS = ("items", "workflow_runs", "deployments", "releases", "events", "incidents", "Records", "annotations")
_CLOUD = (
    ("deploy", re.compile(r"UpdateService|UpdateFunctionCode|CreateDeployment|RegisterTaskDefinition", re.I)),
    ("scale", re.compile(r"AutoScaling|DesiredCapacity|Scal", re.I)),
    ("restart", re.compile(r"Reboot|Stop|Start|Terminate|RunInstances|Failover", re.I)),
    ("certificate", re.compile(r"Certificate", re.I)),
    ("config", re.compile(r"Put|Update|Modify|Set|Create|Delete|Attach|Detach|Authorize|Revoke|Change", re.I)),
)


def sniff(head: bytes, name: str) -> bool:
    """Is it a document of one of these tools? Told by the keys in the first bytes.

    >>> sniff(b'[{"revision":3,"updated":"2026-11-24T04:13:00Z","chart":"checkout-1.2"}]', "helm.json")
    True
    """
    if kubernetes_objects.sniff(head):
        return True
    if looks_like_yaml(head):
        return any(all(key in head for key in keys) for keys in _YAML_SIGNS)
    return any(all(f'"{key}"'.encode() in head for key in keys) for keys in _SIGNS)


_SIGNS = (
    ("deployment", "environment", "sha"), ("sha", "environment", "created_at", "task"), ("workflow_run", "head_sha"),
    ("workflow_runs", "head_sha"), ("release", "tag_name"), ("tag_name", "published_at"),
    ("involvedObject", "reason"), ("regarding", "reason"), ("apiVersion", "history", "deployedAt"),
    ("chart", "revision", "updated"),
    ("titleVerb", "date"), ("featureName", "createdAt"), ("dashboardUID", "time", "text"),
    ("dashboardId", "time", "text"),
    ("incidents", "impact", "created_at"), ("Records", "eventSource", "eventName"),
    ("deployable", "sha", "environment"), ("ref", "before", "after", "repository", "compare"),
)  # fmt: skip
_YAML_SIGNS = ((b"argoproj.io", b"Application"), (b"involvedObject", b"reason"), (b"regarding", b"reason"))


def read(path: Path, options: Options, *, label: str | None = None) -> Reading:
    """Which CHANGES does this document hold? Records that are no change (a read in an audit log) are left out.

    Records of a kind that is not known are counted and said. Raises `BadInput` when it is not JSON or nothing in it
    is known.
    """
    faults = Faults(label or path.name)
    clock = Clock(options.tz, options.year, faults.path)
    rows: list[Row] = []
    known = unknown = 0
    given = yaml_documents(path, faults) if looks_like_yaml(head(path)) else documents(path, faults)
    for document in given:
        for item in items(document):
            reader = _reader(item)
            if reader is None:
                unknown += 1
                continue
            try:
                found = reader(item)
            except (KeyError, TypeError, AttributeError, ValueError):
                unknown += 1
                continue
            known += 1
            rows += [row for row in (_finished(r, clock, options) for r in found) if row is not None]
    if unknown and not known:
        raise BadInput(f"{faults.path} holds no change that is known: name its format, or write it as changes_jsonl.")
    if unknown:
        faults.missing.append(f"{unknown:,} records of {faults.path} are of no kind that is known and were left out")
    if known and not rows:
        faults.notes.append(f"{faults.path} holds nothing that was changed: no history, or events that change nothing")
    rows = kubernetes_objects.in_sequence(_once(rows))
    return Reading(to_changes(rows), faults.sentences(), tuple(faults.notes))


def _once(rows: Iterable[Row]) -> list[Row]:
    """Rows of one id as one, from the first to the last time that they name, else as the last of them has it."""
    found: dict[str, Row] = {}
    for row in rows:
        other = found.get(row["id"], row)
        times = [t for r in (other, row) for t in (r["time"], r["until"]) if t is not None]
        begun, ended = min(times), max(times)
        found[row["id"]] = {**row, "time": begun, "until": ended if ended > begun else None}
    return list(found.values())


def items(document: Any) -> Iterator[Item]:
    """The records of a document: itself, its list, or the lists of what it wraps."""
    if isinstance(document, list):
        for one in document:
            yield from items(one)
    elif isinstance(document, dict):
        lists = [document[key] for key in _LISTS if isinstance(document.get(key), list)]
        if lists and document.get("kind") != "Application":
            for one in lists:
                yield from items(one)
        else:
            yield document


def _finished(row: Row, clock: Clock, options: Options) -> Row | None:
    row["time"], row["until"] = moment(row.get("time"), clock), moment(row.get("until"), clock)
    if row["time"] is None:
        return None
    if row["until"] is not None and row["until"] <= row["time"]:
        row["until"] = None
    row["service"] = options.service or row.get("service")
    row["summary"] = " ".join(str(row["summary"]).split())
    return {"takes_effect": "now", "derived": False, **row}


def _reader(item: Item) -> Callable[[Item], list[Row]] | None:
    def has(*keys: str) -> bool:
        return all(key in item for key in keys)

    def wraps(key: str) -> bool:
        return isinstance(item.get(key), dict)

    if (of_cluster := kubernetes_objects.reader_of(item)) is not None:
        return of_cluster
    for fits, reader in (
        (wraps("deployment_status"), _github_status),
        ((wraps("workflow_run") and not wraps("deployment")) or has("head_sha", "run_number"), _github_run),
        (wraps("release") or has("tag_name", "html_url"), _github_release),
        (has("ref", "before", "after", "compare"), _github_push),
        (has("sha", "environment", "created_at", "deployable"), _gitlab),
        (wraps("deployment") or has("sha", "environment", "created_at"), _github_deployment),
        (str(item.get("apiVersion", "")).startswith("argoproj.io"), _argo),
        (has("revision", "updated", "chart"), _helm),
        (has("titleVerb", "date") or has("_id", "date", "kind"), _launchdarkly),
        (has("type", "createdAt") and ("featureName" in item or "environment" in item), _unleash),
        (has("time", "text") and ("dashboardId" in item or "dashboardUID" in item or "timeEnd" in item), _grafana),
        (has("impact", "created_at", "name"), _statuspage),
        (has("eventName", "eventSource", "eventTime"), _cloudtrail),
    ):
        if fits:
            return reader
    return None


def _github_deployment(item: Item) -> list[Row]:
    made = item.get("deployment") or item
    service = _name(item)
    return [
        {
            "id": f"github:deployment:{made['id']}", "time": made.get("created_at"), "kind": "deploy",
            "service": service,
            "summary": f"deploy {service or ''} {made.get('ref') or made['sha'][:10]} to {made['environment']}",
            "ref": made.get("ref") or made["sha"][:10], "after": made["sha"][:10], "environment": made["environment"],
            "url": made.get("url"),
        }
    ]  # fmt: skip


def _github_status(item: Item) -> list[Row]:
    status, made = item["deployment_status"], item.get("deployment") or {}
    if status.get("state") in ("pending", "queued", "in_progress", "inactive", "waiting"):
        return []
    (row,) = _github_deployment({**item, "deployment": made})
    failed = status.get("state") in ("failure", "error")
    return [{**row, "until": status.get("created_at"), "summary": f"{row['summary']}{' (failed)' if failed else ''}"}]


def _github_run(item: Item) -> list[Row]:
    run = item.get("workflow_run") or item
    if run.get("status") not in (None, "completed") or run.get("conclusion") in ("action_required", "skipped"):
        return []
    return [
        {
            "id": f"github:run:{run['id']}", "time": run.get("run_started_at") or run.get("created_at"),
            "until": run.get("updated_at"), "kind": "deploy" if _is_deploy(str(run.get("name"))) else "job",
            "service": _name({"repository": run.get("repository") or item.get("repository")}),
            "summary": f"{run.get('name') or 'run'}: {run.get('conclusion') or 'done'} on {run.get('head_branch')}",
            "ref": str(run["head_sha"])[:10], "after": str(run["head_sha"])[:10], "url": run.get("html_url"),
        }
    ]  # fmt: skip


def _github_release(item: Item) -> list[Row]:
    if item.get("action") in ("deleted", "edited", "unpublished"):
        return []
    release = item.get("release") or item
    return [
        {
            "id": f"github:release:{release['id']}", "time": release.get("published_at") or release.get("created_at"),
            "kind": "other", "service": _name(item), "summary": f"release {release['tag_name']}",
            "ref": release["tag_name"], "after": release["tag_name"], "takes_effect": "restart",
            "url": release.get("html_url"),
        }
    ]  # fmt: skip


def _github_push(item: Item) -> list[Row]:
    """A push to a branch; one that only makes or takes away a branch or tag changes nothing."""
    commits, last = item.get("commits") or (), item.get("head_commit")
    if item.get("deleted") or not isinstance(last, dict):
        return []
    branch = str(item["ref"]).removeprefix("refs/heads/").removeprefix("refs/tags/")
    pushed = (item.get("repository") or {}).get("pushed_at")
    first = str(last.get("message") or "").split("\n", 1)[0]
    n = len(commits) or 1
    return [
        {
            "id": f"github:push:{item['after']}:{branch}", "time": pushed or last.get("timestamp"), "kind": "other",
            "service": _name(item), "summary": f"push of {n} commit{'s' if n != 1 else ''} to {branch}: {first}",
            "ref": str(item["after"])[:10], "before": str(item["before"])[:10], "after": str(item["after"])[:10],
            "takes_effect": "restart", "url": item.get("compare"),
        }
    ]  # fmt: skip


def _gitlab(item: Item) -> list[Row]:
    environment = item["environment"].get("name") if isinstance(item["environment"], dict) else item["environment"]
    return [
        {
            "id": f"gitlab:deployment:{item['id']}", "time": item["created_at"], "until": item.get("finished_at"),
            "kind": "deploy", "summary": f"deploy {item.get('ref')} to {environment} ({item.get('status', 'unknown')})",
            "ref": item.get("ref"), "after": str(item["sha"])[:10], "environment": environment,
        }
    ]  # fmt: skip


def _argo(item: Item) -> list[Row]:
    name = (item.get("metadata") or {}).get("name")
    history = sorted((item.get("status") or {}).get("history") or (), key=lambda h: str(h.get("deployedAt")))
    rows, before = [], None
    for entry in history:
        several = entry.get("revisions") or ()
        revision = str(entry.get("revision") or ",".join(map(str, several)))[:10] or None
        rows.append(
            {
                "id": f"argocd:{name}:{entry.get('id')}",
                "time": entry.get("deployStartedAt") or entry.get("deployedAt"),
                "until": entry.get("deployedAt"), "kind": "deploy", "service": name,
                "summary": f"sync {name} to {revision}", "ref": revision, "before": before, "after": revision,
            }
        )  # fmt: skip
        before = revision
    return rows


def _helm(item: Item) -> list[Row]:
    chart = str(item["chart"])
    said = str(item.get("description") or item.get("status") or "")
    back = re.search(r"[Rr]ollback to (\d+)", said)
    return [
        {
            "id": f"helm:{chart}:{item['revision']}", "time": item["updated"], "kind": "deploy",
            "service": re.sub(r"-v?\d[\w.+-]*$", "", chart), "ref": chart, "after": item.get("app_version") or chart,
            "summary": f"{chart} revision {item['revision']}: {said}",
            "reverts": f"revision after {back[1]}" if back else None,
        }
    ]  # fmt: skip


def _launchdarkly(item: Item) -> list[Row]:
    target = item.get("target") or {}
    name = item.get("name") or target.get("name")
    path = next((str(r) for r in target.get("resources") or ()), "")
    environment = re.search(r"env/([^:;]+)", path)
    return [
        {
            "id": f"launchdarkly:{item.get('_id')}", "time": item["date"],
            "kind": "flag" if item.get("kind", "flag") == "flag" else "config",
            "summary": f"{item.get('titleVerb') or 'changed'} {name}", "ref": path.rpartition("flag/")[2] or name,
            "environment": environment[1] if environment else None,
        }
    ]  # fmt: skip


def _unleash(item: Item) -> list[Row]:
    name = item.get("featureName") or item.get("project")
    value = {"feature-environment-enabled": ("off", "on"), "feature-environment-disabled": ("on", "off")}
    before, after = value.get(str(item["type"]), (None, None))
    return [
        {
            "id": f"unleash:{item.get('id')}", "time": item["createdAt"], "kind": "flag", "ref": name,
            "summary": f"{str(item['type']).replace('-', ' ')}: {name}", "before": before, "after": after,
            "environment": item.get("environment"),
        }
    ]  # fmt: skip


def _grafana(item: Item) -> list[Row]:
    text = re.sub(r"<[^>]*>", " ", str(item["text"]))
    tags = [str(tag) for tag in item.get("tags") or ()]
    return [
        {
            "id": f"grafana:{item.get('id')}", "time": item["time"], "until": item.get("timeEnd"),
            "kind": "deploy" if any(_is_deploy(tag) for tag in tags) or _is_deploy(text) else "other",
            "summary": f"{text} ({', '.join(tags)})" if tags else text,
        }
    ]  # fmt: skip


def _statuspage(item: Item) -> list[Row]:
    parts = [str(part.get("name")) for part in item.get("components") or () if isinstance(part, dict)]
    return [
        {
            "id": f"statuspage:{item.get('id')}", "time": item.get("started_at") or item["created_at"],
            "until": item.get("resolved_at"), "kind": "dependency", "url": item.get("shortlink"),
            "summary": f"{item['name']} ({item['impact']}{'; ' + ', '.join(parts) if parts else ''})",
            "after": item.get("status"),
        }
    ]  # fmt: skip


def _cloudtrail(item: Item) -> list[Row]:
    name = str(item["eventName"])
    if (
        item.get("readOnly") is True
        or item.get("readOnly") == "true"
        or re.match(r"Get|List|Describe|Head|Lookup", name)
    ):
        return []
    failed = f" (refused: {item['errorCode']})" if item.get("errorCode") else ""
    return [
        {
            "id": f"cloudtrail:{item.get('eventID')}", "time": item["eventTime"], "region": item.get("awsRegion"),
            "kind": next((kind for kind, pattern in _CLOUD if pattern.search(name)), "other"), "ref": name,
            "service": None, "summary": f"{str(item['eventSource']).removesuffix('.amazonaws.com')} {name}{failed}",
        }
    ]  # fmt: skip


def _is_deploy(text: str) -> bool:
    return re.search(r"deploy|release|rollout|rollback", text, re.I) is not None


def _name(item: Item) -> str | None:
    repository = item.get("repository")
    return repository.get("name") if isinstance(repository, dict) else None
