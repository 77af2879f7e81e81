"""Through a real proxy: what it is told, what it is not, and what its refusals look like."""

from __future__ import annotations

import json
import pickle
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme
from acceptance.hostile import BASE, FAST
from acceptance.test_secrets import BASIC, KEY, PASSWORD, assert_clean
from cli.shell import RANGE as EXPORTED
from cli.shell import environment, invoke

from scarf_async import ConnectFailedError, Scarf, ScarfEvent

from .authorities import RANGE, Secure, secure
from .reach import assert_unsaid
from .tunnel import Tunnel

Call = Callable[[Scarf], Awaitable[object]]

NAME = "scarf.example"
VARIABLES = ("HTTPS_PROXY", "https_proxy")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return the authority of the service and of proxies."""
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the file that makes it known."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


async def get(scarf: Scarf) -> object:
    """Read an organization."""
    return await scarf.organizations.get("acme")


async def export(scarf: Scarf) -> object:
    """Read an export."""
    async with scarf.exports.pixel_events(*RANGE) as events:
        return [event async for event in events]


calls = pytest.mark.parametrize("call", [get, export])


def with_password(proxy: Tunnel) -> str:
    """Return a proxy's address with the right user and password."""
    return proxy.url.replace("://", f"://user:{PASSWORD}@")


def through(proxy: Tunnel, service: Secure, ca_file: str, *, password: bool = True) -> Scarf:
    """Return a client that goes through a proxy to a service, by a name that only the proxy knows."""
    url = f"https://{NAME}:{service.port}{BASE}"
    address = with_password(proxy) if password else proxy.url
    return Scarf(KEY, base_url=url, v2_url=url, retry=FAST, ca_file=ca_file, proxy=address)


async def failure(proxy: Tunnel, call: Call, *, password: bool = True) -> ConnectFailedError:
    """Make a call that a proxy does not let through; return the error, which holds no secret."""
    events: list[ScarfEvent] = []
    url = f"https://scarf.invalid{BASE}"
    scarf = Scarf(
        KEY,
        base_url=url,
        v2_url=url,
        retry=FAST,
        proxy=with_password(proxy) if password else proxy.url,
        on_event=events.append,
    )
    with pytest.raises(ConnectFailedError) as caught:
        async with scarf:
            await call(scarf)
    assert_clean(caught.value)
    assert events
    assert_unsaid(repr(events).encode(), pickle.dumps(events), repr(scarf).encode(), str(caught.value).encode())
    assert str(caught.value).isprintable()
    return caught.value


@calls
@pytest.mark.parametrize("password", [True, False])
async def test_what_a_proxy_is_told(call: Call, password: bool, authority: trustme.CA, ca_file: str) -> None:
    """Host, port and its own password; the token goes through the tunnel, and nothing of the proxy's does."""
    async with (
        secure(authority.issue_cert(NAME)) as service,
        Tunnel(guarded=password) as proxy,
        through(proxy, service, ca_file, password=password) as scarf,
    ):
        await call(scarf)
        await call(scarf)
    assert set(proxy.asked) == {f"CONNECT {NAME}:{service.port} HTTP/1.1".encode()}
    assert service.tokens == [f"Bearer {KEY}"] * 2
    for head in proxy.heads:
        assert (BASIC.encode() in head) is password
        assert_unsaid(head.replace(BASIC.encode(), b""))
        assert b"authorization: bearer" not in head.lower()
    assert_unsaid(proxy.carried)
    assert not any(name.lower().startswith("proxy-") for names in service.headers for name in names)


@calls
@pytest.mark.parametrize("variable", VARIABLES)
async def test_from_the_environment(
    call: Call, variable: str, authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """$HTTPS_PROXY is gone through, with its password; the hosts of $NO_PROXY are gone to."""
    async with secure(authority.issue_cert(NAME, "127.0.0.1")) as service, Tunnel(guarded=True) as proxy:
        monkeypatch.setenv(variable, with_password(proxy))
        named = f"https://{NAME}:{service.port}{BASE}"
        async with Scarf(KEY, base_url=named, v2_url=named, retry=FAST, ca_file=ca_file) as scarf:
            await call(scarf)
        assert len(proxy.heads) == 1
        for number, bypass in enumerate(("127.0.0.1", f"x.example,127.0.0.1:{service.port}", "*"), 2):
            monkeypatch.setenv("NO_PROXY", bypass)
            scarf = Scarf(KEY, base_url=service.url, v2_url=service.url, retry=FAST, ca_file=ca_file)
            async with scarf:
                await call(scarf)
            assert (len(proxy.heads), len(service.tokens)) == (1, number)


async def test_an_argument_is_meant(authority: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`proxy=` goes before $HTTPS_PROXY, and $NO_PROXY does not count for it."""
    async with secure(authority.issue_cert(NAME)) as service, Tunnel() as proxy, Tunnel() as other:
        monkeypatch.setenv("HTTPS_PROXY", other.url)
        monkeypatch.setenv("NO_PROXY", "*")
        async with through(proxy, service, ca_file) as scarf:
            await get(scarf)
        assert (len(proxy.heads), other.heads) == (1, [])


async def test_http_on_this_machine_is_not_for_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To http on loopback, where a proxy would read the token, $HTTPS_PROXY is no way."""
    async with Tunnel() as proxy, Tunnel(answer=b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n") as service:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with Scarf(KEY, base_url=service.url, retry=FAST) as scarf:
            with pytest.raises(Exception, match="404 Not Found"):
                await get(scarf)
        assert (proxy.heads, len(service.heads)) == ([], 1)


@calls
async def test_a_proxy_behind_tls(call: Call, authority: trustme.CA, ca_file: str) -> None:
    """An https proxy is told its password through TLS; its certificate is checked like any other."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    async with secure(authority.issue_cert(NAME)) as service, Tunnel(guarded=True, tls=tls) as proxy:
        async with through(proxy, service, ca_file) as scarf:
            await call(scarf)
        assert (len(proxy.heads), service.tokens) == (1, [f"Bearer {KEY}"])
        error = await failure(proxy, call)
        assert "the server's certificate is invalid" in str(error)
        assert len(proxy.heads) == 1


@calls
async def test_a_proxy_that_reads_along(call: Call, authority: trustme.CA, ca_file: str) -> None:
    """One that leads elsewhere gets no token: the host at the end must show the service's own certificate."""
    stranger, wrong = trustme.CA().issue_cert(NAME), authority.issue_cert("other.example")
    async with secure(authority.issue_cert(NAME)) as service:
        for certificate in (stranger, wrong):
            async with secure(certificate) as spy, Tunnel(port=spy.port) as proxy:
                async with through(proxy, service, ca_file) as scarf:
                    with pytest.raises(ConnectFailedError, match="certificate is invalid") as caught:
                        await call(scarf)
                assert_clean(caught.value)
                assert (spy.tokens, service.tokens, len(proxy.heads)) == ([], [], 1)
                assert_unsaid(proxy.carried)


@calls
@pytest.mark.parametrize("password", [True, False])
async def test_a_password_is_missing_or_wrong(call: Call, password: bool) -> None:
    """A 407 ends the call at once, and the error says what to do."""
    answer = b'HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n'
    async with Tunnel(answer=answer) as wrong, Tunnel(guarded=True) as asking:
        proxy = wrong if password else asking
        error = await failure(proxy, call, password=password)
    assert "the proxy refused with status 407; add a user and password" in str(error)
    assert (error.attempts, len(proxy.heads)) == (1, 1)
    assert (BASIC.encode() in proxy.heads[0]) is password


@calls
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", "the proxy refused with status 502"),
        (b"HTTP/1.1 302 No\r\nLocation: https://x.invalid/\r\n\r\n", "the proxy refused with status 302"),
        (b"", "no connection"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "no connection"),
        (b"HTTP/1.1 200 OK\r\n\r\nno TLS", "no connection"),
        (b"HTTP/1.1 200", "no connection"),
    ],
    ids=["502", "redirect", "hangs up", "hangs up in the tunnel", "no TLS", "cut"],
)
async def test_a_proxy_that_fails(call: Call, answer: bytes, words: str) -> None:
    """Nothing was sent, so it is tried again, an export too; the token was not told."""
    async with Tunnel(answer=answer) as proxy:
        error = await failure(proxy, call)
    assert words in str(error)
    assert error.attempts == len(proxy.heads) == FAST.attempts
    for head in proxy.heads:
        assert_unsaid(head.replace(BASIC.encode(), b""))


@calls
@pytest.mark.parametrize(
    "answer",
    [
        f"{BASIC} is not HTTP\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nno colon: Basic {BASIC}\x1b[2J\r\nno colon {PASSWORD}\r\n\r\n",
        f"HTTP/1.1 2{BASIC} OK\r\n\r\n",
        f"HTTP/1.1 407 {BASIC}\u009b2J\r\nX-Echo: {BASIC}\r\nContent-Length: 9\r\n\r\n{PASSWORD}",
        f"HTTP/1.1 502 \u202e\r\nContent-Length: 99\r\n\r\n<h1>{BASIC}",
    ],
    ids=["no HTTP", "header", "status", "407", "body"],
)
async def test_a_proxy_that_says_what_it_was_told(call: Call, answer: str) -> None:
    """Its words are not ours: what it answers is quoted nowhere, readable or not."""
    async with Tunnel(answer=answer.encode()) as proxy:
        await failure(proxy, call)


@calls
async def test_a_proxy_that_talks_much(call: Call) -> None:
    """Its response to CONNECT may be as long as other heads: one of 60 kB is read, and one of 70 kB is not."""
    for size, words in ((60_000, "refused with status 403"), (70_000, "response to CONNECT cannot be read")):
        answer = b"HTTP/1.1 403 No\r\nX: " + b"a" * size + b"\r\n\r\n"
        async with Tunnel(answer=answer) as proxy:
            assert words in str(await failure(proxy, call))
            assert len(proxy.heads) == 1


async def test_from_a_shell(authority: trustme.CA, ca_file: str, tmp_path: Path) -> None:
    """The commands go through $HTTPS_PROXY; neither they nor what they write show the password."""
    async with secure(authority.issue_cert(NAME)) as service, Tunnel(guarded=True) as proxy:
        url = f"https://{NAME}:{service.port}{BASE}"
        env = environment(url, HTTPS_PROXY=with_password(proxy), SCARF_API_TOKEN=KEY)
        target = tmp_path / "out"
        job = ("job", "pixel_events", "--directory", str(target))
        for arguments in (("pixel-events",), job):
            done = await invoke("export", *arguments, *EXPORTED, "--ca-file", ca_file, env=env)
            assert done.status == 0, done.err
            assert_unsaid(done.out, done.err.encode())
        assert json.loads((target / "manifest.json").read_bytes())["server"] == url
        assert_unsaid(*(path.read_bytes() for path in target.rglob("*") if path.is_file()))
        unknown = await invoke("export", "pixel-events", *EXPORTED, env=env)
        async with Tunnel(answer=f"HTTP/1.1 407 {BASIC}\r\n\r\n".encode()) as strict:
            env = environment(url, HTTPS_PROXY=with_password(strict), SCARF_API_TOKEN=KEY)
            refused = await invoke("export", "pixel-events", *EXPORTED, env=env)
    for done in (unknown, refused):
        assert (done.status, done.err.count("\n")) == (1, 1), done.err
        assert_unsaid(done.out, done.err.encode())
