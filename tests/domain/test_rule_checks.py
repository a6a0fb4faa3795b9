"""Conditions are checked against the declared types when a campaign is applied."""

import os
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from referrals.domain.rule_checks import check_condition
from referrals.domain.rule_variables import RECORDS, VARIABLES, optional_fields
from referrals.errors import RuleError

EXAMPLES = int(os.environ.get("REFERRALS_TEST_CONDITIONS", "40"))


def check(text, owner="rule"):
    return check_condition(text, where="big", owner=owner)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("order.amount", "big: line 1, column 1: gives a number, not true or false; compare it with a value"),
        ("order.items", "gives a list"),
        ("friend.id", "gives a text, not true or false"),
        ("size(order.items)", "gives a whole number, not true or false"),
        ("order.amont >= 80.0", "line 1, column 6: order has no field amont; did you mean amount?"),
        ("friend.country == 'DE'", "line 1, column 7: person has no field country; there are id, name"),
        ("true &&\n  friend.locle == 'x'", "line 2, column 9: person has no field locle; did you mean locale?"),
        ("has(friend.local)", "person has no field local; did you mean locale?"),
        ("order.items.exists(i, i.sk == 'a')", "line 1, column 24: item has no field sk; did you mean sku?"),
        ("order.items.exists(i, i.price > 3.0)", "item has no field price; there are sku, name"),
        ("order.items[0].skuu == 'a'", "item has no field skuu; did you mean sku?"),
        ("(counts.confirmed > 1 ? friend : advocate).nam == 'x'", "person has no field nam; did you mean name?"),
        ('order.amount >= "80"', "line 1, column 14: >= does not apply to a number and a text"),
        ('order.amount == "80"', "== does not apply to a number and a text"),
        ("order.currency > 3", "> does not apply to a text and a whole number"),
        ("order.currency in [1, 2]", "in does not apply to a text and a list"),
        ("order.id == counts.confirmed", "== does not apply to a text and a whole number"),
        ("order.amount.startsWith('8')", "startsWith does not apply to a number and a text"),
        ("!order.currency", "! does not apply to a text"),
        ("order.currency && true", "&& does not apply to a text and a truth value"),
        ("friend == advocate.id", "== does not apply to a person and a text"),
        ("order.amount * 2 > 5.0", "write whole numbers with a point, such as 80.0"),
        ("order.amount - 1 == order.amount", "write whole numbers with a point, such as 80.0"),
        ("friend['locale'] == 'x'", "write the field after a point, such as order.amount"),
        ("same_email(friend, order)", "same_email does not apply to a person and an order"),
        ("same_email(friend, 'ada@example.com')", "same_email does not apply to a person and a text"),
        ("same_emial(friend, advocate)", "there is no variable or function same_emial"),
        ("amount > 3.0", "there is no variable or function amount; did you mean order.amount?"),
        ("ordr.amount > 3.0", "there is no variable or function ordr; did you mean order?"),
        ("milestone.at == 3", "there are order, event, friend, advocate, counts, campaign, referral"),
        ("referral.state == 'held'", "code has no field state; there are code"),
    ],
)  # fmt: skip
def test_a_rule_that_can_never_hold_is_refused(text, message):
    with pytest.raises(RuleError, match=re.escape(message)):
        check(text)


@pytest.mark.parametrize("path", optional_fields("journey"))
def test_a_field_that_may_be_absent_needs_has(path):
    name = path.replace("order.items[]", "item")
    record, kind = name.split(".")[0], {"amount": "3.0"}.get(name.split(".")[1], "'x'")
    field = f"{name} == {kind}"
    wrap = "order.items.exists(item, {})" if record == "item" else "{}"
    unguarded = (field, f"{field} || {field}", f"!({field})", f"has({name}) || {field}")
    guarded = (
        f"has({name}) && {field}",
        f"{field} && has({name})",
        f"!has({name}) || {field}",
        f"has({name}) ? {field} : false",
        f"!(has({name}) && {field})",
        f"has({name})",
    )

    for text in guarded:
        assert check(wrap.format(text)).text == wrap.format(text)
    for text in unguarded:
        with pytest.raises(RuleError, match=re.escape(f"{name} may be absent; ask first")):
            check(wrap.format(text))


def test_a_missing_has_is_shown_at_its_place_as_it_is_written():
    with pytest.raises(RuleError) as refused:
        check('order.amount > 3.0 &&\n  order.items.all(i, i.sku != "x")')

    assert str(refused.value) == (
        "big: line 2, column 23: item.sku may be absent; ask first, "
        "as in has(i.sku) && … or !has(i.sku) || …"
    )


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("order.amount >= 80", {"order.amount"}),
        ("order.amount == 80 || order.amount in [90, 100.0]", {"order.amount"}),
        ("order.attributes.vip == true", {"order.attributes.vip"}),
        ("event.plan == 'pro' && event.order.anything == 1", {"event.plan", "event.order.anything"}),
        ("event['plan'] == 'pro'", {"event.plan"}),
        ("friend.id == 'order.amont@example.com'", {"friend.id"}),
        ("order.items.size() > 0", {"order.items"}),
        ("order.items.all(item, item.quantity >= 2)", {"order.items", "order.items[].quantity"}),
        ("size(order.items) > 2 && order.items[0].quantity > 1.0", {"order.items", "order.items[].quantity"}),
        ("has(friend.locale)", {"friend.locale"}),
        ("(event.vip ? friend : advocate).id == 'a'", {"event.vip", "friend.id", "advocate.id"}),
        ("order.items.filter(i, has(i.sku)).all(i, i.quantity < 3)", {"order.items", "order.items[]", "order.items[].sku", "order.items[].quantity"}),
        ("same_email(friend, advocate)", {"friend.id", "friend.email", "advocate.id", "advocate.email"}),
        ("!same_phone(event.vip ? friend : advocate, advocate)", {"friend.phone", "advocate.phone", "event.vip"}),
        ("true", set()),
    ],
)  # fmt: skip
def test_a_condition_knows_the_fields_that_it_reads(text, fields):
    assert check(text).fields == fields


@pytest.mark.parametrize(
    ("text", "left_out", "reads"),
    [
        ("has(friend.locale)", "friend.locale", True),
        ("has(friend.locale)", "friend.phone", False),
        ("has(friend.locale)", "friend", True),
        ("order.items.exists(i, has(i.sku) && i.sku == 'a')", "order.items[3].sku", True),
        ("order.items.exists(i, has(i.sku) && i.sku == 'a')", "order.items[3].name", False),
        ("order.items.exists(i, has(i.sku) && i.sku == 'a')", "order.items[3]", True),
        ("size(order.items) > 1", "order.items[0]", True),
        ("size(order.items) > 1", "order.items[0].sku", False),
        ("order.attributes.vip == true", "order.attributes", True),
        ("order.attributes[friend.id] == 'gold'", "order.attributes.fay", True),
        ("order.attributes.exists(key, key == 'vip')", "order.attributes.vip", True),
        ("friend == advocate", "friend.locale", True),
        ("same_phone(friend, advocate)", "friend.phone", True),
        ("same_phone(friend, advocate)", "friend.locale", False),
        ("order.amount > 3", "order.amounts", False),
    ],
)
def test_a_condition_knows_whether_it_reads_what_was_left_out(text, left_out, reads):
    assert check(text).reads_any(["advocate.name", left_out] if reads else [left_out]) is reads


VALUES = {"string": "a", "double": 2.0, "int64": 2, "bool": True}
LITERALS = {"string": "'a'", "double": "2.0", "int64": "2", "bool": "true"}


def _fields(owner):
    """Yield each scalar field as it is written, with its type; those of items are of the variable `i`."""
    for name, record in [*VARIABLES[owner].items(), ("i", "Item")]:
        for field, kind in RECORDS.get(record, {}).items():
            if kind.removesuffix("?") in VALUES:
                yield f"{name}.{field}", kind


def _comparison(name, kind):
    same = st.sampled_from(["==", "!="]).map(lambda op: f"{name} {op} {LITERALS[kind.rstrip('?')]}")
    return st.one_of(same, st.just(f"has({name})")) if kind.endswith("?") else same


def _conditions(owner):
    def leaves(of_items):
        fields = [f for f in _fields(owner) if f[0].startswith("i.") == of_items]
        return st.sampled_from(fields).flatmap(lambda field: _comparison(*field))

    def combine(inner):
        return st.one_of(
            st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(
                lambda p: f"({' '.join(p)})"
            ),
            inner.map(lambda text: f"!({text})"),
            st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} ? {p[1]} : {p[2]})"),
        )

    of_item = st.recursive(leaves(of_items=True), combine, max_leaves=4)
    macros = st.sampled_from(["exists", "all", "exists_one"])
    loops = st.tuples(macros, of_item).map(lambda p: f"order.items.{p[0]}(i, {p[1]})")
    return st.recursive(st.one_of(leaves(of_items=False), loops), combine, max_leaves=6)


@st.composite
def _contexts(draw, owner):
    def record(kind):
        return {
            field: value(kind_.removesuffix("?"))
            for field, kind_ in RECORDS[kind].items()
            if not kind_.endswith("?") or draw(st.booleans())
        }

    def value(kind):
        if kind.startswith("list("):
            return [record(kind[5:-1]) for _ in range(draw(st.integers(0, 2)))]
        if kind == "map":
            return {}
        return VALUES[kind] if draw(st.booleans()) else type(VALUES[kind])()

    return {
        name: record(kind) if kind in RECORDS else {} for name, kind in VARIABLES[owner].items()
    }


@pytest.mark.parametrize("owner", ["rule", "journey"])
@settings(max_examples=EXAMPLES, deadline=None)
@given(data=st.data())
def test_an_accepted_condition_never_fails_whatever_is_absent(owner, data):
    try:
        condition = check(data.draw(_conditions(owner)), owner)
    except RuleError as error:
        assert "may be absent" in str(error) or "nested" in str(error)
        return
    context = data.draw(_contexts(owner))

    assert condition.holds(context) in (True, False)
    assert condition.holds(_only(context, condition.fields)) is condition.holds(context)


def _only(context, fields):
    """Return the context without the fields that are not in `fields`, except in items."""
    return {
        name: {
            field: value
            for field, value in record.items()
            if f"{name}.{field}" in fields or field == "items"
        }
        for name, record in context.items()
    }


@pytest.mark.parametrize(
    ("text", "friend", "advocate", "holds"),
    [
        ("same_email(friend, advocate)", {"email": "A.da+x@Gmail.com"}, {"email": "ada@gmail.com"}, True),
        ("same_email(friend, advocate)", {"id": "ADA@example.com"}, {"email": "ada@example.com"}, True),
        ("same_email(friend, advocate)", {"email": "ada@example.com"}, {"email": "fay@example.com"}, False),
        ("same_email(friend, advocate)", {}, {}, False),
        ("same_email(friend, advocate)", {"phone": "+4915112345678"}, {"phone": "+4915112345678"}, False),
        ("same_phone(friend, advocate)", {"phone": "+49 151 12345678"}, {"phone": "+4915112345678"}, True),
        ("same_phone(friend, advocate)", {"phone": "+4915112345678"}, {}, False),
    ],
)  # fmt: skip
def test_people_are_compared_in_any_spelling(text, friend, advocate, holds):
    people = {"friend": {"id": "fay"} | friend, "advocate": {"id": "ada"} | advocate}

    assert check(text).holds(people) is holds
