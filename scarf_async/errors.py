"""One tree of errors. They hold plain data only, so they can be pickled, and never hold an aiohttp exception.

```
ScarfError
├── ConfigurationError          ├── OutcomeUnknownError
├── ValidationError             ├── WriteConfirmedError
│   ├── ManifestError           ├── DecodeError
│   └── UnsupportedError        │   └── PaginationError
├── ClientClosedError           ├── ExportError
├── WrongEventLoopError         │   ├── TruncatedExportError
├── ReadOnlyError               │   ├── MalformedRecordError
├── TransportError              │   ├── RecordTooLongError
│   ├── ConnectFailedError      │   ├── StreamConsumedError
│   │   └── ConnectTimeoutError │   ├── StreamClosedError
│   └── RequestTimeoutError     │   ├── JobBusyError
│       └── ConnectTimeoutError │   └── ClusterLostError
├── BulkError                   ├── LoadError
├── GuardError                  └── JournalError
└── APIError
    ├── BadRequestError 400        ├── ConflictError 409, 422
    ├── AuthenticationError 401    ├── UnprocessableError 422
    ├── PermissionDeniedError 403  ├── RateLimitedError 429
    ├── NotFoundError 404          └── ServerError 5xx
```
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, NamedTuple, Self

__all__ = [
    "APIError",
    "AuthenticationError",
    "BadRequestError",
    "BulkError",
    "ClientClosedError",
    "ClusterLostError",
    "ConfigurationError",
    "ConflictError",
    "ConnectFailedError",
    "ConnectTimeoutError",
    "DecodeError",
    "ExportError",
    "GuardError",
    "JobBusyError",
    "JournalError",
    "LoadError",
    "MalformedRecordError",
    "ManifestError",
    "ManifestProblem",
    "NotFoundError",
    "OutcomeUnknownError",
    "PaginationError",
    "PermissionDeniedError",
    "RateLimitedError",
    "ReadOnlyError",
    "RecordTooLongError",
    "RequestTimeoutError",
    "ScarfError",
    "ScarfWarning",
    "ServerError",
    "StreamClosedError",
    "StreamConsumedError",
    "TransportError",
    "TruncatedExportError",
    "UnprocessableError",
    "UnsupportedError",
    "ValidationError",
    "WriteConfirmedError",
    "WrongEventLoopError",
]


def _rebuild(cls: type[ScarfError], args: tuple[object, ...], state: dict[str, object]) -> ScarfError:
    # Exception.__reduce__ calls cls(*args), which keyword-only attributes do not survive.
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ScarfError(Exception):
    """The base class: `except ScarfError` catches everything that this package raises on purpose."""

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())


class ConfigurationError(ScarfError):
    """An argument or environment variable of the client is invalid. The constructor raises it."""


class ValidationError(ScarfError, ValueError):
    """A value cannot be sent; nothing was sent. `.field` names the field, if there is one."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnsupportedError(ValidationError):
    """The API version in use does not support this; nothing was sent.

    Attributes:
        field: the field or argument that it does not support, if there is one.
        operations: for a plan, all operations that it does not support.
    """

    def __init__(self, message: str, *, field: str | None = None, operations: Sequence[object] = ()) -> None:
        super().__init__(message, field=field)
        self.operations: tuple[object, ...] = tuple(operations)


class ScarfWarning(UserWarning):
    """The request was carried out, but not exactly as asked."""


class ManifestProblem(NamedTuple):
    """One problem in a manifest.

    Attributes:
        file: the file, as it was named.
        line: the line, from 1. 0 for the whole file, and for TOML except its syntax errors: the parser gives no
            other lines.
        column: the column, from 1, in characters; 0 if `line` is 0.
        path: the path in the document, such as `organizations.acme.packages[3].type`; in a table the column;
            empty for the whole document.
        message: what was found, and what is allowed.
    """

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


_PROBLEMS_SHOWN: Final = 100


class ManifestError(ValidationError):
    """A manifest is invalid. `.problems` lists all its problems in file order.

    Reading stops after a thousand problems.
    """

    def __init__(self, problems: Sequence[ManifestProblem]) -> None:
        lines = [str(problem) for problem in problems[:_PROBLEMS_SHOWN]]
        if len(problems) > _PROBLEMS_SHOWN:
            lines.append(f"and {len(problems) - _PROBLEMS_SHOWN} more problems")
        super().__init__("\n".join(lines))
        self.problems: tuple[ManifestProblem, ...] = tuple(problems)


class ClientClosedError(ScarfError):
    """The client was closed before or during the call."""

    def __init__(self, message: str = "this client is closed; create a new Scarf()") -> None:
        super().__init__(message)


class WrongEventLoopError(ScarfError):
    """The client is used on a different event loop than that of its `async with` block or first use."""


class ReadOnlyError(ScarfError):
    """A client made with `read_only=True` was asked to write; nothing was sent."""


class TransportError(ScarfError):
    """No complete response arrived. `.method` and `.url` name the request; `.attempts` counts its attempts."""

    def __init__(self, message: str, *, method: str = "", url: str = "", attempts: int = 1) -> None:
        super().__init__(message)
        self.method = method
        self.url = url
        self.attempts = attempts

    def __str__(self) -> str:
        sends = f" ({self.attempts} attempts)" if self.attempts > 1 else ""
        return f"{self.method} {self.url}: {self.args[0]}{sends}" if self.method else f"{self.args[0]}{sends}"


class ConnectFailedError(TransportError):
    """The connection failed in name resolution, TCP, TLS or the proxy. The request was not sent."""


class RequestTimeoutError(TransportError, TimeoutError):
    """A timeout of the client (`connect_timeout`, `timeout` or `export_timeout`) expired."""


class ConnectTimeoutError(ConnectFailedError, RequestTimeoutError):
    """The connection was not made within `connect_timeout`. The request was not sent."""


class OutcomeUnknownError(ScarfError):
    """A create got no response, and a lookup did not show whether it took effect.

    Attributes:
        requested: what was to be created.
        found: an existing object with the same name or URLs that differs; None if nothing was found.
        failure: the error of the last attempt.
        look_failure: the error of the lookup; None if the lookup worked.
    """

    def __init__(
        self,
        message: str,
        *,
        requested: object,
        found: object | None = None,
        failure: ScarfError | None = None,
        look_failure: ScarfError | None = None,
    ) -> None:
        super().__init__(message)
        self.requested = requested
        self.found = found
        self.failure = failure
        self.look_failure = look_failure


class WriteConfirmedError(ScarfError):
    """A write succeeded (the service returned 2xx), but its result could not be read back.

    Do not repeat the write. `.requested` is what was sent; `.failure` is the error of reading it back.
    """

    def __init__(self, message: str, *, requested: object, failure: ScarfError | None = None) -> None:
        super().__init__(message)
        self.requested = requested
        self.failure = failure


class DecodeError(ScarfError):
    """A response does not have the documented form. The message does not contain the payload.

    Attributes:
        endpoint: method and path template, such as `GET /organizations/{organization}/users`.
        entity: the class that was expected.
        path: the path in the response, such as `[3].role`; empty for the whole response.
    """

    def __init__(self, message: str, *, endpoint: str = "", entity: str = "", path: str = "") -> None:
        super().__init__(message)
        self.endpoint = endpoint
        self.entity = entity
        self.path = path

    def __str__(self) -> str:
        where = f" at {self.path}" if self.path else ""
        return f"{self.endpoint}: cannot read {self.entity}{where}: {self.args[0]}"


class PaginationError(DecodeError):
    """A paginated list cannot be verified as complete, so none of it is returned. `.path` is empty."""


class ExportError(ScarfError):
    """An export cannot be read as promised."""


class JobBusyError(ExportError):
    """Another run is writing to the destination of an export job; nothing was sent."""


class ClusterLostError(ExportError):
    """The Dask cluster that fetches an export job was lost. Committed work is kept; run the job again."""


class LoadError(ScarfError):
    """A load failed: the database is unreachable, refuses, or lacks what the load needs.

    Attributes:
        ddl: statements that create what is missing, to be run by a user who has the rights; else empty.
    """

    def __init__(self, message: str, *, ddl: str = "") -> None:
        super().__init__(f"{message}\n{ddl}".rstrip("\n"))
        self.ddl = ddl


class TruncatedExportError(ExportError):
    """The export is truncated: only part of it was received.

    Attributes:
        proven_end: whether the response itself arrived completely, so that only its content looks truncated. Such
            an export is not fetched again.
        bytes_received: bytes of the body that arrived.
        records_received: complete records that arrived.
    """

    def __init__(
        self, message: str, *, bytes_received: int = 0, records_received: int = 0, proven_end: bool = False
    ) -> None:
        super().__init__(message)
        self.proven_end = proven_end
        self.bytes_received = bytes_received
        self.records_received = records_received


class MalformedRecordError(ExportError):
    """A record of an export cannot be read.

    Attributes:
        line_number: the number of its first line in the file, from 1.
        reason: what is wrong with it.
        record: its bytes without the line end; only the first 4 KiB if it is longer than `max_record_bytes`. The
            message does not contain them.
    """

    def __init__(self, message: str, *, line_number: int, reason: str = "", record: bytes = b"") -> None:
        super().__init__(message)
        self.line_number = line_number
        self.reason = reason
        self.record = record


class RecordTooLongError(ExportError):
    """A record is longer than `max_record_bytes`.

    Attributes:
        line_number: the number of its first line in the file, from 1.
        limit: `max_record_bytes`.
        record: its first 4 KiB when reading typed records; otherwise, and for a header, empty.
    """

    def __init__(self, message: str, *, line_number: int, limit: int, record: bytes = b"") -> None:
        super().__init__(message)
        self.line_number = line_number
        self.limit = limit
        self.record = record


class StreamConsumedError(ExportError):
    """A stream was read a second time. A stream can be read only once, in one of its ways."""


class StreamClosedError(ExportError):
    """A stream was read outside its `async with` block."""


class JournalError(ScarfError):
    """A journal cannot be used. `.path` is its file; `.report` has the outcomes of a run that was in progress."""

    def __init__(self, message: str, *, path: str = "", report: object | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.report = report


class BulkError(ScarfError, ExceptionGroup[Exception]):
    """Operations of a bulk run failed or have an unknown outcome; `.exceptions` has one error for each."""

    def derive(self, excs: Sequence[Exception]) -> Self:  # type: ignore[override] # typeshed: returns any group of another type variable
        """Return a group of the same class with other exceptions, as `except*` requires.

        Args:
            excs: the exceptions of the new group.
        """
        return type(self)(self.message, excs)


class GuardError(ScarfError):
    """Changes were refused before anything was sent: they are dangerous, or the live state has changed since."""


class APIError(ScarfError):
    """The service returned a status that is not a success.

    Attributes:
        status: the HTTP status code.
        method: the method of the request.
        url: the URL of the request.
        message: the error message of the service; empty if it gave none.
        code: the error code of the service; None if it gave none.
        body: the first 4 KiB of the response body.
        attempts: how often the request was sent.
        retry_after: how many seconds the service asked to wait; None if it did not ask.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int,
        method: str,
        url: str,
        code: str | None = None,
        body: bytes = b"",
        attempts: int = 1,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.method = method
        self.url = url
        self.code = code
        self.body = body
        self.attempts = attempts
        self.retry_after = retry_after

    def __str__(self) -> str:
        try:
            phrase = f" {HTTPStatus(self.status).phrase}"
        except ValueError:
            phrase = ""
        text = f"{self.method} {self.url}: {self.status}{phrase}"
        if self.message:
            text += f": {self.message}"
        if self.code:
            text += f" [{self.code}]"
        if self.attempts > 1:
            text += f" ({self.attempts} attempts)"
        return f"{text}; {self.hint}" if self.hint else text

    hint = ""


class BadRequestError(APIError):
    """400: the service could not understand the request."""


class AuthenticationError(APIError):
    """401: the token is missing, wrong or expired."""

    hint = "check the token (SCARF_API_TOKEN)"


class PermissionDeniedError(APIError):
    """403: the token's user is not allowed to do this."""

    hint = "the token's user lacks the right or the plan for this"


class NotFoundError(APIError):
    """404: the resource does not exist, or is not visible to the token's user."""


class ConflictError(APIError):
    """409, or a 422 from v2 with a code for it: the resource already exists, or conflicts with an existing one.

    With `if_exists="keep"`, `.requested` and `.found` are the two that differ; otherwise they are None.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 409,
        method: str,
        url: str,
        code: str | None = None,
        body: bytes = b"",
        attempts: int = 1,
        retry_after: float | None = None,
        requested: object | None = None,
        found: object | None = None,
    ) -> None:
        super().__init__(
            message,
            status=status,
            method=method,
            url=url,
            code=code,
            body=body,
            attempts=attempts,
            retry_after=retry_after,
        )
        self.requested = requested
        self.found = found


class UnprocessableError(APIError):
    """422: the service understood the request but rejects its content."""


class RateLimitedError(APIError):
    """429: too many requests. `.retry_after` is how long the service asked to wait."""


class ServerError(APIError):
    """5xx: the service, or a proxy in front of it, failed."""
