"""Which service do a series' labels name?"""

from __future__ import annotations

from collections.abc import Mapping

SERVICE_LABELS = (
    "service_name", "service", "app_kubernetes_io_name", "app", "k8s_deployment_name", "deployment", "container",
    "exported_job", "job",
)  # fmt: skip
"""Labels that name a service, the surest first: OpenTelemetry's, the usual ones, Kubernetes', the scrape job's."""


def service_label(labels: Mapping[str, object]) -> str | None:
    """Which of these labels names the service? None when none does.

    >>> service_label({"job": "kubernetes-pods", "app": "checkout"})
    'app'
    """
    return next((name for name in SERVICE_LABELS if labels.get(name)), None)


def service_of(labels: Mapping[str, str]) -> str | None:
    """The service that these labels name. OpenTelemetry's `job` is `namespace/name`: the name is taken.

    >>> service_of({"job": "shop/checkout", "instance": "c-1:9100"})
    'checkout'
    """
    name = service_label(labels)
    return None if name is None else labels[name].rpartition("/")[2] or None
