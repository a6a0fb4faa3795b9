"""Conditions of campaigns, in the Common Expression Language (https://cel.dev).

A condition reads maps such as ``order`` and ``friend`` and evaluates to true or false. Amounts are numbers in the
major unit of the currency. CEL compares integers and fractions by value (``order.amount >= 80``).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from cel_expr_python import cel

from referrals.domain.rule_errors import describe_type, explain, explain_evaluation
from referrals.domain.rule_functions import declare_functions
from referrals.domain.rule_syntax import SyntaxTree
from referrals.domain.rule_variables import VARIABLES, Owner
from referrals.errors import RuleError

RuleContext = Mapping[str, Mapping[str, Any]]
"""Input of a condition: a map for each of its variables that is available."""

MAX_CONDITION_LENGTH = 2000
"""Maximum length of a condition in characters."""

# `map` is excluded, because it can double a string or list at every step until the memory is exhausted. Everything
# else is bounded by CEL's own limits: depth 32, a fixed number of iterations, linear-time regular expressions.
_CONFIG = cel.NewEnvConfigFromYaml("stdlib: {exclude_macros: [map]}")
_MAP = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_ENVIRONMENTS: Mapping[Owner, cel.Env] = {
    owner: cel.NewEnv(
        config=_CONFIG,
        variables=dict.fromkeys(variables, _MAP),
        functions=declare_functions(_MAP, evaluated=True),
    )
    for owner, variables in VARIABLES.items()
}
_INDEX = re.compile(r"\[\d+\]")
_MISSING_KEY = re.compile(r"(?<=Key not found in map : )([\"'])(.*)\1", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """A compiled condition. `where` is the name of its owner, for error messages."""

    text: str
    where: str
    owner: Owner
    _expression: Any = field(repr=False, compare=False)

    def holds(self, context: RuleContext) -> bool:
        """Evaluate the condition. A missing variable is an empty map.

        Raises:
            RuleError: a key is missing or null, or a value has the wrong type.
        """
        data = {name: context.get(name, {}) for name in VARIABLES[self.owner]}
        try:
            result = self._expression.eval(data=data)
        except RuntimeError as error:
            raise RuleError(self._problem(self._explain(str(error)), data)) from error
        if result.type() == cel.Type.BOOL:
            return bool(result.value())
        if result.type() == cel.Type.ERROR:
            raise RuleError(self._problem(self._explain(str(result.value())), data))
        message = f"gives {describe_type(result.type())}, not true or false"
        raise RuleError(self._problem(message, data))

    @cached_property
    def syntax(self) -> SyntaxTree:
        return SyntaxTree(self._expression.serialize(), VARIABLES[self.owner])

    @cached_property
    def fields(self) -> frozenset[str]:
        """Paths of the values that the condition reads, such as `friend.locale` and `order.items[].sku`."""
        return self.syntax.fields_read()

    def reads_any(self, paths: Iterable[str]) -> bool:
        """Check whether the condition reads one of the paths, such as `order.items[0].sku`, or a part of it."""
        return any(_overlap(read, _INDEX.sub("[]", path)) for path in paths for read in self.fields)

    def _problem(self, message: str, data: RuleContext) -> str:
        variables = {re.split(r"[.\[]", path)[0] for path in self.fields}
        absent = sorted(name for name in variables if not data[name])
        reason = f"; there is no {' and no '.join(absent)}" if absent else ""
        return f"{self.where}: {message}, in {self.text}{reason}"

    def _explain(self, error: str) -> str:
        return explain_evaluation(_MISSING_KEY.sub(self._name_key, error))

    def _name_key(self, key: re.Match[str]) -> str:
        """Return a missing key if the condition names it. A computed one may be a contact of a customer."""
        return key[0] if key[2] in self.text else "(computed)"


def _overlap(read: str, path: str) -> bool:
    """Check whether a value that is read includes the path or is a part of it. A list or map includes its elements."""
    inside = read.startswith((f"{path}.", f"{path}["))
    element = read.endswith("[]") and path.startswith(f"{read.removesuffix('[]')}.")
    return read == path or inside or element or path == f"{read}[]" or path.startswith(f"{read}.")


@lru_cache(maxsize=4096)
def compile_condition(text: str, *, where: str, owner: Owner) -> Condition:
    """Compile a condition. Results are cached by text and owner.

    Raises:
        RuleError: the condition is too long, is not CEL, has an unknown variable, or is not boolean.
    """
    return Condition(text, where, owner, compile_with(_ENVIRONMENTS[owner], text, where, owner))


def compile_with(environment: cel.Env, text: str, where: str, owner: Owner) -> cel.Expression:
    """Compile a condition in an environment of its owner. Raises RuleError, like `compile_condition`."""
    if len(text) > MAX_CONDITION_LENGTH:
        raise RuleError(
            f"{where}: has {len(text)} characters; at most {MAX_CONDITION_LENGTH} are allowed"
        )
    try:
        expression = environment.compile(text)
    except RuntimeError as error:
        raise RuleError(f"{where}: {explain(str(error), owner)}") from error
    except TypeError as error:
        raise RuleError(f"{where}: contains an unpaired surrogate") from error
    if expression.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        kind = describe_type(expression.return_type())
        raise RuleError(
            f"{where}: line 1, column 1: gives {kind}, not true or false; compare it with a value"
        )
    return expression
