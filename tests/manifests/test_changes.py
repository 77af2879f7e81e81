"""Changes as data, as text, and as a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
import pytest

from scarf_async import JSON, Kind, ValidationError
from scarf_async.bulk.schedule import compile_plan
from scarf_async.manifests.changes import Change, Changes

from .states import arguments

PROMOTION = Change(
    action="update",
    kind="member",
    organization="acme",
    name="bob",
    before={"role": "admin"},
    after={"role": "owner"},
)
DEMOTION = Change(
    action="update",
    kind="member",
    organization="acme",
    name="ann",
    before={"role": "owner"},
    after={"role": "member"},
)
CREATED = Change(
    action="create",
    kind="package",
    organization="acme",
    package="web",
    library_type="npm",
    after={"short_description": "Web"},
)


def on(package: str | None, **fields: object) -> Change:
    """A change on a package of acme: one with a uuid, or `web`, which is yet to be created."""
    values: dict[str, object] = {"organization": "acme", "package": package or "web", "uuid": package, **fields}
    if package is None:
        values["library_type"] = "npm"
    return Change(**values)  # type: ignore[arg-type] # whatever a test says


def domain(package: str, name: str, *, leaves: bool = False) -> Change:
    """A domain that comes to a package, or leaves it."""
    fields = {"name": name}
    if leaves:
        return on(package, action="remove", kind="domain", name=name, id=f"id-{name}", before=fields)
    return on(package, action="create", kind="domain", name=name, after=fields)


ALL = Changes(
    (
        DEMOTION,
        PROMOTION,
        CREATED,
        on(None, action="create", kind="permission", name="ann", after={"level": "admin"}),
        on(
            "u-1",
            action="set",
            kind="permission",
            name="e@acme.example",
            after={"level": "admin"},
            note="by address",
        ),
        on("u-1", action="remove", kind="permission", name="eve", before={"level": "admin"}),
        on("u-1", action="blocked", kind="package", note="no addresses"),
        on("u-1", action="uncompared", kind="package", after={"backend_url": "https://ghcr.io/acme/web"}),
    ),
    ownerless=("acme",),
    there={"member": 2},
)


def test_they_are_a_sequence_with_counts() -> None:
    """Every change is in it; counts are by action, and removals and blocked ones can be had."""
    assert (len(ALL), ALL[0], ALL[1:3]) == (8, DEMOTION, (PROMOTION, CREATED))
    assert ALL.counts == {"create": 2, "update": 2, "set": 1, "remove": 1, "blocked": 1, "uncompared": 1}
    assert [change.name for change in ALL.removals] == ["eve"]
    assert [change.note for change in ALL.blocked] == ["no addresses"]


def test_they_show_as_a_difference() -> None:
    """One line for each change but for those not compared, which are counted."""
    assert str(ALL).splitlines() == [
        "~ member acme/ann: owner -> member",
        "~ member acme/bob: admin -> owner",
        "+ package acme/web (npm): short_description 'Web'",
        "+ permission acme/web/ann: admin",
        "~ permission acme/u-1/e@acme.example: admin (by address)",
        "- permission acme/u-1/eve",
        "! package acme/u-1 (no addresses)",
        "! organization acme would be left without an owner",
        "2 to create, 2 to update, 1 to set without comparing, 1 to remove, 1 blocked, 1 not compared",
    ]
    assert str(Changes()) == "no changes"
    assert repr(ALL) == (
        "<Changes: 2 to create, 2 to update, 1 to set without comparing, 1 to remove, 1 blocked, 1 not compared>"
    )


def test_what_they_state_is_read_as_texts() -> None:
    """In the order of the fields and without those that are not said; a field that no such thing has is refused."""
    change = on("u", action="set", kind="package", after={"website": "", "short_description": "Web"})
    assert (change.after, repr(change.after)) == (
        {"website": "", "short_description": "Web"},
        "{'short_description': 'Web', 'website': ''}",
    )
    assert attrs.evolve(change, action="update") == on("u", action="update", kind="package", after=change.after)
    assert repr(PROMOTION).endswith("before={'role': 'admin'}, after={'role': 'owner'}, note='')")
    with pytest.raises(ValidationError, match="a change of a member has no field 'level'") as refused:
        attrs.evolve(PROMOTION, after={"level": "admin"})
    assert refused.value.field == "level"


def test_a_part_of_them_is_had_without_parsing_text() -> None:
    """What is said about a change is data, and so is the count of all."""
    shown = [(change.sign, change.label, change.details) for change in ALL]
    assert shown == [
        ("~", "ann", "owner -> member"),
        ("~", "bob", "admin -> owner"),
        ("+", "web", "short_description 'Web'"),
        ("+", "ann", "admin"),
        ("~", "e@acme.example", "admin"),
        ("-", "eve", ""),
        ("!", "u-1", ""),
        ("?", "u-1", ""),
    ]
    assert ALL.summary == str(ALL).splitlines()[-1]
    assert Changes().summary == "no changes"


TAIL = {"before": {"website": "w" * 99 + "a"}, "after": {"website": "w" * 99 + "b"}}


@pytest.mark.parametrize(
    ("values", "longest", "shown"),
    [
        (TAIL, None, f"website '{'w' * 99}a' -> '{'w' * 99}b'"),
        (TAIL, 9, "website …wwwwwwwa' -> …wwwwwwwb'"),
        ({"before": {"website": "a" + "w" * 99}, "after": {"website": "b"}}, 9, "website 'awwwwwww… -> 'b'"),
        ({"before": {}, "after": {"website": "w" * 99}}, 9, "website 'wwwwwwww…"),
        (
            {"before": {"backend_url": "https://a:1@b.c"}, "after": {"backend_url": "https://a:2@b.c"}},
            None,
            "backend_url 'https://***@b.c' (its user or password differs)",
        ),
    ],
)
def test_a_value_is_shortened_to_where_it_differs(
    values: dict[str, Mapping[str, str]], longest: int | None, shown: str
) -> None:
    """Only on request: what changes can be seen in either case."""
    change = Change(
        action="update",
        kind="package",
        organization="acme",
        package="web",
        before=values["before"],
        after=values["after"],
    )
    assert change.describe(longest) == shown
    assert change.details == change.describe()


def test_a_route_that_goes_says_where_it_led() -> None:
    """Its path alone would not tell which of several it is."""
    gone = {"template_path": "/a", "outgoing_url": "https://a.example"}
    assert str(on("u", action="remove", kind="route", before=gone)).endswith("/a: -> 'https://a.example'")


def test_nothing_in_them_steers_a_terminal() -> None:
    """What the service named is escaped."""
    hostile = Change(action="remove", kind="member", organization="acme", name="e\x1b[2J\u202ee", note="\x07")
    text = on("u", action="update", kind="package", before={"website": "\x9b"}, after={"website": "y" * 99})
    shown = str(Changes((hostile, text), ownerless=("\x1b",)))
    assert all(letter.isprintable() or letter == "\n" for letter in shown)


def test_no_password_is_shown() -> None:
    """An address may carry one; it is in the data, and not in what people see."""
    address = f"https://ann:{'secret' * 20}@pypi.example/simple/"
    change = on("u", action="set", kind="package", after={"repository_url": address})
    assert "repository_url 'https://***@pypi.example/simple/'" in str(change)
    assert Changes.from_dict(Changes((change,)).to_dict())[0].after == {"repository_url": address}


def test_there_is_one_operation_for_each_change_that_sends_something() -> None:
    """The operation at a place of the plan carries out the change at that place of `applicable`."""
    plan = ALL.to_plan()
    assert [operation.kind for operation in plan] == [
        Kind.UPSERT_MEMBER,
        Kind.CREATE_PACKAGE,
        Kind.UPSERT_MEMBER,
        Kind.SET_PERMISSION,
        Kind.SET_PERMISSION,
        Kind.SET_PERMISSION,
    ]
    assert [change.name for change in ALL.applicable] == ["bob", None, "ann", "ann", "e@acme.example", "eve"]
    assert arguments(plan[3])["package"].index == 1


def test_owners_are_made_before_others_cease_to_be_owners() -> None:
    """The service refuses to let the last owner go."""
    plan = ALL.to_plan()
    assert (arguments(plan[0])["username"], arguments(plan[2])["username"], plan[2].after) == ("bob", "ann", (0,))
    elsewhere = Change(action="remove", kind="member", organization="umbra", name="ann", before={"role": "owner"})
    assert Changes((PROMOTION, elsewhere)).to_plan()[1].after == ()


def test_what_the_tokens_user_loses_comes_last() -> None:
    """A user who may change the other things of an organization loses that right after all of them."""
    loss = Change(
        action="update",
        kind="member",
        organization="acme",
        name="Me",
        before={"role": "admin"},
        after={"role": "member"},
    )
    elsewhere = attrs.evolve(loss, organization="umbra", name="bob")
    changes = Changes((loss, elsewhere, *ALL), me="me ")
    assert changes.applicable[-1] == loss
    plan = changes.to_plan()
    others = [place for place, change in enumerate(changes.applicable[:-1]) if change.organization == "acme"]
    assert plan[len(plan) - 1].after == tuple(others)
    assert len(others) == len(plan) - 2
    assert compile_plan(plan).units
    assert Changes.from_dict(changes.to_dict()) == changes
    assert Changes((loss, *ALL)).applicable[-1] != loss
    gain = attrs.evolve(loss, before={"role": "admin"}, after={"role": "owner"})
    assert Changes((*ALL, gain), me="me").applicable[-1] != gain


def test_a_domain_leaves_a_package_before_another_takes_it() -> None:
    """The service gives a name to one package at a time."""
    plan = Changes((domain("u-1", "DL.example"), domain("u-2", "dl.example", leaves=True))).to_plan()
    assert [(operation.kind, operation.after) for operation in plan] == [
        (Kind.DELETE_DOMAIN, ()),
        (Kind.CREATE_DOMAIN, (0,)),
    ]


def test_packages_that_swap_domains_do_not_wait_for_each_other() -> None:
    """Such a plan can be run, though the service may refuse a part of it the first time."""
    swap = Changes(
        (
            domain("u-1", "b.example"),
            domain("u-1", "a.example", leaves=True),
            domain("u-2", "a.example"),
            domain("u-2", "b.example", leaves=True),
        )
    )
    assert compile_plan(swap.to_plan()).units


def test_they_survive_as_data() -> None:
    """Nothing is lost on the way, and what is None takes no room."""
    data = ALL.to_dict()
    assert Changes.from_dict(data) == ALL
    changes = data["changes"]
    assert isinstance(changes, list)
    assert "uuid" not in changes[0]


def _without(field: str) -> Callable[[dict[str, JSON]], JSON]:
    return lambda data: {name: value for name, value in data.items() if name != field}


def _with(**fields: JSON) -> Callable[[dict[str, JSON]], JSON]:
    return lambda data: {**data, **fields}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without("version"), "these changes must be of version 1; their version is None"),
        (_with(version=2), "version is 2"),
        (_with(version=True), "version is True"),
        (_without("changes"), "missing required field `changes`"),
        (_with(changes=[{"action": "create"}]), r"missing required field `kind` - at `\$.changes\[0\]`"),
        (_with(changes=[{"action": "dance", "kind": "member"}]), r"Invalid enum value 'dance' - at `\$.changes"),
        (
            _with(changes=[{"action": "create", "kind": "member", "after": {"role": 7}}]),
            "Expected `str`, got `int`",
        ),
        (_with(limit=1), r"unknown field `limit` - at `\$`"),
        (_with(changes=[{"action": "create", "kind": "member", "nmae": "bob"}]), r"`nmae` - at `\$.changes\[0\]`"),
        (
            _with(changes=[{"action": "create", "kind": "member", "after": {"level": "admin"}}]),
            r"a change of a member has no field 'level' - at `\$.changes\[0\]`",
        ),
        (_with(ownerless="acme"), "Expected `array`, got `str`"),
        (lambda _: [], r"version is \[\]"),
    ],
)
def test_what_is_no_changes_is_refused(spoil: Callable[[dict[str, JSON]], JSON], message: str) -> None:
    """The message says what is wrong and where."""
    with pytest.raises(ValidationError, match=message):
        Changes.from_dict(spoil(dict(ALL.to_dict())))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (on(None, action="create", kind="route", after={}), "outgoing_url is missing"),
        (on("u", action="remove", kind="route"), "id is missing"),
        (on("u", action="remove", kind="domain", name="a"), "id is missing"),
        (on("u", action="create", kind="permission", name="ann"), "level is missing"),
        (on("u", action="create", kind="permission", name="ann", after={"level": "king"}), "'king' is not a level"),
        (on(None, action="create", kind="permission", name="a", after={"level": "admin"}), "which package this is"),
        (on(None, action="remove", kind="package"), "uuid is missing"),
        (on("u", action="update", kind="package", after={"backend_url": "x"}), "backend_url must be an absolute"),
        (
            Change(action="create", kind="member", organization="acme", name="a", after={"role": "king"}),
            "not a role",
        ),
        (Change(action="create", kind="member", name="a", after={"role": "owner"}), "organization is missing"),
        (Change(action="remove", kind="member", organization="acme"), "name is missing"),
        (
            Change(action="remove", kind="organization", organization="acme"),
            "acme: there is no operation to remove it",
        ),
        (on("u", action="update", kind="route", after={"template_path": "/a"}), "/a: outgoing_url is missing"),
        (on("u", action="set", kind="domain", name="a"), "there is no operation to set it"),
    ],
)
def test_what_cannot_be_sent_is_no_plan(change: Change, message: str) -> None:
    """Changes from a file that was edited are checked as if they were added by hand."""
    with pytest.raises(ValidationError, match=message):
        Changes((change,)).to_plan()
