"""The objects below a prefix, through obstore, whose exceptions end here (extra `cloud`). All methods block."""

from __future__ import annotations

import asyncio
import datetime as dt
import errno
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Final, TypeVar

import attrs
import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import AzureStore, GCSStore, HTTPStore, LocalStore, MemoryStore, S3Store, from_url

from scarf_async.errors import ConfigurationError, ValidationError
from scarf_async.exports.jobs.stores.place import Prefix
from scarf_async.text import printable

if TYPE_CHECKING:
    from obstore import PutMode, ReadableFile, UpdateVersion
    from obstore.store import ObjectStore

__all__ = ["ChangedError", "Found", "Listed", "Objects", "StoredFile", "nonce"]

T = TypeVar("T")

_PATIENCE: Final = 7.0
"""The timeout in seconds of the first read without credentials in the environment: an instance identity takes less
than 1 s."""
_PAUSES: Final = (0.1, 0.5, 1.0, 2.0)
_CHUNK: Final = 8 * 2**20
"""The size of a part of an upload in bytes; two are in progress, so that an upload needs little memory."""
_READERS: Final = 16
_STORES: Final = (AzureStore, GCSStore, HTTPStore, LocalStore, MemoryStore, S3Store)

# If one of these is set, no metadata service has to be queried.
_CREDENTIALS: Final = {
    "s3": (
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SKIP_SIGNATURE",
    ),
    "gs": (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "GOOGLE_SKIP_SIGNATURE",
    ),
    "az": (
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_CLIENT_SECRET",
        "AZURE_CLIENT_SECRET",
        "AZURE_STORAGE_SAS_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_TOKEN",
        "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_SKIP_SIGNATURE",
    ),
}
_METADATA: Final = re.compile(
    r"169\.254\.|latest/api/token|latest/meta-data|computeMetadata|metadata/identity|identity/oauth2|token request"
    r"|ExternalAccount|az account"
)
_QUERY: Final = re.compile(r"\?[^\s\"')>]*")
_ELEMENT: Final = re.compile(r"<(Code|Message)>([^<]*)</\1>")


class RefusedError(Exception):
    """The condition of a write did not hold, or its response was lost."""


class ChangedError(Exception):
    """Another writer has changed the object."""


@attrs.frozen
class Found:
    """A version of an object.

    Attributes:
        data: its contents.
        version: the store's identifiers of this version.
    """

    data: bytes
    version: UpdateVersion


@attrs.frozen
class Listed:
    """An object in a listing: its path below the prefix, its size, and when it was written by the store's clock."""

    path: str
    size: int
    modified: dt.datetime


def nonce() -> str:
    """Return a unique part for a name."""
    return secrets.token_hex(8)


@attrs.frozen
class StoredFile:
    """An object that DuckDB reads piece by piece; its errors are `OSError`s."""

    _file: ReadableFile
    _ask: Callable[[Callable[[], bytes]], bytes]

    def read(self, size: int) -> bytes:
        """Return up to a number of bytes."""
        return self._ask(lambda: bytes(self._file.read(size)))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Set the position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def close(self) -> None:
        """Close it."""
        self._file.close()


class Objects:
    """The objects below a prefix, by relative path.

    Args:
        place: the prefix.
        store: an obstore store of its bucket; None: one with the settings of the environment. No further option is
            passed, since obstore would then ignore some of these.
        pause: waits for a number of seconds.

    Raises:
        ConfigurationError: the environment is not sufficient for a store.
        ValidationError: `store` is something else.
    """

    def __init__(
        self, place: Prefix, store: ObjectStore | None = None, *, pause: Callable[[float], object] = time.sleep
    ) -> None:
        self.place = place
        self._given = store is not None
        self._pause = pause
        if store is not None and not isinstance(store, _STORES):
            raise ValidationError(
                f"store must be an obstore store of the bucket, such as S3Store, not {type(store).__name__}",
                field="store",
            )
        self.store: ObjectStore = _store_of(place) if store is None else store

    def first(self, path: str) -> Found | None:
        """Read the first object like `read`, without waiting long if credentials are missing.

        Raises:
            ConfigurationError: credentials are missing.
            OSError: the store cannot be reached, or returns an error.
        """
        variables = _CREDENTIALS.get(self.place.scheme, _CREDENTIALS["az"])
        if self._given or any(os.environ.get(name) for name in variables):
            return self.read(path)
        # An event loop may be running in this thread already.
        with ThreadPoolExecutor(1) as executor:
            try:
                found = executor.submit(asyncio.run, self._first(path)).result()
            except BaseError as error:
                problem = str(error)
                if _METADATA.search(problem) is None:
                    raise self._failure(error, path) from None
            except TimeoutError:
                problem = ""
            except FileNotFoundError:
                return self.read(path)
            else:
                return found
        raise ConfigurationError(
            f"no credentials for {self.place.root}: set {variables[0]} and what belongs to it, or run where the"
            " machine has an identity of its own (in Python, store= takes others)"
        )

    async def _first(self, path: str) -> Found:
        async with asyncio.timeout(_PATIENCE):
            result = await obstore.get_async(self.store, self.place.key(path))
            data = await result.bytes_async()
        return Found(bytes(data), _version(result.meta.get("e_tag"), result.meta.get("version")))

    def read(self, path: str) -> Found | None:
        """Return an object; None if it does not exist.

        Raises:
            OSError: it cannot be read.
        """

        def found() -> Found | None:
            try:
                result = obstore.get(self.store, self.place.key(path))
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None
            version = _version(result.meta.get("e_tag"), result.meta.get("version"))
            return Found(bytes(result.bytes()), version)

        return self._ask(found, path)

    def put(self, path: str, data: bytes, old: Found | None) -> Found:
        """Write an object if it is unchanged; never retried.

        Args:
            path: the object.
            data: its new contents.
            old: its expected version; None if it must not exist.

        Raises:
            RefusedError: it has changed, possibly by this very write, which obstore sent twice.
            OSError: it is unknown whether it was written.
            ConfigurationError: the store does not support conditions.
        """
        mode: PutMode = "create" if old is None else old.version

        def written() -> Found:
            try:
                result = obstore.put(self.store, self.place.key(path), data, mode=mode, use_multipart=False)
            except (AlreadyExistsError, PreconditionError) as error:
                raise RefusedError(_reason(error)) from None
            except NotSupportedError as error:
                raise ConfigurationError(
                    f"{self.place.root} knows no conditional writes, which jobs need: {_reason(error)}"
                ) from None
            return Found(data, _version(result["e_tag"], result["version"]))

        return self._ask(written, path)

    def commit(self, path: str, data: bytes, old: Found | None) -> Found:
        """Write an object if it is unchanged, and find out the outcome.

        Args:
            path: the object.
            data: its new contents, which must be unique.
            old: its expected version; None if it must not exist.

        Raises:
            ChangedError: another writer has changed it.
            OSError: the store does not respond, or returns an error.
        """
        for pause in (*_PAUSES, None):
            try:
                return self.put(path, data, old)
            except (RefusedError, OSError) as error:
                problem = getattr(error, "strerror", None) or str(error)
            found = self.read(path)
            if found is not None and found.data == data:
                return found
            if (found and found.data) != (old and old.data):
                raise ChangedError
            if pause is not None:
                self._pause(pause)
        raise OSError(errno.EIO, problem, self.where(path))

    def write(self, path: str, data: bytes | Path) -> None:
        """Write bytes or a file as an object with a new name.

        Raises:
            OSError: it cannot be written.
        """
        size = len(data) if isinstance(data, bytes) else data.stat().st_size
        put = partial(
            obstore.put,
            self.store,
            self.place.key(path),
            data,
            use_multipart=size > _CHUNK,
            chunk_size=_CHUNK,
            max_concurrency=2,
        )
        for pause in (*_PAUSES, None):
            try:
                self._ask(put, path)
            except OSError:
                with suppress(FileNotFoundError):
                    if self.size(path) == size:
                        # The response was lost. Objects are complete or missing, and nobody else writes this one.
                        return
                if pause is None:
                    raise
                self._pause(pause)
            else:
                return

    def size(self, path: str) -> int:
        """Return the size of an object in bytes.

        Raises:
            FileNotFoundError: it does not exist.
            OSError: the store does not respond, or returns an error.
        """
        return self._ask(partial(obstore.head, self.store, self.place.key(path)), path)["size"]

    def listing(self) -> Iterator[Listed]:
        """Return all objects below the prefix.

        Raises:
            OSError: they cannot be listed.
        """
        skipped = len(self.place.key(""))
        lists = self._ask(partial(obstore.list, self.store, self.place.path or None, chunk_size=1000))
        while (some := self._ask(partial(next, lists, None))) is not None:
            for meta in some:
                yield Listed(meta["path"][skipped:], meta["size"], meta["last_modified"])

    def modified(self, path: str) -> dt.datetime:
        """Return when an object was written, by the store's clock.

        Raises:
            OSError: the store does not respond, or returns an error.
        """
        return self._ask(partial(obstore.head, self.store, self.place.key(path)), path)["last_modified"]

    def delete(self, paths: Sequence[str]) -> None:
        """Delete objects; a missing one is not an error.

        Raises:
            OSError: they cannot be deleted.
        """
        try:
            self._ask(partial(obstore.delete, self.store, [self.place.key(path) for path in paths]))
        except FileNotFoundError:
            # Some stores report this for the first one; the others may still exist.
            for path in paths if len(paths) > 1 else ():
                self.delete([path])

    def fetch(self, path: str) -> IO[bytes]:
        """Return a copy of an object as an unnamed temporary file.

        Raises:
            FileNotFoundError: it does not exist.
            OSError: it cannot be read.
        """
        file: IO[bytes] = TemporaryFile()  # noqa: SIM115 # the caller's

        def copy() -> None:
            for chunk in obstore.get(self.store, self.place.key(path)):
                file.write(chunk)

        try:
            self._ask(copy, path)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def reader(self, path: str) -> StoredFile:
        """Open an object for reading piece by piece.

        Raises:
            FileNotFoundError: it does not exist.
            OSError: the store does not respond, or returns an error.
        """
        file = self._ask(partial(obstore.open_reader, self.store, self.place.key(path)), path)

        def read(call: Callable[[], bytes]) -> bytes:
            try:
                return _interruptible(call)
            except (BaseError, OSError) as error:
                # A reader of obstore raises `OSError`s that contain the whole URL.
                raise self._failure(error, path) from None

        return StoredFile(file, read)

    def read_each(self, paths: Iterable[str]) -> list[Found | None]:
        """Read many small objects, several at a time."""
        with ThreadPoolExecutor(_READERS) as executor:
            return list(executor.map(self.read, paths))

    def where(self, path: str) -> str:
        """Return the URL of an object."""
        return f"{self.place.root}/{self.place.key(path)}"

    def _ask(self, call: Callable[[], T], path: str | None = None) -> T:
        try:
            return _interruptible(call)
        except (BaseError, FileNotFoundError) as error:
            raise self._failure(error, path) from None

    def _failure(self, error: Exception, path: str | None) -> OSError:
        where = str(self.place) if path is None else self.where(path)
        match error:
            case FileNotFoundError():
                return FileNotFoundError(errno.ENOENT, _reason(error), where)
            case PermissionDeniedError() | UnauthenticatedError():
                return PermissionError(errno.EACCES, _reason(error), where)
            case _:
                return OSError(errno.EIO, _reason(error), where)


def _interruptible(call: Callable[[], T]) -> T:
    """Call a function that waits for a store and ignores signals; in the main thread, signals end the wait."""
    if threading.current_thread() is not threading.main_thread():
        return call()
    outcome: Future[T] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # noqa: BLE001 # the caller's
            outcome.set_exception(error)

    # The process does not wait for it at its end.
    threading.Thread(target=work, name="scarf-store", daemon=True).start()
    return outcome.result()


def _store_of(place: Prefix) -> ObjectStore:
    try:
        return from_url(place.root)
    except (BaseError, ValueError) as error:
        problem = _reason(error)
    if "Account must be specified" in problem:
        problem += " (AZURE_STORAGE_ACCOUNT_NAME)"
    raise ConfigurationError(
        f"{place.root} cannot be used with the credentials and settings in the environment: {problem}"
    )


def _version(e_tag: str | None, version: str | None) -> UpdateVersion:
    # obstore does not accept None here.
    found: UpdateVersion = {}
    if e_tag is not None:
        found["e_tag"] = e_tag
    if version is not None:
        found["version"] = version
    return found


def _reason(error: Exception) -> str:
    """Return the message of an exception of obstore, without details and query parameters of URLs."""
    text = str(error).partition("\n\nDebug source")[0]
    said = ": ".join(value for _, value in _ELEMENT.findall(text))
    text = _QUERY.sub("", text.partition("<?xml")[0].partition("<Error>")[0]).strip().rstrip(":")
    if "builder error" in text:
        text += " (an address that begins with http:// needs AWS_ALLOW_HTTP=true)"
    return printable(f"{text}: {said}" if said else text)[:500]
