"""The settings for what the descriptions of v2 leave open."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from scarf_async.emulator import Emulator, Quirks

_WORDS: dict[str, list[str | bool]] = {
    "paging": ["links", "after", "ignores-after"],
    "package_cursor": ["name", "id"],
    "links_absolute": [True, False],
    "end_inclusive": [True, False],
    "absent": ["omitted", "null"],
    "null": ["taken", "refused"],
    "members_post_upserts": [False, True],
    "put_clears": [True, False],
    "permissions_of_organizations": ["refused", "works"],
    "error_bodies": ["json", "text", "empty"],
}
_NUMBERS = {"default_per_page": 10, "max_per_page": 1000, "import_seconds": 2.0}


def quirks(**settings: Any) -> Quirks:
    """Quirks of settings that may be wrong."""
    return Quirks(**settings)


def test_first_word_of_each_is_the_default() -> None:
    """The names, and what they mean where nothing is said."""
    assert attrs.asdict(Quirks()) == {**{name: words[0] for name, words in _WORDS.items()}, **_NUMBERS}


@pytest.mark.parametrize("name", _WORDS)
def test_words_are_known(name: str) -> None:
    """Each word is taken; any other is a ValueError."""
    for word in _WORDS[name]:
        assert getattr(quirks(**{name: word}), name) == word
    with pytest.raises(ValueError, match=name):
        quirks(**{name: "perhaps"})


@pytest.mark.parametrize(("name", "least"), [("default_per_page", 1), ("max_per_page", 1), ("import_seconds", 0)])
def test_numbers_have_a_least(name: str, least: int) -> None:
    """A page has an element, and time does not run backwards."""
    assert getattr(quirks(**{name: least}), name) == least
    with pytest.raises(ValueError, match=name):
        quirks(**{name: least - 1})


def test_unknown_name_is_a_type_error() -> None:
    """As of any call."""
    with pytest.raises(TypeError, match="pages"):
        quirks(pages="links")


def test_quirks_cannot_be_changed_but_replaced() -> None:
    """They are a value; an emulator takes others at any time."""
    emulator = Emulator(quirks=Quirks(paging="after"))
    assert emulator.quirks.paging == "after"
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        emulator.quirks.paging = "links"  # type: ignore[misc] # that it cannot be is tested
    emulator.quirks = Quirks()
    assert emulator.quirks == Quirks()


async def test_versions_have_addresses_of_one_origin(emulator: Emulator) -> None:
    """One server speaks all of them."""
    origin = emulator.url.removesuffix("/api/v1")
    assert (emulator.v2_url, emulator.v3_url) == (f"{origin}/v2", f"{origin}/v3")
