"""What changed in a cluster, from what `kubectl get -o json` or yaml shows: events, rollouts, restarts, scaling, nodes.

An object tells its last state, and of its past only what it keeps: a ReplicaSet or ControllerRevision when it was first
rolled out, a Deployment when its last rollout ended, a Pod how each container ended last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Item = Mapping[str, Any]
Row = dict[str, Any]

KINDS = (
    "ReplicaSet", "Deployment", "ControllerRevision", "StatefulSet", "DaemonSet", "Pod", "Node", "Job",
    "HorizontalPodAutoscaler",
)  # fmt: skip
_REASONS = (
    ("restart", re.compile(r"Killing|Killed|OOM|BackOff|Restart|Evict|Preempt|Unhealthy|Started", re.I)),
    ("scale", re.compile(r"Scal|Resiz", re.I)),
    ("node", re.compile(r"^Node|Cordon|Drain|Taint", re.I)),
    ("deploy", re.compile(r"Rollout|Rollback|Deployed|Synced", re.I)),
)
_POD = re.compile(r"(?:-[a-f0-9]{8,10})?-[a-z0-9]{5}$|-[a-f0-9]{8,10}$|-\d+$")
_IN_JSON = re.compile(rb'"kind":\s*"(?:%b)"' % "|".join(KINDS).encode())
_IN_YAML = re.compile(rb"^ *(?:- )?kind: (?:%b)\s*$" % "|".join(KINDS).encode(), re.M)
_REVISION = "deployment.kubernetes.io/revision"


def sniff(head: bytes) -> bool:
    """Is it a dump of the cluster's objects? An audit log, which holds such objects too, is none.

    >>> sniff(b'{"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {}}')
    True
    """
    if b"audit.k8s.io" in head or b"apiVersion" not in head:
        return False
    return bool(_IN_JSON.search(head) if head.lstrip()[:1] in (b"{", b"[") else _IN_YAML.search(head))


def reader_of(item: Item) -> Callable[[Item], list[Row]] | None:
    """How is this object read? None: it is no object of a cluster, or of a kind that tells no change."""
    if "involvedObject" in item or ("regarding" in item and "reason" in item):
        return _event
    if "apiVersion" not in item:
        return None
    return {
        "ReplicaSet": _revision, "ControllerRevision": _revision, "Deployment": _deployment, "StatefulSet": _nothing,
        "DaemonSet": _nothing, "Pod": _pod, "Node": _node, "Job": _job, "HorizontalPodAutoscaler": _scaled,
    }.get(str(item.get("kind")))  # fmt: skip


def in_sequence(rows: Sequence[Row]) -> list[Row]:
    """The rows, each rollout with the version it replaced, as far as the one before it is among them."""
    found = [dict(row) for row in rows]
    rollouts = sorted((row for row in found if "rollout" in row), key=lambda row: row["rollout"])
    last: dict[str, Any] = {}
    for row in rollouts:
        workload, _ = row.pop("rollout")
        row["before"] = last.get(workload)
        last[workload] = row.get("after") or last.get(workload)
    return found


def _event(item: Item) -> list[Row]:
    about, meta = item.get("involvedObject") or item.get("regarding") or {}, item.get("metadata") or {}
    reason, name = str(item.get("reason", "")), str(about.get("name", ""))
    series = item.get("series") or {}
    first = item.get("firstTimestamp") or item.get("deprecatedFirstTimestamp") or item.get("eventTime")
    last = item.get("lastTimestamp") or item.get("deprecatedLastTimestamp") or series.get("lastObservedTime")
    kind = next((kind for kind, pattern in _REASONS if pattern.search(reason)), "other")
    workload = _POD.sub("", name) if about.get("kind") in ("Pod", "ReplicaSet") else name
    return [
        {
            "id": f"kubernetes:{meta.get('uid') or meta.get('name') or name}",
            "time": first or last or meta.get("creationTimestamp"), "until": last, "kind": kind,
            "service": None if about.get("kind") == "Node" else workload or None,
            "summary": f"{reason}: {item.get('message') or item.get('note') or name}", "ref": name or None,
            "workload": workload or None, "instance": name if about.get("kind") == "Pod" else None,
        }
    ]  # fmt: skip


def _revision(item: Item) -> list[Row]:
    """When this version was first rolled out. One without an owner was made by hand and is taken by its own name."""
    meta = item["metadata"]
    workload = next((str(owner["name"]) for owner in meta.get("ownerReferences") or ()), meta["name"])
    notes = meta.get("annotations") or {}
    earlier = str(notes.get(f"{_REVISION}-history") or "").split(",")[0]
    number = int(earlier or notes.get(_REVISION) or item.get("revision") or 0)
    template = (item.get("spec") or (item.get("data") or {}).get("spec") or {}).get("template") or {}
    return [_rollout(meta, workload, number, template, time=meta["creationTimestamp"])]


def _deployment(item: Item) -> list[Row]:
    """When its last rollout ended, or that it did not."""
    meta = item["metadata"]
    number = int((meta.get("annotations") or {}).get(_REVISION) or 0)
    ended = next((c for c in _conditions(item) if c.get("type") == "Progressing"), None)
    if ended is None:
        return []
    at = ended.get("lastUpdateTime") or ended.get("lastTransitionTime")
    row = _rollout(meta, str(meta["name"]), number, (item.get("spec") or {}).get("template") or {}, time=at)
    if ended.get("reason") == "ProgressDeadlineExceeded":
        row["summary"] += " (did not finish)"
    return [row]


def _rollout(meta: Item, workload: str, number: int, template: Item, *, time: Any) -> Row:
    images = ", ".join(_images(template)) or None
    return {
        "id": f"kubernetes:rollout:{meta.get('namespace', 'default')}/{workload}:{number}", "time": time,
        "kind": "deploy", "service": workload, "workload": workload, "ref": images, "after": images,
        "summary": f"rollout {number} of {workload}{f': {images}' if images else ''}", "rollout": (workload, number),
    }  # fmt: skip


def _pod(item: Item) -> list[Row]:
    """How each container ended last; of earlier ends a pod keeps the number only."""
    meta = item["metadata"]
    owner = next((str(owner["name"]) for owner in meta.get("ownerReferences") or ()), str(meta["name"]))
    workload = _POD.sub("", owner)
    rows = []
    for status in (item.get("status") or {}).get("containerStatuses") or ():
        last, state = status.get("lastState") or {}, status.get("state") or {}
        ended = last.get("terminated") or state.get("terminated")
        if not ended or not ended.get("finishedAt"):
            continue
        times = f", {status['restartCount']} restarts in all" if status.get("restartCount") else ""
        rows.append(
            {
                "id": f"kubernetes:ended:{meta.get('uid') or meta['name']}:{status['name']}:{ended['finishedAt']}",
                "time": ended["finishedAt"], "until": (state.get("running") or {}).get("startedAt"),
                "kind": "restart", "service": workload, "workload": workload, "instance": meta["name"],
                "ref": meta["name"],
                "summary": f"{status['name']} of {meta['name']} ended: {ended.get('reason') or 'no reason given'} "
                f"(exit code {ended.get('exitCode')}){times}",
            }
        )  # fmt: skip
    return rows


def _node(item: Item) -> list[Row]:
    """Which of its conditions are bad now, and since when."""
    name = item["metadata"]["name"]
    bad = [c for c in _conditions(item) if (c.get("status") != "True") == (c.get("type") == "Ready")]
    return [
        {
            "id": f"kubernetes:node:{name}:{c['type']}:{c['lastTransitionTime']}", "time": c["lastTransitionTime"],
            "kind": "node", "service": None, "instance": name, "ref": name,
            "summary": f"node {name}: {c['type']} is {c['status']} ({c.get('reason') or 'no reason given'})",
        }
        for c in bad
    ]  # fmt: skip


def _job(item: Item) -> list[Row]:
    meta, status = item["metadata"], item.get("status") or {}
    owner = next((str(owner["name"]) for owner in meta.get("ownerReferences") or ()), None)
    failed = f" ({status['failed']} attempts failed)" if status.get("failed") else ""
    return [
        {
            "id": f"kubernetes:job:{meta.get('uid') or meta['name']}", "time": status.get("startTime"),
            "until": status.get("completionTime"), "kind": "job", "service": None, "ref": owner or meta["name"],
            "takes_effect": "schedule", "summary": f"job {meta['name']}{failed}",
        }
    ]  # fmt: skip


def _scaled(item: Item) -> list[Row]:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    target = str((spec.get("scaleTargetRef") or {}).get("name") or item["metadata"]["name"])
    wanted = status.get("desiredReplicas")
    return [
        {
            "id": f"kubernetes:scaled:{target}:{status.get('lastScaleTime')}", "time": status.get("lastScaleTime"),
            "kind": "scale", "service": target, "workload": target, "ref": item["metadata"]["name"],
            "after": None if wanted is None else str(wanted), "summary": f"scale {target} to {wanted}",
        }
    ]  # fmt: skip


def _nothing(item: Item) -> list[Row]:
    """Its rollouts stand in its ControllerRevisions."""
    return []


def _conditions(item: Item) -> Iterator[Item]:
    return (c for c in (item.get("status") or {}).get("conditions") or () if isinstance(c, Mapping))


def _images(template: Item) -> Iterator[str]:
    """The images of a pod's containers as `name:tag`, without registry and digest."""
    for container in (template.get("spec") or {}).get("containers") or ():
        yield str(container.get("image", "")).partition("@")[0].rpartition("/")[2]
