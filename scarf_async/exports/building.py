"""Create many records at once, an attribute at a time.

The `__init__` of records with twenty attributes would take longer than all the rest of reading. This does the same,
one slot after another, without validators and converters.
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
    """Creates empty records of a class, and fills them.

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
        TypeError: the class has no slots.
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
        """Return a number of records without any attribute."""
        return list(map(self._record.__new__, repeat(self._record, count)))

    def fill(self, records: Sequence[R], name: str, values: Iterable[object]) -> None:
        """Set an attribute of each record; all attributes must be filled before the records are used."""
        deque(map(self._put[name], records, values), maxlen=0)
