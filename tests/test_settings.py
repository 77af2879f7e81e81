"""The readers of settings: each takes a value, or says what is wrong with it without showing a secret."""

from __future__ import annotations

import base64
import copy
import pickle
import ssl
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from scarf_async.errors import ConfigurationError
from scarf_async.settings import (
    Proxy,
    Secret,
    Settings,
    is_loopback,
    read_api,
    read_base_url,
    read_bases,
    read_ca_file,
    read_owner,
    read_proxy,
    read_token,
)

SCARF = URL("https://scarf.sh/api/v1")
NOTHING: MappingProxyType[str, str] = MappingProxyType({})

# A certificate that nobody else trusts.
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBgTCCASegAwIBAgIUX6R8tNRvuTp8MNOeXc1kS5QKT4YwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKY2EuZXhhbXBsZTAgFw0yNjExMjMxNzUzMDJaGA8yMTI2MTAz
MDE3NTMwMlowFTETMBEGA1UEAwwKY2EuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABBOWSdlKoGKc27QEz3DBtnuz+GRYa8wTQ+OEnBuGMXvww7vZbqjb
BOmAMa4wp03YJDjwsLFJVcgV5Y7GfVCkugyjUzBRMB0GA1UdDgQWBBRaqfOQCCz2
oRgLOBoYSJi+kr+7qjAfBgNVHSMEGDAWgBRaqfOQCCz2oRgLOBoYSJi+kr+7qjAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIFRKnbScDsl+ILXe19Ip
13ZlN7TLnxZBRrgPoo6Vd+2TAiEAhhTmq1AdQK10rYb78YGTkS3vW71O4fhymSAj
bX/bb0s=
-----END CERTIFICATE-----
"""


def test_a_secret_shows_itself_to_nobody() -> None:
    """Neither repr, str nor formatting shows it, and it cannot be pickled or copied."""
    secret = Secret("s3cr3t")
    assert "s3cr3t" not in f"{secret!r} {secret!s} {secret} {[secret]}"
    assert not hasattr(secret, "__dict__")
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="pickled"):
            leave(secret)
    assert secret.reveal() == "s3cr3t"


def test_a_secret_redacts_itself() -> None:
    """Wherever it is in a text or in bytes, there are three stars afterwards."""
    secret = Secret("s3cr3t")
    assert secret.redact("Bearer s3cr3t, s3cr3t!") == "Bearer ***, ***!"
    assert secret.redact_bytes(b"Bearer s3cr3t") == b"Bearer ***"
    assert Secret('a"b').redact('"x a""b", a"b') == '"x ***", ***'
    assert Secret("").redact("as it was") == "as it was"
    assert Secret("").redact_bytes(b"as it was") == b"as it was"


@pytest.mark.parametrize(
    ("argument", "variable", "token"),
    [
        ("abc", None, "abc"),
        (None, "abc", "abc"),
        ("abc", "xyz", "abc"),
        (" abc\n", None, "abc"),
        (None, "\tabc\r\n", "abc"),
        ("a.b-c_d~e+f/g=!", None, "a.b-c_d~e+f/g=!"),
        ("\ufeffabc".strip("\ufeff"), None, "abc"),
    ],
)
def test_a_token(argument: str | None, variable: str | None, token: str) -> None:
    """The argument counts before the variable, and white space around it is dropped."""
    read = read_token(argument, {} if variable is None else {"SCARF_API_TOKEN": variable})
    assert isinstance(read, Secret)
    assert read.reveal() == token


@pytest.mark.parametrize(
    ("argument", "variable"), [(None, None), (None, ""), (None, " \n"), ("", "abc"), ("  ", "abc"), ("\n", None)]
)
def test_no_token(argument: str | None, variable: str | None) -> None:
    """Without a token the sentence names the variable; an empty argument is not an invitation to look further."""
    read = read_token(argument, {} if variable is None else {"SCARF_API_TOKEN": variable})
    assert isinstance(read, str)
    assert "SCARF_API_TOKEN" in read


BROKEN_TOKENS = [
    "s3cr3t s3cr3t",
    "s3cr3t\ns3cr3t",
    "s3cr3t\r\nX-Evil: s3cr3t",
    "s3cr3t\x00s3cr3t",
    "s3cr3t\x7fs3cr3t",
    "s3cr3t\ts3cr3t",
    "\ufeffs3cr3t",
    "s3cr3t\u00e9",
    "s3cr3t\u200b",
    "\u201cs3cr3t\u201d",
]


@pytest.mark.parametrize("token", BROKEN_TOKENS)
def test_a_token_that_no_header_can_carry(token: str) -> None:
    """A character inside that is not visible ASCII is refused, and the token is not shown."""
    for read in (read_token(token, NOTHING), read_token(None, {"SCARF_API_TOKEN": token})):
        assert isinstance(read, str)
        assert "s3cr3t" not in read


@given(st.text())
def test_any_token_is_fit_for_a_header_or_refused(text: str) -> None:
    """What comes back as a token is visible ASCII."""
    read = read_token(text, NOTHING)
    if isinstance(read, Secret):
        assert read.reveal() == text.strip()
        assert all("!" <= character <= "~" for character in read.reveal())


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("https://scarf.sh/api/v1", "https://scarf.sh/api/v1"),
        ("https://scarf.sh/api/v1/", "https://scarf.sh/api/v1"),
        (" https://scarf.sh/api/v1 ", "https://scarf.sh/api/v1"),
        ("https://scarf.sh", "https://scarf.sh"),
        ("https://scarf.sh:8443/v1", "https://scarf.sh:8443/v1"),
        ("http://localhost:8080/api/v1", "http://localhost:8080/api/v1"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:8080/api/v1", "http://[::1]:8080/api/v1"),
    ],
)
def test_a_base_address(value: str, url: str) -> None:
    """An https address is taken, and an http one of this machine; what follows is appended to it."""
    assert str(read_base_url("base_url", value)).rstrip("/") == url


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "absolute https"),
        ("scarf.sh", "absolute https"),
        ("//scarf.sh", "absolute https"),
        ("/api/v1", "absolute https"),
        ("ftp://scarf.sh", "absolute https"),
        ("ws://localhost", "absolute https"),
        ("https://", "absolute https"),
        ("https:///api", "absolute https"),
        ("https://scarf.sh:port", "absolute https"),
        ("https://[::1", "absolute https"),
        ("http://scarf.sh/api/v1", "must be https"),
        ("http://localhost.evil.example", "must be https"),
        ("http://127.0.0.1.evil.example", "must be https"),
        ("http://10.0.0.1", "must be https"),
        ("http://0.0.0.0", "must be https"),
        ("http://[::]", "must be https"),
        ("https://ann:s3cr3t@scarf.sh", "a user"),
        ("https://s3cr3t@scarf.sh", "a user"),
        ("http://ann:s3cr3t@localhost", "a user"),
        ("http://localhost@evil.example", "a user"),
        ("https://scarf.sh/?token=s3cr3t", "query"),
        ("https://scarf.sh/#s3cr3t", "fragment"),
    ],
)
def test_what_is_no_base_address(value: str, reason: str) -> None:
    """Any other is refused with a sentence that names the setting and shows nothing secret."""
    for name in ("base_url", "v2_url"):
        read = read_base_url(name, value)
        assert isinstance(read, str)
        assert name in read
        assert reason in read
        assert "s3cr3t" not in read


@given(st.text())
def test_any_base_address_is_usable_or_refused(text: str) -> None:
    """No text is an address without a host, or plain http to another machine."""
    read = read_base_url("base_url", text)
    if isinstance(read, URL):
        assert read.host
        assert read.scheme == "https" or is_loopback(read)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost", True),
        ("http://LOCALHOST", True),
        ("http://127.0.0.1", True),
        ("http://127.255.255.254", True),
        ("http://[::1]", True),
        ("http://localhost.example", False),
        ("http://10.0.0.1", False),
        ("http://0.0.0.0", False),
        ("http://[::2]", False),
        ("http://scarf.sh", False),
        ("/path", False),
    ],
)
def test_loopback(url: str, expected: bool) -> None:
    """A host is on this machine if its very name says so."""
    assert is_loopback(URL(url)) is expected


@pytest.mark.parametrize(
    ("argument", "environment", "url"),
    [
        ("http://proxy.example:3128", {}, "http://proxy.example:3128"),
        ("https://proxy.example", {}, "https://proxy.example"),
        ("http://proxy.example:3128/ignored", {}, "http://proxy.example:3128"),
        (None, {"HTTPS_PROXY": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        (None, {"https_proxy": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        (None, {"https_proxy": "http://low.example", "HTTPS_PROXY": "http://up.example"}, "http://low.example"),
        (None, {"HTTPS_PROXY": "proxy.example:3128"}, "http://proxy.example:3128"),
        ("http://proxy.example", {"HTTPS_PROXY": "http://other.example"}, "http://proxy.example"),
    ],
)
def test_a_proxy(argument: str | None, environment: dict[str, str], url: str) -> None:
    """The argument counts before the variable, and its address is kept without path and user."""
    read = read_proxy(argument, environment)
    assert isinstance(read, Proxy)
    assert (read.url, read.authorization) == (URL(url), None)
    assert read.from_environment is (argument is None)


@pytest.mark.parametrize(
    "environment",
    [{}, {"HTTPS_PROXY": ""}, {"HTTP_PROXY": "http://proxy.example"}, {"ALL_PROXY": "http://proxy.example"}],
)
def test_no_proxy(environment: dict[str, str]) -> None:
    """Only the variable for https counts, and an empty one is none."""
    assert read_proxy(None, environment) is None


@pytest.mark.parametrize(
    ("user", "pair"),
    [
        ("ann:s3cr3t", "ann:s3cr3t"),
        ("ann", "ann:"),
        ("ann:s3%40cr3t", "ann:s3@cr3t"),
        (":s3cr3t", ":s3cr3t"),
        ("J%C3%BCrgen:s3cr3t", "J\u00fcrgen:s3cr3t"),
    ],
)
def test_a_proxy_with_a_password(user: str, pair: str) -> None:
    """User and password go into the header, and are shown nowhere."""
    for read in (
        read_proxy(f"http://{user}@proxy.example:3128", NOTHING),
        read_proxy(None, {"HTTPS_PROXY": f"http://{user}@proxy.example:3128"}),
    ):
        assert isinstance(read, Proxy)
        assert read.authorization is not None
        assert read.authorization.reveal() == "Basic " + base64.b64encode(pair.encode()).decode()
        assert read.url == URL("http://proxy.example:3128")
        assert user not in repr(read)
        assert "cr3t" not in repr(read)


@pytest.mark.parametrize(
    "value",
    [
        "socks5://ann:s3cr3t@proxy.example",
        "ftp://ann:s3cr3t@proxy.example",
        "http://ann:s3cr3t@proxy.example:port",
        "http://ann:s3cr3t@",
        "http://",
        "ann:s3cr3t@proxy.example",
    ],
)
def test_what_is_no_proxy(value: str) -> None:
    """The sentence names the setting, and shows neither the address nor a password."""
    argument = read_proxy(value, NOTHING)
    assert isinstance(argument, str)
    assert argument.startswith("proxy must")
    assert "s3cr3t" not in argument
    variable = read_proxy(None, {"HTTPS_PROXY": value})
    if value != "ann:s3cr3t@proxy.example":  # from the environment this is a usable address
        assert isinstance(variable, str)
        assert variable.startswith("HTTPS_PROXY must")
        assert "s3cr3t" not in variable


@pytest.mark.parametrize(
    ("bypass", "target", "served"),
    [
        ("", "https://scarf.sh/api/v1", True),
        ("other.example", "https://scarf.sh/api/v1", True),
        ("scarf.sh", "https://scarf.sh/api/v1", False),
        ("scarf.sh", "https://api.scarf.sh/v2", False),
        (".scarf.sh", "https://api.scarf.sh/v2", False),
        ("api.scarf.sh", "https://scarf.sh/api/v1", True),
        ("scarf.sh:443", "https://scarf.sh/api/v1", False),
        ("scarf.sh:8443", "https://scarf.sh/api/v1", True),
        ("SCARF.SH", "https://scarf.sh/api/v1", False),
        ("other.example, scarf.sh", "https://scarf.sh/api/v1", False),
        ("arf.sh", "https://scarf.sh/api/v1", True),
        ("*", "https://scarf.sh/api/v1", False),
        ("", "http://127.0.0.1:8080/api/v1", False),
    ],
)
def test_who_goes_around_the_proxy(bypass: str, target: str, served: bool) -> None:
    """A proxy of the environment serves https, but for the hosts of $NO_PROXY; one of an argument serves all."""
    for name in ("NO_PROXY", "no_proxy"):
        proxy = read_proxy(None, {"HTTPS_PROXY": "http://proxy.example", name: bypass})
        assert isinstance(proxy, Proxy)
        assert proxy.serves(URL(target)) is served
    given_proxy = read_proxy("http://proxy.example", {"NO_PROXY": bypass})
    assert isinstance(given_proxy, Proxy)
    assert given_proxy.serves(URL(target))


def test_a_ca_file_is_added_to_what_the_system_trusts(tmp_path: Path) -> None:
    """The context trusts the file's certificate beside the system's, and still checks hosts."""
    path = tmp_path / "ca.pem"
    path.write_text(CERTIFICATE)
    system = ssl.create_default_context().get_ca_certs(binary_form=True)
    for given_path in (path, str(path)):
        context = read_ca_file(given_path)
        assert context is not None
        trusted = context.get_ca_certs(binary_form=True)
        assert set(trusted) == {*system, ssl.PEM_cert_to_DER_cert(CERTIFICATE)}
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_no_ca_file() -> None:
    """Without one, aiohttp's own context is used."""
    assert read_ca_file(None) is None


def test_what_is_no_ca_file(tmp_path: Path) -> None:
    """A file that is missing, or holds no certificate, is refused by name."""
    (tmp_path / "text.pem").write_text("no certificate")
    for path in (tmp_path / "missing.pem", tmp_path, tmp_path / "text.pem"):
        with pytest.raises(ConfigurationError, match="ca_file") as caught:
            read_ca_file(path)
        assert str(path) in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize("path", [7, ["ca.pem"], "ca\x00.pem"])
def test_what_is_no_path(path: object) -> None:
    """A value that can name no file is refused like one that names none."""
    with pytest.raises(ConfigurationError, match="ca_file"):
        read_ca_file(path)  # type: ignore[arg-type] # what the types forbid


GOOD = Settings(
    token=Secret("s3cr3t"),
    bases={"v1": SCARF, "v2": SCARF},
    connect_timeout=10.0,
    export_timeout=300.0,
    max_connections=100,
    rate_limit=None,
    max_response_bytes=1,
    max_record_bytes=1,
    proxy=Proxy(URL("http://proxy.example"), Secret("Basic s3cr3t")),
    tls=None,
)


def evolve(**fields: object) -> Settings:
    """Make settings that differ from good ones in some fields."""
    make: Callable[..., Settings] = attrs.evolve
    return make(GOOD, **fields)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            (field, value)
            for field in ("connect_timeout", "export_timeout", "rate_limit")
            for value in (0, 0.0, -1, float("inf"), float("nan"), "1", True)
        ),
        ("connect_timeout", None),
        ("export_timeout", None),
        *(
            (field, value)
            for field in ("max_connections", "max_response_bytes", "max_record_bytes")
            for value in (0, -1, 1.0, "1", None, True)
        ),
    ],
)
def test_numbers_out_of_range(field: str, value: object) -> None:
    """The error names the setting."""
    with pytest.raises(ConfigurationError, match=field):
        evolve(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("connect_timeout", 1),
        ("export_timeout", 0.001),
        ("rate_limit", None),
        ("rate_limit", 5),
        ("max_connections", 1),
    ],
)
def test_numbers_in_range(field: str, value: object) -> None:
    """Whole numbers are numbers of seconds too, and no rate means no limit."""
    assert getattr(evolve(**{field: value}), field) == value


def test_settings_show_no_secret() -> None:
    """Their repr has neither the token nor the proxy's password."""
    assert "s3cr3t" not in repr(GOOD)


# Versions, owners and addresses.

SCARFS = {
    "v1": URL("https://scarf.sh/api/v1"),
    "v2": URL("https://api.scarf.sh/v2"),
    "v3": URL("https://api.scarf.sh/v3"),
}
LOCAL = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("given", "variables", "bases"),
    [
        ({}, {}, {name: str(url) for name, url in SCARFS.items()}),
        ({"base_url": f"{LOCAL}/api/v1"}, {}, {"v1": f"{LOCAL}/api/v1"}),
        ({"v2_url": f"{LOCAL}/v2/"}, {}, {"v2": f"{LOCAL}/v2", "v3": f"{LOCAL}/v3"}),
        ({"v2_url": f"{LOCAL}/scarf"}, {}, {"v2": f"{LOCAL}/scarf"}),
        ({"v3_url": f"{LOCAL}/v3"}, {}, {"v3": f"{LOCAL}/v3"}),
        (
            {"v2_url": f"{LOCAL}/v2"},
            {"SCARF_V3_URL": "https://three.example", "SCARF_V2_URL": "https://two.example"},
            {"v2": f"{LOCAL}/v2", "v3": "https://three.example"},
        ),
        (
            {},
            {"SCARF_V2_URL": "https://two.example/v2"},
            {"v2": "https://two.example/v2", "v3": "https://two.example/v3"},
        ),
        ({}, {"SCARF_V2_URL": ""}, {name: str(url) for name, url in SCARFS.items()}),
    ],
)
def test_addresses_of_versions(given: dict[str, str], variables: dict[str, str], bases: dict[str, str]) -> None:
    """Scarf's own serve where none is given; else only those given, and v3's where v2's ends in `v2`."""
    arguments = {"base_url": None, "v2_url": None, "v3_url": None, **given}
    read = read_bases(**arguments, environment=variables)
    assert isinstance(read, dict)
    assert {name: str(url).rstrip("/") for name, url in read.items()} == bases


def test_the_version() -> None:
    """The argument counts before the variable; v1 where neither says anything."""
    assert read_api(None, {}) == "v1"
    assert read_api(None, {"SCARF_API_VERSION": " v2\n"}) == "v2"
    assert read_api("v1", {"SCARF_API_VERSION": "v2"}) == "v1"
    for value in ("", "v3", "V2", 2, ["v2"]):
        with pytest.raises(ConfigurationError, match="'v1' or 'v2'"):
            read_api(value, {})
    with pytest.raises(ConfigurationError, match="SCARF_API_VERSION"):
        read_api(None, {"SCARF_API_VERSION": "two"})


def test_the_owner() -> None:
    """The argument, else the variable, else the one of Scarf's own exporter."""
    variables = {"SCARF_OWNER": "acme", "SCARF_ENTITY_NAME": "other"}
    assert read_owner(None, {}) is None
    assert read_owner("third", variables) == "third"
    assert read_owner(None, variables) == "acme"
    assert read_owner(None, {**variables, "SCARF_OWNER": ""}) == "other"
    for value in ("", " ", "..", "a\nb", 7):
        with pytest.raises(ConfigurationError, match="owner"):
            read_owner(value, {})
