"""`scarf-async pull`, `validate` and `schema`: manifests as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from scarf_async.cli.command import command
from scarf_async.cli.options import ClientOptions
from scarf_async.cli.output import StandardOutput, Status, say
from scarf_async.cli.plan import library_types
from scarf_async.cli.records import AsJson, write_json
from scarf_async.cli.writes import warn_of_type
from scarf_async.errors import GuardError, ManifestError, ManifestProblem, ValidationError
from scarf_async.text import counted

if TYPE_CHECKING:
    from scarf_async.manifests import Manifest

__all__ = ["pull", "schema", "serialize", "summarize", "validate"]

_ENDS = {"yaml": (".yaml", ".yml"), "json": (".json",)}


@command
async def pull(
    *,
    organizations: Annotated[
        list[str] | None, typer.Argument(metavar="ORG...", help="The organizations; optional with --user-packages.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to this file; by default to standard output."),
    ] = None,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Keep what FILE says that the service does not return, such as addresses."),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace FILE if it exists, with everything in it.")
    ] = False,
    user_packages: Annotated[
        bool, typer.Option("--user-packages", help="Include the packages of the token's user.")
    ] = False,
    me: Annotated[
        str | None, typer.Option(help="The username that the token belongs to; v2 needs it for --user-packages.")
    ] = None,
    format: Annotated[  # the option's name  # noqa: A002
        Literal["yaml", "json"] | None,
        typer.Option(help="The format; by default by the ending of FILE, otherwise yaml."),
    ] = None,
    as_json: AsJson = False,
    connection: ClientOptions,
) -> Status:
    """Write live organizations as a manifest.

    Example: scarf-async pull acme -o acme.yaml
    """
    from scarf_async.manifests import write_manifest  # noqa: PLC0415 # `--help` must not wait for it

    if not organizations and not user_packages:
        raise ValidationError("give what to pull: organizations, or --user-packages")
    if as_json and output is None and format == "yaml":
        raise ValidationError("--json and --format yaml cannot be combined")
    if output is None and keep:
        raise ValidationError("--keep needs -o FILE, the file whose content is kept")
    if keep and replace:
        raise ValidationError("--keep and --replace cannot be combined")
    if output is not None and format is not None and output.suffix.lower() not in _ENDS[format]:
        raise ValidationError(f"{output} is not the name of a {format} file: it must end in {_ENDS[format][0]}")
    if output is not None and output.is_file() and not (keep or replace):
        raise GuardError(
            f"{output} exists, and nothing was written: give --keep to keep what only it says, such as addresses,"
            " or --replace to replace it"
        )
    async with connection.client(read_only=True) as scarf:
        manifest = await scarf.manifests.pull(*(organizations or ()), user_packages=user_packages, me=me)
    if output is None:
        StandardOutput().write(serialize(manifest, "json" if as_json else format or "yaml"))
    else:
        write_manifest(manifest, output, keep=keep)
        if as_json:
            write_json({"file": str(output), "counts": count_of(manifest)})
        say(f"{summarize(manifest)} to {output}")
    return Status.DONE


def serialize(manifest: Manifest, form: str) -> bytes:
    """Return a manifest in the form for standard output.

    Raises:
        ManifestError: it has contents that no file may have.
    """
    from scarf_async.manifests.writing import manifest_text  # noqa: PLC0415 # `--help` must not wait for it

    try:
        return manifest_text(manifest, f"manifest.{form}").encode()
    except ManifestError as error:
        # There is no file with that name.
        raise ManifestError([problem._replace(file="standard output") for problem in error.problems]) from None


def summarize(manifest: Manifest) -> str:
    """Describe the size of a manifest."""
    return ", ".join(counted(count, name[:-1]) for name, count in count_of(manifest).items())


def count_of(manifest: Manifest) -> dict[str, int]:
    """Describe the size of a manifest."""
    organizations = manifest.organizations
    packages = [spec for organization in organizations for spec in organization.packages or ()]
    packages += manifest.packages or ()
    return {
        "organizations": len(organizations),
        "members": sum(len(organization.members or ()) for organization in organizations),
        "packages": len(packages),
        "permissions": sum(len(spec.permissions or ()) for spec in packages),
        "routes": sum(len(spec.routes or ()) for spec in packages),
        "domains": sum(len(spec.domains or ()) for spec in packages),
    }


@command
def validate(
    *,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Manifests, or directories of tables.")],
    as_json: AsJson = False,
) -> Status:
    """Check manifests offline; needs no token.

    Each problem is a line on standard output: file, line and column (in TOML the path); the status is then 1.

    Example: scarf-async validate acme.yaml
    """
    from scarf_async.manifests import read_manifest  # noqa: PLC0415 # `--help` must not wait for it

    problems: list[ManifestProblem] = []
    for file in files:
        try:
            manifest = read_manifest(file)
        except ManifestError as error:
            problems += error.problems
        except OSError as error:
            problems.append(ManifestProblem(str(file), 0, 0, "", str(error.strerror)))
        else:
            say(f"{file}: {summarize(manifest)}")
            for word in library_types(manifest):
                warn_of_type(word)
    if as_json:
        write_json({"valid": not problems, "problems": [problem._asdict() for problem in problems]})
    elif problems:
        output = StandardOutput()
        for problem in problems:
            output.write_line(str(problem))
    return Status.FAILED if problems else Status.DONE


@command
def schema(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Has no effect: the schema is JSON anyway.")] = False,  # noqa: ARG001 # as all take it
) -> None:
    """Print the JSON Schema of manifests, for editors.

    Example: scarf-async schema > scarf-manifest.schema.json
    """
    from scarf_async.manifests import manifest_schema  # noqa: PLC0415 # `--help` must not wait for it

    write_json(manifest_schema())
