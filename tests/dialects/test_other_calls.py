"""Calls that have no method: which paths, queries and bodies are taken, and what a response is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest

from scarf_async import APIError, ConflictError, DecodeError, NotFoundError, TransportError, ValidationError
from scarf_async.dialects.other_calls import other_call, other_request
from scarf_async.protocol.messages import Answer, Lost, Resend, Verdict, judge

from .script import Script, refused, said


def target(path: Any, query: Any = None) -> str:
    """Return what a path and a query become on the wire."""
    return other_request("GET", path, version="v2", query=query).target


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/", "/"),
        ("/packages/acme", "/packages/acme"),
        ("/packages/acme/", "/packages/acme/"),
        ("/packages/acme/docker/acme%2Fweb", "/packages/acme/docker/acme%2Fweb"),
        ("/a b/\u00e9/x%3Fy%23z/50%25", "/a%20b/%C3%A9/x%3Fy%23z/50%25"),
        ("/a/v1..2/...;x/@b:c", "/a/v1..2/...;x/@b:c"),
        (
            ["packages", "acme/web", "50%", "?#\\", "%2e%2e", "a//b"],
            "/packages/acme%2Fweb/50%25/%3F%23%5C/%252e%252e/a%2F%2Fb",
        ),
        (("a", " "), "/a/%20"),
    ],
)
def test_a_path_arrives_as_it_says(path: str | Sequence[str], sent: str) -> None:
    """A text keeps its escapes and gets those that it lacks; a segment is escaped whatever it holds."""
    assert target(path) == sent


@pytest.mark.parametrize(
    "path",
    [
        *("", "packages", "https://evil.example/", "//evil.example/", "/\\evil.example", "@evil.example"),
        *("/a/../b", "/..", "/a/.", "/./a", "/a/..;x/b", "/a;../b", "/a\\..\\b"),
        *("/%2e%2e/b", "/%2E./b", "/.%2e/b", "/%252e%252e/b", "/%25252e%25252e/b", "/a%2f..%2fb"),
        *("/a/%2e/b", "/a/..%3bx/b", "/a%5c..%5cb", "/a%255cb", "/a%252F%252e%252E"),
        *("/a//b", "/a%2f%2fb", "/a/%2fb", "/a%252F%252Fb", "//"),
        *("/a?b=c", "/a#b", "/a\x00", "/a\r\nHost: evil", "/a%00", "/a%0d%0aX: y", "/a%250a", "/a\u2028b", "/a%7f"),
        *("/a%", "/a%zz", "/a%c0%ae%c0%ae", "/%ff", "/a\ud800"),
        *([], [""], ["."], [".."], ["a", ""], ["a\nb"], ["a", 7], b"/a", [b"a"], None, 7, {"a"}),
    ],
)  # fmt: skip
def test_a_path_that_might_lead_elsewhere_is_refused(path: Any) -> None:
    """However often what is on its way decodes it, it names what it shows, below the address of the version."""
    with pytest.raises(ValidationError) as caught:
        target(path)
    assert caught.value.field == "path"


def test_a_query_is_escaped() -> None:
    """A name of several values is repeated; without a pair there is no `?`."""
    assert target("/a", {"type": ["a", "b&c"], "q": "\u00e9 #"}) == "/a?type=a&type=b%26c&q=%C3%A9%20%23"
    assert target("/a", {}) == target("/a", {"type": []}) == "/a"


@pytest.mark.parametrize(
    "wrong",
    [
        {"query": {"a": 7}},
        {"query": {"a": [7]}},
        {"query": {7: "a"}},
        {"query": {"a": b"b"}},
        {"query": {"a": "\ud800"}},
        {"query": "a=b"},
        {"json": float("nan")},
        {"json": {"a": {1, 2}}},
        {"json": b"{}"},
        {"json": {"a": "\ud800"}},
        {"json": object()},
        {"resend": "always"},
        {"resend": True},
        {"version": "v4"},
        {"version": ""},
        {"method": "CONNECT"},
        {"method": "GET / HTTP/1.1\r\nX:"},
        {"method": None},
    ],
)
def test_what_cannot_be_sent_is_refused(wrong: Mapping[str, Any]) -> None:
    """The error names the argument."""
    arguments: dict[str, Any] = {"method": "POST", "path": "/a", "version": "v2", **wrong}
    with pytest.raises(ValidationError) as caught:
        other_request(**arguments)
    assert caught.value.field == next(iter(wrong))


def test_a_body_may_be_any_json() -> None:
    """Null is a body; mappings and sequences of all kinds are objects and arrays."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValidationError):
        other_request("POST", "/a", version="v2", json=deep)
    wanted = {"a": MappingProxyType({"b": range(2)}), "\u00e9": None}
    sent = other_request("POST", "/a", version="v2", json=wanted).body
    assert sent == '{"a": {"b": [0, 1]}, "\u00e9": null}'.encode()
    assert other_request("POST", "/a", version="v2", json=None).body == b"null"
    assert other_request("POST", "/a", version="v2").body is None


@pytest.mark.parametrize(("version", "label"), [("v1", "PATCH /{path}"), ("v3", "PATCH /v3/{path}")])
def test_a_call_is_labelled_by_its_version(version: str, label: str) -> None:
    """The path, which may be another for each thing, is not part of the label."""
    assert other_request("patch", "/a", version=version).endpoint.name == label


@pytest.mark.parametrize(
    ("method", "resend", "kind", "reads"),
    [
        ("GET", None, Resend.READ, True),
        ("HEAD", "repeat", Resend.READ, True),
        ("POST", None, Resend.ONCE, False),
        ("DELETE", None, Resend.ONCE, False),
        ("PUT", "repeat", Resend.REPEAT, False),
    ],
)
def test_what_may_be_sent_again(method: str, resend: Any, kind: Resend, reads: bool) -> None:
    """Reads always; anything else where the caller says so."""
    endpoint = other_request(method, "/search", version="v2", resend=resend).endpoint
    assert (endpoint.resend, endpoint.reads) == (kind, reads)


def test_once_is_once() -> None:
    """No answer of any kind makes a second send; only what never left is tried again."""
    for status in range(100, 600):
        answer = Answer(status, {"Retry-After": "0"}, b"")
        assert judge(Resend.ONCE, answer) is (Verdict.SUCCESS if 200 <= status < 300 else Verdict.FAILURE)
    lost = TransportError("lost", method="POST", url="")
    assert judge(Resend.ONCE, Lost(lost, sent=True)) is Verdict.FAILURE
    assert judge(Resend.ONCE, Lost(lost, sent=False)) is Verdict.AGAIN


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (said({"a": [1, None]}), {"a": [1, None]}),
        (said("text"), "text"),
        (said(None), None),
        (Answer(204, {}, b""), None),
        (Answer(200, {}, b" \r\n"), None),
    ],
)
def test_an_answer_is_json(answer: Answer, value: object) -> None:
    """Whatever it is; an empty one is None."""
    script = Script.of(answer)
    assert script.run(other_call(other_request("POST", "/a", version="v2"))) == value


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(200, {}, b"<html>"), "not JSON"),
        (Answer(200, {}, b"", too_long=True), "max_response_bytes"),
        (Answer(201, {}, b"", cut=TransportError("cut", method="POST", url="")), "is incomplete"),
    ],
)
def test_an_answer_that_is_not_json_is_an_error(answer: Answer, reason: str) -> None:
    """It is not asked for again, and a cut one is not taken for an empty one."""
    script = Script.of(answer)
    error = script.fail(other_call(other_request("POST", "/a", version="v2")))
    assert isinstance(error, DecodeError)
    assert reason in str(error)
    assert script.asked == ["POST /a"]


def test_a_refusal_is_what_it_is_everywhere() -> None:
    """In v2 a 422 of a conflict is a ConflictError; a page of a v1 that is gone carries its note."""
    conflict = refused(422, {"code": "name-already-exists"})
    kinds: list[tuple[str, Answer, type[APIError]]] = [
        ("v2", conflict, ConflictError),
        ("v1", refused(404), NotFoundError),
    ]
    for version, answer, kind in kinds:
        error = Script.of(answer).fail(other_call(other_request("POST", "/a", version=version)))
        assert type(error) is kind
    assert 'try api="v2"' in "".join(error.__notes__)
