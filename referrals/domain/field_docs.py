"""Descriptions of fields in JSON Schema: the docstrings under the fields."""

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema


class Described:
    """Base of dataclasses and models whose fields are described by the docstrings under them.

    The source is read when a JSON Schema is generated, and never otherwise.
    """

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        schema: dict[str, Any] = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for field, text in field_docs(cls).items():
            if field in properties:
                properties[field]["description"] = text  # instead of that of the field's type
        return schema


def field_docs(model: type) -> dict[str, str]:
    """Return the docstrings of a class's fields by their names in JSON, with those of its bases."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, Described):
            found |= _docs_by_class(base.__module__).get(base.__qualname__, {})
    fields = getattr(model, "model_fields", {})
    return {
        (fields[name].alias if name in fields else None) or name: text
        for name, text in found.items()
    }


@cache
def _docs_by_class(module: str) -> Mapping[str, Mapping[str, str]]:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: _docs(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def _docs(definition: ast.ClassDef) -> dict[str, str]:
    found = {}
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = inspect.cleandoc(text)
    return found
