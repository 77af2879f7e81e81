"""Counters in the text format."""

from __future__ import annotations

import re
import threading

from hypothesis import given
from hypothesis import strategies as st

from scarf_async import OrganizationUpsert, RequestFinished, RetryScheduled, Scarf
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
    """A metric is described, then its samples follow, in order; before any there is nothing."""
    counters = PrometheusHook()
    assert counters.render() == ""
    for status in (404, 200):
        counters(
            RequestFinished(endpoint="GET /packages", attempt=1, status=status, error=None, elapsed=0.25),
        )
    at = 'method="GET",endpoint="/packages"'
    assert counters.render() == (
        "# HELP scarf_client_requests_total Attempts that ended, by how they ended.\n"
        "# TYPE scarf_client_requests_total counter\n"
        f'scarf_client_requests_total{{{at},status="200",error=""}} 1\n'
        f'scarf_client_requests_total{{{at},status="404",error=""}} 1\n'
        "# HELP scarf_client_request_seconds Seconds that attempts took, waits included.\n"
        "# TYPE scarf_client_request_seconds summary\n"
        f"scarf_client_request_seconds_sum{{{at}}} 0.5\n"
        f"scarf_client_request_seconds_count{{{at}}} 2\n"
        "# HELP scarf_client_requests_in_progress Attempts under way.\n"
        "# TYPE scarf_client_requests_in_progress gauge\n"
        f"scarf_client_requests_in_progress{{{at}}} -2\n"
    )
    assert CONTENT_TYPE.startswith("text/plain; version=0.0.4")


@given(reason=st.text(), endpoint=st.text(alphabet='a"\\\n{}/ '))
def test_every_label_is_escaped(reason: str, endpoint: str) -> None:
    """Whatever stands in a label is read back as it was."""
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
