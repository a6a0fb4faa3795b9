"""Conditions of campaigns, in the Common Expression Language (https://cel.dev).

A condition reads maps such as ``order`` and ``friend`` and evaluates to true or false. Amounts are numbers in the
major unit of the currency. CEL compares integers and fractions by value (``order.amount >= 80``).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from referrals.errors import RuleError

RuleContext = Mapping[str, Mapping[str, Any]]
"""Input of a condition: a map for each of the `VARIABLES` that is available."""

MAX_CONDITION_LENGTH = 2000
"""Maximum length of a condition in characters."""

VARIABLES = (
    "order",
    "event",
    "friend",
    "advocate",
    "referral",
    "campaign",
    "milestone",
    "reward",
    "counts",
    "awaited",
)

_PERSON = {"id": "cus_42", "name": "Fay", "email": "friend@example.com", "locale": "de"}
EXAMPLE_VALUES: dict[str, dict[str, Any]] = {
    "order": {
        "id": "7781",
        "amount": 119.9,
        "currency": "EUR",
        "items": [{"sku": "sku-4", "name": "", "quantity": 1, "amount": 119.9, "attributes": {}}],
        "attributes": {},
    },
    "friend": _PERSON,
    "advocate": _PERSON,
    "referral": {"id": "ref_1", "state": "rewarded", "code": "SPRING-7K2M-9QXD"},
    "campaign": {"id": "spring"},
    "milestone": {"name": "ten_friends", "at": 10},
    "reward": {
        "side": "advocate",
        "tier": "each_friend",
        "type": "points",
        "amount": 100.0,
        "currency": "",
        "milestone": False,
    },
    "counts": {"confirmed": 10},
    "awaited": {"happened": True},
}
"""Fields of each variable with an example value. `event` is missing, because its fields are free-form."""

# `map` is excluded, because it can double a string or list at every step until the memory is exhausted. Everything
# else is bounded by CEL's own limits: depth 32, a fixed number of iterations, linear-time regular expressions.
_ENV = cel.NewEnv(
    config=cel.NewEnvConfigFromYaml("stdlib: {exclude_macros: [map]}"),
    variables={name: cel.Type.Map(cel.Type.STRING, cel.Type.DYN) for name in VARIABLES},
)
_AT = re.compile(r"ERROR: <input>:(?P<line>\d+):(?P<column>\d+): (?P<message>.*)")
_STRING = re.compile(r"""[rR]?(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""")
_STATUS = re.compile(
    r"^[A-Z_]+: (?:ERROR: <input>:-1:-1: )?| \[[A-Z_]+\]$| expecting \{.*| \(in container ''\)"
)
_FIELD = re.compile(rf"(?<![\w.])({'|'.join(EXAMPLE_VALUES)})\.(\w+)(?!\w*\()")


@dataclass(frozen=True)
class Condition:
    """A compiled condition. `where` is the name of its owner, for error messages."""

    text: str
    where: str
    _expression: Any = field(repr=False, compare=False)

    def holds(self, context: RuleContext) -> bool:
        """Evaluate the condition. A missing variable is an empty map.

        Raises:
            RuleError: a key is missing or null, or a value has the wrong type.
        """
        data = {name: context.get(name, {}) for name in VARIABLES}
        try:
            result = self._expression.eval(data=data)
        except RuntimeError as error:
            raise RuleError(self._problem(str(error))) from error
        if result.type() == cel.Type.BOOL:
            return bool(result.value())
        if result.type() == cel.Type.ERROR:
            raise RuleError(self._problem(str(result.value())))
        raise RuleError(self._problem(f"gives {_name(result.type())}, not true or false"))

    def _problem(self, message: str) -> str:
        return f"{self.where}: {_STATUS.sub('', message)}, in {self.text}"


@lru_cache(maxsize=4096)
def compile_condition(text: str, *, where: str) -> Condition:
    """Compile a condition. Results are cached by text and owner.

    Raises:
        RuleError: the condition is too long, is not CEL, has an unknown variable, or is not boolean.
    """
    if len(text) > MAX_CONDITION_LENGTH:
        raise RuleError(
            f"{where}: has {len(text)} characters; at most {MAX_CONDITION_LENGTH} are allowed"
        )
    try:
        expression = _ENV.compile(text)
    except RuntimeError as error:
        raise RuleError(f"{where}: {_explain(str(error))}") from error
    except TypeError as error:
        raise RuleError(f"{where}: contains an unpaired surrogate") from error
    if expression.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        raise RuleError(f"{where}: gives {_name(expression.return_type())}, not true or false")
    return Condition(text, where, expression)


def check_condition(text: str, *, where: str) -> Condition:
    """Compile a condition of a campaign file and check its fields and types.

    Raises:
        RuleError: the condition does not compile, has an unknown field, or compares a number with a text.
    """
    condition = compile_condition(text, where=where)
    _check_fields(condition)
    _check_types(condition)
    return condition


def _check_fields(condition: Condition) -> None:
    """Refuse an unknown field: with a misspelt field the condition would fail for every friend."""
    for match in _FIELD.finditer(_STRING.sub('""', condition.text)):
        variable, name = match.groups()
        if name not in EXAMPLE_VALUES[variable]:
            known = ", ".join(EXAMPLE_VALUES[variable])
            raise RuleError(f"{condition.where}: {variable} has no {name}; there are {known}")


def _check_types(condition: Condition) -> None:
    """Refuse a comparison of a number with a text. The compiler does not know the types of fields."""
    try:
        condition.holds(EXAMPLE_VALUES)
    except RuleError as error:
        if "overload" in str(error):
            raise


def _explain(error: str) -> str:
    match = _AT.search(error)
    if match is None:
        return _STATUS.sub("", error)
    message = _STATUS.sub("", match["message"])
    if message.startswith("undeclared reference"):
        message += f"; there are {', '.join(VARIABLES)}"
    return f"line {match['line']}, column {match['column']}: {message}"


def _name(kind: Any) -> str:
    return str(kind.name()).lower()
