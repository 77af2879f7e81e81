"""Parse the destination of a job: a directory, or a prefix of an object store. Pure."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import unquote
from urllib.request import url2pathname

import attrs

from scarf_async.errors import ConfigurationError

__all__ = ["Prefix", "place_of"]

_ADDRESS: Final = re.compile(
    r"(s3|gs|az|abfs|file|[a-z][a-z0-9+.-]+(?=:/)):(/{0,2})(.*)", re.DOTALL | re.IGNORECASE | re.ASCII
)
_STORES: Final = ("s3", "gs", "az", "abfs")
_BUCKET: Final = re.compile(r"[\w$][\w.$-]*", re.ASCII)
_WANTED: Final = "give a directory, file://... too, or an address such as s3://bucket/prefix (s3, gs, az, abfs)"


@attrs.frozen
class Prefix:
    """A prefix of an object store. `str(prefix)` is its URL.

    Attributes:
        scheme: `s3`, `gs`, `az` or `abfs`.
        bucket: the bucket or container.
        path: the prefix of the names of all objects, without slashes at its ends; empty for the whole bucket.
    """

    scheme: str
    bucket: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.root}/{self.path}" if self.path else self.root

    @property
    def root(self) -> str:
        """The URL of the bucket."""
        return f"{self.scheme}://{self.bucket}"

    def key(self, path: str) -> str:
        """Return the name of an object in the bucket from its path below the prefix."""
        return f"{self.path}/{path}" if self.path else path


def place_of(destination: str | os.PathLike[str]) -> Path | Prefix:
    """Parse a destination.

    >>> str(place_of("s3://bucket/a/b/")), place_of("a/b"), place_of("file:///tmp/a%20b")
    ('s3://bucket/a/b', PosixPath('a/b'), PosixPath('/tmp/a b'))

    Raises:
        ConfigurationError: it is another kind of URL, or contains a user or password, which the message does not
            repeat.
    """
    text = os.fspath(destination)
    match = _ADDRESS.fullmatch(text)
    if match is None:
        return Path(text)
    scheme, rest = match[1].lower(), match[3]
    if "@" in rest.split("/", 1)[0]:
        raise ConfigurationError(
            f"the {scheme} address of a destination holds a user or a password: leave out what is before the @;"
            " credentials come from the environment"
        )
    if scheme not in {*_STORES, "file"}:
        raise ConfigurationError(f"a destination cannot be a {scheme} address: {_WANTED}")
    if not isinstance(destination, str) or match[2] != "//":
        raise ConfigurationError(f"the {scheme} address of a destination must be a text with ://: {_WANTED}")
    if "?" in rest or "#" in rest or not rest.isprintable():
        raise ConfigurationError(
            f"the {scheme} address of a destination must end with its path: leave out what is from the first ? or #"
            " on, and characters that cannot be printed"
        )
    bucket, _, path = rest.partition("/")
    return _directory(bucket, path) if scheme == "file" else _prefix(scheme, bucket, path)


def _directory(host: str, path: str) -> Path:
    if host not in {"", "localhost"} or not path:
        raise ConfigurationError("a file address names a directory of this machine: file:///path/to/directory")
    local = unquote(url2pathname(f"/{path}")) if os.name == "nt" else unquote(f"/{path}")
    if "\0" in local:
        raise ConfigurationError("a file address cannot hold %00")
    return Path(local)


def _prefix(scheme: str, bucket: str, path: str) -> Prefix:
    if _BUCKET.fullmatch(bucket) is None:
        raise ConfigurationError(f"{bucket!r} is not the name of a bucket: {_WANTED}")
    path = path.strip("/")
    if path and not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise ConfigurationError(f"{path!r} cannot be a prefix: it has a part that is empty, . or ..")
    return Prefix(scheme, bucket, path)
