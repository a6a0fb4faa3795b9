"""Lenient parsing leaves out what it cannot understand, and always ends."""

from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from referrals.domain.events import parse_event
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


LINES: list[tuple[Any, str | None]] = [
    ({"sku": "a", "amount": "1.50"}, None),
    ({"sku": ["a"]}, ".sku"),
    ({"quantity": 0}, ".quantity"),
    ({"amount": "1.005"}, ".amount"),  # too fine for the currency: found when the rest is valid
    ({"unknown": 1}, ".unknown"),
    (5, ""),
    (None, None),
    ("", None),
]
"""Order lines as sent, with the path inside the line that is left out, if any."""


@given(st.lists(st.sampled_from(LINES), max_size=6))
def test_each_line_is_named_by_its_index_in_the_list_as_sent(lines: list[tuple[Any, str | None]]):
    order = {"id": "o", "amount": "9.00", "currency": "EUR", "items": [line for line, _ in lines]}
    data = {"friend": {"id": "fay"}, "order": order}
    event = parse_event(
        {"specversion": "1.0", "id": "e", "source": "shop", "type": "bought", "data": data}
    )

    expected = {f"order.items[{n}]{path}" for n, (_, path) in enumerate(lines) if path is not None}
    assert set(event.left_out) == expected
    assert {f"data.{path}" for path in expected} == {warning.field for warning in event.warnings}


def test_a_refusal_names_unknown_fields_by_their_indexes_as_sent():
    order = {"id": "o", "amount": "nine", "currency": "EUR", "items": [None, {"x": 1}]}
    data = {"friend": {"id": "fay"}, "order": order}

    with pytest.raises(InvalidEventError) as refused:
        parse_event(
            {"specversion": "1.0", "id": "e", "source": "shop", "type": "bought", "data": data}
        )

    fields = [error.field for error in refused.value.errors]
    assert fields == ["data.order.amount", "data.order.items[1].x"]
