"""Tracking pixels and collections in v2: what is sent, what a create is looked for by, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import pytest

from scarf_async import (
    UNSET,
    Collection,
    CollectionUpsert,
    DecodeError,
    Package,
    PackageKey,
    PackageOverview,
    SearchResult,
    TrackingPixel,
    TrackingPixelUpsert,
    ValidationError,
)
from scarf_async.dialects.v2.accounts import overview, search
from scarf_async.dialects.v2.bodies import collection_over, new_pixel, pixel_over
from scarf_async.dialects.v2.collections import update_collection
from scarf_async.dialects.v2.looks import find_collection, find_pixel
from scarf_async.dialects.v2.pixels import (
    create_pixel_domain,
    delete_pixel,
    pixel,
    pixel_domains,
    pixels_of_package,
    update_pixel,
)
from scarf_async.dialects.v2.requests import WIRE
from scarf_async.protocol.wire import UnreadableError

from .script import Script, said

KEY: Final = PackageKey("acme", "w-1")
SHOWN: Final = TrackingPixel(
    id="p-1", owner="acme", name="Docs", package=KEY, track_companies=True, short_description="S"
)


def wanted(**fields: Any) -> TrackingPixelUpsert:
    """Return what is asked for of a pixel called Docs."""
    return TrackingPixelUpsert(**{"name": "Docs", **fields})


# What is sent.


@pytest.mark.parametrize(
    ("fields", "shown", "sent"),
    [
        ({}, SHOWN, {"package_id": "w-1", "track_companies": True, "short_description": "S"}),
        (
            {"package": None, "track_companies": None, "short_description": None, "importance": None},
            SHOWN,
            {"package_id": None, "track_companies": None, "short_description": None},
        ),
        (
            {"package": "w-2", "track_companies": False, "short_description": "", "long_description": "L"},
            SHOWN,
            {"package_id": "w-2", "track_companies": False, "short_description": "", "long_description": "L"},
        ),
        ({"track_companies": True}, TrackingPixel(id="p-1", short_description=""), {"track_companies": True}),
        (
            {"importance": "high"},
            TrackingPixel(id="p-1", importance="urgent", track_companies=False, extra={"color": "red"}),
            {"importance": "high", "track_companies": False},
        ),
        (
            {},
            TrackingPixel(id="p-1", importance="urgent", track_companies=False),
            {"importance": "urgent", "track_companies": False},
        ),
    ],
)
def test_a_change_of_a_pixel(fields: Mapping[str, Any], shown: TrackingPixel, sent: Mapping[str, object]) -> None:
    """UNSET is what was read, None clears the field, and neither invents a value."""
    assert pixel_over(wanted(**fields), shown) == {"name": "Docs", **sent}


@pytest.mark.parametrize("given", [UNSET, None])
def test_whether_it_tracks_has_to_be_known(given: Any) -> None:
    """To leave it out would turn it on: what is not shown has to be given, and nothing is put."""
    script = Script.of(said({"id": "p-1", "name": "Docs"}))
    error = script.fail(update_pixel("acme", "p-1", wanted(track_companies=given)))
    assert isinstance(error, ValidationError)
    assert error.field == "track_companies"
    assert script.asked == ["GET /tracking-pixels/acme/p-1"]


def test_another_pixel_is_not_changed() -> None:
    """What was read has to be what was asked for; so with a collection."""
    pairs = [
        (update_pixel("acme", "p-1", wanted()), "GET /tracking-pixels/acme/p-1"),
        (
            update_collection("acme", "p-1", CollectionUpsert(pattern="a/*", backend_domain="ghcr.io")),
            "GET /collections/acme/p-1",
        ),
    ]
    for steps, asked in pairs:
        script = Script.of(said({"id": "p-2", "name": "Docs", "pattern": "a/*", "track_companies": True}))
        error = script.fail(steps)
        assert isinstance(error, DecodeError)
        assert (error.path, script.asked) == ("id", [asked])


@pytest.mark.parametrize(
    ("public", "shown", "sent"),
    [
        (UNSET, "cr.acme.example", {"public_domain": "cr.acme.example"}),
        (UNSET, None, {}),
        (None, "cr.acme.example", {"public_domain": None}),
        (None, None, {}),
        ("x.acme.example", None, {"public_domain": "x.acme.example"}),
    ],
)
def test_a_change_of_a_collection(public: Any, shown: str | None, sent: Mapping[str, object]) -> None:
    """Its type is not sent."""
    upsert = CollectionUpsert(pattern="a/*", backend_domain="ghcr.io", public_domain=public)
    there = Collection(id="c", pattern="b/*", type="docker", public_domain=shown)
    assert collection_over(upsert, there) == {"pattern": "a/*", "backend_domain": "ghcr.io", **sent}


# What is refused.


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        (TrackingPixelUpsert, {"name": ""}, "name"),
        (TrackingPixelUpsert, {"name": "a", "package": 7}, "package"),
        (TrackingPixelUpsert, {"name": "a", "package": ""}, "id"),
        (TrackingPixelUpsert, {"name": "a", "importance": "huge"}, "importance"),
        (TrackingPixelUpsert, {"name": "a", "track_companies": "no"}, "track_companies"),
        (TrackingPixelUpsert, {"name": "a", "long_description": 7}, "long_description"),
        (CollectionUpsert, {"pattern": " ", "backend_domain": "ghcr.io"}, "pattern"),
        (CollectionUpsert, {"pattern": "a", "backend_domain": ""}, "backend_domain"),
        (CollectionUpsert, {"pattern": "a", "backend_domain": "b", "type": "npm"}, "type"),
    ],
)
def test_what_cannot_be_asked_for(kind: type, fields: Mapping[str, Any], field: str) -> None:
    """The error names the field."""
    with pytest.raises(ValidationError) as caught:
        kind(**fields)
    assert caught.value.field == field


def test_the_package_of_a_pixel_has_its_owner() -> None:
    """But for case; a bare id is taken as it is, and a package as its key."""
    web = Package(uuid="w-1", owner="ACME", name="web")
    assert new_pixel(wanted(package=web), "acme")["package_id"] == "w-1"
    assert new_pixel(wanted(package="w-9"), "acme")["package_id"] == "w-9"
    with pytest.raises(ValidationError, match="of other") as caught:
        new_pixel(wanted(package=PackageKey("other", "w-1")), "acme")
    assert caught.value.field == "package"


def test_a_word_of_the_service_is_not_the_id_of_a_pixel() -> None:
    """What has that address is another call."""
    for call in (
        lambda: pixel("acme", "events"),
        lambda: delete_pixel("acme", "events"),
        lambda: update_pixel("acme", "events", wanted()),
        lambda: pixel_domains("acme", "events"),
        lambda: create_pixel_domain("acme", "events", None),  # type: ignore[arg-type] # it is not looked at
        lambda: pixels_of_package("acme", "overview"),
    ):
        with pytest.raises(ValidationError, match="v2 has a call of this name"):
            call()


# What a create is looked for by.


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, "equal"),
        ({"name": " Docs"}, "equal"),
        ({"name": "docs"}, ""),
        ({"short_description": "S ", "long_description": "hidden", "importance": "high"}, "equal"),
        ({"short_description": "other"}, "different"),
        ({"track_companies": True, "package": PackageKey(None, "W-1")}, "equal"),
        ({"track_companies": False}, "different"),
        ({"package": "w-2"}, "different"),
        ({"package": None}, "different"),
    ],
)
def test_a_pixel_is_looked_for_by_its_name(fields: Mapping[str, Any], found: str) -> None:
    """Texts, importance and tracking that are not shown are not compared."""
    looked = find_pixel(wanted(**fields), [TrackingPixel(id="x"), SHOWN])
    assert (looked.equal, looked.different) == (
        SHOWN if found == "equal" else None,
        SHOWN if found == "different" else None,
    )


def test_what_a_pixel_hides_is_not_compared() -> None:
    """A list that shows names alone says nothing of the rest; but a package that was asked for has to be there."""
    hidden = TrackingPixel(id="p-1", name="Docs")
    assert find_pixel(wanted(track_companies=False, short_description="S"), [hidden]).equal is hidden
    assert find_pixel(wanted(package="w-1"), [hidden]).different is hidden
    spelled = TrackingPixel(id="p-2", name="Docs ")
    assert find_pixel(wanted(), [spelled, hidden]).equal is hidden
    assert find_pixel(wanted(), [spelled]).equal is spelled


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, True),
        ({"backend_domain": "GHCR.io."}, True),
        ({"public_domain": "CR.acme.example"}, True),
        ({"public_domain": "other.example"}, False),
        ({"pattern": "acme/x"}, False),
        ({"backend_domain": "quay.io"}, False),
    ],
)
def test_a_collection_is_looked_for_by_where_it_leads(fields: Mapping[str, str], found: bool) -> None:
    """By its pattern, its registry and, where one was given, its domain."""
    shown = Collection(id="c", pattern="acme/*", backend_domain="ghcr.io", public_domain="cr.acme.example")
    upsert = CollectionUpsert(**{"pattern": "acme/*", "backend_domain": "ghcr.io", **fields})
    assert (find_collection(upsert, [shown]).equal is shown) is found
    assert find_collection(upsert, []).there is None


def test_a_collection_without_the_domain_that_was_given_is_another() -> None:
    """One that has Scarf's own domain is not taken for it."""
    shown = Collection(id="c", pattern="acme/*", backend_domain="ghcr.io")
    upsert = CollectionUpsert(pattern="acme/*", backend_domain="ghcr.io", public_domain="cr.acme.example")
    assert find_collection(upsert, [shown]).there is None
    assert find_collection(attrs.evolve(upsert, public_domain=None), [shown]).equal is shown


# What is read.


@pytest.mark.parametrize(
    ("package", "key", "more"),
    [
        ({"id": 7, "owner": "", "name": "web", "type": "npm"}, PackageKey(None, "7"), {}),
        ({"id": "w-1"}, PackageKey(None, "w-1"), {}),
        (None, None, {}),
        ({"id": "", "owner": "acme"}, None, {"package": {"id": "", "owner": "acme"}}),
    ],
)
def test_the_package_of_a_pixel_is_its_key(package: object, key: PackageKey | None, more: object) -> None:
    """With or without an owner; what cannot be a key is kept."""
    body = {"id": 1, "track_companies": False, "importance": "urgent", "package": package}
    shown = WIRE.structure(body, TrackingPixel)
    assert (shown.id, shown.importance, shown.track_companies, shown.package) == ("1", "urgent", False, key)
    assert shown.extra == more


@pytest.mark.parametrize(
    ("kind", "body", "path"),
    [
        (TrackingPixel, {"id": "p", "package": {"owner": "acme"}}, "package.id"),
        (TrackingPixel, {"id": "p", "package": "w-1"}, "package"),
        (TrackingPixel, {"id": "p", "track_companies": "yes"}, "track_companies"),
        (PackageOverview, {"package": {"id": "w"}, "domains": []}, "package.name"),
        (PackageOverview, {"package": {"id": "w", "name": "w"}, "domains": [{"id": "d"}]}, "domains[0].name"),
        (PackageOverview, {"domains": []}, "package"),
        (SearchResult, {"type": "package", "package": {"name": "web"}}, "id"),
        (SearchResult, {"type": "package"}, "id"),
    ],
)
def test_the_place_of_a_fault_is_named(kind: type, body: object, path: str) -> None:
    """Also within what an entity holds."""
    with pytest.raises(UnreadableError) as caught:
        WIRE.structure(body, kind)
    assert caught.value.path == path


def test_what_a_search_finds() -> None:
    """A kind that is not known yet is read like the others, and what is found twice is there once."""
    script = Script.of(
        said(
            {
                "results": [
                    {"type": "tracking-pixel", "tracking-pixel": {"id": "p", "name": "P", "package": {"id": "w"}}},
                    {"type": "tracking-pixel", "tracking-pixel": {"id": "p", "name": "P"}},
                    {"type": "collection", "collection": {"id": "c", "pattern": "a/*"}},
                ]
            }
        )
    )
    pixel, collection = script.run(search("p"))
    assert (pixel.id, pixel.extra, pixel.library_type) == ("p", {"package": {"id": "w"}}, None)
    assert (collection.type, collection.id, collection.name) == ("collection", "c", "")
    assert script.sent == [("POST", "/search", {"query": "p"})]
    for wrong in ("\ud800", 7):
        with pytest.raises(ValidationError):
            search(wrong)  # type: ignore[arg-type] # that is tested


def test_the_overview_of_some_types() -> None:
    """A service that does not know the parameter sends all; a level that there is not is refused."""
    shown = [{"package": {"id": word, "name": word, "type": word}} for word in ("npm", "python")]
    script = Script.of(said({"results": shown, "_links": {}}))
    (found,) = script.run(overview("acme", ["pypi"], "owner").steps())
    assert found.package.uuid == "python"
    assert script.asked == ["GET /packages/acme/overview?type=python&permission=owner&per_page=100"]
    for wrong in ("blocked", "default", 7):
        with pytest.raises(ValidationError, match="permission must be"):
            overview("acme", permission=wrong)  # type: ignore[arg-type] # that is tested
