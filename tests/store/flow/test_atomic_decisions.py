"""A decision is one transaction: if it fails anywhere, nothing of it is stored, and a retry does all of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import event, select

from referrals.domain.actors import SYSTEM_ACTOR
from referrals.domain.campaign import Campaign
from referrals.store import Store, schema
from referrals.store.db.sql import Tx
from referrals.store.referrals import conversions, milestones, roll_backs
from tests.harness.base import Decide
from tests.harness.campaigns import EACH, POINTS_50, THANKS, campaign, milestone
from tests.harness.invariants import check, load_facts
from tests.harness.store_harness import StoreHarness
from tests.harness.totals import campaign_totals

REWARDS = {"friend": POINTS_50, "tiers": [EACH, milestone(1)]}


class ConnectionLostError(Exception):
    pass


CAMPAIGN = campaign(rewards=REWARDS, journeys=THANKS)


@pytest.fixture
async def harness(store: Store) -> StoreHarness:
    opened = StoreHarness(store, tick=timedelta(seconds=1), repeat=True)
    await opened.apply(CAMPAIGN)
    return opened


async def assert_invariants(harness: StoreHarness) -> None:
    check(await load_facts(harness.store, Campaign.model_validate(CAMPAIGN)))


@contextmanager
def connection_lost_at(store: Store, number: int) -> Iterator[None]:
    """Lose the statement with this number and all statements after it."""
    statements = count(1)

    def lose(*_: Any) -> None:
        if next(statements) >= number:
            raise ConnectionLostError

    event.listen(store.decisions, "before_cursor_execute", lose)
    try:
        yield
    finally:
        event.remove(store.decisions, "before_cursor_execute", lose)


async def all_rows(store: Store) -> dict[str, list[Any]]:
    async with store.read() as tx:
        return {
            name: list((await tx.execute(select(table).order_by(*table.primary_key))).all())
            for name, table in schema.metadata.tables.items()
        }


async def fail_at_every_statement(harness: StoreHarness, decide: Decide, event_id: str) -> int:
    """Lose the connection at each statement of the decision in turn, until the decision is complete.

    Returns the number of statements.
    """
    before = await all_rows(harness.store)
    for number in count(1):
        try:
            with connection_lost_at(harness.store, number):
                await harness.decide(decide, event_id)
        except ConnectionLostError:
            assert await all_rows(harness.store) == before
        else:
            break
    return number - 1


async def test_a_conversion_and_its_roll_back_store_nothing_if_they_fail(harness: StoreHarness):
    order = {"id": "7781", "amount": "100.00", "currency": "EUR"}
    code = await harness.publish("spring", "ada")
    data = {"friend": {"id": "fay"}, "code": code, "order": order}
    event = await harness.receive("referral_converted", data)

    assert await fail_at_every_statement(harness, conversions.convert, event.id) > 20
    await harness.complete_milestones()
    await assert_invariants(harness)
    found = await campaign_totals(harness.store, "spring")
    assert found["balances"] == {"friend/wallet": 50, "advocate/wallet": 1100}

    (referral,) = await harness.all(schema.referrals)
    command = await harness.receive_command("roll_back", referral.id)
    assert await fail_at_every_statement(harness, roll_backs.roll_back_by_operator, command.id) > 20
    await harness.complete_milestones()
    await assert_invariants(harness)
    assert (await campaign_totals(harness.store, "spring"))["balances"] == {}


async def test_completing_a_milestone_stores_nothing_if_it_fails(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    await harness.convert(code, "fay")
    (milestone,) = await harness.all(schema.milestones)

    async def complete(tx: Tx, milestone_id: str, now: datetime) -> None:
        await milestones.process(tx, milestone_id, SYSTEM_ACTOR, now)

    assert await fail_at_every_statement(harness, complete, milestone.id) > 5

    found = await campaign_totals(harness.store, "spring")
    assert found["balances"] == {"friend/wallet": 50, "advocate/wallet": 1100}
