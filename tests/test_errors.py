"""The tree of errors: relations, texts, and that all of it survives pickling."""

from __future__ import annotations

import copy
import pickle
from typing import TypeVar

import pytest

from scarf_async import errors
from scarf_async.entities import Organization, OrganizationUpsert
from scarf_async.errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    BulkError,
    ClientClosedError,
    ClusterLostError,
    ConfigurationError,
    ConflictError,
    ConnectFailedError,
    ConnectTimeoutError,
    DecodeError,
    ExportError,
    GuardError,
    JobBusyError,
    JournalError,
    LoadError,
    MalformedRecordError,
    ManifestError,
    ManifestProblem,
    NotFoundError,
    OutcomeUnknownError,
    PaginationError,
    PermissionDeniedError,
    RateLimitedError,
    ReadOnlyError,
    RecordTooLongError,
    RequestTimeoutError,
    ScarfError,
    ServerError,
    StreamClosedError,
    StreamConsumedError,
    TransportError,
    TruncatedExportError,
    UnprocessableError,
    UnsupportedError,
    ValidationError,
    WriteConfirmedError,
    WrongEventLoopError,
)
from scarf_async.protocol.messages import api_error

E = TypeVar("E", bound=BaseException)

URL = "https://scarf.sh/api/v1/packages"
WANTED = OrganizationUpsert(name="acme", description="", billing_email="a@acme.example")
THERE = Organization(name="acme", description="other")


def answered(kind: type[APIError], status: int) -> APIError:
    """Make an error of a response with every attribute set."""
    return kind(
        "no such thing",
        status=status,
        method="GET",
        url=URL,
        code="some-code",
        body=b'{"message": "no such thing"}',
        attempts=3,
        retry_after=1.5,
    )


FAILURE = answered(ServerError, 503)

EVERY: list[ScarfError] = [
    ScarfError("something"),
    ConfigurationError("no token"),
    ValidationError("name must not be empty", field="name"),
    UnsupportedError("v1 has no importance", field="importance", operations=["an operation"]),
    ClientClosedError(),
    ClientClosedError("the session is closed"),
    WrongEventLoopError("another loop"),
    ReadOnlyError("read-only"),
    TransportError("cut", method="GET", url=URL, attempts=3),
    ConnectFailedError("no route", method="GET", url=URL, attempts=2),
    ConnectTimeoutError("no connection within 10 s", method="PUT", url=URL, attempts=8),
    RequestTimeoutError("nothing came", method="DELETE", url=URL, attempts=8),
    OutcomeUnknownError(
        "unknown", requested=WANTED, found=THERE, failure=FAILURE, look_failure=TransportError("x")
    ),
    OutcomeUnknownError("unknown", requested=WANTED),
    WriteConfirmedError("cannot be read back", requested=WANTED, failure=FAILURE),
    DecodeError("expected a string", endpoint="GET /packages", entity="Package", path="[3].name"),
    PaginationError("the list cannot be shown to be whole", endpoint="GET /packages", entity="Package"),
    ExportError("no CSV"),
    JobBusyError("in use"),
    ClusterLostError("the scheduler is gone"),
    LoadError("the table is missing", ddl="CREATE TABLE t ();\n"),
    TruncatedExportError("cut off", bytes_received=7, records_received=1),
    MalformedRecordError("line 3: a field too many", line_number=3, reason="a field too many"),
    RecordTooLongError("line 3 is too long", line_number=3, limit=100),
    StreamConsumedError("read already"),
    StreamClosedError("closed"),
    JournalError("another plan", path="acme.journal", report={"done": 3}),
    ManifestError([ManifestProblem("acme.yaml", 3, 1, "me", "must be a text")]),
    BulkError("2 operations failed", [answered(NotFoundError, 404), TransportError("cut")]),
    GuardError("9 removals are too many"),
    answered(APIError, 418),
    answered(BadRequestError, 400),
    answered(AuthenticationError, 401),
    answered(PermissionDeniedError, 403),
    answered(NotFoundError, 404),
    answered(ConflictError, 409),
    ConflictError("it differs", method="POST", url=URL, attempts=0, requested=WANTED, found=THERE),
    answered(UnprocessableError, 422),
    answered(RateLimitedError, 429),
    answered(ServerError, 503),
]


def facts(value: object) -> object:
    """Take an error apart into what can be compared: class, text, arguments, attributes, notes."""
    if isinstance(value, BaseException):
        return type(value), str(value), facts(value.args), facts(vars(value))
    if isinstance(value, dict):
        return {key: facts(item) for key, item in value.items()}
    return [facts(item) for item in value] if isinstance(value, list | tuple) else value


def test_every_class_is_among_the_cases() -> None:
    """The table of cases below leaves no class of the module out."""
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ScarfError)}
    assert kinds == {type(error) for error in EVERY}
    assert {kind.__name__ for kind in kinds} | {"ManifestProblem", "ScarfWarning"} == set(errors.__all__)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_an_error_pickles_with_all_it_knows(error: ScarfError, protocol: int) -> None:
    """Class, text, every attribute and the notes come back from a pickle."""
    original = copy.copy(error)
    original.add_note("seen at night")
    back = pickle.loads(pickle.dumps(original, protocol))  # noqa: S301 # our own bytes
    assert facts(back) == facts(original)
    assert back.__notes__ == ["seen at night"]


@pytest.mark.parametrize("error", EVERY, ids=lambda error: type(error).__name__)
def test_an_error_can_be_copied(error: ScarfError) -> None:
    """A deep copy is another object of the same content."""
    back = copy.deepcopy(error)
    assert back is not error
    assert facts(back) == facts(error)


def test_a_copy_has_notes_of_its_own() -> None:
    """A note that is added to a copy does not show on the original made without one."""
    error = TransportError("cut")
    copy.copy(error).add_note("later")
    assert not hasattr(error, "__notes__")


@pytest.mark.parametrize(
    ("kind", "parents"),
    [
        (ScarfError, {Exception}),
        (ConfigurationError, {ScarfError}),
        (ValidationError, {ScarfError, ValueError}),
        (UnsupportedError, {ValidationError}),
        (ClientClosedError, {ScarfError}),
        (WrongEventLoopError, {ScarfError}),
        (ReadOnlyError, {ScarfError}),
        (TransportError, {ScarfError}),
        (ConnectFailedError, {TransportError}),
        (RequestTimeoutError, {TransportError, TimeoutError}),
        (ConnectTimeoutError, {ConnectFailedError, RequestTimeoutError, TimeoutError}),
        (OutcomeUnknownError, {ScarfError}),
        (WriteConfirmedError, {ScarfError}),
        (DecodeError, {ScarfError}),
        (PaginationError, {DecodeError}),
        (ExportError, {ScarfError}),
        (TruncatedExportError, {ExportError}),
        (MalformedRecordError, {ExportError}),
        (RecordTooLongError, {ExportError}),
        (StreamConsumedError, {ExportError}),
        (StreamClosedError, {ExportError}),
        (JournalError, {ScarfError}),
        (ManifestError, {ValidationError}),
        (BulkError, {ScarfError, ExceptionGroup}),
        (APIError, {ScarfError}),
        *(
            (kind, {APIError})
            for kind in (
                BadRequestError,
                AuthenticationError,
                PermissionDeniedError,
                NotFoundError,
                ConflictError,
                UnprocessableError,
                RateLimitedError,
                ServerError,
            )
        ),
    ],
)
def test_the_tree(kind: type[ScarfError], parents: set[type[BaseException]]) -> None:
    """Each class is caught by its parents and by the root."""
    assert all(issubclass(kind, parent) for parent in parents)
    assert issubclass(kind, ScarfError)


@pytest.mark.parametrize(
    ("kind", "stranger"),
    [
        (TransportError, TimeoutError),
        (ConnectFailedError, TimeoutError),
        (TransportError, APIError),
        (ServerError, TransportError),
        (OutcomeUnknownError, APIError),
        (WriteConfirmedError, APIError),
        (DecodeError, ValueError),
        (ConfigurationError, ValueError),
        (BulkError, APIError),
    ],
)
def test_what_is_not_related(kind: type[ScarfError], stranger: type[BaseException]) -> None:
    """A handler for one kind of failure does not catch another."""
    assert not issubclass(kind, stranger)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TransportError("cut", method="GET", url=URL, attempts=3), f"GET {URL}: cut (3 attempts)"),
        (TransportError("cut", method="GET", url=URL), f"GET {URL}: cut"),
        (TransportError("cut"), "cut"),
        (TransportError("cut", attempts=2), "cut (2 attempts)"),
        (
            ConnectTimeoutError("no connection within 10 s", method="PUT", url=URL),
            f"PUT {URL}: no connection within 10 s",
        ),
        (
            DecodeError("expected a string", endpoint="GET /packages", entity="Package", path="[3].name"),
            "GET /packages: cannot read Package at [3].name: expected a string",
        ),
        (
            DecodeError("the response is empty", endpoint="GET /packages", entity="Package"),
            "GET /packages: cannot read Package: the response is empty",
        ),
        (APIError("gone", status=410, method="GET", url=URL), f"GET {URL}: 410 Gone: gone"),
        (APIError(status=418, method="GET", url=URL), f"GET {URL}: 418 I'm a Teapot"),
        (APIError(status=599, method="GET", url=URL), f"GET {URL}: 599"),
        (answered(NotFoundError, 404), f"GET {URL}: 404 Not Found: no such thing [some-code] (3 attempts)"),
        (
            AuthenticationError(status=401, method="GET", url=URL),
            f"GET {URL}: 401 Unauthorized; check the token (SCARF_API_TOKEN)",
        ),
        (
            PermissionDeniedError("no", status=403, method="GET", url=URL),
            f"GET {URL}: 403 Forbidden: no; the token's user lacks the right or the plan for this",
        ),
        (ConflictError("taken", method="POST", url=URL), f"POST {URL}: 409 Conflict: taken"),
        (ValidationError("name must not be empty", field="name"), "name must not be empty"),
        (ClientClosedError(), "this client is closed; create a new Scarf()"),
    ],
)
def test_the_text_says_what_and_where(error: ScarfError, text: str) -> None:
    """The text of an error names the request, what was said to it and how often it was sent."""
    assert str(error) == text


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (100, APIError),
        (301, APIError),
        (302, APIError),
        (304, APIError),
        (400, BadRequestError),
        (401, AuthenticationError),
        (402, APIError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (405, APIError),
        (408, APIError),
        (409, ConflictError),
        (410, APIError),
        (413, APIError),
        (418, APIError),
        (422, UnprocessableError),
        (425, APIError),
        (429, RateLimitedError),
        (499, APIError),
        *((status, ServerError) for status in (500, 501, 502, 503, 504, 511, 520, 524, 599)),
    ],
)
def test_the_class_of_a_status(status: int, kind: type[APIError]) -> None:
    """Each status has one class of error."""
    assert api_error(status) is kind


def test_the_attributes_of_an_answer() -> None:
    """What the service answered is in the attributes."""
    error = answered(NotFoundError, 404)
    assert (error.status, error.method, error.url, error.message) == (404, "GET", URL, "no such thing")
    assert (error.code, error.attempts, error.retry_after) == ("some-code", 3, 1.5)
    assert error.body == b'{"message": "no such thing"}'


def test_the_defaults_of_an_answer() -> None:
    """A response that says nothing leaves an empty message and no code."""
    error = NotFoundError(status=404, method="GET", url=URL)
    assert (error.message, error.code, error.body, error.attempts, error.retry_after) == ("", None, b"", 1, None)


def test_a_conflict_holds_both_sides() -> None:
    """What was asked for and what was found are both on the error."""
    error = ConflictError("it differs", method="POST", url=URL, requested=WANTED, found=THERE)
    assert (error.status, error.requested, error.found) == (409, WANTED, THERE)


def test_a_bulk_error_is_a_group() -> None:
    """`except*` takes the failures apart by class, and what is left is a BulkError still."""
    missing, cut = answered(NotFoundError, 404), TransportError("cut")
    taken, left = BulkError("2 operations failed", [missing, cut]).split(NotFoundError)
    assert isinstance(taken, BulkError)
    assert isinstance(left, BulkError)
    assert (taken.exceptions, left.exceptions) == ((missing,), (cut,))
    assert left.message == "2 operations failed"


def test_except_star_takes_a_bulk_error_apart() -> None:
    """A handler for one class sees the failures of that class."""
    seen: list[str] = []
    try:
        raise BulkError("2 operations failed", [answered(NotFoundError, 404), TransportError("cut")])
    except* NotFoundError as group:
        seen += [type(error).__name__ for error in group.exceptions]
    except* TransportError as group:
        seen += [type(error).__name__ for error in group.exceptions]
    assert seen == ["NotFoundError", "TransportError"]
