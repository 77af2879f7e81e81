"""What is done so that nothing happens twice, beyond what the table of `tests/faults` says of every call."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Final

import attrs
import pytest

from scarf_async import (
    UNSET,
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DecodeError,
    Domain,
    DomainCreate,
    NotFoundError,
    Organization,
    OrganizationUpsert,
    OutcomeUnknownError,
    Package,
    PackageUpsert,
    PermissionDeniedError,
    PermissionSet,
    RateLimitedError,
    RequestTimeoutError,
    RetryPolicy,
    RetryScheduled,
    Route,
    RouteCreate,
    Scarf,
    ScarfError,
    ScarfEvent,
    ServerError,
    TransportError,
    UnprocessableError,
    ValidationError,
)
from scarf_async.emulator import Emulator, FaultRule

from .hostile import (
    FAST,
    TOKEN,
    Act,
    Arrival,
    Hostile,
    answer,
    connect,
    drop,
    free_port,
    hang,
    honest,
    package_json,
)

ORGANIZATION: Final = OrganizationUpsert(name="acme", description="tools", billing_email="pay@acme.example")
PACKAGE: Final = PackageUpsert(
    name="anvil", short_description="heavy", library_type="file", website="https://a.example"
)
ROUTE: Final = RouteCreate("https://a.example/{version}.tgz", "/dl/{version}.tgz")
DOMAIN: Final = DomainCreate("dl.acme.example")

HTML: Final = b"<html><body><h1>502 Bad Gateway</h1></body></html>"

_ALREADY: Final[list[tuple[str, str, dict[str, object]]]] = [
    ("organizations", "", {"name": "home", "description": "old", "billingEmail": ""}),
    ("packages", "", package_json("p1", uuid="p1", libraryType="file")),
    ("users", "organizations/home", {"organizationName": "home", "username": "ann", "role": "member"}),
    ("routes", "packages/p1", {"id": "r1", "outgoingUrl": "https://r.example/", "templatePath": "/r"}),
    ("domains", "packages/p1", {"id": "d1", "name": "d.example"}),
    ("permissions", "packages/p1", {"username": "bob", "permissionLevel": "member"}),
]


def furnished() -> Hostile:
    """Return a service that knows an organization and a package with one of everything."""
    service = Hostile()
    for kind, parent, shown in _ALREADY:
        service.add(kind, parent, dict(shown))
    return service


def error_for(status: int) -> type[APIError]:
    """Return the class that errors of a status have."""
    named: dict[int, type[APIError]] = {
        400: BadRequestError,
        401: AuthenticationError,
        403: PermissionDeniedError,
        404: NotFoundError,
        409: ConflictError,
        422: UnprocessableError,
    }
    return named.get(status, ServerError if status >= 500 else APIError)


# What keeps a call from its response; each before or after the effect.
FAILURES: Final[list[Callable[[bool], Act]]] = [
    lambda effect: drop(effect=effect),
    lambda effect: answer(408, effect=effect),
    lambda effect: answer(403, effect=effect, headers={"Retry-After": "0"}),
    lambda effect: answer(502, HTML, effect=effect, headers={"Content-Type": "text/html"}),
    lambda effect: answer(503, effect=effect, headers={"Retry-After": "0"}),
]

Call = Callable[[Scarf], Awaitable[object]]


@attrs.frozen
class Kind:
    """A kind of create: the call, where it goes, and where it is looked for."""

    name: str
    kind: str
    path: str
    look: str
    entity: type[object]
    create: Callable[[Scarf, str], Awaitable[Organization | Package | Route | Domain]]
    different: dict[str, object] | None = None
    """Fields as shown that make something of the same identity different; None where that cannot be."""
    parent: str = ""

    def made(self, service: Hostile) -> int:
        """Count the things of this kind and identity."""
        names = {"acme", "anvil", "dl.acme.example", ROUTE.outgoing_url}
        shown = [
            thing for thing in service.made(self.kind) if names & {thing.get("name"), thing.get("outgoingUrl")}
        ]
        return len(shown)


KINDS: Final = [
    Kind(
        "organization",
        "organizations",
        "/organizations",
        "/organizations/acme",
        Organization,
        lambda scarf, keep: scarf.organizations.create(ORGANIZATION, if_exists=keep),  # type: ignore[arg-type] # any word
        {"name": "acme", "description": "other", "billingEmail": "pay@acme.example"},
    ),
    Kind(
        "organization's package",
        "packages",
        "/organizations/home/packages",
        "/organizations/home/packages",
        Package,
        lambda scarf, keep: scarf.packages.create(PACKAGE, "home", if_exists=keep),  # type: ignore[arg-type] # any word
        package_json("anvil", owner="home", shortDescription="other", libraryType="file"),
        "organizations/home",
    ),
    Kind(
        "user's package",
        "packages",
        "/packages",
        "/packages",
        Package,
        lambda scarf, keep: scarf.packages.create(PACKAGE, if_exists=keep),  # type: ignore[arg-type] # any word
        package_json("anvil", shortDescription="other", libraryType="file"),
    ),
    Kind(
        "route",
        "routes",
        "/packages/p1/routes",
        "/packages/p1/routes",
        Route,
        lambda scarf, keep: scarf.routes.create("p1", ROUTE, if_exists=keep),  # type: ignore[arg-type] # any word
        parent="packages/p1",
    ),
    Kind(
        "domain",
        "domains",
        "/packages/p1/domains",
        "/packages/p1/domains",
        Domain,
        lambda scarf, keep: scarf.domains.create("p1", DOMAIN, if_exists=keep),  # type: ignore[arg-type] # any word
        parent="packages/p1",
    ),
]
NAMED: Final = [kind for kind in KINDS if kind.different is not None]
REFUSED_TWICE: Final = [kind for kind in KINDS if kind.kind != "routes"]

every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
every_named_kind = pytest.mark.parametrize("kind", NAMED, ids=lambda kind: kind.name)


def settled(service: Hostile, kind: Kind) -> bool:
    """Return whether between any two sends of a create lie two looks, `settle` apart."""
    sends = [arrival.at for arrival in service.sent("POST", kind.path)]
    looks = [arrival.at for arrival in service.sent("GET", kind.look)]
    for first, second in pairwise(sends):
        between = [at for at in looks if first < at < second]
        if len(between) < 2 or between[-1] - between[0] < FAST.settle * 0.99:
            return False
    return True


@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("GET", lambda scarf: scarf.organizations.get("home")),
        ("PUT", lambda scarf: scarf.packages.update("p1", PACKAGE)),
        ("DELETE", lambda scarf: scarf.routes.delete("p1", "r1")),
    ],
)
async def test_one_send_is_one_request(method: str, call: Call) -> None:
    """With resending off a dropped connection shows the service one request, whatever the method."""
    async with furnished() as service, connect(service, retry=attrs.evolve(FAST, attempts=1)) as scarf:
        await scarf.routes.list("p1")  # the next request goes over a connection that was kept alive
        for _ in range(2):
            service.arrivals.clear()
            service.on(method, "*", drop())
            with pytest.raises(TransportError):
                await call(scarf)
            assert len(service.arrivals) == 1


class TestDeletes:
    """DELETE, whose resend may find nothing any more."""

    @pytest.mark.parametrize(
        "first", [(), (answer(429),), (answer(429, headers={"Retry-After": "0"}), answer(429))]
    )
    async def test_a_404_otherwise_is_an_error(self, first: tuple[Act, ...]) -> None:
        """A first 404, or one after nothing but 429s, says that there is no such thing."""
        async with furnished() as service, connect(service) as scarf:
            service.on("DELETE", "*", *first)
            with pytest.raises(NotFoundError) as caught:
                await scarf.routes.delete("p1", "r99")
            assert len(service.arrivals) == caught.value.attempts == len(first) + 1

    async def test_a_404_after_a_refused_connection_is_an_error(self) -> None:
        """A request that never left cannot have deleted anything."""
        with pytest.raises(NotFoundError):
            await first_refused(lambda scarf: scarf.routes.delete("p1", "r99"))

    async def test_a_404_after_both_is_success(self) -> None:
        """One ambiguous attempt among 429s is enough."""
        async with furnished() as service, connect(service) as scarf:
            service.on("DELETE", "*", answer(429), drop(effect=True), answer(429))
            await scarf.routes.delete("p1", "r1")
            assert len(service.arrivals) == 4


async def first_refused(call: Call) -> Hostile:
    """Make a call to a port where nothing listens until the first attempt has failed."""
    refused = asyncio.Event()

    def on_event(event: ScarfEvent) -> None:
        if isinstance(event, RetryScheduled):
            refused.set()

    service = furnished()
    service.port = free_port()
    retry = RetryPolicy(initial_delay=0.002, max_delay=0.005, settle=0.02, attempts=90)
    async with service, Scarf(TOKEN, base_url=service.url, retry=retry, on_event=on_event) as scarf:
        task = asyncio.ensure_future(call(scarf))
        async with asyncio.timeout(5):
            await refused.wait()
            await service.listen(service.port)
            await task
    return service


class TestCreates:
    """The five creates: nothing is created twice."""

    @every_kind
    async def test_every_resend_is_preceded_by_looks(self, kind: Kind) -> None:
        """Three drops in a row: two looks before each further send, one after the last; then it stays open."""
        async with furnished() as service, connect(service, retry=attrs.evolve(FAST, attempts=3)) as scarf:
            service.on("POST", kind.path, *[drop()] * 3)
            with pytest.raises(OutcomeUnknownError) as caught:
                await kind.create(scarf, "fail")
            assert [arrival.method[0] for arrival in service.arrivals] == list("PGGPGGPG")
            assert settled(service, kind)
            error = caught.value
            assert isinstance(error.failure, TransportError)
            assert error.failure.attempts == 3
            assert (error.found, error.look_failure) == (None, None)
            assert error.requested in {ORGANIZATION, PACKAGE, ROUTE, DOMAIN}

    @every_kind
    async def test_found_after_the_last_attempt(self, kind: Kind) -> None:
        """The last attempt took effect: one more look finds that."""
        async with furnished() as service, connect(service, retry=attrs.evolve(FAST, attempts=2)) as scarf:
            service.on("POST", kind.path, drop(), drop(effect=True))
            assert isinstance(await kind.create(scarf, "fail"), kind.entity)
            assert [arrival.method[0] for arrival in service.arrivals] == list("PGGPG")

    @every_kind
    async def test_no_time_to_settle(self, kind: Kind) -> None:
        """Where `max_elapsed` leaves no time for `settle` it is looked for once more and not sent again."""
        retry = attrs.evolve(FAST, settle=0.3, max_elapsed=0.1)
        async with furnished() as service, connect(service, retry=retry) as scarf:
            service.on("POST", kind.path, drop())
            with pytest.raises(OutcomeUnknownError):
                await kind.create(scarf, "fail")
            assert [arrival.method[0] for arrival in service.arrivals] == list("PG")
            service.on("POST", kind.path, answer(503, effect=True))
            assert isinstance(await kind.create(scarf, "fail"), kind.entity)

    @every_kind
    async def test_resending_off(self, kind: Kind) -> None:
        """With attempts=1 it is looked for once and never sent again."""
        async with furnished() as service, connect(service, retry=attrs.evolve(FAST, attempts=1)) as scarf:
            service.on("POST", kind.path, answer(503))
            with pytest.raises(OutcomeUnknownError) as caught:
                await kind.create(scarf, "fail")
            assert isinstance(caught.value.failure, ServerError)
            service.on("POST", kind.path, drop(effect=True))
            await kind.create(scarf, "fail")
            assert len(service.sent("POST")) == len(service.sent("GET")) == 2
            service.on("POST", kind.path, answer(429))
            with pytest.raises(RateLimitedError):
                await kind.create(scarf, "fail")
            assert len(service.sent("GET")) == 2

    @every_kind
    async def test_appears_between_the_looks(self, kind: Kind) -> None:
        """The first request was still running at the first look: the second finds what it made."""
        async with furnished() as service, connect(service) as scarf:
            service.on("POST", kind.path, drop())
            service.on("GET", kind.look, honest(lambda: service.take_effect(service.sent("POST")[0])))
            assert isinstance(await kind.create(scarf, "fail"), kind.entity)
            assert [arrival.method[0] for arrival in service.arrivals] == list("PGG")
            assert kind.made(service) == 1

    @pytest.mark.parametrize("refusal", [None, 409, 422], ids=["its own", "409", "422"])
    @pytest.mark.parametrize("kind", REFUSED_TWICE, ids=lambda kind: kind.name)
    async def test_appears_after_the_looks(self, kind: Kind, refusal: int | None) -> None:
        """It came so late that it was sent again, and refused: looked at once more, it counts as done."""
        async with furnished() as service, connect(service) as scarf:
            late = honest(lambda: service.take_effect(service.sent("POST")[0]))
            service.on("POST", kind.path, drop(), honest() if refusal is None else answer(refusal))
            service.on("GET", kind.look, honest(), late)
            assert isinstance(await kind.create(scarf, "fail"), kind.entity)
            assert [arrival.method[0] for arrival in service.arrivals] == list("PGGPG")
            assert kind.made(service) == 1

    @every_kind
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
    async def test_resend_refused_and_absent(self, kind: Kind, status: int) -> None:
        """A resend that is refused while nothing is there: the refusal is the response."""
        async with furnished() as service, connect(service) as scarf:
            service.on("POST", kind.path, drop(), answer(status))
            with pytest.raises(error_for(status)) as caught:
                await kind.create(scarf, "fail")
            assert caught.value.attempts == 2
            assert [arrival.method[0] for arrival in service.arrivals] == list("PGGPG")

    @every_named_kind
    @pytest.mark.parametrize("when", [0, 1, 2], ids=["first look", "second look", "after a refused resend"])
    async def test_found_different(self, kind: Kind, when: int) -> None:
        """Something else is under the same name: nobody can tell what happened, and nothing is sent again."""
        async with furnished() as service, connect(service) as scarf:
            assert kind.different is not None
            other = kind.different
            if when == 0:
                service.add(kind.kind, kind.parent, other)
            looks = [honest() for _ in range(when - 1)]
            if when:
                looks.append(honest(lambda: service.add(kind.kind, kind.parent, other)))
            service.on("GET", kind.look, *looks)
            service.on("POST", kind.path, answer(503))
            with pytest.raises(OutcomeUnknownError) as caught:
                await kind.create(scarf, "fail")
            error = caught.value
            assert isinstance(error.found, kind.entity)
            assert error.requested in {ORGANIZATION, PACKAGE}
            assert error.look_failure is None
            assert getattr(error.failure, "status", None) == (409 if when == 2 else 503)
            assert len(service.sent("POST")) == (2 if when == 2 else 1)

    @every_kind
    async def test_a_failing_look_is_repeated_by_itself(self, kind: Kind) -> None:
        """A look that fails for a moment is repeated; the create is not."""
        async with furnished() as service, connect(service) as scarf:
            service.on("POST", kind.path, drop(effect=True))
            service.on("GET", kind.look, answer(503), drop(), answer(502, HTML))
            assert isinstance(await kind.create(scarf, "fail"), kind.entity)
            assert [arrival.method[0] for arrival in service.arrivals] == list("PGGGG")

    @every_kind
    @pytest.mark.parametrize("first", [(), (honest(),)], ids=["first look", "second look"])
    @pytest.mark.parametrize(
        ("act", "failure", "sends"),
        [(answer(503), ServerError, 4), (drop(), TransportError, 4), (answer(200, b"[{"), DecodeError, 1)],
        ids=["503", "dropped", "garbage"],
    )
    async def test_a_look_that_fails_for_good(
        self, kind: Kind, first: tuple[Act, ...], act: Act, failure: type[ScarfError], sends: int
    ) -> None:
        """Where looking fails, the outcome stays open, and the create is not sent again."""
        async with furnished() as service, connect(service) as scarf:
            service.on("POST", kind.path, answer(504))
            service.on("GET", kind.look, *first, *[act] * 20)
            with pytest.raises(OutcomeUnknownError) as caught:
                await kind.create(scarf, "fail")
            assert type(caught.value.look_failure) is failure
            assert isinstance(caught.value.failure, ServerError)
            assert len(service.sent("POST")) == 1
            assert len(service.sent("GET")) == sends + len(first)
            assert caught.value.__context__ is None
            assert caught.value.__cause__ is None

    async def test_a_look_that_hangs(self) -> None:
        """A look that is not answered in time fails like any other."""
        retry = attrs.evolve(FAST, attempts=2)
        async with furnished() as service, connect(service, retry=retry, timeout=0.05) as scarf:
            service.on("POST", "/organizations", hang())
            service.on("GET", "*", hang(), hang())
            with pytest.raises(OutcomeUnknownError) as caught:
                await scarf.organizations.create(ORGANIZATION)
            assert isinstance(caught.value.failure, RequestTimeoutError)
            assert isinstance(caught.value.look_failure, RequestTimeoutError)

    @every_kind
    async def test_a_pace_refusal_after_an_open_attempt(self, kind: Kind) -> None:
        """A 429 to the resend of an open create: looked for again before the next send."""
        async with furnished() as service, connect(service) as scarf:
            service.on("POST", kind.path, drop(), answer(429))
            await kind.create(scarf, "fail")
            assert [arrival.method[0] for arrival in service.arrivals] == list("PGGPGGP")
            assert settled(service, kind)

    @pytest.mark.parametrize("seed", range(40))
    async def test_any_course_of_events(self, seed: int) -> None:
        """Whatever happens in whatever order: one thing at most, and looks before every resend."""
        draw = random.Random(seed)
        kind = KINDS[seed % len(KINDS)]
        retry = RetryPolicy(initial_delay=0.001, max_delay=0.002, settle=FAST.settle, attempts=5)
        async with furnished() as service, connect(service, retry=retry) as scarf:
            service.on(
                "POST", kind.path, *[draw.choice(FAILURES)(draw.random() < 0.3) for _ in range(draw.randint(1, 6))]
            )
            service.on("GET", kind.look, *draw.choices([honest(), answer(503), drop()], weights=[6, 1, 1], k=12))
            try:
                assert isinstance(await kind.create(scarf, "fail"), kind.entity)
            except OutcomeUnknownError:
                pass
            else:
                assert kind.made(service) == 1
            assert kind.made(service) <= 1
            assert settled(service, kind)


class TestWhatEqualMeans:
    """What is found is compared with what was asked for."""

    @pytest.mark.parametrize("asked", ["", None, UNSET])
    @pytest.mark.parametrize("shown", ["", None, "absent"])
    async def test_empty_null_and_absent_are_alike(self, asked: str | None, shown: str | None) -> None:
        """`""`, null and absent count as equal, either way round."""
        wanted = attrs.evolve(ORGANIZATION, website=asked, description="")
        async with furnished() as service, connect(service) as scarf:
            extra: dict[str, object] = {} if shown == "absent" else {"website": shown, "description": shown}
            service.add("organizations", "", {"name": "acme", "billingEmail": wanted.billing_email, **extra})
            service.on("POST", "/organizations", answer(503))
            found = await scarf.organizations.create(wanted)
            assert found.billing_email == wanted.billing_email
            assert len(service.sent("POST")) == 1

    @pytest.mark.parametrize("asked", ["", None, UNSET])
    @pytest.mark.parametrize("shown", ["", None, "absent"])
    async def test_of_packages_too(self, asked: str | None, shown: str | None) -> None:
        """So it is with the optional fields of a package."""
        wanted = attrs.evolve(PACKAGE, long_description=asked, website=asked)
        async with furnished() as service, connect(service) as scarf:
            extra: dict[str, object] = {} if shown == "absent" else {"longDescription": shown, "website": shown}
            package = package_json("anvil", shortDescription="heavy", libraryType="file", **extra)
            service.add("packages", "organizations/home", package)
            service.on("POST", "/organizations/home/packages", answer(503))
            found = await scarf.packages.create(wanted, "home")
            assert found.uuid == "u-anvil"
            assert len(service.sent("POST")) == 1

    async def test_addresses_are_not_compared(self) -> None:
        """The service does not give addresses back, so they cannot make a difference."""
        wanted = PackageUpsert(
            name="anvil",
            short_description="",
            library_type="docker",
            backend_url="https://ghcr.io/acme/anvil",
            public_url="https://acme.example/acme/anvil",
        )
        async with furnished() as service, connect(service) as scarf:
            service.on("POST", "/organizations/home/packages", drop(effect=True))
            assert (await scarf.packages.create(wanted, "home")).name == "anvil"
            assert len(service.sent("POST")) == 1

    @pytest.mark.parametrize(("asked", "shown"), [("home/anvil", "anvil"), ("anvil", "home/anvil")])
    async def test_the_owner_in_the_name(self, asked: str, shown: str) -> None:
        """A package's name is the same with and without `owner/`."""
        wanted = PackageUpsert(name=asked, short_description="heavy", library_type="docker")
        async with furnished() as service, connect(service) as scarf:
            package = package_json(shown, owner="home", shortDescription="heavy", libraryType="docker")
            service.add("packages", "organizations/home", package)
            service.on("POST", "/organizations/home/packages", drop())
            assert (await scarf.packages.create(wanted, "home")).name == shown
            assert len(service.sent("POST")) == 1

    async def test_the_type_is_part_of_the_identity(self) -> None:
        """A package of the same name and another type is another package."""
        async with furnished() as service, connect(service) as scarf:
            service.add("packages", "organizations/home", package_json("anvil", owner="home", libraryType="npm"))
            service.on("POST", "/organizations/home/packages", drop(), answer(201, package_json("anvil")))
            await scarf.packages.create(PACKAGE, "home")
            assert len(service.sent("POST")) == 2

    async def test_the_case_of_a_domain_is_none(self) -> None:
        """Domain names are equal whatever their case."""
        async with furnished() as service, connect(service) as scarf:
            service.on("POST", "/packages/p1/domains", drop(effect=True))
            service.on("GET", "/packages/p1/domains", answer(200, [{"id": 7, "name": "dl.acme.example"}]))
            found = await scarf.domains.create("p1", DomainCreate("DL.Acme.Example"))
            assert found == Domain("7", "dl.acme.example")
            assert len(service.sent("POST")) == 1

    async def test_a_route_that_was_there_before(self) -> None:
        """A route equal to one that was there before counts as that one."""
        shown: dict[str, object] = {
            "id": "r0",
            "outgoingUrl": ROUTE.outgoing_url,
            "templatePath": ROUTE.template_path,
        }
        async with furnished() as service, connect(service) as scarf:
            service.add("routes", "packages/p1", shown)
            service.on("POST", "/packages/p1/routes", drop())
            assert (await scarf.routes.create("p1", ROUTE)).id == "r0"
            assert len(service.sent("POST")) == 1

    @pytest.mark.parametrize(
        ("created", "sends"),
        [
            ("2022-01-01T11:00:00Z", 2),
            ("2022-01-01T11:58:30Z", 2),
            ("2022-01-01T11:59:30Z", 1),
            ("2022-01-01T12:00:01Z", 1),
        ],
    )
    async def test_an_older_package_of_an_organization(self, created: str, sends: int) -> None:
        """In the user's list, what is older than the first send by the service's own clock is not ours."""
        async with furnished() as service, connect(service) as scarf:
            service.date = "Sat, 01 Jan 2022 12:00:00 GMT"
            older = package_json(
                "anvil",
                owner="home",
                shortDescription="heavy",
                libraryType="file",
                website=PACKAGE.website,
                createdAt=created,
            )
            service.add("packages", "organizations/home", older)
            service.on("POST", "/packages", drop())
            made = await scarf.packages.create(PACKAGE)
            assert len(service.sent("POST")) == sends
            assert (made.uuid == "u-anvil") is (sends == 1)

    async def test_read_back_by_name_leaves_older_packages_alone(self) -> None:
        """An empty answer to a user's package is read back from the list, past an organization's older package."""
        async with furnished() as service, connect(service) as scarf:
            service.add(
                "packages",
                "organizations/home",
                package_json("anvil", owner="home", libraryType="file", createdAt="2020-01-01T00:00:00Z"),
            )
            service.on("POST", "/packages", answer(204, effect=True))
            made = await scarf.packages.create(PACKAGE)
            assert (made.owner, made.short_description) == ("me", "heavy")

    @pytest.mark.parametrize("call", ["list", "create"])
    async def test_who_is_no_organization_owns_packages(self, call: str) -> None:
        """The user's own name, once taken for an organization's, does not hide what was created."""
        async with Emulator() as emulator, Scarf(emulator.token, base_url=emulator.url, retry=FAST) as scarf:
            with pytest.raises(NotFoundError):
                await (
                    scarf.packages.list(emulator.user)
                    if call == "list"
                    else scarf.packages.create(PACKAGE, emulator.user)
                )
            emulator.faults.add(FaultRule("POST", "/packages", 1, "drop_after"))
            assert (await scarf.packages.create(PACKAGE)).owner == emulator.user
            sent = [request.path for request in emulator.requests if request.method == "POST"]
            assert sent.count("/api/v1/packages") == 1


class TestKeep:
    """`if_exists="keep"`."""

    @every_kind
    async def test_equal(self, kind: Kind) -> None:
        """What exists and is equal is returned; nothing is sent but the look."""
        async with furnished() as service, connect(service) as scarf:
            await kind.create(scarf, "fail")
            service.arrivals.clear()
            assert isinstance(await kind.create(scarf, "keep"), kind.entity)
            assert [arrival.method for arrival in service.arrivals] == ["GET"]

    @every_named_kind
    async def test_different(self, kind: Kind) -> None:
        """What exists and differs is a conflict that shows both; nothing is sent but the look."""
        async with furnished() as service, connect(service) as scarf:
            assert kind.different is not None
            service.add(kind.kind, kind.parent, kind.different)
            with pytest.raises(ConflictError) as caught:
                await kind.create(scarf, "keep")
            assert caught.value.requested in {ORGANIZATION, PACKAGE}
            assert isinstance(caught.value.found, kind.entity)
            assert [arrival.method for arrival in service.arrivals] == ["GET"]

    @every_kind
    async def test_absent(self, kind: Kind) -> None:
        """What is not there is created."""
        async with furnished() as service, connect(service) as scarf:
            assert isinstance(await kind.create(scarf, "keep"), kind.entity)
            assert [arrival.method[0] for arrival in service.arrivals] == list("GP")

    @every_kind
    async def test_absent_and_the_answer_lost(self, kind: Kind) -> None:
        """From there on it goes as without `keep`."""
        async with furnished() as service, connect(service) as scarf:
            service.on("POST", kind.path, drop(effect=True))
            assert isinstance(await kind.create(scarf, "keep"), kind.entity)
            assert [arrival.method[0] for arrival in service.arrivals] == list("GPG")

    @pytest.mark.parametrize("status", [409, 422])
    @every_kind
    async def test_somebody_was_faster_with_an_equal_one(self, kind: Kind, status: int) -> None:
        """Created by someone else after the look: the refusal leads to the current state."""
        async with furnished() as service, connect(service) as scarf:
            service.on("POST", kind.path, answer(status, effect=True))
            assert isinstance(await kind.create(scarf, "keep"), kind.entity)
            assert [arrival.method[0] for arrival in service.arrivals] == list("GPG")

    @every_named_kind
    async def test_somebody_was_faster_with_a_different_one(self, kind: Kind) -> None:
        """A different one is a conflict that shows both."""
        async with furnished() as service, connect(service) as scarf:
            assert kind.different is not None
            other = kind.different
            service.on("GET", kind.look, honest(lambda: service.add(kind.kind, kind.parent, other)))
            with pytest.raises(ConflictError) as caught:
                await kind.create(scarf, "keep")
            assert isinstance(caught.value.found, kind.entity)
            assert caught.value.requested in {ORGANIZATION, PACKAGE}

    @every_kind
    @pytest.mark.parametrize("look", [honest(), answer(401)], ids=["absent", "look fails"])
    async def test_refused_and_not_there(self, kind: Kind, look: Act) -> None:
        """A refusal that no look explains is the service's word: nothing was created."""
        async with furnished() as service, connect(service) as scarf:
            service.on("GET", kind.look, honest(), look)
            service.on("POST", kind.path, answer(409, {"message": "a reason"}))
            with pytest.raises(ConflictError, match="a reason") as caught:
                await kind.create(scarf, "keep")
            assert caught.value.found is None

    @every_kind
    async def test_the_first_look_fails(self, kind: Kind) -> None:
        """Without the first look nothing is created."""
        async with furnished() as service, connect(service) as scarf:
            service.on("GET", kind.look, *[answer(503)] * FAST.attempts)
            with pytest.raises(ServerError):
                await kind.create(scarf, "keep")
            assert not service.sent("POST")

    @every_kind
    async def test_another_word(self, kind: Kind) -> None:
        """`if_exists` knows two words."""
        async with furnished() as service, connect(service) as scarf:
            with pytest.raises(ValidationError):
                await kind.create(scarf, "replace")
            assert not service.arrivals


class TestRenames:
    """A PUT whose resend would go to a name that may be gone."""

    wanted = OrganizationUpsert(name="beta", description="old", billing_email="")

    async def test_the_effect_comes_late(self) -> None:
        """The first PUT takes effect after the look: the resend's 404 leads back to the new name."""
        async with furnished() as service, connect(service) as scarf:
            service.on("PUT", "*", drop())
            service.on("GET", "*", honest(lambda: service.take_effect(service.sent("PUT")[0])))
            assert (await scarf.organizations.update("home", self.wanted)).name == "beta"
            assert [arrival.method for arrival in service.arrivals] == ["PUT", "GET", "PUT", "GET"]

    async def test_the_last_attempt(self) -> None:
        """After the last attempt there is one more look."""
        async with furnished() as service, connect(service, retry=attrs.evolve(FAST, attempts=1)) as scarf:
            service.on("PUT", "*", drop(effect=True))
            assert (await scarf.organizations.update("home", self.wanted)).name == "beta"
            service.on("PUT", "*", drop())
            with pytest.raises(TransportError):
                await scarf.organizations.update("beta", attrs.evolve(self.wanted, name="gamma"))

    async def test_the_look_fails(self) -> None:
        """Where looking fails, the outcome is open and nothing is sent again."""
        async with furnished() as service, connect(service) as scarf:
            service.on("PUT", "*", drop())
            service.on("GET", "*", *[answer(503)] * FAST.attempts)
            with pytest.raises(OutcomeUnknownError) as caught:
                await scarf.organizations.update("home", self.wanted)
            assert isinstance(caught.value.look_failure, ServerError)
            assert isinstance(caught.value.failure, TransportError)
            assert caught.value.requested == self.wanted
            assert len(service.sent("PUT")) == 1

    async def test_the_new_name_is_taken(self) -> None:
        """Another organization under the new name does not count as renamed: the service has the last word."""
        async with furnished() as service, connect(service) as scarf:
            service.add("organizations", "", {"name": "beta", "description": "another", "billingEmail": ""})
            service.on("PUT", "*", drop(), answer(409, {"message": "taken"}))
            with pytest.raises(ConflictError, match="taken"):
                await scarf.organizations.update("home", self.wanted)

    async def test_the_old_name_is_gone_and_the_new_one_differs(self) -> None:
        """Gone from the old name, something else under the new one: no wrong 404, the outcome is open."""
        async with furnished() as service, connect(service) as scarf:
            service.on("PUT", "*", drop(effect=True))
            service.on("GET", "*", *[answer(200, {"name": "beta", "description": "another"})] * 2)
            with pytest.raises(OutcomeUnknownError) as caught:
                await scarf.organizations.update("home", self.wanted)
            assert isinstance(caught.value.found, Organization)
            assert isinstance(caught.value.failure, NotFoundError)

    async def test_there_was_no_such_organization(self) -> None:
        """A first 404 is the response."""
        async with furnished() as service, connect(service) as scarf:
            with pytest.raises(NotFoundError):
                await scarf.organizations.update("nobody", self.wanted)
            assert len(service.arrivals) == 1

    @pytest.mark.parametrize("shown", ["home", "HOME"])
    async def test_a_change_of_case(self, shown: str) -> None:
        """A service that finds `Home` under `home` shows the old one, in its own spelling: not renamed yet."""
        wanted = attrs.evolve(self.wanted, name="Home")
        async with furnished() as service, connect(service) as scarf:
            service.on("PUT", "*", drop())
            there = service.made("organizations")[0]
            service.on("GET", "/organizations/Home", answer(200, {**there, "name": shown}))
            assert (await scarf.organizations.update("home", wanted)).name == "Home"
            assert [arrival.method for arrival in service.arrivals] == ["PUT", "GET", "PUT"]

    @pytest.mark.parametrize("name", ["..", "a\nb"])
    async def test_a_name_that_could_not_be_looked_for(self, name: str) -> None:
        """A name that no address can hold is refused before anything is sent, in creates and renames."""
        async with furnished() as service, connect(service) as scarf:
            calls: list[Call] = [
                lambda scarf: scarf.organizations.update("home", attrs.evolve(self.wanted, name=name)),
                lambda scarf: scarf.organizations.create(attrs.evolve(ORGANIZATION, name=name)),
            ]
            for call in calls:
                with pytest.raises(ValidationError):
                    await call(scarf)
            assert not service.arrivals


async def test_members_and_permissions_never_double() -> None:
    """However often it was sent, there is one membership and one permission a user."""
    async with furnished() as service, connect(service) as scarf:
        service.on("POST", "*", *[drop(effect=True)] * 3)
        member = await scarf.members.upsert("home", "cid", "owner")
        assert (member.username, member.role) == ("cid", "owner")
        service.on("POST", "*", *[answer(502, HTML, effect=True)] * 3)
        await scarf.permissions.set("p1", [PermissionSet("cid", "admin"), PermissionSet("dee", "blocked")])
        sent: list[Arrival] = service.sent("POST")
        assert len(sent) == 8
        assert [user["username"] for user in service.made("users")] == ["ann", "cid"]
        assert [user["username"] for user in service.made("permissions")] == ["bob", "cid", "dee"]
