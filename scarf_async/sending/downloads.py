"""Exports as open answers: asked for with all retries, and followed to where they are stored."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import attrs
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


@attrs.frozen(eq=False)
class Downloads:
    """What the exports need from the client.

    Attributes:
        attempts: sends requests.
        tell: carries out a call that gives nothing.
        owner: the client's.
    """

    attempts: Attempts
    tell: Callable[[Steps[None]], Awaitable[None]]
    owner: str | None = None

    @property
    def api(self) -> ApiVersion:
        """The version of the service that is asked where a call names none."""
        return self.attempts.transport.settings.api

    @property
    def clock(self) -> Clock:
        """What the client waits by."""
        return self.attempts.transport.clock

    @property
    def max_record_bytes(self) -> int:
        """How long one record of an export may be."""
        return self.attempts.transport.settings.max_record_bytes

    @property
    def save_attempts(self) -> int:
        """How often an export that is saved is fetched at the most."""
        return self.attempts.retry.attempts

    def server_of(self, version: str) -> str:
        """Return the address of a version.

        Raises:
            ConfigurationError: the client was given another version's address only.
        """
        return self.attempts.transport.settings.root(version)

    def redact(self, text: str) -> str:
        """Take the token out of what the service said."""
        return self.attempts.transport.settings.token.redact(text)

    async def pause(self, request: Request[None], attempt: int) -> None:
        """Say that an export that was cut off is fetched again, and wait."""
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
        """Ask for an export, follow its redirects, and return it open; all retries happen here.

        Raises:
            APIError: the service said no.
            TransportError: no answer came; what was sent is not sent again, since exports cost money.
            ExportError: a redirect leads where none may.
            ConfigurationError: the client was given another version's address only.
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
            # One attempt, however far it is sent on.
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
    """Return where an export goes on, or why not there. Pure."""
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
