"""What a client does, as log lines and as metrics: a hook for each, combined into one.

`python examples/observability.py` lets a local Scarf server fail on purpose. With $SCARF_API_TOKEN and
$SCARF_ORGANIZATION set, it reads (and only reads) the members of that organization from the real one.

The metrics need the extra `prometheus`. For OpenTelemetry, `OpenTelemetryHook()` of `scarf_async.observe.otel`
(extra `otel`) is one more in `combine`.
"""

import asyncio
import json
import logging
import os
import sys

from scarf_async import PackageUpsert, Scarf
from scarf_async.emulator import Emulator, FaultRule
from scarf_async.observe import LoggingHook, PrometheusHook, combine


class AsJson(logging.Formatter):
    """A line of JSON for each record, with the fields of the event."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {name: value for name, value in vars(record).items() if name.startswith("scarf_")}
        return json.dumps({"level": record.levelname, "message": record.getMessage(), **fields})


def logger_of_events() -> logging.Logger:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(AsJson())
    logger = logging.Logger("acme.scarf", logging.INFO)  # DEBUG would show the start of each request, too
    logger.addHandler(handler)
    return logger


async def main() -> None:
    counters = PrometheusHook()
    hook = combine(LoggingHook(logger_of_events()), counters)
    if organization := os.environ.get("SCARF_ORGANIZATION"):
        async with Scarf(api="v2", owner=organization, on_event=hook, read_only=True) as scarf:
            await scarf.members.list(organization)
    else:
        emulator = Emulator(load={"organizations": [{"name": "acme"}]})
        emulator.faults.add(FaultRule("POST", "/packages/acme", 1, 429, retry_after=1))
        emulator.faults.add(FaultRule("GET", "*/members", 1, 503))
        emulator.faults.add(FaultRule("GET", "*/members", 2, "drop_before"))
        async with (
            emulator,
            Scarf(emulator.token, api="v2", owner="acme", v2_url=emulator.v2_url, on_event=hook) as scarf,
        ):
            await scarf.packages.create(PackageUpsert(name="web", short_description="", library_type="npm"))
            await asyncio.gather(scarf.members.list("acme"), scarf.packages.list())
    # A service gives this out at /metrics, with the content type scarf_async.observe.CONTENT_TYPE.
    print(counters.render())
    print("Everything that happened was logged and counted.")


if __name__ == "__main__":
    asyncio.run(main())
