"""Comparison of names: each function returns a key that all spellings of one name share.

Except for the host of a public URL, keys are never sent: names are sent as they are spelled. If in doubt, two
spellings have different keys, since an unneeded change does less harm than confusing two things.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final
from unicodedata import normalize
from urllib.parse import urlsplit

__all__ = [
    "domain_key",
    "field_key",
    "is_scarfs_domain",
    "organization_key",
    "package_key",
    "plain_name",
    "public_host",
    "route_key",
    "text_key",
    "url_key",
    "user_key",
]

_PORTS: Final = {"http": 80, "https": 443}


def _fold(text: str) -> str:
    """Return a case-folded, normalized text (Unicode's canonical caseless matching)."""
    if text.isascii():
        return text.lower()
    return normalize("NFC", normalize("NFD", text).casefold())


# Plans name the same users on many packages.
@lru_cache(maxsize=1024)
def user_key(user: str) -> str:
    """Return the key of a username or e-mail address. Case, normal form and surrounding blanks do not count.

    Compatibility forms do count: similar-looking letters may belong to another person.

    >>> user_key(" Ann ") == user_key("ann")
    True
    >>> user_key("Jose\u0301") == user_key("jos\u00e9"), user_key("\uff21nn") == user_key("Ann")
    (True, False)
    """
    local, at, domain = user.strip().rpartition("@")
    return f"{_fold(local)}@{domain_key(domain)}" if at else _fold(domain)


# A run needs the keys of the same few names for each operation.
@lru_cache(maxsize=1024)
def organization_key(name: str) -> str:
    """Return the key of an organization's or owner's name. Case, normal form and blanks do not count."""
    return _fold(name.strip())


def domain_key(name: str) -> str:
    """Return the key of a domain as in DNS: in lowercase ASCII, without a trailing dot.

    >>> domain_key("M\u00fcnchen.Example."), domain_key("xn--mnchen-3ya.example")
    ('xn--mnchen-3ya.example', 'xn--mnchen-3ya.example')
    """
    return _host(name.strip()).removesuffix(".")


def _host(name: str) -> str:
    if name.isascii():
        return name.lower()
    # DNS names are ASCII, so compatibility forms cannot be different names.
    folded = normalize("NFKC", _fold(normalize("NFKC", name))).replace("\u3002", ".")
    return ".".join(map(_ascii_label, folded.split(".")))


def _ascii_label(label: str) -> str:
    return label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}"


def plain_name(name: str, owner: str | None) -> str:
    """Return a package's name without its owner: docker names may start with it.

    >>> plain_name("acme/web", "acme"), plain_name("other/web", "acme")
    ('web', 'other/web')
    """
    head, slash, rest = name.partition("/")
    return rest if owner and slash and organization_key(head) == organization_key(owner) else name


def package_key(name: str, owner: str | None) -> str:
    """Return the key of a package's name. `owner/`, normal form and blanks do not count; case does."""
    return normalize("NFC", plain_name(name.strip(), owner))


def url_key(url: str) -> str:
    """Return the key of a URL. The case of scheme and host, the default port and an empty path do not count.

    Everything after the host counts exactly: a trailing slash may lead to a different resource.

    >>> url_key("HTTPS://Acme.example:443") == url_key("https://acme.example/")
    True
    >>> url_key("https://acme.example/a") == url_key("https://acme.example/a/")
    False
    """
    url = url.strip()
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS[parts.scheme]
    except (KeyError, ValueError):
        return url
    # In the URL of a route, the host may contain variables, whose names are case-sensitive.
    if not parts.hostname or "{" in parts.netloc:
        return url
    user = parts.netloc.rpartition("@")[0]
    rest = url.partition("//")[2].removeprefix(parts.netloc)
    slash = "" if rest.startswith("/") else "/"
    return f"{parts.scheme}://{user}@[{_host(parts.hostname)}]:{port}{slash}{rest}"


def public_host(url: object) -> str | None:
    """Return the key of the domain in a public URL; None if it has none, or cannot be sent.

    >>> public_host("https://IMG.acme.example/acme/web"), public_host("")
    ('img.acme.example', None)
    """
    try:
        host = urlsplit(url).hostname if isinstance(url, str) else None
    except ValueError:
        return None
    return None if host is None else domain_key(host)


def route_key(template_path: str, outgoing_url: object) -> tuple[str, str]:
    """Return the key of a route; its path counts exactly.

    >>> route_key("/dl", None) == route_key("/dl ", "")
    True
    """
    return template_path.strip(), url_key(outgoing_url) if isinstance(outgoing_url, str) else ""


def text_key(text: str) -> str:
    """Return the key of a description. Surrounding blanks, line endings and normal form do not count."""
    return normalize("NFC", text.strip().replace("\r\n", "\n").replace("\r", "\n"))


_KEYS: Final[Mapping[str, Callable[[str], str]]] = {
    "description": text_key,
    "short_description": text_key,
    "long_description": text_key,
    "website": url_key,
    "billing_email": user_key,
    "outgoing_url": url_key,
    "template_path": str.strip,
    "repository_url": url_key,
    "backend_url": url_key,
}


def field_key(field: str, value: str) -> str:
    """Return the key of a field's value; for other fields than those above, the exact value."""
    key = _KEYS.get(field)
    return value if key is None else key(value)


def is_scarfs_domain(name: str) -> bool:
    """Return whether a domain is one of Scarf's own, which packages have from the start.

    >>> is_scarfs_domain("acme.docker.scarf.sh"), is_scarfs_domain("dl.acme.example")
    (True, False)
    """
    return domain_key(name).endswith(".scarf.sh")
