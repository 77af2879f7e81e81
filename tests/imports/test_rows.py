"""Rows and batches, without a socket."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
from typing import Final

import pytest

from scarf_async import ValidationError
from scarf_async.errors import TransportError
from scarf_async.imports.batches import Batcher, Fate, fate_of
from scarf_async.imports.rows import Checker, Line, Lines
from scarf_async.protocol.messages import Answer, Lost, Resend, Verdict, judge

NOW: Final = dt.datetime(2026, 6, 8, 12, tzinfo=dt.UTC)
SECRET: Final = "s3cret"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, "it has no $time"),
        ({"$time": None}, "it has no $time"),
        ({"$time": 17}, "$time is not a text"),
        ({"$time": SECRET}, "$time is not an ISO timestamp"),
        ({"$time": "2026-06-08"}, "$time has no time zone"),
        ({"$time": "2026-06-08T12:00:00"}, "$time has no time zone"),
        ({"$time": dt.datetime(2026, 6, 8)}, "$time has no time zone"),  # noqa: DTZ001 # that is the fault
        ({"$time": dt.date(2026, 6, 8)}, "$time has no time zone"),
        ({"$time": NOW, "$package": 5}, "$package is not a text"),
        ({"$time": NOW, "$unique_id": [SECRET]}, "$unique_id is not a text"),
        ({"$time": NOW, "v": object()}, "it holds something that JSON cannot say"),
        ({"$time": NOW, SECRET: "\ud800"}, "it holds something that JSON cannot say"),
        ([SECRET], "a mapping is expected, not list"),
        (None, "a mapping is expected, not NoneType"),
    ],
)
def test_a_bad_row_is_named_and_not_quoted(row: object, why: str) -> None:
    """By its number and what is wrong; its content may be personal."""
    with pytest.raises(ValidationError) as caught:
        Checker(addressed=False).row(7, row)
    assert str(caught.value).startswith(f"row 7: {why}")
    assert SECRET not in repr(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b"{",
        b'{"$time": "2026-06-08T12:00Z", "v": NaN}',
        b'{"$time": "2026-06-08T12:00Z", "v": "\xff"}',
        b"\xff",
        b"[" * 9999,
    ],
)
def test_a_line_that_is_no_json_object_is_refused(line: bytes) -> None:
    """Lines are sent as they are, so that they have to be JSON for strict readers too."""
    with pytest.raises(ValidationError, match="row 3: it is not "):
        Checker(addressed=False).line(3, line)


def test_a_row_names_what_it_is_of_where_the_call_does_not() -> None:
    """By `$package` or `$tracking_pixel`; `$pixel` is not a name of the service's."""
    checker = Checker(addressed=True)
    for name in ("$package", "$tracking_pixel"):
        assert checker.row(1, {"$time": NOW, name: "id"}).time == NOW
        for wrong in ({}, {name: ""}, {name: None}, {"$pixel": "id"}):
            with pytest.raises(ValidationError, match=r"row 1: it has neither \$package nor"):
                checker.row(1, {"$time": NOW, **wrong})


def test_a_row_is_written_as_it_was_given() -> None:
    """Keys in their order, null too; a time with its own offset, also of a datetime."""
    east = dt.timezone(dt.timedelta(hours=2))
    line = Checker(addressed=False).row(1, {"b": None, "$time": NOW.astimezone(east), "\u00e4": [1, {"x": 1.5}]})
    assert line.text.decode() == '{"b":null,"$time":"2026-06-08T14:00:00+02:00","\u00e4":[1,{"x":1.5}]}'
    assert (line.time, line.unique) == (NOW, False)


@pytest.mark.parametrize(("unique_id", "unique"), [("a", True), (5, True), (0, True), ("", False), (None, False)])
def test_what_tells_a_row_from_all_others(unique_id: object, unique: bool) -> None:
    """A text that is not empty, or a number."""
    checker = Checker(addressed=False)
    line = checker.row(1, {"$time": NOW, "$unique_id": unique_id})
    assert line.unique is checker.lines([1], [line.text]).unique is unique


def test_unique_id_is_made_of_lines_too() -> None:
    """What it returns goes into the line; anything but a text is refused."""
    text = b'{"$time":"2026-06-08T12:00Z","n":1}'
    line = Checker(addressed=False, unique_id=lambda row: f"n-{row['n']}").line(1, text)
    assert json.loads(line.text)["$unique_id"] == "n-1"
    with pytest.raises(ValidationError, match="row 1: unique_id returned"):
        Checker(addressed=False, unique_id=lambda _: "").line(1, text)


USUAL: Final = b'{"$time":"2026-06-08T12:00:00Z","$package":"web","$unique_id":"a"}'


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("2026-06-08T14:00:00+02:00", NOW),
        ("2026-06-08 12:00:00z", NOW),
        ("2026-06-08T12Z", NOW),
        ("20260608T120000+0000", NOW),
        ("2026-W24-1T12:00:00,5Z", NOW.replace(microsecond=500_000)),
    ],
)
def test_forms_of_a_timestamp(text: str, when: dt.datetime) -> None:
    """RFC 3339 and ISO 8601 are accepted, alone and between others, and the row is sent as it is."""
    line = json.dumps({"$time": text, "$package": "web", "$unique_id": "b"}).encode()
    checker = Checker(addressed=True)
    assert checker.line(1, line) == Line(line, when, unique=True)
    assert checker.lines([1, 2, 3], [USUAL, line, USUAL]) == Lines(
        [USUAL, line, USUAL], [NOW, when, NOW], unique=True
    )


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"$time":"2026-06-08T12:00:00","$package":"web"}', "$time has no time zone"),
        (b'{"$time":"2026-06-08T12:00:00Z","$package":""}', "it has neither $package nor"),
        (b'{"$time":"2026-06-08T12:00:00Z","$package":"web","v":"\xff"}', "it is not UTF-8"),
        (b'{"$time":"2026-06-08T12:00:00Z","$package":"web"}{}', "it is not JSON"),
    ],
)
def test_one_line_of_many_is_refused_by_its_number(line: bytes, why: str) -> None:
    """Lines are checked together, and the one that cannot be imported is named as if it came alone."""
    good = b'{"$time":"2026-06-08T12:00:00Z","$package":"web","v":"\xc3\xa4"}'
    checker = Checker(addressed=True)
    assert checker.lines([4, 6], [good, USUAL]) == Lines([good, USUAL], [NOW, NOW], unique=False)
    with pytest.raises(ValidationError, match=f"^row 6: {re.escape(why)}"):
        checker.lines([4, 6, 7], [good, line, good])


def test_rows_older_than_a_week_are_counted() -> None:
    """For each batch; and a batch may come twice if each of its rows may."""
    batcher = Batcher(2, lambda: NOW)
    week = dt.timedelta(days=7)
    for age, unique in ((week, True), (week + dt.timedelta(seconds=1), False), (dt.timedelta(), True)):
        if batcher.add(Line(b"{}", NOW - age, unique)):
            first = batcher.take()
    second = batcher.take()
    assert first is not None
    assert second is not None
    assert [(len(one.lines), one.too_old, one.resendable) for one in (first, second)] == [
        (2, 1, False),
        (1, 0, True),
    ]
    assert gzip.decompress(first.packed()) == b"{}\n{}"
    assert batcher.take() is None


LOST: Final = Lost(TransportError("gone"), sent=True)
LIMIT: Final = Answer(422, {}, b'"too many active imports"')


@pytest.mark.parametrize(
    ("outcome", "ambiguous", "patient", "fate"),
    [
        (Answer(200, {}, b""), False, False, Fate.TAKEN),
        (Answer(204, {}, b""), True, True, Fate.TAKEN),
        (LIMIT, False, True, Fate.LATER),
        (LIMIT, True, True, Fate.LATER),
        (LIMIT, False, False, Fate.REFUSED),
        (LIMIT, True, False, Fate.UNKNOWN),
        (Answer(422, {}, b"row 5 is wrong"), False, True, Fate.REFUSED),
        (Answer(400, {}, b""), True, True, Fate.UNKNOWN),
        (LOST, True, True, Fate.UNKNOWN),
        (Lost(TransportError("no connection"), sent=False), False, True, Fate.REFUSED),
    ],
)
def test_the_fate_of_a_batch(outcome: Answer | Lost, ambiguous: bool, patient: bool, fate: Fate) -> None:
    """What was open stays open, whatever comes later."""
    assert fate_of(outcome, ambiguous=ambiguous, patient=patient) is fate


def test_what_goes_once_is_sent_again_where_nothing_was_taken() -> None:
    """After a 429, or where nothing was sent; every other status is final."""
    again = {
        status for status in range(100, 600) if judge(Resend.REFUSED, Answer(status, {}, b"")) is Verdict.AGAIN
    }
    assert again == {429}
    assert judge(Resend.REFUSED, LOST) is Verdict.FAILURE
    assert judge(Resend.REFUSED, Lost(TransportError("no connection"), sent=False)) is Verdict.AGAIN
