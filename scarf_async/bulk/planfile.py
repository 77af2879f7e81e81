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
from itertools import chain
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from scarf_async.bulk.plan import BulkPlan, Kind, Operation, Ref
from scarf_async.disk import write_whole
from scarf_async.entities import UNSET, DomainCreate, OrganizationUpsert, PackageUpsert, RouteCreate
from scarf_async.errors import ValidationError
from scarf_async.text import printable

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
    if value is None or isinstance(value, str):
        return value
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
    """Write a plan to a file, whole or not at all; a link stays a link.

    Raises:
        OSError: the file cannot be written.
    """
    header = {"format": FORMAT, "version": VERSION, "operations": len(plan)}
    write_whole(path, chain([msgspec.json.encode(header) + b"\n"], _lines(plan)))


def read_plan(plan: BulkPlan, path: str | os.PathLike[str]) -> None:
    """Add the operations of a file to an empty plan, checked as if they were added by hand.

    Raises:
        ValidationError: the file is no plan, is cut off, was made by a newer version, or holds an operation
            that cannot be sent; the message names the line.
        OSError: the file cannot be read.
    """
    name = os.fspath(path)
    with Path(path).open("rb") as file:
        expected = _expected(_decode(file.readline(), f"{name}:1"), f"{name}:1")
        refs: list[Ref[Any]] = []  # of what each operation gives
        for number, line in enumerate(file, start=2):
            where = f"{name}:{number}"
            if len(refs) == expected:
                raise ValidationError(f"{where}: goes on after the {expected} operations of its first line")
            refs.append(_add(plan, refs, _decode(line, where), where))
    if len(refs) < expected:
        raise ValidationError(f"{name}:{len(refs) + 1}: is cut off: it has {len(refs)} operations of {expected}")


def _decode(line: bytes, where: str) -> dict[str, Any]:
    try:
        value: object = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValidationError(f"{where}: not a JSON object")
    return value


def _expected(header: Mapping[str, Any], where: str) -> int:
    if header.get("format") != FORMAT:
        raise ValidationError(f"{where}: is no plan: its first line has no format {FORMAT!r}")
    version, operations = header.get("version"), header.get("operations")
    if type(version) is not int or version != VERSION:
        raise ValidationError(f"{where}: is a plan of version {version!r}; this package reads version {VERSION}")
    if type(operations) is not int or operations < 0:
        raise ValidationError(f"{where}: operations must be a whole number; got {operations!r}")
    return operations


def _add(plan: BulkPlan, refs: list[Ref[Any]], values: dict[str, Any], where: str) -> Ref[Any]:
    kind = values.pop("kind", None)
    if kind not in list(Kind):
        raise ValidationError(f"{where}: kind must be one of {', '.join(Kind)}; got {kind!r}")
    # Each kind bears the name of the method that adds it.
    adder: Callable[..., Ref[Any]] = getattr(plan, kind)
    try:
        after = [_ref(place, refs) for place in values.pop("after", ())]
        arguments = {name: _argument(name, value, refs) for name, value in values.items()}
        return adder(**arguments, after=after)
    except (TypeError, ValueError) as error:
        raise ValidationError(f"{where}: {kind}: {printable(str(error))}") from None


def _ref(place: object, refs: list[Ref[Any]]) -> Ref[Any]:
    if type(place) is not int or not 0 <= place < len(refs):
        raise ValueError(f"{place!r} is no place of an earlier operation")
    return refs[place]


def _argument(name: str, value: Any, refs: list[Ref[Any]]) -> Any:
    if not isinstance(value, dict):
        return value
    if value.keys() == {"ref"}:
        return _ref(value["ref"], refs)
    if name not in _ENTITIES:
        raise ValueError(f"{name} is no object")
    return _ENTITIES[name](**value)
