"""A sign-up is stored and decided in one transaction. Decisions at the same time lock the same rows in the same order."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from referrals.domain.events import parse_event
from referrals.store import Store
from referrals.store.codes import publications
from referrals.store.flow import receiving, responses
from referrals.store.flow.event_loop import decision
from referrals.store.inbox import inbox_events
from referrals.store.merging import merge
from referrals.store.referrals import conversions, order_changes, signups
from tests.harness.campaigns import campaign
from tests.harness.store_harness import MAX_AGE, StoreHarness

Decision = Callable[[], Awaitable[Any]]
Prepare = Callable[[StoreHarness, str], Awaitable[Decision]]
ORDER = {"id": "o1", "amount": "100.00", "currency": "EUR"}


async def conversion(harness: StoreHarness, code: str) -> Decision:
    data = {"code": code, "friend": {"id": "fay"}, "order": ORDER}
    row = await harness.receive("referral_converted", data)
    return lambda: harness.decide(conversions.convert, row.id)


async def merging(harness: StoreHarness, code: str) -> Decision:
    await harness.sign_up(code, "fay")
    row = await harness.receive("customer_merged", {"customer": {"id": "fay"}, "from": "guest"})
    return lambda: harness.decide(merge.decide, row.id)


async def publication(harness: StoreHarness, _: str) -> Decision:
    async with harness.store.begin() as tx:
        row = await inbox_events.store_command(
            tx,
            "publish",
            "shop",
            harness.now(),
            data={},
            campaign_id="spring",
            customer_id=await harness.customer_id("fay"),
        )

    async def publish() -> None:
        async with decision(harness.store) as tx:
            await publications.publish_for_event(tx, row.id, "spring", harness.now())

    return publish


async def reinstatement(harness: StoreHarness, code: str) -> Decision:
    """Prepare the reinstatement of an order that was cancelled before its conversion."""
    await harness.event("order_cancelled", {"order": {"id": "o1"}})
    answer = await harness.convert(code, "fay", order="o1")
    row = await harness.receive("order_reinstated", {"order": {"id": "o1"}})
    async with harness.store.begin() as tx:
        await order_changes.record(tx, row.id)

    async def reinstate() -> None:
        async with decision(harness.store) as tx:
            await order_changes.apply_to_referral(tx, row.id, answer["referral"], harness.now())

    return reinstate


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("prepare", "owner"),
    [
        (conversion, "ada"),
        (merging, "ada"),
        (publication, "fay"),
        (reinstatement, "ada"),
    ],
)
async def test_a_sign_up_of_the_same_person_at_once_causes_no_deadlock(
    store: Store, prepare: Prepare, owner: str
):
    harness = StoreHarness(store)
    await harness.apply(campaign())
    code = await harness.publish("spring", owner)
    decide = await prepare(harness, code)
    data = {"code": code, "friend": {"id": "fay"}}
    raw = {"specversion": "1.0", "id": "e-1", "source": "app", "type": "referral_signed_up"}
    has_stored = asyncio.Event()

    async def sign_up() -> None:
        async with store.begin() as tx:
            event = parse_event(raw | {"data": data})
            received = await receiving.receive(tx, event, "app", harness.now(), MAX_AGE, {})
            has_stored.set()
            await asyncio.sleep(0.3)  # the other decision gets as far as it can
            await responses.decide(tx, lambda tx: signups.decide(tx, received.row, harness.now()))

    async def decide_meanwhile() -> None:
        await has_stored.wait()
        await decide()

    await asyncio.gather(sign_up(), decide_meanwhile())
