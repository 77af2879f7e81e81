"""`scarf.manifests`: describe what is there, and compare it with what should be."""

from __future__ import annotations

from scarf_async.errors import ValidationError
from scarf_async.manifests.changes import Changes
from scarf_async.manifests.diff import diff
from scarf_async.manifests.live import read_live
from scarf_async.manifests.model import Manifest
from scarf_async.manifests.pull import pull
from scarf_async.session import Session

__all__ = ["Manifests"]


class Manifests:
    """`scarf.manifests`: organizations as data, read from the service and compared with it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def pull(self, *organizations: str, user_packages: bool = False) -> Manifest:
        """Describe organizations as they are; works on a read-only client.

        Members, packages, permissions, routes and domains are all read, each list once. The addresses of docker and
        python packages are not in it: the service does not give them back.

        Example:
            ```python
            manifest = await scarf.manifests.pull("acme")
            ```

        Args:
            organizations: their names.
            user_packages: describe the packages of the token's user too. The service does not tell who that is: it
                is the owner of packages in the user's list who is no organization.

        Raises:
            ValidationError: a name cannot stand in an address; a role or level is unknown to this version; it does
                not show which packages are the user's own.
            NotFoundError: an organization is not there, or something went away while it was read.
            APIError: the service refused to show something.
            TransportError: no answer came.
            DecodeError: an answer is not what was promised.
        """
        return await pull(self._session, organizations, user_packages=user_packages)

    async def diff(self, manifest: Manifest, *, prune: bool = False, rewrite_addresses: bool = False) -> Changes:
        """Compare a manifest with what is there; works on a read-only client.

        What the manifest does not speak of is not read, and an organization that is not there is one to create.

        Example:
            ```python
            changes = await scarf.manifests.diff(manifest)
            print(changes)
            ```

        Args:
            manifest: what should be.
            prune: remove what a section of the manifest does not name: members, packages, permissions, routes,
                domains. Sections that the manifest does not have are left alone.
            rewrite_addresses: set the addresses of docker and python packages that the manifest names; the service
                does not give them back, so it does not show whether they differ.

        Returns:
            The changes, in the manifest's order.

        Raises:
            ValidationError: the manifest says two things of one person or package, or does not say whose packages
                the user's own are where that does not show.
            NotFoundError: something went away while it was read.
            APIError: the service refused to show something.
            TransportError: no answer came.
            DecodeError: an answer is not what was promised.
        """
        if not isinstance(manifest, Manifest):
            raise ValidationError(f"manifest must be a Manifest; got {type(manifest).__name__}", field="manifest")
        live = await read_live(self._session, manifest)
        return diff(manifest, live, prune=prune, rewrite_addresses=rewrite_addresses)
