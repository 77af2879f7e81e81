"""The example organization: read from its file, turned into a plan."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Final

import attrs
import cattrs.preconf.json

from scarf_async.bulk import BulkPlan, Ref
from scarf_async.entities import DomainCreate, OrganizationUpsert, Package, PackageUpsert, RouteCreate

__all__ = ["Example", "build_plan", "load_example"]

_FILE: Final = "linuxserver.json"
SOURCES: Final = "sources"


@attrs.frozen(kw_only=True)
class Example:
    """What `examples/linuxserver.json` holds."""

    organization: OrganizationUpsert
    domain: str
    admins: tuple[str, ...]
    members: tuple[str, ...]
    images: tuple[str, ...]

    @property
    def levels(self) -> dict[str, str]:
        """Each person's role in the organization, and level on each package."""
        return {**dict.fromkeys(self.admins, "admin"), **dict.fromkeys(self.members, "member")}

    def package(self, image: str) -> PackageUpsert:
        """The docker package of an image."""
        return PackageUpsert(
            name=f"{self.organization.name}/{image}",
            short_description=f"The container image {image}",
            website=f"https://github.com/{self.organization.name}/docker-{image}",
            library_type="docker",
            backend_url=f"https://ghcr.io/{self.organization.name}/{image}",
            public_url=f"https://lscr.io/{self.organization.name}/{image}",
        )

    @property
    def sources(self) -> PackageUpsert:
        """The file package that serves the images' sources."""
        return PackageUpsert(name=SOURCES, short_description="The sources of all images", library_type="file")

    def route(self, image: str) -> RouteCreate:
        """The route to the sources of an image."""
        return RouteCreate(
            f"https://github.com/{self.organization.name}/docker-{image}/archive/refs/tags/{{version}}.tar.gz",
            f"/{image}/{{version}}.tar.gz",
        )


def load_example() -> Example:
    """Read the example, which stands in the wheel and, in a checkout, in `examples/`."""
    packaged = resources.files("scarf_async.cli") / _FILE
    checkout = Path(__file__).parents[2] / "examples" / _FILE
    text = packaged.read_text("utf-8") if packaged.is_file() else checkout.read_text("utf-8")
    return cattrs.preconf.json.make_converter().loads(text, Example)


def build_plan(example: Example) -> tuple[BulkPlan, Ref[Package]]:
    """Plan the whole organization; return the plan and its file package."""
    plan = BulkPlan()
    name = example.organization.name
    plan.create_organization(example.organization)
    for user in example.admins:
        plan.upsert_member(name, user, "admin")
    for user in example.members:
        plan.upsert_member(name, user, "member")
    for image in example.images:
        package = plan.create_package(example.package(image), organization=name)
        for user in example.admins:
            plan.set_permission(package, user, "admin")
        for user in example.members:
            plan.set_permission(package, user, "member")
    sources = plan.create_package(example.sources, organization=name)
    for image in example.images:
        plan.create_route(sources, example.route(image))
    plan.create_domain(sources, DomainCreate(example.domain))
    return plan, sources
