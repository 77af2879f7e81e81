"""Events in the log."""

from __future__ import annotations

import logging

import pytest

from scarf_async import (
    NotFoundError,
    RequestFinished,
    RequestStarted,
    RetryScheduled,
    Scarf,
    ScarfEvent,
    StreamFinished,
    Throttled,
)
from scarf_async.emulator import Emulator
from scarf_async.observe import LoggingHook
from scarf_async.observe.logs import level_of, message_of
from scarf_async.testing import FAST, script_faults

AT = "GET /packages"


def finished(status: int | None, error: str | None = None) -> RequestFinished:
    """Return an event of an attempt's end."""
    return RequestFinished(endpoint=AT, attempt=2, status=status, error=error, elapsed=0.0123)


@pytest.mark.parametrize(
    ("event", "level", "words"),
    [
        (RequestStarted(endpoint=AT, attempt=1), logging.DEBUG, "attempt 1 starts"),
        (finished(200), logging.INFO, "attempt 2: 200 in 12 ms"),
        (finished(404), logging.INFO, "attempt 2: 404 in 12 ms"),
        (finished(429), logging.WARNING, "attempt 2: 429 in 12 ms"),
        (finished(500), logging.WARNING, "attempt 2: 500 in 12 ms"),
        (finished(None, "ConnectFailedError"), logging.WARNING, "attempt 2: ConnectFailedError in 12 ms"),
        (finished(None, "CancelledError"), logging.INFO, "attempt 2: CancelledError in 12 ms"),
        (finished(None, "ClientClosedError"), logging.INFO, "attempt 2: ClientClosedError in 12 ms"),
        (
            RetryScheduled(endpoint=AT, attempt=1, delay=1.5, reason="no answer"),
            logging.WARNING,
            "retry in 1.50 s, after attempt 1: no answer",
        ),
        (Throttled(endpoint=AT, seconds=7), logging.WARNING, "the service asks for a pause of 7 s"),
        (StreamFinished(endpoint=AT, bytes_received=9, complete=True), logging.INFO, "export of 9 bytes complete"),
        (
            StreamFinished(endpoint=AT, bytes_received=9, complete=False),
            logging.WARNING,
            "export of 9 bytes closed before a verified end",
        ),
        (ScarfEvent(endpoint=AT), logging.INFO, "ScarfEvent"),
    ],
)
def test_levels_and_words(event: ScarfEvent, level: int, words: str) -> None:
    """What is at fault outside of the program is a warning; the rest is news, or detail."""
    assert (level_of(event), message_of(event)) == (level, f"{AT}: {words}")


async def test_the_fields_of_an_event_are_attributes_of_the_record(
    scarf_emulator: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A formatter for JSON finds each field, by the name of the event's own."""
    script_faults(scarf_emulator, "GET", "*", 503)
    caplog.set_level(logging.INFO, "scarf_async.events")
    async with Scarf(
        scarf_emulator.token, base_url=scarf_emulator.url, retry=FAST, on_event=LoggingHook()
    ) as scarf:
        with pytest.raises(NotFoundError):
            await scarf.organizations.get("acme")
    fields = [
        {name: value for name, value in vars(record).items() if name.startswith("scarf_")}
        for record in caplog.records
        if record.name == "scarf_async.events"
    ]
    assert [each["scarf_event"] for each in fields] == ["RequestFinished", "RetryScheduled", "RequestFinished"]
    assert fields[1]["scarf_reason"] == "status 503"
    assert fields[2].pop("scarf_elapsed") > 0
    assert fields[2] == {
        "scarf_event": "RequestFinished",
        "scarf_endpoint": "GET /organizations/{organization}",
        "scarf_attempt": 2,
        "scarf_status": 404,
        "scarf_error": None,
        "scarf_url": f"{scarf_emulator.url}/organizations/acme",
    }


def test_another_logger_serves(caplog: pytest.LogCaptureFixture) -> None:
    """Your own logger is used, with its own level."""
    own = logging.getLogger("acme.scarf")
    own.setLevel(logging.WARNING)
    for event in (finished(200), finished(502)):
        LoggingHook(own)(event)
    assert [(record.name, record.message) for record in caplog.records] == [
        ("acme.scarf", f"{AT}: attempt 2: 502 in 12 ms")
    ]
