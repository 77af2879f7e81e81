"""Several hooks as one."""

from __future__ import annotations

import doctest

import pytest

from scarf_async import ScarfEvent, Throttled
from scarf_async.observe import combine, combining, logs

EVENT = Throttled(endpoint="GET /packages", seconds=1)


def test_a_hook_that_raises_keeps_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged once, by its name, and every other hook hears of everything."""
    heard: list[ScarfEvent] = []

    def broken(_: ScarfEvent) -> None:
        raise RuntimeError("its own fault")

    hook = combine(broken, heard.append)
    for _ in range(2):
        hook(EVENT)
    assert heard == [EVENT, EVENT]
    (record,) = caplog.records
    assert "broken raised" in record.message


@pytest.mark.parametrize("module", [combining, logs])
def test_examples(module: object) -> None:
    """The examples in the docstrings hold."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type] # a module, of no narrower type
