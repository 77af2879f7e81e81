"""The lease of a prefix: an object that the writing run keeps renewing. All methods block.

It avoids paying for two runs of one job. Conditional writes of the manifest prevent them from damaging each other's
work. Clocks of two machines are never compared: a run that waits for a renewal counts seconds by its own clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from scarf_async.errors import JobBusyError
from scarf_async.exports.jobs.document import LEASE
from scarf_async.exports.jobs.stores.objects import ChangedError, Found, Objects, nonce

__all__ = ["Lease"]

_RENEWED: Final = 10.0
_DEAD: Final = 30.0
"""The seconds without a renewal after which a holder counts as dead."""
_LOOK: Final = 1.0


class _Body(msgspec.Struct):
    """The contents of `lease.json`: the holder, if any, and a value that makes each version unique."""

    run: str | None = None
    n: int = 0
    commit: str = ""


def _holder(found: Found) -> str | None:
    try:
        return msgspec.json.decode(found.data, type=_Body).run
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Whatever it contains, its writer renews it by changing it.
        return ""


class Lease:
    """The lease of a prefix, held from `take` until `free`, or until it is lost.

    Args:
        objects: the prefix.
        waiting: called with the seconds that another holder still has to renew it.
        pause: waits for a number of seconds.
        monotonic: returns the time in seconds.

    Attributes:
        lost: whether another run has taken it because this process did not renew it in time.
    """

    def __init__(
        self,
        objects: Objects,
        waiting: Callable[[float], object] = lambda _: None,
        *,
        pause: Callable[[float], object] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lost: bool = False
        self._objects = objects
        self._waiting = waiting
        self._pause = pause
        self._monotonic = monotonic
        self._run = nonce()
        self._n = 0
        self._found: Found | None = None
        self._turn = threading.Lock()
        self._over = threading.Event()

    def take(self) -> None:
        """Take it, and start a thread that renews it.

        Raises:
            JobBusyError: another run holds it, or took it first.
            OSError: the store does not respond, or returns an error.
        """
        self._found = self._wait_for_its_end()
        try:
            self._write(self._run)
        except ChangedError:
            raise self._busy() from None
        threading.Thread(target=self._keep, name="scarf-lease", daemon=True).start()

    def _wait_for_its_end(self) -> Found | None:
        """Return the lease object once it is free, or its holder is dead."""
        held = self._objects.read(LEASE)
        since = self._monotonic()
        while held is not None and _holder(held) is not None:
            left = _DEAD - (self._monotonic() - since)
            if left <= 0:
                break
            self._waiting(left)
            self._pause(min(_LOOK, left))
            found = self._objects.read(LEASE)
            if found is not None and found.data != held.data and _holder(found) is not None:
                raise self._busy()
            held = found
        return held

    def _busy(self) -> JobBusyError:
        return JobBusyError(
            f"{self._objects.place} is in use by another run; wait for its end, or give another destination"
        )

    def _write(self, run: str | None) -> None:
        self._n += 1
        body = msgspec.json.encode(_Body(run, self._n, nonce()))
        self._found = self._objects.commit(LEASE, body, self._found)

    def _keep(self) -> None:
        while not self._over.wait(_RENEWED):
            self.renew()

    def renew(self) -> None:
        """Renew it; a failure is retried the next time."""
        with self._turn:
            if self._over.is_set():
                return
            try:
                self._write(self._run)
            except ChangedError:
                self.lost = True
                self._over.set()
            except OSError:
                pass

    def check(self) -> None:
        """Check that it was not lost.

        Raises:
            JobBusyError: another run has taken it.
        """
        if self.lost:
            raise JobBusyError(
                f"another run has taken over {self._objects.place}, since this one did not show for 30 s that it is"
                " alive; nothing of the other's was changed"
            )

    def free(self) -> None:
        """Release it; if that fails, others wait until it counts as dead."""
        with self._turn:
            if self._over.is_set():
                return
            self._over.set()
            with suppress(ChangedError, OSError):
                self._write(None)
