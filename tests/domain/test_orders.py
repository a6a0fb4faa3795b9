"""The state of an order does not depend on the order in which its events arrive, or how often."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from referrals.domain.orders import Fact, Moment, OrderState, Refund, from_json, to_json

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
ZERO = OrderState()


def at(minute: int, event: str = "evt_1") -> Moment:
    return Moment(NOON + timedelta(minutes=minute), event)


def total(minute: int, amount: str) -> OrderState:
    return OrderState({"total": Fact(at(minute), {"amount": amount, "currency": "EUR"})})


def fact(name: str, minute: int) -> OrderState:
    return OrderState({name: Fact(at(minute))})


def refund(name: str, minute: int, amount: str | None = None) -> OrderState:
    return OrderState(refunds={name: Refund(at(minute), at(minute), amount)})


def merged(*states: OrderState) -> OrderState:
    state = ZERO
    for other in states:
        state = state.merge(other)
    return state


minutes = st.integers(0, 5)
statements = st.one_of(
    st.builds(total, minutes, st.sampled_from(["0.00", "50.00", "100.00"])),
    st.builds(fact, st.sampled_from(["cancelled", "reinstated", "converted"]), minutes),
    st.builds(refund, st.sampled_from("ab"), minutes, st.sampled_from([None, "30.00", "100.00"])),
)


@given(st.data())
def test_any_order_of_arrival_with_repeats_ends_in_one_state(data: st.DataObject):
    # Each statement has an event of its own, so that no two are stated at one moment by one event.
    stated = [
        _by(f"evt_{number}", statement)
        for number, statement in enumerate(data.draw(st.lists(statements, max_size=6)))
    ]
    arrived = data.draw(
        st.permutations(stated + data.draw(st.lists(st.sampled_from(stated or [ZERO]))))
    )

    assert merged(*arrived) == merged(*stated)


def _by(event: str, state: OrderState) -> OrderState:
    return OrderState(
        {
            name: Fact(known.moment._replace(event=event), known.value)
            for name, known in state.facts.items()
        },
        {
            name: known._replace(
                since=known.since._replace(event=event), latest=known.latest._replace(event=event)
            )
            for name, known in state.refunds.items()
        },
    )


@given(st.lists(statements, max_size=4))
def test_a_stored_state_is_read_as_it_was(stated: list[OrderState]):
    state = merged(*stated)

    assert from_json(to_json(state)) == state


def test_a_cancellation_counts_until_the_order_is_reinstated():
    cancelled = merged(total(0, "100.00"), fact("cancelled", 1))

    assert cancelled.is_cancelled()
    assert not cancelled.merge(fact("reinstated", 2)).is_cancelled()
    assert cancelled.merge(fact("reinstated", 0)).is_cancelled()
    assert not cancelled.merge(fact("converted", 2)).is_cancelled()
    assert not cancelled.is_cancelled(since=NOON + timedelta(minutes=1))


def test_refunds_add_up_and_one_repeated_counts_once():
    state = merged(total(0, "100.00"), refund("a", 1, "25.00"), refund("a", 3, "25.00"))

    assert state.refunded() == 2500
    assert not state.is_refunded()
    assert state.merge(refund("b", 2, "75.00")).is_refunded()


def test_a_refund_repeated_after_the_reinstatement_stays_reinstated():
    state = merged(total(0, "100.00"), refund("a", 1), fact("reinstated", 2), refund("a", 3))

    assert not state.is_refunded()


def test_an_order_sold_again_keeps_only_later_refunds():
    state = merged(total(0, "100.00"), refund("a", 1), fact("converted", 2))

    assert state.refunded() == 0
    assert state.merge(refund("b", 3, "10.00")).refunded() == 1000


def test_a_part_refunded_before_the_conversion_still_counts():
    assert (
        merged(total(0, "100.00"), refund("a", 1, "40.00"), fact("converted", 2)).refunded() == 4000
    )


def test_a_free_order_is_refunded_only_by_a_refund():
    assert not total(0, "0.00").is_refunded()
    assert total(0, "0.00").merge(refund("a", 1)).is_refunded()


def test_refunds_above_the_amount_are_known_as_such():
    state = merged(total(0, "100.00"), refund("a", 1, "150.00"))

    assert (state.is_refunded(), state.refunded()) == (True, 15_000)


def test_parts_that_an_update_leaves_out_stay():
    items = OrderState({"items": Fact(at(0), [{"sku": "a"}])})

    assert merged(total(0, "90.00"), items, total(1, "70.00")).details("7781") == {
        "id": "7781",
        "amount": "70.00",
        "currency": "EUR",
        "items": [{"sku": "a"}],
        "attributes": {},
    }
