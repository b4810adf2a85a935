"""Wrote the files beside it: what the OpenTelemetry SDK for Python sends over OTLP/HTTP, as it came in.

    pip install opentelemetry-sdk==1.45.2 opentelemetry-exporter-otlp-proto-http==1.45.2 && python write.py FOLDER

Not part of the tests: they read the three `.pb` files, and compare them with `said.json`, which is what the SDK itself
says of the same spans, records and points, in its own words.
"""

from __future__ import annotations

import json
import logging
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, StatusCode

HERE = Path(sys.argv[1])
RESOURCE = Resource.create({"service.name": "pay", "service.version": "4.7", "host.name": "pay-1"})
BODIES: dict[str, list[bytes]] = {"/v1/traces": [], "/v1/logs": [], "/v1/metrics": []}


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        BODIES[self.path].append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


server = HTTPServer(("127.0.0.1", 0), Receiver)
Thread(target=server.serve_forever, daemon=True).start()
at = f"http://127.0.0.1:{server.server_port}"
plain = {"compression": Compression.NoCompression}

spans, records, points = InMemorySpanExporter(), InMemoryLogRecordExporter(), InMemoryMetricReader()
tracing = TracerProvider(resource=RESOURCE)
tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{at}/v1/traces", **plain)))
tracing.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(tracing)
logs = LoggerProvider(resource=RESOURCE)
logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{at}/v1/logs", **plain)))
logs.add_log_record_processor(SimpleLogRecordProcessor(records))
set_logger_provider(logs)
sent = PeriodicExportingMetricReader(OTLPMetricExporter(f"{at}/v1/metrics", **plain), export_interval_millis=3_600_000)
wide = View(instrument_name="payload", aggregation=ExponentialBucketHistogramAggregation())
metrics = MeterProvider([sent, points], resource=RESOURCE, views=[wide])

tracer, log, meter = tracing.get_tracer("shop"), logging.getLogger("shop"), metrics.get_meter("shop")
log.addHandler(LoggingHandler(logger_provider=logs))
log.setLevel(logging.DEBUG)
with tracer.start_as_current_span("POST /pay", kind=SpanKind.SERVER, attributes={"http.route": "/pay"}) as outer:
    with tracer.start_as_current_span(
        "SELECT", kind=SpanKind.CLIENT, links=[Link(outer.get_span_context())],
        attributes={"db.system": "postgresql", "rows": 7, "share": 0.25, "cached": False, "tags": ("a", "b")},
    ):  # fmt: skip
        log.warning("pool is %s", "full", extra={"in_use": 5})
    with tracer.start_as_current_span("charge", kind=SpanKind.CLIENT, attributes={"peer.service": "bank"}) as call:
        call.record_exception(TimeoutError("no answer"), {"exception.stacktrace": "left out"})
        call.set_status(StatusCode.ERROR, "no answer")
    log.error("charge failed")
requests, depth = meter.create_counter("requests", unit="{request}"), meter.create_up_down_counter("depth")
taken, payload = meter.create_histogram("duration", unit="s"), meter.create_histogram("payload", unit="By")
for status, seconds in ((200, 0.02), (200, 0.3), (503, 7.0)):
    requests.add(1, {"http.response.status_code": status})
    taken.record(seconds)
    payload.record(100)
depth.add(4)
depth.add(-1)
said = {
    "spans": [json.loads(span.to_json()) for span in spans.get_finished_spans()],
    "logs": [json.loads(record.log_record.to_json() if hasattr(record.log_record, "to_json") else record.to_json())
             for record in records.get_finished_logs()],
    "metrics": json.loads(points.get_metrics_data().to_json()),
}  # fmt: skip
for provider in (tracing, logs, metrics):
    provider.shutdown()
server.shutdown()
for path, bodies in BODIES.items():
    (HERE / f"{path.rsplit('/', 1)[1]}.pb").write_bytes(b"".join(bodies))
(HERE / "said.json").write_text(json.dumps(said, indent=1) + "\n")
