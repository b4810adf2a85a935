"""What people and schedules do: deploys, migrations, settings, jobs, scaling. Each goes to the deploy feed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from sample_incidents.lab import certificates, layout
from sample_incidents.lab.feed import Feed
from sample_incidents.lab.stack import Stack

Took = tuple[datetime, datetime]


class Events:
    """Carries out events; each method returns when it took effect, and when it was complete."""

    def __init__(self, stack: Stack, feed: Feed):
        self.stack, self.feed = stack, feed

    def run(self, kind: str, values: dict[str, Any]) -> Took:
        begun = datetime.now(UTC)
        effect, words = getattr(self, f"_{kind}")(values)
        done = datetime.now(UTC)
        if values.get("recorded", True):
            entry = {"kind": "other" if kind == "note" else kind, "service": values.get("service"), "ref": kind} | words
            for key in ("summary", "ref", "reverts", "fraction", "takes_effect", "before", "after"):
                if key in values:
                    entry[key] = values[key]
            self.feed.add(time=begun, until=done if done - begun > timedelta(seconds=1) else None, **entry)
        return effect or begun, done

    def _deploy(self, values: dict) -> tuple[datetime | None, dict]:
        """One instance after the other: stop, start from the release's folder, wait until it listens, pause."""
        service, tag = values["service"], self._tag(values["release"], values["service"])
        before = self.stack.versions[service]
        self.stack.releases.check_out(tag)
        chosen = [i for i in self.stack.of_service(service) if i.name in values.get("instances", [i.name])]
        effect = None
        for instance in chosen:
            self.stack.stop_instance(instance.name)
            self.stack.start_instance(instance, tag)
            self.stack.await_instance(instance)
            effect = effect or datetime.now(UTC)
            time.sleep(values.get("pause_s", 3))
        share = len(chosen) / len(self.stack.of_service(service))
        if share == 1.0:
            self.stack.versions[f"{service}@before"] = before
            self.stack.versions[service] = tag
        short = lambda t: f"{t.removeprefix(service + '-')} ({self.stack.releases.commit_of(t)})"
        return effect, _changed(f"deploy {tag}", tag, short(before), short(tag)) | {"fraction": share}

    def _tag(self, name: str, service: str) -> str:
        return self.stack.versions[f"{service}@before"] if name.endswith("@before") else name

    def _schema(self, values: dict) -> tuple[None, dict]:
        file = self.stack.releases.check_out(values["release"]) / "migrations" / values["migration"]
        self.stack.sql(file.read_text())
        commit = self.stack.releases.commit_of(values["release"])
        words = {"summary": f"apply {values['migration']}", "ref": values["release"], "after": commit}
        return None, words | {"service": "postgres"}

    def _config(self, values: dict) -> tuple[None, dict]:
        now = self.stack.read_control("config")
        before = now.get(values["key"])
        self.stack.write_control("config", now | {values["key"]: values["value"]})
        return None, _changed(f"set {values['key']}", values["key"], before, values["value"])

    def _flag(self, values: dict) -> tuple[None, dict]:
        now = self.stack.read_control("flags")
        before = now.get(values["flag"], False)
        self.stack.write_control("flags", now | {values["flag"]: values["value"]})
        return None, _changed(f"flag {values['flag']}", values["flag"], before, values["value"])

    def _job(self, values: dict) -> tuple[None, dict]:
        if "sql" in values:
            with contextlib.suppress(psycopg.Error):  # somebody may end a job before it is done
                self.stack.sql(values["sql"], name=values["ref"])
        if "command" in values:
            env = os.environ | {"LAB_PYTHON": self.stack.python}
            subprocess.run(
                values["command"], shell=True, cwd=self.stack.places.work, env=env, check=False, capture_output=True
            )
        return None, {"summary": f"job {values['ref']}", "takes_effect": "schedule"}

    def _scale(self, values: dict) -> tuple[datetime, dict]:
        before = self.stack.of_service(values["service"])
        known = [i for i in (*layout.INSTANCES, *layout.SPARE) if i.service == values["service"]]
        for instance in known[: values["to"]]:
            if instance.name not in self.stack.instances:
                self.stack.start_instance(instance)
                self.stack.await_instance(instance)
        gone = [i for i in before if i not in known[: values["to"]]]
        for instance in gone:
            self.stack.instances.pop(instance.name)
        if values["service"] == "checkout":
            self.stack.write_nginx(reload=True)
        effect = datetime.now(UTC)
        time.sleep(2)
        for instance in gone:
            self.stack.processes.stop(instance.name)
        summary = f"scale {values['service']} from {len(before)} to {values['to']}"
        return effect, {"summary": summary, "before": str(len(before)), "after": str(values["to"])}

    def _restart(self, values: dict) -> tuple[datetime | None, dict]:
        effect = None
        for instance in self.stack.of_service(values["service"]):
            if instance.name in values.get("instances", [instance.name]):
                tag = self.stack.versions[instance.name]
                self.stack.stop_instance(instance.name)
                self.stack.start_instance(instance, tag)
                self.stack.await_instance(instance)
                effect = effect or datetime.now(UTC)
                time.sleep(values.get("pause_s", 2))
        return effect, {"summary": f"restart {values['service']}"}

    def _certificate(self, values: dict) -> tuple[datetime | None, dict]:
        until = datetime.now(UTC) + timedelta(days=values["days"])
        certificates.issue(self.stack.places.certificates, values["service"], until=until)
        effect, _ = self._restart(values)
        summary = f"certificate of {values['service']} renewed"
        return effect, {"summary": summary, "after": f"valid until {until:%Y-%m-%d}"}

    def _traffic(self, values: dict) -> tuple[None, dict]:
        self.stack.write_control("load", self.stack.read_control("load") | values["set"])
        return None, {"summary": "traffic"}

    def _note(self, values: dict) -> tuple[None, dict]:
        return None, {"summary": values["summary"]}


def _changed(summary: str, ref: str, before: object, after: object) -> dict:
    return {"summary": summary, "ref": ref, "before": str(before), "after": str(after)}
