"""The client's settings: read from arguments and environment, and checked before anything is sent."""

from __future__ import annotations

import base64
import html
import ipaddress
import os
import re
import ssl
from collections.abc import Mapping
from functools import partial
from typing import Final, NoReturn, get_args
from urllib.parse import unquote
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # typeshed lacks it

import attrs
import msgspec
from yarl import URL

from scarf_async.checks import positive, validator, whole
from scarf_async.entities import ApiVersion
from scarf_async.errors import ConfigurationError

__all__ = [
    "ADDRESSES",
    "TOKEN_VARIABLE",
    "Proxy",
    "Secret",
    "Settings",
    "is_loopback",
    "no_address",
    "read_api",
    "read_base_url",
    "read_bases",
    "read_ca_file",
    "read_owner",
    "read_proxy",
    "read_token",
]

BASE_URL: Final = "https://scarf.sh/api/v1"
V2_URL: Final = "https://api.scarf.sh/v2"
V3_URL: Final = "https://api.scarf.sh/v3"
ADDRESSES: Final = {"v1": "base_url", "v2": "v2_url", "v3": "v3_url"}
"""The names of the URL arguments by version; environment variables have the prefix `SCARF_`."""
TOKEN_VARIABLE: Final = "SCARF_API_TOKEN"  # noqa: S105 # the name of a variable
_REDACTED: Final = "***"
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")


def _spellings(character: str) -> str:
    """Return a pattern for a character and its escapes in JSON, HTML, CSV, URLs and Python reprs."""
    if character.isalnum():
        return character
    number = ord(character)
    forms = [character, f"\\{character}", f"\\u{number:04x}", f"%{number:02x}", f"&#{number};", f"&#x{number:x};"]
    if character == '"':
        # CSV doubles quotes; this form must precede the single quote, which is its prefix.
        forms.insert(0, '""')
    return f"(?i:{'|'.join(map(re.escape, [*forms, html.escape(character)]))})"


class Secret:
    """A string that never appears in reprs; only `reveal` returns it."""

    __slots__ = ("_pattern", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._pattern: re.Pattern[str] | None = None

    def __repr__(self) -> str:
        return f"Secret({_REDACTED!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")

    def reveal(self) -> str:
        """Return the value. Never keep it in a variable: tracebacks may show local variables."""
        return self._value

    def redact(self, text: str) -> str:
        """Replace the value everywhere in a text, in any of its escaped forms."""
        if self._pattern is None:
            self._pattern = re.compile("".join(map(_spellings, self._value)))
        return self._pattern.sub(_REDACTED, text) if self._value else text

    def redact_bytes(self, data: bytes) -> bytes:
        """Replace the value everywhere in bytes."""
        return self.redact(data.decode("latin-1")).encode("latin-1")


class Proxy(msgspec.Struct, frozen=True):
    """The proxy that requests go through.

    Attributes:
        url: scheme, host and port, without the user.
        authorization: the value of the `Proxy-Authorization` header.
        from_environment: whether it comes from the environment; then it serves only https, and not hosts in
            `bypass`.
        bypass: the value of `$NO_PROXY`.
    """

    url: URL
    authorization: Secret | None = None
    from_environment: bool = False
    bypass: str = ""

    def serves(self, target: URL) -> bool:
        """Return whether requests to a URL go through this proxy."""
        if not self.from_environment:
            return True
        host = f"{target.host}:{target.port}"
        return target.scheme == "https" and not proxy_bypass_environment(host, {"no": self.bypass})


_positive: Final = validator(positive)
_positive_or_none: Final = attrs.validators.optional(
    validator(partial(positive, wanted="a positive number or None"))
)
_whole: Final = validator(whole)


@attrs.frozen(kw_only=True)
class Settings:
    """The settings that all views of a client share. Times are in seconds, sizes in bytes.

    Attributes:
        bases: the URLs of the versions that can be called, by version.
        api: the version that the client calls.

    Raises:
        ConfigurationError: a number is out of range.
    """

    token: Secret
    bases: Mapping[str, URL]
    api: ApiVersion = "v1"
    connect_timeout: float = attrs.field(validator=_positive)
    export_timeout: float = attrs.field(validator=_positive)
    max_connections: int = attrs.field(validator=_whole)
    rate_limit: float | None = attrs.field(validator=_positive_or_none)
    max_response_bytes: int = attrs.field(validator=_whole)
    max_record_bytes: int = attrs.field(validator=_whole)
    proxy: Proxy | None
    tls: ssl.SSLContext | None
    # `str(url)` would take as long as everything else in building a request URL.
    _roots: Mapping[str, str] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_roots", {name: str(base) for name, base in self.bases.items()})

    @property
    def shown(self) -> str:
        """The text that identifies the client: its version and its URL, or the URL of another version."""
        root = self._roots.get(self.api) or next(iter(self._roots.values()))
        return f"{self.api} {root}"

    def root(self, base: str) -> str:
        """Return the base URL of a version.

        Raises:
            ConfigurationError: the client only has the URL of another version.
        """
        root = self._roots.get(base)
        if root is not None:
            return root
        raise ConfigurationError(no_address(base, next(iter(self._roots))))

    def shares_server(self, other: Settings) -> bool:
        """Return whether two clients call the same server.

        Clients of different versions do if they have a URL in common, or URLs with the same origin.
        """
        if self.api == other.api:
            return self.root(self.api) == other.root(self.api)
        ours, theirs = self._roots, other._roots
        if any(ours[name] == theirs[name] for name in ours.keys() & theirs.keys()):
            return True
        origins, others = ({base.origin() for base in one.bases.values()} for one in (self, other))
        return not origins.isdisjoint(others)

    def address(self, base: str, target: str) -> URL:
        """Return the URL of an encoded path, exactly as it is sent.

        Raises:
            ConfigurationError: the client only has the URL of another version.
        """
        return URL(self.root(base) + target, encoded=True)


def is_loopback(url: URL) -> bool:
    """Return whether the host of a URL is localhost or a loopback IP address, without resolving it."""
    host = url.host or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# Functions that read possible secrets return the problem as a string instead of raising an error: the traceback of
# an exception could show the value in their frames.


def read_token(argument: str | None, environment: Mapping[str, str] = os.environ) -> Secret | str:
    """Read the token from the argument, else from `$SCARF_API_TOKEN`; return a problem as a string."""
    value = environment.get(TOKEN_VARIABLE) if argument is None else argument
    if value is not None and not isinstance(value, str):
        return f"the token must be a string; got {type(value).__name__}"
    if not value or not value.strip():
        return f"no token: pass Scarf(token=...) or set the environment variable {TOKEN_VARIABLE}"
    if not _VISIBLE_ASCII.fullmatch(value.strip()):
        return (
            "the token contains a space, a line break or another character that is invalid in a header;"
            " check where it was read from (its value is not shown here)"
        )
    return Secret(value.strip())


def read_base_url(name: str, value: str) -> URL | str:
    """Read a base URL; return a problem as a string."""
    try:
        url = URL(value.strip().rstrip("/"))
        usable = url.scheme in {"http", "https"} and bool(url.host)
    except (ValueError, TypeError, AttributeError):
        usable = False
    if not usable:
        return f"{name} must be an absolute https URL"
    if "@" in url.raw_authority or url.raw_query_string or url.raw_fragment:
        return f"{name} must not have a user, query or fragment"
    if url.scheme == "http" and not is_loopback(url):
        return (
            f"{name} must be https: over http to {url.host} others could read the token; http is only for"
            " 127.0.0.1, [::1] and localhost"
        )
    return url


def read_bases(
    base_url: str | None,
    v2_url: str | None,
    v3_url: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, URL] | str:
    """Read the URL of each version from its argument, else from its environment variable.

    If none is given, return Scarf's own URLs. If some are given, leave the others out, but derive the v3 URL from a
    v2 URL. Return a problem as a string.
    """
    given = {"v1": base_url, "v2": v2_url, "v3": v3_url}
    bases: dict[str, URL] = {}
    for version, name in ADDRESSES.items():
        called, value = name, given[version]
        if value is None:
            called = f"SCARF_{name.upper()}"
            value = environment.get(called) or None
        if value is not None:
            url = read_base_url(called, value)
            if isinstance(url, str):
                return url
            bases[version] = url
    if "v2" in bases and "v3" not in bases and bases["v2"].name == "v2":
        bases["v3"] = bases["v2"].with_name("v3")
    return bases or {"v1": URL(BASE_URL), "v2": URL(V2_URL), "v3": URL(V3_URL)}


def read_api(argument: object, environment: Mapping[str, str] = os.environ) -> ApiVersion:
    """Read the version from the argument, else from `$SCARF_API_VERSION`, else v1.

    Raises:
        ConfigurationError: there is no such version.
    """
    name, value = "api", argument
    if value is None:
        name, value = "SCARF_API_VERSION", environment.get("SCARF_API_VERSION", "").strip() or "v1"
    for version in get_args(ApiVersion):
        if value == version:
            known: ApiVersion = version
            return known
    raise ConfigurationError(f"{name} must be 'v1' or 'v2'; got {value!r}")


def read_owner(argument: object, environment: Mapping[str, str] = os.environ) -> str | None:
    """Read the owner from the argument, else from `$SCARF_OWNER`, else from `$SCARF_ENTITY_NAME`.

    Raises:
        ConfigurationError: it cannot be the name of an account.
    """
    name, value = "owner", argument
    if value is None:
        for name in ("SCARF_OWNER", "SCARF_ENTITY_NAME"):
            value = environment.get(name, "").strip() or None
            if value is not None:
                break
    if value is None or (isinstance(value, str) and value.strip() not in {"", ".", ".."} and value.isprintable()):
        return value
    raise ConfigurationError(f"{name} must be the name of an account; got {value!r}")


def no_address(version: str, given: str) -> str:
    """Return the message for a version without a URL, when only another version has one."""
    name = ADDRESSES[version]
    return (
        f"nothing was sent: only the URL of {given} is set, not that of {version}, and Scarf's own URL is not used"
        f" instead; pass {name}=, or set $SCARF_{name.upper()}"
    )


def read_proxy(argument: str | None, environment: Mapping[str, str] = os.environ) -> Proxy | str | None:
    """Read the proxy from the argument, else from `$HTTPS_PROXY`; return a problem as a string."""
    name, value = "proxy", argument
    if value is None:
        name, value = "HTTPS_PROXY", environment.get("https_proxy") or environment.get("HTTPS_PROXY")
    if not value and argument is None:
        return None
    try:
        # Like curl, accept `host:port` from the environment.
        url = URL(str(value) if argument is not None or "://" in str(value) else f"http://{value}")
        usable = url.scheme in {"http", "https"} and bool(url.host)
        authorization = None
        if url.raw_user is not None or url.raw_password is not None:
            pair = f"{unquote(url.raw_user or '')}:{unquote(url.raw_password or '')}"
            authorization = Secret("Basic " + base64.b64encode(pair.encode()).decode())
    except (ValueError, TypeError):
        usable = False
    if not usable:
        return f"{name} must be an http or https URL with a host (its value is not shown here)"
    bypass = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    return Proxy(url.origin(), authorization, from_environment=argument is None, bypass=bypass)


def read_ca_file(path: str | os.PathLike[str] | None) -> ssl.SSLContext | None:
    """Build a TLS context that trusts the system's certificates and those of a PEM file.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    if path is None:
        return None
    context = ssl.create_default_context()
    try:
        context.load_verify_locations(cafile=os.fspath(path))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"ca_file {str(path)!r} cannot be read: {error}") from None
    return context
