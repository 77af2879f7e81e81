"""`Scarf`: the client, a view of one session with its groups of calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, NoReturn, Self, TypeVar

import aiohttp
import attrs

from scarf_async.checks import flag, instance, positive
from scarf_async.clock import Clock
from scarf_async.dialects import dialect_of
from scarf_async.dialects.other_calls import other_call, other_request
from scarf_async.dialects.v2.accounts import search
from scarf_async.entities import JSON, UNSET, ApiVersion, Check, SearchResult, Unset
from scarf_async.errors import ConfigurationError
from scarf_async.events import Hook, ScarfEvent
from scarf_async.http.transport import Transport
from scarf_async.resources import (
    Collections,
    Domains,
    Members,
    Organizations,
    Packages,
    Permissions,
    Pixels,
    Routes,
    Users,
)
from scarf_async.sending.attempts import Attempts
from scarf_async.sending.retry import RetryBudget, RetryPolicy
from scarf_async.sending.session import Session
from scarf_async.settings import (
    Proxy,
    Secret,
    Settings,
    read_api,
    read_bases,
    read_ca_file,
    read_owner,
    read_proxy,
    read_token,
)

if TYPE_CHECKING:
    from scarf_async.bulk.group import Bulk
    from scarf_async.exports.group import Exports
    from scarf_async.imports.group import Imports
    from scarf_async.manifests.group import Manifests

__all__ = ["Scarf"]

_MAX_CONNECTIONS: Final = 100

T = TypeVar("T")


class Scarf:
    """A client of the Scarf API.

    It may be made anywhere, opens its connections on first use, and belongs to the event loop of that use, or of
    its `async with` block.

    Example:
        ```python
        async with Scarf() as scarf:  # token from $SCARF_API_TOKEN
            acme = await scarf.organizations.get("acme")
        ```

    Args:
        token: the API token; else `$SCARF_API_TOKEN`. White space around it is stripped.
        api: the version of the service that the calls speak, `"v1"` or `"v2"`; else `$SCARF_API_VERSION`, else
            `"v1"`. A client never falls back from one to the other.
        owner: the account whose packages are meant where a call of v2 names none; else `$SCARF_OWNER`, else
            `$SCARF_ENTITY_NAME`. No call of v1 asks for it.
        base_url: of v1; else `$SCARF_BASE_URL`, else `https://scarf.sh/api/v1`. http is for loopback only.
        v2_url: of v2, which some exports of v1 clients use too; else `$SCARF_V2_URL`, else
            `https://api.scarf.sh/v2`.
        v3_url: of v3; else `$SCARF_V3_URL`, else `v2_url` with `v3` for a `v2` at its end, else
            `https://api.scarf.sh/v3`. A client that is given the address of one version and not of another does not
            take Scarf's for that: the first call of the other raises `ConfigurationError`, and nothing is sent.
        retry: when and how often a request is sent again.
        timeout: seconds for one attempt of an ordinary call, from having a connection to the last byte.
        connect_timeout: seconds for name resolution, TCP and TLS together.
        export_timeout: seconds for the first byte of an export, and for each silence after it.
        max_connections: connections of ordinary calls at the most, in use or kept; a further call waits. Each open
            export has one more of its own, so that calls made while exports are open never wait for these.
        rate_limit: requests a second, over all calls, without bursts; None for no limit.
        max_response_bytes: how long an ordinary answer may be.
        max_record_bytes: how long one record of an export may be.
        proxy: an http or https address, maybe with user and password; else `$HTTPS_PROXY` and `$NO_PROXY`.
        ca_file: certificates (PEM) to trust beside the system's.
        read_only: refuse everything but GET and HEAD, and a search, with `ReadOnlyError`.
        on_event: called with each `ScarfEvent`; what it raises is logged once and harms nothing.
        session: an open `aiohttp.ClientSession` to use; it is never changed and never closed. It brings its own
            connections, so `proxy`, `ca_file` and `max_connections` cannot be given with it. Its pool does not
            tell when a connection is there: `connect_timeout` then bounds TCP and TLS, and `timeout` each silence
            before the answer and the whole of the answer's body.

    Raises:
        ConfigurationError: an argument or variable cannot be used; secrets are not shown.
    """

    __slots__ = (
        "_bulk",
        "_exports",
        "_imports",
        "_manifests",
        "_owns",
        "_session",
        "collections",
        "domains",
        "members",
        "organizations",
        "packages",
        "permissions",
        "pixels",
        "routes",
        "users",
    )

    _bulk: Bulk | None
    _exports: Exports | None
    _imports: Imports | None
    _manifests: Manifests | None
    organizations: Organizations
    members: Members
    packages: Packages
    permissions: Permissions
    routes: Routes
    domains: Domains
    pixels: Pixels
    collections: Collections
    users: Users

    def __init__(
        self,
        token: str | None = None,
        *,
        api: ApiVersion | None = None,
        owner: str | None = None,
        base_url: str | None = None,
        v2_url: str | None = None,
        v3_url: str | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 # frozen
        timeout: float = 30.0,
        connect_timeout: float = 10.0,
        export_timeout: float = 300.0,
        max_connections: int = _MAX_CONNECTIONS,
        rate_limit: float | None = None,
        max_response_bytes: int = 64 * 2**20,
        max_record_bytes: int = 2**20,
        proxy: str | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        read_only: bool = False,
        on_event: Callable[[ScarfEvent], object] | None = None,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        borrowed = session is not None
        conflicts = [
            name
            for name, given in (
                ("proxy", proxy is not None),
                ("ca_file", ca_file is not None),
                ("max_connections", max_connections != _MAX_CONNECTIONS),
            )
            if given and borrowed
        ]
        secret = read_token(token)
        bases = read_bases(base_url, v2_url, v3_url)
        through = None if borrowed else read_proxy(proxy)
        # What may be secret leaves this frame before anything can raise: tracebacks may show local variables.
        token = base_url = v2_url = v3_url = proxy = None
        account = read_owner(owner)
        settings = Settings(
            token=_usable(secret, Secret),
            bases=_usable(bases, dict),
            api=read_api(api),
            connect_timeout=connect_timeout,
            export_timeout=export_timeout,
            max_connections=max_connections,
            rate_limit=rate_limit,
            max_response_bytes=max_response_bytes,
            max_record_bytes=max_record_bytes,
            proxy=None if through is None else _usable(through, Proxy),
            tls=read_ca_file(ca_file) if not conflicts else None,
        )
        if conflicts:
            raise ConfigurationError(
                f"a session of your own brings its own connections: do not give {conflicts[0]}"
            )
        if on_event is not None and not callable(on_event):
            raise ConfigurationError("on_event must be callable")
        if session is not None:
            wanted = "an aiohttp.ClientSession"
            instance("session", session, aiohttp.ClientSession, ConfigurationError, wanted=wanted)
        if session is not None and session.closed:
            raise ConfigurationError("session is closed; give one that is open")
        self._owns = True
        clock = self._make_clock()
        self._use(
            Session(
                attempts=Attempts(
                    transport=Transport(settings, clock, session),
                    budget=RetryBudget(clock),
                    notices=Hook("on_event", on_event),
                    retry=_policy(retry),
                    timeout=_timeout(timeout),
                ),
                dialect=dialect_of(settings.api, account),
                read_only=_flag(read_only),
                owner=account,
            )
        )

    @staticmethod
    def _make_clock() -> Clock:
        """Make what a new client waits by; tests override it."""
        return Clock()

    def _use(self, session: Session) -> None:
        self._session = session
        self._bulk = self._exports = self._imports = self._manifests = None
        self.organizations = Organizations(session)
        self.members = Members(session)
        self.packages = Packages(session)
        self.permissions = Permissions(session)
        self.routes = Routes(session)
        self.domains = Domains(session)
        self.pixels = Pixels(session)
        self.collections = Collections(session)
        self.users = Users(session)

    @property
    def api(self) -> ApiVersion:
        """The version of the service that its calls speak."""
        return self._session.transport.settings.api

    @property
    def owner(self) -> str | None:
        """The account whose packages are meant where a call of v2 names none."""
        return self._session.owner

    @property
    def base_url(self) -> str:
        """The address of v1 that it calls.

        Raises:
            ConfigurationError: it was given that of another version only.
        """
        return self._session.transport.settings.root("v1")

    @property
    def v2_url(self) -> str:
        """The address of v2 that it calls.

        Raises:
            ConfigurationError: it was given that of another version only.
        """
        return self._session.transport.settings.root("v2")

    @property
    def v3_url(self) -> str:
        """The address of v3 that it calls.

        Raises:
            ConfigurationError: it was given that of another version only.
        """
        return self._session.transport.settings.root("v3")

    async def check(self) -> Check:
        """Tell whether token, version and owner work, by a cheap read or two, and what to change if not.

        Raises:
            APIError: the service answered something else than yes, 401, 403 or 404.
            TransportError: no answer came.
        """
        return await self._session.run(self._session.dialect.check())

    async def search(self, query: str) -> list[SearchResult]:
        """Return the packages and tracking pixels that a search finds, of all that the token's user sees (v2).

        It is a call of v2, whichever version the client speaks, and a read although it is a POST.

        Args:
            query: what to look for.

        Raises:
            ValidationError: it is not a text; nothing was sent.
            APIError: the service said no.
            TransportError: no answer came.
            DecodeError: the answer is not a list of results.
        """
        return await self._session.run(search(query))

    async def request(
        self,
        method: str,
        path: str | Sequence[str],
        *,
        query: Mapping[str, str | Sequence[str]] | None = None,
        json: JSON | Unset = UNSET,
        version: Literal["v1", "v2", "v3"] | None = None,
        resend: Literal["repeat"] | None = None,
    ) -> JSON:
        """Make a call that has no method here; return its answer as JSON, None where it is empty.

        Example:
            ```python
            invites = ["organizations", "acme", "members", "invites"]
            await scarf.request("DELETE", invites, json={"email": "ann@acme.example"}, version="v2")
            ```

        Args:
            method: GET, HEAD, POST, PUT, PATCH or DELETE.
            path: what follows the address of the version: its segments, each of which is escaped, or a text that
                begins with `/` and is escaped already where a `/`, `?`, `#` or `%` is part of a value.
            query: the parameters; one of several values is repeated.
            json: the body; `UNSET` for none, None for `null`.
            version: whose address it is below; else the version that the client speaks.
            resend: a GET or HEAD is sent again as every read. Anything else is sent once, since nothing is known of
                it, and a failure after that leaves open whether it took effect; `"repeat"` says that it states a
                final value, and may be sent again.

        Raises:
            ValidationError: a path that might lead elsewhere than it says (`..`, `//` or a backslash, however
                escaped, `?`, `#`, another origin), or a body that is not JSON; nothing was sent.
            APIError: the service said no.
            TransportError: no answer came; a write may have taken effect.
            DecodeError: it succeeded, and the answer is not JSON; it is not asked for again.
        """
        wanted = other_request(
            method, path, version=self.api if version is None else version, query=query, json=json, resend=resend
        )
        return await self._session.run(other_call(wanted))

    # What only awaits single calls is spared the import of the rest, which takes as long as its own.

    @property
    def bulk(self) -> Bulk:
        """Plans of many operations, run concurrently."""
        if self._bulk is None:
            from scarf_async.bulk.group import Bulk  # noqa: PLC0415

            self._bulk = Bulk(self._session)
        return self._bulk

    @property
    def exports(self) -> Exports:
        """Exports as streams and files, and export jobs."""
        if self._exports is None:
            from scarf_async.exports.group import Exports  # noqa: PLC0415

            self._exports = Exports(self._session.downloads)
        return self._exports

    @property
    def imports(self) -> Imports:
        """Your own events, sent to Scarf."""
        if self._imports is None:
            from scarf_async.imports.group import Imports  # noqa: PLC0415

            self._imports = Imports(self._session)
        return self._imports

    @property
    def manifests(self) -> Manifests:
        """Organizations as files: pull, compare, apply, copy."""
        if self._manifests is None:
            from scarf_async.manifests.group import Manifests  # noqa: PLC0415

            self._manifests = Manifests(self._session)
        return self._manifests

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retry: RetryPolicy | None = None,
        read_only: bool | None = None,
        owner: str | None = None,
    ) -> Scarf:
        """Return a view with other options over the same connections, pace and retry budget.

        What is not given stays as it is. Closing a view closes nothing. A view of a read-only client stays
        read-only.

        Raises:
            ConfigurationError: a value cannot be used.
        """
        base = self._session if owner is None else self._session.of_owner(read_owner(owner))
        view = object.__new__(type(self))
        view._owns = False
        view._use(
            attrs.evolve(
                base,
                attempts=attrs.evolve(
                    base.attempts,
                    timeout=base.attempts.timeout if timeout is None else _timeout(timeout),
                    retry=base.retry if retry is None else _policy(retry),
                ),
                read_only=base.read_only
                or (read_only is not None and flag("read_only", read_only, ConfigurationError)),
            )
        )
        return view

    def __enter__(self) -> NoReturn:
        raise TypeError("a client is asynchronous: write `async with Scarf(...)`, inside of a coroutine")

    def __exit__(self, *_: object) -> None: ...

    async def __aenter__(self) -> Self:
        # It is closed on this event loop. A call from another one must fail, not wait for this one to run.
        self._session.transport.bind()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; calls under way end with `ClientClosedError`. May be called any number of times.

        Raises:
            WrongEventLoopError: the client was used on another event loop.
        """
        if self._owns:
            await self._session.transport.aclose()

    def __repr__(self) -> str:
        session = getattr(self, "_session", None)
        if session is None:  # in the traceback of a constructor that refused its arguments
            return "<Scarf>"
        closed = " closed" if session.transport.closed else ""
        return f"<Scarf {session.transport.settings.shown}{closed}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Scarf client cannot be pickled: it holds a token and connections; make one where it is used"
        )


def _usable(value: object, kind: type[T]) -> T:
    if isinstance(value, kind):
        return value
    raise ConfigurationError(str(value))


def _timeout(value: float) -> float:
    return positive("timeout", value, ConfigurationError, wanted="a positive number of seconds")


def _flag(value: object) -> bool:
    return flag("read_only", value, ConfigurationError)


def _policy(value: object) -> RetryPolicy:
    return instance("retry", value, RetryPolicy, ConfigurationError, wanted="a RetryPolicy")
