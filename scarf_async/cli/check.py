"""`scarf-async check`: whether the service can be used as the command line is set up."""

from __future__ import annotations

import attrs

from scarf_async.cli.command import command
from scarf_async.cli.naming import as_typed
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.output import Status
from scarf_async.cli.records import RecordOptions

__all__ = ["check"]


@command
async def check(*, shown: RecordOptions, connection: ClientOptions) -> Status:
    """Tell whether token, version and owner work, and what to change if not; the status is then 1.

    It takes a cheap read or two. What was not tried is empty.

    Example: scarf-async check --api v2 --owner acme
    """
    async with connection.client(read_only=True) as scarf:
        found = await scarf.check()
    shown.write(attrs.evolve(found, advice=as_typed(found.advice)))
    return Status.DONE if found.ok else Status.FAILED
