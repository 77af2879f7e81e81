"""Plans as files: JSON lines, a header and then one operation a line, in the plan's order.

```
{"format":"scarf-async-plan","version":1,"operations":2}
{"kind":"create_package","package":{"name":"web","short_description":""},"organization":"acme","if_exists":"fail"}
{"kind":"set_permission","package":{"ref":0},"user_query":"ann","level":"admin","after":[0]}
```

A `ref` is the place of an earlier operation, from 0. Fields that are `UNSET` are left out, `null` is `None`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from scarf_async.bulk.plan import BulkPlan, Kind, Operation, Ref
from scarf_async.entities import UNSET, DomainCreate, OrganizationUpsert, PackageUpsert, RouteCreate
from scarf_async.errors import ValidationError

__all__ = ["digest", "read_plan", "write_plan"]

FORMAT: Final = "scarf-async-plan"
VERSION: Final = 1

_ENTITIES: Final[Mapping[str, type[attrs.AttrsInstance]]] = {
    "organization": OrganizationUpsert,
    "package": PackageUpsert,
    "upsert": PackageUpsert,
    "route": RouteCreate,
    "domain": DomainCreate,
}


def _value(value: object) -> object:
    if isinstance(value, Ref):
        return {"ref": value.index}
    if attrs.has(type(value)):
        return attrs.asdict(value, filter=lambda _, field: field is not UNSET)  # type: ignore[arg-type] # `has` says so
    return value


def record(operation: Operation) -> dict[str, object]:
    """Return an operation as JSON data."""
    values: dict[str, object] = {"kind": str(operation.kind)}
    values.update((name, _value(value)) for name, value in operation.arguments.items())
    if operation.after:
        values["after"] = list(operation.after)
    return values


def _lines(plan: Iterable[Operation]) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    return (encode(record(operation)) + b"\n" for operation in plan)


def digest(plan: Iterable[Operation]) -> str:
    """Return what tells a plan from every other: the SHA-256 of its operations as they stand in a file."""
    hashed = hashlib.sha256()
    for line in _lines(plan):
        hashed.update(line)
    return hashed.hexdigest()


def write_plan(plan: BulkPlan, path: str | os.PathLike[str]) -> None:
    """Write a plan to a file, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    header = {"format": FORMAT, "version": VERSION, "operations": len(plan)}
    try:
        with partial.open("xb") as file:
            file.write(msgspec.json.encode(header) + b"\n")
            file.writelines(_lines(plan))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def read_plan(plan: BulkPlan, path: str | os.PathLike[str]) -> None:
    """Add the operations of a file to an empty plan, checked as if they were added by hand.

    Raises:
        ValidationError: the file is no plan, is cut off, was made by a newer version, or holds an operation
            that cannot be sent; the message names the line.
        OSError: the file cannot be read.
    """
    with Path(path).open("rb") as file:
        expected = _expected(_decode(file.readline(), path, 1), path)
        refs: list[Ref[Any]] = []  # of what each operation gives
        for number, line in enumerate(file, start=2):
            refs.append(_add(plan, refs, _decode(line, path, number), f"{path}:{number}"))
    if len(refs) != expected:
        raise ValidationError(f"{path} is cut off: it has {len(refs)} operations of {expected}")


def _decode(line: bytes, path: str | os.PathLike[str], number: int) -> dict[str, Any]:
    try:
        value: object = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValidationError(f"{path}:{number}: not a JSON object")
    return value


def _expected(header: Mapping[str, Any], path: str | os.PathLike[str]) -> int:
    if header.get("format") != FORMAT:
        raise ValidationError(f"{path} is no plan: its first line has no format {FORMAT!r}")
    if header.get("version") != VERSION:
        raise ValidationError(
            f"{path} is a plan of version {header.get('version')}; this package reads version {VERSION}"
        )
    operations = header.get("operations")
    if type(operations) is not int:
        raise ValidationError(f"{path}:1: operations must be a number")
    return operations


def _add(plan: BulkPlan, refs: list[Ref[Any]], values: dict[str, Any], where: str) -> Ref[Any]:
    kind = values.pop("kind", None)
    if kind not in set(Kind):
        raise ValidationError(f"{where}: kind must be one of {', '.join(Kind)}; got {kind!r}")
    # Each kind bears the name of the method that adds it.
    adder: Callable[..., Ref[Any]] = getattr(plan, kind)
    try:
        after = [refs[place] for place in values.pop("after", ())]
        arguments = {name: _argument(name, value, refs) for name, value in values.items()}
        return adder(**arguments, after=after)
    except (TypeError, ValueError, IndexError) as error:
        raise ValidationError(f"{where}: {kind}: {error}") from None


def _argument(name: str, value: Any, refs: list[Ref[Any]]) -> Any:
    if not isinstance(value, dict):
        return value
    if value.keys() == {"ref"}:
        return refs[value["ref"]]
    return _ENTITIES[name](**value)
