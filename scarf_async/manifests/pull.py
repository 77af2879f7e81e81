"""The live state as a manifest. Pure except for reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from scarf_async.dialects import V1, Traits
from scarf_async.entities import Domain, Importance, PermissionLevel, Role, Route, RouteCreate
from scarf_async.errors import ValidationError
from scarf_async.manifests.fields import PackageFields
from scarf_async.manifests.live import Live, LiveOrganization, LivePackage, read_live
from scarf_async.manifests.model import Manifest, OrganizationSpec, PackageSpec
from scarf_async.names import is_scarfs_domain
from scarf_async.sending.session import Session

__all__ = ["described", "pull"]


async def pull(
    session: Session, organizations: Iterable[str], *, user_packages: bool, me: str | None = None
) -> Manifest:
    """Read organizations, and packages of the token's user, and describe them.

    Raises:
        ValidationError: a name cannot be part of a URL, the organization cannot be described, or the user is
            neither given nor visible.
        NotFoundError: an organization does not exist.
        APIError: the service returned an error.
        TransportError: no complete response arrived.
        DecodeError: a response does not have the documented form.
    """
    wanted = Manifest(
        organizations=tuple(
            OrganizationSpec(name=name, members={}, packages=()) for name in dict.fromkeys(organizations)
        ),
        packages=() if user_packages else None,
        me=me if user_packages else None,
    )
    return described(await read_live(session, wanted, everything=True), session.dialect.traits)


def described(live: Live, traits: Traits = V1.traits) -> Manifest:
    """Describe an organization as a manifest; comparing the two finds no difference.

    Values that were not read or are not shown are None; missing strings are `""`. Permissions with the levels
    `default` and `owner` are omitted, and equal routes are merged.

    Raises:
        ValidationError: a role or level is unknown to this version, so a manifest cannot contain it.
    """
    return Manifest(
        organizations=tuple(
            _organization(name, organization, traits) for name, organization in live.organizations.items()
        ),
        packages=_packages(live.packages, traits),
        me=live.me,
    )


def _organization(name: str, live: LiveOrganization, traits: Traits) -> OrganizationSpec:
    shown = live.organization
    if shown is None:
        return OrganizationSpec(name=name)
    members: dict[str, Role] | None = None
    if live.members is not None:
        members = {}
        for member in live.members:
            if not isinstance(member.role, Role):
                raise _unknown("role", member.role, f"member {member.username!r} of {shown.name!r}")
            members[member.username] = member.role
    return OrganizationSpec(
        name=shown.name,
        description=shown.description,
        website=shown.website or "",
        billing_email=shown.billing_email or (None if traits.empty_is_hidden else ""),
        members=members,
        packages=_packages(live.packages, traits),
    )


def _packages(shown: Iterable[LivePackage] | None, traits: Traits) -> tuple[PackageSpec, ...] | None:
    return None if shown is None else tuple(_package(live, traits) for live in shown)


def _package(live: LivePackage, traits: Traits) -> PackageSpec:
    package = live.package
    fields = PackageFields.shown(package, traits)
    return PackageSpec(
        name=package.name,
        library_type=package.library_type,
        short_description=fields.short_description,
        long_description=fields.long_description,
        website=fields.website,
        backend_url=fields.backend_url,
        repository_url=fields.repository_url,
        importance=fields.importance if isinstance(fields.importance, Importance) else None,
        permissions=_permissions(live, traits),
        routes=None if live.routes is None else _routes(live.routes, traits),
        domains=None if live.domains is None else tuple(_added_domains(live.domains)),
    )


def _added_domains(shown: Iterable[Domain]) -> Iterator[str]:
    """Yield the names without Scarf's own: a copy gets different ones by default."""
    return (domain.name for domain in shown if not is_scarfs_domain(domain.name))


def _routes(shown: Iterable[Route], traits: Traits) -> tuple[RouteCreate, ...]:
    return tuple(dict.fromkeys(_route(route, traits) for route in shown))


def _route(route: Route, traits: Traits) -> RouteCreate:
    try:
        hidden = traits.empty_is_hidden and not route.outgoing_url
        return RouteCreate(None if hidden else route.outgoing_url, route.template_path)
    except ValidationError as error:
        reason = error
    raise ValidationError(f"a manifest cannot say the route {route.id!r} ({route.template_path!r}): {reason}")


def _permissions(live: LivePackage, traits: Traits) -> dict[str, PermissionLevel] | None:
    if live.permissions is None:
        return None
    levels: dict[str, PermissionLevel] = {}
    for entry in live.permissions:
        level = entry.permission_level
        if not isinstance(level, PermissionLevel):
            raise _unknown("level", level, f"{entry.username!r} on the package {live.package.name!r}")
        is_owner = level is PermissionLevel.OWNER and traits.levels_of_owners
        if level is not PermissionLevel.DEFAULT and not is_owner:
            levels[entry.username] = level
    return levels


def _unknown(what: str, word: str, where: str) -> ValidationError:
    return ValidationError(
        f"{where} has the {what} {word!r}, which this version does not know and a manifest cannot say: a newer"
        " version may"
    )
