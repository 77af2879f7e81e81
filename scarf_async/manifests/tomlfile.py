"""TOML as nodes. The standard library's reader has line numbers only for syntax errors: all else has its path."""

from __future__ import annotations

import re
import tomllib
from typing import Final

from scarf_async.manifests.nodes import Node, Place, Problems, as_node, escaped

__all__ = ["parse_toml"]

_AT: Final = re.compile(r"(?s)(.*) \(at (?:line (\d+), column (\d+)|end of document)\)")


def parse_toml(text: str, file: str, problems: Problems) -> Node:
    """Return the document's root.

    Raises:
        ManifestError: it is not TOML, or nested too deeply.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise problems.too_deep(Place(file)) from None
    except tomllib.TOMLDecodeError as error:
        told = _AT.fullmatch(str(error))
        said, line, column = told.groups() if told else (str(error), None, None)
        place = Place(file, int(line), int(column)) if line and column else Place.after(text, file)
        raise problems.refuse(place, "", f"this is not TOML: {escaped(said)}") from None
    except ValueError as error:
        # A number with thousands of digits.
        raise problems.refuse(Place(file), "", f"this is not TOML: {escaped(str(error))}") from None
    return as_node(document, "", lambda path: Place(file, path=path), problems)
