"""The pytest plugin: its fixtures under each plugin that runs async tests, scripted faults, the log of calls."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from scarf_async import NotFoundError, OrganizationUpsert, PackageUpsert, Scarf
from scarf_async.emulator import Emulator
from scarf_async.emulator.faults import Action
from scarf_async.testing import call_log, no_waiting, script_faults

pytest_plugins = ["pytester"]

ACME = OrganizationUpsert(name="acme", description="", billing_email="")
TOOL = PackageUpsert(name="tool", short_description="", library_type="file")

# A project's tests, once with the fixtures as they are, and once with an emulator of its own.
PLAIN = """
    import asyncio, pytest
    from scarf_async import OrganizationUpsert, PackageUpsert
    from scarf_async.testing import call_log
    {head}
    async def test_call(scarf_emulator, scarf):
        await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
        assert call_log(scarf_emulator) == ["POST /organizations: 201"]

    async def test_the_next_starts_afresh(scarf_emulator, scarf):
        await asyncio.gather(scarf.packages.list(), scarf.packages.list())
        assert call_log(scarf_emulator) == ["GET /packages: 200"] * 2

    async def test_the_client_alone(scarf):
        assert await scarf.packages.list() == []

    async def test_both_versions(scarf_v2, scarf, scarf_emulator):
        made = await scarf.packages.create(PackageUpsert(name="tool", short_description="", library_type="npm"))
        assert [package.uuid for package in await scarf_v2.packages.list()] == [made.uuid]
        assert (scarf.api, scarf_v2.api, scarf_v2.owner) == ("v1", "v2", scarf_emulator.user)
        assert call_log(scarf_emulator)[1:] == ["GET /v2/packages/emulator-user: 200"]
"""
OWN = """
    import pytest
    from scarf_async import OrganizationUpsert
    from scarf_async.emulator import Emulator
    {head}
    async def scarf_emulator():
        async with Emulator(user="ann") as emulator:
            yield emulator

    async def test_the_client_uses_the_emulator_of_the_project(scarf):
        await scarf.organizations.create(OrganizationUpsert(name="acme", description="", billing_email=""))
        assert [member.username for member in await scarf.members.list("acme")] == ["ann"]

    async def test_so_does_that_of_v2(scarf_v2):
        assert (scarf_v2.owner, await scarf_v2.packages.list()) == ("ann", [])
"""
QUIRKS = """
    import pytest
    from scarf_async.emulator import Quirks
    {head}
    async def test_usual(scarf_emulator):
        assert scarf_emulator.quirks == Quirks()

    @pytest.mark.parametrize("scarf_quirks", [Quirks(paging="after"), Quirks(paging="links")])
    async def test_each(scarf_emulator, scarf_quirks):
        assert scarf_emulator.quirks is scarf_quirks

    class TestOwn:
        @pytest.fixture
        def scarf_quirks(self):
            return Quirks(absent="null")

        async def test_own(self, scarf, scarf_emulator):
            assert scarf_emulator.quirks.absent == "null"
"""
ANYIO = """
    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend():
        return {backend!r}
    {more}
"""
FIXTURE = "\n    @pytest.fixture"
STRICT = "\n    import pytest_asyncio\n    pytestmark = pytest.mark.asyncio\n"
LOOP_SCOPE = "asyncio_default_fixture_loop_scope = function\n"
CONFTEST = 'pytest_plugins = ["scarf_async.testing"]'


def run(
    pytester: pytest.Pytester, *plugins: str, ini: str = "", conftest: str = CONFTEST, **modules: str
) -> pytest.RunResult:
    """Run a project's tests with these plugins alone, and warnings as errors."""
    pytester.makeconftest(conftest)
    # Here the plugins are imported already.
    imported = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
    pytester.makeini(f"[pytest]\nfilterwarnings =\n  error\n  {imported}\n{ini}")
    pytester.makepyfile(**modules)
    options = [option for plugin in plugins for option in ("-p", plugin)]
    return pytester.runpytest_inprocess("--disable-plugin-autoload", "-p", "no:cacheprovider", *options)


def test_pytest_asyncio_in_auto_mode(pytester: pytest.Pytester) -> None:
    """The fixtures live on the tests' loop, with no mark; a test that is not async may have them too."""
    sync = "\n    def test_no_coroutine(scarf_emulator):\n        assert scarf_emulator.url\n"
    done = run(
        pytester,
        "asyncio",
        "anyio",
        ini=f"{LOOP_SCOPE}asyncio_mode = auto\n",
        test_plain=PLAIN.format(head=sync),
        test_own=OWN.format(head=FIXTURE),
    )
    done.assert_outcomes(passed=7)


def test_the_emulator_has_the_quirks_that_a_test_wants(pytester: pytest.Pytester) -> None:
    """By parametrizing a fixture, or by one of the project's own, under both plugins."""
    done = run(
        pytester,
        "asyncio",
        "anyio",
        ini=LOOP_SCOPE,
        test_asyncio=QUIRKS.format(head=STRICT),
        test_anyio=QUIRKS.format(head=ANYIO.format(backend="asyncio", more="")),
    )
    done.assert_outcomes(passed=8)


def test_pytest_asyncio_in_strict_mode_beside_anyio(pytester: pytest.Pytester) -> None:
    """Each test has its fixtures from the plugin that runs it, both in one project."""
    done = run(
        pytester,
        "asyncio",
        "anyio",
        ini=LOOP_SCOPE,
        test_plain=PLAIN.format(head=STRICT),
        test_own=OWN.format(head=STRICT + "\n    @pytest_asyncio.fixture"),
        test_plain_anyio=PLAIN.format(head=ANYIO.format(backend="asyncio", more="")),
        test_own_anyio=OWN.format(head=ANYIO.format(backend="asyncio", more="\n    @pytest.fixture")),
    )
    done.assert_outcomes(passed=12)


def test_anyio_where_pytest_asyncio_is_not_installed(pytester: pytest.Pytester) -> None:
    """The plugin of anyio is enough; on another library, or with no mark, the message says what to do."""
    done = run(
        pytester,
        "anyio",
        conftest=f'import sys\nsys.modules["pytest_asyncio"] = None\n{CONFTEST}',
        test_plain=PLAIN.format(head=ANYIO.format(backend="asyncio", more="")),
        test_own=OWN.format(head=ANYIO.format(backend="asyncio", more="\n    @pytest.fixture")),
        test_trio=f"    import pytest{ANYIO.format(backend='trio', more='')}\n    async def test(scarf): pass",
        test_unmarked="def test_unmarked(scarf_emulator): pass",
    )
    done.assert_outcomes(passed=6, errors=2)
    done.stdout.fnmatch_lines_random(
        [
            "*UsageError: scarf_async runs on asyncio only: define a fixture `anyio_backend` that returns*",
            "*UsageError: the fixture 'scarf_emulator' needs an event loop: mark the test with*",
        ]
    )


# Scripted faults and the log.


async def test_a_script_is_played_in_order(scarf_emulator: Emulator, scarf: Scarf) -> None:
    """Each request of the kind takes the next step; other requests, and those after the last, pass."""
    await scarf.organizations.create(ACME)
    script_faults(scarf_emulator, "post", "*/packages", None, 503, "drop_after")
    await scarf.packages.create(TOOL, "acme")
    with no_waiting():
        await scarf.packages.create(attrs.evolve(TOOL, name="second"), "acme")
    await scarf.packages.create(attrs.evolve(TOOL, name="third"), "acme")
    assert [line for line in call_log(scarf_emulator) if line.startswith("POST")] == [
        "POST /organizations: 201",
        "POST /organizations/acme/packages: 201",
        "POST /organizations/acme/packages: 503 [503]",
        "POST /organizations/acme/packages: no answer [drop_after]",
        "POST /organizations/acme/packages: 201",
    ]
    assert scarf_emulator.faults.injected == {503: 1, "drop_after": 1}


async def test_steps_of_every_kind(scarf_emulator: Emulator, scarf: Scarf) -> None:
    """An effect behind a status, and a `Retry-After` for each status, may be steps too."""
    script_faults(scarf_emulator, "*", "/organizations", 429, ("effect", 500), retry_after=1)
    with no_waiting():
        assert (await scarf.organizations.create(ACME)).name == "acme"
    assert call_log(scarf_emulator) == [
        "POST /organizations: 429 [429]",
        "POST /organizations: 500 [effect_500]",
        "GET /organizations/acme: 200",
    ]


@pytest.mark.parametrize("step", ["explode", 99, ("effect", 700)])
async def test_a_script_with_a_step_that_is_none(step: Action, scarf_emulator: Emulator, scarf: Scarf) -> None:
    """It is refused as a whole: nothing of it is played."""
    with pytest.raises(ValueError, match=r"explode|99|700"):
        script_faults(scarf_emulator, "GET", "*", 503, step)
    await scarf.packages.list()
    assert call_log(scarf_emulator) == ["GET /packages: 200"]


async def test_the_log_is_readable(scarf_emulator: Emulator, scarf: Scarf) -> None:
    """Paths are decoded, without what all of them begin with; so do those of the other API, with it."""
    with pytest.raises(NotFoundError):
        await scarf.packages.get("linuxserver/nginx")
    async with scarf.exports.owner_events("emulator-user", "2024-01-01", "2024-01-02"):
        pass
    assert call_log(scarf_emulator) == [
        "GET /packages/linuxserver/nginx: 404",
        "GET /v2/packages/emulator-user/events: 200",
    ]


# Event loops that tests share, and such as differ from those of the fixtures.

SCOPES = """
    import pytest
    pytestmark = pytest.mark.asyncio

    async def listed(scarf, scarf_emulator):
        assert await scarf.packages.list() == []
        await scarf_emulator.wait_until(lambda requests: len(requests) == 1)

    async def test_default(scarf, scarf_emulator):
        await listed(scarf, scarf_emulator)

    @pytest.mark.asyncio(loop_scope="function")
    async def test_function(scarf, scarf_emulator):
        await listed(scarf, scarf_emulator)

    @pytest.mark.asyncio(loop_scope="module")
    async def test_module(scarf, scarf_emulator):
        await listed(scarf, scarf_emulator)

    @pytest.mark.asyncio(loop_scope="package")
    async def test_package(scarf, scarf_emulator):
        await listed(scarf, scarf_emulator)

    @pytest.mark.asyncio(loop_scope="session")
    async def test_session(scarf_emulator, scarf):
        await listed(scarf, scarf_emulator)

    class TestClass:
        @pytest.mark.asyncio(loop_scope="class")
        async def test_class(self, scarf, scarf_emulator):
            await listed(scarf, scarf_emulator)
"""


@pytest.mark.parametrize(
    ("mode", "tests", "fixtures"),
    [
        ("auto", "function", "session"),
        ("auto", "session", "function"),
        ("strict", "function", "module"),
        ("strict", "session", "session"),
    ],
)
def test_any_loop_scope_of_the_test(pytester: pytest.Pytester, mode: str, tests: str, fixtures: str) -> None:
    """Server and client are on the event loop of the test, whatever pytest-asyncio is told of either."""
    ini = (
        f"asyncio_mode = {mode}\nasyncio_default_test_loop_scope = {tests}\n"
        f"asyncio_default_fixture_loop_scope = {fixtures}\n"
    )
    run(pytester, "asyncio", "anyio", ini=ini, test_scopes=SCOPES).assert_outcomes(passed=6)


def test_anyio_on_a_loop_for_the_whole_run(pytester: pytest.Pytester) -> None:
    """Under anyio's plugin the fixtures are on the loop of the test too, if that outlives the test."""
    head = """
    @pytest.fixture(scope="session")
    def anyio_backend():
        return "asyncio"

    pytestmark = pytest.mark.anyio
    """
    run(pytester, "anyio", test_plain=PLAIN.format(head=head)).assert_outcomes(passed=4)


ELSEWHERE = """
    import asyncio
    import pytest, pytest_asyncio
    from scarf_async import Scarf
    from scarf_async.emulator import Emulator
    pytestmark = pytest.mark.asyncio(loop_scope="session")

    @pytest_asyncio.fixture(loop_scope="function")
    async def own_emulator():
        async with Emulator() as emulator:
            yield emulator

    @pytest_asyncio.fixture(loop_scope="function")
    async def own_client(own_emulator):
        async with Scarf(own_emulator.token, base_url=own_emulator.url) as scarf:
            yield scarf

    @pytest_asyncio.fixture(loop_scope="function")
    async def listed(scarf):
        return await scarf.packages.list()

    class TestOwnEmulator:
        @pytest.fixture
        def scarf_emulator(self, own_emulator):
            return own_emulator

        async def test_the_client_of_the_plugin(self, scarf): pass

        async def test_a_client_of_the_test(self, scarf_emulator):
            Scarf("token", base_url=scarf_emulator.url)

        async def test_waiting(self, scarf_emulator):
            await scarf_emulator.wait_until(bool)

    async def test_own_client(own_client):
        await own_client.packages.list()

    async def test_own_fixture(listed): pass

    @pytest.mark.asyncio(loop_scope="function")
    async def test_all_on_one(own_client, listed):
        assert listed == await own_client.packages.list()
"""


def test_an_emulator_whose_loop_does_not_run(pytester: pytest.Pytester) -> None:
    """What would wait in vain fails at once, and the error says what to set."""
    done = run(pytester, "asyncio", "anyio", ini=LOOP_SCOPE, test_elsewhere=ELSEWHERE)
    done.assert_outcomes(passed=1, failed=3, errors=2)
    done.stdout.fnmatch_lines_random(
        [
            "*RuntimeError: the emulator was started on another event loop*same loop_scope*asyncio_default_test*",
            "*WrongEventLoopError: *give the test and its fixtures the same loop_scope*",
        ]
    )


async def test_an_emulator_of_another_thread(scarf_emulator: Emulator) -> None:
    """Where its loop runs, nothing is refused; nor outside of any loop."""
    async with Scarf(scarf_emulator.token, base_url=await asyncio.to_thread(lambda: scarf_emulator.url)) as scarf:
        assert await scarf.packages.list() == []
    url = await asyncio.to_thread(asyncio.run, _url(scarf_emulator))
    assert url == scarf_emulator.url


async def _url(emulator: Emulator) -> str:
    return emulator.url
