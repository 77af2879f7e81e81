"""Ready-made hooks for `Scarf(on_event=...)`: logging, Prometheus and OpenTelemetry.

Each is a callable that takes a `ScarfEvent`. `PrometheusHook` and `CONTENT_TYPE` need the extra `prometheus`.
`OpenTelemetryHook` is in `scarf_async.observe.otel` and needs the extra `otel`.

Example:
    ```python
    counters = PrometheusHook()
    async with Scarf(on_event=combine(LoggingHook(), counters)) as scarf:
        ...
    ```

Hooks are called synchronously, in the task of the call. So they see the caller's context variables, and must
return quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from scarf_async.observe.combining import combine
from scarf_async.observe.logs import LoggingHook

if TYPE_CHECKING:
    from scarf_async.observe.prometheus import CONTENT_TYPE, PrometheusHook

__all__ = ["CONTENT_TYPE", "LoggingHook", "PrometheusHook", "combine"]

if not TYPE_CHECKING:  # for a type checker it would turn every misspelt name into an object

    def __getattr__(name: str) -> object:
        if name in {"CONTENT_TYPE", "PrometheusHook"}:
            return getattr(import_module(f"{__name__}.prometheus"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
