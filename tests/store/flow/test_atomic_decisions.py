"""A decision is one transaction: wherever it breaks off, nothing of it is there, and the next try does all of it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import event, select

from referrals.store import Store, schema
from referrals.store.db.sql import Tx
from referrals.store.referrals import conversions, milestones, roll_backs
from tests.harness.campaigns import EACH, POINTS_50, THANKS, campaign, milestone
from tests.harness.invariants import check, facts
from tests.harness.programme import Decide, Programme
from tests.harness.totals import books

REWARDS = {"friend": POINTS_50, "tiers": [EACH, milestone(1)]}


class BrokenOffError(Exception):
    """The connection is lost."""


@pytest.fixture
async def programme(store: Store) -> AsyncIterator[Programme]:
    opened = Programme(store, campaign(rewards=REWARDS, journeys=THANKS))
    await opened.begin("ada")
    return opened


@contextmanager
def breaking_off(store: Store, number: int) -> Iterator[None]:
    """The statement of this number, and all that would come after it, do not reach the database."""
    statements = count(1)

    def lose(*_: Any) -> None:
        if next(statements) >= number:
            raise BrokenOffError

    event.listen(store.decisions, "before_cursor_execute", lose)
    try:
        yield
    finally:
        event.remove(store.decisions, "before_cursor_execute", lose)


async def everything(store: Store) -> dict[str, list[Any]]:
    async with store.read() as tx:
        return {
            name: list((await tx.execute(select(table).order_by(*table.primary_key))).all())
            for name, table in schema.metadata.tables.items()
        }


async def broken_off_everywhere(programme: Programme, decide: Decide, event_id: str) -> int:
    """Break the decision off at each of its statements, one after another, until it gets through."""
    before = await everything(programme.store)
    for number in count(1):
        try:
            with breaking_off(programme.store, number):
                await programme.decide(decide, event_id)
        except BrokenOffError:
            assert await everything(programme.store) == before
        else:
            break
    return number - 1


async def test_a_conversion_and_its_roll_back_leave_nothing_wherever_they_break_off(
    programme: Programme,
):
    order = {"id": "7781", "amount": "100.00", "currency": "EUR"}
    data = {"friend": {"id": "fay"}, "code": programme.codes[0], "order": order}
    event = await programme.receive("referral_converted", data)

    assert await broken_off_everywhere(programme, conversions.convert, event.id) > 20
    await programme.settle()
    check(await facts(programme.store, programme.campaign))
    found = await books(programme.store, "spring")
    assert found["balances"] == {"friend/wallet": 50, "advocate/wallet": 1100}

    (referral,) = await programme.all(schema.referrals)
    command = await programme.ask("roll_back", referral.id)
    assert await broken_off_everywhere(programme, roll_backs.roll_back_by_operator, command.id) > 20
    await programme.settle()
    check(await facts(programme.store, programme.campaign))
    assert (await books(programme.store, "spring"))["balances"] == {}


async def test_a_milestone_leaves_nothing_wherever_its_settling_breaks_off(programme: Programme):
    await programme.convert("fay", programme.codes[0], id="7781", amount="100.00")
    (milestone,) = await programme.all(schema.milestones)

    async def settle(tx: Tx, milestone_id: str, now: datetime) -> None:
        await milestones.process(tx, milestone_id, "engine", now)

    assert await broken_off_everywhere(programme, settle, milestone.id) > 5

    found = await books(programme.store, "spring")
    assert found["balances"] == {"friend/wallet": 50, "advocate/wallet": 1100}
