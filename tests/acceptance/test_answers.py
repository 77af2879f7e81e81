"""What is made of the service's answers: empty, cut, compressed, too long, redirecting, refusing."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import zlib
from collections.abc import Awaitable, Callable
from email.utils import format_datetime
from typing import Final

import attrs
import pytest

from scarf_async import (
    APIError,
    AuthenticationError,
    BadRequestError,
    DecodeError,
    Domain,
    DomainCreate,
    Member,
    NotFoundError,
    Organization,
    OrganizationUpsert,
    PackageUpsert,
    PermissionDeniedError,
    PermissionSet,
    RateLimitedError,
    RequestTimeoutError,
    RetryPolicy,
    RetryScheduled,
    RouteCreate,
    Scarf,
    ScarfError,
    ScarfEvent,
    ServerError,
    Throttled,
    TransportError,
    WriteConfirmedError,
)
from scarf_async.testing import no_waiting

from .hostile import FAST, TOKEN, Act, Hostile, Raw, answer, connect, cut, drop, head, honest, package_json

ACME: Final = OrganizationUpsert(name="acme", description="tools", billing_email="pay@acme.example")
ANVIL: Final = PackageUpsert(name="anvil", short_description="heavy", library_type="file")
ROUTE: Final = RouteCreate("https://a.example/{version}.tgz", "/dl/{version}.tgz")
DOMAIN: Final = DomainCreate("dl.acme.example")

Call = Callable[[Scarf], Awaitable[object]]

CREATES: Final[dict[str, tuple[str, Call]]] = {
    "organization": ("/organizations", lambda scarf: scarf.organizations.create(ACME)),
    "organization's package": ("/organizations/home/packages", lambda scarf: scarf.packages.create(ANVIL, "home")),
    "user's package": ("/packages", lambda scarf: scarf.packages.create(ANVIL)),
    "route": ("/packages/p1/routes", lambda scarf: scarf.routes.create("p1", ROUTE)),
    "domain": ("/packages/p1/domains", lambda scarf: scarf.domains.create("p1", DOMAIN)),
}
_HOME: Final = OrganizationUpsert(name="home", description="new", billing_email="x@home.example")
UPDATES: Final[dict[str, tuple[str, Call]]] = {
    "organization": ("/organizations/home", lambda scarf: scarf.organizations.update("home", _HOME)),
    "renamed organization": (
        "/organizations/home",
        lambda scarf: scarf.organizations.update("home", attrs.evolve(_HOME, name="beta")),
    ),
    "package": ("/packages/p1", lambda scarf: scarf.packages.update("p1", attrs.evolve(ANVIL, name="p1"))),
}
READ_BACK: Final = CREATES | UPDATES
SILENT: Final[dict[str, tuple[str, str, Call]]] = {
    "permissions": (
        "POST",
        "/packages/p1/permissions",
        lambda scarf: scarf.permissions.set("p1", PermissionSet("bob", "admin")),
    ),
    "member": ("DELETE", "/organizations/home/users/ann", lambda scarf: scarf.members.remove("home", "ann")),
    "package": ("DELETE", "/packages/p1", lambda scarf: scarf.packages.delete("p1")),
    "route": ("DELETE", "/packages/p1/routes/r1", lambda scarf: scarf.routes.delete("p1", "r1")),
    "domain": ("DELETE", "/packages/p1/domains/d1", lambda scarf: scarf.domains.delete("p1", "d1")),
}

# Answers to a write that hold nothing of use.
USELESS: Final[dict[str, Callable[[], Act]]] = {
    "204": lambda: answer(204, effect=True),
    "200 empty": lambda: answer(200, effect=True),
    "202 null": lambda: answer(202, None, effect=True),
    "201 other object": lambda: answer(201, {"status": "created"}, effect=True),
    "200 string": lambda: answer(200, "ok", effect=True),
    "200 text": lambda: answer(200, b"Created!", effect=True, headers={"Content-Type": "text/plain"}),
    "201 HTML": lambda: answer(201, b"<html>thanks</html>", effect=True),
    "200 cut": lambda: cut(effect=True),
    "200 bad gzip": lambda: answer(200, b"not gzip", effect=True, headers={"Content-Encoding": "gzip"}),
    "200 too long": lambda: answer(200, b" " * 20_000, effect=True),
}
every_useless_answer = pytest.mark.parametrize("useless", USELESS.values(), ids=USELESS)


def furnished() -> Hostile:
    """Return a service that knows an organization and a package with one of everything."""
    service = Hostile()
    service.add("organizations", "", {"name": "home", "description": "old", "billingEmail": ""})
    service.add("packages", "", package_json("p1", uuid="p1", libraryType="file"))
    service.add("users", "organizations/home", {"organizationName": "home", "username": "ann", "role": "member"})
    service.add("routes", "packages/p1", {"id": "r1", "outgoingUrl": "https://r.example", "templatePath": "/r"})
    service.add("domains", "packages/p1", {"id": "d1", "name": "d.example"})
    service.add("permissions", "packages/p1", {"username": "bob", "permissionLevel": "member"})
    return service


def bounded(service: Hostile | Raw, limit: int, retry: RetryPolicy = FAST) -> Scarf:
    """Return a client that takes answers of so many bytes."""
    return Scarf(TOKEN, base_url=service.url, retry=retry, max_response_bytes=limit)


class TestWrites:
    """The service need not answer a write with anything."""

    @every_useless_answer
    @pytest.mark.parametrize(("path", "call"), CREATES.values(), ids=CREATES)
    async def test_a_create_is_read_back(self, path: str, call: Call, useless: Callable[[], Act]) -> None:
        """Any 2xx is success: what the response does not show is read, and the create is not repeated."""
        async with furnished() as service, bounded(service, 10_000) as scarf:
            service.on("POST", path, useless())
            made = await call(scarf)
            assert getattr(made, "name", None) in {"acme", "anvil", "dl.acme.example"} or made == attrs.evolve(
                (await scarf.routes.list("p1"))[-1]
            )
            assert len(service.sent("POST")) == 1

    @every_useless_answer
    @pytest.mark.parametrize(("path", "call"), UPDATES.values(), ids=UPDATES)
    async def test_an_update_is_read_back(self, path: str, call: Call, useless: Callable[[], Act]) -> None:
        """So it is with updates, under the new name where there is one."""
        async with furnished() as service, bounded(service, 10_000) as scarf:
            service.on("PUT", path, useless())
            changed = await call(scarf)
            assert getattr(changed, "name", None) in {"home", "beta", "p1"}
            assert getattr(changed, "billing_email", "x@home.example") == "x@home.example"
            assert getattr(changed, "short_description", "heavy") == "heavy"
            assert [arrival.method for arrival in service.arrivals] == ["PUT", "GET"]

    @every_useless_answer
    async def test_a_member_is_made_from_what_was_sent(self, useless: Callable[[], Act]) -> None:
        """A membership has nothing that was not sent, so nothing is read."""
        async with furnished() as service, bounded(service, 10_000) as scarf:
            service.on("POST", "*", useless())
            member = await scarf.members.upsert("home", "ann", "admin")
            assert member == Member(organization_name="home", username="ann", role="admin")
            assert len(service.arrivals) == 1

    @every_useless_answer
    @pytest.mark.parametrize(("method", "path", "call"), SILENT.values(), ids=SILENT)
    async def test_the_rest_promises_no_answer(
        self, method: str, path: str, call: Call, useless: Callable[[], Act]
    ) -> None:
        """Deletes and permissions give nothing back, whatever the response is."""
        async with furnished() as service, bounded(service, 10_000) as scarf:
            service.on(method, path, useless())
            await call(scarf)
            assert len(service.arrivals) == 1

    @pytest.mark.parametrize(
        ("look", "failure", "sends"),
        [
            (answer(401), AuthenticationError, 1),
            (answer(503), ServerError, FAST.attempts),
            (drop(), TransportError, FAST.attempts),
            (answer(200, b"<html>"), DecodeError, 1),
        ],
        ids=["401", "503", "dropped", "HTML"],
    )
    @pytest.mark.parametrize(("path", "call"), READ_BACK.values(), ids=READ_BACK)
    async def test_reading_back_fails(
        self, path: str, call: Call, look: Act, failure: type[ScarfError], sends: int
    ) -> None:
        """The write has happened, and the error says so; it is not repeated."""
        async with furnished() as service, connect(service) as scarf:
            service.on("POST", path, answer(204, effect=True))
            service.on("PUT", path, answer(204, effect=True))
            service.on("GET", "*", *[look] * 20)
            with pytest.raises(WriteConfirmedError) as caught:
                await call(scarf)
            assert type(caught.value.failure) is failure
            assert caught.value.requested is not None
            assert len(service.sent("POST") + service.sent("PUT")) == 1
            assert len(service.sent("GET")) == sends
            assert caught.value.__context__ is None

    @pytest.mark.parametrize(("path", "call"), CREATES.values(), ids=CREATES)
    async def test_nothing_there_to_read_back(self, path: str, call: Call) -> None:
        """A service that says 2xx and then shows nothing is taken at its word, not asked again."""
        async with furnished() as service, connect(service) as scarf:
            service.on("POST", path, answer(202))
            with pytest.raises(WriteConfirmedError):
                await call(scarf)
            assert len(service.sent("POST")) == 1

    async def test_only_an_id(self) -> None:
        """A package whose uuid alone is answered is read by that."""
        async with furnished() as service, connect(service) as scarf:
            service.on("POST", "/packages", answer(201, {"uuid": "uuid-1"}, effect=True))
            made = await scarf.packages.create(ANVIL)
            assert (made.uuid, made.name, made.short_description) == ("uuid-1", "anvil", "heavy")
            assert [arrival.path for arrival in service.arrivals] == ["/packages", "/packages/uuid-1"]

    async def test_only_an_id_that_is_not_there_yet(self) -> None:
        """Where the id leads nowhere, the list may still show it."""
        async with furnished() as service, connect(service) as scarf:
            service.on("POST", "/packages", answer(201, {"uuid": "uuid-1"}, effect=True))
            service.on("GET", "/packages/uuid-1", answer(404))
            assert (await scarf.packages.create(ANVIL)).name == "anvil"

    async def test_only_an_id_among_equals(self) -> None:
        """Of two equal routes the one of the response's id is returned; ids may be numbers."""
        async with furnished() as service, connect(service) as scarf:
            sent = {"outgoingUrl": ROUTE.outgoing_url, "templatePath": ROUTE.template_path}
            for number in (6, 7, 8):
                service.add("routes", "packages/p1", {"id": number, **sent})
            service.on("POST", "*", answer(201, {"id": 7}))
            assert (await scarf.routes.create("p1", ROUTE)).id == "7"
            service.add("domains", "packages/p1", {"id": 9, "name": DOMAIN.name})
            service.on("POST", "*", answer(201, {"id": 9}))
            assert await scarf.domains.create("p1", DOMAIN) == Domain("9", DOMAIN.name)

    async def test_an_answer_that_stalls(self) -> None:
        """A 2xx whose body does not end within the time limit is a success too."""
        async with furnished() as service, connect(service, timeout=0.1) as scarf:
            service.on("POST", "*", cut(201, effect=True, stall=True))
            assert (await scarf.organizations.create(ACME)).name == "acme"
            service.on("DELETE", "*", cut(200, effect=True, stall=True))
            await scarf.routes.delete("p1", "r1")
            assert len(service.sent("POST")) == len(service.sent("DELETE")) == 1


class TestReads:
    """Of what was asked for, half is nothing."""

    @pytest.mark.parametrize("stall", [False, True], ids=["closed", "stalled"])
    async def test_a_cut_body_is_read_again(self, stall: bool) -> None:
        """A read whose body was cut is repeated, up to the last attempt."""
        async with furnished() as service, connect(service, timeout=0.1) as scarf:
            service.on("GET", "*", cut(stall=stall))
            assert len(await scarf.members.list("home")) == 1
            service.on("GET", "*", *[cut()] * FAST.attempts)
            with pytest.raises(TransportError) as caught:
                await scarf.members.list("home")
            assert caught.value.attempts == FAST.attempts
            assert len(service.arrivals) == 2 + FAST.attempts

    async def test_a_missing_last_chunk(self) -> None:
        """A chunked body without its end is cut."""

        async def talk(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await raw.request(reader)
            end = b"" if len(raw.requests) == 1 else b"0\r\n\r\n"
            writer.write(head(headers=["Transfer-Encoding: chunked"]) + b"2\r\n[]\r\n" + end)
            await writer.drain()

        async with Raw(talk) as service, connect(service) as scarf:
            assert await scarf.packages.list() == []
            assert len(service.requests) == 2

    @pytest.mark.parametrize(
        ("encoding", "encode"),
        [
            ("gzip", gzip.compress),
            ("x-gzip", gzip.compress),
            ("GZIP", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
            ("deflate", zlib.compress),
            ("deflate", lambda data: zlib.compress(data, wbits=-15)),
            ("identity", bytes),
        ],
        ids=["gzip", "x-gzip", "two members", "deflate", "raw deflate", "identity"],
    )
    async def test_compressed(self, encoding: str, encode: Callable[[bytes], bytes]) -> None:
        """Gzip and deflate are undone, in answers and in errors."""
        async with furnished() as service, connect(service) as scarf:
            body = encode(b'{"name": "acme", "description": "' + b"long " * 999 + b'"}')
            service.on("GET", "*", answer(200, body, headers={"Content-Encoding": encoding}))
            assert len((await scarf.organizations.get("acme")).description) == 4995
            body = encode(b'{"message": "not today", "code": 17}')
            service.on("GET", "*", answer(403, body, headers={"Content-Encoding": encoding}))
            with pytest.raises(PermissionDeniedError, match="not today") as caught:
                await scarf.organizations.get("acme")
            assert caught.value.code == "17"

    @pytest.mark.parametrize(
        "body",
        [gzip.compress(b"[]")[:-4], gzip.compress(b"[]" + b" " * 9999)[:20]],
        ids=["short of its trailer", "short of data"],
    )
    async def test_cut_gzip(self, body: bytes) -> None:
        """A gzip body that lacks its end is not a response, whatever its Content-Length says."""
        async with furnished() as service, connect(service) as scarf:
            service.on("GET", "*", answer(200, body, headers={"Content-Encoding": "gzip"}))
            assert len(await scarf.members.list("home")) == 1
            assert len(service.arrivals) == 2

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            (b"", ""),
            (b"{", ""),
            (b"null", ""),
            (b"{}", ""),
            (b'"SECRET PAYLOAD"', ""),
            (b"<html>SECRET PAYLOAD</html>", ""),
            (b"\xff\xfe\x00", ""),
            (b"[" * 100_000, ""),
            (b"[1]", "[0]"),
            (b'[{"username": "ann", "role": "admin"}, {"username": 3, "role": "SECRET PAYLOAD"}]', "[1].username"),
            (b'[{"username": "ann"}]', "[0].role"),
        ],
    )
    async def test_garbage(self, body: bytes, path: str) -> None:
        """What is not what was promised is a DecodeError at once; it names the place and not the payload."""
        async with furnished() as service, connect(service) as scarf:
            service.on("GET", "*", answer(200, body))
            with pytest.raises(DecodeError) as caught:
                await scarf.members.list("home")
            error = caught.value
            assert error.endpoint == "GET /organizations/{organization}/users"
            assert (error.entity, error.path) == ("Member", path)
            assert "SECRET" not in str(error)
            assert len(service.arrivals) == 1

    async def test_204(self) -> None:
        """A read that is answered with nothing is not readable."""
        async with furnished() as service, connect(service) as scarf:
            service.on("GET", "*", answer(204))
            with pytest.raises(DecodeError):
                await scarf.organizations.get("home")

    @pytest.mark.parametrize("at_once", [True, False], ids=["with the answer", "while idle"])
    async def test_an_answer_that_nobody_asked_for(self, at_once: bool) -> None:
        """A second answer to a request is not taken for the response to the next."""

        async def talk(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while (request := await raw.request(reader)) is not None:
                name = request.split(b" ")[1].rpartition(b"/")[2].decode()
                for text in (f'{{"name": "{name}"}}', '{"name": "somebody else"}'):
                    writer.write(head(length=len(text)) + text.encode())
                    await writer.drain()
                    if not at_once:
                        await asyncio.sleep(0.005)
                said.set()

        said = asyncio.Event()
        async with Raw(talk) as service, connect(service) as scarf:
            for name in ("ann", "bob", "cid", "dee"):
                said.clear()
                assert (await scarf.organizations.get(name)).name == name
                await said.wait()
                await asyncio.sleep(0.01)
            assert len(service.requests) == 4

    async def test_early_hints(self) -> None:
        """Interim answers are not the response."""
        final = b'{"name": "acme"}'
        data = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + head(length=len(final)) + final
        async with Raw(data) as service, connect(service) as scarf:
            assert await scarf.organizations.get("acme") == Organization(name="acme")


class TestSize:
    """`max_response_bytes`."""

    async def test_the_limit_itself(self) -> None:
        """A response of just the limit is read, one of a byte more is not."""
        async with furnished() as service, bounded(service, 1000) as scarf:
            body = b'{"name": "acme"}'.ljust(1000)
            service.on("GET", "*", answer(200, body), answer(200, body + b" "))
            assert (await scarf.organizations.get("acme")).name == "acme"
            with pytest.raises(DecodeError, match="max_response_bytes"):
                await scarf.organizations.get("acme")
            assert len(service.arrivals) == 2

    @pytest.mark.parametrize("status", [200, 503])
    async def test_a_bomb(self, status: int) -> None:
        """A small compressed body that stands for a huge one is given up at the limit."""
        bomb = gzip.compress(bytes(2**24)) * 4
        async with furnished() as service, bounded(service, 2**20, attrs.evolve(FAST, attempts=1)) as scarf:
            service.on("GET", "*", answer(status, bomb, headers={"Content-Encoding": "gzip"}))
            with pytest.raises(DecodeError if status == 200 else ServerError):
                await scarf.organizations.get("acme")
            assert (await scarf.organizations.get("home")).name == "home"

    @pytest.mark.parametrize("status", ["200 OK", "500 Oh"])
    async def test_an_endless_body(self, status: str) -> None:
        """A body that never ends is given up at the limit, and its connection closed."""

        async def talk(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await raw.request(reader)
            writer.write(head(status, headers=["Transfer-Encoding: chunked"]))
            while not writer.is_closing():
                writer.write(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
                await writer.drain()

        async with Raw(talk) as service, bounded(service, 2**17, attrs.evolve(FAST, attempts=1)) as scarf:
            with pytest.raises(DecodeError if status.startswith("200") else ServerError) as caught:
                await scarf.organizations.get("acme")
            assert len(getattr(caught.value, "body", b"")) <= 4096
            await service.until(lambda: service.open == 0)


class TestErrors:
    """The status decides before the body is read."""

    @pytest.mark.parametrize(
        ("body", "message", "code"),
        [
            (b"<!DOCTYPE html><h1>502 Bad Gateway</h1>", "", None),
            (b"", "", None),
            (b'{"message": "no such plan", "code": "billing-error"}', "no such plan", "billing-error"),
            (b'{"detail": "gone"}', "gone", None),
            (b'{"error": "odd", "code": 5}', "odd", "5"),
            (b'"a bare string"', "a bare string", None),
            (b"plain words", "plain words", None),
            (b'{"message": {"nested": true}}', "", None),
            (b"[1, 2]", "", None),
            (b"{", "{", None),
            (b"\xff\xfe", "\ufffd\ufffd", None),
            (b'{"message": "red \\u001b[31m\\r\\nX-Evil: 1"}', "red \\x1b[31m\\r\\nX-Evil: 1", None),
        ],
    )
    async def test_the_words_of_the_service(self, body: bytes, message: str, code: str | None) -> None:
        """The service's words are taken where it has any; nothing in them steers a terminal."""
        async with furnished() as service, connect(service, retry=attrs.evolve(FAST, attempts=1)) as scarf:
            service.on("GET", "*", answer(502, body))
            with pytest.raises(ServerError) as caught:
                await scarf.organizations.get("home")
            error = caught.value
            assert (error.status, error.message, error.code, error.body) == (502, message, code, body)
            assert (error.method, error.url) == ("GET", f"{service.url}/organizations/home")
            assert "\x1b" not in str(error)
            assert "\n" not in str(error)

    async def test_a_long_body_is_kept_in_part(self) -> None:
        """Of the body of an error the first 4 KiB are kept."""
        async with furnished() as service, connect(service) as scarf:
            service.on("GET", "*", answer(400, b"x" * 10**6))
            with pytest.raises(BadRequestError) as caught:
                await scarf.organizations.get("home")
            assert caught.value.body == b"x" * 4096
            assert len(caught.value.message) <= 4096

    @pytest.mark.parametrize("stall", [False, True])
    async def test_a_cut_body(self, stall: bool) -> None:
        """A 404 is a 404, whether or not its body comes to an end."""
        async with furnished() as service, connect(service, timeout=0.1) as scarf:
            service.on("GET", "*", cut(404, stall=stall))
            with pytest.raises(NotFoundError):
                await scarf.organizations.get("home")
            assert len(service.arrivals) == 1

    @pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
    @pytest.mark.parametrize("elsewhere", [False, True], ids=["same origin", "another origin"])
    async def test_redirects_are_not_followed(self, status: int, elsewhere: bool) -> None:
        """A redirect of an ordinary call is an APIError; nothing is sent to where it leads."""
        calls: list[Call] = [
            lambda scarf: scarf.organizations.get("home"),
            lambda scarf: scarf.organizations.create(ACME),
            lambda scarf: scarf.organizations.update("home", _HOME),
            lambda scarf: scarf.routes.delete("p1", "r1"),
        ]
        async with furnished() as service, furnished() as other, connect(service) as scarf:
            location = f"{other.url}/packages" if elsewhere else "/api/v1/packages"
            for number, call in enumerate(calls, 1):
                act = answer(status, headers={"Location": location})
                for method in ("GET", "POST", "PUT", "DELETE"):
                    service.on(method, "*", act)
                with pytest.raises(APIError) as caught:
                    await call(scarf)
                assert type(caught.value) is APIError
                assert caught.value.status == status
                assert len(service.arrivals) == number
            assert not other.arrivals


def heard(events: list[ScarfEvent], service: Hostile, retry: RetryPolicy) -> Scarf:
    """Return a client whose events are collected."""
    return Scarf(TOKEN, base_url=service.url, retry=retry, on_event=events.append)


class TestRetryAfter:
    """What the service asks for is the least wait."""

    @pytest.mark.parametrize("status", [429, 503, 403, 408, 500])
    @pytest.mark.parametrize(("asked", "least"), [("7", 7), ("0", 0), (" 61 ", 61), ("250", 250)])
    async def test_seconds(self, status: int, asked: str, least: float) -> None:
        """Seconds are waited in full, and jitter comes on top."""
        events: list[ScarfEvent] = []
        retry = RetryPolicy(initial_delay=0.5, max_delay=1.0)
        async with furnished() as service, heard(events, service, retry) as scarf:
            service.on("GET", "*", answer(status, headers={"Retry-After": asked}))
            with no_waiting():
                await scarf.organizations.get("home")
        (scheduled,) = [event for event in events if isinstance(event, RetryScheduled)]
        assert least <= scheduled.delay <= least + 0.5

    @pytest.mark.parametrize("status", [429, 503])
    async def test_a_date(self, status: int) -> None:
        """A date is reckoned against the response's own Date: neither clock need be right."""
        events: list[ScarfEvent] = []
        now = dt.datetime(2019, 3, 1, 12, tzinfo=dt.UTC)
        then = now + dt.timedelta(seconds=90)
        headers = {"Date": format_datetime(now, usegmt=True), "Retry-After": format_datetime(then, usegmt=True)}
        async with furnished() as service, heard(events, service, RetryPolicy(initial_delay=0.5)) as scarf:
            service.on("GET", "*", answer(status, headers=headers))
            with no_waiting():
                await scarf.organizations.get("home")
        (scheduled,) = [event for event in events if isinstance(event, RetryScheduled)]
        assert 90 <= scheduled.delay <= 90.5

    @pytest.mark.parametrize(
        "asked", ["soon", "", "-5", "1e3", "0x10", "nan", "inf", "9" * 400, "Fri, 99 Foo 2024"]
    )
    async def test_nonsense(self, asked: str) -> None:
        """What cannot be read is ignored: the status alone decides."""
        events: list[ScarfEvent] = []
        async with furnished() as service, heard(events, service, RetryPolicy(initial_delay=0.5)) as scarf:
            service.on("GET", "*", answer(503, headers={"Retry-After": asked}))
            with no_waiting():
                await scarf.organizations.get("home")
            (scheduled,) = [event for event in events if isinstance(event, RetryScheduled)]
            assert scheduled.delay <= 0.5
            service.on("GET", "*", answer(403, headers={"Retry-After": asked}))
            with pytest.raises(PermissionDeniedError):
                await scarf.organizations.get("home")

    @pytest.mark.parametrize(
        ("status", "error"), [(429, RateLimitedError), (503, ServerError), (403, PermissionDeniedError)]
    )
    async def test_longer_than_the_call_may_wait(self, status: int, error: type[APIError]) -> None:
        """Beyond `max_elapsed` the call ends at once with the error of its status; other calls go on."""
        retry = attrs.evolve(FAST, max_elapsed=30)
        async with furnished() as service, connect(service, retry=retry) as scarf:
            service.on("GET", "*", answer(status, headers={"Retry-After": "31"}))
            async with asyncio.timeout(1):
                with pytest.raises(error) as caught:
                    await scarf.organizations.get("home")
                assert caught.value.retry_after == 31
                assert caught.value.attempts == 1
                await scarf.organizations.get("home")
            assert len(service.arrivals) == 2

    async def test_a_429_holds_the_whole_client(self) -> None:
        """For as long as the service asks nothing is sent, by the client or by its views."""
        throttled = asyncio.Event()

        def on_event(event: ScarfEvent) -> None:
            if isinstance(event, Throttled):
                throttled.set()

        async with (
            furnished() as service,
            Scarf(TOKEN, base_url=service.url, retry=FAST, on_event=on_event) as scarf,
        ):
            service.on("POST", "*", answer(429, headers={"Retry-After": "1"}))
            view = scarf.with_options(timeout=0.5)
            first = asyncio.ensure_future(view.members.upsert("home", "ann", "admin"))
            await throttled.wait()
            async with asyncio.timeout(5):
                await asyncio.gather(
                    first,
                    scarf.organizations.get("home"),
                    view.routes.list("p1"),
                    scarf.with_options(retry=RetryPolicy(attempts=1)).domains.list("p1"),
                )
            refused, *others = service.arrivals
            assert len(others) == 4
            assert min(arrival.at for arrival in others) - refused.at >= 0.99

    async def test_the_first_wait_is_not_shortened_by_a_second(self) -> None:
        """Of two responses that ask the client to wait the longer one counts."""
        events: list[ScarfEvent] = []
        async with furnished() as service, heard(events, service, FAST) as scarf:
            service.on("GET", "/organizations/*", answer(429, headers={"Retry-After": "1"}))
            service.on("GET", "/packages", answer(429, headers={"Retry-After": "0.1"}))
            await asyncio.gather(scarf.organizations.get("home"), scarf.packages.list())
            (again, last) = service.arrivals[2:]
            asked_at = max(arrival.at for arrival in service.sent("GET", "/organizations/home")[:1])
            assert min(again.at, last.at) - asked_at >= 0.99


class TestLimits:
    """Where trying again ends."""

    async def test_the_time_of_a_call(self) -> None:
        """After `max_elapsed` the last error is raised, however many attempts are left."""
        retry = RetryPolicy(attempts=1000, initial_delay=0.01, max_delay=0.01, max_elapsed=0.1)
        async with furnished() as service, connect(service, retry=retry) as scarf:
            service.on("GET", "*", *[answer(503)] * 1000)
            async with asyncio.timeout(2):
                with pytest.raises(ServerError) as caught:
                    await scarf.organizations.get("home")
            assert 1 < caught.value.attempts == len(service.arrivals) < 100
            assert service.arrivals[-1].at - service.arrivals[0].at <= 0.2

    async def test_the_budget(self) -> None:
        """A client makes 100 retries a minute; beyond that the last error comes at once, with a note."""
        retry = RetryPolicy(attempts=2, initial_delay=0, max_delay=0)
        async with furnished() as service, connect(service, retry=retry) as scarf:
            service.on("GET", "*", *[answer(503)] * 1000)
            errors: list[ServerError] = []
            for _ in range(110):
                with pytest.raises(ServerError) as caught:
                    await scarf.with_options(timeout=3).organizations.get("home")
                errors.append(caught.value)
            assert [error.attempts for error in errors] == [2] * 100 + [1] * 10
            assert not any(hasattr(error, "__notes__") for error in errors[:100])
            assert all("retries" in error.__notes__[0] for error in errors[100:])

    async def test_the_budget_grows_with_the_calls(self) -> None:
        """With more than 200 first attempts in the minute, half of their number may be retries."""
        retry = RetryPolicy(attempts=2, initial_delay=0, max_delay=0)
        async with furnished() as service, connect(service, retry=retry) as scarf:
            for _ in range(300):
                await scarf.organizations.get("home")
            service.on("GET", "*", *[answer(503)] * 1000)
            attempts = 0
            for _ in range(350):
                with pytest.raises(ServerError) as caught:
                    await scarf.organizations.get("home")
                attempts += caught.value.attempts
            # The n-th failing call may be retried while there were fewer than (300 + n) / 2 retries.
            assert attempts - 350 == 300 or abs(attempts - 350 - 325) <= 1

    async def test_the_budget_of_a_create(self) -> None:
        """An open create whose resend the budget forbids is looked for once more."""
        retry = RetryPolicy(attempts=2, initial_delay=0, max_delay=0, settle=0)
        async with furnished() as service, connect(service, retry=retry) as scarf:
            service.on("GET", "/packages", *[answer(503)] * 200)
            for _ in range(100):
                with pytest.raises(ServerError):
                    await scarf.packages.list()
            service.on("POST", "*", drop(effect=True))
            assert (await scarf.organizations.create(ACME)).name == "acme"
            assert len(service.sent("POST")) == 1

    async def test_a_silent_service(self) -> None:
        """Where no answer ever comes, the error tells the time limit and how often it was tried."""
        async with furnished() as service, connect(service, timeout=0.05) as scarf:
            service.on("GET", "*", *[cut(stall=True)] * FAST.attempts)
            with pytest.raises(RequestTimeoutError) as caught:
                await scarf.organizations.get("home")
            assert isinstance(caught.value, TimeoutError)
            assert caught.value.attempts == FAST.attempts
            service.on("GET", "*", honest())
            await scarf.organizations.get("home")
