"""The system itself: from the edge to PostgreSQL, Redis and a worker, and what watches them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from sample_incidents.lab import certificates, layout
from sample_incidents.lab.layout import ALL_CPUS, DATABASE_CPUS, LOAD_CPUS, Instance, Places
from sample_incidents.lab.processes import Group, Processes
from sample_incidents.lab.releases import Releases

TEMPLATES = Path(__file__).parent / "templates"
BIN = Path("/usr/lib/postgresql/15/bin")
DATABASE = f"host=127.0.0.1 port={layout.POSTGRES} user=shop dbname=shop"
DISKS_NOT_SEEN = ("dev", "proc", "sys", "run", "tmp", "mnt", "media")
"""First folders of mount points that the node exporter leaves out."""
SEED = """
INSERT INTO products SELECT i, 1 + i % 60, 'product ' || i, 500 + (i * 37) % 9000 FROM generate_series(1, 1200) i;
INSERT INTO orders (customer_id, total, state, note, created_at)
SELECT 1 + (i::bigint * 7919) % 200000, 500 + (i * 31) % 20000, 'sent',
       'gift wrap, leave with neighbour ' || md5(i::text),
       now() - make_interval(secs => (2000000 - i) * 12) FROM generate_series(1, 2000000) i;
"""


class Stack:
    """Everything that runs; one at a time on a machine."""

    def __init__(self, work: Path):
        self.places = Places(work)
        self.processes = Processes(self.places.logs)
        self.releases = Releases(self.places)
        self.versions: dict[str, str] = {}
        self.instances: dict[str, Instance] = {}
        self.groups: dict[str, Group] = {}
        self.restarts: list[tuple[datetime, str]] = []
        self.supervised = threading.Event()
        self.lock = threading.RLock()
        self.python = str(self.places.work / "venv" / "bin" / "python")

    def start(self, *, third_party_until: datetime | None = None) -> None:
        self._folders()
        self.releases.make()
        certificates.make_authority(self.places.certificates)
        month = datetime.now(UTC) + timedelta(days=30)
        certificates.issue(self.places.certificates, "edge", until=month)
        certificates.issue(self.places.certificates, "fraud-check", until=third_party_until or month)
        for name, values in (
            ("config", layout.CONFIG),
            ("flags", {"rounded_prices": False}),
            ("third_party", layout.THIRD_PARTY),
        ):
            self.write_control(name, values)
        self._postgres()
        self._redis()
        for service, version in layout.FIRST_VERSIONS.items():
            self.versions[service] = f"{service}-{version}"
        for instance in layout.INSTANCES:
            self.start_instance(instance)
        for instance in layout.INSTANCES:
            self.await_instance(instance)
        self._nginx()
        self._watchers()
        self.supervised.set()
        threading.Thread(target=self._supervise, daemon=True).start()
        threading.Thread(target=self._probe, daemon=True).start()

    def stop(self) -> None:
        self.supervised.clear()
        for name in [n for n in self.processes.running if n != "postgres"]:
            self.processes.stop(name)
        self.processes.stop("postgres", how=signal.SIGINT)
        for group in (*self.groups.values(), self.processes.shared):
            group.remove()

    # ---- services

    def start_instance(self, instance: Instance, tag: str | None = None) -> None:
        """Starts one instance from the folder of its release."""
        tag = tag or self.versions[instance.service]
        folder = self.releases.check_out(tag)
        with self.lock:
            self.instances[instance.name] = instance
            self.versions[instance.name] = tag
            version = tag.removeprefix(f"{instance.service}-")
            module = instance.service.replace("-", "_")
            argv = [self.python, "-m"]
            if instance.service == "worker":
                argv += ["worker.main"]
            else:
                argv += ["uvicorn", f"{module}.app:app", "--host", "127.0.0.1", "--port", str(instance.port)]
                argv += ["--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "5"]
            if instance.service == "fraud-check":
                base = self.places.certificates / "fraud-check"
                argv += ["--ssl-keyfile", f"{base}.key", "--ssl-certfile", f"{base}.pem"]
            self.processes.start(
                instance.name, argv, cpus=ALL_CPUS, cwd=folder, env=self._environment(instance, version),
                group=self.groups.get(instance.name),
            )  # fmt: skip
            self._targets()

    def stop_instance(self, name: str) -> None:
        with self.lock:
            self.instances.pop(name, None)
        self.processes.stop(name)

    def await_instance(self, instance: Instance, limit_s: float = 30) -> None:
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            with socket.socket() as probe:
                probe.settimeout(0.5)
                if probe.connect_ex(("127.0.0.1", instance.port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"{instance.name} does not listen; see {self.places.logs / instance.name}.out")

    def of_service(self, service: str) -> list[Instance]:
        return sorted((i for i in self.instances.values() if i.service == service), key=lambda i: i.name)

    def _environment(self, instance: Instance, version: str) -> dict[str, str]:
        kind = "third_party" if instance.service == "fraud-check" else "config"
        folder = self.places.logs / instance.service
        folder.mkdir(exist_ok=True)
        payments = ",".join(f"http://127.0.0.1:{i.port}" for i in layout.INSTANCES if i.service == "payments")
        return {
            "SHOP_SERVICE": instance.service, "SHOP_INSTANCE": instance.name, "SHOP_ZONE": instance.zone,
            "SHOP_VERSION": version,
            "SHOP_PORT": str(instance.port), "SHOP_CONFIG": str(self.places.control / f"{kind}.json"),
            "SHOP_FLAGS": str(self.places.control / "flags.json"), "SHOP_LOG": str(folder / f"{instance.name}.jsonl"),
            "SHOP_TRACES": str(self.places.logs / "traces" / f"{instance.name}.jsonl"),
            "SHOP_SAMPLING": str(layout.SAMPLING),
            "SHOP_DATABASE": DATABASE, "SHOP_QUEUE": f"redis://127.0.0.1:{layout.REDIS}/0", "SHOP_PAYMENTS": payments,
            "SHOP_FRAUD_CHECK": "https://127.0.0.1:21300", "SHOP_TRUSTED": str(self.places.certificates / "ca.pem"),
            "SHOP_JOURNAL": str(self.places.journal), "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(self.places.work / "bytecode"),
        }  # fmt: skip

    def _supervise(self) -> None:
        """Restarts an instance that ended by itself, as an orchestrator would."""
        while self.supervised.is_set():
            time.sleep(1)
            with self.lock:
                for name, instance in list(self.instances.items()):
                    process = self.processes.running.get(name)
                    if process is not None and process.poll() is not None and self.supervised.is_set():
                        self.restarts.append((datetime.now(UTC), name))
                        self.start_instance(instance, self.versions[name])

    def _probe(self) -> None:
        """Asks nginx for /healthz every two seconds, as an orchestrator would."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{layout.LB}/healthz", headers={"User-Agent": "kube-probe/1.27"}
        )
        while self.supervised.is_set():
            time.sleep(2)
            try:
                urllib.request.urlopen(request, timeout=1.0).read()
            except OSError:
                continue

    # ---- control

    def write_control(self, name: str, values: dict) -> None:
        path = self.places.control / f"{name}.json"
        path.with_suffix(".new").write_text(json.dumps(values))
        path.with_suffix(".new").rename(path)

    def read_control(self, name: str) -> dict:
        return json.loads((self.places.control / f"{name}.json").read_text())

    # ---- the parts that are not ours

    def _folders(self) -> None:
        work = self.places.work
        if work.exists():
            shutil.rmtree(work)
        logs = [self.places.logs / name for name in ("traces", "nginx", "edge", "postgres")]
        places = (self.places.control, self.places.releases, self.places.journal, work / "cache", work / "pg")
        for folder in (*logs, *places):
            folder.mkdir(parents=True, exist_ok=True)
        (work / "venv").symlink_to(sys.prefix)
        for path in (work / "pg", self.places.logs / "postgres"):
            shutil.chown(path, "postgres", "postgres")

    def _postgres(self) -> None:
        data = self.places.work / "pg" / "data"
        group = self.groups["postgres"] = Group("postgres").make()
        group.limit(memory_mb=layout.DATABASE_MEMORY_MB)
        run = lambda *argv: self.processes.start(
            "initdb", list(argv), cpus=ALL_CPUS, user="postgres", group=group
        ).wait()
        words = ("-A", "trust", "-U", "shop", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        if run(str(BIN / "initdb"), "-D", str(data), *words):
            raise RuntimeError(f"initdb failed; see {self.places.logs / 'initdb.out'}")
        conf = (TEMPLATES / "postgresql.conf").read_text()
        conf = conf.format(port=layout.POSTGRES, logs=self.places.logs / "postgres", sockets=self.places.work / "pg")
        with (data / "postgresql.conf").open("a") as file:
            file.write(conf)
        self.processes.start(
            "postgres", [str(BIN / "postgres"), "-D", str(data)], cpus=DATABASE_CPUS, user="postgres", group=group
        )
        self._await_port(layout.POSTGRES)
        self.sql("CREATE DATABASE shop", database="postgres")
        self.sql("CREATE EXTENSION pg_stat_statements")
        for migration in ("0001_tables.sql",):
            self.sql((self.releases.tree / "migrations" / migration).read_text())
        self.sql(SEED)
        self.sql((self.releases.tree / "migrations" / "0041_orders_by_customer.sql").read_text())
        self.sql("VACUUM ANALYZE")
        self.sql("CHECKPOINT")
        self.sql("SELECT pg_stat_statements_reset()")
        group.limit(read_mb_s=layout.DATABASE_READ_MB_S)

    def sql(self, text: str, *, database: str = "shop", name: str = "migrations") -> None:
        """Runs statements, each in a transaction of its own."""
        where = f"host=127.0.0.1 port={layout.POSTGRES} user=shop dbname={database} application_name={name}"
        for _ in range(100):
            try:
                connection = psycopg.connect(where, autocommit=True)
                break
            except psycopg.OperationalError:
                time.sleep(0.1)
        else:
            raise RuntimeError("PostgreSQL does not answer.")
        with connection:
            for statement in (s.strip() for s in text.split(";\n")):
                if statement:
                    connection.execute(statement)

    def _redis(self) -> None:
        argv = ["redis-server", "--port", str(layout.REDIS), "--bind", "127.0.0.1", "--save", ""]
        argv += ["--dir", str(self.places.work)]
        self.processes.start("redis", argv, cpus=ALL_CPUS)
        self._await_port(layout.REDIS)

    def _nginx(self) -> None:
        self.write_nginx()
        for name in ("edge", "nginx"):
            conf = self.places.work / f"{name}.conf"
            self.processes.start(name, ["nginx", "-c", str(conf), "-g", "daemon off;"], cpus=ALL_CPUS)
        self._await_port(layout.LB)
        self._await_port(layout.EDGE)

    def write_nginx(self, *, reload: bool = False) -> None:
        """Writes both configurations from the instances that there are."""
        servers = "\n".join(f"        server 127.0.0.1:{i.port} max_fails=0;" for i in self.of_service("checkout"))
        words = {"work": self.places.work, "logs": self.places.logs, "lb": layout.LB, "edge": layout.EDGE,
                 "status": layout.LB_STATUS, "servers": servers, "certificates": self.places.certificates}  # fmt: skip
        for name in ("edge", "nginx"):
            text = (TEMPLATES / f"{name}.conf").read_text()
            for word, value in words.items():
                text = text.replace(f"@{word}@", str(value))
            (self.places.work / f"{name}.conf").write_text(text)
        if reload:
            os.kill(self.processes.running["nginx"].pid, signal.SIGHUP)

    def _watchers(self) -> None:
        at = "--web.listen-address=127.0.0.1:{}".format
        start = lambda name, *argv, **env: self.processes.start(
            name, list(argv), cpus=LOAD_CPUS, env=env | {"GOMAXPROCS": "1"}
        )
        node = [f"--collector.{c}" for c in ("cpu", "meminfo", "diskstats", "filesystem", "loadavg", "netdev")]
        disks = f"--collector.filesystem.mount-points-exclude=^/({'|'.join(DISKS_NOT_SEEN)})($|/)"
        start(
            "node-exporter", "prometheus-node-exporter", at(layout.NODE_EXPORTER), "--collector.disable-defaults",
            disks,
            *node,
        )  # fmt: skip
        status = f"http://127.0.0.1:{layout.LB_STATUS}/status"
        where = f"127.0.0.1:{layout.NGINX_EXPORTER}"
        start("nginx-exporter", "prometheus-nginx-exporter", "-web.listen-address", where, "-nginx.scrape-uri", status)
        queries = f"--extend.query-path={TEMPLATES / 'postgres_queries.yml'}"
        database = f"postgresql://shop@127.0.0.1:{layout.POSTGRES}/shop?sslmode=disable&application_name=exporter"
        start(
            "postgres-exporter", "prometheus-postgres-exporter", at(layout.POSTGRES_EXPORTER),
            "--disable-settings-metrics", queries, DATA_SOURCE_NAME=database,
        )  # fmt: skip
        queue = f"--redis.addr=redis://127.0.0.1:{layout.REDIS}"
        start("redis-exporter", "prometheus-redis-exporter", at(layout.REDIS_EXPORTER), queue, "--check-keys=receipts")
        self._targets()
        conf = (TEMPLATES / "prometheus.yml").read_text().replace("@control@", str(self.places.control))
        (self.places.work / "prometheus.yml").write_text(conf)
        start("prometheus", "prometheus", f"--config.file={self.places.work / 'prometheus.yml'}", at(layout.PROMETHEUS),
              f"--storage.tsdb.path={self.places.work / 'prometheus'}", "--log.level=warn")  # fmt: skip
        self._await_port(layout.PROMETHEUS)

    def _targets(self) -> None:
        """Tells Prometheus whom to scrape, with service, instance, zone and version as labels."""
        targets = []
        for i in self.instances.values():
            if i.service != "fraud-check":
                version = self.versions[i.name].removeprefix(f"{i.service}-")
                labels = {"service": i.service, "instance": i.name, "zone": i.zone, "version": version}
                targets.append({"targets": [f"127.0.0.1:{i.port}"], "labels": labels})
        for service, instance, port, version in (
            ("host", "host-1", layout.NODE_EXPORTER, "12"), ("nginx", "nginx-1", layout.NGINX_EXPORTER, "1.22"),
            ("postgres", "postgres-1", layout.POSTGRES_EXPORTER, "15"),
            ("redis", "redis-1", layout.REDIS_EXPORTER, "7.0"),
        ):  # fmt: skip
            labels = {"service": service, "instance": instance, "zone": "zone-a", "version": version}
            targets.append({"targets": [f"127.0.0.1:{port}"], "labels": labels})
        self.write_control("targets", targets)

    def _await_port(self, port: int) -> None:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"Nothing listens on port {port}; see the .out files in {self.places.logs}.")


def machine_clean() -> None:
    """Refuses to start beside another stack."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", layout.POSTGRES)) == 0:
            raise RuntimeError(f"Port {layout.POSTGRES} is taken: another stack runs; one at a time.")
    subprocess.run(["nginx", "-v"], check=True, capture_output=True)
