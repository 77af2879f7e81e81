"""Arrays of permissions: sent as a whole, and split if the service refuses them."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs

from scarf_async.errors import APIError, NotFoundError, PermissionDeniedError, ScarfError

__all__ = ["Splitter"]

_ABOUT_THE_MOMENT: Final = frozenset({401, 408, 413, 425, 429})
"""4xx statuses that say nothing about the content of the array."""


@attrs.define
class Splitter:
    """Finds the bad entries of refused arrays by bisection; shared by a whole run.

    Attributes:
        limit: the maximum number of entries in one array; each 413 halves it for the rest of the run.
    """

    limit: int

    async def send(
        self,
        places: Sequence[int],
        *,
        send: Callable[[Sequence[int]], Awaitable[ScarfError | None]],
        package_refused: Callable[[], Awaitable[ScarfError | None]],
        refuse: Callable[[Sequence[int], ScarfError], None],
    ) -> None:
        """Send entries in order, in arrays that the service accepts.

        Args:
            places: the entries.
            send: sends an array; returns the refusal, or settles the entries and returns None.
            package_refused: reads the package's permissions; returns the error if the package itself is refused.
            refuse: settles entries as refused.
        """
        left: deque[Sequence[int]] = deque([places])
        package_is_good = False
        while left:
            array = left.popleft()
            if len(array) > self.limit:
                left.extendleft((array[self.limit :], array[: self.limit]))
                continue
            refusal = await send(array)
            if refusal is None:
                continue
            if isinstance(refusal, APIError) and refusal.status == 413 and len(array) > 1:
                self.limit = min(self.limit, (len(array) + 1) // 2)
                left.appendleft(array)
                continue
            if not _about_entries(refusal) or len(array) == 1:
                refuse(array, refusal)
                continue
            if isinstance(refusal, NotFoundError | PermissionDeniedError) and not package_is_good:
                reason = await package_refused()
                if reason is not None:
                    refuse([*array, *(place for rest in left for place in rest)], refusal)
                    return
                package_is_good = True
            middle = len(array) // 2
            left.extendleft((array[middle:], array[:middle]))


def _about_entries(refusal: ScarfError) -> bool:
    return isinstance(refusal, APIError) and 400 <= refusal.status < 500 and refusal.status not in _ABOUT_THE_MOMENT
