"""Many records at once, an attribute at a time.

Through their `__init__` records of twenty attributes would take longer than all the rest of the reading together.
What is done here is the same, one slot after another; validators and converters are not asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import repeat
from types import MemberDescriptorType
from typing import Generic, TypeVar

import attrs

__all__ = ["Slots"]

R = TypeVar("R", bound=attrs.AttrsInstance)


class Slots(Generic[R]):
    """Makes records of a class, empty, and fills them.

    >>> Point = attrs.make_class("Point", ["x", "y"], slots=True, frozen=True)
    >>> slots = Slots(Point)
    >>> points = slots.make(2)
    >>> slots.fill(points, "x", [1, 2])
    >>> slots.fill(points, "y", [3, 4])
    >>> points
    [Point(x=1, y=3), Point(x=2, y=4)]

    Args:
        record: a class with slots.

    Raises:
        TypeError: it has none.
    """

    def __init__(self, record: type[R]) -> None:
        self._record = record
        self._put = {}
        for field in attrs.fields(record):
            slot = vars(record)[field.name]
            if not isinstance(slot, MemberDescriptorType):
                raise TypeError(f"{record.__name__}.{field.name} is not a slot")
            self._put[field.name] = slot.__set__

    def make(self, count: int) -> list[R]:
        """Return so many records without any attribute."""
        return list(map(self._record.__new__, repeat(self._record, count)))

    def fill(self, records: Sequence[R], name: str, values: Iterable[object]) -> None:
        """Put a value into each; all attributes of all records are to be filled before anyone sees them."""
        deque(map(self._put[name], records, values), maxlen=0)
