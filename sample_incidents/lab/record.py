"""Records scenarios in one long run: `python -m sample_incidents.lab.record SCENARIO… --out DIR`."""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sample_incidents.lab import cut, layout, metrics, stack
from sample_incidents.lab.events import Events
from sample_incidents.lab.faults import Faults
from sample_incidents.lab.feed import Feed
from sample_incidents.lab.scenario import BadScenario, Scenario, Step, null_of, onset_of, read
from sample_incidents.lab.truth import Effect

STANDS_S, WARM_UP_S, SETTLE_S, LATE_S = 90.0, 33.0, 50.0, 12.0
SATURATED = 0.9


def offsets(scenarios: list[Scenario]) -> list[float]:
    """When does each scenario start, in seconds after the warm-up? Neighbours share healthy stretches.

    After an incident the next one starts `SETTLE_S` past the cure; a healthy day is shared wholly: what follows it
    becomes ill when the day is over.
    """
    starts = [0.0]
    for one, following in itertools.pairwise(scenarios):
        if one.harmless:
            over = max(starts[-1] + 10, starts[-1] + one.lasts - following.healthy)
        else:
            ends = [s.at for s in one.events if s.role == "cure"]
            ends += [s.values["until"] for s in one.faults if s.role == "trigger"]
            over = starts[-1] + max(ends) + SETTLE_S
        starts.append(over)
    return starts


class Run:
    """The stack, the users, and the scenarios' steps at their times."""

    def __init__(self, scenarios: list[Scenario], out: Path, work: Path):
        self.scenarios, self.out = scenarios, out
        self.stack = stack.Stack(work)
        self.effects: dict[str, list[Effect]] = {s.slug: [] for s in scenarios}
        self.busy: list[tuple[float, float]] = []
        self.over = threading.Event()
        self.threads: list[threading.Thread] = []
        self.cuts: list = []
        self.lent: dict = {}
        self.lent_to: set[str] = set()

    def play(self) -> None:
        dated = any(f.kind == "certificate" for s in self.scenarios for f in s.faults)
        starts = self._starts(STANDS_S + WARM_UP_S)
        try:
            self._start(starts)
            if not dated:  # nothing was fixed before the stack stood
                starts = self._starts(WARM_UP_S)
            _say(f"first scenario at {starts[0]:%H:%M:%S}")
            steps = []
            for scenario, start in zip(self.scenarios, starts, strict=True):
                steps += [(start + timedelta(seconds=at), call) for at, call in self._steps(scenario, start)]
            for due, call in sorted(steps, key=lambda s: s[0]):
                time.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
                thread = threading.Thread(target=call, daemon=True)
                thread.start()
                self.threads.append(thread)
            for thread in self.threads:
                thread.join()
            for process in self.cuts:
                process.join()
            self._keep_history(starts[0])
        finally:
            self.over.set()
            self.stack.stop()

    def _starts(self, after_s: float) -> list[datetime]:
        begin = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=after_s)
        return [begin + timedelta(seconds=o) for o in offsets(self.scenarios)]

    def _start(self, starts: list[datetime]) -> None:
        expiry = None
        for scenario, start in zip(self.scenarios, starts, strict=True):
            for fault in scenario.faults:
                if fault.kind == "certificate":
                    expiry = start + timedelta(seconds=fault.at)
        self.stack.start(third_party_until=expiry)
        self.feed = Feed(self.stack.places.logs / "changes.jsonl")
        self.events, self.faults = Events(self.stack, self.feed), Faults(self.stack)
        for scenario in self.scenarios:
            for release in scenario.releases:
                self.stack.releases.commit(release)
            for name in dict.fromkeys(
                e.values["release"] for e in scenario.events if e.role == "trigger" and "release" in e.values
            ):
                self.stack.releases.revert(name)
        self.stack.write_control("load", layout.LOAD)
        logs = self.stack.places.logs
        argv = [sys.executable, "-m", "sample_incidents.lab.load", f"https://127.0.0.1:{layout.EDGE}",
                str(self.stack.places.certificates / "ca.pem"), str(self.stack.places.control / "load.json"),
                str(logs / "client.jsonl"), str(logs / "traces" / "client.jsonl"), str(layout.SAMPLING),
                "7"]  # fmt: skip
        self.stack.processes.start("users", argv, cpus=layout.LOAD_CPUS, cwd=Path(__file__).parents[2])
        threading.Thread(target=self._watch, daemon=True).start()
        _say(f"the stack stands; load {os.getloadavg()[0]:.1f}")

    def _steps(self, scenario: Scenario, start: datetime):
        yield -15.0, lambda: self._before(scenario)
        for event in scenario.events:
            yield event.at, lambda event=event: self._event(scenario, event)
        for fault in scenario.faults:
            token: dict = {}
            yield fault.at, lambda fault=fault, token=token: self._edge(scenario, fault, "start", token)
            yield fault.values["until"], lambda fault=fault, token=token: self._edge(scenario, fault, "end", token)
        end = start + timedelta(seconds=scenario.lasts)
        yield scenario.lasts + LATE_S, lambda: self._cut(scenario, start, end)
        if scenario.with_null:
            before = start + timedelta(seconds=onset_of(scenario) - 2)
            yield scenario.lasts + LATE_S + 5, lambda: self._cut(null_of(scenario), start, before)

    def _before(self, scenario: Scenario) -> None:
        """Settings that the scenario takes for granted, those of the one before taken back; their readers restart."""
        given = scenario.before
        config, restart = self.stack.read_control("config"), set(given.get("restart", [])) | self.lent_to
        lent = {key: config.get(key) for key in given.get("config", {})}
        self.stack.write_control("config", config | self.lent | given.get("config", {}))
        self.stack.write_control("third_party", layout.THIRD_PARTY | given.get("third_party", {}))
        self.stack.write_control("load", layout.LOAD | given.get("load", {}))
        for service in sorted(restart):
            self.events.run("restart", {"service": service, "recorded": False})
        self.lent, self.lent_to = lent, set(given.get("restart", []))

    def _event(self, scenario: Scenario, event: Step) -> None:
        begun = time.time()
        ref = event.values.get("ref") or event.values.get("release") or event.kind
        _say(f"{scenario.slug}: {event.kind} {ref} ({event.role})")
        try:
            start, end = self.events.run(event.kind, event.values)
        except Exception as error:
            return _say(f"{scenario.slug}: {event.kind} FAILED: {type(error).__name__}: {error}")
        self.effects[scenario.slug].append(Effect(event.role, "start", event.kind, ref, start, end))
        if event.role == "herring":
            busy = [b for at, b in self.busy if begun <= at <= time.time() + 5]
            share = sum(busy) / max(1, len(busy))
            if share > SATURATED:
                _say(f"{scenario.slug}: REFUSED: the red herring {ref} really saturated the CPUs ({share:.0%})")

    def _edge(self, scenario: Scenario, fault: Step, edge: str, token: dict) -> None:
        now = datetime.now(UTC)
        _say(f"{scenario.slug}: fault {fault.kind} {edge}")
        try:
            if edge == "start":
                token["it"] = self.faults.start(fault.kind, fault.values)
            else:
                self.faults.stop(fault.kind, fault.values, token.get("it"))
        except Exception as error:
            return _say(f"{scenario.slug}: fault {fault.kind} FAILED: {type(error).__name__}: {error}")
        self.effects[scenario.slug].append(Effect(fault.role, edge, fault.kind, fault.kind, now, datetime.now(UTC)))

    def _cut(self, scenario: Scenario, start: datetime, end: datetime) -> None:
        for when, name in self.stack.restarts:
            if start <= when < end:
                _say(f"{scenario.slug}: {name} ended by itself at {when:%H:%M:%S}")
        busy = [b for at, b in self.busy if start.timestamp() <= at < end.timestamp()]
        tags = [f"{s}-{v}" for s, v in layout.FIRST_VERSIONS.items()]
        tags += [r.name for r in self._releases_until(scenario)]
        work = (scenario, self.stack.places, self.out, start, end, list(self.effects.get(scenario.slug, [])), tags)
        process = multiprocessing.get_context("fork").Process(
            target=_cut_gently, args=(*work, sum(busy) / max(1, len(busy)))
        )
        process.start()
        self.cuts.append(process)

    def _keep_history(self, begin: datetime) -> None:
        """The whole run's metrics and changes, for second baselines and base rates."""
        folder = self.out / "history"
        folder.mkdir(exist_ok=True)
        name = f"{begin:%H%M}"
        metrics.export(folder / f"{name}.om.gz", begin, datetime.now(UTC).replace(microsecond=0), keep_every=3)
        shutil.copy(self.stack.places.logs / "changes.jsonl", folder / f"{name}.jsonl")

    def _releases_until(self, scenario: Scenario):
        for one in self.scenarios:
            yield from one.releases
            if one.slug == scenario.slug.removesuffix("_null"):
                return

    def _watch(self) -> None:
        """How busy is the machine with anything that is not at low priority? A sample every five seconds."""
        before = _ticks()
        while not self.over.wait(5):
            now = _ticks()
            spent = [b - a for a, b in zip(before, now, strict=True)]
            before = now
            self.busy.append((time.time(), (sum(spent) - spent[1] - spent[3] - spent[4]) / max(1, sum(spent))))


def _ticks() -> list[int]:
    return [int(x) for x in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]


def _cut_gently(scenario, places, out, start, end, effects, tags, busy) -> None:
    os.nice(19)
    try:
        _say(cut.cut(scenario, places, out, start, end, effects, tags) + f"\n  CPUs busy {busy:.0%} on average")
    except Exception as error:
        _say(f"{scenario.slug}: cutting FAILED: {type(error).__name__}: {error}")
        raise


def _say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


def require_seen(work: Path, scenarios: list[Scenario]) -> None:
    """Refuses a small disk where the node exporter does not look: the recording would lack the metric that tells it."""
    disks = any(f.kind == "disk" for s in scenarios for f in s.faults)
    if disks and work.resolve().parts[1:2] in [(name,) for name in stack.DISKS_NOT_SEEN]:
        raise BadScenario(
            f"--work {work} lies where disks are not measured: a scenario with a disk needs another place."
        )


def main() -> int:
    """Reads the scenarios, refuses what cannot be recorded, and records the rest."""
    parser = argparse.ArgumentParser(description="Records incidents from a real small system under real faults.")
    parser.add_argument("scenario", nargs="+", type=Path, help="scenarios/SLUG.toml; several share one long run")
    parser.add_argument("--out", type=Path, required=True, help="where the case folders go")
    parser.add_argument(
        "--work", type=Path, default=Path("/srv/shop"), help="where the system lives while it runs (emptied)"
    )
    parser.add_argument("--null", action="store_true", help="leave the faults out and keep the harmless changes")
    chosen = parser.parse_args()
    try:
        scenarios = [null_of(read(path)) if chosen.null else read(path) for path in chosen.scenario]
        require_seen(chosen.work, scenarios)
        stack.machine_clean()
    except (BadScenario, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 2
    chosen.out.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))  # the stack is stopped on the way out
    Run(scenarios, chosen.out, chosen.work).play()
    return 0


if __name__ == "__main__":
    sys.exit(main())
