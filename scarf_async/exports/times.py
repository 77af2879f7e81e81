"""Timestamps by the column."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

from scarf_async.exports.faults import RecordError, shown
from scarf_async.wire import parse_time

__all__ = ["moments"]

# Times that Python reads as they are, aware and in UTC. `fromisoformat` alone takes much that is no timestamp.
_UTC_COLUMN = re.compile(r"(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,12})?(?:Z|\+00:00)\n)*+", re.ASCII)


def _moment(text: str) -> dt.datetime:
    try:
        return parse_time(text)
    except ValueError:
        pass
    raise RecordError(f"column 'time': {shown(text)} is no time" if text else "column 'time' is empty")


def moments(column: Sequence[str]) -> list[dt.datetime]:
    """Read a column of timestamps, into aware ones in UTC.

    Raises:
        RecordError: one of them is none.
    """
    if _UTC_COLUMN.fullmatch("\n".join(column) + "\n"):
        try:
            return list(map(dt.datetime.fromisoformat, column))
        except ValueError:
            pass
    return [_moment(text) for text in column]
