"""JSON to entities and back: what is tolerated, what is refused and where, and what goes out."""

from __future__ import annotations

import datetime as dt
import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.dialects.v1.requests import WIRE
from scarf_async.entities import (
    UNSET,
    Aggregate,
    Breakdown,
    Domain,
    DomainCreate,
    LibraryType,
    Member,
    MemberUpsert,
    Organization,
    OrganizationUpsert,
    Package,
    PackageOverview,
    PackageUpsert,
    Permission,
    PermissionLevel,
    PermissionSet,
    Role,
    Route,
    RouteCreate,
)
from scarf_async.protocol.wire import UnreadableError, Wire, parse_time

# The names of v1, and beside its entities one with dates and whole numbers.
wire = Wire(
    entities=(Organization, Member, Package, Permission, Route, Domain, Aggregate),
    upserts=(OrganizationUpsert, MemberUpsert, PackageUpsert, PermissionSet, RouteCreate, DomainCreate),
    name=lambda entity, name: name if entity is Aggregate else WIRE.name(entity, name),
    identifiers={(Package, "uuid"), (Route, "id"), (Domain, "id"), (Aggregate, "package")},
)

NOON = dt.datetime(2024, 5, 17, 12, tzinfo=dt.UTC)
DAY = dt.date(2024, 5, 17)

ORGANIZATION = {
    "name": "acme",
    "description": "Tools",
    "website": "https://acme.example",
    "billingEmail": "pay@acme.example",
    "createdAt": "2024-05-17T12:00:00Z",
    "updatedAt": "2024-05-17 12:00:00 UTC",
}
MEMBER = {"organizationName": "acme", "username": "ann", "role": "admin"}
PACKAGE = {
    "uuid": "u-1",
    "owner": "acme",
    "name": "acme/web",
    "shortDescription": "Web",
    "createdAt": "2024-05-17T14:00:00+02:00",
    "longDescription": "The web.",
    "website": "https://acme.example",
    "libraryType": "docker",
}
PERMISSION = {"username": "ann", "permissionLevel": "member"}
ROUTE = {"id": "r-1", "outgoingUrl": "https://acme.example/a", "templatePath": "/a"}
DOMAIN = {"id": "d-1", "name": "dl.acme.example"}
AGGREGATE = {
    "breakdown": "company",
    "date": "2024-05-17",
    "package": "u-1",
    "total": 7,
    "company_name": "Acme",
    "company_domain": "acme.example",
    "cloud_provider_name": "Cloud",
    "cloud_provider_domain": "cloud.example",
    "country": "NL",
    "platform": "linux",
    "version": "1.0",
    "client": "docker",
    "client_version": "27",
    "variable": "os",
    "value": "mac",
    "unique_total": 3,
}

FULL = [
    (
        ORGANIZATION,
        Organization(
            name="acme",
            description="Tools",
            website="https://acme.example",
            billing_email="pay@acme.example",
            created_at=NOON,
            updated_at=NOON,
        ),
    ),
    (MEMBER, Member(organization_name="acme", username="ann", role=Role.ADMIN)),
    (
        PACKAGE,
        Package(
            uuid="u-1",
            owner="acme",
            name="acme/web",
            short_description="Web",
            created_at=NOON,
            long_description="The web.",
            website="https://acme.example",
            library_type=LibraryType.DOCKER,
        ),
    ),
    (PERMISSION, Permission("ann", PermissionLevel.MEMBER)),
    (ROUTE, Route("r-1", "https://acme.example/a", "/a")),
    (DOMAIN, Domain("d-1", "dl.acme.example")),
    (
        AGGREGATE,
        Aggregate(
            breakdown=Breakdown.COMPANY,
            date=DAY,
            package="u-1",
            total=7,
            company_name="Acme",
            company_domain="acme.example",
            cloud_provider_name="Cloud",
            cloud_provider_domain="cloud.example",
            country="NL",
            platform="linux",
            version="1.0",
            client="docker",
            client_version="27",
            variable="os",
            value="mac",
            unique_total=3,
        ),
    ),
]
LEAST: list[tuple[type[attrs.AttrsInstance], dict[str, object]]] = [
    (Organization, {"name": "acme"}),
    (Member, {"username": "ann", "role": "admin"}),
    (Package, {"uuid": "u-1", "name": "web"}),
    (Permission, {"username": "ann", "permissionLevel": "member"}),
    (Route, {"id": "r-1", "outgoingUrl": "https://acme.example/a", "templatePath": "/a"}),
    (Domain, {"id": "d-1", "name": "dl.acme.example"}),
    (Aggregate, {"breakdown": "total", "date": "2024-05-17", "package": "u-1", "total": 7}),
]
OPTIONAL = {
    Organization: ["description", "website", "billingEmail", "createdAt", "updatedAt"],
    Member: ["organizationName"],
    Package: ["owner", "shortDescription", "createdAt", "longDescription", "website", "libraryType"],
    Permission: [],
    Route: [],
    Domain: [],
    Aggregate: [name for name in AGGREGATE if name not in {"breakdown", "date", "package", "total"}],
}

least = pytest.mark.parametrize(("kind", "row"), LEAST, ids=lambda item: getattr(item, "__name__", "row"))


def read(value: object, kind: type[attrs.AttrsInstance]) -> attrs.AttrsInstance:
    """Read a JSON value as an entity."""
    return wire.read(json.dumps(value).encode(), kind)


def fault(value: object, kind: type[attrs.AttrsInstance]) -> UnreadableError:
    """Return what is said about a JSON value that is not such an entity."""
    with pytest.raises(UnreadableError) as caught:
        read(value, kind)
    return caught.value


@pytest.mark.parametrize(("row", "entity"), FULL, ids=lambda item: type(item).__name__)
def test_every_field_is_read_under_its_wire_name(row: dict[str, object], entity: attrs.AttrsInstance) -> None:
    """The names on the wire are camelCase, and snake_case in aggregates; nothing is left over."""
    assert read(row, type(entity)) == entity


@least
def test_what_may_be_missing(kind: type[attrs.AttrsInstance], row: dict[str, object]) -> None:
    """The required fields alone make an entity with its defaults."""
    names = {"outgoingUrl": "outgoing_url", "templatePath": "template_path", "permissionLevel": "permission_level"}
    plain = kind(**{names.get(name, name): DAY if name == "date" else value for name, value in row.items()})
    assert read(row, kind) == plain


@least
def test_null_and_absent_read_alike(kind: type[attrs.AttrsInstance], row: dict[str, object]) -> None:
    """A null in an optional field reads as if it were left out, and lands nowhere else."""
    assert read({**row, **dict.fromkeys(OPTIONAL[kind])}, kind) == read(row, kind)


@pytest.mark.parametrize(("kind", "row"), [*LEAST, *((type(entity), row) for row, entity in FULL)])
def test_what_is_as_described_reads_as_with_care(kind: type[attrs.AttrsInstance], row: dict[str, object]) -> None:
    """Straight off the text, and through JSON with every field looked at: the same entities."""
    for one in (row, {**row, **dict.fromkeys(OPTIONAL[kind])}):
        body = json.dumps([one, {**one, "new": 1}]).encode()
        careful = wire.structure(wire.parse(body), list[kind])  # type: ignore[valid-type] # a computed class
        assert wire.read(body, list[kind]) == careful  # type: ignore[valid-type] # as above
        assert [read(one, kind)] == careful[:1]
        page = {"results": [one], "_links": {"next": "?p=2"}}
        assert wire.read_page(json.dumps(page).encode(), list[kind]) == (careful[:1], page["_links"])  # type: ignore[valid-type] # as above


@least
def test_required_fields_cannot_be_left_out(kind: type[attrs.AttrsInstance], row: dict[str, object]) -> None:
    """Without a required field, or with a null in it, the error names its place."""
    for name in row:
        without = fault({key: value for key, value in row.items() if key != name}, kind)
        null = fault({**row, name: None}, kind)
        assert (without.path, without.reason) == (name, "a required field is missing")
        assert (null.path, null.reason) == (name, "a required field is missing")


@least
def test_required_fields_have_their_type(kind: type[attrs.AttrsInstance], row: dict[str, object]) -> None:
    """A required field of another type is refused with its place, and its value is not repeated."""
    for name in row:
        for value in (False, 7.25, ["s3cr3t"], {"s3cr3t": "s3cr3t"}):
            unreadable = fault({**row, name: value}, kind)
            assert unreadable.path == name
            assert "s3cr3t" not in str(unreadable)
            assert "7.25" not in str(unreadable)


@least
def test_the_place_in_a_list(kind: type[attrs.AttrsInstance], row: dict[str, object]) -> None:
    """In a list the path names the index and the field."""
    name = next(iter(row))
    rows = [row, row, row, {**row, name: ["s3cr3t"]}, {}]
    with pytest.raises(UnreadableError) as caught:
        wire.read(json.dumps(rows).encode(), list[kind])  # type: ignore[valid-type] # a computed class
    assert caught.value.path == f"[3].{name}"
    assert caught.value.reason.startswith("expected a")
    with pytest.raises(UnreadableError) as caught:
        wire.read(json.dumps([row, {}]).encode(), list[kind])  # type: ignore[valid-type] # as above
    assert caught.value.path == f"[1].{name}"


@least
def test_lists_keep_their_order(kind: type[attrs.AttrsInstance], row: dict[str, object]) -> None:
    """A list of objects reads as a list of entities, an empty one as an empty list."""
    assert wire.read(json.dumps([row, row]).encode(), list[kind]) == [read(row, kind)] * 2  # type: ignore[valid-type] # a computed class
    assert wire.read(b"[]", list[kind]) == []  # type: ignore[valid-type] # as above


@pytest.mark.parametrize(
    ("kind", "row", "path", "reason"),
    [
        (Organization, {"name": None}, "name", "a required field is missing"),
        (Organization, {"name": False}, "name", "expected a string, found a boolean"),
        (Organization, {"name": 7}, "name", "expected a string, found a number"),
        (Organization, {"name": "acme", "website": 7}, "website", "expected a string, found a number"),
        (Organization, {"name": "acme", "website": []}, "website", "expected a string, found an array"),
        (Organization, {"name": "acme", "billingEmail": {}}, "billingEmail", "expected a string, found an object"),
        (
            Organization,
            {"name": "acme", "createdAt": 1715947200},
            "createdAt",
            "expected a timestamp, found a number",
        ),
        (Package, {"uuid": 7.0, "name": "web"}, "uuid", "expected a string, found a number"),
        (Package, {"uuid": True, "name": "web"}, "uuid", "expected a string, found a boolean"),
        (
            Package,
            {"uuid": "u", "name": "web", "libraryType": 1},
            "libraryType",
            "expected a string, found a number",
        ),
        (Package, {"uuid": "u", "name": 7}, "name", "expected a string, found a number"),
        (Member, {"username": 7, "role": "admin"}, "username", "expected a string, found a number"),
        (Member, {"username": "ann", "role": False}, "role", "expected a string, found a boolean"),
        (
            Permission,
            {"username": "ann", "permissionLevel": 1},
            "permissionLevel",
            "expected a string, found a number",
        ),
        (Route, {**ROUTE, "outgoingUrl": 7}, "outgoingUrl", "expected a string, found a number"),
        (Domain, {"id": [], "name": "a"}, "id", "expected a string, found an array"),
        (Aggregate, {**AGGREGATE, "total": "7"}, "total", "expected an integer, found a string"),
        (Aggregate, {**AGGREGATE, "total": True}, "total", "expected an integer, found a boolean"),
        (Aggregate, {**AGGREGATE, "total": 7.0}, "total", "expected an integer, found a number"),
        (Aggregate, {**AGGREGATE, "unique_total": "3"}, "unique_total", "expected an integer, found a string"),
        (Aggregate, {**AGGREGATE, "unique_total": False}, "unique_total", "expected an integer, found a boolean"),
        (Aggregate, {**AGGREGATE, "date": "17.05.2024"}, "date", "expected a date (YYYY-MM-DD)"),
        (Aggregate, {**AGGREGATE, "date": "2024-02-30"}, "date", "expected a date (YYYY-MM-DD)"),
        (Aggregate, {**AGGREGATE, "date": 20240517}, "date", "expected a string, found a number"),
        (Aggregate, {**AGGREGATE, "breakdown": 1}, "breakdown", "expected a string, found a number"),
        (Organization, [], "", "expected an object, found an array"),
        (Organization, "acme", "", "expected an object, found a string"),
        (Organization, None, "", "expected an object, found null"),
        (Organization, 7, "", "expected an object, found a number"),
        (Organization, True, "", "expected an object, found a boolean"),
    ],
)
def test_nothing_is_made_to_fit(kind: type[attrs.AttrsInstance], row: object, path: str, reason: str) -> None:
    """No null becomes 'None', no "7" becomes 7, no false becomes a string: what does not fit is refused."""
    unreadable = fault(row, kind)
    assert (unreadable.path, unreadable.reason) == (path, reason)


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        (b"{}", "", "expected an array, found an object"),
        (b"null", "", "expected an array, found null"),
        (b'"text"', "", "expected an array, found a string"),
        (b"[[]]", "[0]", "expected an object, found an array"),
        (b"[{}, null]", "[0].username", "a required field is missing"),
        (b'[{"username": "ann", "role": "admin"}, null]', "[1]", "expected an object, found null"),
        (b"", "", "the response is empty"),
        (b" \r\n", "", "the response is empty"),
        (b"<html>s3cr3t</html>", "", "the response is not JSON"),
        (b'[{"username": "s3cr3t"', "", "the response is not JSON"),
        (b"\xff\xfe", "", "the response is not JSON"),
        pytest.param(b"[" * 100_000, "", "the response is not JSON", id="deep"),
    ],
)
def test_what_is_no_list_of_members(body: bytes, path: str, reason: str) -> None:
    """Whatever comes instead, the error names the place and says nothing of the payload."""
    with pytest.raises(UnreadableError) as caught:
        wire.read(body, list[Member])
    assert (caught.value.path, caught.value.reason) == (path, reason)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("kind", "row", "name", "expected"),
    [
        (Package, {"uuid": 17, "name": "web"}, "uuid", "17"),
        (Package, {"uuid": 2**70, "name": "web"}, "uuid", str(2**70)),
        (Route, {**ROUTE, "id": 0}, "id", "0"),
        (Domain, {"id": -1, "name": "a"}, "id", "-1"),
        (Aggregate, {**AGGREGATE, "package": 17}, "package", "17"),
    ],
)
def test_identifiers_may_be_numbers(
    kind: type[attrs.AttrsInstance], row: dict[str, object], name: str, expected: str
) -> None:
    """An identifier that comes as an integer is the string of its digits."""
    assert getattr(read(row, kind), name) == expected


@pytest.mark.parametrize(
    ("kind", "row", "name"),
    [
        (Member, {"username": "ann", "role": "superuser"}, "role"),
        (Permission, {"username": "ann", "permissionLevel": "superuser"}, "permission_level"),
        (Package, {"uuid": "u", "name": "web", "libraryType": "superuser"}, "library_type"),
        (Aggregate, {**AGGREGATE, "breakdown": "superuser"}, "breakdown"),
    ],
)
def test_unknown_words_are_kept(kind: type[attrs.AttrsInstance], row: dict[str, object], name: str) -> None:
    """A word that this version does not know stays a plain string."""
    value = getattr(read(row, kind), name)
    assert value == "superuser"
    assert type(value) is str


@least
def test_unknown_fields_are_kept(kind: type[attrs.AttrsInstance], row: dict[str, object]) -> None:
    """What the service adds is in `extra` under its own name, whatever it is."""
    added = {"isPrivate": None, "some_thing": [1, {"deep": True}], "extra": 7, "": "", "namE": "x"}
    assert getattr(read({**row, **added}, kind), "extra", None) == added


@pytest.mark.parametrize("text", ["", "yesterday", "2024-05-17", "2024-13-01T00:00:00Z", "17/05/2024 12:00"])
def test_odd_timestamps_cost_nothing(text: str) -> None:
    """A timestamp of an unknown form is None, and its text is kept in `extra`."""
    organization = wire.read(json.dumps({"name": "acme", "createdAt": text}).encode(), Organization)
    assert organization.created_at is None
    assert organization.extra == {"createdAt": text}


def test_the_last_of_two_equal_keys_counts() -> None:
    """A key that occurs twice does not make the response unreadable."""
    assert wire.read(b'{"name": "old", "name": "acme"}', Organization).name == "acme"


def utc(*parts: int) -> dt.datetime:
    """Make a time in UTC."""
    year, month, day, *clock = parts
    hour, minute, second, micro = (*clock, *[0] * (4 - len(clock)))
    return dt.datetime(year, month, day, hour, minute, second, micro, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-17T12:00:00Z", NOON),
        ("2024-05-17T12:00:00z", NOON),
        ("2024-05-17t12:00:00Z", NOON),
        ("2024-05-17 12:00:00Z", NOON),
        ("2024-05-17T12:00:00", NOON),
        ("2024-05-17 12:00:00", NOON),
        ("2024-05-17 12:00:00 UTC", NOON),
        ("2024-05-17 12:00:00 utc", NOON),
        ("2024-05-17 12:00:00UTC", NOON),
        ("2024-05-17T14:00:00+02:00", NOON),
        ("2024-05-17T14:00:00+0200", NOON),
        ("2024-05-17T14:00:00+02", NOON),
        ("2024-05-17T14:00:00 +02:00", NOON),
        ("2024-05-17T06:30:00-05:30", NOON),
        ("2024-05-17T12:00:00-00:00", NOON),
        ("2024-05-17T12:00:00.5Z", utc(2024, 5, 17, 12, 0, 0, 500_000)),
        ("2024-05-17T12:00:00.000001Z", utc(2024, 5, 17, 12, 0, 0, 1)),
        ("2024-05-17 12:00:00.021037123 UTC", utc(2024, 5, 17, 12, 0, 0, 21_037)),
        ("2024-05-17T12:00:00.999999999999Z", utc(2024, 5, 17, 12, 0, 0, 999_999)),
        ("2024-05-17T12:00:00.0", NOON),
        ("2024-12-31T23:30:00-01:00", utc(2025, 1, 1, 0, 30)),
        ("0001-01-01T00:00:00Z", utc(1, 1, 1)),
        ("9999-12-31T23:59:59Z", utc(9999, 12, 31, 23, 59, 59)),
        ("2016-12-31T23:59:60Z", utc(2017, 1, 1)),
        ("2016-12-31 23:59:60.5 UTC", utc(2017, 1, 1, 0, 0, 0, 500_000)),
        ("2017-01-01T05:29:60+05:30", utc(2017, 1, 1)),
        ("2016-12-31T15:59:60.000001-0800", utc(2017, 1, 1, 0, 0, 0, 1)),
        ("2024-02-28T24:00:00Z", utc(2024, 2, 29)),
        ("2024-05-16T24:00:00.000 -12", NOON),
        ("2024-12-31 24:00:00", utc(2025, 1, 1)),
    ],
)
def test_timestamps(text: str, expected: dt.datetime) -> None:
    """Every form of the table reads as one aware time in UTC."""
    time = parse_time(text)
    assert time == expected
    assert time.tzinfo is dt.UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2024-05-17",
        "2024-05-17T12:00",
        "2024-05-17T12:00:00.Z",
        "2024-05-17T12:00:00.1234567890123Z",
        "2024-05-17T12:00:00,5Z",
        "2024-05-17T12:00:00 CET",
        "2024-05-17T12:00:00+2:00",
        "2024-05-17T12:00:00+24:00",
        "2024-05-17T12:00:00+02:00:00",
        "2024-05-17T12:00:00Zulu",
        "2024-05-17T24:00:01Z",
        "2024-05-17T24:00:00.5Z",
        "2024-05-17T24:00:00.0000001Z",
        "2024-05-17T24:00:60Z",
        "2024-05-17T24:01:00Z",
        "2024-05-17T25:00:00Z",
        "2024-05-17T12:00:61Z",
        "2024-05-17T12:60:60Z",
        "2024-02-30T24:00:00Z",
        "9999-12-31T24:00:00Z",
        "9999-12-31T23:59:60Z",
        "2024-05-17T12:60:00Z",
        "2024-02-30T12:00:00Z",
        "2024-00-10T12:00:00Z",
        "0000-01-01T00:00:00Z",
        "24-05-17T12:00:00Z",
        "20240517T120000Z",
        " 2024-05-17T12:00:00Z",
        "\u0662\u0660\u0662\u0664-05-17T12:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "1715947200",
    ],
)
def test_what_is_no_timestamp(text: str) -> None:
    """Anything else is a ValueError, times that UTC cannot hold among it."""
    with pytest.raises(ValueError):  # noqa: PT011 # whatever it says
        parse_time(text)


@given(
    time=st.datetimes(
        min_value=dt.datetime(2, 1, 1),  # noqa: DTZ001 # hypothesis wants naive bounds
        max_value=dt.datetime(9998, 12, 31),  # noqa: DTZ001 # as above
        timezones=st.builds(
            lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)), st.integers(-23 * 60, 23 * 60)
        ),
    ),
    separator=st.sampled_from("T "),
    colon=st.booleans(),
)
def test_timestamps_come_back(time: dt.datetime, separator: str, colon: bool) -> None:
    """Any time, in any zone, written in any of the forms, reads as the same instant."""
    text = time.isoformat(separator)
    parsed = parse_time(text if colon else text[:-3] + text[-2:])
    assert parsed == time
    assert parsed.tzinfo is dt.UTC


@given(
    st.one_of(
        st.text(max_size=40),
        st.from_regex(r"\A\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,12})?( ?(Z|UTC|[+-]\d\d:?\d\d))?\Z"),
    )
)
def test_a_timestamp_is_read_or_refused(text: str) -> None:
    """No text does anything but read as an aware time in UTC or raise ValueError."""
    try:
        time = parse_time(text)
    except ValueError:
        return
    assert time.tzinfo is dt.UTC


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(row=st.dictionaries(st.sampled_from([*PACKAGE, "isPrivate"]), JSON_VALUES, max_size=6))
def test_any_object_reads_or_is_refused(row: dict[str, object]) -> None:
    """No JSON object makes reading fail in another way than with a path, and what is read has its types."""
    try:
        package = wire.read(json.dumps([row]).encode(), list[Package])[0]
    except UnreadableError as error:
        assert error.path.startswith("[0].")  # noqa: PT017 # both ways are fine
        return
    assert type(package.uuid) is str
    assert type(package.name) is str
    assert package.website is None or type(package.website) is str


@given(st.binary(max_size=60))
def test_any_bytes_read_or_are_refused(body: bytes) -> None:
    """No bytes make reading fail in another way."""
    try:
        members = wire.read(body, list[Member])
    except UnreadableError:
        return
    assert isinstance(members, list)


@pytest.mark.parametrize(
    ("upsert", "expected"),
    [
        (
            OrganizationUpsert(name="acme", description="", billing_email="pay@acme.example"),
            {"name": "acme", "description": "", "billingEmail": "pay@acme.example"},
        ),
        (
            OrganizationUpsert(name="acme", description="Tools", billing_email="", website=None),
            {"name": "acme", "description": "Tools", "billingEmail": "", "website": None},
        ),
        (
            OrganizationUpsert(name="acme", description="Tools", billing_email="", website="https://acme.example"),
            {"name": "acme", "description": "Tools", "billingEmail": "", "website": "https://acme.example"},
        ),
        (MemberUpsert("ann", Role.OWNER), {"username": "ann", "role": "owner"}),
        (MemberUpsert("ann", "owner"), {"username": "ann", "role": "owner"}),
        (PackageUpsert(name="web", short_description=""), {"name": "web", "shortDescription": ""}),
        (
            PackageUpsert(
                name="web",
                short_description="Web",
                long_description="The web.",
                website="https://acme.example",
                library_type="docker",
                backend_url="https://docker.io/acme/web",
                public_url="https://acme.docker.scarf.sh/acme/web",
            ),
            {
                "name": "web",
                "shortDescription": "Web",
                "longDescription": "The web.",
                "website": "https://acme.example",
                "libraryType": "docker",
                "backendUrl": "https://docker.io/acme/web",
                "publicUrl": "https://acme.docker.scarf.sh/acme/web",
            },
        ),
        (
            PackageUpsert(
                name="web",
                short_description="Web",
                library_type="pypi",
                repository_url="https://python-index.example/simple/",
            ),
            {
                "name": "web",
                "shortDescription": "Web",
                "libraryType": "pypi",
                "repositoryURL": "https://python-index.example/simple/",
            },
        ),
        (
            PackageUpsert(
                name="web",
                short_description="",
                long_description=None,
                website=None,
                library_type=None,
                backend_url=None,
                public_url=None,
                repository_url=None,
            ),
            {
                "name": "web",
                "shortDescription": "",
                **dict.fromkeys(
                    ["longDescription", "website", "libraryType", "backendUrl", "publicUrl", "repositoryURL"]
                ),
            },
        ),
        (
            PackageUpsert(name="web", short_description="", website=UNSET, library_type="terraform"),
            {"name": "web", "shortDescription": "", "libraryType": "terraform"},
        ),
        (
            PermissionSet("ann@example.com", "blocked"),
            {"userQuery": "ann@example.com", "permissionLevel": "blocked"},
        ),
        (
            RouteCreate("https://acme.example/{v}", "/dl/{v}"),
            {"outgoingUrl": "https://acme.example/{v}", "templatePath": "/dl/{v}"},
        ),
        (DomainCreate("dl.acme.example"), {"name": "dl.acme.example"}),
        ([PermissionSet("ann", "admin")], [{"userQuery": "ann", "permissionLevel": "admin"}]),
        (
            [PermissionSet("ann", "admin"), PermissionSet("bob", "default")],
            [
                {"userQuery": "ann", "permissionLevel": "admin"},
                {"userQuery": "bob", "permissionLevel": "default"},
            ],
        ),
        ([], []),
    ],
)
def test_what_goes_out(upsert: object, expected: object) -> None:
    """An upsert is written under its wire names: UNSET is left out, None is null."""
    assert json.loads(wire.dump(upsert)) == expected


@given(st.text())
def test_text_goes_out_as_it_is(text: str) -> None:
    """Any Unicode text arrives unchanged."""
    body = wire.dump(OrganizationUpsert(name="acme", description=text, billing_email=""))
    assert json.loads(body)["description"] == text


@pytest.mark.parametrize(
    ("upsert", "kind"),
    [
        (
            OrganizationUpsert(name="acme", description="Tools", billing_email="a@acme.example", website="w"),
            Organization,
        ),
        (
            PackageUpsert(
                name="web", short_description="Web", long_description="l", website="w", library_type="npm"
            ),
            Package,
        ),
        (RouteCreate("https://acme.example/a", "/a"), Route),
        (DomainCreate("dl.acme.example"), Domain),
        (MemberUpsert("ann", "admin"), Member),
    ],
)
def test_the_names_of_the_two_sides_agree(upsert: attrs.AttrsInstance, kind: type[attrs.AttrsInstance]) -> None:
    """What is written reads back under the same wire names."""
    back = read({"uuid": "u-1", "id": "r-1", **json.loads(wire.dump(upsert))}, kind)
    for field in attrs.fields(kind):
        if hasattr(upsert, field.name) and wire.name(kind, field.name) is not None:
            assert getattr(back, field.name) == getattr(upsert, field.name)


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"role": 1, "organizationName": 2}, ".organizationName"),
        ({"role": 1, "organizationName": "acme"}, ".username"),
        ({"role": 1, "username": "ann"}, ".role"),
    ],
)
def test_of_several_faults_the_first_in_the_order_of_the_class_is_told(value: object, path: str) -> None:
    """Which one is told does not depend on the order in which the service sends the fields."""
    with pytest.raises(UnreadableError) as caught:
        wire.read(json.dumps([MEMBER, value]).encode(), list[Member])
    assert caught.value.path == f"[1]{path}"


def test_only_classes_that_are_met_are_prepared() -> None:
    """Preparing a class takes as long as making it, and a program needs few of a version's."""
    prepared: set[type] = set()

    def name(kind: type, attribute: str) -> str:
        prepared.add(kind)
        return attribute

    some = Wire(entities=(Route, PackageOverview, Package, Domain), upserts=(MemberUpsert, DomainCreate), name=name)
    assert prepared == set()
    some.read(b'[{"package": {"uuid": "u-1", "name": "web"}, "domains": []}]', list[PackageOverview])
    assert prepared == {PackageOverview, Package, Domain}
    some.dump([DomainCreate("dl.acme.example")])
    assert prepared == {PackageOverview, Package, Domain, DomainCreate}
