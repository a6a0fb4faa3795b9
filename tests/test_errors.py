"""All errors of the product stand in one tree, which the docstring of `referrals.errors` shows."""

import importlib
import pkgutil
import re

import activities
import entrypoints
import inbox
import referrals
import workflows
from referrals import errors
from referrals.errors import ReferralsError

LINE = re.compile(r"^ {4}((?:[│ ] {3})*(?:[├└]── )?)(\w+)(?: {2,}.*)?$", re.MULTILINE)


def _exceptions() -> set[type[Exception]]:
    """Import every module; return the public exception classes that they define."""
    found: set[type[Exception]] = set()
    for package in (activities, entrypoints, inbox, referrals, workflows):
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if info.name.endswith(".env"):  # alembic's script runs only inside of alembic
                continue
            module = importlib.import_module(info.name)
            found |= {
                value
                for value in vars(module).values()
                if isinstance(value, type)
                and issubclass(value, Exception)
                and not value.__name__.startswith("_")
                and value.__module__ == info.name
            }
    return found


def test_every_error_of_the_product_derives_from_one_base():
    assert {kind for kind in _exceptions() if not issubclass(kind, ReferralsError)} == set()


def test_no_two_errors_have_the_same_name():
    names = [kind.__name__ for kind in _exceptions()]

    assert sorted(names) == sorted(set(names))


def test_the_docstring_shows_the_tree():
    shown: dict[str, str] = {}
    parents: list[str] = []
    for prefix, name in LINE.findall(errors.__doc__ or ""):
        depth = len(prefix) // 4
        parents[depth:] = [name]
        if depth:
            shown[name] = parents[depth - 1]

    assert shown == {
        kind.__name__: kind.__bases__[0].__name__
        for kind in _exceptions()
        if kind.__module__ == errors.__name__ and kind is not ReferralsError
    }
