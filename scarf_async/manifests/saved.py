"""Changes as files, so that what was looked over is what is applied: JSON, bound to one server."""

from __future__ import annotations

import hashlib
import json
import os
from os import PathLike
from pathlib import Path
from typing import Final

import attrs
import msgspec

from scarf_async.entities import JSON
from scarf_async.errors import ValidationError
from scarf_async.files import write_whole
from scarf_async.manifests.changes import Changes
from scarf_async.text import printable

__all__ = ["SavedChanges", "read_changes", "write_changes"]

FORMAT: Final = "scarf-async-changes"
VERSION: Final = 1


@attrs.frozen
class SavedChanges:
    """Changes that were kept in a file.

    Attributes:
        changes: the changes.
        server: the base address of the server that they were made for, `scarf.base_url`.
    """

    changes: Changes
    server: str

    def for_server(self, server: str) -> Changes:
        """Return the changes, if they were made for this server.

        Raises:
            ValidationError: they were made for another.
        """
        if self.server.rstrip("/") != server.rstrip("/"):
            raise ValidationError(
                f"these changes were made for the server {printable(self.server)}, and this client's is {server}:"
                " use a client of that server, or compare again"
            )
        return self.changes


def write_changes(changes: Changes, path: str | PathLike[str], *, server: str) -> None:
    """Write changes to a file that only its owner may read, whole or not at all.

    It may hold passwords where addresses of packages do; it never holds the token.

    Args:
        changes: the changes.
        path: the file; one that is there is replaced.
        server: the base address of the server that they were made for.

    Raises:
        OSError: the file cannot be written.
    """
    data = changes.to_dict()
    document: dict[str, JSON] = {
        "format": FORMAT,
        "version": VERSION,
        "server": server,
        "sha256": _digest(data),
        "changes": data,
    }
    write_whole(path, [f"{json.dumps(document, indent=1)}\n".encode()], mode=0o600)


def read_changes(path: str | PathLike[str]) -> SavedChanges:
    """Read what `write_changes` wrote.

    Raises:
        ValidationError: it is something else, is damaged or was edited, or was written by a newer version.
        OSError: the file cannot be read.
    """
    name = printable(os.fspath(path))
    try:
        document: object = msgspec.json.decode(Path(path).read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValidationError(f"{name}: is cut off, or is no JSON: compare again, and write it anew") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValidationError(f"{name}: holds no saved changes: it has no format {FORMAT!r}")
    version, server, data = document.get("version"), document.get("server"), document.get("changes")
    if type(version) is not int or version != VERSION:
        raise ValidationError(f"{name}: is of version {version!r}; this package reads version {VERSION}")
    if not isinstance(server, str) or document.get("sha256") != _digest(data):
        raise ValidationError(f"{name}: is damaged, or was edited: compare again, and write it anew")
    return SavedChanges(Changes.from_dict(data), server)


def _digest(data: JSON) -> str:
    return hashlib.sha256(msgspec.json.encode(data, order="deterministic")).hexdigest()
