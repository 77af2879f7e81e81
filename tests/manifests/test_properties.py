"""Whatever is there and whatever is wanted: what comparing and applying come to."""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st

from scarf_async.bulk.schedule import compile_plan
from scarf_async.dialects.v2.dialect import V2
from scarf_async.manifests.changes import Changes
from scarf_async.manifests.diff import diff
from scarf_async.manifests.live import Live
from scarf_async.manifests.model import Manifest
from scarf_async.manifests.pull import described

from .worlds import applied, in_v2, lives, ordered, union, wanted


@given(lives(), st.booleans())
def test_what_is_there_differs_in_nothing_from_its_description(live: Live, prune: bool) -> None:
    """The comparison of a state with its own description is empty, whether or not things may be removed."""
    manifest = described(live)
    there = tuple(spec for spec in manifest.organizations if spec.members is not None)
    assert list(diff(attrs.evolve(manifest, organizations=there), live, prune=prune)) == []


@given(lives(), wanted())
def test_with_prune_what_is_there_becomes_what_is_wanted(live: Live, manifest: Manifest) -> None:
    """Applied with prune, the changes leave what the manifest says and nothing else of what it speaks of."""
    live = attrs.evolve(
        live, organizations={spec.name: live.organizations[spec.name] for spec in manifest.organizations}
    )
    changes = diff(manifest, live, prune=True)
    assert changes.blocked == []
    assert ordered(described(applied(changes, live))) == ordered(manifest)


@given(lives(), wanted())
def test_without_prune_nothing_goes(live: Live, manifest: Manifest) -> None:
    """Without prune, the live state stays beside what is wanted."""
    changes = diff(manifest, live)
    assert changes.removals == []
    assert ordered(described(applied(changes, live))) == union(ordered(described(live)), ordered(manifest))


@given(lives(), wanted(), st.booleans(), st.booleans())
def test_a_second_comparison_finds_nothing(live: Live, manifest: Manifest, prune: bool, rewrite: bool) -> None:
    """After the changes nothing differs; only what the service does not show is set or named again."""
    changes = diff(manifest, live, prune=prune, rewrite_addresses=rewrite)
    again = diff(manifest, applied(changes, live), prune=prune, rewrite_addresses=rewrite)
    assert {change.action for change in again} <= {"set", "uncompared"}


@given(lives(), wanted(), st.booleans())
def test_the_changes_are_a_plan_that_can_be_run(live: Live, manifest: Manifest, prune: bool) -> None:
    """Each change that sends something is one operation; the plan neither contradicts itself nor circles."""
    changes = diff(manifest, live, prune=prune)
    plan = changes.to_plan()
    assert len(plan) == len(changes.applicable)
    compile_plan(plan)
    for operation, change in zip(plan, changes.applicable, strict=True):
        assert change.kind in operation.kind


@given(lives(), wanted(), st.booleans())
def test_changes_survive_as_data(live: Live, manifest: Manifest, prune: bool) -> None:
    """What `from_dict` reads is equal to what `to_dict` gave."""
    changes = diff(manifest, live, prune=prune)
    assert Changes.from_dict(changes.to_dict()) == changes


@given(lives(), st.booleans())
def test_what_v2_shows_differs_in_nothing_from_its_description(live: Live, prune: bool) -> None:
    """Addresses, owners and all: nothing is to be done, nothing blocked, and nothing left uncompared."""
    shown = in_v2(live)
    manifest = described(shown, V2.traits)
    there = tuple(spec for spec in manifest.organizations if spec.members is not None)
    assert list(diff(attrs.evolve(manifest, organizations=there), shown, prune=prune, dialect=V2())) == []


@given(lives(), wanted(), st.booleans())
def test_in_v2_a_second_comparison_has_nothing_to_send(live: Live, manifest: Manifest, prune: bool) -> None:
    """After the changes only what v2 cannot do is left, each with a reason, however often it is compared."""
    shown = in_v2(live)
    changes = diff(manifest, shown, prune=prune, dialect=V2())
    assert all(change.note for change in changes.blocked)
    again = diff(manifest, applied(changes, shown), prune=prune, dialect=V2())
    # What a new docker package is called by comes with it.
    assert [change for change in again.applicable if change.name != "acme.example"] == []
    assert {change.action for change in again} <= {"blocked", "uncompared", "create"}
