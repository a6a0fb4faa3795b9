"""Readable messages for the errors of CEL's compiler and evaluator."""

import re

from cel_expr_python import cel

from referrals.domain.rule_variables import RECORDS, VARIABLES, Owner
from referrals.domain.suggestions import did_you_mean
from referrals.domain.syntax_messages import Rules, reword

PACKAGE = "rules"
"""Package of the records of `rule_variables` in the compiler."""

_AT = re.compile(r"ERROR: <input>:(?P<line>\d+):(?P<column>\d+): (?P<message>.*)")
_SYNTAX: Rules = (
    ("(mismatched|extraneous) input '<EOF>'", "the condition ends too early"),
    ("token recognition error at: '= ?'", "= is no comparison; write =="),
    ("token recognition error at: '[\"']", "the closing quotation mark of a text is missing"),
    (
        r"(?:mismatched input|extraneous input|at input|error at:) '(.*?)'(?: expecting|$)",
        "{0} is unexpected here",
    ),
    (r"^has\(\) argument", "has() takes a field, such as has(order.amount)"),
    ("^invalid (?:int|uint|double) literal", "the number cannot be read"),
)
_EVALUATION: Rules = (
    ("(?s)^Key not found in map : [\"']?(.*?)[\"']?$", "there is no {0}"),
    ("^Applying SELECT to non-message", "a field is read of a value that has no fields"),
    (
        r"^[Ii]ndex (?:error|out of).*?(?:index=(\d+) )?size=(\d+)",
        "the list has {1} items, and no item {0}",
    ),
    ("^(?:divide|modulus|division) by zero", "division by zero"),
    ("^String to (Timestamp|Duration) conversion", "a text is no {0}"),
    ("^cannot convert", "a value cannot be converted"),
    ("^invalid regular expression", "the regular expression is not valid"),
    ("^Iteration budget exceeded", "it takes too many steps"),
    ("overflow|out of range", "a number is out of range"),
)
_STATUS = re.compile(r"^[A-Z_]+: (?:ERROR: <input>:-1:-1: )?| \[[A-Z_]+\]$| \(in container ''\)")
_UNDECLARED = re.compile(r"undeclared reference to '(?P<name>\w+)")
_UNDEFINED = re.compile(
    r"undefined field '(?P<field>\w+)' not found in struct '\w+\.(?P<record>\w+)'"
)
_MISMATCH = re.compile(
    r"found no matching overload for '(?P<function>\S+)' applied to '\((?P<types>.*)\)'"
)
_NO_OVERLOAD = re.compile(r"^No matching overloads? found : (?P<function>\S+)\((?P<types>.*)\)")
_WORDS = {"double": "number", "int": "whole number", "string": "text", "bool": "truth value"}
_WORDS |= {"int64": "whole number", "uint64": "whole number", "dyn": "value"}


def explain(error: str, owner: Owner) -> str:
    """Explain an error of the compiler: its place, what is wrong, and what may have been meant."""
    match = _AT.search(error)
    if match is None:
        return explain_evaluation(error)
    message = _explain_compilation(_STATUS.sub("", match["message"]), owner)
    return f"line {match['line']}, column {match['column']}: {message}"


def explain_evaluation(error: str) -> str:
    """Explain an error of the evaluator."""
    error = _STATUS.sub("", error)
    if mismatch := _NO_OVERLOAD.search(error):
        return _unlike_types(mismatch["function"], _split_types(mismatch["types"]))
    return reword(error, _EVALUATION, "it cannot be evaluated")


def _explain_compilation(error: str, owner: Owner) -> str:
    if undeclared := _UNDECLARED.search(error):
        name = undeclared["name"]
        return f"there is no variable or function {name}{_suggest_variable(name, owner)}"
    if undefined := _UNDEFINED.search(error):
        return _unknown_field(undefined["record"], undefined["field"])
    if mismatch := _MISMATCH.search(error):
        return _unlike_types(mismatch["function"], _split_types(mismatch["types"]))
    return reword(error, _SYNTAX, "the condition is wrong here")


def describe_type(kind: cel.Type) -> str:
    """Return a type with its article, such as "a number"."""
    return _word(str(kind.name()).lower())


def _suggest_variable(name: str, owner: Owner) -> str:
    variables = VARIABLES[owner]
    with_field = [
        f"{var}.{name}" for var, kind in variables.items() if name in RECORDS.get(kind, {})
    ]
    if with_field:
        return f"; did you mean {with_field[0]}?"
    return did_you_mean(name, variables) or f"; there are {', '.join(variables)}"


def _unknown_field(record: str, field: str) -> str:
    known = RECORDS[record]
    suggestion = did_you_mean(field, known) or f"; there are {', '.join(known)}"
    return f"{record.lower()} has no field {field}{suggestion}"


def _split_types(types: str) -> list[str]:
    """Split the types of the operands; those of the entries of maps and lists are left out."""
    return re.sub(r"\b(map|list)\([^()]*\)", r"\1", types).split(", ")


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
