"""The event exports at their v2 addresses (seed: 'Package Events', 'Pixel events')."""

from __future__ import annotations

from typing import Final

from scarf_async.protocol import ExportEndpoint

__all__ = ["OWNER_EVENTS", "PACKAGE_EVENTS", "PIXEL_EVENTS"]


def _export(template: str) -> ExportEndpoint:
    return ExportEndpoint(template, base="v2", start="start_date", end="end_date")


PACKAGE_EVENTS: Final = _export("/packages/{owner}/{package}/events")
OWNER_EVENTS: Final = _export("/packages/{owner}/events")
PIXEL_EVENTS: Final = _export("/tracking-pixels/{owner}/events")
