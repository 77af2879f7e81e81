"""Spans and metrics, with OpenTelemetry's own SDK and its exporters in memory."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator

import attrs
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader, Metric, NumberDataPoint
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from yarl import URL

from scarf_async import (
    BulkPlan,
    ConnectFailedError,
    NotFoundError,
    OrganizationUpsert,
    RequestFinished,
    RetryPolicy,
    Scarf,
)
from scarf_async.emulator import Emulator, Faults
from scarf_async.observe.otel import OpenTelemetryHook
from scarf_async.testing import FAST, no_waiting, script_faults

ACME = OrganizationUpsert(name="acme", description="", billing_email="")
GET = "GET /organizations/{organization}"


@attrs.frozen
class Telemetry:
    """A hook, and what came of it."""

    hook: OpenTelemetryHook
    tracer: Tracer
    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader

    @property
    def spans(self) -> list[ReadableSpan]:
        """Return the spans that have ended, in that order."""
        return list(self.exporter.get_finished_spans())

    def metrics(self) -> dict[str, Metric]:
        """Return the metrics by name."""
        data = self.reader.get_metrics_data()
        assert data is not None
        (resource,) = data.resource_metrics
        (scope,) = resource.scope_metrics
        assert scope.scope.name == "scarf_async"
        return {metric.name: metric for metric in scope.metrics}


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """A hook with providers of its own."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    spans, meters = TracerProvider(shutdown_on_exit=False), MeterProvider([reader], shutdown_on_exit=False)
    spans.add_span_processor(SimpleSpanProcessor(exporter))
    yield Telemetry(OpenTelemetryHook(spans, meters), spans.get_tracer("test"), exporter, reader)
    spans.shutdown()
    meters.shutdown()


def points(metric: Metric) -> dict[frozenset[tuple[str, object]], float]:
    """Return a counter's values by attributes."""
    values: dict[frozenset[tuple[str, object]], float] = {}
    for point in metric.data.data_points:
        assert isinstance(point, NumberDataPoint)
        values[frozenset((point.attributes or {}).items())] = point.value
    return values


async def test_an_attempt_is_a_span(scarf_emulator: Emulator, telemetry: Telemetry) -> None:
    """Each attempt has its own, under the conventional names; a resend is counted; the failed one is an error."""
    script_faults(scarf_emulator, "GET", "*", 503)
    before = time.time_ns()
    async with Scarf(
        scarf_emulator.token, base_url=scarf_emulator.url, retry=FAST, on_event=telemetry.hook
    ) as scarf:
        await scarf.organizations.create(ACME)
        await scarf.organizations.get("acme")
    created, failed, read = telemetry.spans
    base = URL(scarf_emulator.url)
    common = {
        "http.request.method": "GET",
        "url.template": "/organizations/{organization}",
        "url.full": f"{base}/organizations/acme",
        "server.address": base.host,
        "server.port": base.port,
    }
    assert (created.name, failed.name, read.name) == ("POST /organizations", GET, GET)
    assert dict(failed.attributes or {}) == {
        **common,
        "http.response.status_code": 503,
        "error.type": "503",
    }
    assert dict(read.attributes or {}) == {
        **common,
        "http.response.status_code": 200,
        "http.request.resend_count": 1,
    }
    assert (failed.status.status_code, read.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    for span in (created, failed, read):
        assert span.kind is SpanKind.CLIENT
        assert before <= (span.start_time or 0) < (span.end_time or 0) <= time.time_ns()


async def test_no_answer_is_an_error_with_a_name(unused_tcp_port: int, telemetry: Telemetry) -> None:
    """Where there was no status, the error's class stands for it, in the span and in the metric."""
    async with Scarf(
        "token",
        base_url=f"http://127.0.0.1:{unused_tcp_port}",
        retry=RetryPolicy(attempts=1),
        on_event=telemetry.hook,
    ) as scarf:
        with pytest.raises(ConnectFailedError):
            await scarf.organizations.get("acme")
    (span,) = telemetry.spans
    (point,) = telemetry.metrics()["http.client.request.duration"].data.data_points
    for attributes in (span.attributes or {}, point.attributes or {}):
        assert attributes["error.type"] == "ConnectFailedError"
        assert attributes["server.port"] == unused_tcp_port
        assert "http.response.status_code" not in attributes


async def test_concurrent_calls_are_children_of_their_callers(
    scarf_emulator: Emulator, telemetry: Telemetry
) -> None:
    """Each span hangs under the one that was current where its call was made, retries too."""
    scarf_emulator.faults = Faults(status={503: 0.3})

    async def call(name: str) -> None:
        with telemetry.tracer.start_as_current_span(name), pytest.raises(NotFoundError):
            await scarf.organizations.get(name)

    scarf = Scarf(scarf_emulator.token, base_url=scarf_emulator.url, retry=FAST, on_event=telemetry.hook)
    async with scarf, asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(call(f"org-{number}"))
    callers = {span.context.span_id: span.name for span in telemetry.spans if span.parent is None}
    requests = [span for span in telemetry.spans if span.parent is not None]
    assert len(callers) == 20 < len(requests) == len(scarf_emulator.requests)
    for span in requests:
        assert span.parent is not None
        assert str((span.attributes or {})["url.full"]).rpartition("/")[2] == callers[span.parent.span_id]


async def test_a_bulk_run_is_of_who_started_it(scarf_emulator: Emulator, telemetry: Telemetry) -> None:
    """The workers' requests hang under the span in which the run was started."""
    plan = BulkPlan()
    plan.create_organization(ACME)
    for number in range(10):
        plan.upsert_member("acme", f"user-{number}", "member")
    async with Scarf(
        scarf_emulator.token, base_url=scarf_emulator.url, retry=FAST, on_event=telemetry.hook
    ) as scarf:
        with telemetry.tracer.start_as_current_span("run") as run:
            (await scarf.bulk.run(plan)).raise_for_failures()
    parents = [span.parent for span in telemetry.spans if span.name != "run"]
    assert len(parents) == 11
    assert {parent and parent.span_id for parent in parents} == {run.get_span_context().span_id}


async def test_metrics(scarf_emulator: Emulator, telemetry: Telemetry) -> None:
    """Durations in seconds in the advised buckets; retries, pauses and exports counted beside them."""
    script_faults(scarf_emulator, "POST", "/organizations", 429, retry_after=2)
    with no_waiting():
        async with Scarf(
            scarf_emulator.token, base_url=scarf_emulator.url, retry=FAST, on_event=telemetry.hook
        ) as scarf:
            await scarf.organizations.create(ACME)
            async with scarf.exports.pixel_events("2024-01-01", "2024-01-03") as stream:
                async for _ in stream:
                    pass
                received = stream.bytes_received
    metrics = telemetry.metrics()
    duration = metrics["http.client.request.duration"]
    assert duration.unit == "s"
    statuses: list[object] = []
    for point in duration.data.data_points:
        assert isinstance(point, HistogramDataPoint)
        assert point.explicit_bounds[:3] == (0.005, 0.01, 0.025)
        assert point.explicit_bounds[-1] == 10
        assert point.count == 1
        assert point.sum > 0
        assert "url.full" not in (point.attributes or {})
        statuses.append((point.attributes or {})["http.response.status_code"])
    assert statuses == [429, 201, 200]
    create = {("http.request.method", "POST"), ("url.template", "/organizations")}
    export = {("http.request.method", "GET"), ("url.template", "/pixels/events/events.csv")}
    assert points(metrics["scarf.client.retries"]) == {
        frozenset({*create, ("scarf.retry.reason", "status 429")}): 1
    }
    assert points(metrics["scarf.client.throttled"]) == {frozenset(create): 2}
    assert points(metrics["scarf.client.export.size"]) == {
        frozenset({*export, ("scarf.export.complete", True)}): received
    }


def test_what_was_never_sent_was_not_resent(telemetry: Telemetry) -> None:
    """An attempt that was broken off before it was sent has no resend count; an event made by hand no address."""
    telemetry.hook(RequestFinished(endpoint=GET, attempt=0, status=None, error="CancelledError", elapsed=0.1))
    (span,) = telemetry.spans
    assert "http.request.resend_count" not in (span.attributes or {})
    assert "server.address" not in (span.attributes or {})


def test_only_who_asks_for_it_loads_it() -> None:
    """The client and the other hooks do without it; where it is missing, the module says what to install."""
    probe = """
import sys
from scarf_async import *
from scarf_async.observe import *
assert not [name for name in sys.modules if name.startswith("opentelemetry")]
sys.modules["opentelemetry"] = None
try:
    import scarf_async.observe.otel
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    assert "pip install 'scarf-async[otel]'" in done.stdout
