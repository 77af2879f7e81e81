"""The client's settings, read from arguments and environment and checked before anything is sent."""

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
"""What the addresses of the versions are called as arguments; with `SCARF_` in front as variables."""
TOKEN_VARIABLE: Final = "SCARF_API_TOKEN"  # noqa: S105 # the name of a variable
_REDACTED: Final = "***"
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")


def _spellings(character: str) -> str:
    """Return a pattern for a character as JSON, HTML, CSV, addresses and the repr of Python spell it."""
    if character.isalnum():
        return character
    number = ord(character)
    forms = [character, f"\\{character}", f"\\u{number:04x}", f"%{number:02x}", f"&#{number};", f"&#x{number:x};"]
    if character == '"':
        # As CSV has it, and before the single one, with which it begins.
        forms.insert(0, '""')
    return f"(?i:{'|'.join(map(re.escape, [*forms, html.escape(character)]))})"


class Secret:
    """A string that shows itself only to who asks for it by name."""

    __slots__ = ("_pattern", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._pattern: re.Pattern[str] | None = None

    def __repr__(self) -> str:
        return f"Secret({_REDACTED!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")

    def reveal(self) -> str:
        """Return the value; never keep it in a variable, which tracebacks would show."""
        return self._value

    def redact(self, text: str) -> str:
        """Replace the value wherever it is in a text, however that spells it."""
        if self._pattern is None:
            self._pattern = re.compile("".join(map(_spellings, self._value)))
        return self._pattern.sub(_REDACTED, text) if self._value else text

    def redact_bytes(self, data: bytes) -> bytes:
        """Replace the value wherever it is in bytes."""
        return self.redact(data.decode("latin-1")).encode("latin-1")


@attrs.frozen
class Proxy:
    """Where requests go through; `url` without its user, which is in `authorization`.

    Attributes:
        url: scheme, host and port.
        authorization: the value of the header `Proxy-Authorization`.
        from_environment: it serves https alone then, and not what `$NO_PROXY` names.
    """

    url: URL
    authorization: Secret | None = None
    from_environment: bool = False
    bypass: str = ""

    def serves(self, target: URL) -> bool:
        """Tell whether requests to an address go through this proxy."""
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
    """What all views of a client share. Times are seconds, sizes bytes.

    Attributes:
        bases: the addresses of the versions that can be called, by their names.
        api: the version that the calls of the client speak.

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
    # `str` of an address takes as long as all else of making a request's.
    _roots: Mapping[str, str] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_roots", {name: str(base) for name, base in self.bases.items()})

    @property
    def shown(self) -> str:
        """What identifies the client: its version, and the address of that, or another if that is all it has."""
        root = self._roots.get(self.api) or next(iter(self._roots.values()))
        return f"{self.api} {root}"

    def root(self, base: str) -> str:
        """Return the base address of a version.

        Raises:
            ConfigurationError: the client was given another version's address only.
        """
        root = self._roots.get(base)
        if root is not None:
            return root
        raise ConfigurationError(no_address(base, next(iter(self._roots))))

    def shares_server(self, other: Settings) -> bool:
        """Tell whether two clients call the same server.

        Two versions of one are told by an address that both clients have, or by the origin of their addresses.
        """
        if self.api == other.api:
            return self.root(self.api) == other.root(self.api)
        ours, theirs = self._roots, other._roots
        if any(ours[name] == theirs[name] for name in ours.keys() & theirs.keys()):
            return True
        origins, others = ({base.origin() for base in one.bases.values()} for one in (self, other))
        return not origins.isdisjoint(others)

    def address(self, base: str, target: str) -> URL:
        """Return the address of an encoded path, just as it is sent.

        Raises:
            ConfigurationError: the client was given another version's address only.
        """
        return URL(self.root(base) + target, encoded=True)


def is_loopback(url: URL) -> bool:
    """Tell whether an address is on this machine by its very name."""
    host = url.host or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# The readers of what may hold a secret return what is wrong as a sentence instead of raising it: an exception's
# traceback would show their frames, and in them the value.


def read_token(argument: str | None, environment: Mapping[str, str] = os.environ) -> Secret | str:
    """Read the token from the argument, else from `$SCARF_API_TOKEN`; return what is wrong as a sentence."""
    value = environment.get(TOKEN_VARIABLE) if argument is None else argument
    if value is not None and not isinstance(value, str):
        return f"the token must be a string; got {type(value).__name__}"
    if not value or not value.strip():
        return f"no token: pass Scarf(token=...) or set the environment variable {TOKEN_VARIABLE}"
    if not _VISIBLE_ASCII.fullmatch(value.strip()):
        return (
            "the token holds a space, a line break or another character that no header can carry;"
            " check where it was read from (its value is not shown here)"
        )
    return Secret(value.strip())


def read_base_url(name: str, value: str) -> URL | str:
    """Read a base address; return what is wrong as a sentence."""
    try:
        url = URL(value.strip().rstrip("/"))
        usable = url.scheme in {"http", "https"} and bool(url.host)
    except (ValueError, TypeError, AttributeError):
        usable = False
    if not usable:
        return f"{name} must be an absolute https address"
    if "@" in url.raw_authority or url.raw_query_string or url.raw_fragment:
        return f"{name} must carry no user, query or fragment"
    if url.scheme == "http" and not is_loopback(url):
        return (
            f"{name} must be https: over http to {url.host} the token could be read on the way; http is only for"
            " 127.0.0.1, [::1] and localhost"
        )
    return url


def read_bases(
    base_url: str | None,
    v2_url: str | None,
    v3_url: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> dict[str, URL] | str:
    """Read the addresses of the versions, each from its argument, else from its variable.

    Where none is given they are Scarf's own; where one is, the others are left out, but v3's may follow from v2's.
    Returns what is wrong as a sentence.
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
        ConfigurationError: it cannot be an account's name.
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
    """Say that a version cannot be called, since only the address of another was given."""
    name = ADDRESSES[version]
    return (
        f"nothing was sent: an address of {given} was given and none of {version}, and Scarf's own is not used"
        f" instead; give it as {name}, or set $SCARF_{name.upper()}"
    )


def read_proxy(argument: str | None, environment: Mapping[str, str] = os.environ) -> Proxy | str | None:
    """Read the proxy from the argument, else from `$HTTPS_PROXY`; return what is wrong as a sentence."""
    name, value = "proxy", argument
    if value is None:
        name, value = "HTTPS_PROXY", environment.get("https_proxy") or environment.get("HTTPS_PROXY")
    if not value and argument is None:
        return None
    try:
        # curl and its kind take `host:port` from the environment.
        url = URL(str(value) if argument is not None or "://" in str(value) else f"http://{value}")
        usable = url.scheme in {"http", "https"} and bool(url.host)
        authorization = None
        if url.raw_user is not None or url.raw_password is not None:
            pair = f"{unquote(url.raw_user or '')}:{unquote(url.raw_password or '')}"
            authorization = Secret("Basic " + base64.b64encode(pair.encode()).decode())
    except (ValueError, TypeError):
        usable = False
    if not usable:
        return f"{name} must be an http or https address with a host (its value is not shown here)"
    bypass = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    return Proxy(url.origin(), authorization, from_environment=argument is None, bypass=bypass)


def read_ca_file(path: str | os.PathLike[str] | None) -> ssl.SSLContext | None:
    """Build a TLS context that trusts what the system trusts and the certificates of a file (PEM).

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
