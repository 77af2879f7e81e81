"""A set-up of many packages that may be interrupted: a plan, a journal, Ctrl-C, and the same command again.

`python examples/bulk_setup.py` does it on a local Scarf server that fails on purpose. With $SCARF_API_TOKEN and
$SCARF_ORGANIZATION set, it creates the packages in that organization of the real one.

The first Ctrl-C lets what is in progress end, the second stops at once. Run it again to go on: the journal knows.
"""

import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path

from scarf_async import BulkPlan, BulkProgress, PackageUpsert, RouteCreate, Scarf
from scarf_async.emulator import Emulator, Faults

TEAM = ("ann", "bob", "cyd")


def make_plan(organization: str) -> BulkPlan:
    """The plan is data: the same names give the same plan, which is how the journal knows it again."""
    plan = BulkPlan()
    for person in TEAM:
        plan.upsert_member(organization, person, "member")
    for number in range(20):
        name = f"tool-{number:02}"
        upsert = PackageUpsert(name=name, short_description=f"Tool {number}", library_type="file")
        package = plan.create_package(upsert, organization, if_exists="keep")
        for ending in ("tgz", "zip"):  # the first one is sent together with its package
            archive = f"https://example.org/{name}-{{version}}.{ending}"
            plan.create_route(package, RouteCreate(archive, f"/{name}/{{version}}.{ending}"))
    return plan


def show(progress: BulkProgress) -> None:
    print(f"{progress.done} of {progress.total}, {progress.failed} failed", file=sys.stderr)


async def set_up(scarf: Scarf, organization: str, journal: Path) -> bool:
    """Run the plan; tell whether everything is as it says."""
    plan, stop = make_plan(organization), asyncio.Event()
    requests = plan.estimate(api=scarf.api).requests  # before anything is sent
    print("About to send", ", ".join(f"{count} {kind}" for kind, count in requests.items()))
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)  # the second one ends the program, as ever

    loop.add_signal_handler(signal.SIGINT, interrupt)  # not on Windows: there the first one does
    report = await scarf.bulk.run(plan, journal=journal, stop=stop, progress=show)
    print(report)
    if stop.is_set():
        return False
    report.raise_for_failures()
    differences = await scarf.bulk.verify(plan)
    print(f"Read back: {len(differences)} differences.")
    return not differences


async def main() -> int:
    if organization := os.environ.get("SCARF_ORGANIZATION"):
        async with Scarf(api="v2", owner=organization) as scarf:
            done = await set_up(scarf, organization, Path("bulk_setup.journal"))
    else:
        emulator = Emulator(load={"organizations": [{"name": "acme"}]})
        emulator.faults = Faults(status={503: 0.05}, drop_after=0.05)
        with tempfile.TemporaryDirectory() as directory:
            async with emulator, Scarf(emulator.token, api="v2", owner="acme", v2_url=emulator.v2_url) as scarf:
                done = await set_up(scarf, "acme", Path(directory, "journal"))
    print("All is set up." if done else "Not all is set up yet. Run it again to go on.")
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
