"""Plans as JSON Lines files: a header, then one operation per line, in the plan's order.

```
{"format":"scarf-async-plan","version":1,"operations":2}
{"kind":"create_package","package":{"name":"web","short_description":""},"organization":"acme","if_exists":"fail"}
{"kind":"set_permission","package":{"ref":0},"user_query":"ann","level":"admin","after":[0]}
```

A `ref` is the index of an earlier operation, from 0. `UNSET` fields are left out, and `None` is `null`. A package
whose owner is known is an object with its `owner` and `id`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import msgspec

from scarf_async.bulk.calls import CALLS
from scarf_async.bulk.kinds import Call, Kind, OnPackage, Ref
from scarf_async.bulk.operations import Operation, Plan
from scarf_async.entities import UNSET, PackageKey
from scarf_async.errors import ValidationError
from scarf_async.files import write_whole
from scarf_async.text import printable

__all__ = ["digest", "read_plan", "write_plan"]

FORMAT: Final = "scarf-async-plan"
VERSION: Final = 1

_MAY_BE_UNSET: Final = frozenset({"description", "billing_email", "short_description", "outgoing_url"})
"""Required fields that may be UNSET in some versions."""

_Refs: TypeAlias = Sequence[Ref[object]]
"""The references to the operations of the previous lines."""


def _value(value: object) -> object:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Ref):
        return {"ref": value.index}
    if attrs.has(type(value)):
        return attrs.asdict(value, filter=lambda _, field: field is not UNSET)  # type: ignore[arg-type] # `has` says so
    return value


def record(operation: Operation, *, owners: bool = True) -> dict[str, object]:
    """Return an operation as JSON data, with or without the owners of packages."""
    values: dict[str, object] = {"kind": str(operation.kind)}
    values.update((name, _value(value)) for name, value in operation.arguments.items())
    package = operation.call.package if isinstance(operation.call, OnPackage) else None
    if owners and isinstance(package, PackageKey) and package.owner is not None:
        values["package"] = {"owner": package.owner, "id": package.id}
    if operation.after:
        values["after"] = list(operation.after)
    return values


def _lines(plan: Iterable[Operation], *, owners: bool) -> Iterator[bytes]:
    encode = msgspec.json.Encoder().encode
    return (encode(record(operation, owners=owners)) + b"\n" for operation in plan)


def digest(plan: Iterable[Operation], *, owners: bool = False) -> str:
    """Return the identity of a plan: the SHA-256 of its operations in the file format.

    Without `owners`, the owners of packages are left out, for versions in which the id is enough.
    """
    hashed = hashlib.sha256()
    for line in _lines(plan, owners=owners):
        hashed.update(line)
    return hashed.hexdigest()


def write_plan(plan: Plan, path: str | os.PathLike[str]) -> None:
    """Write a plan to a file atomically; a symbolic link is kept.

    Raises:
        OSError: the file cannot be written.
    """
    header = {"format": FORMAT, "version": VERSION, "operations": len(plan)}
    write_whole(path, chain([msgspec.json.encode(header) + b"\n"], _lines(plan, owners=True)))


def read_plan(path: str | os.PathLike[str], add: Callable[[Call, _Refs], Ref[object]]) -> None:
    """Add the operations of a file to an empty plan, with the same checks as when adding them in code.

    Raises:
        ValidationError: the file is not a plan, is truncated, was written by a newer version, or has an operation
            that cannot be sent; the message names the line.
        OSError: the file cannot be read.
    """
    name = os.fspath(path)
    with Path(path).open("rb") as file:
        expected = _expected(_decode(file.readline(), f"{name}:1"), f"{name}:1")
        refs: list[Ref[object]] = []
        for number, line in enumerate(file, start=2):
            where = f"{name}:{number}"
            if len(refs) == expected:
                raise ValidationError(f"{where}: goes on after the {expected} operations of its first line")
            refs.append(_add(add, refs, _decode(line, where), where))
    if len(refs) < expected:
        raise ValidationError(f"{name}:{len(refs) + 1}: is cut off: it has {len(refs)} operations of {expected}")


def _decode(line: bytes, where: str) -> dict[str, object]:
    try:
        value: object = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ValidationError(f"{where}: not a JSON object")
    return value


def _expected(header: Mapping[str, object], where: str) -> int:
    if header.get("format") != FORMAT:
        raise ValidationError(f"{where}: is not a plan: its first line has no format {FORMAT!r}")
    version, operations = header.get("version"), header.get("operations")
    if type(version) is not int or version != VERSION:
        raise ValidationError(f"{where}: is a plan of version {version!r}; this package reads version {VERSION}")
    if type(operations) is not int or operations < 0:
        raise ValidationError(f"{where}: operations must be a whole number; got {operations!r}")
    return operations


def _add(
    add: Callable[[Call, _Refs], Ref[object]], refs: _Refs, values: dict[str, object], where: str
) -> Ref[object]:
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in list(Kind):
        raise ValidationError(f"{where}: kind must be one of {', '.join(Kind)}; got {kind!r}")
    cls = CALLS[Kind(kind)]
    build: Callable[..., Call] = cls
    try:
        after = [_ref(place, refs) for place in _listed(values.pop("after", ()))]
        return add(build(**{name: _argument(cls, name, value, refs) for name, value in values.items()}), after)
    except (TypeError, ValueError) as error:
        raise ValidationError(f"{where}: {kind}: {printable(str(error))}") from None


def _listed(value: object) -> Iterable[object]:
    if not isinstance(value, Iterable):
        raise TypeError(f"{type(value).__name__!r} object is not iterable")
    return value


def _ref(place: object, refs: _Refs) -> Ref[object]:
    if type(place) is not int or not 0 <= place < len(refs):
        raise ValueError(f"{place!r} is not the index of an earlier operation")
    return refs[place]


def _argument(cls: type[Call], name: str, value: object, refs: _Refs) -> object:
    if not isinstance(value, dict):
        return value
    if value.keys() == {"ref"}:
        return _ref(value["ref"], refs)
    if name == "package" and value.keys() == {"owner", "id"}:
        return PackageKey(**value)
    entity = cls.entities().get(name)
    if entity is None:
        raise ValueError(f"{name} is not an object")
    build: Callable[..., object] = entity
    return build(**dict.fromkeys(_MAY_BE_UNSET & attrs.fields_dict(entity).keys(), UNSET) | value)
