"""CSV records as events."""

from __future__ import annotations

import copy
import csv
import datetime as dt
import io
import pickle
import weakref
from collections.abc import Mapping

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.entities import Event
from scarf_async.exports.event_reader import EventReader
from scarf_async.exports.lines import RecordError
from scarf_async.exports.parsers import TypedParser
from scarf_async.exports.spec import Counters

from .fakes import COLUMNS, csv_body, cuts

UTC = dt.UTC
TIME = dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def reader(*columns: str, end: dt.date | None = None) -> EventReader:
    """Return a reader of these columns."""
    made = EventReader(end)
    made.begin(",".join(columns).encode(), typed=True)
    return made


def one(**cells: str) -> Event:
    """Read one row."""
    cells = {"type": "t", "time": "2024-01-02T03:04:05Z"} | cells
    _, record = csv_body([cells], list(cells)).split(b"\r\n", 1)
    (event,), _ = reader(*cells).decode([record.removesuffix(b"\r\n")])
    return event


def test_columns_go_by_name() -> None:
    """Order does not matter; what is missing or empty is None; what is unknown is in `.extra`."""
    made, dropped = reader("new", "time", "dnt", "extra", "type", "confidence").decode(
        [b"x,2024-01-02 03:04:05,T,,pull,0.874", b',2024-01-02T03:04:05Z,,"y,",push,']
    )
    assert dropped == 0
    assert made == [
        Event(type="pull", time=TIME, dnt=True, confidence=0.874, extra={"new": "x", "extra": None}),
        Event(type="push", time=TIME, extra={"new": None, "extra": "y,"}),
    ]


def test_an_event_is_as_if_it_had_been_called() -> None:
    """Events are made without `__init__`, which is the same only while `Event` converts and checks nothing."""
    assert all(field.converter is None and field.validator is None for field in attrs.fields(Event))
    assert not hasattr(Event, "__attrs_post_init__")
    made = one(id="1", package="acme/tool")
    same = Event(type="t", time=TIME, id="1", package="acme/tool")
    assert made == same
    assert hash(made) == hash(same)
    assert repr(made) == repr(same)
    assert attrs.asdict(made) == attrs.asdict(same)
    assert pickle.loads(pickle.dumps(made)) == copy.deepcopy(made) == made  # noqa: S301 # our own bytes
    assert one().extra is not one().extra
    assert weakref.ref(made)() is made
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.id = "2"  # type: ignore[misc] # what must fail


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-01-02T03:04:05Z", TIME),
        ("2024-01-02 03:04:05", TIME),
        ("2024-01-02 03:04:05 UTC", TIME),
        ("2024-01-02T03:04:05+00:00", TIME),
        ("2024-01-02T05:04:05+02", TIME),
        ("2024-01-02T08:34:05+05:30", TIME),
        ("2024-01-01 23:04:05-04:00", TIME),
        ("2024-01-02T03:04:05.5Z", TIME.replace(microsecond=500_000)),
        ("2024-01-02 03:04:05.123456789012 UTC", TIME.replace(microsecond=123_456)),
        ("2024-01-02 03:04:05.123456789012+00:00", TIME.replace(microsecond=123_456)),
    ],
)
def test_times(text: str, time: dt.datetime) -> None:
    """All forms of times become aware ones in UTC."""
    event = one(time=text)
    assert event.time == time
    assert event.time.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-01-02",
        "20240102T030405Z",
        "2024-W01-1T03:04:05",
        "2024-01-02x03:04:05",
        "2024-01-02T03:04:05,5Z",
        "2024-01-02T03:04:05.1234567890123Z",
        "2024-01-32T03:04:05Z",
        "2024-01-02T24:04:05Z",
        "0001-01-01T00:00:00+23:00",
        "2024-01-02T03:04:05Z\n2024-01-02T03:04:05Z",
        "2024-01-02T03:04:05Z\n",
        "\u0662\u0660\u0662\u0664-01-02T03:04:05Z",
        "1704164645",
    ],
)
def test_what_is_no_time(text: str) -> None:
    """What Python would take for a time, or swallow, is refused where it is not a timestamp."""
    with pytest.raises(RecordError, match="column 'time'"):
        one(time=text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("", None), ("52.52", 52.52), ("-13", -13.0), ("+1", 1.0), (".5", 0.5), ("1.", 1.0), ("1e-3", 0.001)],
)
def test_numbers(text: str, number: float | None) -> None:
    """Decimal numbers, also with an exponent; an empty cell is None."""
    assert one(origin_latitude=text, confidence="1").origin_latitude == number


@pytest.mark.parametrize(
    "text",
    [
        " 1",
        "1_0",
        "nan",
        "inf",
        "1e999",
        "9" * 400,
        "0x1",
        "1,5",
        "\u0661",
        "1\n",
        "1\n2",
        "-",
        ".",
        "1.2.3",
        "--1",
    ],
)
def test_what_is_no_number(text: str) -> None:
    """What Python would take for a number, or for infinity, is refused where it is none."""
    with pytest.raises(RecordError, match=r"column 'confidence': .* is not a number"):
        one(confidence=text)


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("", None),
        *((word, True) for word in ["true", "True", "TRUE", "tRuE", "t", "T", "1"]),
        *((word, False) for word in ["false", "False", "f", "F", "0"]),
    ],
)
def test_flags(text: str, flag: bool | None) -> None:
    """Truth values in any case."""
    assert one(dnt=text).dnt is flag


@pytest.mark.parametrize("text", ["yes", "2", " true", "truth", "null"])
def test_what_is_no_flag(text: str) -> None:
    """Other words are refused."""
    with pytest.raises(RecordError, match=r"column 'mtc_quota_exceeded': .* is not a boolean"):
        one(mtc_quota_exceeded=text)


def test_messages_show_little() -> None:
    """A message quotes no more than the beginning of one field."""
    with pytest.raises(RecordError) as caught:
        one(confidence="secret " * 1000, user_agent="other")
    assert len(str(caught.value)) < 120
    assert "other" not in str(caught.value)


def test_an_event_may_have_no_type() -> None:
    """Its cell is empty, quoted or not; only `time` is required."""
    assert one(type="").type == ""
    (event,), _ = reader("type", "time").decode([b'"",2024-01-02 03:04:05'])
    assert event.type == ""
    with pytest.raises(RecordError, match="column 'time' is empty"):
        one(time="")


def test_invalid_utf8_is_replaced() -> None:
    """A byte that is not UTF-8 does not cost the record."""
    (event,), _ = reader("type", "time").decode([b"p\xffll,2024-01-02 03:04:05"])
    assert event.type == "p�ll"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"type,package", "it has no column 'time'"),
        (b"time", "it has no column 'type'"),
        (b"type;time", "it has no column 'type'"),
        (b"type,time,type", "it has the column 'type' twice"),
        (b'type,time,"x', "not closed"),
    ],
)
def test_headers_that_cannot_be_used(header: bytes, reason: str) -> None:
    """Without `type` and `time`, each once, nothing is read in any way."""
    for typed in (True, False):
        with pytest.raises(RecordError, match=reason):
            EventReader(None).begin(header, typed=typed)


def test_other_columns_may_not_be_there_twice_in_typed_reading() -> None:
    """Which of two columns of one name is meant cannot be told; lines do not depend on it."""
    with pytest.raises(RecordError, match="it has the column 'id' twice"):
        EventReader(None).begin(b"type,time,id,id", typed=True)
    EventReader(None).begin(b"type,time,id,id", typed=False)


@pytest.mark.parametrize("record", [b"t", b"t,2024-01-02 03:04:05,x"])
def test_another_number_of_fields(record: bytes) -> None:
    """A record with more or fewer fields than the header is refused."""
    with pytest.raises(RecordError, match=r"\d fields where the header has 2"):
        reader("type", "time").decode([record])


def test_late_events_are_left_out_by_time() -> None:
    """What happened at or after the end, in UTC, is not handed out, whatever else is wrong with it."""
    made, dropped = reader("type", "time", "dnt", end=dt.date(2024, 1, 2)).decode(
        [
            b"a,2024-01-01T23:59:59.999999Z,",
            b"b,2024-01-02T00:00:00Z,",
            b"c,2024-01-02T01:00:00+02:00,",
            b"d,2024-01-05 00:00:00,maybe",
        ]
    )
    assert [event.type for event in made] == ["a", "c"]
    assert dropped == 2
    assert reader("type", "time", end=dt.date(2024, 1, 2)).late([b"x,2024-01-03 00:00:00"]) == [True]
    assert reader("type", "time", end=dt.date(2024, 1, 2)).decode([b"x,2024-01-03 00:00:00"]) == ([], 1)


CELLS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["pull", "", "a,b"]),
        "time": st.sampled_from(["2024-01-01T00:00:00Z", "2024-01-01 10:00:00.5", "2024-01-03 00:00:00 UTC", "x"]),
        "user_agent": st.text(alphabet='a,"\n€', max_size=5),
        "confidence": st.sampled_from(["", "0.5", "1e1", "x"]),
        "dnt": st.sampled_from(["", "true", "F", "x"]),
        "new": st.sampled_from(["", "x"]),
    }
)


def twin(cells: Mapping[str, str], end: dt.datetime | None) -> Event | str | None:
    """Read one row without any cleverness: an event, None where it is dropped, a word where it is malformed."""
    times = {
        "2024-01-01T00:00:00Z": (1, 0, 0),
        "2024-01-01 10:00:00.5": (1, 10, 500_000),
        "2024-01-03 00:00:00 UTC": (3, 0, 0),
    }
    if cells["time"] not in times:
        return "malformed"
    day, hour, micro = times[cells["time"]]
    time = dt.datetime(2024, 1, day, hour, 0, 0, micro, tzinfo=UTC)
    if end and time >= end:
        return None
    if cells["confidence"] == "x" or cells["dnt"] == "x":
        return "malformed"
    return Event(
        type=cells["type"],
        time=time,
        user_agent=cells["user_agent"] or None,
        confidence=float(cells["confidence"]) if cells["confidence"] else None,
        dnt={"": None, "true": True, "F": False}[cells["dnt"]],
        extra={"new": cells["new"] or None},
    )


@given(
    st.lists(CELLS, max_size=8),
    st.permutations(["type", "time", "user_agent", "confidence", "dnt", "new"]),
    st.lists(st.integers(0, 5000), max_size=10),
    st.booleans(),
)
def test_every_cut_of_every_file(
    rows: list[dict[str, str]], columns: list[str], at: list[int], filtered: bool
) -> None:
    """Events, drops and malformed records with their lines are those of a slow twin, in the same order."""
    body = csv_body(rows, columns)
    end = dt.date(2024, 1, 2) if filtered else None
    counters = Counters("x")
    parser = TypedParser(EventReader(end), counters, 10_000)
    got: list[Event | int] = []
    for runs in (*map(parser.feed, cuts(body, at)), parser.finish()):
        for events, error in runs:
            got += events
            if error is not None:
                got.append(getattr(error, "line_number"))  # noqa: B009 # nothing but malformed records expected

    lines = [1]
    source = csv.reader(io.StringIO(body.decode(), newline=""))
    lines += [source.line_num + 1 for _ in source]
    read = [twin(row, dt.datetime(2024, 1, 2, tzinfo=UTC) if end else None) for row in rows]
    expected = [line if event == "malformed" else event for event, line in zip(read, lines[1:], strict=False)]
    assert got == [event for event in expected if event is not None]
    assert counters.records_received == len(rows)
    assert counters.records_dropped == read.count(None)


def test_the_real_header() -> None:
    """The header that the service sends today is read without leftovers."""
    cells = dict.fromkeys(COLUMNS, "x") | {
        "time": "2024-01-02 03:04:05",
        "origin_latitude": "1",
        "origin_longitude": "2",
        "confidence": "0.5",
        "dnt": "true",
        "mtc_quota_exceeded": "false",
    }
    event = one(**cells)
    assert event.extra == {}
    assert None not in attrs.astuple(event)
