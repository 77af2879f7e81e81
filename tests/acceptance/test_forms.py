"""Answers in forms that others read: long heads, labels that mean nothing, JSON that is not quite JSON."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from scarf_async import (
    APIError,
    DecodeError,
    ExportError,
    OrganizationUpsert,
    OutcomeUnknownError,
    RequestTimeoutError,
    Scarf,
    TransportError,
)
from scarf_async.http.connector import HEAD_LIMITS

from .hostile import FAST, TOKEN, Hostile, Raw, answer, connect, head, package_json

RANGE: Final = ("2024-01-01", "2024-02-01")
CSV: Final = b"type,time\nbinary-download,2024-01-01T08:00:00Z\n"
ACME: Final = OrganizationUpsert(name="acme", description="", billing_email="")
LONG: Final = "a" * 70_000
UNREADABLE: Final = {
    "a line of 70 kB": head(headers=[f"Set-Cookie: {LONG}"], length=2) + b"{}",
    "another protocol": b"SSH-2.0-aaaa\r\n\r\n",
    "a broken header": head(headers=["X aaaa: 1"], length=2) + b"{}",
    "no length": head(headers=["Content-Length: aaaa"]) + b"{}",
    "broken chunks": head(headers=["Transfer-Encoding: chunked"]) + b"aaaazz\r\n{}",
}
GOOD: Final = b"%x\r\n%b\r\n" % (len(CSV), CSV)
FRAMING: Final[dict[str, bytes]] = {
    "no size": b"zz\r\nxx\r\n",
    "longer than its size": b"2\r\n[]XXXX\r\n0\r\n\r\n",
    "a trailer without a colon": b"0\r\nno colon here\r\n\r\n",
    "a trailer of 70 kB": f"0\r\nX: {LONG}\r\n\r\n".encode(),
}
if "max_headers" in HEAD_LIMITS:  # earlier versions of aiohttp take any number of them
    FRAMING["600 trailers"] = b"0\r\n" + b"X: a\r\n" * 600 + b"\r\n"


class TestHeads:
    """What a proxy or a cookie adds to the head of a response."""

    @pytest.mark.parametrize("own", [False, True], ids=["our session", "the caller's"])
    @pytest.mark.parametrize(
        "headers",
        [
            ["Set-Cookie: " + "a" * 9000],
            ["X: " + "a" * (2**16 - 3)],
            [f"X-{number}: a" for number in range(510)],
        ],
        ids=["9 kB", "64 KiB", "512 headers"],
    )
    async def test_long(self, headers: list[str], *, own: bool) -> None:
        """Lines of up to 64 KiB and 512 headers are read, in calls and exports, on any session."""
        body = b'{"name": "acme"}'
        # The type and the length are headers too.
        async with Raw(head(headers=headers, length=len(body)) + body) as raw:
            session = aiohttp.ClientSession() if own else None
            try:
                async with Scarf(TOKEN, base_url=raw.url, retry=FAST, session=session) as scarf:
                    assert (await scarf.organizations.get("acme")).name == "acme"
                    async with scarf.exports.organization_aggregates("acme", *RANGE) as stream:
                        assert [line async for line in stream.lines()] == [body]
            finally:
                if session is not None:
                    await session.close()
            assert len(raw.requests) == 2

    @pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
    async def test_unreadable(self, data: bytes, tmp_path: Path) -> None:
        """What cannot be parsed ends a read, a removal and an export at once, and is not quoted."""
        async with Raw(data) as raw, connect(raw) as scarf:
            for call in (
                lambda: scarf.organizations.get("acme"),
                lambda: scarf.members.remove("acme", "ann"),
                lambda: scarf.exports.pixel_events(*RANGE).save(tmp_path / "events.csv"),
            ):
                raw.requests.clear()
                with pytest.raises(TransportError, match="cannot be parsed") as caught:
                    await call()
                assert (caught.value.attempts, len(raw.requests)) == (1, 1)
                assert "aaaa" not in str(caught.value)

    @pytest.mark.parametrize("effect", [True, False])
    async def test_a_create(self, *, effect: bool) -> None:
        """A create whose response cannot be parsed is sent once and looked for: found, it is the response."""
        body = json.dumps({"name": "acme", "description": "", "billingEmail": ""}).encode() if effect else b""
        found = head(length=len(body)) + body if effect else head("404 Not Found", length=0)

        async def talk(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while (asked := await raw.request(reader)) is not None:
                writer.write(UNREADABLE["a line of 70 kB"] if asked.startswith(b"POST") else found)

        async with Raw(talk) as raw, connect(raw) as scarf:
            if effect:
                assert (await scarf.organizations.create(ACME)).name == "acme"
            else:
                with pytest.raises(OutcomeUnknownError) as caught:
                    await scarf.organizations.create(ACME)
                assert "cannot be parsed" in str(caught.value.failure)
            assert [asked.split()[0] for asked in raw.requests] == [b"POST", b"GET"]


class TestFraming:
    """A body whose framing breaks in a later packet than the head."""

    @staticmethod
    def _breaking(broken: bytes, told: asyncio.Event | None = None) -> Raw:
        async def talk(raw: Raw, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await raw.request(reader)
            writer.write(head(headers=["Transfer-Encoding: chunked"]) + GOOD)
            if told is None:
                # Loopback, and one event loop: the client has read the head after a few turns.
                for _ in range(20):
                    await asyncio.sleep(0)
            else:
                await told.wait()
            writer.write(broken)
            await reader.read()

        return Raw(talk)

    @pytest.mark.parametrize("broken", FRAMING.values(), ids=FRAMING)
    async def test_a_read(self, broken: bytes) -> None:
        """It ends a read at once, and is not asked for again."""
        async with self._breaking(broken) as raw, connect(raw, timeout=60) as scarf, asyncio.timeout(10):
            with pytest.raises(TransportError, match="framing of the body cannot be parsed") as caught:
                await scarf.organizations.get("acme")
            assert (caught.value.attempts, len(raw.requests)) == (1, 1)

    @pytest.mark.parametrize("broken", FRAMING.values(), ids=FRAMING)
    async def test_an_export(self, broken: bytes) -> None:
        """It ends an export that is open with an error that tells of no cut."""
        told = asyncio.Event()
        async with self._breaking(broken, told) as raw, connect(raw) as scarf, asyncio.timeout(10):
            async with scarf.exports.pixel_events(*RANGE) as events:
                told.set()
                with pytest.raises(ExportError, match="framing of the body cannot be parsed") as caught:
                    assert [batch async for batch in events.lines()] == []
                assert not events.complete
            assert type(caught.value) is ExportError

    async def test_a_saved_export(self, tmp_path: Path) -> None:
        """It is fetched once."""
        async with self._breaking(FRAMING["no size"]) as raw, connect(raw) as scarf, asyncio.timeout(10):
            with pytest.raises(ExportError, match="framing of the body cannot be parsed"):
                await scarf.exports.pixel_events(*RANGE).save(tmp_path / "events.csv")
            assert len(raw.requests) == 1

    async def test_the_callers_session(self, tmp_path: Path) -> None:
        """A session that does not tell of it holds an export no longer than a silence may last."""
        async with (
            self._breaking(FRAMING["no size"]) as raw,
            aiohttp.ClientSession() as session,
            Scarf(TOKEN, base_url=raw.url, retry=FAST, export_timeout=0.2, session=session) as scarf,
            asyncio.timeout(10),
        ):
            with pytest.raises(RequestTimeoutError):
                await scarf.exports.pixel_events(*RANGE).save(tmp_path / "events.csv")
            assert len(raw.requests) == 1


PLAIN: Final = [
    *("none", "None", "identity", "utf-8", "UTF8", "ISO-8859-1", "binary", "aws-chunked", "", ",", "none, utf-8"),
    *("8bit", "text/csv", '"identity"', "chunked", "undefined"),
    *("utf-8; q=1", "identity;q=1.0", "charset=utf-8", "json", "csv", "en", "unknown", ";", "*"),
]
UNDONE: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip;q=1": gzip.compress,
    "gzip;level=9, identity;q=0.5": gzip.compress,
    "x-deflate": zlib.compress,
}


class TestLabels:
    """`Content-Encoding` as proxies and stores fill it in."""

    @pytest.mark.parametrize("label", PLAIN)
    async def test_no_coding(self, label: str) -> None:
        """A label that names no coding means nothing, in calls, errors and exports; beside one it is ignored."""
        async with Hostile() as service, connect(service) as scarf:
            labelled = {"Content-Encoding": label}
            service.on("GET", "/organizations/*", answer(200, b'{"name": "acme"}', headers=labelled))
            assert (await scarf.organizations.get("acme")).name == "acme"
            service.on("GET", "/organizations/*", answer(403, b'{"message": "not today"}', headers=labelled))
            with pytest.raises(APIError, match="not today"):
                await scarf.organizations.get("acme")
            both = {"Content-Encoding": f"gzip,{label}"}
            service.on(
                "GET",
                "/pixels/*",
                answer(200, CSV, headers=labelled),
                answer(200, gzip.compress(CSV, mtime=0), headers=both),
            )
            for _ in range(2):
                async with scarf.exports.pixel_events(*RANGE) as events:
                    assert len([event async for event in events]) == 1
            assert len(service.arrivals) == 4

    @pytest.mark.parametrize(("label", "compress"), UNDONE.items(), ids=UNDONE)
    async def test_parameters_and_aliases(self, label: str, compress: Callable[[bytes], bytes]) -> None:
        """A coding with parameters, or by its old name, is the coding."""
        async with Hostile() as service, connect(service) as scarf:
            labelled = {"Content-Encoding": label}
            service.on("GET", "/organizations/*", answer(200, compress(b'{"name": "acme"}'), headers=labelled))
            assert (await scarf.organizations.get("acme")).name == "acme"
            service.on("GET", "/pixels/*", answer(200, compress(CSV), headers=labelled))
            async with scarf.exports.pixel_events(*RANGE) as events:
                assert len([event async for event in events]) == 1

    async def test_two_headers(self) -> None:
        """Several headers are one list."""
        body = gzip.compress(b'{"name": "acme"}', mtime=0)
        data = head(headers=["Content-Encoding: aws-chunked", "Content-Encoding: gzip"], length=len(body)) + body
        async with Raw(data) as raw, connect(raw) as scarf:
            assert (await scarf.organizations.get("acme")).name == "acme"
            async with scarf.exports.organization_aggregates("acme", *RANGE) as stream:
                assert [line async for line in stream.lines()] == [b'{"name": "acme"}']

    @pytest.mark.parametrize(
        ("label", "body"),
        [
            ("br", b"\x0b\x02\x80{}\x03"),
            ("zstd", b"(\xb5/\xfd"),
            ("gzip", gzip.compress(b"{}", mtime=0)[:-8] + bytes(8)),
            ("gzip", b"{}"),
            ("deflate", zlib.compress(b"{}")[:-4] + bytes(4)),
            ("br, aws-chunked", b""),
            ("br;q=1", b"\x0b\x02\x80{}\x03"),
            ("zstandard", b"(\xb5/\xfd"),
        ],
    )
    async def test_a_coding_that_cannot_be_undone(self, label: str, body: bytes) -> None:
        """It is final at once, is named, and counts as a response: a create is read back and not sent again."""
        async with Hostile() as service, connect(service) as scarf:
            labelled = {"Content-Encoding": label}
            named = label.partition(",")[0]
            service.on("GET", "/organizations/home", answer(200, body, headers=labelled))
            with pytest.raises(TransportError, match=named):
                await scarf.organizations.get("home")
            service.on("POST", "*", answer(201, body, headers=labelled, effect=True))
            assert (await scarf.organizations.create(ACME)).name == "acme"
            service.on("GET", "/pixels/*", answer(200, body or b"x", headers=labelled))
            with pytest.raises(ExportError, match=named):
                async with scarf.exports.pixel_events(*RANGE) as events:
                    assert [event async for event in events]
            assert [arrival.method for arrival in service.arrivals] == ["GET", "POST", "GET", "GET"]


FIELDS: Final = {
    "invalid UTF-8": (b'"caf\xe9"', "caf\ufffd"),
    "half a pair": (rb'"a\ud83db"', "a\ufffdb"),
    "the other half": (rb'"\ude00"', "\ufffd"),
    "a whole pair": (rb'"\ud83d\ude00"', "\U0001f600"),
    "an escaped backslash": (rb'"\\ud83d" ', r"\ud83d"),
    "control characters": (b'"a\tb\x01"', "a\tb\x01"),
}
OTHERS: Final = {
    "no number": b"NaN",
    "infinity": b"-Infinity",
    "a large number": b"1e999",
    "a large integer": b"9" * 30,
    "a larger integer": b"9" * 9000,
    "depth": b"[" * 200 + b"]" * 200,
}


class TestText:
    """One odd field costs no more than itself."""

    @pytest.mark.parametrize(("written", "read"), FIELDS.values(), ids=FIELDS)
    async def test_strings(self, written: bytes, read: str) -> None:
        """What is not text within a string is replaced there; the list and the export live."""
        odd = json.dumps(package_json("odd")).encode().replace(b'"shortDescription": ""', b'"shortDescription": %b')
        body = b"[%b, %b]" % (odd % written, json.dumps(package_json("web")).encode())
        line = b'{"breakdown": "total", "date": "2024-01-01", "package": "web", "total": 3, "version": %b}\n'
        async with Hostile() as service, connect(service) as scarf:
            service.on("GET", "/packages", answer(200, body))
            packages = await scarf.packages.list()
            assert [(package.name, package.short_description) for package in packages] == [
                ("odd", read),
                ("web", ""),
            ]
            service.on("GET", "*", answer(200, line % written + line % b'"1"'))
            async with scarf.exports.organization_aggregates("acme", *RANGE) as stream:
                assert [aggregate.version async for aggregate in stream] == [read, "1"]

    @pytest.mark.parametrize("written", OTHERS.values(), ids=OTHERS)
    async def test_others(self, written: bytes) -> None:
        """A field that nobody asked for may hold whatever Python's own reader takes."""
        async with Hostile() as service, connect(service) as scarf:
            service.on("GET", "*", answer(200, b'\xef\xbb\xbf{"name": "x", "name": "acme", "odd": %b}' % written))
            organization = await scarf.organizations.get("acme")
            assert (organization.name, list(organization.extra)) == ("acme", ["odd"])
            line = b'{"breakdown": "total", "date": "2024-01-01", "package": "web", "total": 3, "odd": %b}\n'
            service.on("GET", "*", answer(200, line % written))
            async with scarf.exports.organization_aggregates("acme", *RANGE) as stream:
                assert [aggregate.total async for aggregate in stream] == [3]

    async def test_errors(self) -> None:
        """So may the body of an error."""
        async with Hostile() as service, connect(service) as scarf:
            service.on("GET", "*", answer(400, b'{"message": "caf\xe9 \\ud800", "load": NaN, "code": "odd"}'))
            with pytest.raises(APIError, match="caf\ufffd \ufffd") as caught:
                await scarf.organizations.get("acme")
            assert caught.value.code == "odd"

    async def test_what_is_not_json(self) -> None:
        """What no reader takes is still not a response, and is not asked for again."""
        async with Hostile() as service, connect(service) as scarf:
            for body in (b"[1,]", b"{'a': 1}", b"[" * 100_000, b"{}{}"):
                service.on("GET", "*", answer(200, body))
                with pytest.raises(DecodeError, match="not JSON"):
                    await scarf.organizations.get("acme")
            assert len(service.arrivals) == 4
