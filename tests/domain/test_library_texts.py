"""No text of a validator, parser or evaluator is in an error: each is said in our own words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import _pydantic_core as pydantic_core

from referrals.campaign_file import load_campaign
from referrals.domain.requests import WalletRedemption
from referrals.domain.rules import compile_condition
from referrals.domain.validation_messages import field_errors, validation_message
from referrals.errors import CampaignError, RuleError
from tests.harness.fuzzing import FUZZED
from tests.harness.library_texts import library_text

KINDS = {each["type"]: each for each in pydantic_core.list_all_errors()}
CONDITIONS = [
    "",
    "order.",
    "order.amount >",
    "'abc",
    "order.amount = 3",
    "a ? b",
    "foo(1)",
    "order.amount.foo",
    "friend.name.startsWith(1)",
    "order.items.all(x, )",
    "order.items[9].sku == 'x'",
    "1 / 0 == 1",
    "order.amount > 'a'",
    "has(order)",
    "[1, 2",
    "friend == 1",
    "order.amount > 99999999999999999999",
    '"\\q"',
    "timestamp('x') > timestamp('y')",
    "duration('x') > duration('1s')",
    "'a'.matches('(')",
    "int('x') == 1",
    "friend['x'] == 1",
    "null",
    "`a`",
    "@",
    "9223372036854775807 + 1 > 0",
]
FILES = [
    "a: b: c",
    "a: 'x",
    "\ta: 1",
    "a: *b",
    "- a\nb: 1",
    "a: [1, 2",
    "a: {b",
    "a: !x 1",
    "? a",
    "%",
    "a: \x00",
]
REDEMPTIONS = [
    ({"key": "k"}, "type"),
    ({"key": "k", "type": "points"}, "amount"),
    ({"key": "k", "type": "points", "amount": "1.5"}, "amount"),
    ({"key": "k", "type": "points", "amount": "0"}, "amount"),
    ({"key": "k", "type": "points", "amount": "1", "currency": "EUR"}, "currency"),
    ({"key": "k", "type": "gift_credit", "amount": "1"}, "currency"),
    ({"key": "k", "coupon": "X", "amount": "1"}, "amount"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_validation_error_is_in_our_words(kind: str):
    names = ("gt", "ge", "lt", "le", "multiple_of", "max_length", "expected", "pattern", "error")
    context = dict.fromkeys((*names, "expected_tags", "discriminator", "expected_schemes"), "7")
    message = validation_message(
        {"type": kind, "loc": ("x",), "msg": "Input should", "ctx": context | {"min_length": 2}}
    )

    assert message
    assert library_text(message) is None


def _evaluate(condition: str) -> str:
    values = {"order": {"amount": 1.0, "items": []}, "friend": {"name": "Fay"}}
    try:
        compile_condition(condition, where="rule", owner="rule").holds(values)
    except RuleError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_mistaken_condition_is_explained_in_our_words(condition: str):
    message = _evaluate(condition)

    assert message
    assert library_text(message) is None


@FUZZED
@given(text=st.text("order.amount friend[]()'\"<>=!&|?:0123,-+*/", max_size=25))
def test_no_condition_is_explained_in_words_of_a_library(text: str):
    assert library_text(_evaluate(text).replace(text, "")) is None


def _load(text: str) -> str:
    try:
        load_campaign(text)
    except CampaignError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("text", FILES)
def test_a_mistaken_file_is_explained_in_our_words(text: str):
    message = _load(text)

    assert message
    assert library_text(message) is None


@FUZZED
@given(text=st.text("abc:-?{}[]&*!|>'\"%@`#, \n\t", max_size=25))
def test_no_file_is_explained_in_words_of_a_library(text: str):
    assert library_text(_load(text)) is None


@pytest.mark.parametrize(("body", "field"), REDEMPTIONS)
def test_a_redemption_names_the_field_at_fault(body: dict[str, str], field: str):
    with pytest.raises(ValueError) as raised:
        WalletRedemption.model_validate(body)

    assert [error.field for error in field_errors(raised.value)] == [field]
