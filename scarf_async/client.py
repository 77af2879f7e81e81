"""`Scarf`: the client, a view of one session that groups its calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, NoReturn, Self, TypeVar

import aiohttp
import msgspec

from scarf_async import entities
from scarf_async.checks import flag, instance, positive
from scarf_async.clock import Clock
from scarf_async.dialects import dialect_of, v2
from scarf_async.dialects.other_calls import other_call, other_request
from scarf_async.entities import JSON, UNSET, ApiVersion, Check, Unset
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
    """An async client for the Scarf API.

    It can be created anywhere, even without an event loop, and opens connections on first use. It belongs to the
    event loop of its `async with` block, or else of its first use.

    Example:
        ```python
        async with Scarf() as scarf:  # token from $SCARF_API_TOKEN
            acme = await scarf.organizations.get("acme")
        ```

    Args:
        token: the API token; else `$SCARF_API_TOKEN`. White space around it is stripped.
        api: the version of the API to call, `"v1"` or `"v2"`; else `$SCARF_API_VERSION`, else `"v1"`. A client
            never falls back from one version to the other.
        owner: the default owner for v2 calls that do not name one; else `$SCARF_OWNER`, else `$SCARF_ENTITY_NAME`.
            v1 calls do not use it.
        base_url: the v1 URL; else `$SCARF_BASE_URL`, else `https://scarf.sh/api/v1`. Plain http is accepted for
            loopback only.
        v2_url: the v2 URL, which some exports of v1 clients use too; else `$SCARF_V2_URL`, else
            `https://api.scarf.sh/v2`.
        v3_url: the v3 URL; else `$SCARF_V3_URL`, else `v2_url` with its final `v2` replaced by `v3`, else
            `https://api.scarf.sh/v3`. If you set the URL of only some versions, the others do not fall back to
            Scarf's own: a call to one of them raises `ConfigurationError`, and nothing is sent.
        retry: when and how often to retry a request.
        timeout: seconds for one attempt of an ordinary call, from acquiring a connection to the last byte.
        connect_timeout: seconds for name resolution, TCP and TLS together.
        export_timeout: seconds to wait for the first byte of an export, and between bytes after it.
        max_connections: the maximum number of connections for ordinary calls, in use or idle; further calls wait.
            Each open export has an additional connection, so ordinary calls never wait for exports.
        rate_limit: requests per second over all calls, without bursts; None for no limit.
        max_response_bytes: the maximum size of an ordinary response.
        max_record_bytes: the maximum size of one record of an export.
        proxy: an http or https URL, optionally with user and password; else `$HTTPS_PROXY` and `$NO_PROXY`.
        ca_file: certificates (PEM) to trust in addition to the system's.
        read_only: allow only GET, HEAD and searches; anything else raises `ReadOnlyError`.
        on_event: called with each `ScarfEvent`. An exception from it is logged once and otherwise ignored.
        session: an open `aiohttp.ClientSession` to use; the client never changes or closes it. It has its own
            connections, so `proxy`, `ca_file` and `max_connections` cannot be combined with it. Its pool does not
            report when a connection is acquired, so `connect_timeout` limits TCP and TLS only, and `timeout` limits
            each period without data before the response, and then the whole response body.

    Raises:
        ConfigurationError: an argument or environment variable is invalid; secrets are not shown.
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
        # Tracebacks may show local variables, so secrets leave this frame before anything can raise.
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
        """Make the clock of a new client; tests override it."""
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
        """The version of the API that this client calls."""
        return self._session.transport.settings.api

    @property
    def owner(self) -> str | None:
        """The default owner for v2 calls that do not name one."""
        return self._session.owner

    @property
    def base_url(self) -> str:
        """The v1 URL of this client.

        Raises:
            ConfigurationError: only URLs of other versions are set.
        """
        return self._session.transport.settings.root("v1")

    @property
    def v2_url(self) -> str:
        """The v2 URL of this client.

        Raises:
            ConfigurationError: only URLs of other versions are set.
        """
        return self._session.transport.settings.root("v2")

    @property
    def v3_url(self) -> str:
        """The v3 URL of this client.

        Raises:
            ConfigurationError: only URLs of other versions are set.
        """
        return self._session.transport.settings.root("v3")

    async def check(self) -> Check:
        """Check that token, version and owner work, with one or two cheap reads; say what to change if not.

        Raises:
            APIError: the service returned an error other than 401, 403 or 404.
            TransportError: no complete response arrived.
        """
        return await self._session.run(self._session.dialect.check())

    async def search(self, query: str) -> list[entities.SearchResult]:
        """Search all packages and tracking pixels that the token's user can see (v2).

        It calls v2, whichever version the client uses. It is a read, although it is a POST.

        Args:
            query: the text to search for.

        Raises:
            ValidationError: the query is not a string; nothing was sent.
            APIError: the service returned an error.
            TransportError: no complete response arrived.
            DecodeError: the response is not a list of results.
        """
        return await self._session.run(v2.accounts.search(query))

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
        """Call an endpoint that has no method here; return its JSON response, or None if it is empty.

        Example:
            ```python
            invites = ["organizations", "acme", "members", "invites"]
            await scarf.request("DELETE", invites, json={"email": "ann@acme.example"}, version="v2")
            ```

        Args:
            method: GET, HEAD, POST, PUT, PATCH or DELETE.
            path: the path below the version's URL: either its segments, which are then escaped, or a string that
                starts with `/`, in which you have escaped any `/`, `?`, `#` or `%` that is part of a value.
            query: the query parameters; a parameter with several values is repeated.
            json: the body; `UNSET` for none, None for `null`.
            version: the version to call; else the version of the client.
            resend: GET and HEAD are retried like every read. Anything else is sent once, because it may not be
                idempotent; after a failure it may or may not have taken effect. `"repeat"` declares that the call
                is idempotent, so that it is retried.

        Raises:
            ValidationError: the path might lead somewhere else (`..`, `//` or a backslash, in any escaped form,
                `?`, `#`, another origin), or the body is not JSON; nothing was sent.
            APIError: the service returned an error.
            TransportError: no complete response arrived; a write may have taken effect.
            DecodeError: the call succeeded, but the response is not JSON; it is not retried.
        """
        wanted = other_request(
            method, path, version=self.api if version is None else version, query=query, json=json, resend=resend
        )
        return await self._session.run(other_call(wanted))

    # Imported on first use: these take as long to import as everything else together.

    @property
    def bulk(self) -> Bulk:
        """Bulk plans: many operations, run concurrently."""
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
        """Imports: send your own events to Scarf."""
        if self._imports is None:
            from scarf_async.imports.group import Imports  # noqa: PLC0415

            self._imports = Imports(self._session)
        return self._imports

    @property
    def manifests(self) -> Manifests:
        """Manifests: organizations as files to pull, compare, apply and copy."""
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
        """Return a view of this client with different options.

        It shares the client's connections, rate limit and retry budget, and keeps options that are not given.
        Closing a view closes nothing. A view of a read-only client stays read-only.

        Raises:
            ConfigurationError: an option is invalid.
        """
        base = self._session if owner is None else self._session.of_owner(read_owner(owner))
        view = object.__new__(type(self))
        view._owns = False
        view._use(
            msgspec.structs.replace(
                base,
                attempts=msgspec.structs.replace(
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
        # The client is closed on this event loop. A call from another loop must fail, not wait for this one to run.
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
        """Close the connections; calls in progress raise `ClientClosedError`. Safe to call more than once.

        Raises:
            WrongEventLoopError: the client was used on another event loop.
        """
        if self._owns:
            await self._session.transport.aclose()

    def __repr__(self) -> str:
        session = getattr(self, "_session", None)
        if session is None:  # in the traceback of a constructor that rejected its arguments
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
