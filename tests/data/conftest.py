"""What needs a browser is skipped where there is none, in one line of the summary."""

from __future__ import annotations

import pytest

from .browser import chromium


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that ask for a browser."""
    if chromium() is None:
        reason = "no Chromium or Chrome on this machine: what a report looks like was not tested"
        for item in items:
            if "browser" in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.skip(reason=reason))
