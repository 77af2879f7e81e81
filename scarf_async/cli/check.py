"""`scarf-async check`: check the configuration of the command line."""

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
    """Check that token, version and owner work; if not, say what to change and end with status 1.

    This takes one or two cheap reads. A check that was not tried is empty.

    Example: scarf-async check --api v2 --owner acme
    """
    async with connection.client(read_only=True) as scarf:
        found = await scarf.check()
    shown.write(attrs.evolve(found, advice=as_typed(found.advice)))
    return Status.DONE if found.ok else Status.FAILED
