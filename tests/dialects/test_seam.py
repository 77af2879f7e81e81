"""The seam between the versions of the service and everything above it: a dialect is all that a version takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import msgspec
from aiohttp import web
from yarl import URL

from scarf_async import BulkPlan, DomainCreate, Package, PackageKey, RetryPolicy, RouteCreate
from scarf_async.bulk import Bulk
from scarf_async.clock import Clock
from scarf_async.dialects import V1
from scarf_async.dialects.v1.requests import WIRE
from scarf_async.entities import Domain, Route
from scarf_async.events import Hook
from scarf_async.http.transport import Transport
from scarf_async.manifests.changes import Change, Changes
from scarf_async.protocol.messages import Answer, Endpoint, Resend
from scarf_async.protocol.steps import Creation, Read, Steps, answer_to, ask
from scarf_async.resources import Domains, Routes
from scarf_async.sending.attempts import Attempts
from scarf_async.sending.retry import RetryBudget
from scarf_async.sending.session import Session
from scarf_async.settings import Secret, Settings

_HOSTS = Endpoint("GET", "/hosts/{package}", Resend.READ, list[Domain], WIRE, "v1")
_NEW_HOST = Endpoint("POST", "/hosts/{package}", Resend.CREATE, Domain, WIRE, "v1")
_PAGE = Endpoint("GET", "/routes/{package}", Resend.READ, list[Route], WIRE, "v1")


class Odd(V1):
    """Domains at another address, in an envelope; routes in two pages."""

    def domains(self, package: PackageKey) -> Read[list[Domain]]:
        """Return the domains, out of their envelope."""

        def steps() -> Steps[list[Domain]]:
            answer: Answer = yield from answer_to(_HOSTS.request(package=package.id))
            return WIRE.read(answer.body.removeprefix(b'{"results":').removesuffix(b"}"), list[Domain])

        return Read(("domains", package.id), steps)

    def create_domain(self, package: PackageKey, domain: DomainCreate) -> Creation[Domain]:
        """Create a domain at the other address."""
        return msgspec.structs.replace(
            super().create_domain(package, domain), request=_NEW_HOST.request(domain, package=package.id)
        )

    def routes(self, package: PackageKey) -> Read[list[Route]]:
        """Return the routes of both pages."""

        def steps() -> Steps[list[Route]]:
            first = yield from ask(_PAGE.request(query={"page": "1"}, package=package.id))
            return first + (yield from ask(_PAGE.request(query={"page": "2"}, package=package.id)))

        return Read(("routes", package.id), steps)


class Noting(Odd):
    """Notes which packages it is asked about."""

    def __init__(self) -> None:
        self.keys: set[PackageKey] = set()

    def domains(self, package: PackageKey) -> Read[list[Domain]]:
        """Return the domains."""
        self.keys.add(package)
        return super().domains(package)

    def routes(self, package: PackageKey) -> Read[list[Route]]:
        """Return the routes."""
        self.keys.add(package)
        return super().routes(package)


@attrs.define
class Service:
    """A service that speaks so, and loses the response to its first create."""

    hosts: list[dict[str, str]] = attrs.field(factory=list)
    routes: list[dict[str, str]] = attrs.field(factory=list)
    asked: list[str] = attrs.field(factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        self.asked.append(f"{request.method} {request.rel_url}")
        if request.method == "GET" and request.path == "/hosts/p":
            return web.json_response(text='{"results":' + str(self.hosts).replace("'", '"') + "}")
        if request.method == "GET":
            page = int(request.query["page"])
            return web.json_response(self.routes[: len(self.routes) // 2 or 1] if page == 1 else self._second())
        body = await request.json()
        things, named = (self.hosts, "hosts") if request.path == "/hosts/p" else (self.routes, "routes")
        things.append({"id": f"{named}-{len(things)}", **body})
        if named == "hosts" and len(things) == 1:
            return web.Response(status=503)
        return web.json_response(things[-1], status=201)

    def _second(self) -> list[dict[str, str]]:
        return self.routes[len(self.routes) // 2 or 1 :]


@asynccontextmanager
async def odd_session(service: Service, dialect: Odd | None = None) -> AsyncIterator[Session]:
    """A session that speaks the odd dialect."""
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", service.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    settings = Settings(
        token=Secret("token"),
        bases={"v1": URL(f"http://{host}:{port}")},
        connect_timeout=10,
        export_timeout=10,
        max_connections=10,
        rate_limit=None,
        max_response_bytes=2**20,
        max_record_bytes=2**20,
        proxy=None,
        tls=None,
    )
    retry = RetryPolicy(initial_delay=0, settle=0)
    clock = Clock()
    transport = Transport(settings, clock)
    try:
        attempts = Attempts(transport, RetryBudget(clock), Hook("on_event", None), retry, timeout=10)
        yield Session(attempts, dialect or Odd())
    finally:
        await transport.aclose()
        await runner.cleanup()


async def test_the_resources_speak_it() -> None:
    """A list in an envelope and a list in two pages are lists; a create goes to the other address."""
    service = Service()
    async with odd_session(service) as session:
        await Domains(session).create("p", DomainCreate("a.example"))
        await Routes(session).create("p", RouteCreate("https://a.example/1", "/1"))
        await Routes(session).create("p", RouteCreate("https://a.example/2", "/2"))
        assert [domain.name for domain in await Domains(session).list("p")] == ["a.example"]
        assert [route.template_path for route in await Routes(session).list("p")] == ["/1", "/2"]
    assert service.asked[-2:] == ["GET /routes/p?page=1", "GET /routes/p?page=2"]


async def test_keys_keep_their_owner() -> None:
    """In a plan, in verify and in changes, a package is its owner and its id, down to the dialect."""
    change = Change(
        action="create", kind="domain", organization="acme", package="p", uuid="p", name="a.example", after={}
    )
    plan = Changes((change,)).to_plan()
    plan.create_domain(Package(uuid="p", owner="acme", name="p"), DomainCreate("b.example"), if_exists="keep")
    plan.create_route(PackageKey("home", "q"), RouteCreate("https://a.example/1", "/1"))
    plan.create_route("r", RouteCreate("https://a.example/2", "/2"))
    keys = {PackageKey("acme", "p"), PackageKey("home", "q"), PackageKey(None, "r")}
    dialect = Noting()
    async with odd_session(Service(), dialect) as session:
        (await Bulk(session).run(plan)).raise_for_failures()
        assert dialect.keys == keys
        dialect.keys.clear()
        await Bulk(session).verify(plan)
        assert dialect.keys == keys


async def test_bulk_and_verify_speak_it() -> None:
    """A plan is run and compared; a create whose response was lost is looked for in the dialect's own list."""
    plan = BulkPlan()
    plan.create_domain("p", DomainCreate("a.example"))
    plan.create_domain("p", DomainCreate("b.example"))
    plan.create_route("p", RouteCreate("https://a.example/1", "/1"), if_exists="keep")
    service = Service()
    async with odd_session(service) as session:
        report = await Bulk(session).run(plan, concurrency=1)
        report.raise_for_failures()
        assert [outcome.reconciled for outcome in report.outcomes] == [True, False, False]
        assert [host["name"] for host in service.hosts] == ["a.example", "b.example"]
        assert len(service.routes) == 1
        assert await Bulk(session).verify(plan) == []
        plan.create_domain("p", DomainCreate("c.example"))
        assert [difference.operation.index for difference in await Bulk(session).verify(plan)] == [3]
