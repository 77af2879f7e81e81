"""The difference for people."""

from __future__ import annotations

from scarf_async.cli.difference import difference_lines, markdown
from scarf_async.manifests.changes import Action, Change, Changes

ORGANIZATION = Change(action="update", kind="organization", organization="acme", before={}, after={"website": "w"})


def package(name: str) -> Change:
    """Return a package to create."""
    return Change(
        action="create",
        kind="package",
        organization="acme",
        package=name,
        library_type="npm",
        after={"short_description": "x" * 50},
    )


def levels(count: int, name: str, action: Action = "create") -> list[Change]:
    """Return changes of permissions on one package."""
    return [
        Change(
            action=action,
            kind="permission",
            organization="acme",
            package=name,
            library_type="npm",
            name=f"u{place}",
            before={"level": "member"} if action == "remove" else None,
            after=None if action == "remove" else {"level": "admin"},
        )
        for place in range(count)
    ]


def shown(*changes: Change, width: int | None = None, ownerless: tuple[str, ...] = ()) -> list[str]:
    """Return the lines."""
    return [line.plain for line in difference_lines(Changes(changes, ownerless), width=width)]


def test_it_is_grouped() -> None:
    """What is the organization's comes first, then each package with what hangs on it, though it be unchanged."""
    lines = shown(ORGANIZATION, package("acme/web"), *levels(1, "acme/web"), *levels(1, "cli", "remove"))
    assert lines == [
        "acme",
        "  ~ organization acme: website 'w'",
        f"  + package web (npm): short_description '{'x' * 50}'",
        "      + permission u0: admin",
        "    package cli (npm)",
        "      - permission u0",
        "2 to create, 1 to update, 1 to remove",
    ]


def test_long_lists_are_shortened_for_a_width_only() -> None:
    """What is left out is counted: of a list, of a line, of the packages."""
    changes = [change for place in range(9) for change in (package(f"p{place}"), *levels(8, f"p{place}"))]
    assert len(shown(*changes)) == 1 + 9 * 9 + 1
    lines = shown(*changes, width=40)
    assert lines[1].endswith("…")
    assert max(map(len, lines)) == 40
    assert lines.count("      … and 4 more permissions") == 3
    assert lines[-2] == "  … and 6 more packages, 54 changes"


def test_a_comment_on_a_pull_request_is_a_diff() -> None:
    """Signs are in front, where they are coloured; nothing in a name ends the block."""
    text = markdown(Changes((ORGANIZATION, package("a```b"), *levels(1, "cli", "remove"))))
    assert text.splitlines() == [
        "**1 to create, 1 to update, 1 to remove**",
        "",
        "<details><summary>Changes</summary>",
        "",
        "````diff",
        "  acme",
        "!   organization acme: website 'w'",
        f"+   package a```b (npm): short_description '{'x' * 50}'",
        "      package cli (npm)",
        "-       permission u0",
        "````",
        "",
        "</details>",
    ]
    assert markdown(Changes()) == "**no changes**\n"


def test_a_comment_is_not_longer_than_github_takes() -> None:
    """What goes is shown first; what is not shown is counted."""
    many = [change for place in range(900) for change in (package(f"p{place}"), *levels(1, f"p{place}", "remove"))]
    text = markdown(Changes(tuple(many)))
    assert len(text) < 65_536
    lines = text.splitlines()
    assert sum(line.startswith("- ") for line in lines) == 900
    shown = sum(line.startswith("+ ") for line in lines)
    assert lines[-1] == f"{900 - shown} changes not shown: they do not fit into one comment."


def test_what_is_lost_is_never_left_out() -> None:
    """All removals are shown, on whichever package they are."""
    changes = [change for place in range(9) for change in levels(20, f"p{place}", "remove")]
    assert sum("- permission" in line for line in shown(*changes, width=40)) == 180


def test_what_cannot_be_is_said() -> None:
    """Changes that are blocked, with the reason, and organizations without an owner."""
    blocked = Change(
        action="blocked", kind="domain", organization="acme", package="web", name="x\x1b", note="no domains"
    )
    lines = shown(blocked, ownerless=("acme",))
    assert "      ! domain x\\x1b (no domains)" in lines
    assert "! organization acme would be left without an owner" in lines


def test_addresses_that_cannot_be_compared_are_counted_only() -> None:
    """One line for each package of an organization would hide what there is to do; other things are shown."""
    address = Change(action="uncompared", kind="package", organization="acme", package="web", note="addresses")
    domain = Change(
        action="uncompared", kind="domain", organization="acme", package="web", name="d", note="left out"
    )
    assert shown(address) == ["1 not compared"]
    assert "      ? domain d (left out)" in shown(address, domain)


def test_packages_of_the_user_are_named_so() -> None:
    """They have no organization."""
    mine = Change(action="create", kind="package", package="web", after={"short_description": ""})
    assert shown(mine)[:2] == ["your own packages", "  + package web: short_description ''"]
