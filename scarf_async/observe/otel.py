"""OpenTelemetry spans and metrics, after its stable conventions for HTTP clients. Needs the extra `otel`."""

from __future__ import annotations

import time
from typing import Final, TypeAlias

from yarl import URL

from scarf_async.events import RequestFinished, RetryScheduled, ScarfEvent, StreamFinished, Throttled
from scarf_async.version import __version__

try:
    from opentelemetry import metrics, trace
except ImportError as _missing:
    raise ImportError(
        f"OpenTelemetryHook needs opentelemetry-api: pip install 'scarf-async[otel]' ({_missing})"
    ) from _missing

__all__ = ["OpenTelemetryHook"]

_SCOPE: Final = "scarf_async"
_SCHEMA: Final = "https://opentelemetry.io/schemas/1.30.0"
# The bucket boundaries that the conventions recommend for HTTP request durations, in seconds.
_BOUNDARIES: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

_Attributes: TypeAlias = dict[str, str | int | bool]


class OpenTelemetryHook:
    """Records a span and a duration for each attempt, and counts retries, pauses and exports.

    Spans have names such as `GET /packages/{package}`. The parent is the current span of the call, or of the code
    that started a bulk run. A span is created when the attempt ends, with its real start time. So the hook keeps no
    state and cannot mix up concurrent attempts; but the span is not current during the request, and no trace
    context is sent to the service. A status of 400 or more, or no response, marks the span as an error.

    | metric | unit | what |
    |---|---|---|
    | `http.client.request.duration` | s | histogram of the durations of attempts |
    | `scarf.client.retries` | {retry} | number of scheduled retries, by `scarf.retry.reason` |
    | `scarf.client.throttled` | s | total of the pauses that the service asked for |
    | `scarf.client.export.size` | By | bytes of exports received, by `scarf.export.complete` |

    An instrumentation of aiohttp also measures these requests, under the same name in a different scope.

    Args:
        tracer_provider: the tracer provider; by default the global one.
        meter_provider: the meter provider; by default the global one.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(_SCOPE, __version__, tracer_provider, _SCHEMA)
        meter = metrics.get_meter(_SCOPE, __version__, meter_provider, _SCHEMA)
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_BOUNDARIES,
        )
        self._retries = meter.create_counter(
            "scarf.client.retries", unit="{retry}", description="Further attempts that were scheduled."
        )
        self._throttled = meter.create_counter(
            "scarf.client.throttled", unit="s", description="Pauses that the service asked for."
        )
        self._exported = meter.create_counter(
            "scarf.client.export.size", unit="By", description="Bytes of exports received."
        )

    def __call__(self, event: ScarfEvent) -> None:
        """Record one event."""
        method, _, template = event.endpoint.partition(" ")
        common: _Attributes = {"http.request.method": method, "url.template": template}
        match event:
            case RequestFinished():
                common |= _outcome(event)
                self._duration.record(event.elapsed, common)
                self._make_span(event, common)
            case RetryScheduled():
                self._retries.add(1, common | {"scarf.retry.reason": event.reason})
            case Throttled():
                self._throttled.add(event.seconds, common)
            case StreamFinished():
                self._exported.add(event.bytes_received, common | {"scarf.export.complete": event.complete})

    def _make_span(self, event: RequestFinished, attributes: _Attributes) -> None:
        end = time.time_ns()
        attributes = attributes | {"url.full": event.url}
        if event.attempt > 1:
            attributes["http.request.resend_count"] = event.attempt - 1
        span = self._tracer.start_span(
            event.endpoint,
            kind=trace.SpanKind.CLIENT,
            attributes=attributes,
            start_time=end - round(event.elapsed * 1e9),
        )
        if "error.type" in attributes:
            span.set_status(trace.StatusCode.ERROR)
        span.end(end)


def _outcome(event: RequestFinished) -> _Attributes:
    """Return the server and outcome of an attempt, as attributes of the conventions."""
    attributes: _Attributes = {}
    url = URL(event.url)
    if url.host is not None and url.port is not None:
        attributes |= {"server.address": url.host, "server.port": url.port}
    if event.status is not None:
        attributes["http.response.status_code"] = event.status
    if event.error is not None:
        attributes["error.type"] = event.error
    elif event.status is not None and event.status >= 400:
        attributes["error.type"] = str(event.status)
    return attributes
