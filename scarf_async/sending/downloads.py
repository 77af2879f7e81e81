"""Exports as open responses: requested with retries, and followed through redirects to their storage."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec
from yarl import URL

from scarf_async.clock import Clock
from scarf_async.entities import ApiVersion
from scarf_async.errors import ExportError, ScarfError
from scarf_async.events import RetryScheduled, StreamFinished
from scarf_async.http.transport import Download
from scarf_async.protocol.messages import Answer, Lost, Request
from scarf_async.protocol.steps import Steps
from scarf_async.sending.attempts import Attempts, shown_as
from scarf_async.sending.retry import Course
from scarf_async.settings import is_loopback
from scarf_async.text import printable

__all__ = ["Downloads", "redirect_target"]

_MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CUT_EXPORT: Final = "the export was cut off; fetching it again costs another call"

_log = logging.getLogger("scarf_async")


class Downloads(msgspec.Struct, frozen=True, eq=False):
    """The parts of the client that exports need.

    Attributes:
        attempts: sends requests.
        tell: carries out a call without a result.
        owner: the owner of the client.
    """

    attempts: Attempts
    tell: Callable[[Steps[None]], Awaitable[None]]
    owner: str | None = None

    @property
    def api(self) -> ApiVersion:
        """The default version of the API."""
        return self.attempts.transport.settings.api

    @property
    def clock(self) -> Clock:
        """The clock of the client."""
        return self.attempts.transport.clock

    @property
    def max_record_bytes(self) -> int:
        """The maximum size of one record of an export."""
        return self.attempts.transport.settings.max_record_bytes

    @property
    def save_attempts(self) -> int:
        """The maximum number of times to fetch an export that is saved."""
        return self.attempts.retry.attempts

    def server_of(self, version: str) -> str:
        """Return the URL of a version.

        Raises:
            ConfigurationError: the client only has the URL of another version.
        """
        return self.attempts.transport.settings.root(version)

    def redact(self, text: str) -> str:
        """Remove the token from a text of the service."""
        return self.attempts.transport.settings.token.redact(text)

    async def pause(self, request: Request[None], attempt: int) -> None:
        """Log that a truncated export is fetched again, and wait."""
        name, delay = request.endpoint.name, self.attempts.retry.backoff(attempt)
        _log.warning(
            "%s was cut off: it is fetched again, which costs another call (%d of at most %d)",
            name,
            attempt + 1,
            self.save_attempts,
        )
        self.attempts.notices.tell(RetryScheduled(endpoint=name, attempt=attempt, delay=delay, reason=_CUT_EXPORT))
        await self.attempts.transport.sleep(delay)

    async def download(self, request: Request[None]) -> Download:
        """Request an export, follow its redirects, and return the open response; all retries happen here.

        Raises:
            APIError: the service returned an error.
            TransportError: no response arrived. A request that was sent is not retried, since exports cost money.
            ExportError: a redirect target is not allowed.
            ConfigurationError: the client only has the URL of another version.
        """
        attempts = self.attempts
        course, url = Course(self.clock), attempts.url(request)
        refused: list[ScarfError] = []
        follow = partial(self._follow, course, refused)
        outcome = await attempts.persist(request, course, lambda: attempts.open(request, course, follow, url))
        if isinstance(outcome, Download):
            if attempts.notices.wanted:
                outcome.on_close = self._stream_finished(request)
            return outcome
        raise refused[-1] if refused else attempts.failure(request, outcome, course)

    def _stream_finished(self, request: Request[None]) -> Callable[[Download], None]:
        def tell(download: Download) -> None:
            self.attempts.notices.tell(
                StreamFinished(
                    endpoint=request.endpoint.name,
                    bytes_received=download.bytes_received,
                    complete=download.proven,
                )
            )

        return tell

    async def _follow(self, course: Course, refused: list[ScarfError], url: URL) -> Answer | Download | Lost:
        origin = url.origin()
        for hop in range(_MAX_REDIRECTS + 1):
            # All redirects count as one attempt.
            sent = (lambda: None) if hop else course.sending
            outcome = await self.attempts.transport.open(url, authorize=url.origin() == origin, on_send=sent)
            if hop:
                outcome = shown_as(outcome, printable(self.redact(str(url.with_query(None)))))
            if not isinstance(outcome, Answer) or outcome.status not in _REDIRECTS:
                return outcome
            target = redirect_target(url, outcome, loopback=is_loopback(origin))
            if isinstance(target, str):
                refusal = self.redact(f"{outcome.status} from {url.origin()}: {target}")
                refused.append(ExportError(printable(refusal)))
                return outcome
            url = target
        refused.append(ExportError(f"{origin} redirected more than {_MAX_REDIRECTS} times"))
        return outcome


def redirect_target(url: URL, answer: Answer, *, loopback: bool) -> URL | str:
    """Return the target of a redirect, or why it is not allowed."""
    location = answer.headers.get("Location", "")
    try:
        target = url.join(URL(location, encoded=True))
        host = target.host
    except ValueError:
        host = None
    if not location or not host:
        return "a redirect without a usable Location"
    if "@" in target.raw_authority:
        return f"a redirect to {host} with a user in its address"
    if target.scheme == "https" or (target.scheme == "http" and loopback and is_loopback(target)):
        return target
    return f"a redirect to {target.scheme}://{host}, which is not https"
