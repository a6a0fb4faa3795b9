"""`docs/errors.md` lists every problem type that the API answers with, and no other."""

import re
from pathlib import Path

import pytest

from entrypoints.api import http_errors
from entrypoints.api.problems import INTERNAL, PROBLEM_TYPES, ROUTING_PROBLEMS, ProblemType
from referrals import errors
from referrals.errors import ReferralsError
from simulation.story_file import StoryError

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `([a-z-]+)` \| ([0-9]{3}) \| \S.* \| \S.* \|$", re.MULTILINE)
SOURCES = [
    path.read_text("utf-8")
    for package in ("entrypoints", "inbox", "activities", "workflows", "referrals")
    for path in (ROOT / package).rglob("*.py")
    if path.name not in ("errors.py", "problems.py")
]
ONLY_IN_COMMANDS = {errors.KeyNameTakenError, StoryError}


def problem_types() -> set[ProblemType]:
    routing = {problem_type for problem_type, _ in ROUTING_PROBLEMS.values()}
    return {*PROBLEM_TYPES.values(), *routing, INTERNAL}


def leaves(kind: type[ReferralsError]) -> set[type[ReferralsError]]:
    below = kind.__subclasses__()
    return set().union(*map(leaves, below)) if below else {kind}


def test_the_page_lists_exactly_the_problem_types_with_their_status():
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    listed = [(name, int(status)) for name, status in ROW.findall(page)]

    assert sorted(listed) == sorted((kind.name, kind.status) for kind in problem_types())


def test_each_error_has_a_problem_type_of_its_own():
    assert len(set(PROBLEM_TYPES.values())) == len(PROBLEM_TYPES)
    assert len({kind.name for kind in problem_types()}) == len(problem_types())


def test_every_error_that_a_request_can_end_with_has_a_problem_type():
    bases = (
        errors.InvalidInputError,
        errors.NotFoundError,
        errors.ConflictError,
        errors.RefusedError,
    )
    raised = set().union(*map(leaves, bases))
    raised |= {kind for kind in leaves(ReferralsError) if kind.__module__ == http_errors.__name__}

    assert raised - ONLY_IN_COMMANDS == set(PROBLEM_TYPES)


@pytest.mark.parametrize("kind", PROBLEM_TYPES, ids=lambda kind: kind.__name__)
def test_every_error_with_a_problem_type_is_raised_somewhere(kind: type[ReferralsError]):
    assert any(re.search(rf"\b{kind.__name__}\b", source) for source in SOURCES)


def test_problem_types_are_defined_in_one_place():
    assert not any("ProblemType(" in source for source in SOURCES)
