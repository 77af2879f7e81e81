"""One tree of errors, all of them plain data: they pickle, and none keeps an exception of aiohttp's.

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
│   │   └── ConnectTimeoutError │   └── StreamClosedError
│   └── RequestTimeoutError     ├── LoadError
│       └── ConnectTimeoutError ├── JournalError
└── APIError                    ├── BulkError
    │                           └── GuardError
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
    "api_error",
]


def _rebuild(cls: type[ScarfError], args: tuple[object, ...], state: dict[str, object]) -> ScarfError:
    # Exception.__reduce__ calls cls(*args), which keyword-only attributes do not survive.
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ScarfError(Exception):
    """The root: `except ScarfError` catches everything that this package raises on purpose."""

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())


class ConfigurationError(ScarfError):
    """An argument or environment variable of the client cannot be used; raised by the constructor."""


class ValidationError(ScarfError, ValueError):
    """A value cannot be sent; nothing was sent. `.field` names the field where there is one."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UnsupportedError(ValidationError):
    """The version of the service that is called cannot do this; nothing was sent.

    Attributes:
        field: the field or argument that it does not have, where there is one.
        operations: of a plan, every operation that it cannot do.
    """

    def __init__(self, message: str, *, field: str | None = None, operations: Sequence[object] = ()) -> None:
        super().__init__(message, field=field)
        self.operations: tuple[object, ...] = tuple(operations)


class ScarfWarning(UserWarning):
    """What was asked for was done, but not quite as asked."""


class ManifestProblem(NamedTuple):
    """One thing that is wrong with a manifest.

    Attributes:
        file: the file, as it was named.
        line: from 1; 0 where the file as a whole is meant, and in TOML, whose reader tells only those of syntax
            errors.
        column: from 1, in characters; 0 as for the line.
        path: the place in the document, such as `organizations.acme.packages[3].type`; in a table the column;
            empty for the document as a whole.
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
    """A manifest cannot be used. `.problems` has everything that is wrong with it, in the order of the file.

    After a thousand problems reading stops.
    """

    def __init__(self, problems: Sequence[ManifestProblem]) -> None:
        lines = [str(problem) for problem in problems[:_PROBLEMS_SHOWN]]
        if len(problems) > _PROBLEMS_SHOWN:
            lines.append(f"and {len(problems) - _PROBLEMS_SHOWN} more problems")
        super().__init__("\n".join(lines))
        self.problems: tuple[ManifestProblem, ...] = tuple(problems)


class ClientClosedError(ScarfError):
    """The client was closed before or during the call."""

    def __init__(self, message: str = "this client is closed; make a new Scarf() to go on") -> None:
        super().__init__(message)


class WrongEventLoopError(ScarfError):
    """The client is used from another event loop than that of its `async with` block or of its first use."""


class ReadOnlyError(ScarfError):
    """A client made with `read_only=True` was asked to write; nothing was sent."""


class TransportError(ScarfError):
    """No complete answer came back. `.method`, `.url`, and `.attempts`: how often the request was sent."""

    def __init__(self, message: str, *, method: str = "", url: str = "", attempts: int = 1) -> None:
        super().__init__(message)
        self.method = method
        self.url = url
        self.attempts = attempts

    def __str__(self) -> str:
        sends = f" ({self.attempts} attempts)" if self.attempts > 1 else ""
        return f"{self.method} {self.url}: {self.args[0]}{sends}" if self.method else f"{self.args[0]}{sends}"


class ConnectFailedError(TransportError):
    """No connection could be made: name resolution, TCP, TLS or the proxy. The request was not sent."""


class RequestTimeoutError(TransportError, TimeoutError):
    """A time limit of the client (`connect_timeout`, `timeout` or `export_timeout`) ran out."""


class ConnectTimeoutError(ConnectFailedError, RequestTimeoutError):
    """No connection within `connect_timeout`. The request was not sent."""


class OutcomeUnknownError(ScarfError):
    """A create was sent and not answered, and looking for what it should have made did not settle it.

    Attributes:
        requested: what was to be created.
        found: what has the same name or addresses and differs; None where nothing was found.
        failure: what the last attempt ended with.
        look_failure: why the look failed; None where it worked.
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
    """A write succeeded (the service said 2xx), but what it made could not be read back.

    Do not repeat the write. `.requested` is what was sent, `.failure` why reading back failed.
    """

    def __init__(self, message: str, *, requested: object, failure: ScarfError | None = None) -> None:
        super().__init__(message)
        self.requested = requested
        self.failure = failure


class DecodeError(ScarfError):
    """An answer is not what the endpoint promises. The payload is not part of the message.

    Attributes:
        endpoint: method and path template, such as `GET /organizations/{organization}/users`.
        entity: the class that was expected.
        path: the place in the answer, such as `[3].role`; empty for the answer as a whole.
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
    """A list cannot be shown to be whole; none of it is returned. `.path` is empty."""


class ExportError(ScarfError):
    """An export cannot be read as what was promised."""


class JobBusyError(ExportError):
    """Another run is at work where an export job is to be written; nothing was sent."""


class ClusterLostError(ExportError):
    """The Dask cluster that fetches an export job was lost; what was entered is there. Run it again."""


class LoadError(ScarfError):
    """A database cannot be loaded into: it is out of reach, refuses, or lacks what a load needs.

    Attributes:
        ddl: the statements that make what is missing, for somebody who may; empty where nothing is.
    """

    def __init__(self, message: str, *, ddl: str = "") -> None:
        super().__init__(f"{message}\n{ddl}".rstrip("\n"))
        self.ddl = ddl


class TruncatedExportError(ExportError):
    """The export ended before its end: what was received is not the whole.

    Attributes:
        proven_end: whether the service showed that it sent all it meant to send, so that only the content looks
            cut. Such an export is not fetched again.
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
        line_number: the number, from 1, of its first line in the file.
        reason: what is wrong with it.
        record: its bytes, without the line end; of one longer than `max_record_bytes` the first 4 KiB. The message
            does not show them.
    """

    def __init__(self, message: str, *, line_number: int, reason: str = "", record: bytes = b"") -> None:
        super().__init__(message)
        self.line_number = line_number
        self.reason = reason
        self.record = record


class RecordTooLongError(ExportError):
    """A record is longer than `max_record_bytes`.

    Attributes:
        line_number: the number, from 1, of its first line in the file.
        limit: `max_record_bytes`.
        record: its first 4 KiB, in typed reading; empty in the other ways, and of a header.
    """

    def __init__(self, message: str, *, line_number: int, limit: int, record: bytes = b"") -> None:
        super().__init__(message)
        self.line_number = line_number
        self.limit = limit
        self.record = record


class StreamConsumedError(ExportError):
    """A stream is read a second time; a stream can be read once, in one of its ways."""


class StreamClosedError(ExportError):
    """A stream is read outside of its `async with` block."""


class JournalError(ScarfError):
    """A journal cannot be used. `.path` is its file; `.report` what a run under way had done by then."""

    def __init__(self, message: str, *, path: str = "", report: object | None = None) -> None:
        super().__init__(message)
        self.path = path
        self.report = report


class BulkError(ScarfError, ExceptionGroup[Exception]):
    """Operations of a bulk run failed or are of unknown outcome; `.exceptions` has one error for each."""

    def derive(self, excs: Sequence[Exception]) -> Self:  # type: ignore[override] # typeshed: returns any group of another type variable
        """Return a group of the same class with other exceptions (the protocol of `except*`)."""
        return type(self)(self.message, excs)


class GuardError(ScarfError):
    """Changes were refused before anything was sent: they would do harm, or what they were made for has moved."""


class APIError(ScarfError):
    """The service answered with a status that is not a success.

    Attributes:
        status: the HTTP status.
        method: the request's method.
        url: the request's address.
        message: the service's own words, where it gave any.
        code: the service's own error code, where it gave one.
        body: the first 4 KiB of the answer.
        attempts: how often the request was sent.
        retry_after: the seconds that the service asked to wait, if it did.
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
    """400: the service could not read the request."""


class AuthenticationError(APIError):
    """401: the token is missing, wrong or expired."""

    hint = "check the token (SCARF_API_TOKEN)"


class PermissionDeniedError(APIError):
    """403: the token's user may not do this."""

    hint = "the token's user lacks the right or the plan for this"


class NotFoundError(APIError):
    """404: there is no such thing, or the token's user may not see it."""


class ConflictError(APIError):
    """409, or a 422 of v2 whose code says so: it exists already, or contradicts what exists.

    With `if_exists="keep"`, `.requested` and `.found` hold both sides; otherwise they are None.
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
    """422: the service understood the request and refuses its content."""


class RateLimitedError(APIError):
    """429: too many requests; `.retry_after` says how long the service asked to wait."""


class ServerError(APIError):
    """5xx: the service or something before it failed."""


_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: RateLimitedError,
}


def api_error(status: int) -> type[APIError]:
    """Return the class of error for a status.

    >>> api_error(404).__name__, api_error(502).__name__, api_error(302).__name__
    ('NotFoundError', 'ServerError', 'APIError')
    """
    if status >= 500:
        return ServerError
    return _BY_STATUS.get(status, APIError)
