"""Make the README's picture of a report: `python -m tests.data.picture docs/images/report.png`.

An emulator is given events of twelve weeks, a job fetches them, and a browser takes the picture.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright

from scarf_async import ExportJob, PackageUpsert, Scarf
from scarf_async.data import report
from scarf_async.emulator import Emulator

from .browser import chromium

__all__ = ["draw"]

_START, _DAYS = dt.date(2024, 1, 1), 84
_PORT = 8787
_SIZE: ViewportSize = {"width": 1040, "height": 1120}
_COMPANIES = (
    "Northwind Traders", "Contoso", "Fabrikam", "Tailspin Toys", "Wingtip", "Litware", "Proseware", "Acme, Inc.",
    "Example Institute", "Adatum", "Woodgrove Bank", "Lucerne Publishing", "Cohovineyard", "Alpine Ski House",
)  # fmt: skip
_PROVIDERS = ("Example Telecom", "Cable Example", "Example Mobile")
_CLIENTS = (("docker/24.0.7", "linux/amd64"), ("containerd/v1.7.11", "linux/arm64"), ("curl/8.5.0", ""))
_VERSIONS = ("1.0.0", "1.1.0", "2.0.0", "2.1.0")


def _events(package: str, share: float) -> Iterator[dict[str, str]]:
    """Yield events of a package that is used more and more, on weekdays most of all."""
    chance = random.Random(package)
    for number in range(_DAYS):
        day = _START + dt.timedelta(number)
        for _ in range(int(share * (70 + number) * (0.5 if day.weekday() > 4 else chance.uniform(0.9, 1.1)))):
            origin = int(chance.triangular(0, 150 + 2 * number, 0))
            agent, platform = _CLIENTS[origin % len(_CLIENTS)]
            # Some take a version soon, some late.
            newest = min(len(_VERSIONS) - 1, max(0, (number - origin % 30) // 22))
            yield {
                "id": f"{package}-{chance.getrandbits(64):x}",
                "type": "manifest-fetch",
                "time": f"{day}T{chance.randrange(24):02}:{chance.randrange(60):02}:00Z",
                "version": _VERSIONS[newest],
                "user_agent": agent,
                "platform": platform,
                "origin_id": f"o{origin}",
                "origin_country": ("US", "DE", "FR", "JP", "NL", "BR", "IN")[origin % 13 % 7],
                **_who(origin),
            }


def _who(origin: int) -> dict[str, str]:
    if origin % 5 == 1:
        return {"origin_company": _PROVIDERS[origin % 3], "origin_connection_type": "isp"}
    if origin % 3:
        return {"origin_company": "UNKNOWN", "origin_connection_type": "hosting"}
    return {
        "origin_company": _COMPANIES[min(origin // 23, len(_COMPANIES) - 1)],
        "origin_connection_type": "business",
    }


async def _fetch(directory: Path) -> None:
    async with (
        Emulator(load={"organizations": [{"name": "acme"}]}, events_per_day=0, port=_PORT) as emulator,
        Scarf(emulator.token, api="v2", v2_url=emulator.v2_url, owner="acme") as scarf,
    ):
        for name, share in (("acme/web", 1.0), ("acme/api", 0.6), ("acme/cli", 0.3)):
            backend = f"https://ghcr.io/{name}"
            upsert = PackageUpsert(name=name, short_description="", library_type="docker", backend_url=backend)
            package = await scarf.packages.create(upsert)
            events = [event | {"package": name} for event in _events(name, share)]
            await emulator.add_events(package.uuid, events)
        end = _START + dt.timedelta(_DAYS)
        job = ExportJob("owner_events", "acme", _START, end, "parquet")
        (await scarf.exports.run(job, directory)).raise_for_failures()


def draw(path: Path) -> None:
    """Take the picture."""
    with tempfile.TemporaryDirectory() as place:
        asyncio.run(_fetch(Path(place, "acme")))
        page = Path(place, "acme.html")
        report(Path(place, "acme"), title="Downloads of acme").save(page)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            shown = browser.new_page(viewport=_SIZE)
            shown.goto(page.as_uri())
            shown.wait_for_selector("html[data-drawn]", state="attached")
            shown.screenshot(path=path)
            browser.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
