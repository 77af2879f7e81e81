"""Whom the client takes for the service: real TLS, for calls and for exports."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
import trustme
from acceptance.hostile import TOKEN
from cli.shell import RANGE as EXPORTED
from cli.shell import environment, invoke

from scarf_async import ConfigurationError, ConnectFailedError, Scarf
from scarf_async.cli.output import Status

from .authorities import RANGE, client, secure

Call = Callable[[Scarf], Awaitable[object]]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return an authority that only `ca_file` can make known."""
    return trustme.CA()


@pytest.fixture(scope="module")
def stranger() -> trustme.CA:
    """Return another one."""
    return trustme.CA()


async def get(scarf: Scarf) -> object:
    """Read an organization."""
    return await scarf.organizations.get("acme")


async def export(scarf: Scarf) -> object:
    """Read an export."""
    async with scarf.exports.pixel_events(*RANGE) as events:
        return [event async for event in events]


calls = pytest.mark.parametrize("call", [get, export])


def written(authority: trustme.CA, directory: Path, name: str = "ca.pem") -> str:
    """Write an authority's own certificate to a file."""
    path = directory / name
    authority.cert_pem.write_to_path(str(path))
    return str(path)


async def refused(call: Call, certificate: trustme.LeafCert, ca_file: str | None) -> str:
    """Make a call to a service with a certificate that does not hold; return what is said."""
    async with secure(certificate) as service, client(service.url, ca_file=ca_file) as scarf:
        with pytest.raises(ConnectFailedError) as caught:
            await call(scarf)
    # The token left for nobody, and what will not hold in a second is not tried again.
    assert (service.tokens, caught.value.attempts) == ([], 1)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    text = str(caught.value)
    assert f"GET {service.url}/" in text
    return text


@calls
async def test_an_unknown_authority(
    call: Call, authority: trustme.CA, stranger: trustme.CA, tmp_path: Path
) -> None:
    """It is refused before anything is sent, whatever else is trusted, and the message says what to do."""
    for ca_file in (None, written(stranger, tmp_path)):
        text = await refused(call, authority.issue_cert("127.0.0.1"), ca_file)
        assert "unable to get local issuer certificate" in text
        assert "if you trust its issuer, pass the issuer's certificate (PEM) as ca_file" in text


@calls
async def test_a_certificate_that_signed_itself(call: Call) -> None:
    """So is one that stands for nobody but itself."""
    alone = trustme.CA()
    pair = trustme.LeafCert(alone.private_key_pem.bytes(), alone.cert_pem.bytes(), [])
    assert "as ca_file" in await refused(call, pair, None)


@calls
async def test_ca_file_is_added_to_the_systems(
    call: Call, authority: trustme.CA, stranger: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services of the file's authority are taken, and those of the system's still are."""
    monkeypatch.setenv("SSL_CERT_FILE", written(stranger, tmp_path, "system.pem"))
    ca_file = written(authority, tmp_path)
    for known in (authority, stranger):
        async with secure(known.issue_cert("127.0.0.1")) as service, client(service.url, ca_file=ca_file) as scarf:
            await call(scarf)
            assert service.tokens == [f"Bearer {TOKEN}"]


@calls
async def test_a_name_that_is_another(call: Call, authority: trustme.CA, tmp_path: Path) -> None:
    """A certificate for another host is refused, and `ca_file` is not suggested then."""
    certificate = authority.issue_cert("scarf.example")
    text = await refused(call, certificate, written(authority, tmp_path))
    assert "certificate is not valid for '127.0.0.1'" in text
    assert "check the URL" in text
    assert "ca_file" not in text


@calls
@pytest.mark.parametrize(("days", "words"), [((-3, -2), "expired"), ((2, 3), "not yet valid")])
async def test_a_certificate_out_of_its_time(
    call: Call, days: tuple[int, int], words: str, authority: trustme.CA, tmp_path: Path
) -> None:
    """One that has expired, or is not valid yet, is refused, though its authority is trusted."""
    begins, ends = (dt.datetime.now(dt.UTC) + dt.timedelta(days=some) for some in days)
    certificate = authority.issue_cert("127.0.0.1", not_before=begins, not_after=ends)
    text = await refused(call, certificate, written(authority, tmp_path))
    assert words in text
    assert "check the URL, the server's certificate, and this machine's clock" in text


@calls
async def test_an_old_protocol(call: Call, authority: trustme.CA, tmp_path: Path) -> None:
    """A service that speaks nothing newer than TLS 1.1 is not a service."""
    async with secure(authority.issue_cert("127.0.0.1"), old=True) as service:
        async with client(service.url, ca_file=written(authority, tmp_path)) as scarf:
            with pytest.raises(ConnectFailedError):
                await call(scarf)
        assert service.tokens == []


@calls
async def test_a_session_of_the_callers_brings_its_own_trust(
    call: Call, authority: trustme.CA, stranger: trustme.CA
) -> None:
    """What it trusts is trusted, and nothing else is, with the same words."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
        async with secure(authority.issue_cert("127.0.0.1")) as service:
            await call(Scarf(TOKEN, base_url=service.url, session=session))
            assert service.tokens == [f"Bearer {TOKEN}"]
        async with secure(stranger.issue_cert("127.0.0.1")) as service:
            with pytest.raises(ConnectFailedError, match="the server's certificate is invalid"):
                await call(Scarf(TOKEN, base_url=service.url, session=session))
            assert service.tokens == []


def test_what_is_no_authority(authority: trustme.CA, tmp_path: Path) -> None:
    """A key, DER, a broken certificate: refused by name, in one line, without what is in the file."""
    der = ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())
    contents = {
        "key.pem": authority.private_key_pem.bytes(),
        "ca.der": der,
        "broken.pem": authority.cert_pem.bytes().replace(b"\nMII", b"\nXII"),
        "empty.pem": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigurationError) as caught:
            Scarf(TOKEN, ca_file=tmp_path / name)
        assert str(caught.value).startswith(f"ca_file {str(tmp_path / name)!r} cannot be read: ")
        assert str(caught.value).isprintable()
        assert "BEGIN" not in str(caught.value)


async def test_from_a_shell(authority: trustme.CA, tmp_path: Path) -> None:
    """The command says what to do, and `--ca-file` does it; one that is none is wrong usage."""
    async with secure(authority.issue_cert("127.0.0.1")) as service:
        asked = ("export", "pixel-events", *EXPORTED)
        done = await invoke(*asked, env=environment(service.url))
        assert done.status == Status.FAILED
        assert "as --ca-file" in done.err
        ca_file = written(authority, tmp_path)
        done = await invoke(*asked, "--ca-file", ca_file, env=environment(service.url))
        assert (done.status, done.out) == (Status.DONE, b"type,time\n")
        done = await invoke(*asked, "--ca-file", "/nowhere", env=environment(service.url))
        assert (done.status, "--ca-file '/nowhere' cannot be read" in done.err) == (Status.WRONG_USAGE, True)
