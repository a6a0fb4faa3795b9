"""Checks of the conditions of a campaign when it is applied: types, unknown fields, and fields that may be absent."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from referrals.domain.protobuf_messages import STRUCT, FieldSpec, declare_messages
from referrals.domain.rule_errors import PACKAGE
from referrals.domain.rule_functions import declare_functions
from referrals.domain.rule_variables import RECORDS, VARIABLES, Owner, optional_fields
from referrals.domain.rules import Condition, compile_condition, compile_with
from referrals.errors import RuleError

_EQUALITY = ("_==_", "_!=_")
_ORDERING = ("_<_", "_<=_", "_>_", "_>=_")
_ORDERED_TYPES = ("int", "double", "string", "bool", "timestamp", "duration")


def check_condition(text: str, *, where: str, owner: Owner) -> Condition:
    """Compile a condition and check it against the declared types of its variables.

    Raises:
        RuleError: the condition does not compile, gives no truth value, has an unknown field, compares unlike types,
            or reads a field that may be absent without `has()`.
    """
    compile_with(_typed_environment(owner), text, where, owner)
    condition = compile_condition(text, where=where, owner=owner)
    for path in optional_fields(owner):
        if condition.syntax.fails_without(path):
            raise RuleError(f"{where}: {_missing_guard(condition, path)}")
    return condition


@lru_cache
def _typed_environment(owner: Owner) -> cel.Env:
    """Return an environment that knows the type of each field. It checks conditions and evaluates none."""
    return cel.NewEnv(
        declare_messages(PACKAGE, {name: _fields(fields) for name, fields in RECORDS.items()}),
        config=cel.NewEnvConfigFromYaml(json.dumps(_config())),
        variables={name: _type(kind) for name, kind in VARIABLES[owner].items()},
        functions=declare_functions(_type("Person"), evaluated=False),
    )


def _fields(fields: Mapping[str, str]) -> dict[str, FieldSpec]:
    kinds = {name: kind.removesuffix("?") for name, kind in fields.items()}
    return {
        name: (number, STRUCT if kind == "map" else kind)
        for number, (name, kind) in enumerate(kinds.items(), 1)
    }


def _type(kind: str) -> cel.Type:
    if kind == "map":
        return cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    return cel.Type(f"{PACKAGE}.{kind}")


def _config() -> dict[str, Any]:
    """Let whole numbers compare to numbers with decimals, as they do when a condition is evaluated."""
    comparisons = {name: _overloads(name) for name in _EQUALITY + _ORDERING}
    return {
        "stdlib": {
            "exclude_macros": ["map"],
            "exclude_functions": [{"name": name} for name in [*comparisons, "@in"]],
        },
        "functions": [
            {"name": name, "overloads": overloads} for name, overloads in comparisons.items()
        ]
        + [{"name": "@in", "overloads": _membership()}],
    }


def _overloads(function: str) -> list[dict[str, Any]]:
    mixed = [("int", "double"), ("double", "int")]
    same = [(_ANY_TYPE, _ANY_TYPE)] if function in _EQUALITY else [(t, t) for t in _ORDERED_TYPES]
    return [_overload(function, left, right) for left, right in [*same, *mixed]]


def _membership() -> list[dict[str, Any]]:
    pairs = [(_ANY_TYPE, _ANY_TYPE), ("int", "double"), ("double", "int")]
    lists = [
        _overload("in", item, {"type_name": "list", "params": [_as_type(element)]})
        for item, element in pairs
    ]
    keys = {"type_name": "map", "params": [_ANY_TYPE, {"type_name": "B", "is_type_param": True}]}
    return [*lists, _overload("in", _ANY_TYPE, keys)]


_ANY_TYPE: dict[str, Any] = {"type_name": "A", "is_type_param": True}


def _overload(function: str, left: Any, right: Any) -> dict[str, Any]:
    args = [_as_type(left), _as_type(right)]
    return {"id": f"{function}{args}", "args": args, "return": {"type_name": "bool"}}


def _as_type(kind: Any) -> Any:
    return {"type_name": kind} if isinstance(kind, str) else kind


def _missing_guard(condition: Condition, path: str) -> str:
    line, column, text = condition.syntax.first_read(path)
    field = re.sub(r".*\[\]", "item", path)
    return (
        f"line {line}, column {column}: {field} may be absent; ask first, "
        f"as in has({text}) && … or !has({text}) || …"
    )
