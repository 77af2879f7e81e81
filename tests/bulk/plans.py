"""Random plans: everything that adders take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

from scarf_async import (
    UNSET,
    BulkPlan,
    DomainCreate,
    Operation,
    OrganizationUpsert,
    PackageUpsert,
    Ref,
    RouteCreate,
)

__all__ = ["arguments", "plans"]

# Whatever can be sent: letters of all scripts, quotes, slashes, emoji; no halves of them, no control characters.
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=8).filter(
    lambda word: bool(word.strip()) and word not in {".", ".."}
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
OPTIONAL = st.one_of(st.just(UNSET), st.none(), TEXTS)
IF_EXISTS = st.sampled_from(["fail", "keep"])
ORGANIZATIONS = st.builds(OrganizationUpsert, name=WORDS, description=TEXTS, billing_email=TEXTS, website=OPTIONAL)
PACKAGES = st.one_of(
    st.builds(
        PackageUpsert,
        name=WORDS,
        short_description=TEXTS,
        long_description=OPTIONAL,
        website=OPTIONAL,
        library_type=st.sampled_from([UNSET, None, "npm", "file", "novel"]),
    ),
    st.builds(
        PackageUpsert,
        name=WORDS,
        short_description=TEXTS,
        library_type=st.just("docker"),
        backend_url=st.sampled_from([UNSET, "https://registry.example/acme/web"]),
        public_url=st.sampled_from([UNSET, None, "https://dl.example/acme/web"]),
    ),
    st.builds(
        PackageUpsert,
        name=WORDS,
        short_description=TEXTS,
        library_type=st.just("pypi"),
        repository_url=st.just("https://pypi.example/simple"),
    ),
)
ROUTES = st.builds(RouteCreate, WORDS.filter(lambda word: not word.startswith("/")), WORDS)
DOMAINS = st.builds(DomainCreate, WORDS)


ADDERS: dict[str, dict[str, st.SearchStrategy[object] | None]] = {
    "create_organization": {"organization": ORGANIZATIONS, "if_exists": IF_EXISTS},
    "update_organization": {"name": WORDS, "organization": ORGANIZATIONS},
    "upsert_member": {
        "organization": WORDS,
        "username": WORDS,
        "role": st.sampled_from(["member", "admin", "owner"]),
    },
    "remove_member": {"organization": WORDS, "username": WORDS},
    "create_package": {"package": PACKAGES, "organization": st.one_of(st.none(), WORDS), "if_exists": IF_EXISTS},
    "update_package": {"package": None, "upsert": PACKAGES},
    "delete_package": {"package": None},
    "set_permission": {
        "package": None,
        "user_query": WORDS,
        "level": st.sampled_from(["blocked", "default", "member", "admin"]),
    },
    "create_route": {"package": None, "route": ROUTES, "if_exists": IF_EXISTS},
    "update_route": {"package": None, "route_id": WORDS, "route": ROUTES},
    "delete_route": {"package": None, "route_id": WORDS},
    "create_domain": {"package": None, "domain": DOMAINS, "if_exists": IF_EXISTS},
    "delete_domain": {"package": None, "domain_id": WORDS},
}
"""What each adder takes; None for a package, which may be a `Ref` of one."""


def arguments(operation: Operation) -> Mapping[str, Any]:
    """The arguments of an operation whose kind the reader knows."""
    return operation.arguments


@st.composite
def plans(draw: Callable[..., Any], most: int = 12) -> BulkPlan:
    """A plan of a few operations of any kind, with references to earlier ones."""
    plan = BulkPlan()
    refs: list[Ref[Any]] = []
    packages: list[Ref[Any]] = []
    for _ in range(draw(st.integers(0, most))):
        kind = draw(st.sampled_from(sorted(ADDERS)))
        package = st.one_of(WORDS, st.sampled_from(packages)) if packages else WORDS
        values = {name: draw(package if strategy is None else strategy) for name, strategy in ADDERS[kind].items()}
        after = draw(st.lists(st.sampled_from(refs), max_size=3)) if refs else []
        refs.append(getattr(plan, kind)(**values, after=after))
        if kind in {"create_package", "update_package"}:
            packages.append(refs[-1])
    return plan
