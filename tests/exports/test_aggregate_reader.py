"""NDJSON records as aggregates."""

from __future__ import annotations

import copy
import datetime as dt
import pickle

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.entities import Aggregate, Breakdown
from scarf_async.exports.aggregate_reader import AggregateReader
from scarf_async.exports.lines import RecordError
from scarf_async.exports.parsers import TypedParser
from scarf_async.exports.spec import Counters

from .fakes import cuts, ndjson, row


def one(record: bytes | dict[str, object]) -> Aggregate:
    """Read one record."""
    text = record if isinstance(record, bytes) else msgspec.json.encode(record)
    (aggregate,), _ = AggregateReader(None).decode([text])
    return aggregate


def test_an_aggregate() -> None:
    """Known keys are attributes; a known breakdown is its enum member."""
    aggregate = one(row(7, breakdown="company", company_name="Acme", unique_total=3))
    assert aggregate == Aggregate(
        breakdown=Breakdown.COMPANY,
        date=dt.date(2024, 1, 1),
        package="p",
        total=7,
        company_name="Acme",
        unique_total=3,
    )
    assert aggregate.breakdown is Breakdown.COMPANY
    assert pickle.loads(pickle.dumps(aggregate)) == copy.deepcopy(aggregate) == aggregate  # noqa: S301 # our own bytes
    assert aggregate.extra is not one(row()).extra


def test_unknown_keys_words_and_nulls() -> None:
    """What the service adds is kept, null is as good as absent, an unknown breakdown stays a string."""
    aggregate = one(row(breakdown="referer", country=None, rollup="daily", extra={"a": [1, None]}))
    assert aggregate.extra == {"rollup": "daily", "extra": {"a": [1, None]}}
    assert aggregate.breakdown == "referer"
    assert type(aggregate.breakdown) is str
    assert aggregate.country is None


def test_a_number_as_identifier() -> None:
    """A package id that comes as an integer becomes a string; a boolean does not."""
    assert one(row(package=12345678901234567890)).package == "12345678901234567890"
    with pytest.raises(RecordError, match=r"\$\.package"):
        one(row(package=True))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"total": "7"}, r"Expected `int`, got `str` - at `\$.total`"),
        ({"total": True}, r"got `bool` - at `\$.total`"),
        ({"total": 7.5}, r"got `float` - at `\$.total`"),
        ({"total": None}, r"got `null` - at `\$.total`"),
        ({"unique_total": "1"}, r"\$.unique_total"),
        ({"date": "2024-02-30"}, r"\$.date"),
        ({"date": 20240101}, r"\$.date"),
        ({"breakdown": 1}, r"\$.breakdown"),
        ({"country": 1}, r"\$.country"),
        ({"country": 1, "new": 1}, r"\$.country"),
    ],
)
def test_mistyped_fields(fields: dict[str, object], reason: str) -> None:
    """A field of another type is refused, and named without its value."""
    with pytest.raises(RecordError, match=reason):
        one(row(**fields))


@pytest.mark.parametrize("name", ["breakdown", "date", "package", "total"])
def test_missing_fields(name: str) -> None:
    """The four required fields are required."""
    fields = row()
    del fields[name]
    with pytest.raises(RecordError, match=f"missing required field `{name}`"):
        one(fields)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"{", "it is not JSON"),
        (b'{"a": 1} {"a": 2}', "it is not JSON"),
        (b"[1]", "it is not a JSON object"),
        (b"null", "it is not a JSON object"),
        (b"type,time", "it is not JSON"),
        (b'{"a":' + b"[" * 100_000, "nested too deeply"),
        (b'{"total": ' + b"9" * 6000 + b"}", "total"),
    ],
)
def test_what_is_no_json_object(record: bytes, reason: str) -> None:
    """One JSON object a record, and nothing that exhausts the machine."""
    with pytest.raises(RecordError, match=reason):
        one(record)


def test_invalid_utf8_is_replaced() -> None:
    """Bytes that are not UTF-8 do not cost the record."""
    broken = msgspec.json.encode(row(company_name="Acme")).replace(b"Acme", b"Ac\xffme")
    assert one(broken).company_name == "Ac�me"
    assert AggregateReader(dt.date(2024, 1, 1)).late([broken]) == [True]


def test_late_aggregates_are_left_out_by_date() -> None:
    """Aggregates of the end and later days are not handed out, whatever else is wrong with them."""
    records = [
        msgspec.json.encode(row(1, date="2024-01-31")),
        msgspec.json.encode(row(2, date="2024-02-01")),
        msgspec.json.encode(row(3, date="2024-02-02", total="x")),
        msgspec.json.encode(row(4, date="2024-01-01", new=1)),
    ]
    reader = AggregateReader(dt.date(2024, 2, 1))
    made, dropped = reader.decode(records)
    assert [aggregate.total for aggregate in made] == [1, 4]
    assert dropped == 2
    assert reader.decode(records[:2])[1] == 1
    assert reader.late(records) == [False, True, True, False]
    assert reader.late([b'{"date": 7}', b"{}", *records[1:2]]) == [False, False, True]


RECORDS = st.sampled_from(
    [
        (b'{"breakdown":"total","date":"2024-01-01","package":"p","total":1}', 1),
        (b' {"breakdown":"total","date":"2024-01-01","package":"p","total":2,"new":"x"} ', 2),
        (b'{"breakdown":"\xff","date":"2024-01-01","package":3,"total":3}', 3),
        (b'{"breakdown":"total","date":"2024-01-09","package":"p","total":4}', None),
        (b'{"breakdown":"total","date":"2024-01-01","package":"p","total":"5"}', "malformed"),
        (b'{"a":\r1}', "malformed"),
        (b"{", "malformed"),
        (b"", ""),
    ]
)


@given(
    st.lists(RECORDS, max_size=12), st.sampled_from([b"\n", b"\r\n"]), st.lists(st.integers(0, 5000), max_size=10)
)
def test_every_cut_of_every_file(lines: list[tuple[bytes, int | str | None]], end: bytes, at: list[int]) -> None:
    """Aggregates, drops and malformed records with their lines come in order, for every cut."""
    body = b"".join(record + end for record, _ in lines)
    counters = Counters("x")
    parser = TypedParser(AggregateReader(dt.date(2024, 1, 2)), counters, 10_000)
    got: list[int | tuple[str, int]] = []
    for runs in (*map(parser.feed, cuts(body, at)), parser.finish()):
        for aggregates, error in runs:
            got += [aggregate.total for aggregate in aggregates]
            if error is not None:
                got.append(("malformed", getattr(error, "line_number")))  # noqa: B009 # nothing else expected
    expected = [
        ("malformed", number) if total == "malformed" else total
        for number, (_, total) in enumerate(lines, 1)
        if total not in {None, ""}
    ]
    assert got == expected
    assert counters.records_received == sum(total != "" for _, total in lines)
    assert counters.records_dropped == sum(total is None for _, total in lines)


def test_ndjson_helper_is_ndjson() -> None:
    """The tests' own bodies are what they say."""
    assert ndjson(row(1), row(2)).count(b"\n") == 2
