"""What do others call it? The usual names of a canonical column, most specific first.

From Elastic Common Schema, OpenTelemetry, and the loggers of Python, JavaScript, Java, Go, .NET and journald.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

NAMES: Mapping[str, Sequence[str]] = {
    "time": (
        "time", "@timestamp", "timestamp", "Timestamp", "ts", "timeUnixNano", "time_unix_nano", "datetime", "date_time",
        "asctime", "@t", "eventTime", "event_time", "TimeGenerated", "_time", "start_time", "date", "msec",
        "time_iso8601", "time_local", "__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP", "observedTimeUnixNano",
        "t", "timeMillis", "instant.epochSecond", "logtime", "log_time", "created",
    ),
    "service": (
        "service", "service.name", "service_name", "serviceName", "otelServiceName", "resource.service.name",
        "resource.attributes.service.name", "dd.service", "app", "app_name", "appName", "application",
        "kubernetes.labels.app_kubernetes_io/name", "kubernetes.labels.app", "kubernetes.container.name",
        "k8s.container.name", "SYSLOG_IDENTIFIER", "container_name",
    ),
    "host": (
        "host", "host.name", "hostname", "host_name", "_HOSTNAME", "agent.hostname", "server_name", "node", "node.name",
        "k8s.node.name", "kubernetes.node.name", "kubernetes.host",
    ),
    "level": (
        "level", "log.level", "severity", "severityText", "severity_text", "SeverityText", "levelname", "level_name",
        "loglevel", "logLevel", "log_level", "lvl", "@l", "error_severity", "severityNumber", "severity_number",
        "levelno", "PRIORITY",
    ),
    "message": (
        "message", "msg", "Message", "body", "Body", "body.stringValue", "event", "log", "MESSAGE", "@m", "@mt",
        "text", "log.message", "short_message", "event.original",
    ),
    "trace_id": (
        "trace_id", "trace.id", "traceId", "traceID", "TraceId", "otelTraceID", "dd.trace_id", "traceid",
        "trace.trace_id", "x_b3_traceid",
    ),
    "span_id": ("span_id", "span.id", "spanId", "spanID", "SpanId", "otelSpanID", "dd.span_id", "spanid"),
    "environment": (
        "environment", "deployment.environment.name", "deployment.environment", "service.environment", "dd.env", "env",
    ),
    "region": ("region", "cloud.region", "aws.region"),
    "zone": ("zone", "cloud.availability_zone", "availability_zone", "az"),
    "version": ("version", "service.version", "service_version", "dd.version", "app_version", "release"),
    "instance": (
        "instance", "service.instance.id", "service.node.name", "k8s.pod.name", "kubernetes.pod.name",
        "kubernetes.pod_name", "pod", "pod_name",
    ),
    "workload": (
        "workload", "k8s.deployment.name", "kubernetes.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name",
        "kubernetes.statefulset.name", "kubernetes.daemonset.name",
    ),
    "route": ("route", "http.route", "req.route", "url.template", "endpoint"),
    "tenant": ("tenant", "tenant.id", "tenant_id", "tenantId", "organization.id", "organization_id", "customer_id"),
    "client": ("client", "client.name", "client_name", "client_id"),
    "http.request.method": (
        "http.request.method", "http.method", "request_method", "method", "req.method", "verb", "httpMethod",
    ),
    "url.path": ("url.path", "path", "uri", "request_uri", "http.target", "req.url", "url", "url.original"),
    "http.response.status_code": (
        "http.response.status_code", "http.status_code", "status_code", "statusCode", "status", "res.statusCode",
        "response.status", "response_status", "http_status",
    ),
    "http.request.id": (
        "http.request.id", "request_id", "requestId", "req_id", "req.id", "x_request_id", "correlation_id",
    ),
    "user_agent.original": (
        "user_agent.original", "user_agent", "http_user_agent", "userAgent", "http.user_agent",
        "req.headers.user-agent",
    ),
    "error.type": ("error.type", "error_type", "errorType", "exception.type", "exc_type", "err.type", "error_class"),
    "exception.message": ("exception.message", "error.message", "err.message", "exc_message"),
    "exception.stacktrace": (
        "exception.stacktrace", "error.stack_trace", "stack_trace", "stacktrace", "exc_info", "err.stack", "traceback",
        "exception",
    ),
    "attempts": ("attempts", "attempt_count", "http.request.attempts"),
    "upstream.address": ("upstream.address", "upstream_addr"),
    "upstream.status": ("upstream.status", "upstream_status"),
    "http.response.body.size": ("http.response.body.size", "body_bytes_sent", "bytes_sent", "response_size", "bytes"),
    "http.request.body.size": ("http.request.body.size", "request_length", "request_size"),
    "client.address": ("client.address", "client.ip", "remote_addr", "client_ip", "clientip", "remote_ip", "source.ip"),
    "server.address": ("server.address", "http_host"),
}  # fmt: skip

DURATIONS: Mapping[str, float] = {
    "duration_s": 1.0, "request_time": 1.0, "duration_seconds": 1.0, "elapsed_s": 1.0, "latency_s": 1.0,
    "response_time_s": 1.0, "took_s": 1.0, "request_duration_seconds": 1.0, "http.server.request.duration": 1.0,
    "duration_ms": 1e-3, "durationMs": 1e-3, "elapsed_ms": 1e-3, "elapsedMs": 1e-3, "latency_ms": 1e-3,
    "latencyMs": 1e-3, "response_time_ms": 1e-3, "responseTime": 1e-3, "took_ms": 1e-3, "time_ms": 1e-3,
    "request_time_ms": 1e-3, "duration_us": 1e-6, "elapsed_us": 1e-6, "duration_ns": 1e-9, "event.duration": 1e-9,
}  # fmt: skip
"""Columns that hold how long something took and say in which unit: seconds each is worth."""

LEVELS: Mapping[str, str] = {
    "trace": "TRACE", "verbose": "TRACE", "finest": "TRACE", "finer": "TRACE", "silly": "TRACE",
    "debug": "DEBUG", "debug1": "DEBUG", "debug2": "DEBUG", "debug3": "DEBUG", "debug4": "DEBUG", "debug5": "DEBUG",
    "fine": "DEBUG", "dbg": "DEBUG", "d": "DEBUG", "v": "TRACE",
    "info": "INFO", "information": "INFO", "informational": "INFO", "inf": "INFO", "i": "INFO", "notice": "INFO",
    "log": "INFO", "config": "INFO", "statement": "INFO", "detail": "INFO", "hint": "INFO", "http": "INFO",
    "warn": "WARN", "warning": "WARN", "wrn": "WARN", "w": "WARN",
    "error": "ERROR", "err": "ERROR", "e": "ERROR", "severe": "ERROR", "eror": "ERROR",
    "fatal": "FATAL", "critical": "FATAL", "crit": "FATAL", "panic": "FATAL", "alert": "FATAL", "emerg": "FATAL",
    "emergency": "FATAL", "f": "FATAL", "c": "FATAL", "dpanic": "FATAL",
}  # fmt: skip


def number_level(number: float, name: str) -> str | None:
    """Which severity is this number? It depends on the scheme, which the column's name tells.

    >>> number_level(17, "severityNumber"), number_level(50, "level"), number_level(3, "PRIORITY")
    ('ERROR', 'ERROR', 'ERROR')
    >>> number_level(40, "levelno"), number_level(40, "level")
    ('ERROR', 'WARN')
    """
    if name in ("severityNumber", "severity_number"):  # OpenTelemetry: 1–24, four steps each
        return ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")[int(number - 1) // 4] if 1 <= number <= 24 else None
    if name == "levelno":  # Python: 10, 20 … 50
        return next((lv for at, lv in _PYTHON if number >= at), "TRACE")
    if number < 8:  # syslog: 0 emergency … 7 debug
        return (
            ("FATAL", "FATAL", "FATAL", "ERROR", "WARN", "INFO", "INFO", "DEBUG")[int(number)] if number >= 0 else None
        )
    return next((lv for at, lv in _PINO if number >= at), None)  # pino, bunyan: 10 trace … 60 fatal


_PYTHON = ((50, "FATAL"), (40, "ERROR"), (30, "WARN"), (20, "INFO"), (10, "DEBUG"))
_PINO = ((60, "FATAL"), (50, "ERROR"), (40, "WARN"), (30, "INFO"), (20, "DEBUG"), (10, "TRACE"))
