"""Syntax tree of a compiled condition: the fields that it reads, and whether it copes with an absent one."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message_factory import GetMessageClass

from referrals.domain.protobuf_messages import declare_messages
from referrals.domain.rule_functions import FUNCTIONS

# The part of cel/expr/checked.proto and syntax.proto that is read here (https://github.com/google/cel-spec).
_MESSAGES = {
    "CheckedExpr": {"expr": (4, "Expr"), "source_info": (5, "SourceInfo")},
    "SourceInfo": {"line_offsets": (3, "list(int32)"), "positions": (4, "list(Position)")},
    "Position": {"key": (1, "int64"), "value": (2, "int32")},
    "Expr": {
        "id": (2, "int64"),
        "const_expr": (3, "Constant"),
        "ident_expr": (4, "Ident"),
        "select_expr": (5, "Select"),
        "call_expr": (6, "Call"),
        "list_expr": (7, "CreateList"),
        "struct_expr": (8, "CreateStruct"),
        "comprehension_expr": (9, "Comprehension"),
    },
    "Constant": {
        "bool_value": (2, "bool"),
        "int64_value": (3, "int64"),
        "string_value": (6, "string"),
    },
    "Ident": {"name": (1, "string")},
    "Select": {"operand": (1, "Expr"), "field": (2, "string"), "test_only": (3, "bool")},
    "Call": {"target": (1, "Expr"), "function": (2, "string"), "args": (3, "list(Expr)")},
    "CreateList": {"elements": (1, "list(Expr)")},
    "CreateStruct": {"entries": (2, "list(Entry)")},
    "Entry": {"map_key": (3, "Expr"), "value": (4, "Expr")},
    "Comprehension": {
        "iter_var": (1, "string"),
        "iter_range": (2, "Expr"),
        "accu_init": (4, "Expr"),
        "loop_step": (6, "Expr"),
        "result": (7, "Expr"),
    },
}
_CHECKED_EXPR: Any = GetMessageClass(
    declare_messages("syntax", _MESSAGES).FindMessageTypeByName("syntax.CheckedExpr")
)

Scope = Mapping[str, frozenset[str]]
"""Paths that each name can refer to: itself for a variable, the elements of a list inside a macro."""

Outcomes = frozenset[bool | None]
"""Possible results of an expression; None is an error. A result that is no truth value counts as true or false."""

_NOTHING: frozenset[str] = frozenset()
_ANY: Outcomes = frozenset({True, False})
_ERROR: Outcomes = frozenset({None})


class SyntaxTree:
    """The tree of a condition that reads `variables`."""

    def __init__(self, serialized: bytes, variables: Mapping[str, Any]) -> None:
        checked = _CHECKED_EXPR.FromString(AnyMessage.FromString(serialized).value)
        self._root = checked.expr
        self._source = checked.source_info
        self._scope: Scope = {name: frozenset({name}) for name in variables}

    def fields_read(self) -> frozenset[str]:
        """Return the paths of the values that are read or tested, such as `friend.locale` and `order.items[].sku`."""
        return frozenset(path for _, path in _reads(self._root, self._scope))

    def fails_without(self, path: str) -> bool:
        """Check whether the condition may fail because of this one field, if the field is absent."""
        return None in _outcomes(self._root, path, self._scope)

    def first_read(self, path: str) -> tuple[int, int, str]:
        """Return the line and column of the first read of a field, counted from 1, and the field as it is written."""
        positions = {entry.key: entry.value for entry in self._source.positions}
        reads = [expr for expr, read in _reads(self._root, self._scope) if read == path]
        offset, text = min((positions.get(expr.id, 0), _as_written(expr)) for expr in reads)
        before = [end for end in self._source.line_offsets if end <= offset]
        return len(before) + 1, offset - (before[-1] if before else 0) + 1, text


def _kind(expr: Any) -> str:
    return next((field.name for field, _ in expr.ListFields() if field.name != "id"), "")


def _as_written(expr: Any) -> str:
    match _kind(expr):
        case "ident_expr":
            return str(expr.ident_expr.name)
        case "select_expr":
            return f"{_as_written(expr.select_expr.operand)}.{expr.select_expr.field}"
        case "call_expr" if expr.call_expr.function == "_[_]":
            operand, index = expr.call_expr.args
            return f"{_as_written(operand)}[{index.const_expr.int64_value}]"
    return "…"


def _paths(expr: Any, scope: Scope) -> frozenset[str]:
    """Return the paths of the input that the expression can refer to; none if it is computed."""
    match _kind(expr):
        case "ident_expr":
            return scope.get(expr.ident_expr.name, _NOTHING)
        case "select_expr":
            select = expr.select_expr
            return frozenset(f"{path}.{select.field}" for path in _paths(select.operand, scope))
        case "call_expr":
            return _paths_of_call(expr.call_expr, scope)
        case "comprehension_expr" if expr.comprehension_expr.accu_init.HasField("list_expr"):
            return _paths(expr.comprehension_expr.iter_range, scope)  # filter
    return _NOTHING


def _paths_of_call(call: Any, scope: Scope) -> frozenset[str]:
    match call.function, list(call.args):
        case "_[_]", [operand, index]:
            key = index.const_expr
            suffix = f".{key.string_value}" if key.HasField("string_value") else "[]"
            return frozenset(path + suffix for path in _paths(operand, scope))
        case "_?_:_", [_, first, second]:
            return _paths(first, scope) | _paths(second, scope)
    return _NOTHING


def _operands(expr: Any) -> list[Any]:
    """Return the expressions inside of one that is no comprehension."""
    match _kind(expr):
        case "select_expr":
            return [expr.select_expr.operand]
        case "call_expr":
            call = expr.call_expr
            return [*([call.target] if call.HasField("target") else []), *call.args]
        case "list_expr":
            return list(expr.list_expr.elements)
        case "struct_expr":
            entries = expr.struct_expr.entries
            return [part for entry in entries for part in (entry.map_key, entry.value)]
    return []


def _reads(
    expr: Any, scope: Scope, covered: frozenset[str] = _NOTHING
) -> Iterator[tuple[Any, str]]:
    """Yield each expression that reads the input, with its path. `covered` are longer paths that include it."""
    if _kind(expr) == "comprehension_expr":
        loop = expr.comprehension_expr
        yield from _reads(loop.iter_range, scope, covered)
        inner = _scope_of_loop(loop, scope)
        for part in (loop.accu_init, loop.loop_step, loop.result):
            yield from _reads(part, inner)
        return
    if function := FUNCTIONS.get(expr.call_expr.function):
        for person in expr.call_expr.args:
            paths = _paths(person, scope)
            yield from ((expr, f"{path}.{field}") for path in paths for field in function.reads)
            yield from _reads(person, scope, covered=paths)
        return
    paths = _paths(expr, scope)
    yield from ((expr, path) for path in paths if not _is_covered(path, covered))
    for operand in _operands(expr):
        yield from _reads(operand, scope, paths | covered)


def _is_covered(path: str, covered: frozenset[str]) -> bool:
    return any(longer.startswith((f"{path}.", f"{path}[]")) or longer == path for longer in covered)


def _scope_of_loop(loop: Any, scope: Scope) -> Scope:
    elements = frozenset(f"{path}[]" for path in _paths(loop.iter_range, scope))
    return {**scope, loop.iter_var: elements}


def _outcomes(expr: Any, absent: str, scope: Scope) -> Outcomes:
    """Return the possible results if the field `absent` is absent and every other field is there."""
    match _kind(expr):
        case "const_expr" if expr.const_expr.HasField("bool_value"):
            return frozenset({expr.const_expr.bool_value})
        case "comprehension_expr":
            return _outcomes_of_loop(expr.comprehension_expr, absent, scope)
        case "call_expr" if expr.call_expr.function in _LOGIC:
            operands = [_outcomes(part, absent, scope) for part in expr.call_expr.args]
            logic = _LOGIC[expr.call_expr.function]
            return frozenset(logic(*values) for values in product(*operands))
    found = _ANY
    paths = _paths(expr, scope)
    if absent in paths:
        read = {False} if expr.select_expr.test_only else {None}
        found = frozenset(read | (_ANY if len(paths) > 1 else frozenset()))
    fails = any(None in _outcomes(part, absent, scope) for part in _operands(expr))
    return found | _ERROR if fails else found


def _outcomes_of_loop(loop: Any, absent: str, scope: Scope) -> Outcomes:
    inner = _scope_of_loop(loop, scope)
    fails = None in _outcomes(loop.iter_range, absent, scope)
    fails = fails or None in _outcomes(loop.loop_step, absent, inner)
    return _ANY | _ERROR if fails else _ANY


def _and(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _or(left: bool | None, right: bool | None) -> bool | None:
    if left or right:
        return True
    return None if left is None or right is None else False


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _choose(condition: bool | None, first: bool | None, second: bool | None) -> bool | None:
    if condition is None:
        return None
    return first if condition else second


_LOGIC: dict[str, Any] = {"_&&_": _and, "_||_": _or, "!_": _not, "_?_:_": _choose}
"""Operators that can hide an error in one of their operands. All others fail with any of them."""
