"""The pure protocol: what may be sent again, how long to wait, what an error says, how a path is built."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from email.utils import format_datetime
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from scarf_async.dialects.exports import EXPORTS, export_call
from scarf_async.dialects.v1 import requests as endpoints_v1
from scarf_async.entities import Member, MemberUpsert, Organization, PermissionSet
from scarf_async.errors import (
    APIError,
    ConflictError,
    DecodeError,
    NotFoundError,
    ServerError,
    TransportError,
    ValidationError,
)
from scarf_async.protocol.messages import (
    Answer,
    Query,
    Resend,
    Verdict,
    decode,
    decode_written,
    error_of,
    judge,
    path_segment,
    retry_after,
    server_date,
)

NOON: Final = dt.datetime(2024, 3, 1, 12, tzinfo=dt.UTC)
NOON_HEADER: Final = "Fri, 01 Mar 2024 12:00:00 GMT"
BASE: Final = "https://scarf.sh/api/v1"


def answer(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"", **more: bool) -> Answer:
    """Make a response; `cut` and `too_long` say that its body is not whole."""
    cut = TransportError("cut") if more.get("cut") else None
    return Answer(status, headers or {}, body, f"{BASE}/packages", cut=cut, too_long=more.get("too_long", False))


_PASSING: Final = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524}


def like(status: int, *, waits: bool) -> int:
    """Name the status of the table of faults that this one must be judged like."""
    if 200 <= status < 300:
        return 200
    if status == 429 or (status == 403 and waits):
        return status
    if status in {502, 503, 504}:
        return 503
    return 500 if status in _PASSING else 400


@pytest.mark.parametrize("resend", Resend)
@pytest.mark.parametrize(
    ("wait", "waits"), [(None, False), ("3", True), ("0", True), (NOON_HEADER, True), ("soon", False), ("", False)]
)
def test_every_status_is_judged_like_one_of_the_table(resend: Resend, wait: str | None, waits: bool) -> None:
    """`tests/faults` shows what each verdict leads to; no other status, header or end of a body makes a case."""
    headers = {} if wait is None else {"Retry-After": wait}
    for status in range(100, 600):
        model = like(status, waits=waits)
        shown = judge(resend, answer(model, headers if model == 403 else None))
        cut = judge(resend, answer(200, cut=True)) if model == 200 else shown
        assert judge(resend, answer(status, headers)) is shown, status
        assert judge(resend, answer(status, headers, too_long=True)) is shown, status
        assert judge(resend, answer(status, headers, cut=True)) is cut, status


@given(status=st.integers(100, 599), wait=st.sampled_from([None, "3", "soon"]), cut=st.booleans())
def test_a_create_is_never_blindly_repeated(status: int, wait: str | None, cut: bool) -> None:
    """Whatever is answered to a create, only a 429 allows sending it again without looking."""
    headers = {} if wait is None else {"Retry-After": wait}
    verdict = judge(Resend.CREATE, answer(status, headers, cut=cut))
    assert (verdict is Verdict.AGAIN) == (status == 429)
    assert (verdict is Verdict.SUCCESS) == (200 <= status < 300)


@pytest.mark.parametrize(
    ("version", "kind", "owner", "target"),
    [
        ("v1", "organization_aggregates", "acme", "/organizations/acme/aggregates"),
        ("v1", "user_aggregates", "ann", "/users/ann/aggregates"),
        ("v1", "package_events", "a/b", "/packages/a%2Fb/u-1/events/events.csv"),
        ("v1", "package_events", None, "/packages/u-1/events/events.csv"),
        ("v1", "pixel_events", None, "/pixels/events/events.csv"),
        ("v2", "package_events", "a/b", "/packages/a%2Fb/u-1/events"),
        ("v2", "owner_events", "a/b", "/packages/a%2Fb/events"),
        ("v2", "pixel_events", "a/b", "/tracking-pixels/a%2Fb/events"),
        ("v2", "company_events", "a/b", "/companies/a%2Fb/c.example/events"),
        ("v2", "pixel_rollup", "a/b", "/companies/a%2Fb/pixel-rollup"),
        ("v3", "aggregations", "a/b", "/insights/a%2Fb/aggregations/export"),
    ],
)
def test_the_address_of_each_export(version: str, kind: str, owner: str | None, target: str) -> None:
    """An export is a GET below its version's address, with the two dates under that version's names."""
    call = export_call(kind, version, owner)
    package = "u-1" if kind == "package_events" else None
    request = call.request(
        dt.date(2024, 2, 28), dt.date(2024, 3, 1), owner=owner, package=package, domain="c.example"
    )
    dates = "startDate=2024-02-28&endDate=2024-03-01"
    if version != "v1":
        dates = "start_date=2024-02-28&end_date=2024-03-01"
    assert (request.endpoint.method, request.target, request.body) == ("GET", f"{target}?{dates}", None)
    assert request.endpoint.resend is Resend.EXPORT
    assert request.endpoint.version == version


def test_every_export_has_its_address_checked() -> None:
    """The table above leaves no export out."""
    (mark,) = [mark for mark in test_the_address_of_each_export.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined] # pytest puts it there
    assert {(version, kind) for version, kind, *_ in mark.args[1]} == set(EXPORTS)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("1", 1.0),
        ("120", 120.0),
        (" 120 ", 120.0),
        ("007", 7.0),
        ("1.5", 1.5),
        ("0.25", 0.25),
        ("86400000000", 86_400_000_000.0),
        ("9" * 400, None),
        ("", None),
        (" ", None),
        ("-1", None),
        ("-0.5", None),
        ("+5", None),
        ("1e3", None),
        ("1,5", None),
        (".5", None),
        ("5.", None),
        ("5s", None),
        ("5 seconds", None),
        ("1 2", None),
        ("0x10", None),
        ("inf", None),
        ("nan", None),
        ("\u0665", None),
        ("soon", None),
        ("null", None),
        ("Fri, 01 Mar 2024 12:00:30 GMT", 30.0),
        ("Fri, 01 Mar 2024 12:00:30 -0000", 30.0),
        ("Fri, 01 Mar 2024 13:00:30 +0100", 30.0),
        ("01 Mar 2024 12:00:30 GMT", 30.0),
        ("Friday, 01-Mar-24 12:00:30 GMT", 30.0),
        ("Fri Mar  1 12:00:30 2024", 30.0),
        ("Fri, 01 Mar 2024 12:00:00 GMT", 0.0),
        ("Fri, 01 Mar 2024 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Sat, 02 Mar 2024 12:00:00 GMT", 86_400.0),
        ("Fri, 99 Mar 2024 12:00:00 GMT", None),
        ("Fri, 01 Foo 2024 12:00:00 GMT", None),
        ("Fri, 01 Mar 99999 12:00:00 GMT", None),
        ("Fri, 01 Mar 2024 25:61:61 GMT", None),
        ("2024-03-01T12:00:30Z", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds and HTTP dates are read; negative ones, infinite ones and nonsense are as if they were not there."""
    assert retry_after({"Retry-After": value, "Date": NOON_HEADER}) == seconds


def test_no_retry_after() -> None:
    """Without the header there is nothing to wait for."""
    assert retry_after({}) is None


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        (NOON_HEADER, 30.0),
        ("Fri, 01 Mar 2024 11:59:00 GMT", 90.0),
        (None, 40.0),
        ("yesterday", 40.0),
        ("", 40.0),
    ],
)
def test_a_date_is_reckoned_by_the_service_s_clock(date: str | None, seconds: float) -> None:
    """The response's own Date counts; this machine's clock only where there is no readable one."""
    headers = {"Retry-After": "Fri, 01 Mar 2024 12:00:30 GMT"} | ({} if date is None else {"Date": date})
    assert retry_after(headers, now=NOON - dt.timedelta(seconds=10)) == seconds


def test_a_date_without_any_clock_given() -> None:
    """Without a Date and without `now`, this machine's clock is asked."""
    assert retry_after({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}) == 0.0


@given(value=st.text(max_size=50), date=st.text(max_size=50))
def test_any_header_gives_a_wait_or_none(value: str, date: str) -> None:
    """No text in the headers makes reading fail; a wait is finite and not negative."""
    seconds = retry_after({"Retry-After": value, "Date": date})
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


@given(
    moment=st.datetimes(min_value=dt.datetime(1970, 1, 1), max_value=dt.datetime(9000, 1, 1)),  # noqa: DTZ001 # hypothesis wants naive bounds
    wait=st.integers(0, 10**8),
)
def test_any_date_gives_its_distance(moment: dt.datetime, wait: int) -> None:
    """An HTTP date so many seconds after the response's own is that many seconds of wait."""
    date = moment.replace(tzinfo=dt.UTC, microsecond=0)
    until = date + dt.timedelta(seconds=wait)
    headers = {
        "Retry-After": format_datetime(until, usegmt=True),
        "Date": format_datetime(date, usegmt=True),
    }
    assert retry_after(headers) == wait


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Date": NOON_HEADER}, NOON),
        ({"Date": "Fri, 01 Mar 2024 12:00:00 -0000"}, NOON),
        ({}, None),
        ({"Date": "now"}, None),
    ],
)
def test_the_server_s_date(headers: dict[str, str], expected: dt.datetime | None) -> None:
    """The response's Date is an aware time, or None where it is missing or unreadable."""
    assert server_date(headers) == expected


GET = endpoints_v1.GET_ORGANIZATION.request(organization="acme")


def error_for(body: bytes, status: int = 400, headers: Mapping[str, str] | None = None) -> APIError:
    """Build the error of a response."""
    return error_of(GET, answer(status, headers, body), attempts=2)


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"message": "no such thing"}', "no such thing", None),
        (
            b'{"message": "too many", "code": "max-organization-members-reached"}',
            "too many",
            "max-organization-members-reached",
        ),
        (b'{"detail": "no such thing"}', "no such thing", None),
        (b'{"error": "no such thing"}', "no such thing", None),
        (b'{"title": "no such thing"}', "no such thing", None),
        (b'{"message": "first", "detail": "second", "error": "third"}', "first", None),
        (b'{"message": "", "error": "third"}', "third", None),
        (b'{"message": null, "detail": "second"}', "second", None),
        (b'{"message": {"text": "x"}, "error": ["y"]}', "", None),
        (b'{"message": "no", "code": 17}', "no", "17"),
        (b'{"message": "no", "code": null}', "no", None),
        (b'{"message": "no", "code": ["x"]}', "no", None),
        (b'{"code": "billing-error"}', "", "billing-error"),
        (b'"no such thing"', "no such thing", None),
        (b'["no such thing"]', "", None),
        (b"17", "", None),
        (b"null", "", None),
        (b"{}", "", None),
        (b"", "", None),
        (b"  \r\n ", "", None),
        (b"no such thing\r\n", "no such thing", None),
        (b"upstream connect error\n", "upstream connect error", None),
        (b"<!DOCTYPE html><h1>502 Bad Gateway</h1>", "", None),
        (b"\n <html>s</html>", "", None),
        (b'{"message": "torn', '{"message": "torn', None),
        (b"\xff\xfe", "\ufffd\ufffd", None),
        ('{"message": "für Ann"}'.encode(), "für Ann", None),
        (b"[" * 10_000, "[" * 500, None),
        (json.dumps({"message": "x" * 600, "code": "y" * 600}).encode(), "x" * 500, "y" * 500),
        (b"a" * 5000, "a" * 500, None),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_the_service_s_own_words(body: bytes, message: str, code: str | None) -> None:
    """The message and the code are taken from JSON or text of any form; a page of HTML says nothing."""
    error = error_for(body)
    assert (error.message, error.code) == (message, code)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines", "two\\nlines"),
        ("\x00\x07\x7f", "\\x00\\x07\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u2028b\u2029c", "a\\u2028b\\u2029c"),
        ("tab\there", "tab\\there"),
    ],
)
def test_control_characters_are_escaped(text: str, escaped: str) -> None:
    """The service's words cannot steer a terminal or forge a line of a log."""
    error = error_for(json.dumps({"message": text, "code": text}).encode())
    assert (error.message, error.code) == (escaped, escaped)
    assert text not in str(error)


@given(st.binary(max_size=200), st.integers(300, 599))
def test_any_body_makes_an_error(body: bytes, status: int) -> None:
    """Whatever the body is, the status makes the error, and its text is printable in one line."""
    error = error_for(body, status)
    assert error.status == status
    assert error.body == body
    assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("length", [0, 4095, 4096, 4097, 100_000])
def test_four_kibibytes_of_the_body_are_kept(length: int) -> None:
    """The body on the error is the first 4 KiB, byte for byte."""
    body = bytes(index % 251 for index in range(length))
    assert error_for(body).body == body[:4096]


def test_the_message_is_found_in_a_body_longer_than_what_is_kept() -> None:
    """A long JSON body still gives its message."""
    body = json.dumps({"trace": "x" * 5000, "message": "no such thing"}).encode()
    assert error_for(body).message == "no such thing"


def test_an_error_knows_its_request() -> None:
    """Method, address, number of sends and the wait that was asked for are on the error."""
    error = error_for(b"", 503, {"Retry-After": "7"})
    assert isinstance(error, ServerError)
    assert (error.method, error.url, error.attempts, error.retry_after) == ("GET", f"{BASE}/packages", 2, 7.0)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_says_what_to_check(status: int) -> None:
    """A redirect of an ordinary call is an error that points at the base address."""
    assert "base address" in error_for(b"", status).message
    assert error_for(b'{"message": "moved"}', status).message == "moved"


def test_the_status_decides() -> None:
    """A body that looks like a success does not make one of an error."""
    assert isinstance(error_for(b'{"name": "acme"}', 404), NotFoundError)
    assert isinstance(error_for(b"<html>", 409), ConflictError)


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        ("acme", "acme"),
        ("linuxserver/nginx", "linuxserver%2Fnginx"),
        ("a b", "a%20b"),
        ("a?b#c", "a%3Fb%23c"),
        ("100%", "100%25"),
        ("a%2Fb", "a%252Fb"),
        ("a+b", "a%2Bb"),
        ("a;b=c&d", "a%3Bb%3Dc%26d"),
        ("...", "..."),
        (".hidden", ".hidden"),
        ("../x", "..%2Fx"),
        ("..\\x", "..%5Cx"),
        ("%2e%2e", "%252e%252e"),
        ("{package}", "%7Bpackage%7D"),
        ("\u00fcber", "%C3%BCber"),
        ("\U0001f389", "%F0%9F%8E%89"),
        ("@scope/name", "%40scope%2Fname"),
        (" ", "%20"),
        ("~user_1-x.y", "~user_1-x.y"),
    ],
)
def test_a_segment(value: str, segment: str) -> None:
    """Everything but unreserved characters is percent-encoded."""
    assert path_segment("package", value) == segment


@pytest.mark.parametrize(
    "value",
    ["", ".", "..", "\x00", "a\nb", "a\rb", "a\tb", "\x1b", "\x7f", "\x85", "\x9f", "\u2028", "\ud800", "a\udfff"],
)
def test_what_cannot_stand_in_a_path(value: str) -> None:
    """Empty, dots, control characters and half characters are refused, and the error names the value's role."""
    with pytest.raises(ValidationError, match="nothing was sent") as caught:
        path_segment("package", value)
    assert caught.value.field == "package"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", [None, 7, b"acme", ["acme"]])
def test_only_strings_stand_in_a_path(value: object) -> None:
    """A value of another type is refused instead of being turned into text."""
    with pytest.raises(ValidationError, match="organization must be a string"):
        endpoints_v1.GET_ORGANIZATION.request(organization=value)  # type: ignore[arg-type] # what the types forbid


@given(st.text(min_size=1))
def test_a_segment_decodes_back(value: str) -> None:
    """On a raw split of the path the segment is alone and decodes to the same string; else it is refused."""
    try:
        request = endpoints_v1.LIST_ROUTES.request(package=value)
    except ValidationError:
        assert value in {".", ".."} or not value.isprintable()
        return
    path = urlsplit(BASE + request.target).path
    empty, api, v1, packages, segment, routes = path.split("/")
    assert (empty, api, v1, packages, routes) == ("", "api", "v1", "packages", "routes")
    assert unquote(segment, errors="strict") == value
    assert request.target.isascii()


@given(st.one_of(st.text(alphabet="./\\%2eE?#{}:@;", min_size=1, max_size=8), st.text(min_size=1)))
def test_no_value_leaves_its_place(value: str) -> None:
    """Neither dots nor slashes, in any encoding, take an address out of where it belongs."""
    try:
        request = endpoints_v1.DELETE_PACKAGE.request(package=value)
    except ValidationError:
        return
    address = BASE + request.target
    assert str(URL(address, encoded=True)) == address
    assert urljoin("https://other.example/", address) == address
    assert URL(address, encoded=True).raw_path == "/api/v1/packages/" + quote(value, safe="")
    assert URL(address, encoded=True).raw_query_string == ""


def test_a_value_is_not_a_template() -> None:
    """Braces in one value do not pull in another."""
    request = endpoints_v1.REMOVE_MEMBER.request(organization="{username}", username="ann")
    assert request.target == "/organizations/%7Busername%7D/users/ann"


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ({"type": ["docker", "a b"], "after": "x/y"}, "/packages/web?type=docker&type=a%20b&after=x%2Fy"),
        ({"type": ("docker",)}, "/packages/web?type=docker"),
        ({"type": []}, "/packages/web"),
        ({"type": ""}, "/packages/web?type="),
        ({}, "/packages/web"),
        (None, "/packages/web"),
    ],
)
def test_a_parameter_of_several_values_is_repeated(query: Query | None, target: str) -> None:
    """Each value of a sequence is a parameter of its own; of none there is nothing in the address."""
    assert endpoints_v1.GET_PACKAGE.request(query=query, package="web").target == target


def test_a_query_is_encoded() -> None:
    """Query values carry any text."""
    request = endpoints_v1.GET_PACKAGE.request(query={"packageType": "a b&c=d/e?"}, package="web")
    assert request.target == "/packages/web?packageType=a%20b%26c%3Dd%2Fe%3F"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, None),
        (MemberUpsert("ann", "admin"), b'{"username":"ann","role":"admin"}'),
        ([PermissionSet("ann", "admin")], b'[{"userQuery":"ann","permissionLevel":"admin"}]'),
        ([], b"[]"),
    ],
)
def test_the_body_of_a_request(body: object, expected: bytes | None) -> None:
    """A request holds the bytes that every attempt sends."""
    assert endpoints_v1.UPSERT_MEMBER.request(body, organization="acme").body == expected


LIST = endpoints_v1.LIST_MEMBERS.request(organization="acme")


def test_a_success_is_decoded() -> None:
    """A success reads as what its endpoint promises."""
    body = b'[{"username": "ann", "role": "admin", "organizationName": "acme"}]'
    assert decode(LIST, answer(200, body=body)) == [Member(organization_name="acme", username="ann", role="admin")]


@pytest.mark.parametrize(
    ("given_answer", "text"),
    [
        (answer(200, body=b"<html>s3cr3t"), "cannot read Member: the response is not JSON"),
        (answer(200), "cannot read Member: the response is empty"),
        (answer(200, body=b'{"s3cr3t": 1}'), "cannot read Member: expected an array, found an object"),
        (
            answer(200, body=b'[{"username": "s3cr3t", "role": 7}]'),
            "cannot read Member at [0].role: expected a string, found a number",
        ),
        (
            answer(200, body=b'[{"username": "s3cr3t"}]'),
            "cannot read Member at [0].role: a required field is missing",
        ),
        (
            answer(200, body=b"[", too_long=True),
            "cannot read Member: the response is longer than max_response_bytes",
        ),
    ],
)
def test_what_cannot_be_decoded(given_answer: Answer, text: str) -> None:
    """The error names endpoint, class and path, and repeats nothing of the payload."""
    with pytest.raises(DecodeError) as caught:
        decode(LIST, given_answer)
    assert str(caught.value) == f"GET /organizations/{{organization}}/users: {text}"
    assert (caught.value.endpoint, caught.value.entity) == ("GET /organizations/{organization}/users", "Member")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_call_that_promises_nothing_has_nothing_to_decode() -> None:
    """Decoding the response of a delete is a programming error."""
    with pytest.raises(TypeError, match="has no response type"):
        decode(endpoints_v1.DELETE_PACKAGE.request(package="u-1"), answer(200, body=b"{}"))


@pytest.mark.parametrize(
    ("given_answer", "expected"),
    [
        (answer(200, body=b'{"name": "acme"}'), Organization(name="acme")),
        (answer(201, body=b'{"name": "acme"}'), Organization(name="acme")),
        (answer(200), None),
        (answer(204), None),
        (answer(200, body=b'"acme"'), None),
        (answer(200, body=b'{"id": 7}'), None),
        (answer(200, body=b"<html>"), None),
        (answer(200, body=b'{"name": "acme"}', cut=True), None),
        (answer(200, body=b'{"name": "acme"}', too_long=True), None),
    ],
)
def test_what_a_write_answered(given_answer: Answer, expected: Organization | None) -> None:
    """A response that is the entity is the entity; any other success is None, and no error."""
    request = endpoints_v1.UPDATE_ORGANIZATION.request(None, organization="acme")
    assert decode_written(request, given_answer) == expected


def test_repr_of_an_answer_shows_nothing_that_the_service_sent_but_its_status() -> None:
    """Tracebacks with local variables print it, and a service may echo the token in headers or body."""
    shown = repr(Answer(200, {"X-Echo": "in-headers"}, b"in-body", "https://scarf.example/v1"))
    assert "200" in shown
    assert "https://scarf.example/v1" in shown
    assert "in-headers" not in shown
    assert "in-body" not in shown
