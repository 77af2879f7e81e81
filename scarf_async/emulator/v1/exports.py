"""The endpoints of v1's exports."""

from __future__ import annotations

from datetime import date

from scarf_async.emulator.answers import Refusal, Stream
from scarf_async.emulator.calls import Call
from scarf_async.emulator.model.aggregates import Sums
from scarf_async.emulator.model.exports import (
    Days,
    events_of_all_pixels,
    events_of_packages,
    limited_days,
    sums_of_packages,
)
from scarf_async.emulator.model.organizations import find_organization
from scarf_async.emulator.model.owners import Owner
from scarf_async.emulator.model.packages import find_package, packages_of
from scarf_async.emulator.people import person_key
from scarf_async.emulator.wire import day

__all__ = ["check_file", "organization_aggregates", "package_events", "pixel_events", "user_aggregates"]


def organization_aggregates(call: Call) -> Stream:
    """GET /organizations/{organization-name}/aggregates."""
    days = _days(call)
    organization = find_organization(call.db, call.params["organization"])
    rows = packages_of(call.db, Owner(organization["name"], organization["id"]))
    return sums_of_packages(call.world, call.db, rows, days, Sums())


def user_aggregates(call: Call) -> Stream:
    """GET /users/{username}/aggregates: of the user's own packages."""
    days = _days(call)
    username = call.world.people.by_username(call.params["username"])
    if username is None:
        raise Refusal(404, f"There is no user {call.params['username']!r}.", "not-found")
    # Only the token's user has packages.
    mine = Owner(call.world.user, username=call.world.user)
    rows = packages_of(call.db, mine) if person_key(username) == person_key(call.world.user) else []
    return sums_of_packages(call.world, call.db, rows, days, Sums())


def package_events(call: Call) -> Stream:
    """GET /packages/{ownerName}/{packageId}/events/{fileName}.csv, and the same without the owner.

    The path without an owner was published first, and is the one that programs are known to use.
    """
    days = _days(call)
    check_file(call)
    row = find_package(call.db, call.params["package"])
    if call.params.get("owner", row["owner"]) != row["owner"]:
        raise Refusal(404, f"{call.params['owner']!r} has no package {row['uuid']}.", "not-found")
    return events_of_packages(call.world, call.db, [row], days)


def pixel_events(call: Call) -> Stream:
    """GET /pixels/events/{filename}.csv: of all pixels "the user has access to"."""
    days = _days(call)
    check_file(call)
    return events_of_all_pixels(call.world, call.db, days)


def check_file(call: Call) -> None:
    """404 for a file that is not a CSV."""
    if not call.params["file"].endswith(".csv"):
        raise Refusal(404, "The name of the file ends in .csv.", "not-found")


def _days(call: Call) -> Days:
    """The requested range, without its end."""
    start, end = _date(call, "startDate"), _date(call, "endDate")
    if end < start:
        raise Refusal(400, "endDate lies before startDate.")
    return limited_days(call.world, start, (end - start).days)


def _date(call: Call, name: str) -> date:
    text = call.query.get(name)
    if text is None:
        raise Refusal(400, f"Missing query parameter: {name}")
    parsed = day(text)
    if parsed is None:
        raise Refusal(400, f"Unable to recognize query parameter: {name} is to be YYYY-MM-DD.")
    return parsed
