"""The entity classes: their attributes and defaults, what they promise as data, and what they refuse."""

from __future__ import annotations

import copy
import datetime as dt
import inspect
import pickle
from collections.abc import Callable
from enum import StrEnum

import attrs
import pytest

from scarf_async.entities import (
    UNSET,
    Aggregate,
    Breakdown,
    Domain,
    DomainCreate,
    Event,
    Importance,
    ImportanceLike,
    LibraryType,
    Member,
    MemberUpsert,
    Organization,
    OrganizationUpsert,
    Package,
    PackageUpsert,
    Permission,
    PermissionLevel,
    PermissionSet,
    Role,
    Route,
    RouteCreate,
    Unset,
)
from scarf_async.errors import ValidationError

NOON = dt.datetime(2024, 5, 17, 12, tzinfo=dt.UTC)
DAY = dt.date(2024, 5, 17)
SHOWN_KINDS = (Organization, Member, Package, Permission, Route, Domain, Aggregate, Event)


@attrs.frozen
class Row:
    """One entity class: what must be given, and what the rest is where it is not."""

    kind: Callable[..., attrs.AttrsInstance]
    required: dict[str, object]
    defaults: dict[str, object] = attrs.field(factory=dict)

    def make(self, **more: object) -> attrs.AttrsInstance:
        """Make one with what must be given."""
        return self.kind(**self.required, **more)


def nones(names: str) -> dict[str, object]:
    """Give each name the default None."""
    return dict.fromkeys(names.split())


def unsets(names: str) -> dict[str, object]:
    """Give each name the default UNSET."""
    return dict.fromkeys(names.split(), UNSET)


ROWS = [
    Row(
        Organization,
        {"name": "acme"},
        {"description": "", "billing_email": "", **nones("website created_at updated_at id")},
    ),
    Row(
        OrganizationUpsert,
        {"name": "acme", "description": "", "billing_email": "a@acme.example"},
        unsets("website"),
    ),
    Row(Member, {"username": "ann", "role": Role.ADMIN}, {"organization_name": "", **nones("user_id")}),
    Row(MemberUpsert, {"username": "ann", "role": Role.ADMIN}),
    Row(
        Package,
        {"uuid": "u-1", "name": "web"},
        {
            "owner": "",
            "short_description": "",
            **nones("created_at long_description website library_type updated_at"),
            **nones("backend_registry repository_name repository_url importance"),
        },
    ),
    Row(
        PackageUpsert,
        {"name": "web", "short_description": ""},
        unsets("long_description website library_type backend_url public_url repository_url importance"),
    ),
    Row(Permission, {"username": "ann", "permission_level": PermissionLevel.MEMBER}, nones("user_id")),
    Row(PermissionSet, {"user_query": "ann", "permission_level": PermissionLevel.MEMBER}),
    Row(
        Route,
        {"id": "r-1", "outgoing_url": "https://acme.example/a", "template_path": "/a"},
        nones("owner package_id created_at type"),
    ),
    Row(RouteCreate, {"outgoing_url": "https://acme.example/a", "template_path": "/a"}),
    Row(Domain, {"id": "d-1", "name": "dl.acme.example"}, nones("owner package_id created_at")),
    Row(DomainCreate, {"name": "dl.acme.example"}),
    Row(
        Aggregate,
        {"breakdown": Breakdown.TOTAL, "date": DAY, "package": "u-1", "total": 7},
        nones(
            "company_name company_domain cloud_provider_name cloud_provider_domain country platform version"
            " client client_version variable value unique_total"
        ),
    ),
    Row(
        Event,
        {"type": "manifest-fetch", "time": NOON},
        nones(
            "package version referer user_agent variables origin_id origin_latitude origin_longitude"
            " origin_country origin_city origin_postal origin_company origin_domain origin_connection_type"
            " id pixel platform origin_state dnt confidence endpoint_id mtc_quota_exceeded"
        ),
    ),
]
SHOWN = [row for row in ROWS if row.kind in SHOWN_KINDS]
ASKED = [row for row in ROWS if row.kind not in SHOWN_KINDS]

every = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.kind.__name__)
shown = pytest.mark.parametrize("row", SHOWN, ids=lambda row: row.kind.__name__)
asked = pytest.mark.parametrize("row", ASKED, ids=lambda row: row.kind.__name__)


@every
def test_the_attributes(row: Row) -> None:
    """A class has exactly the attributes of its row, and `extra` where the service shows it."""
    expected = set(row.required) | set(row.defaults) | ({"extra"} if row in SHOWN else set())
    assert {field.name for field in attrs.fields(type(row.make()))} == expected


@every
def test_the_values(row: Row) -> None:
    """What was given is in the attributes; what was not has its default."""
    entity = row.make()
    assert {name: getattr(entity, name) for name in row.required} == row.required
    assert {name: getattr(entity, name) for name in row.defaults} == row.defaults


@pytest.mark.parametrize(
    ("row", "name"), [(row, name) for row in ROWS for name in row.required], ids=lambda item: str(item)[:20]
)
def test_what_is_required(row: Row, name: str) -> None:
    """Without a required attribute nothing is made."""
    with pytest.raises(TypeError, match=name):
        row.kind(**{key: value for key, value in row.required.items() if key != name})


@every
def test_entities_are_frozen(row: Row) -> None:
    """An attribute can be neither set nor deleted."""
    entity = row.make()
    for name in row.required:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(entity, name, "other")
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            delattr(entity, name)


@every
def test_entities_are_slotted(row: Row) -> None:
    """There is no instance dictionary into which a misspelt name could go."""
    entity = row.make()
    assert not hasattr(entity, "__dict__")
    assert "__slots__" in vars(type(entity))


@every
def test_entities_are_values(row: Row) -> None:
    """Equal content makes equal entities with equal hashes; other content makes others."""
    entity = row.make()
    assert entity == row.make()
    assert hash(entity) == hash(row.make())
    name = next(name for name, value in row.required.items() if type(value) is str)
    assert entity != row.kind(**{**row.required, name: "https://other.example/a"})


@every
def test_entities_pickle_and_copy(row: Row) -> None:
    """A pickle and a deep copy hold the same."""
    entity = row.make()
    assert pickle.loads(pickle.dumps(entity)) == entity  # noqa: S301 # our own bytes
    assert copy.deepcopy(entity) == entity


@shown
def test_extra_is_compared_but_neither_hashed_nor_shown(row: Row) -> None:
    """What the service adds makes a difference to `==`, and none to `hash` and `repr`."""
    plain, rich = row.make(), row.make(extra={"isPrivate": [1, {"two": None}]})
    assert plain != rich
    assert rich == row.make(extra={"isPrivate": [1, {"two": None}]})
    assert hash(plain) == hash(rich)
    assert repr(plain) == repr(rich)
    assert "isPrivate" not in repr(rich)


@shown
def test_extra_is_empty_where_nothing_was_added(row: Row) -> None:
    """No two entities share one mapping."""
    entities = row.make(), row.make()
    extras = [getattr(entity, "extra", None) for entity in entities]
    assert extras == [{}, {}]
    assert extras[0] is not extras[1]


@shown
def test_extra_survives_pickling(row: Row) -> None:
    """What the service added comes back from a pickle and a deep copy."""
    entity = row.make(extra={"isPrivate": True})
    assert pickle.loads(pickle.dumps(entity)) == entity  # noqa: S301 # our own bytes
    assert copy.deepcopy(entity) == entity


@pytest.mark.parametrize("kind", [OrganizationUpsert, PackageUpsert])
def test_long_upserts_take_keywords_alone(kind: type[attrs.AttrsInstance]) -> None:
    """Values by position are refused where they could be mixed up."""
    assert {parameter.kind for parameter in inspect.signature(kind).parameters.values()} == {
        inspect.Parameter.KEYWORD_ONLY
    }


@pytest.mark.parametrize(
    ("by_position", "by_name"),
    [
        (PermissionSet("ann", "admin"), PermissionSet(user_query="ann", permission_level="admin")),
        (
            RouteCreate("https://acme.example/a", "/a"),
            RouteCreate(outgoing_url="https://acme.example/a", template_path="/a"),
        ),
        (DomainCreate("dl.acme.example"), DomainCreate(name="dl.acme.example")),
        (MemberUpsert("ann", "owner"), MemberUpsert(username="ann", role="owner")),
    ],
)
def test_short_upserts_take_positions_too(by_position: object, by_name: object) -> None:
    """Two values at most go by position."""
    assert by_position == by_name


def test_unset_is_one_false_value() -> None:
    """UNSET is the only member of its type, false, and itself after pickling and copying."""
    assert not UNSET
    assert repr(UNSET) == "UNSET"
    assert list(Unset) == [UNSET]
    assert pickle.loads(pickle.dumps(UNSET)) is UNSET  # noqa: S301 # our own bytes
    assert copy.deepcopy(UNSET) is UNSET


def test_none_is_not_unset() -> None:
    """None is a value that is sent; UNSET is none."""
    sent = PackageUpsert(name="web", short_description="", website=None)
    assert sent.website is None
    assert sent != PackageUpsert(name="web", short_description="")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Role, {"member", "admin", "owner"}),
        (PermissionLevel, {"blocked", "default", "member", "admin", "owner"}),
        (Importance, {"low", "mid", "high"}),
        (LibraryType, {"docker", "npm", "hackage", "pypi", "other", "file", "python", "repository-jvm"}),
        (
            Breakdown,
            {"company", "cloud_provider", "country", "platform", "version", "client", "variable", "total"},
        ),
    ],
)
def test_the_words_of_the_enums(kind: type[StrEnum], words: set[str]) -> None:
    """Each enum has the words of its list, named in capitals."""
    assert {str(member) for member in kind} == words
    assert {member.name.lower().replace("_", "-") for member in kind} == {word.replace("_", "-") for word in words}


@pytest.mark.parametrize("word", list(Role))
def test_known_roles(word: Role) -> None:
    """The plain word and the member both become the member."""
    for given in (word, str(word)):
        made = MemberUpsert("ann", given)  # type: ignore[arg-type] # a computed word
        assert made.role is word


@pytest.mark.parametrize("word", list(PermissionLevel))
def test_known_levels(word: PermissionLevel) -> None:
    """The plain word and the member both become the member."""
    for given in (word, str(word)):
        made = PermissionSet("ann", given)  # type: ignore[arg-type] # a computed word
        assert made.permission_level is word


@pytest.mark.parametrize("word", ["", "Admin", "ADMIN", "superuser", " admin", None, 1, PermissionLevel.BLOCKED])
def test_unknown_roles_are_refused(word: object) -> None:
    """A role outside of the list is refused before anything is sent."""
    with pytest.raises(ValidationError, match="member, admin, owner") as caught:
        MemberUpsert("ann", word)  # type: ignore[arg-type] # what the types forbid
    assert caught.value.field == "role"


@pytest.mark.parametrize("word", ["", "Admin", "reader", "member ", None, 1, Importance.MID])
def test_unknown_levels_are_refused(word: object) -> None:
    """A level outside of the list is refused before anything is sent."""
    with pytest.raises(ValidationError, match="blocked, default, member, admin") as caught:
        PermissionSet("ann", word)  # type: ignore[arg-type] # what the types forbid
    assert caught.value.field == "permission_level"


@pytest.mark.parametrize("word", list(LibraryType))
def test_known_library_types(word: LibraryType) -> None:
    """The plain word becomes the member, going in and coming out."""
    assert PackageUpsert(name="web", short_description="", library_type=str(word)).library_type is word
    assert Package(uuid="u-1", name="web", library_type=str(word)).library_type is word


@pytest.mark.parametrize("word", ["terraform", "Docker", ""])
def test_library_types_are_open(word: str) -> None:
    """A type that is not listed is taken and given as it is."""
    assert PackageUpsert(name="web", short_description="", library_type=word).library_type == word
    assert type(Package(uuid="u-1", name="web", library_type=word).library_type) is str


@pytest.mark.parametrize(
    ("entity", "name", "expected"),
    [
        (Member(username="ann", role="admin"), "role", Role.ADMIN),
        (Member(username="ann", role="superuser"), "role", "superuser"),
        (Permission("ann", "blocked"), "permission_level", PermissionLevel.BLOCKED),
        (Permission("ann", "reader"), "permission_level", "reader"),
        (Aggregate(breakdown="total", date=DAY, package="u-1", total=1), "breakdown", Breakdown.TOTAL),
        (Aggregate(breakdown="continent", date=DAY, package="u-1", total=1), "breakdown", "continent"),
    ],
)
def test_words_that_the_service_shows(entity: object, name: str, expected: str) -> None:
    """A known word becomes its member; any other stays a plain string."""
    value = getattr(entity, name)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("row", "name"),
    [(row, name) for row in ASKED for name in (*row.required, *row.defaults)],
    ids=lambda item: str(item)[:20],
)
@pytest.mark.parametrize("value", [7, b"text", ["text"], {"text": 1}])
def test_upserts_take_strings(row: Row, name: str, value: object) -> None:
    """A value of another type is refused, and the error names the field."""
    with pytest.raises(ValidationError, match=name) as caught:
        row.kind(**{**row.required, name: value})
    assert caught.value.field == name


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
@pytest.mark.parametrize(
    ("row", "name"),
    [
        (row, name)
        for row in ASKED
        for name in row.required
        if name not in {"description", "billing_email", "short_description", "role", "permission_level"}
    ],
    ids=lambda item: str(item)[:20],
)
def test_what_names_a_thing_is_not_blank(row: Row, name: str, blank: str) -> None:
    """Names, queries and addresses must hold something."""
    with pytest.raises(ValidationError, match=name) as caught:
        row.kind(**{**row.required, name: blank})
    assert caught.value.field == name


@asked
def test_required_fields_cannot_be_none(row: Row) -> None:
    """None is for optional fields alone."""
    for name in row.required:
        if (row.kind, name) == (RouteCreate, "outgoing_url"):  # in v2, a route that only counts
            continue
        with pytest.raises(ValidationError, match=name):
            row.kind(**{**row.required, name: None})


def test_swapped_addresses_of_a_route_are_refused() -> None:
    """A template that is an absolute address, and an address that is a path: the hint says what is which."""
    for url, path, field in (
        ("https://a.example", "HTTPS://a.example/x", "template_path"),
        ("/x", "/y", "outgoing_url"),
    ):
        with pytest.raises(ValidationError, match="swapped") as refused:
            RouteCreate(url, path)
        assert refused.value.field == field


def test_some_required_texts_may_be_unset() -> None:
    """In v2 UNSET leaves as it is what v1 has to be given."""
    assert OrganizationUpsert(name="acme", description=UNSET, billing_email=UNSET).description is UNSET
    assert PackageUpsert(name="web", short_description=UNSET).short_description is UNSET
    assert [RouteCreate(url, "/a").outgoing_url for url in (None, UNSET)] == [None, UNSET]


@pytest.mark.parametrize("word", ["", "High", "middle", 1])
def test_unknown_importances_are_refused(word: object) -> None:
    """An importance outside of the list is refused before anything is sent; what the service sends is taken."""
    with pytest.raises(ValidationError, match="importance") as caught:
        PackageUpsert(name="web", short_description="", importance=word)  # type: ignore[arg-type] # as above
    assert caught.value.field == "importance"
    high: ImportanceLike = "high"
    assert PackageUpsert(name="web", short_description="", importance=high).importance is Importance.HIGH
    assert Package(uuid="u-1", name="web", importance="urgent").importance == "urgent"
    assert Package(uuid="u-1", name="web", importance="low").importance is Importance.LOW


@asked
def test_optional_fields_can_be_none(row: Row) -> None:
    """Every optional field takes None."""
    entity = row.make(**dict.fromkeys(row.defaults))
    assert {getattr(entity, name) for name in row.defaults} <= {None}


GOOD_DOCKER = [
    "https://registry.example/acme/web",
    "http://registry.example/web",
    "HTTPS://Registry.Example/web",
    "https://registry.example:5000/acme/web",
    "https://[2001:db8::1]:5000/acme",
    "https://registry.example/a.b/c_d/e-f",
    "https://registry.example/0/1a",
]
BAD_DOCKER = [
    "",
    "registry.example/acme/web",
    "//registry.example/acme/web",
    "/acme/web",
    "ftp://registry.example/acme/web",
    "docker://registry.example/acme/web",
    "https:///acme/web",
    "https://:5000/acme/web",
    "https://registry.example",
    "https://registry.example/",
    "https://registry.example/acme/",
    "https://registry.example//acme",
    "https://registry.example/acme//web",
    "https://registry.example/Acme",
    "https://registry.example/acme/web:latest",
    "https://registry.example/a..b",
    "https://registry.example/a__b",
    "https://registry.example/a--b",
    "https://registry.example/-a",
    "https://registry.example/a-",
    "https://registry.example/.",
    "https://registry.example/..",
    "https://registry.example/acme%2Fweb",
    "https://registry.example/acme;x",
    "https://registry.example/acme\n",
    "https://registry.example/ac\tme",
    "https://registry.example/acm\u00e9",
    "https://registry\u2024example/acme",
    " https://registry.example/acme",
    "https://registry.example/acme ",
    "https://ann@registry.example/acme",
    "https://ann:secret@registry.example/acme",
    "https://@registry.example/acme",
    "https://registry.example/acme?tag=1",
    "https://registry.example/acme?",
    "https://registry.example/acme#top",
    "https://registry.example/acme#",
    "https://registry.example:port/acme",
    "https://registry.example:0/acme",
    "https://registry.example:99999/acme",
    "https://[2001:db8::1/acme",
]


def package(**fields: object) -> PackageUpsert:
    """Make an upsert with the fields that are tried."""
    make: Callable[..., PackageUpsert] = PackageUpsert
    return make(name="web", short_description="", **fields)


@pytest.mark.parametrize("library_type", [UNSET, None, "docker", LibraryType.DOCKER])
@pytest.mark.parametrize("field", ["backend_url", "public_url"])
@pytest.mark.parametrize("address", GOOD_DOCKER)
def test_docker_addresses(address: str, field: str, library_type: object) -> None:
    """An absolute address with a path of valid components is taken as it is."""
    assert getattr(package(**{field: address, "library_type": library_type}), field) == address


@pytest.mark.parametrize("field", ["backend_url", "public_url"])
@pytest.mark.parametrize("address", BAD_DOCKER)
def test_docker_addresses_that_are_none(address: str, field: str) -> None:
    """Any other address is refused, and the error names the field and shows no password."""
    with pytest.raises(ValidationError, match=field) as caught:
        package(**{field: address})
    assert caught.value.field == field
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("backend", "public"),
    [
        ("https://docker.io/acme/web", "https://acme.docker.scarf.sh/acme/web"),
        ("https://docker.io/acme/web", "http://dl.acme.example:8080/acme/web"),
        ("https://docker.io/acme/web", None),
        (None, "https://dl.acme.example/acme/web"),
        ("https://docker.io/acme/web", UNSET),
        (UNSET, "https://dl.acme.example/acme/web"),
    ],
)
def test_docker_paths_are_equal(backend: object, public: object) -> None:
    """The two addresses may differ in all but their path; where one is not given nothing is compared."""
    made = package(backend_url=backend, public_url=public)
    assert (made.backend_url, made.public_url) == (backend, public)


@pytest.mark.parametrize("public", ["https://dl.acme.example/web", "https://dl.acme.example/acme/web/x"])
def test_docker_paths_that_differ_are_refused(public: str) -> None:
    """Other path parts than those of backend_url are refused."""
    with pytest.raises(ValidationError, match="path of backend_url") as caught:
        package(backend_url="https://docker.io/acme/web", public_url=public)
    assert caught.value.field == "public_url"


@pytest.mark.parametrize("library_type", [UNSET, None, "pypi", "python", LibraryType.PYPI])
@pytest.mark.parametrize(
    "address",
    ["https://python-index.example/simple/", "http://python-index.example", "https://python-index.example/x?y=1"],
)
def test_python_addresses(address: str, library_type: object) -> None:
    """The address of an index is any absolute http(s) address."""
    assert package(repository_url=address, library_type=library_type).repository_url == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "python-index.example/simple/",
        "//python-index.example/simple/",
        "/simple/",
        "ftp://python-index.example/simple/",
        "file:///simple/",
        "https:///simple/",
        "https://",
        "https://python-index.example/sim ple/",
        "https://python-index.example/simple/\n",
        "https://python-index.example:port/simple/",
        "ftp://ann:secret@python-index.example/simple/",
        "https://ann:secret@python-index.example/sim ple/",
    ],
)
def test_python_addresses_that_are_none(address: str) -> None:
    """Anything but an absolute http(s) address is refused, and the error shows no password."""
    with pytest.raises(ValidationError, match="repository_url") as caught:
        package(repository_url=address)
    assert caught.value.field == "repository_url"
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "address", "library_type"),
    [
        *(
            (field, "https://registry.example/acme/web", library_type)
            for field in ("backend_url", "public_url")
            for library_type in ("npm", "hackage", "pypi", "other", "file", "python", "terraform")
        ),
        *(
            ("repository_url", "https://python-index.example/simple/", library_type)
            for library_type in ("docker", "npm", "hackage", "other", "file", "terraform")
        ),
    ],
)
def test_an_address_fits_its_type(field: str, address: str, library_type: str) -> None:
    """Where a type is given, an address of another type is refused."""
    with pytest.raises(ValidationError, match=field) as caught:
        package(**{field: address, "library_type": library_type})
    assert caught.value.field == field


@pytest.mark.parametrize("nothing", [None, UNSET])
@pytest.mark.parametrize("library_type", list(LibraryType))
def test_no_address_fits_every_type(library_type: LibraryType, nothing: object) -> None:
    """Addresses that are null or left out go with every type."""
    made = package(library_type=library_type, backend_url=nothing, public_url=nothing, repository_url=nothing)
    assert made.library_type is library_type


@pytest.mark.parametrize(
    ("variables", "decoded"),
    [
        (None, {}),
        ("", {}),
        ("a=1&b=&c", {"a": "1", "b": "", "c": ""}),
        ("a=1&a=2", {"a": "1"}),
        ("n=x%26y+z&%C3%A4=%FF", {"n": "x&y z", "\u00e4": "\ufffd"}),
    ],
)
def test_the_variables_of_an_event(variables: str | None, decoded: dict[str, str]) -> None:
    """Decoded by name; the first of two values counts, and the text stays as it came."""
    event = Event(type="", time=dt.datetime(2024, 1, 1, tzinfo=dt.UTC), variables=variables)
    assert (event.variable_map, event.variables) == (decoded, variables)
