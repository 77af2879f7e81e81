"""A web service whose handler awaits one call: one client for the whole service, a deadline, errors as statuses.

`python examples/service.py` visits the service twice, with a local Scarf server behind it. With $SCARF_API_TOKEN
and $SCARF_ORGANIZATION set, it reads (and only reads) the packages of that organization from the real one.
"""

import asyncio
import os
from collections.abc import AsyncIterator

from aiohttp import ClientSession, web

from scarf_async import NotFoundError, RateLimitedError, RetryPolicy, Scarf, ScarfError
from scarf_async.emulator import Emulator

SCARF = web.AppKey("scarf", Scarf)
DEADLINE = 5.0  # seconds: more than one attempt takes, less than a visitor's patience


async def packages(request: web.Request) -> web.Response:
    """The organization's packages, or a status that says whose fault it is."""
    try:
        async with asyncio.timeout(DEADLINE):
            found = await request.app[SCARF].packages.list(request.match_info["organization"])
    except NotFoundError:
        raise web.HTTPNotFound(text="no such organization") from None
    except RateLimitedError as error:
        after = {"Retry-After": f"{error.retry_after or 60:.0f}"}
        raise web.HTTPServiceUnavailable(text="try again later", headers=after) from None
    except TimeoutError:  # the deadline's, and RequestTimeoutError too
        raise web.HTTPGatewayTimeout(text="Scarf did not answer in time") from None
    except ScarfError as error:  # all the rest; its text is for the log, and not for visitors
        request.app.logger.warning("packages: %s", error)
        raise web.HTTPBadGateway(text="Scarf cannot be asked just now") from None
    return web.json_response([{"name": package.name, "type": package.library_type} for package in found])


def make_app(scarf: Scarf) -> web.Application:
    """The application: it opens the client once, and closes it when it shuts down."""

    async def keep_open(_: web.Application) -> AsyncIterator[None]:
        async with scarf:
            yield

    app = web.Application()
    app[SCARF] = scarf
    app.cleanup_ctx.append(keep_open)
    app.router.add_get("/packages/{organization}", packages)
    return app


async def visit(scarf: Scarf, *organizations: str) -> None:
    runner = web.AppRunner(make_app(scarf))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with ClientSession("http://{}:{}".format(*runner.addresses[0])) as browser:
            for organization in organizations:
                async with browser.get(f"/packages/{organization}") as answer:
                    print(f"/packages/{organization}: {answer.status} {await answer.text()}")
    finally:
        await runner.cleanup()


async def main() -> None:
    few = RetryPolicy(attempts=3, max_elapsed=DEADLINE)
    if organization := os.environ.get("SCARF_ORGANIZATION"):
        await visit(Scarf(api="v2", timeout=3.0, retry=few, read_only=True), organization)
    else:
        async with Emulator(load={"organizations": [{"name": "acme"}]}) as emulator:
            url = emulator.v2_url
            served = Scarf(emulator.token, api="v2", v2_url=url, timeout=3.0, retry=few, read_only=True)
            await visit(served, "acme", "nobody")
    print("The service answered and was shut down.")


if __name__ == "__main__":
    asyncio.run(main())
