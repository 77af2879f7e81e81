"""What the reference needs to know of this package: how attrs makes constructors, and that `>>>` begins code."""

from __future__ import annotations

import re
from typing import Final

import griffe

_EXAMPLE: Final = re.compile(r"^(?:>>> .*\n?)(?:.+\n?)*", re.MULTILINE)
_CLASSES: Final = {"attrs.frozen", "attrs.define"}


def fenced(text: str) -> str:
    """Put a fence around each example within the text of a docstring."""
    return _EXAMPLE.sub(lambda match: f"```pycon\n{match.group().rstrip()}\n```\n", text)


class Docstrings(griffe.Extension):
    """Prepares docstrings and constructors for the reference."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Mark the examples of a docstring as code."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)

    def on_class(self, *, cls: griffe.Class, **_: object) -> None:
        """Give a class of attrs' the constructor that attrs will make."""
        made = [one for one in cls.decorators if one.callable_path in _CLASSES]
        if not made or "__init__" in cls.members:
            return
        keywords = _keywords(made[0].value)
        if keywords.get("init") == "False":
            return
        alone = keywords.get("kw_only") == "True"
        parameters = [griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)]
        bases = [base for base in cls.mro() if any(one.callable_path in _CLASSES for one in base.decorators)]
        attributes = {name: one for kind in (*reversed(bases), cls) for name, one in kind.attributes.items()}
        for name, attribute in attributes.items():
            if attribute.annotation is None or "property" in attribute.labels or name.startswith("__"):
                continue
            field = _keywords(attribute.value) if _is_field(attribute.value) else None
            if field is not None and field.get("init") == "False":
                continue
            default = None if attribute.value is None else str(attribute.value)
            if field is not None:
                default = field.get("default", "..." if "factory" in field else None)
            only = alone or (field or {}).get("kw_only") == "True"
            called = (field or {}).get("alias", name.lstrip("_")).strip("'\"")
            kind = griffe.ParameterKind.keyword_only if only else griffe.ParameterKind.positional_or_keyword
            parameters.append(griffe.Parameter(called, annotation=attribute.annotation, kind=kind, default=default))
        # What may be given by place alone comes first, also where a base has fields by keyword.
        parameters.sort(key=lambda parameter: parameter.kind == griffe.ParameterKind.keyword_only)
        cls.set_member(
            "__init__", griffe.Function("__init__", parameters=griffe.Parameters(*parameters), parent=cls)
        )


def _is_field(value: object) -> bool:
    return isinstance(value, griffe.ExprCall) and str(value.function).endswith(("field", "extra"))


def _keywords(value: object) -> dict[str, str]:
    if not isinstance(value, griffe.ExprCall):
        return {}
    if str(value.function).endswith("extra"):
        return {"factory": "dict"}
    return {part.name: str(part.value) for part in value.arguments if isinstance(part, griffe.ExprKeyword)}
