"""The browser that is on this machine, for tests."""

from __future__ import annotations

import os
import shutil

__all__ = ["chromium"]

_NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)  # fmt: skip


def chromium() -> str | None:
    """Return the path of a Chromium or Chrome: `$SCARF_TEST_CHROMIUM`, or one that is installed."""
    chosen = os.environ.get("SCARF_TEST_CHROMIUM")
    return next(filter(None, map(shutil.which, [chosen] if chosen else _NAMES)), None)
