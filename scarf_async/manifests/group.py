"""`scarf.manifests`: describe organizations, compare them with a manifest, and make them match it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from types import MappingProxyType
from typing import Final, Protocol

import attrs

from scarf_async.bulk.report import BulkProgress, Outcome
from scarf_async.checks import instance
from scarf_async.errors import NotFoundError, ValidationError
from scarf_async.manifests.apply import ApplyReport, Sending, apply
from scarf_async.manifests.changes import Changes
from scarf_async.manifests.copying import Copying, Names
from scarf_async.manifests.diff import diff
from scarf_async.manifests.live import Live, read_live
from scarf_async.manifests.model import Manifest
from scarf_async.manifests.pull import pull
from scarf_async.manifests.saved import SavedChanges
from scarf_async.manifests.users import missing, refuse_users
from scarf_async.sending.session import Session

__all__ = ["Manifests"]

_AS_THEY_ARE: Final[Names] = MappingProxyType({})


class _Client(Protocol):
    """A `Scarf`, which is above this."""

    @property
    def manifests(self) -> Manifests:
        """Its group."""


class Manifests:
    """`scarf.manifests`: organizations as data, read from the service, compared with it and applied."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def pull(self, *organizations: str, user_packages: bool = False, me: str | None = None) -> Manifest:
        """Read live organizations as a manifest; works on a read-only client.

        Members, packages, permissions, routes and domains are all read, each list once; of domains those that were
        added, and not those below `scarf.sh`; of permissions not who owns a package, nor those of an organization's
        package that the service refuses to show. v1 does not return the addresses of docker and python packages;
        v2 does, except for `public_url`, whose host is one of the domains.

        Example:
            ```python
            manifest = await scarf.manifests.pull("acme")
            ```

        Args:
            organizations: their names.
            user_packages: include the packages of the token's user.
            me: the username that the token belongs to, which the service does not tell; it is needed for
                `user_packages` in v2. In v1, without it, it is the owner of packages in the user's list who is not
                an organization.

        Raises:
            ValidationError: a name cannot be in an address, or is a user's; a role or level is unknown to this
                package; it does not show which packages are the user's own.
            NotFoundError: an organization is not there, or something went away while it was read.
            APIError: the service refused a read.
            TransportError: no answer came.
            DecodeError: an answer does not have the documented form.
        """
        try:
            return await pull(self._session, organizations, user_packages=user_packages, me=me)
        except NotFoundError:
            await refuse_users(self._session, await missing(self._session, dict.fromkeys(organizations)), me)
            raise

    async def diff(self, manifest: Manifest, *, prune: bool = False, rewrite_addresses: bool = False) -> Changes:
        """Compare a manifest with the live organization; works on a read-only client.

        What the manifest does not mention is not read, and an organization that does not exist is one to create. A
        name or text that the service merely spells differently is not a difference.

        Example:
            ```python
            changes = await scarf.manifests.diff(manifest)
            print(changes)
            ```

        Args:
            manifest: what should be.
            prune: remove what a section of the manifest does not name: members, packages, permissions, routes,
                domains. Sections that the manifest does not have are left alone, as are domains below `scarf.sh`,
                that of a `public_url` that the manifest says, and the level `owner`.
            rewrite_addresses: set the addresses that the manifest names and the service does not show, so that it
                cannot be told whether they differ: in v1 those of docker and python packages.

        Returns:
            The changes, in the manifest's order. What the version cannot do is blocked, with the reason.

        Raises:
            ValidationError: the manifest says two things of one person or package, or does not say whose packages
                the user's own are (`me`) where that does not show, as in v2.
            NotFoundError: something went away while it was read.
            APIError: the service refused a read.
            TransportError: no answer came.
            DecodeError: an answer does not have the documented form.
        """
        instance("manifest", manifest, Manifest, ValidationError, wanted="a Manifest")
        live = await read_live(self._session, manifest, prune=prune)
        return _compared(self._session, manifest, live, prune=prune, rewrite_addresses=rewrite_addresses)

    async def check_names(self, changes: Changes) -> None:
        """Check that no organization to be created has a user's name; takes a read if any is to be created.

        A comparison cannot tell: it finds no organization of a user's name. In v1, which shows no accounts, only a
        user with a package is recognized.

        Raises:
            ValidationError: one has; it says how packages of a user are written.
            APIError: the service refused a read.
            TransportError: no answer came.
            DecodeError: an answer does not have the documented form.
        """
        new = [change for change in changes if change.kind == "organization" and change.before is None]
        await refuse_users(self._session, [change.organization or "" for change in new], changes.me)

    async def apply(
        self,
        changes: Changes | SavedChanges,
        *,
        journal: str | os.PathLike[str] | None = None,
        concurrency: int = 32,
        max_removals: int | None = None,
        me: str | None = None,
        whole: bool = False,
        patience: float = 600.0,
        stop: asyncio.Event | None = None,
        progress: Callable[[BulkProgress], object] | None = None,
        on_outcome: Callable[[Outcome[object]], object] | None = None,
    ) -> ApplyReport:
        """Apply changes after checking once more for drift; a change that fails is reported, not raised.

        What somebody else changed since the comparison is left alone and reported as drifted; what is already as
        it should be counts as done. With `whole`, or a `journal`, it is all or nothing: any drift refuses
        everything.

        With a `journal` a run that was killed goes on when the very same changes are applied again, so keep them
        with `write_changes`: what the journal says is done is not sent again and not taken for drift. Without
        kept changes, compare again and apply that, with a new journal: what was done shows in the comparison.

        Example:
            ```python
            changes = await scarf.manifests.diff(manifest)
            report = await scarf.manifests.apply(changes, me="ann")
            report.raise_for_failures()
            ```

        Args:
            changes: what to do. They must have been made for this client's version, and those that `read_changes`
                returned for its server, and for its owner where they leave an owner out.
            journal: a file to write intents and outcomes to, and to go on from; it holds no token.
            concurrency: how many requests to have in flight at once.
            max_removals: how many things may be removed, of all kinds together; None: of each kind five, or a
                quarter of what was there, whichever is more.
            me: the username that the token belongs to, who is not removed and stays an owner. The service does not
                tell who that is; None: it is not checked.
            whole: exactly these changes, or none of them.
            patience: seconds without any success after which nothing new is started, and the longest wait that
                the service may ask for.
            stop: when set, nothing new is started, and what is under way ends.
            progress: called at most ten times a second, and once at the end.
            on_outcome: called with each outcome as it comes.

        Returns:
            What became of the changes.

        Raises:
            GuardError: too much would be removed, an organization would be left without an owner, the token's user
                would lose rights, or something has drifted and it is all or nothing; nothing was sent.
            ValidationError: the changes hold what cannot be sent, or are for another version, server or owner.
            JournalError: the journal belongs to other changes, cannot be used, or not be written any more.
            ReadOnlyError: the client is read-only; nothing was sent.
            NotFoundError: something went away while it was read.
            APIError: the service refused a read.
            TransportError: no answer came to the last look.
            DecodeError: an answer does not have the documented form.
            ClientClosedError: the client was closed meanwhile.
        """
        if isinstance(changes, SavedChanges):
            session = self._session
            changes = changes.for_server(session.server, api=session.dialect.version, owner=session.owner)
        instance("changes", changes, Changes, ValidationError, wanted="Changes")
        sending = Sending(
            journal=journal,
            concurrency=concurrency,
            patience=patience,
            stop=stop,
            progress=progress,
            on_outcome=on_outcome,
        )
        return await apply(self._session, changes, sending, max_removals=max_removals, me=me, whole=whole)

    async def changes_to_copy(
        self,
        source: str,
        target: str,
        *,
        to: _Client | None = None,
        members: Names = _AS_THEY_ARE,
        packages: Names = _AS_THEY_ARE,
        domains: Names = _AS_THEY_ARE,
        prune: bool = False,
        rewrite_addresses: bool = False,
        addresses: Manifest | None = None,
    ) -> Changes:
        """Compare an organization with what is to be its copy; apply it with the client of the copy.

        In `members`, `packages` and `domains`, None or `""` leaves out, and what is not named keeps its name. A
        server gives a domain to packages of one owner only: on one server, domains that are not named are left out,
        each with a note. The source and the copy may speak different versions. v1 does not give back the addresses
        of docker and python packages: without `addresses`, docker packages that the copy lacks are blocked. In v2 a
        docker package is named by the path of its image, and so is its copy, if `packages` does not name it.

        Example:
            ```python
            changes = await scarf.manifests.changes_to_copy("acme", "acme-test", members={"bob": None})
            report = await scarf.manifests.apply(changes)
            ```

        Args:
            source: the organization that is copied.
            target: the organization that becomes the copy; it is created if it is not there.
            to: the client of the target, maybe of another server; None: this one.
            members: username -> username in the copy, for members and permissions.
            packages: package -> its name in the copy.
            domains: domain -> its name in the copy.
            prune: remove what the source does not have.
            rewrite_addresses: set the addresses that the target does not show on packages that are there too.
            addresses: a manifest that says the addresses of packages, under the source's name or the target's; it
                wins over what the source shows.

        Returns:
            The changes, for `(to or scarf).manifests.apply(changes)`.

        Raises:
            ValidationError: the target is the source, two people become one with two roles or levels, or a role or
                level is unknown to this version.
            NotFoundError: the source is not there, or something went away while it was read.
            APIError: the service refused a read.
            TransportError: no answer came.
            DecodeError: an answer does not have the documented form.
        """
        there = self._session if to is None else to.manifests._session  # noqa: SLF001 # of this class
        copying = Copying(
            source=source,
            target=target,
            members=members,
            packages=packages,
            domains=domains,
            same_server=self._session.transport.settings.shares_server(there.transport.settings),
            images_as_names=there.dialect.traits.images_as_names,
            alike={*self._session.dialect.traits.types_alike, *there.dialect.traits.types_alike},
            addresses=addresses or Manifest(),
        )
        original = await pull(self._session, [source], user_packages=False)
        manifest = copying.manifest(original)
        live = await read_live(there, manifest, prune=prune)
        changes = _compared(there, manifest, live, prune=prune, rewrite_addresses=rewrite_addresses)
        return copying.annotated(changes, original)


def _compared(session: Session, manifest: Manifest, live: Live, *, prune: bool, rewrite_addresses: bool) -> Changes:
    """Compare with what a session has read; the changes are for the version that it speaks."""
    dialect = session.dialect
    changes = diff(manifest, live, prune=prune, rewrite_addresses=rewrite_addresses, dialect=dialect)
    return attrs.evolve(changes, api=session.transport.settings.api)
