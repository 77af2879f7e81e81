"""Prometheus metrics of events. Needs the extra `prometheus`."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Final

import attrs

from scarf_async.events import (
    RequestFinished,
    RequestStarted,
    RetryScheduled,
    ScarfEvent,
    StreamFinished,
    Throttled,
)

try:
    from prometheus_client import (
        CONTENT_TYPE_LATEST,
        CollectorRegistry,
        Counter,
        Gauge,
        Metric,
        Summary,
        generate_latest,
    )
except ImportError as _missing:
    raise ImportError(
        f"PrometheusHook needs prometheus-client: pip install 'scarf-async[prometheus]' ({_missing})"
    ) from _missing

__all__ = ["CONTENT_TYPE", "PrometheusHook"]

CONTENT_TYPE: Final[str] = CONTENT_TYPE_LATEST
"""The `Content-Type` of the text that `PrometheusHook.render` returns."""

_AT: Final = ("method", "endpoint")


class PrometheusHook:
    """Counts events in a registry of prometheus_client.

    All metric names start with `scarf_client_`. The labels have low cardinality: `method`, `endpoint` (the path
    template, not the path), `status`, `error`, `reason`, `complete`. Several clients and threads can share a hook.

    Example:
        ```python
        async def metrics(request: web.Request) -> web.Response:
            return web.Response(body=counters.render().encode(), headers={"Content-Type": CONTENT_TYPE})
        ```

    Args:
        registry: the registry to use, such as `prometheus_client.REGISTRY` in a service that already exposes it;
            by default a new registry.

    Raises:
        ValueError: the registry already has metrics with these names, for example from another hook.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._registry = registry = CollectorRegistry() if registry is None else registry

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"scarf_client_{name}_total", what, (*_AT, *labels), registry=registry)

        self._requests = counter("requests", "Attempts that ended, by how they ended.", "status", "error")
        self._seconds = Summary(
            "scarf_client_request_seconds", "Seconds that attempts took, waits included.", _AT, registry=registry
        )
        self._in_progress = Gauge(
            "scarf_client_requests_in_progress", "Attempts in progress.", _AT, registry=registry
        )
        self._retries = counter("retries", "Further attempts that were scheduled.", "reason")
        self._pauses = counter("throttled", "Pauses that the service asked for.")
        self._paused = counter("throttled_seconds", "Seconds of the pauses asked for.")
        self._exports = counter("exports", "Streams of exports that were closed.", "complete")
        self._bytes = counter("export_bytes", "Bytes of exports received.")

    def __call__(self, event: ScarfEvent) -> None:
        """Count one event."""
        method, _, template = event.endpoint.partition(" ")
        at = (method, template)
        match event:
            case RequestStarted():
                self._in_progress.labels(*at).inc()
            case RequestFinished(status=status, error=error):
                self._in_progress.labels(*at).dec()
                self._requests.labels(*at, status or "", error or "").inc()
                self._seconds.labels(*at).observe(event.elapsed)
            case RetryScheduled():
                self._retries.labels(*at, event.reason).inc()
            case Throttled():
                self._pauses.labels(*at).inc()
                self._paused.labels(*at).inc(event.seconds)
            case StreamFinished():
                self._exports.labels(*at, str(event.complete).lower()).inc()
                self._bytes.labels(*at).inc(event.bytes_received)

    def render(self) -> str:
        """Return all metrics of the registry in the text format of `CONTENT_TYPE`."""
        return generate_latest(_WithoutTimes(self._registry)).decode()


@attrs.frozen
class _WithoutTimes:
    """A registry without `_created` samples, which would add a rarely used series for each metric."""

    registry: CollectorRegistry

    def collect(self) -> Iterable[Metric]:
        for metric in self.registry.collect():
            shown = copy.copy(metric)
            shown.samples = [sample for sample in metric.samples if sample.name != f"{metric.name}_created"]
            yield shown
