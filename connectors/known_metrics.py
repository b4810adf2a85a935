"""Which golden signal is in which metric of the usual exporters: what is worth a look by rate, errors and use.

Names as the exporters write them: node, PostgreSQL, nginx, Redis, JVM (Micrometer and the Java client), Go, Python,
Kubernetes (kube-state-metrics, cAdvisor), and what OpenTelemetry's semantic conventions become in Prometheus.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple


class Known(NamedTuple):
    """One metric and the signal that it gives.

    `service`: whose it is where no label says so; None: only with a label that names the service. `apart`: a label
    whose values are signals of their own (a pool, a peer). `divide_by`: the metric that it is a share of.
    """

    metric: str
    metric_type: Literal["gauge", "counter", "histogram"]
    kind: str
    name: str
    unit: str = "1"
    service: str | None = None
    where: Mapping[str, str] = {}
    by: tuple[str, ...] = ()
    apart: str | None = None
    divide_by: str | None = None
    divide_where: Mapping[str, str] = {}


_G, _C, _H = "gauge", "counter", "histogram"
_SAT, _LAT, _TRA, _ERR, _OTH = "saturation", "latency", "traffic", "errors", "other"
_EACH = ("instance",)

SERVERS = (
    Known("http_server_request_duration_seconds", _H, _LAT, "http.server.request.duration", "s"),
    Known("http_server_duration_milliseconds", _H, _LAT, "http.server.request.duration", "ms"),
    Known("http_server_requests_seconds", _H, _LAT, "http.server.request.duration", "s"),
    Known("http_request_duration_seconds", _H, _LAT, "http.server.request.duration", "s"),
    Known("http_server_requests_total", _C, _TRA, "http.server.requests", "{request}"),
    Known("http_requests_total", _C, _TRA, "http.server.requests", "{request}"),
    Known("http_server_errors_total", _C, _ERR, "http.server.errors", divide_by="http_server_requests_total"),
    Known("http_server_active_requests", _G, _SAT, "http.server.active_requests", "{request}", by=_EACH),
    Known("http_client_request_duration_seconds", _H, _LAT, "http.client.request.duration", "s", apart="peer"),
    Known("http_client_request_failures_total", _C, _ERR, "http.client.failures", "{request}", apart="peer"),
    Known("rpc_server_duration_milliseconds", _H, _LAT, "rpc.server.duration", "ms"),
    Known("grpc_server_handling_seconds", _H, _LAT, "rpc.server.duration", "s"),
    Known("grpc_server_handled_total", _C, _TRA, "rpc.server.requests", "{request}"),
    Known("db_client_operation_duration_seconds", _H, _LAT, "db.client.operation.duration", "s"),
    Known("db_client_connection_pending_requests", _G, _SAT, "db.client.connection.pending", "{request}", by=_EACH),
    Known("db_client_connection_timeouts_total", _C, _ERR, "db.client.connection.timeouts", "{timeout}"),
    Known("db_client_connection_count", _G, _SAT, "db.client.connection.usage_ratio", where={"state": "used"},
          by=_EACH, divide_by="db_client_connection_max"),
)  # fmt: skip
"""What services measure of their own requests and calls, in OpenTelemetry's and the client libraries' names."""

RUNTIMES = (
    Known("process_cpu_seconds_total", _C, _SAT, "process.cpu.utilization", by=_EACH),
    Known("process_resident_memory_bytes", _G, _SAT, "process.memory.usage", "By", by=_EACH),
    Known("process_open_fds", _G, _SAT, "process.open_files.usage_ratio", by=_EACH, divide_by="process_max_fds"),
    Known("process_start_time_seconds", _G, _OTH, "process.start_time", "s", by=_EACH),
    Known("go_goroutines", _G, _SAT, "go.goroutine.count", "{goroutine}", by=_EACH),
    Known("go_gc_duration_seconds_sum", _C, _SAT, "go.gc.time_share", by=_EACH),
    Known("go_memstats_heap_inuse_bytes", _G, _SAT, "go.memory.used", "By", by=_EACH),
    Known("python_gc_collections_total", _C, _OTH, "python.gc.collections", "{collection}", by=_EACH),
    Known("jvm_memory_used_bytes", _G, _SAT, "jvm.memory.usage_ratio", where={"area": "heap"}, by=_EACH,
          divide_by="jvm_memory_max_bytes", divide_where={"area": "heap"}),
    Known("jvm_memory_bytes_used", _G, _SAT, "jvm.memory.usage_ratio", where={"area": "heap"}, by=_EACH,
          divide_by="jvm_memory_bytes_max", divide_where={"area": "heap"}),
    Known("jvm_gc_pause_seconds_sum", _C, _SAT, "jvm.gc.time_share", by=_EACH),
    Known("jvm_gc_collection_seconds_sum", _C, _SAT, "jvm.gc.time_share", by=_EACH),
    Known("jvm_threads_live_threads", _G, _SAT, "jvm.thread.count", "{thread}", by=_EACH),
    Known("jvm_threads_current", _G, _SAT, "jvm.thread.count", "{thread}", by=_EACH),
    Known("hikaricp_connections_active", _G, _SAT, "db.client.connection.usage_ratio", by=_EACH, apart="pool",
          divide_by="hikaricp_connections_max"),
    Known("hikaricp_connections_pending", _G, _SAT, "db.client.connection.pending", "{request}", by=_EACH,
          apart="pool"),
    Known("hikaricp_connections_timeout_total", _C, _ERR, "db.client.connection.timeouts", "{timeout}", apart="pool"),
    Known("tomcat_threads_busy_threads", _G, _SAT, "http.server.threads.usage_ratio", by=_EACH,
          divide_by="tomcat_threads_config_max_threads"),
)  # fmt: skip
"""What a process says of itself, whichever service it is."""

PARTS = (
    Known("up", _G, _OTH, "up", by=_EACH),
    Known("node_cpu_seconds_total", _C, _SAT, "system.cpu.user", service="host", where={"mode": "user"}, by=_EACH),
    Known("node_cpu_seconds_total", _C, _SAT, "system.cpu.iowait", service="host", where={"mode": "iowait"}, by=_EACH),
    Known("node_cpu_seconds_total", _C, _SAT, "system.cpu.steal", service="host", where={"mode": "steal"}, by=_EACH),
    Known("node_load1", _G, _SAT, "system.cpu.load_1m", "{thread}", service="host", by=_EACH),
    Known("node_memory_MemAvailable_bytes", _G, _SAT, "system.memory.available_ratio", service="host", by=_EACH,
          divide_by="node_memory_MemTotal_bytes"),
    Known("node_filesystem_avail_bytes", _G, _SAT, "system.filesystem.available_ratio", service="host",
          by=("instance", "mountpoint"), divide_by="node_filesystem_size_bytes"),
    Known("node_disk_io_time_seconds_total", _C, _SAT, "system.disk.busy_share", service="host",
          by=("instance", "device")),
    Known("node_disk_read_bytes_total", _C, _SAT, "system.disk.read", "By", service="host", by=_EACH),
    Known("node_vmstat_oom_kill", _C, _ERR, "system.memory.oom_kills", "{kill}", service="host", by=_EACH),
    Known("node_network_receive_errs_total", _C, _ERR, "system.network.receive_errors", "{packet}", service="host",
          by=_EACH),
    Known("pg_up", _G, _OTH, "db.server.up", service="postgres", by=_EACH),
    Known("pg_stat_database_xact_commit", _C, _TRA, "db.server.transactions", "{transaction}", service="postgres"),
    Known("pg_stat_database_xact_rollback", _C, _ERR, "db.server.rollbacks", "{transaction}", service="postgres"),
    Known("pg_stat_database_deadlocks", _C, _ERR, "db.server.deadlocks", "{deadlock}", service="postgres"),
    Known("pg_stat_database_blks_read", _C, _SAT, "db.server.blocks_read", "{block}", service="postgres"),
    Known("pg_stat_database_numbackends", _G, _SAT, "db.server.connections", "{connection}", service="postgres"),
    Known("pg_stat_activity_max_tx_duration", _G, _LAT, "db.server.longest_transaction", "s", service="postgres"),
    Known("pg_stat_statements_seconds_total", _C, _LAT, "db.server.statement.duration", "s", service="postgres",
          divide_by="pg_stat_statements_calls_total"),
    Known("pg_locks_count", _G, _SAT, "db.server.locks", "{lock}", service="postgres"),
    Known("pg_replication_lag_seconds", _G, _SAT, "db.server.replication_lag", "s", service="postgres", by=_EACH),
    Known("nginx_http_requests_total", _C, _TRA, "http.server.requests", "{request}", service="nginx"),
    Known("nginx_connections_active", _G, _SAT, "nginx.connections.active", "{connection}", service="nginx"),
    Known("nginx_connections_waiting", _G, _OTH, "nginx.connections.waiting", "{connection}", service="nginx"),
    Known("redis_commands_processed_total", _C, _TRA, "redis.commands", "{command}", service="redis"),
    Known("redis_connected_clients", _G, _SAT, "redis.clients", "{client}", service="redis", by=_EACH),
    Known("redis_blocked_clients", _G, _SAT, "redis.clients_blocked", "{client}", service="redis", by=_EACH),
    Known("redis_memory_used_bytes", _G, _SAT, "redis.memory.used", "By", service="redis", by=_EACH),
    Known("redis_evicted_keys_total", _C, _ERR, "redis.keys.evicted", "{key}", service="redis"),
    Known("redis_rejected_connections_total", _C, _ERR, "redis.connections.rejected", "{connection}", service="redis"),
    Known("redis_key_size", _G, _SAT, "messaging.queue.depth", "{message}", service="redis", apart="key"),
    Known("kube_pod_container_status_restarts_total", _C, _ERR, "k8s.container.restarts", "{restart}",
          service="kubernetes", by=("namespace", "container")),
    Known("kube_deployment_status_replicas_unavailable", _G, _ERR, "k8s.deployment.unavailable", "{pod}",
          service="kubernetes", by=("namespace", "deployment")),
    Known("kube_node_status_condition", _G, _OTH, "k8s.node.ready", service="kubernetes",
          where={"condition": "Ready", "status": "true"}, by=("node",)),
    Known("container_cpu_usage_seconds_total", _C, _SAT, "container.cpu.usage", by=("container",)),
    Known("container_cpu_cfs_throttled_periods_total", _C, _SAT, "container.cpu.throttled_share",
          by=("container",), divide_by="container_cpu_cfs_periods_total"),
    Known("container_memory_working_set_bytes", _G, _SAT, "container.memory.used", "By", by=("container",)),
    Known("container_oom_events_total", _C, _ERR, "container.oom_kills", "{kill}", by=("container",)),
    Known("probe_success", _G, _OTH, "probe.success", service="blackbox", by=_EACH),
    Known("probe_duration_seconds", _G, _LAT, "probe.duration", "s", service="blackbox", by=_EACH),
)  # fmt: skip
"""What exporters say of hosts, stores, proxies, pods and probes."""
