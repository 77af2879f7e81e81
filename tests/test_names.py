"""Which spellings are one name, and which are two."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scarf_async.names import (
    domain_key,
    field_key,
    organization_key,
    package_key,
    plain_name,
    route_key,
    text_key,
    url_key,
    user_key,
)

NFC, NFD = "Jos\u00e9", "Jose\u0301"

ALIKE: list[tuple[Callable[[str], object], str, str]] = [
    (user_key, "Ann", " ann\t"),
    (user_key, NFC, NFD),
    (user_key, NFC.upper(), NFD.lower()),
    (user_key, "Ann@Acme.Example", "ann@acme.example."),
    (user_key, "ann@m\u00fcnchen.example", "ann@xn--mnchen-3ya.example"),
    (organization_key, "Acme ", "acme"),
    (organization_key, NFC, NFD),
    (domain_key, "DL.Acme.Example", "dl.acme.example"),
    (domain_key, "dl.acme.example.", " dl.acme.example"),
    (domain_key, "M\u00fcnchen.Example", "xn--mnchen-3ya.example"),
    (domain_key, "Mu\u0308nchen.example.", "XN--MNCHEN-3YA.EXAMPLE"),
    (domain_key, "\u65e5\u672c\u8a9e\u3002\uff2a\uff30", "xn--wgv71a119e.jp"),
    (domain_key, "*._x.M\u00fcnchen.example", "*._x.xn--mnchen-3ya.example"),
    (url_key, "HTTPS://Acme.Example/a", "https://acme.example/a"),
    (url_key, "https://acme.example:443/a", "https://acme.example/a"),
    (url_key, "http://acme.example:80", "http://acme.example/"),
    (url_key, "https://acme.example?q=1", "https://acme.example/?q=1"),
    (url_key, "https://m\u00fcnchen.example/", "https://xn--mnchen-3ya.example"),
    (url_key, " https://acme.example/a\n", "https://acme.example/a"),
    (text_key, "One\r\ntwo\rthree", "One\ntwo\nthree\n"),
    (text_key, f"  {NFC} \n", NFD),
]


@pytest.mark.parametrize(("key", "one", "other"), ALIKE)
def test_spellings_of_one_name_have_one_key(key: Callable[[str], object], one: str, other: str) -> None:
    """Whatever the service makes of case, normal form, IDNA, blanks, line ends and parts that go without saying."""
    assert key(one) == key(other)


APART: list[tuple[Callable[[str], object], str, str]] = [
    (user_key, "ann", "a nn"),
    (user_key, "Ann", "\uff21nn"),
    (user_key, "jos\u00e9", "jose"),
    (user_key, "ann", "\u0430nn"),
    (user_key, "ann.", "ann"),
    (user_key, "ann@acme.example", "ann+x@acme.example"),
    (organization_key, "acme-test", "acme"),
    (domain_key, "dl.acme.example", "acme.example"),
    (domain_key, "dl.acme.example..", "dl.acme.example"),
    (domain_key, "strasse.example", "xn--strae-oqa.example"),
    (domain_key, "m\u00fcnchen.example", "munchen.example"),
    (domain_key, "\u0430cme.example", "acme.example"),
    (url_key, "https://acme.example/a", "https://acme.example/a/"),
    (url_key, "https://acme.example/a", "https://acme.example/A"),
    (url_key, "https://acme.example/?q", "https://acme.example/"),
    (url_key, "https://acme.example/%2F", "https://acme.example//"),
    (url_key, "https://acme.example/#top", "https://acme.example/"),
    (url_key, "http://acme.example", "https://acme.example"),
    (url_key, "https://acme.example:444", "https://acme.example"),
    (url_key, "https://Ann@acme.example", "https://ann@acme.example"),
    (url_key, "https://{Mirror}.acme.example", "https://{mirror}.acme.example"),
    (url_key, "https://[::1]:8080", "https://[::1:8080]"),
    (url_key, "Acme.example", "acme.example"),
    (url_key, "https://acme.example:x/", "https://acme.example/"),
    (text_key, "Two words", "Two  words"),
    (text_key, "One\ntwo", "One\n\ntwo"),
    (text_key, "Tools", "tools"),
]


@pytest.mark.parametrize(("key", "one", "other"), APART)
def test_what_may_be_two_names_has_two_keys(key: Callable[[str], object], one: str, other: str) -> None:
    """What a service, DNS or a web server can keep apart is not taken for the same."""
    assert key(one) != key(other)


@pytest.mark.parametrize(
    ("one", "other", "owner", "same"),
    [
        ("web", "acme/web", "acme", True),
        ("Acme/web", "web", "acme", True),
        (f"{NFC}/web", "web", NFD, True),
        (f" {NFC}", NFD, "acme", True),
        ("web", "Web", "acme", False),
        ("other/web", "web", "acme", False),
        ("@acme/web", "web", "acme", False),
        ("acme/acme/web", "web", "acme", False),
        ("acme/web", "web", None, False),
        ("acme/web", "web", "", False),
    ],
)
def test_packages_are_told_by_name_with_and_without_their_owner(
    one: str, other: str, owner: str | None, same: bool
) -> None:
    """The owner's spelling does not count, the case of the package's own name does."""
    assert (package_key(one, owner) == package_key(other, owner)) is same


def test_plain_name_stays_as_it_was_spelled() -> None:
    """Only the owner is taken off: it is shown, and sent."""
    assert plain_name(f"ACME/ {NFD}", "acme") == f" {NFD}"


def test_routes_are_told_by_both_addresses() -> None:
    """The path that is asked for counts to the letter, as it does in a request."""
    key = route_key("/dl/{v}", "https://Acme.example/{v}")
    assert key == route_key("/dl/{v}", "https://acme.example:443/{v}")
    assert key != route_key("/DL/{v}", "https://acme.example/{v}")
    assert key != route_key("/dl/{v}/", "https://acme.example/{v}")
    assert key != route_key("/dl/{v}", "https://acme.example/{V}")


@pytest.mark.parametrize(
    ("field", "one", "other", "same"),
    [
        ("description", "Tools", "Tools\n", True),
        ("short_description", "Tools", " Tools", True),
        ("long_description", "a\r\nb", "a\nb", True),
        ("website", "https://acme.example", "https://ACME.example/", True),
        ("billing_email", "Pay@acme.example", "pay@ACME.example", True),
        ("outgoing_url", "https://ACME.example/{v}", "https://acme.example/{v}", True),
        ("description", "https://acme.example", "https://ACME.example/", False),
        ("library_type", "docker", "Docker", False),
        ("role", "owner", "owner ", False),
    ],
)
def test_each_field_has_its_own_rule(field: str, one: str, other: str, same: bool) -> None:
    """Texts as texts, addresses as addresses, and everything else to the letter."""
    assert (field_key(field, one) == field_key(field, other)) is same
