"""Ready hooks for `Scarf(on_event=...)`: logging, counters for Prometheus, OpenTelemetry.

Each is a callable that takes a `ScarfEvent`. `OpenTelemetryHook` stands in `scarf_async.observe.otel`, since it
needs the extra `otel`.

Example:
    ```python
    counters = PrometheusHook()
    async with Scarf(on_event=combine(LoggingHook(), counters)) as scarf:
        ...
    ```

An event is told where it happens: in the task of the call, synchronously. So a hook sees the caller's context
variables, and must return soon.
"""

from scarf_async.observe.combining import combine
from scarf_async.observe.logs import LoggingHook
from scarf_async.observe.prometheus import CONTENT_TYPE, PrometheusHook

__all__ = ["CONTENT_TYPE", "LoggingHook", "PrometheusHook", "combine"]
