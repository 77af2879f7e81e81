"""The example organization."""

from collections import Counter

from scarf_async.cli.example import build_plan, load_example

EXAMPLE = load_example()


def test_the_plan_has_the_size_that_was_promised() -> None:
    """One organization, 25 memberships, 116 packages, 2,875 permissions, 115 routes, one domain."""
    plan, sources = build_plan(EXAMPLE)
    assert Counter(str(operation.kind) for operation in plan) == {
        "create_organization": 1,
        "upsert_member": 25,
        "create_package": 116,
        "set_permission": 2875,
        "create_route": 115,
        "create_domain": 1,
    }
    assert plan[sources.index].arguments["package"].name == "sources"


def test_seven_admins_and_eighteen_members_are_on_each_package() -> None:
    """Each package gets the same 25 people, at two levels."""
    assert Counter(EXAMPLE.levels.values()) == {"admin": 7, "member": 18}
    assert len(set(EXAMPLE.images)) == 115
