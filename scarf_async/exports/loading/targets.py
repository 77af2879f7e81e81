"""Parse the target of a load, without repeating any part of it in errors, since each may contain a password."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import attrs

from scarf_async.errors import ConfigurationError
from scarf_async.exports.formats import need_installed
from scarf_async.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DuckDBFile", "PostgreSQL", "Target", "hidden", "read_target"]

_SERVICE: Final = re.compile(r"service=[\w.-]+", re.ASCII)
_PORTS: Final = re.compile(r"[0-9]*(?:,[0-9]*)*", re.ASCII)
_KINDS: Final = (
    "postgresql://..., service=NAME (libpq's service file), postgresql:// alone (libpq's variables) or duckdb:PATH"
)
_UNREADABLE: Final = (
    "the target is not an address of PostgreSQL that can be read; it is not repeated here, as it may hold a"
    " password. Percent-encode what is special in a user or password (/ is %2F, @ is %40), or leave the password to"
    " $PGPASSWORD or the passfile"
)
# By default, libpq waits up to two hours without a response.
_PATIENCE: Final = {"connect_timeout": "10", "keepalives_idle": "30", "tcp_user_timeout": "60000"}


@attrs.frozen
class PostgreSQL:
    """A PostgreSQL server.

    Attributes:
        address: the connection string for libpq.
        passwords: the passwords in it.
    """

    address: Secret
    passwords: tuple[Secret, ...] = ()

    def redact(self, text: str) -> str:
        """Remove the passwords from a text of the driver."""
        for password in self.passwords:
            text = password.redact(text)
        return text


@attrs.frozen
class DuckDBFile:
    """A DuckDB file.

    Attributes:
        path: its absolute path.
    """

    path: Path


Target: TypeAlias = PostgreSQL | DuckDBFile


def hidden(target: object) -> Secret | None:
    """Return an argument in a wrapper that hides it; None if it is not a string."""
    return Secret(target) if isinstance(target, str) else None


def read_target(target: Secret | None) -> Target:
    """Parse a target.

    Raises:
        ConfigurationError: it is invalid (no part of it is repeated), or a package for it is not installed.
    """
    # No variable here may contain the target: tracebacks show them.
    if target is not None and target.reveal().startswith("duckdb:"):
        need_installed("a load into DuckDB", "scarf-async[data]", "pyarrow", "duckdb")
        return _file(target)
    if target is None or not _is_postgresql(target):
        raise ConfigurationError(f"the target must be {_KINDS}")
    need_installed("a load into PostgreSQL", "scarf-async[postgres]", "psycopg", "pyarrow", "duckdb")
    server = _server(target)
    if server is None:
        raise ConfigurationError(_UNREADABLE)
    return server


def _file(target: Secret) -> DuckDBFile:
    if target.reveal() in {"duckdb:", "duckdb::memory:"}:
        raise ConfigurationError("the target duckdb:PATH needs the path of a file")
    return DuckDBFile(Path(target.reveal().removeprefix("duckdb:")).absolute())


def _is_postgresql(target: Secret) -> bool:
    is_service = _SERVICE.fullmatch(target.reveal()) is not None
    return is_service or target.reveal().startswith(("postgresql://", "postgres://"))


def _server(target: Secret) -> PostgreSQL | None:
    """Parse a connection string; None if it is invalid, or likely to be misread."""
    import psycopg  # noqa: PLC0415 # an extra
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415 # as above

    try:
        said = {name: str(value) for name, value in conninfo_to_dict(target.reveal()).items()}
        if "\0" in target.reveal() or _is_misread(said):
            return None
        address = make_conninfo("", **(_PATIENCE | {"fallback_application_name": "scarf-async"} | said))
    except (psycopg.Error, UnicodeError, ValueError):
        return None
    passwords = tuple(Secret(said[name]) for name in ("password", "sslpassword") if said.get(name))
    return PostgreSQL(Secret(address), passwords)


def _is_misread(said: Mapping[str, str]) -> bool:
    """Return whether a `/` or `@` in the password has ended it too early."""
    at = any("@" in said.get(name, "") for name in ("host", "hostaddr", "dbname"))
    return at or _PORTS.fullmatch(said.get("port", "")) is None
