"""All targets, by name."""

from __future__ import annotations

from typing import Any, Final

from . import answers, files, streams
from .made import Target

__all__ = ["TARGETS"]

TARGETS: Final[dict[str, Target[Any]]] = {**streams.TARGETS, **answers.TARGETS, **files.TARGETS}
