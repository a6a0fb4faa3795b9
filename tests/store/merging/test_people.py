"""Merging contact details, consents, messages and rewards (docs/merging.md)."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from referrals.domain.events import Customer
from referrals.domain.message_status import MarketingPreference
from referrals.domain.reasons import Reason
from referrals.store import schema
from referrals.store.customers import consents, profiles
from referrals.store.messaging import status_reports, suppressions
from referrals.store.rewards import provider_rewards
from tests.harness.campaigns import POINTS_50, THANKS, campaign
from tests.harness.store_harness import StoreHarness

HOUR = timedelta(hours=1)


async def put(harness: StoreHarness, customer: str, **details: Any) -> str:
    async with harness.store.begin() as tx:
        return await profiles.upsert(tx, Customer(id=customer, **details), harness.now())


async def test_missing_details_are_taken_over_and_others_stay(harness):
    await put(harness, "ada", name="Ada", email="ada@example.com")
    await put(harness, "guest", name="A. L.", phone="+4915112345678", locale="de")
    report = await harness.merge("ada", "guest")
    (ada,) = await harness.all(schema.customers, external_id="ada")
    assert (ada.name, ada.email, ada.phone, ada.locale) == (
        "Ada",
        "ada@example.com",
        "+4915112345678",
        "de",
    )
    contact = [each for each in report["conflicts"] if each["kind"] == "contact"]
    assert [each["surviving"] for each in contact] == ["name"]


@pytest.mark.parametrize("first", ["ada", "guest", None])
async def test_the_earlier_time_as_a_customer_counts(harness, first):
    if first:
        await harness.receive("customer_registered", {"customer": {"id": first}})
        async with harness.store.begin() as tx:
            await profiles.mark_as_customer(tx, await harness.customer_id(first), harness.time)
    since = harness.time if first else None
    harness.time += HOUR
    await harness.merge("ada", "guest")
    (ada,) = await harness.all(schema.customers, external_id="ada")
    assert ada.customer_since == since


@pytest.mark.parametrize(
    ("of_survivor", "of_merged"), list(product(["given", "withdrawn", None], repeat=2))
)
@pytest.mark.parametrize("merged_is_later", [True, False])
async def test_the_stricter_consent_wins(harness, of_survivor, of_merged, merged_is_later):
    ids = {name: await put(harness, name) for name in ("ada", "guest")}
    stated = [("ada", of_survivor), ("guest", of_merged)]
    for name, state in stated if merged_is_later else reversed(stated):
        harness.time += HOUR
        if state:
            async with harness.store.begin() as tx:
                await consents.record_consent(
                    tx, ids[name], "email", "marketing", state, "api", harness.time
                )
    await harness.merge("ada", "guest")
    async with harness.store.read() as tx:
        channels = await consents.marketing_channels(tx, ids["ada"])
        history = await consents.history(tx, ids["ada"])
    both = {of_survivor, of_merged}
    assert channels == (["email"] if "given" in both and "withdrawn" not in both else [])
    later, earlier = (of_merged, of_survivor) if merged_is_later else (of_survivor, of_merged)
    repeated = (earlier, later) == ("withdrawn", "given")
    assert len(history) == sum(state is not None for _, state in stated) + repeated


async def test_equal_statements_and_suppressions_are_not_stored_twice(harness):
    ids = [await put(harness, name) for name in ("ada", "guest")]
    for customer_id in ids:
        async with harness.store.begin() as tx:
            await consents.record_consent(
                tx, customer_id, "email", "marketing", "given", "api", harness.time
            )
            await suppressions.add(
                tx, customer_id, "email", "hash", Reason("bounced", "Bounced."), harness.time
            )
    await harness.merge("ada", "guest")
    assert len(await harness.all(schema.consents, customer_id=ids[0])) == 1
    assert len(await harness.all(schema.suppressions, customer_id=ids[0])) == 1


async def test_a_suppressed_address_of_the_merged_customer_is_suppressed(harness):
    survivor, merged = [await put(harness, name) for name in ("ada", "guest")]
    async with harness.store.begin() as tx:
        reason = Reason("bounced", "Bounced.")
        await suppressions.add(tx, merged, "email", "hash", reason, harness.time)
    await harness.merge("ada", "guest")
    assert len(await harness.all(schema.suppressions, customer_id=survivor)) == 1


async def test_pending_messages_go_to_the_survivor(harness):
    await harness.apply(campaign(journeys=THANKS))
    code = await harness.publish("spring", "ben")
    await harness.convert(code, "guest")
    await harness.merge("ada", "guest")
    assert ("thank_friend", "ada", "pending") in await harness.messages()


async def test_a_running_journey_goes_on_about_the_survivor(harness):
    nudge = {
        "name": "nudge",
        "on": "referral_signed_up",
        "exit_on": ["referral_converted"],
        "steps": [
            {"wait": "P2D"},
            {"send": {"template": "nudge_friend", "to": "friend", "channels": ["log"]}},
        ],
    }
    await harness.apply(campaign(journeys=[nudge]))
    code = await harness.publish("spring", "ben")
    await harness.sign_up(code, "guest")
    await harness.merge("ada", "guest")
    (run,) = await harness.all(schema.journey_runs)
    assert run.friend_id == await harness.customer_id("ada")
    await harness.convert(None, "guest", campaign="spring")
    (run,) = await harness.all(schema.journey_runs)
    assert run.state == "exited"


PROVIDED = {"friend": POINTS_50, "provider": "http", "target": {}}


@pytest.mark.parametrize(
    ("state", "known_as"),
    [
        ("pending", "ada"),
        ("granting", "guest"),
        ("granted", "guest"),
        ("rolling_back", "guest"),
        ("failed", "guest"),
    ],
)
async def test_a_provider_is_asked_under_the_id_that_it_knows(harness, state, known_as):
    await harness.apply(campaign(rewards=PROVIDED))
    code = await harness.publish("spring", "ben")
    await harness.convert(code, "guest")
    (reward,) = await harness.all(schema.rewards, side="friend")
    async with harness.store.begin() as tx:
        values = {"state": state, "granted_at": harness.time if state == "granted" else None}
        await tx.execute(
            schema.rewards.update().where(schema.rewards.c.id == reward.id).values(values)
        )
    await harness.merge("ada", "guest")
    (after,) = await harness.all(schema.rewards, id=reward.id)
    assert (after.key, after.state) == (reward.key, state)
    assert after.customer_id == await harness.customer_id("ada")
    async with harness.store.begin() as tx:
        await tx.execute(
            schema.rewards.update()
            .where(schema.rewards.c.id == reward.id)
            .values(state="rolling_back" if state in ("granted", "failed") else state)
        )
        task = await provider_rewards.begin(tx, reward.id, harness.now())
    assert task is not None
    assert task.customer == known_as


async def test_a_pending_reward_is_granted_to_the_survivor(harness):
    await harness.apply(campaign(conversion={"hold": "P14D"}))
    code = await harness.publish("spring", "ben")
    await harness.convert(code, "guest")
    await harness.merge("ada", "guest")
    harness.time += timedelta(days=15)
    await harness.fire_timers("spring")
    assert await harness.balance("ada") == 50
    assert await harness.balance("ben") == 100


async def test_a_phone_that_was_not_taken_over_gives_no_consent(harness):
    await put(harness, "ada", phone="+4915112345678")
    await put(harness, "guest", phone="+4915187654321")
    await harness.merge("ada", "guest")

    wish = MarketingPreference("whatsapp", "+4915187654321", "resume", harness.now())
    async with harness.store.begin() as tx:
        await status_reports.record_preference(tx, wish, harness.now())

    assert await harness.all(schema.consents) == []
