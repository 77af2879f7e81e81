"""Events as counters in the text format that Prometheus reads, without a dependency."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

import attrs

from scarf_async.events import (
    RequestFinished,
    RequestStarted,
    RetryScheduled,
    ScarfEvent,
    StreamFinished,
    Throttled,
)

__all__ = ["CONTENT_TYPE", "PrometheusHook"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The `Content-Type` that goes with what `PrometheusHook.render` returns."""


@attrs.frozen(eq=False)
class _Family:
    """A metric: its name, its kind, what it counts, and the parts that a summary is shown in."""

    name: str
    kind: str
    help: str
    parts: tuple[str, ...] = ("",)


_REQUESTS: Final = _Family("scarf_client_requests_total", "counter", "Attempts that ended, by how they ended.")
_SECONDS: Final = _Family(
    "scarf_client_request_seconds", "summary", "Seconds that attempts took, waits included.", ("_sum", "_count")
)
_IN_PROGRESS: Final = _Family("scarf_client_requests_in_progress", "gauge", "Attempts under way.")
_RETRIES: Final = _Family("scarf_client_retries_total", "counter", "Further attempts that were scheduled.")
_PAUSES: Final = _Family("scarf_client_throttled_total", "counter", "Pauses that the service asked for.")
_PAUSED: Final = _Family("scarf_client_throttled_seconds_total", "counter", "Seconds of the pauses asked for.")
_EXPORTS: Final = _Family("scarf_client_exports_total", "counter", "Streams of exports that were closed.")
_BYTES: Final = _Family("scarf_client_export_bytes_total", "counter", "Bytes of exports received.")
_FAMILIES: Final = (_REQUESTS, _SECONDS, _IN_PROGRESS, _RETRIES, _PAUSES, _PAUSED, _EXPORTS, _BYTES)

_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

_Labels: TypeAlias = tuple[tuple[str, str], ...]


class PrometheusHook:
    """Counts events, and renders the counts for a service to give out at `/metrics`.

    All names begin with `scarf_client_`. The labels have few values: `method`, `endpoint` (the template of the
    path, not the path), `status`, `error`, `reason`, `complete`. One hook may serve several clients and threads.

    Example:
        ```python
        async def metrics(request: web.Request) -> web.Response:
            return web.Response(body=counters.render().encode(), headers={"Content-Type": CONTENT_TYPE})
        ```
    """

    def __init__(self) -> None:
        self._counts: defaultdict[_Family, defaultdict[tuple[str, _Labels], float]]
        self._counts = defaultdict(lambda: defaultdict(float))
        self._lock = threading.Lock()

    def __call__(self, event: ScarfEvent) -> None:
        """Count one event."""
        with self._lock:
            for family, part, labels, amount in _steps(event):
                self._counts[family][part, tuple(labels.items())] += amount

    def render(self) -> str:
        """Return all counts in the text format, version 0.0.4; names and labels in order."""
        with self._lock:
            counts = {family: dict(samples) for family, samples in self._counts.items()}
        lines: list[str] = []
        for family in _FAMILIES:
            samples = counts.get(family)
            if samples is None:
                continue
            lines.append(f"# HELP {family.name} {family.help}")
            lines.append(f"# TYPE {family.name} {family.kind}")
            # A summary's sum and count stand together.
            for part, labels in sorted(samples, key=lambda key: (key[1], family.parts.index(key[0]))):
                value = samples[part, labels]
                lines.append(f"{family.name}{part}{_shown(labels)} {_number(value)}")
        return "".join(line + "\n" for line in lines)


def _steps(event: ScarfEvent) -> Iterator[tuple[_Family, str, Mapping[str, str], float]]:
    """Tell what an event adds to which count. Pure."""
    method, _, template = event.endpoint.partition(" ")
    labels = {"method": method, "endpoint": template}
    match event:
        case RequestStarted():
            yield _IN_PROGRESS, "", labels, 1
        case RequestFinished(status=status, error=error):
            yield _IN_PROGRESS, "", labels, -1
            yield _REQUESTS, "", {**labels, "status": str(status or ""), "error": error or ""}, 1
            yield _SECONDS, "_sum", labels, event.elapsed
            yield _SECONDS, "_count", labels, 1
        case RetryScheduled():
            yield _RETRIES, "", {**labels, "reason": event.reason}, 1
        case Throttled():
            yield _PAUSES, "", labels, 1
            yield _PAUSED, "", labels, event.seconds
        case StreamFinished():
            yield _EXPORTS, "", {**labels, "complete": str(event.complete).lower()}, 1
            yield _BYTES, "", labels, event.bytes_received


def _shown(labels: _Labels) -> str:
    r"""Return labels as they stand behind a name.

    >>> print(_shown((("reason", 'a "b" \\ c\nd'),)))
    {reason="a \"b\" \\ c\nd"}
    """
    return "{" + ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in labels) + "}"


def _number(value: float) -> str:
    """Return a number: whole ones without a point, as long as they are exact."""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
