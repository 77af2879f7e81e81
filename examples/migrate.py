"""An organization becomes a copy of another: read, written down, compared, applied, compared again.

`python examples/migrate.py` does it between two local Scarf servers. With $SCARF_API_TOKEN, $SCARF_ORGANIZATION and
$SCARF_TARGET set, it shows what would make the target a copy, in the real one; with $SCARF_APPLY=yes it does it.
The target is there already: v2 creates no organizations.
"""

import asyncio
import contextlib
import os
import sys
import tempfile

from scarf_async import PackageUpsert, RouteCreate, Scarf, read_changes, write_changes, write_manifest
from scarf_async.emulator import Emulator

NAMES = {"bob": None, "cyd": "cydney"}  # bob does not come along, cyd has another name there


async def migrate(old: Scarf, source: str, new: Scarf, target: str, *, apply: bool = True) -> bool:
    """Make `target` a copy of `source`, maybe on another server; tell whether it is one afterwards."""
    # The way back, and something for version control: the organization before anything is changed.
    write_manifest(await old.manifests.pull(source), f"{source}.json")
    changes = await old.manifests.changes_to_copy(source, target, to=new, members=NAMES)
    print(changes)
    if not apply:
        return len(changes) == 0
    # Kept in a file, the very same changes can be applied on if this is killed half-way: the journal knows them.
    write_changes(changes, f"{target}.changes", server=new.v2_url)
    report = await new.manifests.apply(read_changes(f"{target}.changes"), journal=f"{target}.journal")
    print(report)
    report.raise_for_failures()
    # The proof: compared once more, nothing is left to do.
    return len(await old.manifests.changes_to_copy(source, target, to=new, members=NAMES)) == 0


async def furnish(scarf: Scarf) -> None:
    """Something to copy."""
    for user in ("ann", "bob", "cyd"):
        await scarf.members.upsert("acme", user, "member")
    upsert = PackageUpsert(name="tool", short_description="A tool", library_type="file")
    first = RouteCreate("https://acme.org/tool-{version}.tgz", "/tool/{version}.tgz")
    tool = await scarf.packages.create(upsert, route=first)
    await scarf.routes.create(tool, RouteCreate("https://acme.org/tool-{version}.zip", "/tool/{version}.zip"))


async def main() -> int:
    source, target = os.environ.get("SCARF_ORGANIZATION"), os.environ.get("SCARF_TARGET")
    if source and target:
        apply = os.environ.get("SCARF_APPLY") == "yes"
        async with Scarf(api="v2", owner=source, read_only=not apply) as scarf:
            same = await migrate(scarf, source, scarf, target, apply=apply)
    else:
        one, two = (Emulator(load={"organizations": [{"name": name}]}) for name in ("acme", "acme-eu"))
        with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
            async with one, two, Scarf(one.token, api="v2", owner="acme", v2_url=one.v2_url) as old:
                await furnish(old)
                async with Scarf(two.token, api="v2", owner="acme-eu", v2_url=two.v2_url) as new:
                    same = await migrate(old, "acme", new, "acme-eu")
    print("The target is a copy of the source." if same else "The target is not a copy of the source yet.")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
