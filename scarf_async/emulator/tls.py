"""TLS with the emulator's own certificate authority."""

from __future__ import annotations

import errno
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import attrs

__all__ = ["Certified", "certify", "write_certificate"]

_NAMES: Final = ("localhost", "127.0.0.1", "::1", "scarf.sh", "api.scarf.sh")
# macOS trusts no certificate that is valid for longer than 825 days.
_VALID: Final = timedelta(days=365)
_HEAD: Final = b"# The certificate authority of a local Scarf emulator.\n"


@attrs.frozen
class Certified:
    """What a server needs for TLS, and what its clients need to trust it.

    Attributes:
        context: The context of the server.
        authority: The certificate of the authority (PEM). Its key is not kept, so it cannot sign anything else.
    """

    context: ssl.SSLContext
    authority: bytes


def certify(host: str) -> Certified:
    """Create an authority, and a certificate for this machine, Scarf's own hosts and the address to listen on.

    Raises:
        ImportError: trustme is not installed.
        ValueError: The address is not a host.
    """
    try:
        import trustme  # noqa: PLC0415 # few need it, and it takes its time
    except ImportError as error:
        raise ImportError(f"TLS needs trustme: pip install 'scarf-async[emulator]' ({error})") from None
    authority = trustme.CA(organization_name="scarf-async emulator")
    names = dict.fromkeys(filter(None, (*_NAMES, host)))
    try:
        certificate = authority.issue_cert(*names, not_after=datetime.now(UTC) + _VALID)
    except ValueError as error:
        raise ValueError(f"there is no certificate for the host {host!r}: {error}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return Certified(context, _HEAD + authority.cert_pem.bytes())


def write_certificate(path: Path, authority: bytes) -> None:
    """Write an authority's certificate. It replaces that of an earlier emulator, but no other file.

    Raises:
        OSError: it cannot be written, or another file exists.
    """
    with suppress(FileNotFoundError), path.open("rb") as file:
        if file.read(len(_HEAD)) != _HEAD:
            reason = "it is not an emulator's certificate, and is kept; name another file"
            raise FileExistsError(errno.EEXIST, reason, str(path))
    path.write_bytes(authority)
