"""Readable messages for the errors of CEL's compiler and evaluator."""

import re
from difflib import get_close_matches

from cel_expr_python import cel

from referrals.domain.rule_variables import RECORDS, VARIABLES, Owner

PACKAGE = "rules"
"""Package of the records of `rule_variables` in the compiler."""

_AT = re.compile(r"ERROR: <input>:(?P<line>\d+):(?P<column>\d+): (?P<message>.*)")
_STATUS = re.compile(
    r"^[A-Z_]+: (?:ERROR: <input>:-1:-1: )?| \[[A-Z_]+\]$| expecting \{.*| \(in container ''\)"
)
_UNDECLARED = re.compile(r"undeclared reference to '(?P<name>\w+)")
_UNDEFINED = re.compile(
    r"undefined field '(?P<field>\w+)' not found in struct '\w+\.(?P<record>\w+)'"
)
_MISMATCH = re.compile(
    r"found no matching overload for '(?P<function>\S+)' applied to '\((?P<types>.*)\)'"
)
_WORDS = {"double": "number", "int": "whole number", "string": "text", "bool": "truth value"}


def explain(error: str, owner: Owner) -> str:
    """Explain an error of the compiler: its place, what is wrong, and what may have been meant."""
    match = _AT.search(error)
    if match is None:
        return explain_evaluation(error)
    message = explain_evaluation(match["message"])
    if undeclared := _UNDECLARED.search(message):
        message += _suggest_variable(undeclared["name"], owner)
    elif undefined := _UNDEFINED.search(message):
        message = _unknown_field(undefined["record"], undefined["field"])
    elif mismatch := _MISMATCH.search(message):
        message = _unlike_types(mismatch["function"], mismatch["types"].split(", "))
    return f"line {match['line']}, column {match['column']}: {message}"


def explain_evaluation(error: str) -> str:
    """Return an error of the evaluator without its status."""
    return _STATUS.sub("", error)


def describe_type(kind: cel.Type) -> str:
    """Return a type with its article, such as "a number"."""
    return _word(str(kind.name()).lower())


def _suggest_variable(name: str, owner: Owner) -> str:
    variables = VARIABLES[owner]
    with_field = [
        f"{var}.{name}" for var, kind in variables.items() if name in RECORDS.get(kind, {})
    ]
    if near := with_field[:1] or get_close_matches(name, variables, n=1):
        return f"; did you mean {near[0]}?"
    return f"; there are {', '.join(variables)}"


def _unknown_field(record: str, field: str) -> str:
    known = RECORDS[record]
    near = get_close_matches(field, known, n=1)
    suggestion = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
    return f"{record.lower()} has no field {field}{suggestion}"


def _unlike_types(function: str, types: list[str]) -> str:
    operator = function if function.isidentifier() else function.strip("_@").replace("_", "")
    message = f"{operator} does not apply to {' and '.join(map(_word, types))}"
    if set(types) == {"int", "double"}:
        return f"{message}; write whole numbers with a point, such as 80.0"
    if operator == "[]" and types[0].startswith(PACKAGE):
        return f"{message}; write the field after a point, such as order.amount"
    return message


def _word(kind: str) -> str:
    name = kind.removeprefix(f"{PACKAGE}.").lower()
    word = _WORDS.get(name, name)
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
