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
    """`scarf.manifests`: organizations as data, read from the service, compared with it and applied.

    ```python
    changes = await scarf.manifests.diff(read_manifest("acme.yaml"))
    print(changes)
    report = await scarf.manifests.apply(changes, me="ann")
    ```
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def pull(self, *organizations: str, user_packages: bool = False, me: str | None = None) -> Manifest:
        """Read live organizations as a manifest; works on a read-only client.

        Members, packages, permissions, routes and domains are read, each list once. The manifest does not contain
        domains below `scarf.sh`, owners of packages, or permissions of an organization's package that the service
        does not show. v1 does not return the URLs of docker and python packages; v2 does, except for `public_url`,
        whose host is one of the domains.

        Example:
            ```python
            manifest = await scarf.manifests.pull("acme")
            ```

        Args:
            organizations: the names of the organizations.
            user_packages: include the packages of the token's user.
            me: the username that the token belongs to, which the service does not tell; needed for `user_packages`
                in v2. In v1 the default is the one owner in the user's list of packages who is not an organization.

        Raises:
            ValidationError: a name cannot be part of a URL, or is that of a user; a role or level is unknown to
                this package; or the user's own packages cannot be told from others.
            NotFoundError: an organization does not exist, or something was deleted during the read.
            APIError: the service returned an error.
            TransportError: no complete response arrived.
            DecodeError: a response does not have the documented form.
        """
        try:
            return await pull(self._session, organizations, user_packages=user_packages, me=me)
        except NotFoundError:
            await refuse_users(self._session, await missing(self._session, dict.fromkeys(organizations)), me)
            raise

    async def diff(self, manifest: Manifest, *, prune: bool = False, rewrite_addresses: bool = False) -> Changes:
        """Compare a manifest with the live organization; works on a read-only client.

        Sections that the manifest does not mention are not read, and a missing organization becomes a create. A
        different spelling of the same name or text is not a difference.

        Example:
            ```python
            changes = await scarf.manifests.diff(manifest)
            print(changes)
            ```

        Args:
            manifest: the desired state.
            prune: remove members, packages, permissions, routes and domains that a section of the manifest does not
                name. Sections that the manifest does not have are left alone, as are domains below `scarf.sh`, the
                host of a `public_url` in the manifest, and the level `owner`.
            rewrite_addresses: also set URLs that the service does not show, so that they cannot be compared: in v1
                those of docker and python packages.

        Returns:
            The changes, in the manifest's order. Changes that the version cannot make are `blocked`, with the
            reason.

        Raises:
            ValidationError: the manifest contradicts itself about a person or package, or has packages of the user
                without `me` where it is needed, as in v2.
            NotFoundError: something was deleted during the read.
            APIError: the service returned an error.
            TransportError: no complete response arrived.
            DecodeError: a response does not have the documented form.
        """
        instance("manifest", manifest, Manifest, ValidationError, wanted="a Manifest")
        live = await read_live(self._session, manifest, prune=prune)
        return _compared(self._session, manifest, live, prune=prune, rewrite_addresses=rewrite_addresses)

    async def check_names(self, changes: Changes) -> None:
        """Check that no organization to create has the name of a user; sends a read if there is any to create.

        A comparison cannot tell, since it finds no such organization. v1 shows no accounts, so there only a user
        with a package is recognized.

        Raises:
            ValidationError: a name is that of a user; the message says how to write packages of a user.
            APIError: the service returned an error.
            TransportError: no complete response arrived.
            DecodeError: a response does not have the documented form.
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
        """Apply changes after checking for drift once more; a change that fails is reported, not raised.

        Things that someone else changed since the comparison are left alone and reported as drifted; things that
        are already as they should be count as done. With `whole`, or a `journal`, any drift refuses all changes.

        With a `journal`, a run that was killed resumes when the same changes are applied again, so save them with
        `write_changes`: operations that the journal has as done are not sent again and do not count as drift.
        Without saved changes, compare again and apply the result with a new journal: the comparison shows what was
        done.

        Example:
            ```python
            changes = await scarf.manifests.diff(manifest)
            report = await scarf.manifests.apply(changes, me="ann")
            report.raise_for_failures()
            ```

        Args:
            changes: the changes, made for this client's version. Changes from `read_changes` must also have been
                made for its server, and for its owner if they leave an owner open.
            journal: a file to record intents and outcomes in, and to resume from; it never contains the token.
            concurrency: how many requests to have in flight at once.
            max_removals: the maximum number of removals, of all kinds together; None: for each kind, five or a
                quarter of the existing ones, whichever is more.
            me: the username that the token belongs to, which the service does not tell: this user is not removed
                and stays an owner. None: not checked.
            whole: apply all of the changes, or none if anything has drifted.
            patience: seconds without any success after which nothing new is started, and the longest wait that
                the service may ask for.
            stop: when set, nothing new is started, and requests in progress end.
            progress: called at most ten times a second, and once at the end.
            on_outcome: called with each outcome, as soon as it is known.

        Returns:
            The outcome of the changes.

        Raises:
            GuardError: too much would be removed, an organization would be left without an owner, the token's user
                would lose rights, or something has drifted and all or nothing was requested; nothing was sent.
            ValidationError: the changes have values that cannot be sent, or are for another version, server or
                owner.
            JournalError: the journal belongs to other changes, cannot be used, or can no longer be written.
            ReadOnlyError: the client is read-only; nothing was sent.
            NotFoundError: something was deleted during the read.
            APIError: the service returned an error.
            TransportError: no complete response arrived to the check for drift.
            DecodeError: a response does not have the documented form.
            ClientClosedError: the client was closed during the call.
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
        """Compare an organization with its intended copy; apply the changes with the client of the copy.

        In `members`, `packages` and `domains`, None or `""` leaves an entry out, and entries that are not named
        keep their names. A domain can only belong to one owner: on the same server, domains that are not named are
        left out, each with a note. The clients of source and copy may call different versions. v1 does not return
        the URLs of docker and python packages: without `addresses`, docker packages that the copy lacks are
        blocked. In v2 the path of its image names a docker package, and its copy unless `packages` does.

        Example:
            ```python
            changes = await scarf.manifests.changes_to_copy("acme", "acme-test", members={"bob": None})
            report = await scarf.manifests.apply(changes)
            ```

        Args:
            source: the organization to copy.
            target: the organization to copy to; it is created if it does not exist.
            to: the client of the target, which may be another server; None: this client.
            members: username -> username in the copy, for members and permissions.
            packages: package -> its name in the copy.
            domains: domain -> its name in the copy.
            prune: remove what the source does not have from the target.
            rewrite_addresses: also set URLs that the target does not show, on packages that already exist.
            addresses: a manifest with the URLs of packages, under the name of the source or target; it takes
                precedence over the URLs that the source shows.

        Returns:
            The changes, for `(to or scarf).manifests.apply(changes)`.

        Raises:
            ValidationError: target and source are the same, two people become one with two roles or levels, or a
                role or level is unknown to this version.
            NotFoundError: the source does not exist, or something was deleted during the read.
            APIError: the service returned an error.
            TransportError: no complete response arrived.
            DecodeError: a response does not have the documented form.
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
    """Compare with the state that a session has read; the changes are for the version that it calls."""
    dialect = session.dialect
    changes = diff(manifest, live, prune=prune, rewrite_addresses=rewrite_addresses, dialect=dialect)
    return attrs.evolve(changes, api=session.transport.settings.api)
