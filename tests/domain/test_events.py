"""Events from outside: what is understood, and what is refused with the field at fault."""

import copy
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals.domain.event_fields import MAX_JSON_DEPTH
from referrals.domain.events import FriendConverted, parse_event
from referrals.domain.lenient_parsing import MAX_WARNINGS
from referrals.errors import InvalidEventError

ORDER = {
    "id": "7781",
    "amount": "119.90",
    "currency": "EUR",
    "items": [{"sku": "sku-4", "quantity": 1, "amount": "119.90"}],
}
EVENT = {
    "specversion": "1.0",
    "id": "order-7781",
    "source": "shop",
    "type": "referral_converted",
    "time": "2026-03-04T10:00:00Z",
    "data": {
        "campaign": "spring",
        "code": "SPRING-7K2M-9QXD",
        "friend": {
            "id": "cus_42",
            "email": "friend@example.com",
            "phone": "+4915112345678",
            "name": "Fay",
            "locale": "de",
            "consent": ["email", "whatsapp"],
        },
        "order": ORDER,
    },
}


def with_(path: str, value):
    """The event with the value at that dotted path."""
    event = copy.deepcopy(EVENT)
    *parents, last = path.split(".")
    part = event
    for key in parents:
        part = part[int(key)] if isinstance(part, list) else part.setdefault(key, {})
    part[int(last) if isinstance(part, list) else last] = value
    return event


def invalid_fields(event) -> set[str]:
    with pytest.raises(InvalidEventError) as caught:
        parse_event(event)
    return {error.field for error in caught.value.errors}


def test_the_events_of_the_contract_are_understood():
    event = parse_event(EVENT)

    assert isinstance(event.data, FriendConverted)
    assert event.data.order is not None
    assert event.data.order.minor == 11990
    assert event.data.friend.phone == "+4915112345678"


def test_other_attributes_of_a_cloud_event_are_let_through():
    parse_event(EVENT | {"datacontenttype": "application/json", "subject": "x", "traceparent": "y"})


@pytest.mark.parametrize(
    ("typed", "code"),
    [(" spring-7k2m\u200b ", "spring-7k2m"), ("none / n.a.", "none / n.a."), (2026, "2026")],
)
def test_what_was_typed_as_a_code_is_never_refused(typed, code):
    assert parse_event(with_("data.code", typed)).data.code == code


def test_a_phone_number_is_normalised_to_international_format():
    event = parse_event(with_("data.friend.phone", "+49 (151) 1234-5678"))

    assert event.data.friend.phone == "+4915112345678"


def test_names_may_have_characters_of_four_bytes():
    assert parse_event(with_("data.friend.name", "𝓕𝓪𝔂 👋🏽")).data.friend.name == "𝓕𝓪𝔂 👋🏽"


def test_a_custom_event_keeps_what_else_it_carries_for_the_rules():
    event = parse_event(with_("type", "subscription_started") | {})
    custom = parse_event(
        EVENT | {"type": "subscription_started", "data": {"friend": {"id": "f"}, "plan": "pro"}}
    )

    assert isinstance(event.data, FriendConverted)
    assert custom.data.model_extra == {"plan": "pro"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("specversion", "0.3"),
        ("id", ""),
        ("id", "a" * 256),
        ("id", "a\x00b"),
        ("source", "line\nbreak"),
        ("type", "Referral Converted"),
        ("type", None),
        ("data.campaign", "Spring!"),
        ("data.friend", "cus_42"),
        ("data.friend.id", "\ud800"),
        ("data.order.id", ""),
        ("data.order.amount", "-1.00"),
        ("data.order.amount", "1e9"),
        ("data.order.amount", "NaN"),
        ("data.order.amount", "1,50"),
        ("data.order.amount", 119.9),
        ("data.order.amount", "1" * 13),
        ("data.order.currency", "XYZ"),
    ],
)
def test_a_mistake_in_what_a_decision_needs_is_refused_and_its_field_named(path: str, value):
    assert invalid_fields(with_(path, value)) == {path}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("time", "yesterday"),
        ("time", "2026-03-04T10:00:00"),
        ("data.friend.email", "not an address"),
        ("data.friend.email", "a@b\r\nBcc: c@d"),
        ("data.friend.phone", "+1"),
        ("data.friend.locale", "german language"),
        ("data.friend.timezone", "Mars/Olympus"),
        ("data.friend.consent[0]", "fax"),
        ("data.friend.naem", "Fay"),
        ("data.order.items[0].quantity", 0),
        ("data.order.items[0].quantity", 10**9),
        ("data.order.amuont", "1.00"),
        ("data.order.items", [{"sku": "s"}] * 1001),
    ],
)
def test_what_no_decision_needs_is_left_out_with_a_warning(path: str, value):
    event = parse_event(with_(path.replace("[", ".").replace("]", ""), value))

    assert [warning.field for warning in event.warnings] == [path]
    assert event.left_out == (path.removeprefix("data."),)


def test_many_fields_of_the_caller_that_were_left_out_are_all_of_the_event():
    many = {f"field{number}": "\0" for number in range(MAX_WARNINGS + 1)}
    event = parse_event(EVENT | {"data": EVENT["data"] | many})

    assert [warning.field for warning in event.warnings] == ["data"]
    assert event.left_out == ("event",)


@pytest.mark.parametrize(("amount", "currency"), [("1.5", "JPY"), ("1.005", "EUR")])
def test_an_amount_finer_than_its_currency_is_refused(amount: str, currency: str):
    event = with_("data.order", ORDER | {"amount": amount, "currency": currency, "items": []})

    assert invalid_fields(event) == {"data.order.amount"}


def test_binary_data_is_refused():
    assert invalid_fields(EVENT | {"data_base64": "AA=="}) == {""}


def test_a_missing_payload_is_refused():
    assert invalid_fields({key: EVENT[key] for key in EVENT if key != "data"}) == {"data"}


def test_free_form_attributes_have_a_bounded_depth():
    deep: dict = {}
    for _ in range(MAX_JSON_DEPTH + 2):
        deep = {"deeper": deep}

    event = parse_event(with_("data.order.attributes", {"deep": deep}))

    assert event.left_out == ("order.attributes.deep",)


@pytest.mark.parametrize("value", [None, 7, "event", [], [EVENT], True])
def test_what_is_no_object_is_refused(value):
    with pytest.raises(InvalidEventError):
        parse_event(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON, st.sampled_from(["data", "data.order", "data.friend", "data.friend.id", "data.code"]))
def test_anything_at_all_is_either_understood_or_refused(value, path: str):
    """Invalid input of any kind raises only InvalidEventError."""
    try:
        parse_event(with_(path, value))
    except InvalidEventError as error:
        assert error.errors


def test_a_field_for_rules_that_is_left_out_has_the_path_by_which_rules_read_it():
    event = parse_event(with_("data.plan", {"name": "a\x00b"}))

    assert [warning.field for warning in event.warnings] == ["data.plan"]
    assert event.left_out == ("event.plan",)


def test_many_mistakes_take_no_longer_than_their_number():
    friend = {"id": "f", "consent": ["x"] * 100_000} | {f"k{n}": 1 for n in range(20_000)}
    started = time.process_time()
    event = parse_event(EVENT | {"data": {"friend": friend}})

    assert event.left_out == ("friend",)
    assert time.process_time() - started < 5
