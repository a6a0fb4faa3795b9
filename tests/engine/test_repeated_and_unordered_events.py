"""Events that come three times, and in every order that the world can produce, end in the same books."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from referrals.errors import EventIdReusedError
from referrals.store import schema
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.totals import campaign_totals
from tests.harness.world import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

Lifecycle = dict[str, tuple[str, dict[str, Any]]]
"""Events in the order in which they happen: a name for each, its type and its data."""

SIGN_UP = ("referral_signed_up", {"code": "CODE", "friend": {"id": "FRIEND"}})
ORDER = {"id": "ORDER", "amount": "100.00", "currency": "EUR"}
CONVERSION = (
    "referral_converted",
    {"code": "CODE", "friend": {"id": "FRIEND"}, "order": ORDER},
)
SHARE = ("referral_link_shared", {"code": "CODE", "channel": "whatsapp"})
REFUND = ("order_refunded", {"order": {"id": "ORDER"}})
PART = ("order_refunded", {"order": {"id": "ORDER", "amount": "15.00"}})
REGISTRATION = ("customer_registered", {"customer": {"id": "FRIEND"}})

REFUNDED: Lifecycle = {"share": SHARE, "signed": SIGN_UP, "bought": CONVERSION, "back": REFUND}
REPLAYED: Lifecycle = {"signed": SIGN_UP, "bought": CONVERSION, "known": REGISTRATION, "back": PART}
TWO_PARTS: Lifecycle = {"bought": CONVERSION, "one": PART, "two": PART, "signed": SIGN_UP}

TIERS = {"friend": POINTS_50, "tiers": [EACH, milestone(1)]}
MINIMUM = {"name": "minimum", "when": "order.amount >= 80", "message": "At least 80."}


def filled(value: Any, names: dict[str, str]) -> Any:
    """The event's data, with names in the places that are kept for them."""
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    return names.get(value, value)


async def in_every_order(
    world: World, lifecycle: Lifecycle, **terms: Any
) -> dict[str, dict[str, Any]]:
    """The books that each order of arrival leads to, all of it sent three times, in a campaign of its own."""
    orders = {"-".join(order): order for order in permutations(lifecycle)}
    codes = {name: await begun(world, name, terms) for name in orders}
    await world.sleep(minutes=1)
    await asyncio.gather(*(played(world, name, codes[name], lifecycle) for name in orders))
    await world.sleep(days=15)
    await world.until_idle()
    return {name: await campaign_totals(world.store, name) for name in orders}


async def begun(world: World, name: str, terms: dict[str, Any]) -> str:
    await world.apply(campaign(name, **{"rewards": TIERS} | terms))
    return await world.publish(name, f"{name}-ada")


async def played(world: World, name: str, code: str, lifecycle: Lifecycle) -> None:
    """Each event says when it happened, whenever it arrives."""
    names = {"CODE": code, "FRIEND": f"{name}-fay", "ORDER": f"{name}-order"}
    began = world.now() - timedelta(seconds=30)
    times = {event: began + timedelta(seconds=n) for n, event in enumerate(lifecycle)}
    for event in name.split("-") * 3:
        kind, data = lifecycle[event]
        envelope = {"id": f"{name}-{event}", "time": times[event].isoformat()}
        await world.event(kind, filled(data, names), **envelope)


def agreed(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The books that all orders lead to."""
    first = next(iter(found.values()))
    assert {name: each for name, each in found.items() if each != first} == {}
    return first


async def test_a_refunded_lifecycle_ends_in_the_same_books_in_every_order(world: World):
    found = agreed(await in_every_order(world, REFUNDED))

    assert found == {
        "balances": {},
        "rewards": {},
        "referrals": {},
        "milestones": {},
        "shares": {"whatsapp": 1},
        "limit_counters": {"0/0/0": 1},
    }


async def test_and_so_does_one_that_is_held(world: World):
    found = agreed(await in_every_order(world, REFUNDED, conversion={"hold": "P14D"}))

    assert (found["balances"], found["referrals"]) == ({}, {})


async def test_and_so_does_one_that_keeps_its_rewards_though_the_friend_is_known_since(
    world: World,
):
    """The friend registers after signing up; that this arrives before the sign-up makes no existing customer."""
    terms = {"new_customers_only": True, "rules": [MINIMUM]}
    found = agreed(await in_every_order(world, REPLAYED, conversion=terms))

    assert found["balances"] == {"friend/wallet": 50, "advocate/wallet": 1100}
    assert found["milestones"] == {"at_1": 1}
    assert found["limit_counters"] == {"1/1/1": 1}


async def test_and_so_does_one_whose_refunds_are_too_much_only_together(world: World):
    found = agreed(await in_every_order(world, TWO_PARTS, conversion={"rules": [MINIMUM]}))

    assert (found["balances"], found["referrals"]) == ({}, {})


async def test_an_event_that_carries_no_code_needs_the_sign_up_before_it(world: World):
    """An order that leads to another outcome by rule: before the sign-up nothing says whose friend it is.

    Every repeat of the event gets the same response; the next event converts.
    """
    await world.apply(campaign(conversion={"event": "subscribed"}))
    code = await world.publish("spring", "ada")
    data = {"friend": {"id": "fay"}}

    early = [await world.event("subscribed", data, id="s-1") for _ in range(2)]
    await world.sign_up(code, "fay")
    repeat = await world.event("subscribed", data, id="s-1")
    late = await world.event("subscribed", data, id="s-2")

    assert early == [repeat, repeat]
    assert repeat["reason"]["code"] == "unknown_code"
    assert late["decision"] == "accepted"


async def test_a_friend_who_was_a_customer_before_signing_up_is_none_in_any_order(world: World):
    """Another one: a sign-up that was accepted before the registration arrives stays accepted."""
    await world.apply(campaign(conversion={"new_customers_only": True}))
    code = await world.publish("spring", "ada")
    await world.sleep(minutes=1)
    old, new = (world.now() - timedelta(seconds=s) for s in (50, 10))

    async def decided(friend: str, *events: Callable[[], Awaitable[Any]]) -> str:
        for event in events:
            await event()
        return str((await world.convert(code, friend))["decision"])

    def registered(friend: str) -> Callable[[], Awaitable[Any]]:
        return lambda: world.register(friend, time=old.isoformat())

    def signed_up(friend: str) -> Callable[[], Awaitable[Any]]:
        return lambda: world.sign_up(code, friend, time=new.isoformat())

    assert await decided("fay", registered("fay"), signed_up("fay")) == "rejected"
    assert await decided("gus", signed_up("gus"), registered("gus")) == "accepted"


async def test_a_share_counts_by_when_it_was_made_not_by_when_it_arrives(world: World):
    await world.apply(campaign(code={"valid_for": "P1D"}))
    code = await world.publish("spring", "ada")
    in_time = world.now().isoformat()
    await world.sleep(days=2)

    for _ in range(3):
        late = await world.share(code, id="late")
        early = await world.share(code, id="early", time=in_time)

    assert (late["decision"], late["reason"]["code"]) == ("rejected", "code_expired")
    assert early["decision"] == "accepted"
    assert (await campaign_totals(world.store, "spring"))["shares"] == {"link": 1}


async def test_a_conversion_counts_by_when_it_was_made_not_by_when_it_arrives(world: World):
    """Without a code too: the sign-up's window was open then, though it has expired meanwhile."""
    await world.apply(campaign(conversion={"event": "subscribed"}))
    code = await world.publish("spring", "ada")
    expired = await world.sign_up(code, "fay")
    in_time = world.now().isoformat()
    await world.sleep(days=31)
    await world.until_state(expired["referral"], "expired")

    answer = await world.event("subscribed", {"friend": {"id": "fay"}}, time=in_time)

    assert answer["decision"] == "accepted"
    assert await world.balance("ada") == 100


async def test_a_refund_sent_while_the_conversion_is_being_answered_takes_it_back(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    friends = [f"friend-{number}" for number in range(12)]

    for delay in (0, 1):
        await asyncio.gather(
            *(world.convert(code, friend) for friend in friends[delay::2]),
            *(world.refund(f"order-of-{friend}") for friend in friends[delay::2]),
        )

    found = await campaign_totals(world.store, "spring")
    assert found["referrals"] == {}
    assert found["balances"] == {}
    assert found["limit_counters"] == {"0/0/0": 1}


async def test_an_event_sent_many_times_at_once_is_processed_once(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")

    answers = await asyncio.gather(*(world.convert(code, "fay", id="e-1") for _ in range(20)))

    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["decision"] == "accepted"
    assert len(await world.all(schema.inbox_events, external_id="e-1")) == 1
    assert (await world.balance("ada"), await world.balance("fay")) == (100, 50)


async def test_two_sources_may_use_the_same_event_id(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")

    await world.convert(code, "fay", id="e-1", source="/shop/de")
    await world.convert(code, "gus", id="e-1", source="/shop/fr")

    assert await world.balance("ada") == 200


@pytest.mark.parametrize(
    ("field", "differing"),
    [
        ("type", {"type": "referral_signed_up"}),
        ("data.friend.id", {"friend": "gus"}),
        ("data.order.id", {"order": {"id": "other", "amount": "80.00", "currency": "EUR"}}),
        ("data.code", {"code": "OTHER-1"}),
    ],
)
async def test_the_id_of_an_event_of_another_type_or_subject_is_refused(
    world: World, field: str, differing: dict[str, Any]
):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    order = {"id": "1", "amount": "80.00", "currency": "EUR"}
    event = {"type": "referral_converted", "friend": "fay", "code": code, "order": order}
    first = await _send(world, **event)

    assert await _send(world, **event) == first
    with pytest.raises(EventIdReusedError) as caught:
        await _send(world, **event | differing)

    assert [error.field for error in caught.value.errors] == [field]
    assert (await world.balance("ada"), await world.balance("gus")) == (100, 0)


async def _send(world: World, *, type: str, friend: str, **data: Any) -> dict[str, Any]:
    if type == "referral_signed_up":
        del data["order"]
    return await world.event(type, {"friend": {"id": friend}, **data}, id="e-1")
