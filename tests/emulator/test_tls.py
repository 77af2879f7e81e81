"""TLS with an authority of the emulator's own."""

from __future__ import annotations

import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from unittest import mock

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from scarf_async import ConnectFailedError, OrganizationUpsert, Scarf
from scarf_async.emulator import Emulator

HEADERS = {"Authorization": "Bearer emulator-token"}


class Loopback(AbstractResolver):
    """A hosts file in which every name is this machine."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:  # noqa: ARG002 # the interface
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=2, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
async def secure() -> AsyncIterator[Emulator]:
    """An emulator that serves https."""
    async with Emulator(tls=True, events_per_day=3) as emulator:
        yield emulator


async def test_the_client_works_with_the_ca_file(secure: Emulator) -> None:
    """Calls and exports go through; without the file the certificate is refused and nothing arrives."""
    assert secure.url.startswith("https://127.0.0.1:")
    url = secure.url.replace("127.0.0.1", "localhost")
    async with Scarf(secure.token, base_url=url, v2_url=secure.v2_url, ca_file=secure.ca_file) as scarf:
        await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
        async with scarf.exports.pixel_events("2024-01-01", "2024-01-02") as events:
            assert len([event async for event in events]) == 3
    arrived = len(secure.requests)
    async with Scarf(secure.token, base_url=url) as scarf:
        with pytest.raises(ConnectFailedError, match="pass the issuer's certificate"):
            await scarf.packages.list()
    assert len(secure.requests) == arrived


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "scarf.sh", "api.scarf.sh"])
async def test_names_in_the_certificate(host: str, secure: Emulator) -> None:
    """Programs whose addresses are fixed find the certificate right, by the strictest rules of Python."""
    trust = ssl.create_default_context(cafile=secure.ca_file)
    trust.verify_flags |= ssl.VERIFY_X509_STRICT
    connector = aiohttp.TCPConnector(ssl=trust, resolver=Loopback())
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get(URL(secure.url).with_host(host) / "packages", headers=HEADERS) as answer:
            assert (answer.status, await answer.json()) == (200, [])
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(URL(secure.url).with_host("scarf.example"))


async def test_the_ca_file_has_a_place(tmp_path: Path) -> None:
    """It is written where it should be, again at each start, and never over something else."""
    file = tmp_path / "ca.pem"
    for _ in range(2):
        async with Emulator(tls=True, ca_file=file) as emulator:
            assert emulator.ca_file == file
            ssl.create_default_context(cafile=file)
    file.write_text("mine")
    with pytest.raises(FileExistsError, match="name another file"):
        await Emulator(tls=True, ca_file=file).start()
    assert file.read_text() == "mine"


async def test_a_temporary_ca_file_goes_at_the_end() -> None:
    """Nothing is left, and the same emulator started again has the same authority."""
    emulator = Emulator(tls=True)
    written = []
    for _ in range(2):
        async with emulator:
            assert emulator.ca_file is not None
            written.append(emulator.ca_file.read_bytes())
            directory = emulator.ca_file.parent
        assert not directory.exists()
        assert emulator.ca_file is None
    assert written[0] == written[1]
    assert b"PRIVATE" not in written[0]


async def test_a_start_that_fails_leaves_the_file_of_another(tmp_path: Path) -> None:
    """An emulator whose port is taken does not replace the certificate of the one that has it."""
    file = tmp_path / "ca.pem"
    async with Emulator(tls=True, ca_file=file) as emulator:
        before, port = file.read_bytes(), int(emulator.url.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match=str(port)):
            await Emulator(tls=True, ca_file=file, port=port).start()
        assert file.read_bytes() == before


def test_what_tls_cannot_be() -> None:
    """A file without TLS, a host that is none, and a missing package are clear errors."""
    with pytest.raises(ValueError, match="ca_file is for an emulator with tls=True"):
        Emulator(ca_file="ca.pem")
    with pytest.raises(ValueError, match="no certificate for the host 'no host'"):
        Emulator(tls=True, host="no host")
    with mock.patch.dict(sys.modules, {"trustme": None}), pytest.raises(ImportError, match="pip install"):
        Emulator(tls=True)
