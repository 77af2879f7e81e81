"""What all of these tests watch: no log record of anybody holds a secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from acceptance.test_secrets import BASIC, MARK


@pytest.fixture(autouse=True)
def _quiet_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Let the whole process log all that it can, and look for a secret in it, and for what steers a terminal."""
    caplog.set_level(logging.DEBUG)
    for name in ("scarf_async", "aiohttp", "aiohttp.client", "aiohttp.internal", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield
    for record in caplog.get_records("call"):
        for text in (record.getMessage(), repr(record.args), record.exc_text or "", repr(vars(record))):
            assert MARK not in text
            assert BASIC not in text
        if record.name == "scarf_async":
            assert record.getMessage().isprintable()
