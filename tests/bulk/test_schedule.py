"""From plans to requests, without a socket: what travels together, what waits for what, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scarf_async import (
    BulkPlan,
    DomainCreate,
    OrganizationUpsert,
    PackageUpsert,
    Ref,
    RouteCreate,
    ValidationError,
)
from scarf_async.bulk import Kind
from scarf_async.bulk.schedule import Schedule, compile_plan

from .model import Model

ROUTE = RouteCreate("https://acme.example/{v}", "/dl/{v}")
AnyRef = Ref[Any]


def organization(name: str = "acme", description: str = "") -> OrganizationUpsert:
    """An organization to create, or to change to."""
    return OrganizationUpsert(name=name, description=description, billing_email="pay@acme.example")


def package(name: str = "web", **fields: str) -> PackageUpsert:
    """A package to create, or to change to."""
    return PackageUpsert(name=name, short_description="", **fields)


def requests(plan: BulkPlan, batch: int = 100) -> list[tuple[int, ...]]:
    """The places of the operations of each request, in the order in which requests were made up."""
    schedule = compile_plan(plan, batch)
    return [unit for unit in schedule.units if unit[0] < len(plan)]


def walk(schedule: Schedule, random: Random | None = None) -> list[int]:
    """Do one unit after another that waits for none: the first, or any."""
    waits = list(schedule.waits)
    ready = [unit for unit, count in enumerate(waits) if not count]
    order = []
    while ready:
        unit = ready.pop(random.randrange(len(ready)) if random else 0)
        order.append(unit)
        for follower in schedule.followers.get(unit, ()):
            waits[follower] -= 1
            if not waits[follower]:
                ready.append(follower)
    return order


def waits_for(plan: BulkPlan, later: AnyRef, earlier: AnyRef) -> bool:
    """Whether the request of one operation can only be sent when that of another has been answered."""
    schedule = compile_plan(plan)
    unit_of = {place: unit for unit, places in enumerate(schedule.units) for place in places}
    reached, left = set[int](), [unit_of[earlier.index]]
    while left:
        for follower in schedule.followers.get(left.pop(), ()):
            if follower not in reached:
                reached.add(follower)
                left.append(follower)
    return unit_of[later.index] in reached


def edges(schedule: Schedule) -> int:
    """How many waits there are."""
    return sum(len(followers) for followers in schedule.followers.values())


# What travels together


@pytest.mark.parametrize(
    ("number", "batch", "arrays"), [(1, 100, 1), (100, 100, 1), (101, 100, 2), (7, 3, 3), (3, 1, 3)]
)
def test_permissions_of_a_package_fill_as_few_arrays_as_the_batch_allows(
    number: int, batch: int, arrays: int
) -> None:
    """All full but the last, in the plan's order."""
    plan = BulkPlan()
    for user in range(number):
        plan.set_permission("p", f"user{user}", "member")
    made = requests(plan, batch)
    assert [len(array) for array in made[:-1]] == [batch] * (arrays - 1)
    assert [place for array in made for place in array] == list(range(number))


def test_permissions_of_several_packages_travel_apart() -> None:
    """However they were mixed when they were added."""
    plan = BulkPlan()
    for user in range(4):
        for uuid in ("p", "q", "r"):
            plan.set_permission(uuid, f"user{user}", "member")
    assert requests(plan) == [(0, 3, 6, 9), (1, 4, 7, 10), (2, 5, 8, 11)]


def test_arrays_of_one_package_go_one_after_another() -> None:
    """An e-mail address and a username may be one person, so the plan's order is kept."""
    plan = BulkPlan()
    for user in range(7):
        plan.set_permission("p", f"user{user}", "member")
    plan.set_permission("q", "ann", "member")
    schedule = compile_plan(plan, 2)
    assert schedule.waits == [0, 1, 1, 1, 0]
    assert schedule.followers == {0: [1], 1: [2], 2: [3]}


def test_permission_with_another_after_does_not_join_the_array() -> None:
    """It would be held up, or would hold up the others; equal waits travel together."""
    plan = BulkPlan()
    gate = plan.upsert_member("acme", "ann", "member")
    plan.set_permission("p", "a", "member")
    plan.set_permission("p", "b", "member", after=gate)
    plan.set_permission("p", "c", "member", after=[gate])
    plan.set_permission("p", "d", "member")
    assert requests(plan) == [(0,), (1,), (2, 3), (4,)]


def test_permission_after_another_of_its_package_waits_for_it() -> None:
    """Two values for one user, in an order."""
    plan = BulkPlan()
    first = plan.set_permission("p", "ann", "admin")
    second = plan.set_permission("p", "ann", "blocked", after=first)
    assert requests(plan) == [(0,), (1,)]
    assert waits_for(plan, second, first)


def test_package_is_one_whether_named_by_its_creation_or_by_its_changes() -> None:
    """Permissions through the `Ref` of a change wait for the change, and for arrays before them."""
    plan = BulkPlan()
    web = plan.create_package(package())
    early = plan.set_permission(web, "ann", "member")
    changed = plan.update_package(web, package(website="https://acme.example"))
    late = plan.set_permission(changed, "bob", "member")
    again = plan.set_permission(web, "eve", "member")
    assert requests(plan) == [(0,), (1,), (2,), (3,), (4,)]
    assert waits_for(plan, late, changed)
    assert waits_for(plan, late, early)
    assert not waits_for(plan, early, changed)
    assert waits_for(plan, again, web)


def test_ref_of_a_change_of_a_uuid_means_the_package_of_the_uuid() -> None:
    """Contradictions are seen, and the package's deletion waits."""
    plan = BulkPlan()
    changed = plan.update_package("p", package())
    given = plan.set_permission(changed, "ann", "member")
    gone = plan.delete_package("p")
    assert waits_for(plan, gone, given)
    plan.set_permission("p", "Ann", "admin")
    with pytest.raises(ValidationError, match="different values"):
        compile_plan(plan)


EQUALS: list[Callable[[BulkPlan], AnyRef]] = [
    lambda plan: plan.create_organization(organization()),
    lambda plan: plan.update_organization("acme", organization("acme", "New")),
    lambda plan: plan.upsert_member("acme", "ann", "admin"),
    lambda plan: plan.remove_member("acme", "ann"),
    lambda plan: plan.create_package(package(), "acme", if_exists="keep"),
    lambda plan: plan.update_package("p", package()),
    lambda plan: plan.delete_package("p"),
    lambda plan: plan.set_permission("p", "ann", "member"),
    lambda plan: plan.create_route("p", ROUTE),
    lambda plan: plan.delete_route("p", "r-1"),
    lambda plan: plan.create_domain("p", DomainCreate("a.example")),
    lambda plan: plan.delete_domain("p", "d-1"),
]


@pytest.mark.parametrize("add", EQUALS)
def test_equal_operations_share_one_request(add: Callable[[BulkPlan], AnyRef]) -> None:
    """Equal to the letter: one request, whatever is between them."""
    plan = BulkPlan()
    add(plan)
    plan.upsert_member("other", "bob", "member")
    add(plan)
    add(plan)
    assert requests(plan) == [(0, 2, 3), (1,)]
    assert compile_plan(plan).twins == {2: 0, 3: 0}


def test_what_refers_to_equal_operations_is_equal_too() -> None:
    """Routes of two equal packages are routes of one; what comes after one comes after the other."""
    plan = BulkPlan()
    first, second = plan.create_package(package()), plan.create_package(package())
    plan.create_route(first, ROUTE)
    plan.create_route(second, ROUTE)
    plan.upsert_member("acme", "ann", "member", after=first)
    plan.upsert_member("acme", "ann", "member", after=[second, first])
    assert requests(plan) == [(0, 1), (2, 3), (4, 5)]


def test_equal_permissions_do_not_count_towards_the_batch() -> None:
    """One entry of the array stands for them."""
    plan = BulkPlan()
    for user in ("a", "a", "b", "a", "c"):
        plan.set_permission("p", user, "member")
    assert requests(plan, 2) == [(0, 1, 2, 3), (4,)]


def test_operations_with_another_after_are_not_equal() -> None:
    """The second giving of one permission comes when something else has happened."""
    plan = BulkPlan()
    first = plan.set_permission("p", "ann", "member")
    blocked = plan.set_permission("p", "ann", "blocked", after=first)
    plan.set_permission("p", "ann", "member", after=blocked)
    assert requests(plan) == [(0,), (1,), (2,)]


# What contradicts itself

CONTRADICTIONS: list[tuple[Callable[..., AnyRef], Callable[..., AnyRef]]] = [
    (
        lambda plan, **order: plan.set_permission("p", "ann", "member", **order),
        lambda plan, **order: plan.set_permission("p", " ANN ", "admin", **order),
    ),
    (
        lambda plan, **order: plan.upsert_member("acme", "Straße", "member", **order),
        lambda plan, **order: plan.upsert_member("acme", "STRASSE", "owner", **order),
    ),
    (
        lambda plan, **order: plan.upsert_member("acme", "ann", "member", **order),
        lambda plan, **order: plan.remove_member("acme", "Ann", **order),
    ),
    (
        lambda plan, **order: plan.remove_member("acme", "ann", **order),
        lambda plan, **order: plan.upsert_member("acme", "ann", "member", **order),
    ),
    (
        lambda plan, **order: plan.update_organization("acme", organization(), **order),
        lambda plan, **order: plan.update_organization("acme", organization("acme", "New"), **order),
    ),
    (
        lambda plan, **order: plan.create_organization(organization(), **order),
        lambda plan, **order: plan.create_organization(organization("acme", "New"), **order),
    ),
    (
        lambda plan, **order: plan.create_package(package(), "acme", **order),
        lambda plan, **order: plan.create_package(package(website="https://acme.example"), "acme", **order),
    ),
    (
        lambda plan, **order: plan.update_package("p", package(), **order),
        lambda plan, **order: plan.update_package("p", package("web2"), **order),
    ),
    (
        lambda plan, **order: plan.set_permission("p", "Jos\u00e9", "member", **order),
        lambda plan, **order: plan.set_permission("p", "Jose\u0301", "admin", **order),
    ),
    (
        lambda plan, **order: plan.upsert_member("acme", "ann", "member", **order),
        lambda plan, **order: plan.upsert_member("Acme", "ann", "owner", **order),
    ),
    (
        lambda plan, **order: plan.create_package(package(), "acme", **order),
        lambda plan, **order: plan.create_package(package("acme/web"), "Acme", **order),
    ),
    (
        lambda plan, **order: plan.create_domain("p", DomainCreate("m\u00fcnchen.example"), **order),
        lambda plan, **order: plan.create_domain("p", DomainCreate("xn--mnchen-3ya.example."), **order),
    ),
]


@pytest.mark.parametrize(("one", "other"), CONTRADICTIONS)
def test_two_values_for_one_target_are_refused(one: Callable[..., AnyRef], other: Callable[..., AnyRef]) -> None:
    """The message names both operations."""
    plan = BulkPlan()
    plan.delete_package("before")
    one(plan)
    plan.delete_package("between")
    other(plan)
    with pytest.raises(ValidationError, match="nothing was sent") as caught:
        compile_plan(plan)
    assert str(plan[1]) in str(caught.value)
    assert str(plan[3]) in str(caught.value)


@pytest.mark.parametrize(("one", "other"), CONTRADICTIONS)
def test_after_decides_between_two_values(one: Callable[..., AnyRef], other: Callable[..., AnyRef]) -> None:
    """Straight, and over several operations that have nothing to do with it."""
    plan = BulkPlan()
    first = one(plan)
    assert waits_for(plan, other(plan, after=first), first)
    plan = BulkPlan()
    first = one(plan)
    step = plan.delete_package("x", after=first)
    side = plan.delete_package("y")
    step = plan.delete_package("z", after=[side, step])
    assert waits_for(plan, other(plan, after=step), first)


def test_same_user_elsewhere_is_another_target() -> None:
    """Another package, another organization, another type of package of one name."""
    plan = BulkPlan()
    plan.set_permission("p", "ann", "member")
    plan.set_permission("q", "ann", "admin")
    plan.upsert_member("a", "ann", "member")
    plan.upsert_member("b", "ann", "admin")
    plan.create_package(package(library_type="npm"))
    plan.create_package(package(library_type="pypi"))
    plan.create_package(package(), "acme")
    assert len(requests(plan)) == 7


def test_same_value_in_other_letters_is_no_contradiction() -> None:
    """Both are sent, in one array."""
    plan = BulkPlan()
    plan.set_permission("p", "ann", "member")
    plan.set_permission("p", "ANN", "member")
    assert requests(plan) == [(0, 1)]


def test_every_earlier_value_must_be_decided_on() -> None:
    """A last value that comes after one of two equal ones leaves it open against the other."""
    plan = BulkPlan()
    gate = plan.delete_package("x")
    plan.upsert_member("acme", "ann", "member")
    second = plan.upsert_member("acme", "ann", "member", after=gate)
    plan.upsert_member("acme", "ann", "admin", after=second)
    with pytest.raises(ValidationError) as caught:
        compile_plan(plan)
    assert str(plan[1]) in str(caught.value)
    assert str(plan[3]) in str(caught.value)


def test_value_among_several_that_nothing_decides_on_is_refused() -> None:
    """Two branches after one operation do not order each other."""
    plan = BulkPlan()
    first = plan.set_permission("p", "ann", "member")
    plan.set_permission("p", "ann", "admin", after=first)
    plan.set_permission("p", "ann", "blocked", after=first)
    with pytest.raises(ValidationError) as caught:
        compile_plan(plan)
    assert str(plan[1]) in str(caught.value)
    assert str(plan[2]) in str(caught.value)


def test_using_the_ref_of_a_change_decides_too() -> None:
    """Who changes what a change returned means the later value."""
    plan = BulkPlan()
    web = plan.create_package(package())
    first = plan.update_package(web, package(website="https://one.example"))
    second = plan.update_package(first, package(website="https://two.example"))
    assert waits_for(plan, second, first)


# What waits for what


def test_unrelated_operations_wait_for_nothing() -> None:
    """All are ready at once."""
    plan = BulkPlan()
    plan.upsert_member("acme", "ann", "member")
    plan.remove_member("acme", "bob")
    plan.set_permission("p", "ann", "member")
    plan.create_route("p", ROUTE)
    plan.update_organization("acme", organization())
    plan.delete_package("q")
    assert edges(compile_plan(plan)) == 0


def test_organization_is_created_before_what_is_in_it() -> None:
    """Members, packages and changes of it, though they were added before and spell it otherwise."""
    plan = BulkPlan()
    users: list[AnyRef] = [
        plan.upsert_member("acme", "ann", "member"),
        plan.remove_member("acme", "bob"),
        plan.create_package(package(), "acme"),
        plan.update_organization("acme", organization("acme", "New")),
        plan.update_organization("acme2", organization("acme2")),
    ]
    made = plan.create_organization(organization("Acme"))
    assert [waits_for(plan, user, made) for user in users] == [True, True, True, True, False]


def test_renaming_comes_before_the_new_name_and_after_the_old() -> None:
    """What names the new one waits for the rename, which waits for what names the old one."""
    plan = BulkPlan()
    new: list[AnyRef] = [plan.upsert_member("new", "ann", "member"), plan.create_package(package(), "new")]
    old: list[AnyRef] = [plan.upsert_member("old", "ann", "member"), plan.create_package(package(), "old")]
    renaming = plan.update_organization("old", organization("new"))
    old.append(plan.remove_member("old", "bob"))
    new.append(plan.update_organization("new", organization("new", "New")))
    assert all(waits_for(plan, user, renaming) for user in new)
    assert all(waits_for(plan, renaming, user) for user in old)


def test_new_spelling_is_a_renaming_too() -> None:
    """A service may tell the two apart, so that each is to be used while it is the organization's name."""
    plan = BulkPlan()
    new = plan.upsert_member("Acme", "ann", "member")
    renaming = plan.update_organization("acme", organization("Acme"))
    old = plan.upsert_member("acme", "bob", "member")
    assert waits_for(plan, new, renaming)
    assert waits_for(plan, renaming, old)


def test_what_is_put_behind_a_renaming_names_what_has_the_old_name_then() -> None:
    """`after` overrules the order by names."""
    plan = BulkPlan()
    renaming = plan.update_organization("old", organization("new"))
    later = plan.upsert_member("old", "ann", "member", after=renaming)
    assert waits_for(plan, later, renaming)
    assert not waits_for(plan, renaming, later)


def test_organization_that_is_created_and_renamed_is_created_first() -> None:
    """And its members of either name fall into place."""
    plan = BulkPlan()
    new = plan.upsert_member("new", "ann", "member")
    renaming = plan.update_organization("old", organization("new"))
    old = plan.upsert_member("old", "bob", "member")
    made = plan.create_organization(organization("old"))
    assert waits_for(plan, old, made)
    assert waits_for(plan, renaming, old)
    assert waits_for(plan, new, renaming)


def test_package_is_created_before_what_uses_it() -> None:
    """Everything that can be done with a package."""
    plan = BulkPlan()
    web = plan.create_package(package(), "acme")
    users: list[AnyRef] = [
        plan.update_package(web, package("web2")),
        plan.set_permission(web, "ann", "member"),
        plan.create_route(web, ROUTE),
        plan.delete_route(web, "r-1"),
        plan.create_domain(web, DomainCreate("a.example")),
        plan.delete_domain(web, "d-1"),
        plan.delete_package(web),
    ]
    assert all(waits_for(plan, user, web) for user in users)
    schedule = compile_plan(plan)
    assert all(web.index in schedule.needs[unit] for unit in range(1, 8))


@pytest.mark.parametrize("through", ["uuid", "ref", "change"])
def test_creates_on_a_package_come_before_deletes_of_their_kind(through: str) -> None:
    """Routes before routes, domains before domains, and not across; of other packages neither."""
    plan = BulkPlan()
    web: str | AnyRef = "p"
    if through == "ref":
        web = plan.create_package(package())
    elif through == "change":
        web = plan.update_package("p", package())
    no_route, no_domain = plan.delete_route(web, "r-1"), plan.delete_domain(web, "d-1")
    route, domain = plan.create_route(web, ROUTE), plan.create_domain(web, DomainCreate("a.example"))
    elsewhere = plan.create_route("q", ROUTE)
    assert waits_for(plan, no_route, route)
    assert waits_for(plan, no_domain, domain)
    assert not waits_for(plan, no_route, domain)
    assert not waits_for(plan, no_domain, route)
    assert not waits_for(plan, no_route, elsewhere)


@pytest.mark.parametrize("through", ["uuid", "ref", "change"])
def test_package_is_deleted_after_all_else_that_names_it(through: str) -> None:
    """Though the deletion was added first."""
    plan = BulkPlan()
    web: str | AnyRef = "p"
    if through == "ref":
        web = plan.create_package(package())
    elif through == "change":
        web = plan.update_package("p", package())
    gone = plan.delete_package(web)
    users: list[AnyRef] = [
        plan.set_permission(web, "ann", "member"),
        plan.create_route(web, ROUTE),
        plan.delete_route(web, "r-1"),
        plan.create_domain(web, DomainCreate("a.example")),
        plan.delete_domain(web, "d-1"),
        plan.update_package(web, package()) if through != "change" else plan.set_permission(web, "bob", "member"),
    ]
    assert all(waits_for(plan, gone, user) for user in users)
    assert not waits_for(plan, gone, plan.set_permission("q", "ann", "member"))


def test_member_is_removed_after_permissions_of_that_user() -> None:
    """The same username after strip and casefold; another user's do not matter."""
    plan = BulkPlan()
    removal = plan.remove_member("acme", "Ann")
    given = plan.set_permission("p", " ann", "blocked")
    other = plan.set_permission("q", "bob", "blocked")
    assert waits_for(plan, removal, given)
    assert not waits_for(plan, removal, other)


def test_permission_put_behind_a_removal_stays_there() -> None:
    """By `after`, or by being one on a package that is created after it."""
    plan = BulkPlan()
    removal = plan.remove_member("acme", "ann")
    given = plan.set_permission("p", "ann", "member", after=removal)
    web = plan.create_package(package(), after=removal)
    on_new = plan.set_permission(web, "ann", "member")
    assert waits_for(plan, given, removal)
    assert waits_for(plan, on_new, removal)


def test_cycle_is_refused_and_its_members_are_named() -> None:
    """An organization cannot be created after its member; bystanders are not named."""
    plan = BulkPlan()
    plan.delete_package("bystander")
    member = plan.upsert_member("acme", "ann", "member")
    step = plan.delete_package("p", after=member)
    plan.create_organization(organization(), after=step)
    plan.upsert_member("acme", "bob", "member")
    with pytest.raises(ValidationError, match="cycle") as caught:
        compile_plan(plan)
    for operation in list(plan)[1:4]:
        assert str(operation) in str(caught.value)
    assert str(plan[0]) not in str(caught.value)
    assert str(plan[4]) not in str(caught.value)


def test_cycle_through_a_deletion_is_refused() -> None:
    """Nothing that names a package can come after its deletion."""
    plan = BulkPlan()
    gone = plan.delete_package("p")
    plan.set_permission("p", "ann", "member", after=gone)
    with pytest.raises(ValidationError, match="cycle") as caught:
        compile_plan(plan)
    assert str(plan[0]) in str(caught.value)
    assert str(plan[1]) in str(caught.value)


def test_two_renamings_in_a_circle_are_refused() -> None:
    """Each waits for the other to make its name."""
    plan = BulkPlan()
    plan.update_organization("a", organization("b"))
    plan.update_organization("b", organization("a"))
    with pytest.raises(ValidationError, match="cycle"):
        compile_plan(plan)


def test_long_cycle_is_cut_short_in_the_message() -> None:
    """Ten members are shown, and how many more there are."""
    plan = BulkPlan()
    last: AnyRef = plan.upsert_member("acme", "ann", "member")
    for number in range(50):
        last = plan.delete_package(f"p{number}", after=last)
    plan.create_organization(organization(), after=last)
    with pytest.raises(ValidationError, match="and 42 more"):
        compile_plan(plan)


# How much of it there is


def test_many_creates_before_many_deletes_meet_at_a_barrier() -> None:
    """As many waits as there are operations, and not creates times deletes."""
    plan = BulkPlan()
    for number in range(1000):
        plan.create_route("p", RouteCreate("https://acme.example", f"/{number}"))
        plan.delete_route("p", f"r-{number}")
    schedule = compile_plan(plan)
    assert edges(schedule) == 2000
    assert len(schedule.units) == 2001


def test_array_meets_a_barrier_once() -> None:
    """A package's deletion waits for its ten arrays, and not for a thousand permissions."""
    plan = BulkPlan()
    for user in range(1000):
        plan.set_permission("p", f"user{user}", "member")
    plan.delete_package("p")
    assert edges(compile_plan(plan)) == 9 + 10 + 1


def test_empty_plan_is_no_work() -> None:
    """No requests, no barriers."""
    schedule = compile_plan(BulkPlan())
    assert schedule == Schedule(units=[], waits=[], followers={}, needs={}, twins={})
    assert schedule.places == 0


def test_waits_grow_with_the_plan_and_not_with_its_square() -> None:
    """30,000 operations with every implied order among them: no more waits than twice that."""
    plan = BulkPlan()
    plan.create_organization(organization())
    plan.update_organization("acme", organization("acme2"))
    for number in range(5_000):
        plan.upsert_member("acme", f"user{number}", "member")
        plan.set_permission(f"p{number % 10}", f"user{number}", "member")
        plan.remove_member("other", f"user{number}")
        plan.create_route("p0", RouteCreate("https://acme.example", f"/{number}"))
        plan.delete_route("p0", f"r-{number}")
        plan.upsert_member("acme2", f"user{number}", "member")
    plan.delete_package("p0")
    schedule = compile_plan(plan)
    assert len(plan) > 30_000
    assert edges(schedule) < 2 * len(plan)
    assert sum(len(needs) for needs in schedule.needs.values()) < 2 * len(plan)
    assert len(walk(schedule)) == len(schedule.units)


def test_new_values_for_many_targets_behind_one_operation() -> None:
    """Everything of the first half, then one operation, then the second half: found in two steps for each."""
    plan = BulkPlan()
    half: list[AnyRef] = [plan.upsert_member("acme", f"user{number}", "member") for number in range(20_000)]
    gate = plan.update_organization("acme", organization(), after=half)
    for number in range(20_000):
        plan.upsert_member("acme", f"user{number}", "admin", after=gate)
    assert edges(compile_plan(plan)) == 40_000


def test_chain_of_values_for_one_target() -> None:
    """Each after the one before it, twenty thousand times."""
    plan = BulkPlan()
    last: AnyRef = plan.upsert_member("acme", "ann", "member")
    for number in range(20_000):
        last = plan.upsert_member("acme", "ann", "admin" if number % 2 else "owner", after=last)
    assert edges(compile_plan(plan)) == 20_000


# All of it at once

_UUIDS = ["p", "q"]
_ORGANIZATIONS = ["a", "b"]
_DRAWN = st.fixed_dictionaries(
    {
        "kind": st.sampled_from([*Kind, *[Kind.SET_PERMISSION] * 6]),
        "owner": st.sampled_from(_ORGANIZATIONS),
        "new": st.sampled_from([*_ORGANIZATIONS, "c", None]),
        "user": st.sampled_from(["ann", " Ann", "bob", "bob@x.example"]),
        "level": st.sampled_from(["member"] * 5 + ["admin"]),
        "name": st.sampled_from(["web", "app"]),
        "domain": st.sampled_from(["x.example", "X.example", "y.example"]),
    }
)
_ADD: dict[Kind, Callable[..., AnyRef]] = {
    Kind.CREATE_ORGANIZATION: lambda plan, _, told, after: plan.create_organization(
        organization(told["owner"]), after=after
    ),
    Kind.UPDATE_ORGANIZATION: lambda plan, _, told, after: plan.update_organization(
        told["owner"], organization(told["new"] or told["owner"]), after=after
    ),
    Kind.UPSERT_MEMBER: lambda plan, _, told, after: plan.upsert_member(
        told["owner"], told["user"], told["level"], after=after
    ),
    Kind.REMOVE_MEMBER: lambda plan, _, told, after: plan.remove_member(told["owner"], told["user"], after=after),
    Kind.CREATE_PACKAGE: lambda plan, _, told, after: plan.create_package(
        package(told["name"]), told["new"], after=after
    ),
    Kind.UPDATE_PACKAGE: lambda plan, on, told, after: plan.update_package(on, package(told["level"]), after=after),
    Kind.DELETE_PACKAGE: lambda plan, on, _, after: plan.delete_package(on, after=after),
    Kind.SET_PERMISSION: lambda plan, on, told, after: plan.set_permission(
        on, told["user"], told["level"], after=after
    ),
    Kind.CREATE_ROUTE: lambda plan, on, told, after: plan.create_route(
        on, RouteCreate("https://acme.example", told["name"]), after=after
    ),
    Kind.UPDATE_ROUTE: lambda plan, on, told, after: plan.update_route(
        on, told["name"], RouteCreate("https://acme.example", told["level"]), after=after
    ),
    Kind.DELETE_ROUTE: lambda plan, on, told, after: plan.delete_route(on, told["name"], after=after),
    Kind.CREATE_DOMAIN: lambda plan, on, told, after: plan.create_domain(
        on, DomainCreate(told["domain"]), after=after
    ),
    Kind.DELETE_DOMAIN: lambda plan, on, told, after: plan.delete_domain(on, told["name"], after=after),
}


@st.composite
def plans(draw: st.DrawFn) -> BulkPlan:
    """Plans in which everything meets everything: few names, many kinds, some `after`."""
    plan = BulkPlan()
    refs: list[AnyRef] = []
    packages: list[str | AnyRef] = list(_UUIDS)
    for told in draw(st.lists(_DRAWN, max_size=14)):
        after = draw(st.lists(st.sampled_from(refs), max_size=2)) if refs and draw(st.integers(0, 2)) == 0 else []
        kind = told["kind"]
        ref = _ADD[kind](plan, draw(st.sampled_from(packages)), told, after)
        refs.append(ref)
        if kind in {Kind.CREATE_PACKAGE, Kind.UPDATE_PACKAGE}:
            packages.append(ref)
    return plan


@settings(max_examples=4 * settings().max_examples)
@given(plan=plans(), batch=st.integers(1, 4), random=st.randoms(use_true_random=False))
def test_any_plan_is_refused_for_good_reason_or_scheduled_by_the_rules(
    plan: BulkPlan, batch: int, random: Random
) -> None:
    """Compared with the rules said pair by pair: every order in which units can be done keeps all of them."""
    model = Model(plan, batch)
    if contradictions := model.contradictions():
        with pytest.raises(ValidationError, match="different values") as caught:
            compile_plan(plan, batch)
        assert any(
            str(plan[one]) in str(caught.value) and str(plan[other]) in str(caught.value)
            for one, other in contradictions
        )
        return
    if model.has_cycle():
        with pytest.raises(ValidationError, match="cycle"):
            compile_plan(plan, batch)
        return
    schedule = compile_plan(plan, batch)
    order = walk(schedule, random)
    assert sorted(order) == list(range(len(schedule.units)))
    at = {place: step for step, unit in enumerate(order) for place in schedule.units[unit]}
    carried = [place for unit in schedule.units for place in unit if place < len(plan)]
    assert sorted(carried) == list(range(len(plan)))
    assert {place: at[place] == at[first] for place, first in model.first_of.items()} == dict.fromkeys(
        at.keys() & set(carried), True
    )
    for earlier, later in model.pairs():
        assert at[earlier] < at[later], f"{plan[later]} before {plan[earlier]}"
    for unit in schedule.units:
        assert len({model.unit(place) for place in unit if place < len(plan)}) <= 1
        assert len({model.first_of[place] for place in unit if place < len(plan)}) <= batch
    arrays: dict[object, list[int]] = {}
    for place in carried:
        if plan[place].kind is Kind.SET_PERMISSION and model.first_of[place] == place:
            arrays.setdefault(model.package(plan[place]), []).append(place)
    for places in arrays.values():
        steps = [at[place] for place in sorted(places)]
        assert steps == sorted(steps)
        assert len(set(steps)) == len({model.unit(place) for place in places})


def test_schedule_is_the_same_for_the_same_plan() -> None:
    """No order of sets or dictionaries gets into it."""
    plan = BulkPlan()
    for number in range(200):
        plan.set_permission(f"p{number % 7}", f"user{number}", "member")
        plan.remove_member("acme", f"user{number}")
        plan.create_route("p1", RouteCreate("https://acme.example", f"/{number}"))
    plan.delete_package("p1")
    assert attrs.astuple(compile_plan(plan)) == attrs.astuple(compile_plan(plan))
