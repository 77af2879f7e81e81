"""Changes as files, so that exactly what was reviewed is applied: JSON, bound to one server."""

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
from scarf_async.manifests.changes import UNSAID_API, Changes
from scarf_async.names import organization_key
from scarf_async.text import printable

__all__ = ["SavedChanges", "read_changes", "write_changes"]

FORMAT: Final = "scarf-async-changes"
VERSION: Final = 1


@attrs.frozen
class SavedChanges:
    """Changes that were read from a file.

    Attributes:
        changes: the changes.
        server: the URL that they were made for: `scarf.base_url`, or in v2 `scarf.v2_url`.
        owner: the owner of packages for which the changes name none; None if they name all, or are for v1, which
            needs no owner.
    """

    changes: Changes
    server: str
    owner: str | None = None

    @property
    def api(self) -> str:
        """The version of the service that the changes were made for."""
        return self.changes.api or UNSAID_API

    def for_server(self, server: str, *, api: str | None = None, owner: str | None = None) -> Changes:
        """Return the changes if they were made for this server, version and owner.

        Args:
            server: the URL that the client calls.
            api: the version that it calls; None is not compared.
            owner: its default owner; compared if the changes leave the owner of a package open.

        Raises:
            ValidationError: they were made for another server, version or owner.
        """
        if api is not None:
            self.changes.check_version(api, server, self.server)
        if self.server.rstrip("/") != server.rstrip("/"):
            raise ValidationError(
                f"these changes were made for the server {printable(self.server)}, and this client's is {server}:"
                " use a client of that server, or compare again"
            )
        if self.owner is None or (owner is not None and organization_key(owner) == organization_key(self.owner)):
            return self.changes if self.owner is None else self.changes.owned_by(self.owner)
        raise ValidationError(
            f"these changes were made for packages of {printable(self.owner)}, and this client's owner is {owner}:"
            " use a client of that owner, or compare again"
        )


def write_changes(changes: Changes, path: str | PathLike[str], *, server: str, owner: str | None = None) -> None:
    """Write changes atomically to a file that only its owner may read.

    The file contains passwords if URLs of packages do; it never contains the token.

    Args:
        changes: the changes.
        path: the file; an existing one is replaced.
        server: the URL that they were made for: `scarf.base_url`, or in v2 `scarf.v2_url`.
        owner: the owner of the client that they were made with; written only if v2 changes name no owner for a
            package, which never happens with those of a comparison.

    Raises:
        OSError: the file cannot be written.
    """
    data = changes.to_dict()
    bound = owner if changes.without_owner else None
    document: dict[str, JSON] = {
        "format": FORMAT,
        "version": VERSION,
        "server": server,
        **({} if bound is None else {"owner": bound}),
        "sha256": _digest(data if bound is None else [data, bound]),
        "changes": data,
    }
    write_whole(path, [f"{json.dumps(document, indent=1)}\n".encode()], mode=0o600)


def read_changes(path: str | PathLike[str]) -> SavedChanges:
    """Read a file that `write_changes` wrote.

    Raises:
        ValidationError: it is another kind of file, is damaged or was edited, or was written by a newer version.
        OSError: the file cannot be read.
    """
    name = printable(os.fspath(path))
    try:
        document: object = msgspec.json.decode(Path(path).read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValidationError(
            f"{name}: is cut off, or not JSON: compare again, and save the changes again"
        ) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValidationError(f"{name}: is not a file of saved changes: its format is not {FORMAT!r}")
    version, server, data = document.get("version"), document.get("server"), document.get("changes")
    if type(version) is not int or version != VERSION:
        raise ValidationError(f"{name}: is of version {version!r}; this package reads version {VERSION}")
    owner = document.get("owner")
    whole = data if owner is None else [data, owner]
    if not isinstance(server, str) or not isinstance(owner, str | None) or document.get("sha256") != _digest(whole):
        raise ValidationError(f"{name}: is damaged, or was edited: compare again, and save the changes again")
    changes = Changes.from_dict(data)
    return SavedChanges(attrs.evolve(changes, api=changes.api or UNSAID_API), server, owner)


def _digest(data: JSON) -> str:
    return hashlib.sha256(msgspec.json.encode(data, order="deterministic")).hexdigest()
