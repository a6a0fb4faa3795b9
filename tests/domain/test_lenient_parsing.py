"""Lenient parsing leaves out what it cannot understand, and always ends."""

from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from referrals.domain.lenient_parsing import parse_leniently
from referrals.errors import InvalidEventError


class Event(BaseModel):
    """An event with an optional field, and one that is wrong by its default."""

    note: int | None = None
    broken: Annotated[int, Field(validate_default=True)] = "none"  # type error on purpose


def test_an_error_that_no_field_of_the_input_causes_is_refused():
    with pytest.raises(InvalidEventError) as refused:
        parse_leniently(Event.model_validate, {"note": "three"}, InvalidEventError)

    assert [error.field for error in refused.value.errors] == ["broken"]


def test_a_field_that_is_wrong_is_left_out_with_a_warning():
    event, warnings = parse_leniently(
        Event.model_validate, {"note": "three", "broken": 1}, InvalidEventError
    )

    assert event == Event(broken=1)
    assert [warning.field for warning in warnings] == ["note"]
