"""The protocol without a socket: from a call to a request, and from a response to a value or an error."""

from __future__ import annotations

import datetime as dt
import email.utils
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Generic, Protocol, TypeAlias, TypeVar, get_args
from urllib.parse import quote, urlencode

import msgspec
from yarl import URL

from scarf_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    DecodeError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ScarfError,
    ServerError,
    TransportError,
    UnprocessableError,
    ValidationError,
    WriteConfirmedError,
)
from scarf_async.protocol import tolerant
from scarf_async.protocol.wire import UnreadableError, Wire
from scarf_async.text import printable

__all__ = [
    "Addressed",
    "Answer",
    "Endpoint",
    "Lost",
    "Query",
    "Request",
    "Resend",
    "Verdict",
    "api_error",
    "class_name",
    "decode",
    "decode_with",
    "decode_written",
    "error_of",
    "is_passing",
    "is_refusal",
    "judge",
    "path_segment",
    "retry_after",
    "server_date",
    "unconfirmed",
    "written_id",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")

_BY_STATUS: Final[Mapping[int, type[APIError]]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: RateLimitedError,
}

Query: TypeAlias = Mapping[str, str | Sequence[str]]
"""The query parameters; a name with several values is repeated."""

BODY_KEPT: Final = 4096
_MESSAGE_KEPT: Final = 500

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_READING: Final = frozenset({"GET", "HEAD"})
_SECONDS = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 525)})
_EXPORT_RETRIED: Final = frozenset({429, 502, 503, 504})
_JSON_BODY: Final[Mapping[str, str]] = MappingProxyType({"Content-Type": "application/json"})


class Resend(Enum):
    """Which failures of a call allow a retry."""

    READ = "read"
    """A read: retry after every transient failure, including a truncated response."""
    REPEAT = "repeat"
    """An idempotent write: retry after every transient failure."""
    DELETE = "delete"
    """Like REPEAT, but a 404 after a retry counts as success."""
    CREATE = "create"
    """Retry after a 429 or if nothing was sent; otherwise only after a lookup."""
    ONCE = "once"
    """An unknown call: retry only if nothing was sent."""
    REFUSED = "refused"
    """Retry after a 429 or if nothing was sent; no lookup can show whether it took effect."""
    EXPORT = "export"
    """Retry after 429, 502, 503, 504 or if nothing was sent; an export that was sent may cost money."""


class Verdict(Enum):
    """What to do after an outcome."""

    SUCCESS = "success"
    AGAIN = "again"
    LOOK = "look"
    """The request may have taken effect: it must not be sent again without a lookup."""
    FAILURE = "failure"


class Endpoint(msgspec.Struct, Generic[T_co], frozen=True, eq=False):
    """One request of the service.

    Attributes:
        method: the HTTP method.
        template: the path below the base URL, such as `/packages/{package}/routes`.
        resend: which failures allow sending it again.
        answer: the type of the body of a 2xx; None if none is promised.
        wire: writes its body and reads the response.
        version: the version whose base URL it is below.
        conflicts: the codes of a 422 that mean the same as a 409.
        remark: explains an unexpected response of this version, if its meaning is known.
        content: the headers that describe its body.
    """

    method: str
    template: str
    resend: Resend
    answer: type[T_co] | None
    wire: Wire
    version: str
    conflicts: Collection[str] = ()
    remark: Callable[[str, Answer], str | None] = lambda _, __: None
    content: Mapping[str, str] = _JSON_BODY

    @property
    def reads(self) -> bool:
        """Whether it changes nothing; a search is such a POST."""
        return self.method in _READING or self.resend is Resend.READ

    @property
    def name(self) -> str:
        """Method and path template, as in errors and events; without the version for v1."""
        prefix = "" if self.version == "v1" else f"/{self.version}"
        return f"{self.method} {prefix}{self.template}"

    def request(self, body: object = None, *, query: Query | None = None, **values: str) -> Request[T_co]:
        """Build the request.

        Raises:
            ValidationError: a value cannot be part of a path.
        """
        for name, value in values.items():
            values[name] = path_segment(name, value)
        path = self.template.format_map(values)
        if query and (pairs := urlencode(query, doseq=True, quote_via=quote)):
            path += f"?{pairs}"
        return Request(self, path, None if body is None else self.wire.dump(body))


class Addressed(Protocol[T_co]):
    """A request, or an object that builds one just before it is sent."""

    @property
    def endpoint(self) -> Endpoint[T_co]:
        """The endpoint of the request."""


class Request(msgspec.Struct, Generic[T_co], frozen=True):
    """A frozen request: every attempt sends the same bytes. `target` is the encoded path with the query.

    `is_linked` means that the query comes from the service and may contain a credential: errors and events omit it.
    """

    endpoint: Endpoint[T_co]
    target: str
    body: bytes | None = None
    is_linked: bool = False


class Answer(msgspec.Struct, frozen=True):
    """A complete response, or one whose status arrived and whose body did not (`cut`, `too_long`).

    `garbled` means that the body of a `cut` cannot be decoded: a retry would not help.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str | URL = ""
    cut: TransportError | None = None
    too_long: bool = False
    garbled: bool = False

    def __repr__(self) -> str:
        # Without headers and body: tracebacks would print secrets that a service echoes.
        return f"Answer(status={self.status}, url={str(self.url)!r}, cut={self.cut!r}, too_long={self.too_long})"


class Lost(msgspec.Struct, frozen=True):
    """No response: why, and whether the request may have been sent.

    Attributes:
        error: the error of the call if it is not retried.
        sent: whether the request may have been sent.
        hopeless: whether a retry cannot help.
        answered: whether a response arrived that is not HTTP: the request may have taken effect, and a retry would
            get the same response.
    """

    error: TransportError
    sent: bool
    hopeless: bool = False
    answered: bool = False


def path_segment(name: str, value: str) -> str:
    """Encode a value as one segment of a path, so that `/ ? # %`, spaces and all other characters arrive unchanged.

    >>> path_segment("package", "linuxserver/nginx")
    'linuxserver%2Fnginx'

    Raises:
        ValidationError: it is empty, `.` or `..` (URL parsers remove these), or contains control characters.
    """
    if not isinstance(value, str):
        raise ValidationError(f"{name} must be a string; got {type(value).__name__}", field=name)
    segment = _segment(value)
    if segment is None:
        raise ValidationError(f"{name} {value!r} cannot be part of a URL; nothing was sent", field=name)
    return segment


@lru_cache(maxsize=4096)
def _segment(value: str) -> str | None:
    return None if value in {"", ".", ".."} or _CONTROL.search(value) else quote(value, safe="")


def _moment(text: str) -> dt.datetime | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def server_date(headers: Mapping[str, str]) -> dt.datetime | None:
    """Return the `Date` of the response, if it has a valid one."""
    return _moment(headers.get("Date", ""))


def retry_after(headers: Mapping[str, str], *, now: dt.datetime | None = None) -> float | None:
    """Return how many seconds the service asked to wait; None if it did not, or the value is invalid.

    An HTTP date counts from the `Date` of the response, or without one from `now` (this machine's time).

    >>> retry_after({"Retry-After": "120"})
    120.0
    >>> retry_after({"Retry-After": "Fri, 01 Mar 2024 00:00:30 GMT", "Date": "Fri, 01 Mar 2024 00:00:00 GMT"})
    30.0
    >>> retry_after({"Retry-After": "soon"}) is None
    True
    """
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
        return seconds if math.isfinite(seconds) else None
    until = _moment(text)
    if until is None:
        return None
    return max(0.0, (until - (server_date(headers) or now or dt.datetime.now(dt.UTC))).total_seconds())


def judge(resend: Resend, outcome: Answer | Lost) -> Verdict:
    """Decide what may follow an outcome. This table is the whole of retry safety."""
    if isinstance(outcome, Lost):
        if outcome.hopeless:
            return Verdict.FAILURE
        if not outcome.sent:
            return Verdict.AGAIN
        if outcome.answered and resend is not Resend.CREATE:
            return Verdict.FAILURE
        return {
            Resend.CREATE: Verdict.LOOK,
            Resend.EXPORT: Verdict.FAILURE,
            Resend.ONCE: Verdict.FAILURE,
            Resend.REFUSED: Verdict.FAILURE,
        }.get(resend, Verdict.AGAIN)
    status = outcome.status
    if 200 <= status < 300:
        # The status says that a write took effect; half of a read is useless.
        if outcome.cut and resend is Resend.READ:
            return Verdict.FAILURE if outcome.garbled else Verdict.AGAIN
        return Verdict.SUCCESS
    if resend is Resend.ONCE:
        return Verdict.FAILURE
    if resend is Resend.EXPORT:
        return Verdict.AGAIN if status in _EXPORT_RETRIED else Verdict.FAILURE
    if resend is Resend.REFUSED:
        return Verdict.AGAIN if status == 429 else Verdict.FAILURE
    # A rate limit may also be a 403 with a `Retry-After`; any other 403 is final.
    if status in _RETRIED or (status == 403 and retry_after(outcome.headers) is not None):
        return Verdict.LOOK if resend is Resend.CREATE and status != 429 else Verdict.AGAIN
    return Verdict.FAILURE


def is_passing(status: int) -> bool:
    """Return whether a status is transient, and not caused by the request."""
    return status in _RETRIED


def is_refusal(outcome: Answer | Lost) -> bool:
    """Return whether the service accepted nothing for now: it is overloaded or down."""
    if isinstance(outcome, Lost):
        return not outcome.sent and not outcome.hopeless
    return outcome.status in {429, 503} or (outcome.status == 403 and retry_after(outcome.headers) is not None)


def _words(body: bytes) -> tuple[str, str | None]:
    """Find the service's message and code in the body of an error, whose form is not documented."""
    try:
        value = tolerant.loads(body)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace").strip()
        return ("" if text.startswith("<") else text), None
    if isinstance(value, str):
        return value, None
    if not isinstance(value, dict):
        return "", None
    detail = value.get("detail")
    texts = [value.get("message"), _details(detail) if isinstance(detail, list) else detail]
    texts += [value.get("error"), value.get("title")]
    message = next((text for text in texts if isinstance(text, str) and text), "")
    code = value.get("code")
    return message, str(code) if isinstance(code, str | int) else None


def _details(problems: Sequence[object]) -> str:
    """Return what frameworks report for each invalid field: `{"loc": ["body", "name"], "msg": "..."}`."""
    said = []
    for problem in problems:
        if isinstance(problem, str):
            said.append(problem)
        elif isinstance(problem, dict) and isinstance(words := problem.get("msg") or problem.get("message"), str):
            place = problem.get("loc")
            said.append(f"{'.'.join(map(str, place))}: {words}" if isinstance(place, list) and place else words)
    return "; ".join(filter(None, said))


def api_error(status: int) -> type[APIError]:
    """Return the error class for a status code.

    >>> api_error(404).__name__, api_error(502).__name__, api_error(302).__name__
    ('NotFoundError', 'ServerError', 'APIError')
    """
    if status >= 500:
        return ServerError
    return _BY_STATUS.get(status, APIError)


def error_of(request: Addressed[T], answer: Answer, *, attempts: int) -> APIError:
    """Return the error for a response that is not a success; only the status decides its class."""
    message, code = _words(answer.body[: BODY_KEPT * 4])
    if 300 <= answer.status < 400 and not message:
        message = "redirects of this call are not followed; check the base address"
    is_conflict = answer.status == 422 and code in request.endpoint.conflicts
    error = (ConflictError if is_conflict else api_error(answer.status))(
        printable(message[:_MESSAGE_KEPT]),
        status=answer.status,
        method=request.endpoint.method,
        url=str(answer.url),
        code=None if code is None else printable(code[:_MESSAGE_KEPT]),
        body=answer.body[:BODY_KEPT],
        attempts=attempts,
        retry_after=retry_after(answer.headers),
    )
    _remark(request, answer, error)
    return error


def _remark(request: Addressed[T], answer: Answer, error: ScarfError) -> None:
    remark = request.endpoint.remark(request.endpoint.method, answer)
    if remark is not None:
        error.add_note(remark)


def class_name(target: object) -> str:
    """Return the name of a type for errors: the class, or that of the elements of a list."""
    (item,) = get_args(target) or (target,)
    return getattr(item, "__name__", str(item))


def decode(request: Addressed[T], answer: Answer) -> T:
    """Decode a successful response as the type that its endpoint promises.

    Raises:
        DecodeError: the response has another form.
    """
    return decode_with(request, answer, request.endpoint.wire.read)


def decode_with(request: Addressed[T], answer: Answer, read: Callable[[bytes, type[T]], U]) -> U:
    """Decode a successful response with a function that raises `UnreadableError`.

    Raises:
        DecodeError: the response cannot be decoded.
    """
    target = request.endpoint.answer
    if target is None:
        raise TypeError(f"{request.endpoint.name} has no response type")
    if answer.too_long:
        path, reason = "", "the response is longer than max_response_bytes"
    else:
        try:
            return read(answer.body, target)
        except UnreadableError as error:
            path, reason = error.path, error.reason
    failure = DecodeError(reason, endpoint=request.endpoint.name, entity=class_name(target), path=path)
    _remark(request, answer, failure)
    raise failure


def decode_written(request: Addressed[T], answer: Answer) -> T | None:
    """Decode the response to a write if it is the entity: what writes return is not documented."""
    if answer.cut or answer.too_long:
        return None
    try:
        return decode(request, answer)
    except DecodeError:
        return None


def written_id(answer: Answer) -> str | None:
    """Return the identifier in a response that otherwise does not have the documented form."""
    try:
        value = tolerant.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    identifier = (value.get("uuid") or value.get("id")) if isinstance(value, dict) else None
    return str(identifier) if type(identifier) in {str, int} else None


def unconfirmed(request: Addressed[T], requested: object, failure: ScarfError | None) -> WriteConfirmedError:
    """Return the error for a write that took effect but could not be read back."""
    why = f": {failure}" if failure else ": it was not found"
    return WriteConfirmedError(
        f"{request.endpoint.name} succeeded, but reading back failed{why}; do not repeat it",
        requested=requested,
        failure=failure,
    )
