"""Metrics in the text format."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter

from scarf_async import OrganizationUpsert, RequestFinished, RetryScheduled, Scarf, Throttled, observe
from scarf_async.emulator import Emulator
from scarf_async.observe import CONTENT_TYPE, PrometheusHook
from scarf_async.testing import FAST, no_waiting, script_faults

SAMPLE = re.compile(r'(?P<name>[a-z_]+)\{(?P<labels>(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\} (?P<value>\S+)')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\\n]|\\["\\n])*)"')


def parse(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Read the samples as the format's description says; what does not fit fails."""
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    assert text.endswith("\n")
    for line in text.split("\n")[:-1]:
        if line.startswith("# "):
            assert re.fullmatch(r"# (HELP [a-z_]+ .+|TYPE [a-z_]+ (counter|gauge|summary))", line), line
            continue
        found = SAMPLE.fullmatch(line)
        assert found is not None, line
        labels = frozenset(
            (name, re.sub(r"\\(.)", lambda char: {"n": "\n"}.get(char[1], char[1]), value))
            for name, value in LABEL.findall(found["labels"])
        )
        assert (found["name"], labels) not in samples
        samples[found["name"], labels] = float(found["value"])
    return samples


async def test_what_happens_is_counted(scarf_emulator: Emulator) -> None:
    """Attempts by how they ended, retries, pauses and exports, each under its endpoint."""
    counters = PrometheusHook()
    script_faults(scarf_emulator, "POST", "/organizations", 503, 429, retry_after=2)
    with no_waiting():
        async with Scarf(scarf_emulator.token, base_url=scarf_emulator.url, retry=FAST, on_event=counters) as scarf:
            await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
            async with scarf.exports.pixel_events("2024-01-01", "2024-01-03") as stream:
                async for _ in stream:
                    pass
                received = stream.bytes_received
    samples = parse(counters.render())
    create = (("method", "POST"), ("endpoint", "/organizations"))
    export = (("method", "GET"), ("endpoint", "/pixels/events/events.csv"))

    def count(name: str, *labels: tuple[str, str]) -> float:
        return samples[f"scarf_client_{name}", frozenset(labels)]

    for status in ("503", "429", "201"):
        assert count("requests_total", *create, ("status", status), ("error", "")) == 1
    assert count("request_seconds_count", *create) == 3
    assert count("request_seconds_sum", *create) > 0
    assert count("retries_total", *create, ("reason", "status 429")) == 1
    assert count("throttled_total", *create) == 1
    assert count("throttled_seconds_total", *create) == 2
    assert count("exports_total", *export, ("complete", "true")) == 1
    assert count("export_bytes_total", *export) == received > 0
    assert {value for (name, _), value in samples.items() if name == "scarf_client_requests_in_progress"} == {0}


def test_the_format() -> None:
    """Each metric is described, its samples follow, and none tells when it was made."""
    counters = PrometheusHook()
    assert parse(counters.render()) == {}
    for status in (404, 200):
        counters(
            RequestFinished(endpoint="GET /packages", attempt=1, status=status, error=None, elapsed=0.25),
        )
    at = 'endpoint="/packages"'
    assert counters.render().startswith(
        "# HELP scarf_client_requests_total Attempts that ended, by how they ended.\n"
        "# TYPE scarf_client_requests_total counter\n"
        f'scarf_client_requests_total{{{at},error="",method="GET",status="404"}} 1.0\n'
        f'scarf_client_requests_total{{{at},error="",method="GET",status="200"}} 1.0\n'
        "# HELP scarf_client_request_seconds Seconds that attempts took, waits included.\n"
        "# TYPE scarf_client_request_seconds summary\n"
        f'scarf_client_request_seconds_count{{{at},method="GET"}} 2.0\n'
        f'scarf_client_request_seconds_sum{{{at},method="GET"}} 0.5\n'
        "# HELP scarf_client_requests_in_progress Attempts in progress.\n"
        "# TYPE scarf_client_requests_in_progress gauge\n"
        f'scarf_client_requests_in_progress{{{at},method="GET"}} -2.0\n'
    )
    assert "_created" not in counters.render()
    assert CONTENT_TYPE == CONTENT_TYPE_LATEST


def test_a_registry_of_the_service() -> None:
    """The metrics are beside those of the service, once, and `render` gives all of that registry."""
    registry = CollectorRegistry()
    Counter("anvils", "Anvils sold.", registry=registry).inc()
    counters = PrometheusHook(registry)
    counters(Throttled(endpoint="GET /packages", seconds=2))
    at = {"method": "GET", "endpoint": "/packages"}
    assert registry.get_sample_value("scarf_client_throttled_seconds_total", at) == 2
    assert "\nanvils_total 1.0\n" in counters.render()
    with pytest.raises(ValueError, match="scarf_client_requests"):
        PrometheusHook(registry)
    assert "anvils" not in PrometheusHook().render()


@given(reason=st.text(), endpoint=st.text(alphabet='a"\\\n{}/ '))
def test_every_label_is_escaped(reason: str, endpoint: str) -> None:
    """Whatever is in a label is read back as it was."""
    counters = PrometheusHook()
    counters(RetryScheduled(endpoint=f"GET /{endpoint}", attempt=1, delay=1, reason=reason))
    labels = frozenset({("method", "GET"), ("endpoint", f"/{endpoint}"), ("reason", reason)})
    assert parse(counters.render()) == {("scarf_client_retries_total", labels): 1}


def test_threads_lose_no_count() -> None:
    """Clients of several event loops may share one hook, and be rendered meanwhile."""
    counters = PrometheusHook()
    event = RetryScheduled(endpoint="GET /packages", attempt=1, delay=1, reason="no answer")

    def work() -> None:
        for _ in range(500):
            counters(event)
            counters.render()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(parse(counters.render()).values()) == [2000]


def test_only_who_asks_for_it_loads_it() -> None:
    """The other hooks do without it; where it is missing, both names say what to install."""
    probe = """
import sys
from scarf_async import *
from scarf_async.observe import LoggingHook, combine
assert not [name for name in sys.modules if name.startswith("prometheus_client")]
sys.modules["prometheus_client"] = None
try:
    from scarf_async.observe import PrometheusHook
except ImportError as error:
    print(error)
try:
    from scarf_async.observe import CONTENT_TYPE
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    assert done.stdout.count("PrometheusHook needs prometheus-client: pip install 'scarf-async[prometheus]'") == 2


def test_a_name_that_is_not_there_is_missed_as_everywhere() -> None:
    """A misspelt name is an AttributeError of the package."""
    with pytest.raises(AttributeError, match=r"module 'scarf_async\.observe' has no attribute 'PromHook'"):
        getattr(observe, "PromHook")  # noqa: B009 # a type checker would refuse it
