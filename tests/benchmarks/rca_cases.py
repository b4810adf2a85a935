"""Real fault cases with a known culprit, each as the canonical tables that a session of the kit would hold.

Reads the archives' own formats and nothing else: Nezha TrainTicket, Nezha OnlineBoutique, PetShop.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import zstandard

from connectors.window import Window

SETS = ("nezha-trainticket", "nezha-onlineboutique", "petshop")
BEFORE_MIN, DURING_MIN = 30, 3
"""Minutes of metrics before the injection and minutes of the fault that are looked at (the recorders kept three)."""

_POD = {
    "CpuUsage(m)": ("saturation", "cpu.usage", "gauge", 1e-3),
    "CpuUsageRate(%)": ("saturation", "cpu.utilization", "ratio", 0.01),
    "MemoryUsage(Mi)": ("saturation", "memory.usage", "gauge", 2.0**20),
    "SyscallRead": ("other", "syscall.read", "rate", 1.0),
    "SyscallWrite": ("other", "syscall.write", "rate", 1.0),
    "NetworkReceiveBytes": ("traffic", "network.receive", "rate", 1.0),
    "NetworkTransmitBytes": ("traffic", "network.transmit", "rate", 1.0),
    "PodClientLatencyP90(s)": ("latency", "client.duration", "p90", 1.0),
    "PodServerLatencyP90(s)": ("latency", "server.duration", "p90", 1.0),
    "PodClientLatencyP99(s)": ("latency", "client.duration", "p99", 1.0),
    "PodServerLatencyP99(s)": ("latency", "server.duration", "p99", 1.0),
    "PodWorkload(Ops)": ("traffic", "server.requests", "rate", 1.0),
    "NodeCpuUsageRate(%)": ("other", "node.cpu.utilization", "ratio", 0.01),
    "NodeMemoryUsageRate(%)": ("other", "node.memory.utilization", "ratio", 0.01),
}
_PETSHOP = {
    ("latency", "Average"): ("latency", "request.duration", "mean", 1.0),
    ("latency", "p90"): ("latency", "request.duration", "p90", 1.0),
    ("latency", "p99"): ("latency", "request.duration", "p99", 1.0),
    ("requests", "Sum"): ("traffic", "requests", "delta", 1.0),
    ("availability", "Average"): ("errors", "errors", "ratio", -0.01),
}
_SYMPTOM = {"latency": "request.duration.mean", "availability": "errors.ratio"}
_PATTERN = re.compile(r"-[0-9a-f]{8,10}-[0-9a-z]{5}$")


@dataclass(frozen=True)
class Case:
    """One fault: what is given, and the service that was at fault."""

    source: str
    name: str
    fault: str
    truth: str
    services: tuple[str, ...]
    metrics: pd.DataFrame
    spans: pd.DataFrame | None
    logs: pd.DataFrame | None
    path: pd.DataFrame | None
    symptom: str | None
    baseline: Window
    incident: Window


def unpack(data: Path, into: Path) -> None:
    """Unpacks the three archives below `data` into a folder (left alone where it is there already)."""
    for name in SETS:
        if (into / name).exists() or not (data / f"{name}.tar.zst").exists():
            continue
        with (data / f"{name}.tar.zst").open("rb") as packed:
            stream = zstandard.ZstdDecompressor(max_window_size=2**31).stream_reader(packed)
            with tarfile.open(fileobj=io.BufferedReader(stream, 2**20), mode="r|") as archive:
                archive.extractall(into, filter="data")


def cases(root: Path, source: str) -> Iterator[Case]:
    """Every case of one set, in the order of its index. PetShop's without a fault-free recording are left out."""
    index = json.loads((root / source / "ground_truth_index.json").read_text())
    for entry in index:
        if source == "petshop":
            if entry["baseline_available"]:
                yield _petshop(root / source, entry)
        else:
            yield _nezha(root / source, source, entry)


def _nezha(root: Path, source: str, entry: dict) -> Case:
    day = entry.get("day", entry["case"][:10])
    onset = pd.Timestamp(entry["inject_time_utc"], tz="UTC")
    baseline = Window.of(onset - pd.Timedelta(minutes=BEFORE_MIN), onset)
    incident = Window.of(onset, onset + pd.Timedelta(minutes=DURING_MIN))
    metrics, services = _nezha_metrics(root / "rca_data" / day / "metric")
    near = metrics[(metrics["time"] >= baseline.start) & (metrics["time"] < incident.end)]
    minutes = entry.get("minute_files") or entry.get("trace_minutes") or []
    spans = _minutes(root, day, minutes, "trace", onset)
    logs = _minutes(root, day, minutes, "log", onset)
    return Case(
        source,
        entry["case"],
        entry["fault_type"],
        entry["root_cause_service"],
        services,
        near.reset_index(drop=True),
        spans,
        logs,
        _nezha_path(root / "rca_data" / day / "metric"),
        None,
        baseline,
        incident,
    )


@cache
def _nezha_metrics(folder: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    parts, services = [], []
    for file in sorted(folder.glob("*_metric.csv")):
        frame = pd.read_csv(file)
        pod = file.name.removesuffix("_metric.csv")
        service = _PATTERN.sub("", pod)
        services.append(service)
        time = pd.to_datetime(frame["TimeStamp"], unit="s", utc=True) - pd.Timedelta(
            "60s"
        )  # a row speaks of the minute before
        for column, (kind, name, stat, scale) in _POD.items():
            parts.append(
                pd.DataFrame(
                    {
                        "time": time,
                        "signal": f"{pod}/{name}.{stat}",
                        "service": pod,
                        "kind": kind,
                        "name": name,
                        "stat": stat,
                        "value": frame[column] * scale,
                    }
                )
            )
    parts += _nezha_edges(folder / "source_50.csv", "calls") + _nezha_edges(folder / "destination_50.csv", "called")
    return pd.concat(parts, ignore_index=True), tuple(services)


def _nezha_edges(file: Path, side: str) -> list[pd.DataFrame]:
    """Median latency of each edge, as its caller (`calls`) or its callee (`called`) measures it."""
    if not file.exists():
        return []
    frame = pd.read_csv(file)
    time = pd.to_datetime(frame["timestamp"], unit="s", utc=True) - pd.Timedelta("60s")
    out = []
    for column in frame.columns[2:]:
        caller, _, callee = column.partition("_")
        service, other = (caller, callee) if side == "calls" else (callee, caller)
        name = f"{side}.{other}.duration"
        signal = f"{service}/{name}.p50"
        out.append(
            pd.DataFrame(
                {"time": time, "signal": signal, "service": service, "kind": "latency", "name": name, "stat": "p50",
                 "value": pd.to_numeric(frame[column], errors="coerce")}
            )
        )  # fmt: skip
    return out


def _nezha_path(folder: Path) -> pd.DataFrame | None:
    file = folder / "dependency.csv"
    if not file.exists():
        return None
    frame = pd.read_csv(file)
    frame = frame[~frame["Target"].str.contains(r"^\d+\.", regex=True) & (frame["Source"] != "loadgenerator")]
    path = pd.DataFrame({"caller": frame["Source"], "callee": frame["Target"], "kind": "service", "mode": "sync"})
    pairs = list(zip(path["caller"], path["callee"], strict=True))
    path["leaves"] = [[f"{a}/calls.{b}.duration.p50"] for a, b in pairs]
    path["arrives"] = [[f"{b}/called.{a}.duration.p50"] for a, b in pairs]
    return path


def _minutes(root: Path, day: str, minutes: list[str], what: str, onset: pd.Timestamp) -> pd.DataFrame | None:
    """The case's minute files, and before them the fault-free minute, moved to the minute before the first."""
    read = _read_spans if what == "trace" else _read_logs
    files = [root / "rca_data" / day / what / f"{m}_{what}.csv" for m in minutes]
    files = [f for f in files if f.exists()]
    if not files:
        return None
    parts = [read(f) for f in files]
    time = "start" if what == "trace" else "time"
    for quiet in sorted((root / "construct_data").glob(f"*/{what}/*.csv")):
        if quiet.parts[-3] == day or source_has_one(root):
            frame = read(quiet).copy()
            shift = onset - pd.Timedelta(minutes=2) - frame[time].max()
            frame[time] = frame[time] + shift
            parts.insert(0, frame)
    return pd.concat(parts, ignore_index=True)


def source_has_one(root: Path) -> bool:
    """Is there a single fault-free minute for the whole set (and not one a day)?"""
    return len(list((root / "construct_data").glob("*/trace"))) == 1


@cache
def _read_spans(file: Path) -> pd.DataFrame:
    frame = pd.read_csv(file)
    return pd.DataFrame(
        {
            "start": pd.to_datetime(frame["StartTimeUnixNano"] // 1000, unit="us", utc=True),
            "duration_s": frame["Duration"] / 1e6,
            "trace_id": frame["TraceID"],
            "span_id": frame["SpanID"],
            "parent_id": frame["ParentID"].where(frame["ParentID"] != "root", None),
            "service": frame["PodName"],
            "name": frame["OperationName"],
            "weight": 1.0,
        }
    )


@cache
def _read_logs(file: Path) -> pd.DataFrame:
    frame = pd.read_csv(file)
    text = frame["Log"].map(_docker_text)
    return pd.DataFrame(
        {
            "time": pd.to_datetime(frame["TimeUnixNano"] // 1000, unit="us", utc=True),
            "seq": range(len(frame)),
            "service": frame["PodName"],
            "message": text,
            "trace_id": frame["TraceID"],
            "span_id": frame["SpanID"],
            "weight": 1.0,
        }
    )


def _docker_text(cell: object) -> str:
    text = cell if isinstance(cell, str) else ""
    try:
        return str(json.loads(text)["log"]).rstrip("\n")
    except (ValueError, KeyError, TypeError):
        return text


def _petshop(root: Path, entry: dict) -> Case:
    scenario, folder = entry["case"].split("/")[0], root / "dataset" / entry["case"]
    onset = pd.Timestamp(entry["target"]["timestamp"], unit="s", tz="UTC")
    quiet, ill = (
        _petshop_metrics(root / "dataset" / scenario / "noissue" / "metrics.csv"),
        _petshop_metrics(folder / "metrics.csv"),
    )
    graph = pd.read_csv(root / "dataset" / scenario / "graph.csv", index_col=0)
    edges = [(a, b) for a in graph.index for b in graph.columns if graph.at[a, b]]
    path = pd.DataFrame(edges, columns=["caller", "callee"]).assign(mode="sync")
    path["kind"] = path["callee"].map(_petshop_kind)
    baseline = Window.of(ill["time"].min(), quiet["time"].max() + pd.Timedelta(minutes=5))
    incident = Window.of(onset, ill["time"].max() + pd.Timedelta(minutes=5))
    target = entry["target"]
    return Case(
        "petshop",
        entry["case"],
        target["metric"],
        entry["root_cause_node"],
        tuple(sorted(set(graph.index) | set(graph.columns))),
        pd.concat([quiet, ill], ignore_index=True),
        None,
        None,
        path,
        f"{target['node']}/{_SYMPTOM[target['metric']]}",
        baseline,
        incident,
    )


def _petshop_kind(node: str) -> str:
    """PATH's kind of a node, from the type that the tracing service wrote behind its name."""
    marks = {"elb.amazonaws.com": "lb", "_client": "client", "DynamoDB": "database", "Database": "database"}
    marks |= {"SQS": "queue", "_remote": "third_party"}
    return next((kind for mark, kind in marks.items() if mark in node), "service")


@cache
def _petshop_metrics(file: Path) -> pd.DataFrame:
    frame = pd.read_csv(file, header=[0, 1, 2], index_col=0)
    time = pd.to_datetime(frame.index.astype("int64"), unit="s", utc=True)
    parts = []
    for service, metric, statistic in frame.columns:
        if (metric, statistic) not in _PETSHOP:
            continue
        kind, name, stat, scale = _PETSHOP[metric, statistic]
        values = frame[service, metric, statistic].to_numpy(dtype=float) * scale
        parts.append(
            pd.DataFrame(
                {
                    "time": time,
                    "signal": f"{service}/{name}.{stat}",
                    "service": service,
                    "kind": kind,
                    "name": name,
                    "stat": stat,
                    "value": values + 1.0 if kind == "errors" else values,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)
