"""Create many records at once, from their columns.

A frozen class sets each attribute by a call, which for twenty attributes takes longer than all the rest of reading.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import repeat, starmap
from types import MemberDescriptorType
from typing import Final, Generic, TypeVar

import attrs

__all__ = ["Factory"]

R = TypeVar("R", bound=attrs.AttrsInstance)

_set_class: Final = vars(object)["__class__"].__set__


class Factory(Generic[R]):
    """Creates records of a class with slots, without validators and converters.

    >>> Point = attrs.make_class("Point", ["x", "y"], slots=True, frozen=True)
    >>> Factory(Point).make({"x": [1, 2], "y": [3, 4]}) == Factory(Point).make_each([(1, 3), (2, 4)])
    True

    Args:
        record: the class.

    Raises:
        TypeError: an attribute is not a slot.
    """

    def __init__(self, record: type[R]) -> None:
        self._record = record
        self._names = [field.name for field in attrs.fields(record)]
        for name in self._names:
            if not isinstance(vars(record)[name], MemberDescriptorType):
                raise TypeError(f"{record.__name__}.{name} is not a slot")
        # A subclass with the same slots, which sets them by plain assignments; afterwards the class is changed.
        assigning = attrs.make_class(record.__name__, self._names)
        self._thawed = type(
            record.__name__,
            (record,),
            {
                "__slots__": (),
                "__init__": vars(assigning)["__init__"],
                "__setattr__": object.__setattr__,
                "__delattr__": object.__delattr__,
            },
        )

    def make(self, columns: Mapping[str, Iterable[object]]) -> list[R]:
        """Return records, from the values of each attribute."""
        return self.make_each(zip(*map(columns.__getitem__, self._names), strict=True))

    def make_each(self, rows: Iterable[Iterable[object]]) -> list[R]:
        """Return records, from the values of each record in the order of its attributes."""
        made: list[R] = list(starmap(self._thawed, rows))
        deque(map(_set_class, made, repeat(self._record)), maxlen=0)
        return made
