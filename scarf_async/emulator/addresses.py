"""The addresses that a server listens on, and the one at which a client on this machine reaches it."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

__all__ = ["host_to_call", "listened_on"]


def host_to_call(host: str) -> str:
    """Return the host of an address that a client on this machine can call, for a URL.

    A wildcard is not a host that can be called, and the client accepts http only for loopback.

    >>> [host_to_call(host) for host in ("0.0.0.0", "::", "", "::1", "127.0.0.1", "scarf.example")]
    ['127.0.0.1', '[::1]', '127.0.0.1', '[::1]', '127.0.0.1', 'scarf.example']
    """
    try:
        address = ip_address(host or "0.0.0.0")  # noqa: S104 # it is looked at, and not listened on
    except ValueError:
        return host
    six = isinstance(address, IPv6Address)
    if address.is_unspecified:
        return "[::1]" if six else "127.0.0.1"
    return f"[{host}]" if six else host


def listened_on(address: tuple[object, ...]) -> str:
    """Return the readable form of the address of a socket.

    >>> listened_on(("0.0.0.0", 8787)), listened_on(("::1", 8787, 0, 0))
    ('0.0.0.0:8787', '[::1]:8787')
    """
    host, port, *_ = address
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
