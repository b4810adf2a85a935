"""Where does everything live? Ports, instances and zones of the lab's one machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Instance:
    """One process of a service."""

    service: str
    name: str
    zone: str
    port: int


EDGE, LB, LB_STATUS = 21443, 21080, 21081
POSTGRES, REDIS, PROMETHEUS = 21432, 21379, 21090
NODE_EXPORTER, NGINX_EXPORTER, POSTGRES_EXPORTER, REDIS_EXPORTER = 21191, 21192, 21193, 21194
INSTANCES = (
    Instance("checkout", "checkout-1", "zone-a", 21101),
    Instance("checkout", "checkout-2", "zone-b", 21102),
    Instance("checkout", "checkout-3", "zone-a", 21103),
    Instance("payments", "payments-1", "zone-a", 21201),
    Instance("payments", "payments-2", "zone-b", 21202),
    Instance("fraud-check", "fraud-check-1", "elsewhere", 21300),
    Instance("worker", "worker-1", "zone-b", 21401),
)
SPARE = (Instance("checkout", "checkout-4", "zone-b", 21104), Instance("checkout", "checkout-5", "zone-a", 21105))
FIRST_VERSIONS = {"checkout": "v1.41.0", "payments": "v2.7.3", "worker": "v1.3.0", "fraud-check": "v1.0.0"}
LOAD_CPUS, DATABASE_CPUS, ALL_CPUS = {0}, {1}, {0, 1}
DATABASE_MEMORY_MB, DATABASE_READ_MB_S = 300, 110
SAMPLING = 0.1

CONFIG = {
    "pool.reads": 2, "pool.main": 5, "pool.payments": 4, "pool.wait_s": 1.0,
    "call.payments": {"timeout_s": 2.5, "retries": 1, "backoff_s": 0.1},
    "call.fraud-check": {"timeout_s": 1.5, "retries": 1, "backoff_s": 0.1},
    "auth.audiences": ["shop-web", "shop-app"], "payments.slots": 8, "payments.slot_wait_s": 5.0, "worker.pace_s": 0.05,
}  # fmt: skip
THIRD_PARTY = {"fraud.delay_s": 0.04, "fraud.error_rate": 0.0}
LOAD = {
    "rate": 10.0, "timeout_s": 6.0, "retries": 0, "backoff_s": 0.0,
    "routes": {"catalog": 30, "orders": 30, "order": 12, "cart": 10, "pay": 18},
    "region": {"eu": 50, "us": 35, "ap": 15}, "tenant": {"free": 60, "pro": 30, "business": 10},
    "client": {"web-8.2": 50, "ios-5.3": 25, "android-5.3": 19, "ios-5.2": 6},
}  # fmt: skip


@dataclass(frozen=True)
class Places:
    """The folders of a run."""

    work: Path

    @property
    def logs(self) -> Path:
        return self.work / "log"

    @property
    def control(self) -> Path:
        return self.work / "control"

    @property
    def repository(self) -> Path:
        return self.work / "shop.git"

    @property
    def releases(self) -> Path:
        return self.work / "releases"

    @property
    def journal(self) -> Path:
        return self.work / "journal"

    @property
    def certificates(self) -> Path:
        return self.work / "certificates"
