"""Functions that conditions can call, besides those of CEL."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cel_expr_python import cel

from referrals.domain.identity import contacts_of

Person = Mapping[str, Any]


@dataclass(frozen=True)
class RuleFunction:
    """A function of two people that gives true or false, and the fields that it reads of each."""

    evaluate: Callable[[Person, Person], bool]
    reads: tuple[str, ...]


def same_email(one: Person, other: Person) -> bool:
    """Check whether two people share an email address in any spelling. An id may be one."""
    return bool(_contacts(one, "email") & _contacts(other, "email"))


def same_phone(one: Person, other: Person) -> bool:
    """Check whether two people share a phone number in any spelling."""
    return bool(_contacts(one, "phone") & _contacts(other, "phone"))


def _contacts(person: Person, kind: str) -> set[str]:
    email, phone = person.get("email"), person.get("phone")
    found = (contact.text for contact in contacts_of(str(person["id"]), email, phone))
    return {text for text in found if text.startswith(f"{kind}:")}


FUNCTIONS = {
    "same_email": RuleFunction(same_email, ("id", "email")),
    "same_phone": RuleFunction(same_phone, ("phone",)),
}
"""Functions by name. A field that is absent is the same as nothing."""


def declare_functions(person: cel.Type, *, evaluated: bool) -> list[cel.FunctionDecl]:
    """Declare the functions to the compiler, which knows a person by this type."""
    return [
        cel.FunctionDecl(
            name,
            [
                cel.Overload(
                    f"{name}(person,person)",
                    return_type=cel.Type.BOOL,
                    parameters=[person, person],
                    **({"impl": function.evaluate} if evaluated else {}),
                )
            ],
        )
        for name, function in FUNCTIONS.items()
    ]
