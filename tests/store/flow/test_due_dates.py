"""The day that a message names is that of the recipient's own reward."""

from collections import Counter
from datetime import timedelta
from typing import Any

from referrals.store import schema
from referrals.store.db.sql import RowCache
from referrals.store.messaging import drafts, log_channel
from referrals.store.messaging.channel_selection import SendingRules
from tests.harness.campaigns import THANKS, campaign
from tests.harness.store_harness import StoreHarness

DEFER = {"cooldown": {"period": "P1D", "on_hit": "defer"}}


async def due_dates(harness: StoreHarness) -> Counter[tuple[str, Any]]:
    messages = await harness.all(schema.messages)
    async with harness.store.begin() as tx:
        subjects = await log_channel.lock_pending(
            tx, [row.id for row in messages], SendingRules({"log": False})
        )
        built = [
            await drafts.build_draft(RowCache(tx), subject, "http://x") for subject in subjects
        ]
    return Counter((draft.message.template, draft.context["due_at"]) for draft in built)


async def test_a_delayed_reward_has_its_day_and_nobody_else(harness: StoreHarness):
    await harness.apply(campaign(journeys=THANKS, limits=DEFER))
    code = await harness.publish("spring", "ada")
    await harness.convert(code, "fay")
    harness.time += timedelta(minutes=1)
    await harness.convert(code, "gus")
    tomorrow = (harness.time + timedelta(days=1)).date()

    assert await due_dates(harness) == {
        ("thank_advocate", None): 1,
        ("thank_advocate", tomorrow): 1,
        ("thank_friend", None): 2,
    }


async def test_a_held_reward_has_the_day_on_which_the_hold_ends(harness: StoreHarness):
    await harness.apply(campaign(journeys=THANKS, conversion={"hold": "P14D"}))
    await harness.convert(await harness.publish("spring", "ada"), "fay")
    end = (harness.time + timedelta(days=14)).date()

    assert await due_dates(harness) == {("thank_advocate", end): 1, ("thank_friend", end): 1}
