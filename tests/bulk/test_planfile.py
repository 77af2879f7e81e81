"""Plans as files: what is written is read as it was, and what is not a plan is refused by file and line."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scarf_async import (
    UNSET,
    BulkPlan,
    DomainCreate,
    OrganizationUpsert,
    PackageUpsert,
    Ref,
    RouteCreate,
    ValidationError,
)
from scarf_async.bulk.planfile import digest

from .plans import arguments, plans


def small() -> BulkPlan:
    """A plan of three operations, each of which refers to the one before."""
    plan = BulkPlan()
    web = plan.create_package(PackageUpsert(name="wéb", short_description="", website=None), "acme")
    plan.set_permission(web, "ann", "member")
    plan.upsert_member("acme", "bob", "admin", after=(Ref(plan, place) for place in (0, 1)))
    return plan


def told(plan: BulkPlan) -> list[tuple[object, ...]]:
    """What a plan says, references by their places."""
    return [
        (
            operation.index,
            operation.kind,
            {name: _plain(value) for name, value in operation.arguments.items()},
            {name: type(value) for name, value in operation.arguments.items()},
            operation.after,
        )
        for operation in plan
    ]


def _plain(value: object) -> object:
    return ("ref", value.index) if isinstance(value, Ref) else value


def loaded(text: str, tmp_path: Path) -> BulkPlan:
    """Read a plan from a text."""
    path = tmp_path / "acme.plan"
    path.write_text(text, encoding="utf-8")
    return BulkPlan.load(path)


# What is written is read


@given(plans())
def test_what_is_written_is_read_as_it_was(plan: BulkPlan) -> None:
    """Kinds, values and their types, UNSET and None, references and order; and the digest is the same."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "plan")
        plan.dump(path)
        again = BulkPlan.load(path)
        assert told(again) == told(plan)
        assert digest(again) == digest(plan)
        first = path.read_bytes()
        again.dump(path)
        assert path.read_bytes() == first
        assert [entry.name for entry in Path(directory).iterdir()] == ["plan"]


def test_file_is_one_json_object_a_line(tmp_path: Path) -> None:
    """A header with format, version and number, and then the operations in the plan's order."""
    small().dump(tmp_path / "plan")
    lines = (tmp_path / "plan").read_text(encoding="utf-8").splitlines(keepends=True)
    assert all(line.endswith("\n") for line in lines)
    assert [json.loads(line) for line in lines] == [
        {"format": "scarf-async-plan", "version": 1, "operations": 3},
        {
            "kind": "create_package",
            "package": {"name": "wéb", "short_description": "", "website": None},
            "organization": "acme",
            "if_exists": "fail",
        },
        {"kind": "set_permission", "package": {"ref": 0}, "user_query": "ann", "level": "member"},
        {"kind": "upsert_member", "organization": "acme", "username": "bob", "role": "admin", "after": [0, 1]},
    ]


def test_what_is_read_belongs_to_the_new_plan(tmp_path: Path) -> None:
    """Its references serve in it."""
    small().dump(tmp_path / "plan")
    plan = BulkPlan.load(tmp_path / "plan")
    package = arguments(plan[1])["package"]
    assert package.belongs_to(plan)
    plan.delete_package(package)
    assert len(plan) == 4


def test_empty_plan_has_a_header_alone(tmp_path: Path) -> None:
    """And can be read."""
    BulkPlan().dump(tmp_path / "plan")
    assert len((tmp_path / "plan").read_bytes().splitlines()) == 1
    assert len(BulkPlan.load(tmp_path / "plan")) == 0


def test_paths_may_be_strings(tmp_path: Path) -> None:
    """As everywhere."""
    small().dump(str(tmp_path / "plan"))
    assert len(BulkPlan.load(str(tmp_path / "plan"))) == 3


# The digest


def _changes() -> list[BulkPlan]:
    made = []
    for website, user, level, order in (
        (None, "ann", "member", True),
        (UNSET, "ann", "member", True),
        ("", "ann", "member", True),
        (None, "Ann", "member", True),
        (None, "ann", "admin", True),
        (None, "ann", "member", False),
    ):
        plan = BulkPlan()
        web = plan.create_package(PackageUpsert(name="web", short_description="", website=website))
        plan.set_permission(web, user, level, after=web if order else ())  # type: ignore[arg-type] # plain words
        made.append(plan)
    longer, swapped, shifted = BulkPlan(), BulkPlan(), BulkPlan()
    for name in ("a", "b", "b"):
        longer.remove_member("acme", name)
    for name in ("b", "a"):
        swapped.remove_member("acme", name)
    for name in ("a", "b"):
        shifted.remove_member("acme", name)
    return [*made, longer, swapped, shifted, BulkPlan()]


def test_any_change_changes_the_digest() -> None:
    """A value, UNSET for None, a letter's case, an order, one operation more."""
    digests = [digest(plan) for plan in _changes()]
    assert len(set(digests)) == len(digests)
    assert digests == [digest(plan) for plan in _changes()]


@given(plans(6), plans(6))
def test_digests_are_equal_where_plans_are(one: BulkPlan, other: BulkPlan) -> None:
    """And only there."""
    assert (digest(one) == digest(other)) == (told(one) == told(other))


# What is not a plan


HEADER = '{"format":"scarf-async-plan","version":1,"operations":%d}\n'
LINE = '{"kind":"remove_member","organization":"acme","username":"ann"}\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "JSON object"),
        ("\n", 1, "JSON object"),
        ("[]\n", 1, "JSON object"),
        ("name,role\nann,admin\n", 1, "JSON object"),
        ('{"format":"scarf-async-journal","version":1}\n', 1, "not a plan"),
        ('{"version":1,"operations":0}\n', 1, "not a plan"),
        ('{"format":"scarf-async-plan","version":2,"operations":0}\n', 1, "version 2"),
        ('{"format":"scarf-async-plan","version":true,"operations":0}\n', 1, "version True"),
        ('{"format":"scarf-async-plan","operations":0}\n', 1, "version None"),
        ('{"format":"scarf-async-plan","version":1}\n', 1, "operations"),
        ('{"format":"scarf-async-plan","version":1,"operations":-1}\n', 1, "operations"),
        ('{"format":"scarf-async-plan","version":1,"operations":"1"}\n' + LINE, 1, "operations"),
        (HEADER % 3 + LINE + LINE, 3, "cut off"),
        (HEADER % 1, 1, "cut off"),
        (HEADER % 2 + LINE + LINE[:20], 3, "JSON object"),
        (HEADER % 1 + LINE + LINE, 3, "goes on"),
        (HEADER % 2 + LINE + "\n" + LINE, 3, "JSON object"),
        (HEADER % 2 + LINE + '"kind"\n', 3, "JSON object"),
    ],
)
def test_file_that_is_no_whole_plan_is_refused(tmp_path: Path, text: str, line: int, words: str) -> None:
    """The message names file and line, and what is wrong."""
    with pytest.raises(ValidationError) as caught:
        loaded(text, tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'acme.plan'}:{line}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ({}, "kind must be one of"),
        ({"kind": "explode"}, "'explode'"),
        ({"kind": ["remove_member"]}, "kind must be one of"),
        ({"kind": "dump", "path": "/etc/passwd"}, "kind must be one of"),
        ({"kind": "remove_member", "organization": "acme"}, "username"),
        ({"kind": "remove_member", "organization": "acme", "username": "ann", "role": "admin"}, "role"),
        ({"kind": "remove_member", "organization": "acme", "username": ""}, "username"),
        ({"kind": "remove_member", "organization": "acme", "username": 7}, "username"),
        ({"kind": "remove_member", "organization": "acme", "username": {"name": "ann"}}, "is not an object"),
        ({"kind": "upsert_member", "organization": "acme", "username": "ann", "role": "king"}, "role"),
        ({"kind": "upsert_member", "organization": "acme", "username": "ann", "role": ["admin"]}, "role"),
        ({"kind": "create_package", "package": "web"}, "package"),
        ({"kind": "create_package", "package": {"short_description": ""}}, "name"),
        ({"kind": "create_package", "package": {"name": "web", "short_description": "", "colour": 1}}, "colour"),
        ({"kind": "create_package", "package": {"name": "web", "short_description": None}}, "short_description"),
        ({"kind": "create_domain", "package": "p", "domain": {"name": "a"}, "if_exists": ["keep"]}, "if_exists"),
        ({"kind": "delete_package", "package": {"ref": 0}}, "remove_member does not return one"),
        ({"kind": "delete_package", "package": {"ref": 1}}, "not the index"),
        ({"kind": "delete_package", "package": {"ref": -1}}, "not the index"),
        ({"kind": "delete_package", "package": {"ref": "0"}}, "not the index"),
        ({"kind": "delete_package", "package": {"ref": True}}, "not the index"),
        ({"kind": "delete_package", "package": "p", "after": [1]}, "not the index"),
        ({"kind": "delete_package", "package": "p", "after": [-1]}, "not the index"),
        ({"kind": "delete_package", "package": "p", "after": [0.0]}, "not the index"),
        ({"kind": "delete_package", "package": "p", "after": 0}, "delete_package"),
        ({"kind": "delete_package", "package": "p", "after": None}, "delete_package"),
        ({"kind": "delete_package", "package": "p", "self": 1}, "self"),
    ],
)
def test_operation_that_cannot_be_added_is_refused(tmp_path: Path, operation: dict[str, Any], words: str) -> None:
    """As if it were added by hand, with file and line."""
    with pytest.raises(ValidationError) as caught:
        loaded(HEADER % 2 + LINE + json.dumps(operation) + "\n", tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'acme.plan'}:3: ")
    assert words in str(caught.value)


@given(plans(4), st.data())
def test_cut_file_is_never_taken_for_a_whole_one(plan: BulkPlan, data: st.DataObject) -> None:
    """Wherever it is cut; but for the last line end, of which nothing depends."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "plan")
        plan.dump(path)
        whole = path.read_bytes()
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 2))])
        with pytest.raises(ValidationError, match="plan:"):
            BulkPlan.load(path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """By line, like all else."""
    (tmp_path / "plan").write_bytes((HEADER % 1).encode() + b'{"kind":"\xff"}\n')
    with pytest.raises(ValidationError, match="plan:2: not a JSON object"):
        BulkPlan.load(tmp_path / "plan")


@pytest.mark.parametrize("name", ["missing", "."])
def test_file_that_cannot_be_read_is_the_systems_matter(tmp_path: Path, name: str) -> None:
    """An `OSError`, as `open` gives it."""
    with pytest.raises(OSError, match=r"missing|directory"):
        BulkPlan.load(tmp_path / name)


# Whole or not at all


def test_failed_write_leaves_the_old_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing beside it."""
    path = tmp_path / "plan"
    BulkPlan().dump(path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        small().dump(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_value_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """What no adder takes."""
    plan = small()
    object.__setattr__(plan[2].call, "username", object())
    with pytest.raises(TypeError):
        plan.dump(tmp_path / "plan")
    assert list(tmp_path.iterdir()) == []


def test_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """An `OSError`."""
    with pytest.raises(FileNotFoundError):
        small().dump(tmp_path / "nowhere" / "plan")
    assert list(tmp_path.iterdir()) == []


def test_link_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is written."""
    path = tmp_path / "link"
    path.symlink_to("plan")
    small().dump(path)
    assert path.is_symlink()
    assert told(BulkPlan.load(tmp_path / "plan")) == told(small())


def test_older_plan_is_replaced(tmp_path: Path) -> None:
    """By the new one, whole."""
    path = tmp_path / "plan"
    small().dump(path)
    plan = BulkPlan()
    plan.create_organization(OrganizationUpsert(name="acme", description="", billing_email=""))
    plan.create_route("p", RouteCreate("https://acme.example", "/dl"))
    plan.create_domain("p", DomainCreate("dl.acme.example"))
    plan.dump(path)
    assert told(BulkPlan.load(path)) == told(plan)
