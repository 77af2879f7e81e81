"""The options that commands share."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, TypedDict

import attrs
import typer

from scarf_async.cli.naming import option_name
from scarf_async.cli.output import say
from scarf_async.entities import ApiVersion
from scarf_async.errors import ConfigurationError

if TYPE_CHECKING:
    from scarf_async.client import Scarf
    from scarf_async.sending.retry import RetryPolicy

__all__ = ["ClientOptions", "ExportClientOptions", "read_token_file", "spelled"]

_LONGEST_LINE: Final = 16_384
_TIMEOUTS: Final = (30.0, 300.0)


class _Limits(TypedDict, total=False):
    retry: RetryPolicy
    max_response_bytes: int
    max_record_bytes: int


@attrs.frozen(kw_only=True)
class ClientOptions:
    """How to reach the service. The token is never an argument: every user of the machine could read it there."""

    panel: ClassVar[str] = "Connection"

    token_file: Annotated[
        Path | None,
        typer.Option(help="Read the token from the first line of this file. By default from $SCARF_API_TOKEN."),
    ] = None
    api: Annotated[
        ApiVersion | None,
        typer.Option(help="The API version to use; by default $SCARF_API_VERSION, else v1, which is deprecated."),
    ] = None
    owner: Annotated[
        str | None,
        typer.Option(
            help="The owner that calls of v2 use if they name none; by default $SCARF_OWNER, else"
            " $SCARF_ENTITY_NAME."
        ),
    ] = None
    base_url: Annotated[
        str | None, typer.Option(help="The address of v1; by default $SCARF_BASE_URL, else Scarf's own.")
    ] = None
    v2_url: Annotated[
        str | None, typer.Option(help="The address of v2; by default $SCARF_V2_URL, else Scarf's own.")
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(
            help="Seconds that a call may take, or an export may send nothing; by default 30, and 300 for exports."
        ),
    ] = None
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificates (PEM) to trust in addition to the system's.")
    ] = None
    retries: Annotated[
        int | None, typer.Option(min=0, help="How many times to resend a failed request; by default 7.")
    ] = None
    deadline: Annotated[
        float | None,
        typer.Option(
            min=0, help="Seconds after which the command ends with status 1, even if it is still waiting."
        ),
    ] = None
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose", "-v", help="Report every request on standard error; retries are always reported."
        ),
    ] = False

    max_response_bytes: Annotated[
        int | None, typer.Option(help="The longest response to accept, except for exports; by default 64 MiB.")
    ] = None
    max_record_bytes: Annotated[
        int | None, typer.Option(help="The longest record of an export to accept; by default 1 MiB.")
    ] = None

    @property
    def server(self) -> str:
        """The URL of the service, as saved plans name it.

        Raises:
            ConfigurationError: it is not a valid URL.
        """
        from scarf_async.settings import no_address, read_api, read_bases  # noqa: PLC0415 # as below

        bases = read_bases(self.base_url, self.v2_url)
        if isinstance(bases, str):
            raise ConfigurationError(bases)
        version = read_api(self.api)
        if version not in bases:
            raise ConfigurationError(no_address(version, next(iter(bases))))
        return str(bases[version])

    def client(self, *, read_only: bool = False) -> Scarf:
        """Create the client that these options describe.

        Raises:
            ConfigurationError: an option or environment variable is invalid.
        """
        from scarf_async.cli.telling import Teller  # noqa: PLC0415 # `--help` must not wait for it
        from scarf_async.client import Scarf  # noqa: PLC0415
        from scarf_async.settings import TOKEN_VARIABLE  # noqa: PLC0415

        if self.token_file is None and not os.environ.get(TOKEN_VARIABLE, "").strip():
            raise ConfigurationError(f"no token: set ${TOKEN_VARIABLE}, or give --token-file FILE")
        timeout, export_timeout = _TIMEOUTS if self.timeout is None else (self.timeout, self.timeout)
        return Scarf(
            None if self.token_file is None else read_token_file(self.token_file),
            api=self.api,
            owner=self.owner,
            base_url=self.base_url,
            v2_url=self.v2_url,
            ca_file=self.ca_file,
            read_only=read_only,
            timeout=timeout,
            export_timeout=export_timeout,
            on_event=Teller(verbose=self.verbose),
            **self._limits,
        )

    @property
    def _limits(self) -> _Limits:
        """The limits of the client that were given."""
        limits: _Limits = {}
        if self.retries is not None:
            from scarf_async.sending.retry import RetryPolicy  # noqa: PLC0415 # `--help` must not wait for it

            limits["retry"] = RetryPolicy(attempts=self.retries + 1)
        if self.max_response_bytes is not None:
            limits["max_response_bytes"] = self.max_response_bytes
        if self.max_record_bytes is not None:
            limits["max_record_bytes"] = self.max_record_bytes
        return limits


@attrs.frozen(kw_only=True)
class ExportClientOptions(ClientOptions):
    """How to reach the service for an export, each call of which may cost money."""

    retries: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="How many times to fetch an export again that was cut off, each time at the price of another"
            " call, or to resend a refused request; by default 7, 0 for never.",
        ),
    ] = None


def spelled(options: attrs.AttrsInstance) -> list[str]:
    """Return a group of options as typed, without those with default values.

    >>> spelled(ClientOptions(base_url="http://127.0.0.1:8787/api/v1"))
    ['--base-url', 'http://127.0.0.1:8787/api/v1']
    """
    words = []
    for field in attrs.fields(type(options)):
        value: object = getattr(options, field.name)
        if value != field.default:
            words.append(option_name(field.name))
            words += [] if value is True else [str(value)]
    return words


def read_token_file(path: Path) -> str:
    """Read the token from the first line of a file; warn if others may read it too.

    Raises:
        ConfigurationError: the file has no token.
    """
    problem = ""
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            token = file.readline(_LONGEST_LINE).decode("ascii", "replace").strip()
    except OSError as error:
        problem = f"the token file {path} cannot be read: {error.strerror}"
    else:
        if not token:
            problem = f"the first line of the token file {path} is empty"
    if problem:
        raise ConfigurationError(problem)
    if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
        say(f"Warning: other users may read the token file {path}; to fix that: chmod 600 {path}")
    return token
