"""What a service says is text, wherever it is shown: it steers no terminal, and no markup of it is obeyed."""

from __future__ import annotations

import asyncio
import html
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from acceptance.hostile import FAST, Hostile, Raw, answer, head, package_json
from acceptance.test_secrets import KEY, assert_clean
from cli.shell import RANGE as EXPORTED
from cli.shell import answer as whole
from cli.shell import environment, run_on_terminal

from scarf_async import (
    BulkPlan,
    ExportError,
    ExportJob,
    NotFoundError,
    OrganizationUpsert,
    OutcomeUnknownError,
    PackageUpsert,
    Scarf,
    ScarfError,
)

from .terminal import HOSTILE, MARKUP, assert_harmless, at_terminal

RANGE = ("2024-01-01", "2024-01-03")
BAD = HOSTILE + MARKUP
ACME = OrganizationUpsert(name="acme", description="", billing_email="")

Call = Callable[[Scarf], Awaitable[object]]


def client(url: str) -> Scarf:
    """Return a client of a service."""
    return Scarf(KEY, base_url=url, v2_url=url, retry=FAST, timeout=1)


async def get(scarf: Scarf) -> object:
    """Read an organization."""
    return await scarf.organizations.get("home")


async def create(scarf: Scarf) -> object:
    """Create one."""
    return await scarf.organizations.create(ACME)


async def read(scarf: Scarf) -> object:
    """Read an export."""
    async with scarf.exports.pixel_events(*RANGE) as events:
        return [event async for event in events]


async def aggregates(scarf: Scarf) -> object:
    """Read an export in NDJSON."""
    async with scarf.exports.organization_aggregates("acme", *RANGE) as rows:
        return [row async for row in rows]


def assert_one_line(error: BaseException) -> None:
    """Look at all that an error shows where it is printed: nothing in it is but text."""
    for text in (str(error), repr(error), *getattr(error, "__notes__", ())):
        assert text.isprintable(), text
    for line in traceback.format_exception_only(error):
        assert line[:-1].isprintable(), line


def said(body: bytes | str, *headers: str, status: str = "422 No", kind: str = "application/json") -> bytes:
    """Write a response, byte by byte as it is given."""
    data = body if isinstance(body, bytes) else body.encode()
    start = head(status, headers, length=len(data)).replace(b"application/json", kind.encode())
    return start + data


ANSWERS = {
    "message": said(json.dumps({"message": BAD, "code": BAD})),
    "raw JSON": said(json.dumps({"detail": BAD}, ensure_ascii=False)),
    "text": said(BAD, kind="text/plain"),
    "a page": said(f"<html><h1>{html.escape(BAD)}", status="502 No", kind="text/html"),
    "latin-1": said(b"no \x9b2J\x1b\xff\x00", kind="text/plain"),
    "reason phrase": said("", status=f"404 {BAD.split(chr(13))[0]}"),
    "headers": said("", f"X-{MARKUP[1:4]}: \x9b\u202e", "Retry-After: \x9b\u202e", status="401 No"),
    "encoding": said("x", "Content-Encoding: \x9b\u202e[red]"),
    "redirect": said("", "Location: /\x9b\u202e\x1b[2J", status="302 No"),
    "redirect with a user": said("", "Location: https://\x9b\u202e@x.invalid/", status="302 No"),
    "redirect away": said("", "Location: \u202egopher://[red]/", status="302 No"),
    "wrong types": said(json.dumps({"name": {BAD: BAD}}), status="200 OK"),
    "no record": said(json.dumps({"message": BAD}), status="200 OK"),
    "no number": said(
        f"type,time,confidence\nx,2024-01-01T00:00:00Z,{BAD.replace(chr(13), '')}\n", status="200 OK"
    ),
    "names of columns": said(f"type,time,{BAD!r},{BAD!r}\n".replace("\\", ""), status="200 OK"),
    "no JSON": said(f'{{"date": "{MARKUP}"\x1b\n', status="200 OK"),
    "no HTTP": f"{BAD}\r\n\r\n".encode(),
    "no header": f"HTTP/1.1 200 OK\r\n{BAD}\r\n\r\n".encode(),
    "no chunk": f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{BAD}\r\n".encode(),
}


@pytest.mark.parametrize("call", [get, create, read, aggregates])
@pytest.mark.parametrize("data", ANSWERS.values(), ids=ANSWERS)
async def test_every_error_is_one_line(data: bytes, call: Call) -> None:
    """Whatever part of a response an error quotes, it quotes it as text; so do its notes and its causes."""
    async with Raw(data) as service, client(service.url) as scarf:
        try:
            await call(scarf)
        except ScarfError as error:
            for link in (error, error.__cause__, error.__context__, getattr(error, "failure", None)):
                if link is not None:
                    assert_one_line(link)
        else:
            # What one call cannot read may be what another is promised.
            assert (call, data) == (aggregates, ANSWERS["names of columns"])


async def test_where_it_is_redirected_to() -> None:
    """An export's error names the address that the service chose, as text, and without the token in its path."""

    async def sent_on(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await raw.request(reader):
            ended = b"/echo/" in request
            writer.write(said("", f"Location: /echo/{KEY}/\x9b\u202e", status="404 No" if ended else "302 No"))
            await writer.drain()

    async with Raw(sent_on) as service, client(service.url) as scarf:
        with pytest.raises(NotFoundError) as caught:
            await read(scarf)
    assert "/echo/***/\\x9b\\u202e" in str(caught.value)
    assert_one_line(caught.value)
    assert_clean(caught.value)


async def test_what_a_refused_redirect_says() -> None:
    """A token in the name of the host is not shown either."""
    token = "tok-0123456789"
    location = f"Location: ftp://{token}.example/"
    async with Raw(said("", location, status="302 No")) as service, Scarf(token, base_url=service.url) as scarf:
        with pytest.raises(ExportError) as caught:
            await read(scarf)
    assert str(caught.value).endswith(": a redirect to ftp://***.example, which is not https")


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Hostile]:
    """Run a service on which everything is named, and described, with malice."""
    async with Hostile() as hostile:
        named: dict[str, object] = {"username": BAD, "role": BAD, "permissionLevel": BAD, "id": BAD, "name": BAD}
        hostile.add("organizations", "", {"name": "acme", "description": BAD, "billingEmail": BAD, "website": BAD})
        hostile.add("users", "organizations/acme", {**named})
        web: dict[str, object] = {"shortDescription": BAD, "longDescription": BAD, "website": BAD, "createdAt": BAD}
        for name, kind in ((BAD, BAD), ("web", "file")):
            shown = package_json(name, **{**web, "uuid": f"u-{kind[0]}", "libraryType": kind, "owner": "acme"})
            hostile.add("packages", "organizations/acme", shown)
            for thing in ("permissions", "routes", "domains"):
                hostile.add(thing, f"packages/u-{kind[0]}", {**named, "outgoingUrl": BAD, "templatePath": BAD})
        yield hostile


MANIFEST = """
version: 1
organizations:
  acme:
    description: x
    members: {ann: admin}
    packages: [{name: web, type: file, short_description: y, permissions: {bob: member}, domains: [x.example]}]
"""

SHOWN = [
    ("orgs", "get", "acme"),
    ("members", "list", "acme"),
    ("packages", "list"),
    ("packages", "list", "acme"),
    ("packages", "get", "u-a"),
    ("permissions", "list", "u-a"),
    ("routes", "list", "u-a"),
    ("domains", "list", "u-a"),
    ("plan", "FILE", "--prune"),
    ("apply", "FILE", "--prune", "--dry-run"),
]


@pytest.mark.parametrize("arguments", SHOWN, ids=" ".join)
async def test_what_is_there_is_shown_as_text(service: Hostile, arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Names and descriptions are in tables and differences with their escapes and markup spelled out."""
    file = tmp_path / "acme.yaml"
    file.write_text(MANIFEST)
    words = [str(file) if word == "FILE" else word for word in arguments]
    status, shown = await at_terminal(*words, env=environment(service.url), width=4000)
    assert status == 0, shown
    assert "a\\x1b[2J\\x07\\r\\x9b31m" in shown
    assert "[red]x[/" in shown
    assert_harmless(shown)
    if "FILE" not in arguments:
        assert MARKUP in shown
        status, shown = await at_terminal(*words, "--json", env=environment(service.url))
        assert (status, "\\u001b" in shown) == (0, True)
        assert_harmless(shown)


@pytest.mark.parametrize("form", ["yaml", "json"])
async def test_a_manifest_at_a_terminal(form: str) -> None:
    """`pull` shows a manifest that may be looked at, and read again."""
    async with Hostile() as service:
        service.add(
            "organizations", "", {"name": "acme", "description": BAD, "billingEmail": "é 漢 \u200f\U000e0041"}
        )
        status, shown = await at_terminal("pull", "acme", "--format", form, env=environment(service.url))
    assert status == 0, shown
    assert MARKUP in shown
    assert "é 漢" in shown
    assert "\U000e0041" not in shown
    assert_harmless(shown)


async def test_an_export_at_a_terminal() -> None:
    """It is shown line by line; what would steer the terminal is spelled out. In a pipe every byte stays."""
    words = HOSTILE.replace("\r", "").replace("\u2028", "")
    body = f"type,time\r\n{words}[red],2024-01-01T00:00:00Z\n\u202e,2024-01-01T00:00:00Z\n".encode() + b"\xff\x9b,x"
    async with Raw(whole(body)) as service:
        env = environment(service.url)
        status, shown = await at_terminal("export", "pixel-events", *EXPORTED, env=env)
    assert status == 0, shown
    assert shown.startswith("type,time\r\na\\x1b[2J\\x07")
    assert "[red],2024" in shown
    assert "\r\n\\u202e,2024" in shown
    assert_harmless(shown.replace("\ufffd", ""))


REFUSALS: Mapping[str, tuple[str, ...]] = {
    "call": ("orgs", "get", "other"),
    "write": ("members", "set", "acme", "ann", "admin"),
    "export": ("export", "pixel-events", *EXPORTED),
    "job": ("export", "job", "owner_events", "acme", *EXPORTED, "--directory", "DIRECTORY"),
}


@pytest.mark.parametrize("arguments", REFUSALS.values(), ids=REFUSALS)
async def test_what_failed_is_shown_as_text(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """The service's words, beside progress and reports, are a line with their escapes and markup spelled out."""
    words = [str(tmp_path / "job") if word == "DIRECTORY" else word for word in arguments]
    async with Raw(ANSWERS["message"]) as service:
        status, shown = await at_terminal(*words, env=environment(service.url), width=4000)
    assert status == 1, shown
    assert f"d\\x7f{MARKUP}" in shown
    assert_harmless(shown)


async def test_failed_changes_at_a_terminal(tmp_path: Path) -> None:
    """The table of what `apply` could not do is text too."""
    file = tmp_path / "acme.yaml"
    file.write_text("version: 1\norganizations:\n  acme: {members: {ann: admin}}\n")
    async with Hostile() as service:
        service.add("organizations", "", {"name": "acme"})
        service.on("POST", "*", answer(422, {"message": BAD}))
        service.on("PUT", "*", answer(422, {"message": BAD}))
        env = environment(service.url) | {"COLUMNS": "4000"}
        status, shown = await run_on_terminal("apply", str(file), "--yes", env=env)
    assert status == 1, shown
    assert f"d\\x7f{MARKUP}" in shown
    assert_harmless(shown)


async def test_reports_are_lines(tmp_path: Path) -> None:
    """The tables of a bulk run, of applied changes and of a job end their lines where we do."""
    async with Raw(ANSWERS["message"]) as service, client(service.url) as scarf:
        plan = BulkPlan()
        plan.create_package(PackageUpsert(name=BAD, short_description=BAD), "acme")
        plan.set_permission("u-1", BAD, "member")
        bulk = await scarf.bulk.run(plan, journal=tmp_path / "bulk.journal")
        job = await scarf.exports.run(ExportJob("owner_events", "a\u202e", *RANGE), tmp_path / "job")
    assert (len(bulk.failed), len(job.failed)) == (2, 1)
    with pytest.raises(ExportError) as caught:
        job.raise_for_failures()
    assert_one_line(caught.value)
    for report in (bulk, job):
        assert_harmless(str(report))
        assert MARKUP in str(report)
        assert_harmless(json.dumps(report.to_dict()))
    assert_harmless((tmp_path / "bulk.journal").read_text())


async def test_what_does_not_show_is_a_line() -> None:
    """Of what a service has instead a difference speaks in one line."""
    async with Hostile() as service, client(service.url) as scarf:
        service.add("users", "organizations/acme", {"username": "ann", "role": BAD})
        plan = BulkPlan()
        plan.upsert_member("acme", "ann", "admin")
        (difference,) = await scarf.bulk.verify(plan)
    assert str(difference).isprintable()
    assert MARKUP in str(difference)


async def test_what_was_found_instead() -> None:
    """An open create that meets something else under its name says so in one line."""
    async with Hostile() as service, client(service.url) as scarf:
        service.add("organizations", "", {"name": "acme", "description": BAD})
        service.on("POST", "*", *[answer(503, {"message": BAD})] * 9)
        with pytest.raises(OutcomeUnknownError) as caught:
            await create(scarf)
    assert_one_line(caught.value)
    assert repr(caught.value.found).isprintable()
