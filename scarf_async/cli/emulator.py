"""`scarf-async emulator`: a local Scarf server."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final

import attrs
import typer

from scarf_async.cli.command import command
from scarf_async.cli.output import Status, say
from scarf_async.cli.records import AsJson, write_json
from scarf_async.entities import ApiVersion
from scarf_async.errors import ConfigurationError

if TYPE_CHECKING:
    from scarf_async.emulator import Emulator, Faults, Quirks

__all__ = ["ClientLines", "emulator", "read_people", "read_quirks"]

_KEPT_REQUESTS: Final = 10_000


@attrs.frozen(kw_only=True)
class _Place:
    panel: ClassVar[str] = "Where it listens"

    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 and :: mean all addresses of this machine.")
    ] = "127.0.0.1"
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 picks a free one.")] = 8787
    tls: Annotated[
        bool,
        typer.Option(
            "--tls",
            help="Serve https for localhost, scarf.sh and api.scarf.sh, with a certificate authority of its own.",
        ),
    ] = False
    ca_file: Annotated[
        Path | None,
        typer.Option(
            help="Where that authority's certificate (PEM) is written; by default in a temporary directory."
        ),
    ] = None
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Append a line of JSON for each request to this file: method, path, query, status, body.",
        ),
    ] = None


@attrs.frozen(kw_only=True)
class _State:
    panel: ClassVar[str] = "What it knows"

    database: Annotated[
        str, typer.Option(help="A file to keep the state in; by default it is lost at the end.")
    ] = ":memory:"
    load: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A JSON file of organizations, packages and events to start with, if the database is empty.",
        ),
    ] = None
    token: Annotated[
        str, typer.Option(help="The only token that the server accepts; it is valid nowhere else.")
    ] = "emulator-token"  # noqa: S105 # it opens nothing else
    user: Annotated[str, typer.Option(help="The username that the token belongs to.")] = "emulator-user"
    quirks: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=WORD,...",
            help="How v2 behaves where the service's own behaviour is unknown, such as"
            " paging=after,put_clears=false.",
        ),
    ] = None
    people: Annotated[
        str | None,
        typer.Option(
            metavar="PEOPLE",
            help="Which users exist: USER=EMAIL,..., or a file with one per line; by default everyone whose"
            " name does not begin with unknown.",
        ),
    ] = None


@attrs.frozen(kw_only=True)
class _Exports:
    panel: ClassVar[str] = "Exports"

    events_per_day: Annotated[int, typer.Option(min=0, help="Generated events per package and day.")] = 50
    columns: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="The columns of event exports; unknown ones are empty. `real` means the 24 of today, `published` "
            "the 16 of the published description, `2022` the 18 of that year.",
        ),
    ] = "real"
    duplicates: Annotated[float, typer.Option(min=0, max=1, help="Share of events that are sent twice.")] = 0.0
    max_range_days: Annotated[
        int | None, typer.Option(min=1, help="Refuse exports of more days than this; by default none.")
    ] = None
    retention_days: Annotated[
        int | None, typer.Option(min=0, help="How many days back v3 looks; by default without limit.")
    ] = None
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress exports for clients that accept it.")] = False
    seed: Annotated[int, typer.Option(help="Decides which data is generated and which requests fail.")] = 0


@attrs.frozen(kw_only=True)
class _Faults:
    panel: ClassVar[str] = "What goes wrong"

    error_rate: Annotated[float, typer.Option(min=0, max=1, help="Share of responses that are 503 or 429.")] = 0.0
    drop_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of connections dropped after the request took effect.")
    ] = 0.0
    latency: Annotated[float, typer.Option(min=0, help="Seconds by which every response is delayed.")] = 0.0


@attrs.frozen(kw_only=True)
class ClientLines:
    """The settings of a client in the printed lines. The server serves all versions in any case."""

    panel: ClassVar[str] = "What it tells a client"

    api: Annotated[
        ApiVersion | None,
        typer.Option(
            help="The version that the printed lines select for a client; the server serves all of them in any"
            " case.",
        ),
    ] = None
    owner: Annotated[
        str | None,
        typer.Option(
            help="The owner that the printed lines set for a client of v2; by default the token's user. An"
            " organization must already exist, from --load or created through v1: v2 creates none.",
        ),
    ] = None

    def variables(self, user: str) -> dict[str, str]:
        """Return the settings of a client besides the URLs.

        Raises:
            ConfigurationError: the owner cannot be the name of an account.
        """
        from scarf_async.settings import read_owner  # noqa: PLC0415 # `--help` must not wait for an HTTP client

        told: dict[str, str] = {} if self.api is None else {"SCARF_API_VERSION": self.api}
        owner = user if self.owner is None and self.api == "v2" else self.owner
        if owner is not None:
            read_owner(owner)
            told["SCARF_OWNER"] = owner
        return told


@command
async def emulator(
    *,
    place: _Place,
    state: _State,
    exports: _Exports,
    faults: _Faults,
    client: ClientLines,
    as_json: AsJson = False,
) -> Status:
    """Run a local Scarf server until Ctrl-C. It serves v1, v2 and v3 at once.

    Example: scarf-async emulator --api v2 --owner acme --load acme.json --error-rate 0.05
    """
    import socket  # noqa: PLC0415 # `--help` must not wait for a server's packages
    import sqlite3  # noqa: PLC0415

    import anyio  # noqa: PLC0415

    from scarf_async.settings import read_base_url  # noqa: PLC0415

    told = client.variables(state.user)
    server = _server(place, state, exports, faults)
    async with aclosing(server):
        try:
            await server.start()
        except sqlite3.Error as error:
            raise ConfigurationError(f"--database {state.database}: {error}") from None
        except (socket.gaierror, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigurationError(f"--host {place.host}: {reason}") from None
        except ValueError as error:
            raise ConfigurationError(f"--load {state.load}: {error}") from None
        except OSError as error:
            # An error of a file, not of the address.
            if error.filename is None:
                raise
            options = {state.load: "--load ", place.log: "--log "}
            if place.ca_file is not None:
                options[place.ca_file.absolute()] = "--ca-file "
            option = options.get(Path(os.fsdecode(error.filename)), "")
            raise ConfigurationError(f"{option}{error.filename}: {error.strerror}") from None
        if state.load is not None and not server.loaded:
            say(f"{state.database} already holds data; {state.load} was not loaded.")
        say(f"A local Scarf is running. It listens on {' and '.join(server.listening)}. In another shell:")
        variables = {
            "SCARF_BASE_URL": server.url,
            "SCARF_V2_URL": server.v2_url,
            "SCARF_API_TOKEN": state.token,
            **({} if server.ca_file is None else {"SSL_CERT_FILE": str(server.ca_file)}),
            "SCARF_V3_URL": server.v3_url,
            **told,
        }
        if as_json:
            write_json(dict(variables))
        else:
            for name, value in variables.items():
                typer.echo(f"export {name}={shlex.quote(value)}")
        if client.api is None:
            say("Clients use v1 by default; --api v2 also prints the variable that changes it.")
        if isinstance(problem := read_base_url("SCARF_BASE_URL", server.url), str):
            say(
                f"The client of this package refuses that: {problem}. Listen on 127.0.0.1 or 0.0.0.0, or let"
                " clients connect through a tunnel (ssh -L) or an https proxy."
            )
        say("Ctrl-C ends it.")
        await anyio.sleep_forever()
    return Status.DONE


def _server(place: _Place, state: _State, exports: _Exports, faults: _Faults) -> Emulator:
    from scarf_async.emulator import Emulator  # noqa: PLC0415 # `--help` must not wait for a server's packages
    from scarf_async.emulator.generator import event_columns  # noqa: PLC0415
    from scarf_async.settings import read_token  # noqa: PLC0415

    if place.ca_file is not None and not place.tls:
        raise ConfigurationError("--ca-file needs --tls")
    token = read_token(state.token)
    if isinstance(token, str) or token.reveal() != state.token:
        raise ConfigurationError(
            "--token: a client can send only visible ASCII characters, and at least one; no spaces"
        )
    if not state.user.strip():
        raise ConfigurationError("--user is empty: give the username that the token belongs to")
    try:
        columns = event_columns(exports.columns.split(","))
    except ValueError as error:
        raise ConfigurationError(f"--columns {exports.columns!r}: {error}") from None
    try:
        server = Emulator(
            state.database,
            state.token,
            state.user,
            None if state.people is None else read_people(state.people),
            place.host,
            place.port,
            max_range_days=exports.max_range_days,
            retention_days=exports.retention_days,
            events_per_day=exports.events_per_day,
            duplicate_events=exports.duplicates,
            columns=columns,
            seed=exports.seed,
            gzip=exports.gzip,
            keep_requests=_KEPT_REQUESTS,
            tls=place.tls,
            ca_file=None if place.ca_file is None else place.ca_file.absolute(),
            load=state.load,
            log=place.log,
            quirks=read_quirks(state.quirks or ""),
        )
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    server.faults = _make(faults, exports.seed)
    return server


def _make(faults: _Faults, seed: int) -> Faults:
    from scarf_async.emulator import Faults  # noqa: PLC0415

    status = {503: faults.error_rate * 0.6, 429: faults.error_rate * 0.4}
    try:
        return Faults(seed=seed, status=status, drop_after=faults.drop_rate, latency=faults.latency)
    except ValueError as error:
        raise ConfigurationError(f"--error-rate and --drop-rate: {error}") from None


def read_people(given: str) -> dict[str, str]:
    """Read usernames and their e-mail addresses from a list or a file.

    >>> read_people("ann=ann@acme.example, bob=bob@acme.example")
    {'ann': 'ann@acme.example', 'bob': 'bob@acme.example'}

    Raises:
        ConfigurationError: the text is neither.
    """
    try:
        parts = given.split(",") if "=" in given else Path(given).read_text("utf-8").splitlines()
    except OSError as error:
        raise ConfigurationError(f"--people {given}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"--people {given}: it is not UTF-8 text") from None
    people: dict[str, str] = {}
    for part in map(str.strip, parts):
        user, _, email = map(str.strip, part.partition("="))
        if part and not part.startswith("#"):
            if not user or "@" not in email:
                raise ConfigurationError(f"--people: each is USER=EMAIL, unlike {part!r}")
            people[user] = email
    return people


def read_quirks(given: str) -> Quirks:
    """Read quirks from a list.

    >>> read_quirks("paging=after, put_clears=false").paging
    'after'

    Raises:
        ConfigurationError: a name or a word is unknown.
    """
    from scarf_async.emulator import Quirks  # noqa: PLC0415 # `--help` must not wait for a server's packages

    make: Callable[..., Quirks] = Quirks
    usual = attrs.asdict(Quirks())
    wanted: dict[str, object] = {}
    for part in filter(None, map(str.strip, given.split(","))):
        name, _, word = map(str.strip, part.partition("="))
        if name not in usual:
            raise ConfigurationError(f"--quirks: {name!r} is not one of {', '.join(usual)}")
        wanted[name] = _as_of(type(usual[name]), word)
    try:
        return make(**wanted)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"--quirks {given!r}: {error.args[0]}") from None


def _as_of(kind: type, word: str) -> object:
    """Convert a word to a type; return it unchanged if that fails."""
    if kind is bool:
        return {"true": True, "false": False}.get(word, word)
    try:
        return kind(word)
    except ValueError:
        return word
