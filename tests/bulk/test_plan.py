"""Plans: what each adder stores, and what it refuses at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from scarf_async import (
    BulkPlan,
    DomainCreate,
    Operation,
    OrganizationUpsert,
    Package,
    PackageKey,
    PackageUpsert,
    PermissionLevel,
    Ref,
    Role,
    RouteCreate,
    ValidationError,
)
from scarf_async.bulk.planfile import digest

ORGANIZATION = OrganizationUpsert(name="acme", description="Tools", billing_email="pay@acme.example")
PACKAGE = PackageUpsert(name="web", short_description="Web", library_type="file")
SHOWN = Package(uuid="u-1", name="web", library_type="file")
ROUTE = RouteCreate("https://acme.example/{v}", "/dl/{v}")
DOMAIN = DomainCreate("dl.acme.example")

Adder = Callable[..., Ref[Any]]

ADDED: list[tuple[str, tuple[object, ...], dict[str, object], dict[str, object]]] = [
    ("create_organization", (ORGANIZATION,), {}, {"organization": ORGANIZATION, "if_exists": "fail"}),
    (
        "create_organization",
        (ORGANIZATION,),
        {"if_exists": "keep"},
        {"organization": ORGANIZATION, "if_exists": "keep"},
    ),
    ("update_organization", ("acme", ORGANIZATION), {}, {"name": "acme", "organization": ORGANIZATION}),
    (
        "upsert_member",
        ("acme", "ann", "admin"),
        {},
        {"organization": "acme", "username": "ann", "role": Role.ADMIN},
    ),
    ("remove_member", ("acme", "ann"), {}, {"organization": "acme", "username": "ann"}),
    ("create_package", (PACKAGE,), {}, {"package": PACKAGE, "organization": None, "if_exists": "fail"}),
    (
        "create_package",
        (PACKAGE, "acme"),
        {"if_exists": "keep"},
        {"package": PACKAGE, "organization": "acme", "if_exists": "keep"},
    ),
    ("update_package", ("u-1", PACKAGE), {}, {"package": "u-1", "upsert": PACKAGE}),
    ("delete_package", ("u-1",), {}, {"package": "u-1"}),
    (
        "set_permission",
        ("u-1", "bob@example.com", "member"),
        {},
        {"package": "u-1", "user_query": "bob@example.com", "level": PermissionLevel.MEMBER},
    ),
    ("create_route", ("u-1", ROUTE), {}, {"package": "u-1", "route": ROUTE, "if_exists": "fail"}),
    (
        "create_route",
        ("u-1", ROUTE),
        {"if_exists": "keep"},
        {"package": "u-1", "route": ROUTE, "if_exists": "keep"},
    ),
    ("delete_route", ("u-1", "r-1"), {}, {"package": "u-1", "route_id": "r-1"}),
    ("create_domain", ("u-1", DOMAIN), {}, {"package": "u-1", "domain": DOMAIN, "if_exists": "fail"}),
    (
        "create_domain",
        ("u-1", DOMAIN),
        {"if_exists": "keep"},
        {"package": "u-1", "domain": DOMAIN, "if_exists": "keep"},
    ),
    ("delete_domain", ("u-1", "d-1"), {}, {"package": "u-1", "domain_id": "d-1"}),
]
ON_PACKAGE: list[tuple[str, tuple[object, ...]]] = [
    ("update_package", (PACKAGE,)),
    ("delete_package", ()),
    ("set_permission", ("bob", "member")),
    ("create_route", (ROUTE,)),
    ("delete_route", ("r-1",)),
    ("create_domain", (DOMAIN,)),
    ("delete_domain", ("d-1",)),
]
MINIMAL = [(name, given) for name, given, options, _ in ADDED if not options]
REFUSED: list[tuple[str, tuple[object, ...], dict[str, object], str]] = [
    ("create_organization", ("acme",), {}, "organization"),
    ("create_organization", (ORGANIZATION,), {"if_exists": "maybe"}, "if_exists"),
    ("update_organization", ("", ORGANIZATION), {}, "name"),
    ("update_organization", ("..", ORGANIZATION), {}, "name"),
    ("update_organization", ("acme", PACKAGE), {}, "organization"),
    ("upsert_member", ("", "ann", "admin"), {}, "organization"),
    ("upsert_member", (7, "ann", "admin"), {}, "organization"),
    ("upsert_member", ("acme", " ", "admin"), {}, "username"),
    ("upsert_member", ("acme", "ann", "king"), {}, "role"),
    ("remove_member", ("ac\nme", "ann"), {}, "organization"),
    ("remove_member", ("acme", ""), {}, "username"),
    ("remove_member", ("acme", "."), {}, "username"),
    ("create_package", (SHOWN,), {}, "package"),
    ("create_package", (PACKAGE, ""), {}, "organization"),
    ("create_package", (PACKAGE,), {"if_exists": None}, "if_exists"),
    ("update_package", ("u-1", ORGANIZATION), {}, "upsert"),
    (
        "update_package",
        (SHOWN, PackageUpsert(name="web", short_description="", library_type="npm")),
        {},
        "library_type",
    ),
    ("set_permission", ("u-1", "", "member"), {}, "user_query"),
    ("set_permission", ("u-1", "bob", "guest"), {}, "permission_level"),
    ("create_route", ("u-1", DOMAIN), {}, "route"),
    ("create_route", ("u-1", ROUTE), {"if_exists": "replace"}, "if_exists"),
    ("delete_route", ("u-1", ""), {}, "route_id"),
    ("create_domain", ("u-1", ROUTE), {}, "domain"),
    ("create_domain", ("u-1", DOMAIN), {"if_exists": True}, "if_exists"),
    ("delete_domain", ("u-1", "\x00"), {}, "domain_id"),
]


def adder(plan: BulkPlan, name: str) -> Adder:
    """The method of a plan that adds operations of this kind."""
    method: Adder = getattr(plan, name)
    return method


@pytest.mark.parametrize(("name", "given", "options", "stored"), ADDED)
def test_adder_stores_one_operation_of_its_own_kind(
    name: str, given: tuple[object, ...], options: dict[str, object], stored: dict[str, object]
) -> None:
    """Kind and arguments by parameter name, words as their enums; and the `Ref` that comes back names it."""
    plan = BulkPlan()
    ref = adder(plan, name)(*given, **options)
    (operation,) = plan
    assert operation == Operation(0, operation.kind, stored, ())
    assert operation.kind == name
    assert [type(value) for value in operation.arguments.values()] == [type(value) for value in stored.values()]
    assert ref.index == 0
    assert ref.belongs_to(plan)


@pytest.mark.parametrize(("name", "given", "options", "field"), REFUSED)
def test_adder_refuses_at_once_what_cannot_be_sent(
    name: str, given: tuple[object, ...], options: dict[str, object], field: str
) -> None:
    """A `ValidationError` that names the parameter; the plan stays as it was."""
    plan = BulkPlan()
    with pytest.raises(ValidationError) as caught:
        adder(plan, name)(*given, **options)
    assert caught.value.field == field
    assert len(plan) == 0


@pytest.mark.parametrize(("name", "given"), ON_PACKAGE)
@pytest.mark.parametrize("package", ["", "..", "a\tb", 5, None])
def test_package_that_is_none_is_refused(name: str, given: tuple[object, ...], package: object) -> None:
    """What cannot be in an address is not a package, whatever is to be done with it."""
    plan = BulkPlan()
    with pytest.raises(ValidationError) as caught:
        adder(plan, name)(package, *given)
    assert caught.value.field == "package"
    assert len(plan) == 0


@pytest.mark.parametrize(("name", "given"), ON_PACKAGE)
def test_package_may_be_uuid_entity_or_ref(name: str, given: tuple[object, ...]) -> None:
    """An entity is kept as its uuid, and a `Ref` as it is."""
    plan = BulkPlan()
    made = plan.create_package(PACKAGE)
    changed = plan.update_package("u-1", PACKAGE)
    for package in ("u-1", SHOWN, made, changed):
        adder(plan, name)(package, *given)
    assert [operation.arguments["package"] for operation in list(plan)[2:]] == ["u-1", "u-1", made, changed]


@pytest.mark.parametrize(("name", "given"), ON_PACKAGE)
def test_id_alone_tells_packages_apart(name: str, given: tuple[object, ...]) -> None:
    """Plans that name a package with and without its owner are equal, and are written alike."""
    plans = []
    for package in ("u-1", attrs.evolve(SHOWN, owner="acme"), PackageKey("acme", "u-1"), PackageKey(None, "u-1")):
        plan = BulkPlan()
        adder(plan, name)(package, *given)
        plans.append(plan)
        (operation,) = plan
        assert (operation.root, operation.arguments["package"]) == ("u-1", "u-1")
    assert plans == plans[:1] * 4
    assert len({digest(plan) for plan in plans}) == 1


@pytest.mark.parametrize(("name", "given"), ON_PACKAGE)
def test_ref_of_what_is_no_package_is_refused(name: str, given: tuple[object, ...]) -> None:
    """A route or a member is not a package, and the message says what it is."""
    plan = BulkPlan()
    route = plan.create_route("u-1", ROUTE)
    with pytest.raises(ValidationError, match="create_route does not return one"):
        adder(plan, name)(route, *given)
    assert len(plan) == 1


@pytest.mark.parametrize(("name", "given"), ON_PACKAGE)
def test_package_of_another_plan_is_refused(name: str, given: tuple[object, ...]) -> None:
    """A `Ref` means a place in its own plan alone."""
    plan, other = BulkPlan(), BulkPlan()
    plan.create_package(PACKAGE)
    foreign = other.create_package(PACKAGE)
    with pytest.raises(ValidationError, match="another plan") as caught:
        adder(plan, name)(foreign, *given)
    assert caught.value.field == "package"
    assert len(plan) == 1


@pytest.mark.parametrize(("name", "given"), MINIMAL)
def test_after_takes_one_or_many(name: str, given: tuple[object, ...]) -> None:
    """One `Ref`, any iterable of them, none; stored as sorted places without repetition."""
    plan = BulkPlan()
    _, first, *_, second = [plan.create_package(PACKAGE, organization=f"owner{place}") for place in range(9)]
    for after in (first, [second, first, second], (ref for ref in (first, second)), {second}, [], ()):
        adder(plan, name)(*given, after=after)
    assert [operation.after for operation in list(plan)[9:]] == [(1,), (1, 8), (1, 8), (8,), (), ()]


@pytest.mark.parametrize(("name", "given"), MINIMAL)
def test_after_of_another_plan_is_refused(name: str, given: tuple[object, ...]) -> None:
    """Alone and among others, at once."""
    plan, other = BulkPlan(), BulkPlan()
    own, foreign = plan.remove_member("acme", "ann"), other.remove_member("acme", "ann")
    for after in (foreign, [own, foreign]):
        with pytest.raises(ValidationError, match="another plan") as caught:
            adder(plan, name)(*given, after=after)
        assert caught.value.field == "after"
    assert len(plan) == 1


@pytest.mark.parametrize("after", ["0", [0], [None]])
def test_after_takes_nothing_but_refs(after: Any) -> None:
    """A place or a name is no `Ref`."""
    plan = BulkPlan()
    plan.remove_member("acme", "ann")
    with pytest.raises(ValidationError) as caught:
        plan.remove_member("acme", "bob", after=after)
    assert caught.value.field == "after"
    assert len(plan) == 1


def test_plan_is_a_sequence_of_its_operations() -> None:
    """`len`, iteration in the order of adding, and indexing, from the end too."""
    plan = BulkPlan()
    assert len(plan) == 0
    assert list(plan) == []
    refs = [plan.remove_member("acme", f"user{number}") for number in range(5)]
    assert len(plan) == 5
    assert [operation.index for operation in plan] == [ref.index for ref in refs] == [0, 1, 2, 3, 4]
    assert plan[2].arguments["username"] == "user2"
    assert plan[-1] is list(plan)[4]
    with pytest.raises(IndexError):
        _ = plan[5]


def test_operation_is_the_same_each_time_also_when_the_plan_has_grown() -> None:
    """However it is reached, and a plan that grows while it is iterated over is iterated over to its end."""
    plan = BulkPlan()
    plan.delete_package("u-1")
    first = plan[-1]
    assert first.index == 0
    seen = []
    for operation in plan:
        seen.append(operation)
        if len(plan) < 3:
            plan.remove_member("acme", f"user{len(plan)}", after=Ref(plan, 0))
    assert seen == list(plan)
    assert all(one is same for one, same in zip(seen, plan, strict=True))
    assert plan[0] is first is plan[-3]
    assert [operation.after for operation in plan] == [(), (0,), (0,)]


def test_slice_of_a_plan_is_a_list_of_operations() -> None:
    """Also of those that nobody has asked for yet."""
    plan = BulkPlan()
    for user in ("ann", "bob", "eve"):
        plan.remove_member("acme", user)
    assert plan[1:] == [plan[1], plan[2]]
    assert plan[::-2] == [plan[2], plan[0]]


@pytest.mark.parametrize("package", ["ref", PackageKey("acme", "u-1")])
def test_refused_operation_leaves_nothing_behind(package: str | PackageKey) -> None:
    """The operation that gets its index is on its own package, and its package may have any owner."""
    plan, other = BulkPlan(), BulkPlan()
    foreign = other.delete_package("u-1")
    first = plan.create_package(PACKAGE, "acme")
    with pytest.raises(ValidationError, match="another plan"):
        plan.set_permission(first if package == "ref" else package, "bob", "member", after=foreign)
    second = plan.create_package(attrs.evolve(PACKAGE, name="tool"), "acme")
    plan.set_permission(second, "bob", "member")
    plan.delete_package(PackageKey("tools", "u-1"))
    assert [operation.root for operation in plan] == [0, 1, 1, "u-1"]
    assert [second.root, plan.root(2)] == [1, 1]


def test_operations_are_frozen() -> None:
    """A plan only ever grows."""
    plan = BulkPlan()
    plan.delete_package("u-1")
    with pytest.raises(AttributeError):
        plan[0].index = 7  # type: ignore[misc] # that is the point


def test_operation_shows_what_it_does() -> None:
    """Its place, its kind and its values; names of what is created, places of what is referred to, no options."""
    plan = BulkPlan()
    web = plan.create_package(PACKAGE, organization="acme", if_exists="keep")
    plan.set_permission(web, "bob", "member", after=web)
    plan.update_organization("acme", ORGANIZATION)
    plan.create_domain("u-1", DOMAIN)
    assert [str(operation) for operation in plan] == [
        "#0 create_package web, acme",
        "#1 set_permission #0, bob, member",
        "#2 update_organization acme, acme",
        "#3 create_domain u-1, dl.acme.example",
    ]


def test_operation_at_the_end_of_a_long_chain_can_be_shown() -> None:
    """Each change refers to the one before it, ten thousand times over."""
    plan = BulkPlan()
    package = plan.create_package(PACKAGE)
    for _ in range(10_000):
        package = plan.update_package(package, PACKAGE)
    assert str(plan[-1]) == "#10000 update_package #9999, web"
    assert repr(package) == "<Ref #10000 update_package>"


def test_refs_are_equal_where_they_mean_the_same_operation() -> None:
    """Same plan and same place; so they serve as keys."""
    plan, other = BulkPlan(), BulkPlan()
    first, second = plan.delete_package("u-1"), plan.delete_package("u-2")
    foreign = other.delete_package("u-1")
    assert first == Ref(plan, 0)
    assert len({first, Ref(plan, 0), second, foreign}) == 3
    assert first != 0
    assert not first.belongs_to(other)


def referring(name: str = "bob") -> BulkPlan:
    """A plan with everything that may differ."""
    plan = BulkPlan()
    web = plan.create_package(PACKAGE, "acme", if_exists="keep")
    plan.set_permission(web, name, "member")
    plan.set_permission(SHOWN, name, "admin", after=web)
    return plan


def test_plans_of_equal_operations_are_equal(tmp_path: Path) -> None:
    """Also where these refer to each other, and where one was read from a file; they are not the same plan."""
    plan = referring()
    assert plan == referring()
    assert list(plan) == list(referring())
    plan.dump(tmp_path / "plan")
    assert BulkPlan.load(tmp_path / "plan") == plan
    assert BulkPlan() == BulkPlan()
    assert not Ref(referring(), 0).belongs_to(plan)


def test_plans_of_other_operations_differ() -> None:
    """In number, order, kind, value, what they refer to, and what they wait for."""
    longer, plan = referring(), referring()
    longer.delete_package("u-1")
    assert plan != longer
    assert plan != referring("eve")
    assert plan != [*plan]
    adders: list[Callable[[BulkPlan, Ref[Package]], Ref[Any]]] = [
        lambda plan, web: plan.set_permission(web, "bob", "member"),
        lambda plan, _: plan.set_permission("u-1", "bob", "member"),
        lambda plan, web: plan.set_permission("u-1", "bob", "member", after=web),
        lambda plan, _: plan.remove_member("u-1", "bob"),
        lambda plan, web: plan.update_package(web, PACKAGE),
        lambda plan, _: plan.create_route("u-1", ROUTE),
        lambda plan, _: plan.create_route("u-1", ROUTE, if_exists="keep"),
    ]
    plans = []
    for add in adders:
        plans.append(BulkPlan())
        add(plans[-1], plans[-1].create_package(PACKAGE))
    assert [[one == other for other in plans] for one in plans] == [
        [place == other for other in range(len(plans))] for place in range(len(plans))
    ]


def test_plan_has_no_hash() -> None:
    """It is equal by what it holds, and grows."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(BulkPlan())


def test_plan_shows_its_size() -> None:
    """`repr` counts."""
    plan = BulkPlan()
    plan.delete_package("u-1")
    assert repr(plan) == "<BulkPlan of 1 operations>"
