"""The lists, by what can be asked of them."""

from datetime import timedelta
from typing import Any

import pytest

from referrals.errors import UnknownCampaignError
from referrals.store.db.pages import Cursor
from referrals.store.reporting import details, lists, reward_lists
from referrals.store.reporting.summary import summarise
from referrals.store.views import Reason
from tests.harness.campaigns import THANKS, campaign
from tests.harness.store_harness import START, StoreHarness
from tests.store.merging.referral_states import in_review

ALL = Cursor(200)


async def test_customers_go_by_the_caller_s_ids(harness: StoreHarness):
    code = await harness.publish("spring", "ada@example.com")
    await harness.convert(code, "fay@example.com")
    async with harness.store.read() as tx:
        (referral,) = (await lists.list_referrals(tx, "spring", ALL)).data
        (listed,) = (await lists.list_codes(tx, "spring", ALL)).data
        rewards = (await reward_lists.list_rewards(tx, "spring", ALL, harness.time)).data
        log = (await lists.list_activity(tx, "spring", ALL)).data

    assert (referral.advocate, referral.friend) == ("ada@example.com", "fay@example.com")
    assert listed.customer == "ada@example.com"
    assert {reward.customer for reward in rewards} == {"ada@example.com", "fay@example.com"}
    assert "cus_" not in repr((referral, listed, rewards, log))


async def test_referrals_are_found_by_state_advocate_and_friend(harness: StoreHarness):
    ada = await harness.publish("spring", "ada")
    ben = await harness.publish("spring", "ben")
    rewarded = (await harness.convert(ada, "fay"))["referral"]
    signed_up = (await harness.sign_up(ben, "gil"))["referral"]
    async with harness.store.read() as tx:

        async def found(**which: str) -> list[str]:
            page = await lists.list_referrals(tx, "spring", ALL, **which)
            return [referral.id for referral in page.data]

        assert await found() == [signed_up, rewarded]
        assert await found(state="rewarded") == [rewarded]
        assert await found(advocate="ben") == [signed_up]
        assert await found(friend="fay") == [rewarded]
        assert await found(friend="fay", state="signed_up") == []
        assert await found(friend="nobody") == []


async def test_a_listed_referral_says_what_was_ordered_and_decided(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    await harness.convert(code, "ada", amount="119.90")
    async with harness.store.read() as tx:
        (referral,) = (await lists.list_referrals(tx, "spring", ALL)).data

    assert referral.state == "rejected"
    assert referral.reason == Reason("self_referral", "Advocates cannot refer themselves.")
    assert referral.order == {"id": "order-of-ada", "amount": "119.90", "currency": "EUR"}


async def test_rewards_are_found_by_state_and_customer(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    rolled_back = (await harness.convert(code, "fay"))["referral"]
    await harness.convert(code, "gil")
    await harness.roll_back(rolled_back)
    async with harness.store.read() as tx:

        async def found(**which: str) -> list[tuple[str, str, str]]:
            page = await reward_lists.list_rewards(tx, "spring", ALL, harness.time, **which)
            return sorted((r.customer, r.amount, r.state) for r in page.data)

        assert await found(customer="fay") == [("fay", "50", "rolled_back")]
        assert await found(customer="ada", state="granted") == [("ada", "100", "granted")]
        assert await found(state="failed") == []


async def test_rewards_that_wait_for_approval_are_found_once_they_are_due(harness: StoreHarness):
    rewards = campaign()["rewards"] | {"approval": "manual"}
    await harness.apply(campaign("manual", rewards=rewards, conversion={"hold": "P14D"}))
    await harness.convert(await harness.publish("manual", "ada"), "fay")

    async def found(**which: Any) -> set[str | None]:
        async with harness.store.read() as tx:
            page = await reward_lists.list_rewards(tx, "manual", ALL, harness.time, **which)
        return {reward.next_step for reward in page.data}

    assert await found() == {"due 2026-03-18 10:00 UTC, then waits for approval"}
    assert await found(awaiting_approval=True) == set()

    harness.time += timedelta(days=14)
    await harness.fire_timers("manual")
    assert await found(awaiting_approval=True) == {"waits for approval: approve or void it"}
    async with harness.store.read() as tx:
        summary = await summarise(tx, "manual", harness.time)
    assert summary.attention.rewards_to_approve == 2


async def test_a_reward_that_waits_for_a_review_is_not_due_in_the_past(harness: StoreHarness):
    await in_review(harness, await harness.publish("spring", "ada"), "fay")
    harness.time += timedelta(days=15)
    async with harness.store.read() as tx:
        page = await reward_lists.list_rewards(tx, "spring", ALL, harness.time)

    assert {reward.next_step for reward in page.data} == {"waits for the review of its referral"}


async def test_activity_is_found_by_type_customer_referral_and_time(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    await harness.convert(code, "fay")
    harness.time += timedelta(days=1)
    later = (await harness.convert(code, "gil"))["referral"]
    async with harness.store.read() as tx:

        async def found(**which: object) -> list[str]:
            page = await lists.list_activity(tx, "spring", ALL, **which)
            return [entry.type for entry in reversed(page.data)]

        assert await found(kind="referral_converted") == ["referral_converted"] * 2
        assert await found(customer="fay") == ["referral_converted", "reward_granted"]
        assert len(await found(customer="ada")) == len(await found())
        assert await found(referral=later) == [
            "referral_converted",
            "milestone_reached",
            "reward_granted",
            "reward_granted",
        ]
        assert await found(since=START + timedelta(hours=1)) == await found(referral=later)


async def test_codes_are_found_by_customer(harness: StoreHarness):
    await harness.publish("spring", "ada")
    expected = await harness.publish("spring", "ben")
    async with harness.store.read() as tx:
        page = await lists.list_codes(tx, "spring", ALL, customer="ben")

    assert [code.code for code in page.data] == [expected]


async def test_messages_are_found_by_state_and_customer(harness: StoreHarness):
    await harness.apply(campaign("thanks", journeys=THANKS))
    await harness.convert(await harness.publish("thanks", "ada"), "fay")
    async with harness.store.read() as tx:
        pending = (await lists.list_messages(tx, "thanks", ALL, state="pending")).data
        of_fay = (await lists.list_messages(tx, "thanks", ALL, customer="fay")).data
        sent = (await lists.list_messages(tx, "thanks", ALL, state="sent")).data

    assert {message.template for message in pending} == {"thank_advocate", "thank_friend"}
    assert [message.template for message in of_fay] == ["thank_friend"]
    assert sent == []


async def test_a_campaign_s_lists_hold_nothing_of_another_s(harness: StoreHarness):
    await harness.apply(campaign("summer"))
    await harness.convert(await harness.publish("spring", "ada"), "fay")
    async with harness.store.read() as tx:
        pages = [
            await lists.list_codes(tx, "summer", ALL),
            await lists.list_referrals(tx, "summer", ALL),
            await reward_lists.list_rewards(tx, "summer", ALL, harness.time),
            await lists.list_messages(tx, "summer", ALL),
            await lists.list_activity(tx, "summer", ALL),
            await details.list_advocates(tx, "summer", ALL, ""),
        ]

    assert [page.data for page in pages] == [[]] * 6


async def test_an_unknown_campaign_is_not_found(harness: StoreHarness):
    async with harness.store.read() as tx:
        with pytest.raises(UnknownCampaignError, match="autumn"):
            await lists.list_referrals(tx, "autumn", ALL)
