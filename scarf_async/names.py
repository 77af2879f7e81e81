"""How names are compared: each function returns what all spellings of one name have in common. Pure.

Nothing but the host of a public address is sent in this form: what is sent stays as it was spelled. A difference
that might tell two things apart is kept, since an unneeded change does less harm than taking two things for one.
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
    """Return a text without its letter case, in one normal form (Unicode's canonical caseless matching)."""
    if text.isascii():
        return text.lower()
    return normalize("NFC", normalize("NFD", text).casefold())


def user_key(user: str) -> str:
    """Return the key of a username or e-mail address: letter case, normal form and blanks around it do not count.

    Compatibility forms do: letters that merely look alike may be another person's.

    >>> user_key(" Ann ") == user_key("ann")
    True
    >>> user_key("Jose\u0301") == user_key("jos\u00e9"), user_key("\uff21nn") == user_key("Ann")
    (True, False)
    """
    local, at, domain = user.strip().rpartition("@")
    return f"{_fold(local)}@{domain_key(domain)}" if at else _fold(domain)


# A run asks for the key of the same few names with each operation.
@lru_cache(maxsize=1024)
def organization_key(name: str) -> str:
    """Return the key of an organization's or owner's name: letter case, normal form and blanks do not count."""
    return _fold(name.strip())


def domain_key(name: str) -> str:
    """Return the key of a domain, as DNS has it: in small ASCII letters, without the dot that may end it.

    >>> domain_key("M\u00fcnchen.Example."), domain_key("xn--mnchen-3ya.example")
    ('xn--mnchen-3ya.example', 'xn--mnchen-3ya.example')
    """
    return _host(name.strip()).removesuffix(".")


def _host(name: str) -> str:
    if name.isascii():
        return name.lower()
    # DNS holds ASCII alone, so compatibility forms cannot be names of their own there.
    folded = normalize("NFKC", _fold(normalize("NFKC", name))).replace("\u3002", ".")
    return ".".join(map(_ascii_label, folded.split(".")))


def _ascii_label(label: str) -> str:
    return label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}"


def plain_name(name: str, owner: str | None) -> str:
    """Return a package's name without its owner: docker names come with and without it in front.

    >>> plain_name("acme/web", "acme"), plain_name("other/web", "acme")
    ('web', 'other/web')
    """
    head, slash, rest = name.partition("/")
    return rest if owner and slash and organization_key(head) == organization_key(owner) else name


def package_key(name: str, owner: str | None) -> str:
    """Return the key of a package's name: `owner/`, normal form and blanks around it do not count; case does."""
    return normalize("NFC", plain_name(name.strip(), owner))


def url_key(url: str) -> str:
    """Return the key of an address: the case of scheme and host, the default port and an empty path do not count.

    Everything after the host is taken to the letter: a slash at the end of a path may lead elsewhere.

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
    # In a route's address the host may hold variables, whose names have a case.
    if not parts.hostname or "{" in parts.netloc:
        return url
    user = parts.netloc.rpartition("@")[0]
    rest = url.partition("//")[2].removeprefix(parts.netloc)
    slash = "" if rest.startswith("/") else "/"
    return f"{parts.scheme}://{user}@[{_host(parts.hostname)}]:{port}{slash}{rest}"


def public_host(url: object) -> str | None:
    """Return the domain that a public address asks for, by its key; None: there is none, or it cannot be sent.

    >>> public_host("https://IMG.acme.example/acme/web"), public_host("")
    ('img.acme.example', None)
    """
    try:
        host = urlsplit(url).hostname if isinstance(url, str) else None
    except ValueError:
        return None
    return None if host is None else domain_key(host)


def route_key(template_path: str, outgoing_url: object) -> tuple[str, str]:
    """Return the key of a route; the path that is asked for counts to the letter.

    >>> route_key("/dl", None) == route_key("/dl ", "")
    True
    """
    return template_path.strip(), url_key(outgoing_url) if isinstance(outgoing_url, str) else ""


def text_key(text: str) -> str:
    """Return the key of a description: blanks around it, the kind of its line ends and normal form do not count."""
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
    """Return the key of what a field holds; of a field that is none of the above, its value to the letter."""
    key = _KEYS.get(field)
    return value if key is None else key(value)


def is_scarfs_domain(name: str) -> bool:
    """Tell whether a domain is one of Scarf's own, as packages have them from the start.

    >>> is_scarfs_domain("acme.docker.scarf.sh"), is_scarfs_domain("dl.acme.example")
    (True, False)
    """
    return domain_key(name).endswith(".scarf.sh")
