"""Combining several hooks into one."""

from __future__ import annotations

from collections.abc import Callable

from scarf_async.events import Hook, ScarfEvent

__all__ = ["combine"]


def combine(*hooks: Callable[[ScarfEvent], object]) -> Callable[[ScarfEvent], None]:
    """Return a hook that passes every event to each of the hooks, in order.

    Args:
        hooks: the hooks. An exception from one is logged once, and the others are still called.

    >>> from scarf_async import Throttled
    >>> told = []
    >>> hook = combine(told.append, lambda event: told.append(event.seconds))
    >>> hook(Throttled(endpoint="GET /packages", seconds=2))
    >>> told
    [Throttled(endpoint='GET /packages', seconds=2), 2]
    """
    guarded = [Hook(f"on_event: {_name(hook)}", hook) for hook in hooks]

    def tell(event: ScarfEvent) -> None:
        for hook in guarded:
            hook.tell(event)

    return tell


def _name(hook: Callable[[ScarfEvent], object]) -> str:
    # The repr of a hook could show its contents.
    return getattr(hook, "__qualname__", type(hook).__qualname__)
