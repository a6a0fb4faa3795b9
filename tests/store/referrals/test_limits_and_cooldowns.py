"""Limits and cooldowns by calendar periods and by due times."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from referrals.domain.reasons import ReviewReason
from referrals.store import schema
from referrals.store.referrals import conversions
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.store_harness import StoreHarness

DAY = timedelta(days=1)


async def decisions(harness: StoreHarness, code: str, *friends: str) -> list[str]:
    answers = [await harness.convert(code, friend) for friend in friends]
    return [
        answer["reason"]["code"] if answer["reason"] else answer["decision"] for answer in answers
    ]


async def due_times(harness: StoreHarness, side: str) -> list[datetime]:
    return sorted(row.due_at for row in await harness.all(schema.rewards, side=side))


async def test_three_a_day_are_counted_from_midnight_in_the_campaigns_zone(harness: StoreHarness):
    limits = {"per_advocate": {"count": 3, "period": "day"}}
    await harness.apply(campaign(timezone="Asia/Tokyo", limits=limits))
    code = await harness.publish("spring", "ada")
    harness.time = datetime(2026, 3, 4, 14, 59, tzinfo=UTC)  # a minute before midnight in Tokyo

    before = await decisions(harness, code, "a", "b", "c", "d")
    harness.time += timedelta(minutes=1)
    after = await decisions(harness, code, "d", "e", "f", "g")

    assert before == ["accepted"] * 3 + ["advocate_limit_reached"]
    assert after == ["accepted"] * 3 + ["advocate_limit_reached"]


async def test_a_late_event_counts_in_the_day_on_which_it_happened(harness: StoreHarness):
    await harness.apply(campaign(limits={"per_advocate": {"count": 1, "period": "day"}}))
    code = await harness.publish("spring", "ada")
    yesterday = (harness.time + DAY).isoformat()
    harness.time += 2 * DAY
    await harness.convert(code, "today")

    late = await harness.convert(code, "late", time=yesterday)
    later = await harness.convert(code, "later", time=yesterday)

    assert late["decision"] == "accepted"
    assert later["reason"]["code"] == "advocate_limit_reached"


async def test_a_budget_of_a_month_is_renewed_with_the_month(harness: StoreHarness):
    budget = {"points": 200, "period": "month"}
    await harness.apply(campaign(timezone="Europe/Berlin", limits={"budget": budget}))
    code = await harness.publish("spring", "ada")
    harness.time = datetime(2026, 3, 31, 21, 59, tzinfo=UTC)

    march = await decisions(harness, code, "a", "b")
    harness.time += timedelta(minutes=1)
    april = await decisions(harness, code, "b", "c")

    assert march == april == ["accepted", "budget_exhausted"]


async def test_a_cooldown_spaces_the_advocates_rewards_also_after_a_longer_hold(
    harness: StoreHarness,
):
    """Three conversions in a second; only the advocate's own rewards are spaced."""
    limits = {"cooldown": {"period": "P1D", "on_hit": "defer"}}
    rewards = {"friend": POINTS_50, "tiers": [EACH, milestone(3)]}
    await harness.apply(campaign(conversion={"hold": "P14D"}, limits=limits, rewards=rewards))
    code = await harness.publish("spring", "ada")
    end = harness.time + 14 * DAY

    assert await decisions(harness, code, "a", "b", "c") == ["held", "deferred", "deferred"]
    assert await due_times(harness, "advocate") == [end, end + DAY, end + 2 * DAY]
    assert await due_times(harness, "friend") == [end] * 3
    harness.time = end
    await harness.fire_timers("spring")
    await harness.complete_milestones()
    assert [await harness.balance(friend) for friend in "abc"] == [50] * 3
    assert await harness.balance("ada") == 100 + 1000
    harness.time = end + DAY
    await harness.fire_timers("spring")
    assert await harness.balance("ada") == 200 + 1000
    harness.time = end + 2 * DAY
    await harness.fire_timers("spring")
    assert await harness.balance("ada") == 300 + 1000
    assert {row.state for row in await harness.all(schema.referrals)} == {"rewarded"}


async def test_one_reward_a_day_comes_at_midnight(harness: StoreHarness):
    limits = {"cooldown": {"period": "day", "on_hit": "defer"}}
    await harness.apply(campaign(timezone="Europe/Berlin", limits=limits))
    code = await harness.publish("spring", "ada")
    harness.time = datetime(2026, 3, 28, 12, tzinfo=UTC)

    assert await decisions(harness, code, "a", "b", "c") == ["accepted", "deferred", "deferred"]
    assert (await due_times(harness, "advocate"))[1:] == [
        datetime(2026, 3, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 29, 22, tzinfo=UTC),  # the day of the change has 23 hours
    ]


async def test_a_cooldown_defers_nothing_where_only_milestones_are_rewarded(harness: StoreHarness):
    limits = {"cooldown": {"period": "P1D", "on_hit": "defer"}}
    await harness.apply(campaign(limits=limits, rewards={"tiers": [milestone(2)]}))
    code = await harness.publish("spring", "ada")

    assert await decisions(harness, code, "a", "b") == ["accepted", "accepted"]


async def test_a_rolled_back_conversion_spaces_nothing(harness: StoreHarness):
    limits = {"cooldown": {"period": "P1D", "on_hit": "defer"}}
    await harness.apply(campaign(limits=limits))
    code = await harness.publish("spring", "ada")
    await harness.convert(code, "a")
    second = await harness.convert(code, "b")
    await harness.command("roll_back", second["referral"])

    third = await harness.convert(code, "c")

    assert [r["due_at"] for r in third["rewards"] if r["side"] == "advocate"] == [
        (harness.time + DAY).isoformat()
    ]


GERMANS: dict[str, Any] = {
    "rules": [{"name": "german", "when": "has(friend.locale)", "message": "Germans only."}]
}


async def test_a_rule_on_a_field_that_was_not_understood_waits_for_a_person(harness: StoreHarness):
    await harness.apply(campaign(conversion=GERMANS))
    code = await harness.publish("spring", "ada")
    data = {"code": code, "friend": {"id": "fay", "locale": "Deutsch (Standard)"}}
    order = {"order": {"id": "7", "amount": "80.00", "currency": "EUR"}}

    answer = await harness.event("referral_converted", data | order)

    assert answer["decision"] == "held"
    assert answer["reason"] == {
        "code": ReviewReason.INCOMPLETE_DATA,
        "message": "The rule german reads a field that was left out: friend.locale.",
        "rule": "german",
    }
    (referral,) = await harness.all(schema.referrals)
    assert (referral.state, referral.reason_code) == ("in_review", "incomplete_data")
    await harness.command("approve", answer["referral"])
    refund = {"order": {"id": "7", "amount": "10.00"}}
    await harness.event("order_refunded", refund)
    (referral,) = await harness.all(schema.referrals)
    assert (referral.state, referral.reason_code) == ("rewarded", None)


async def test_conversions_at_once_are_spaced_one_after_another(harness: StoreHarness):
    limits = {"cooldown": {"period": "P1D", "on_hit": "defer"}}
    await harness.apply(campaign(conversion={"hold": "P14D"}, limits=limits))
    code = await harness.publish("spring", "ada")
    friends = [f"friend-{number}" for number in range(8)]
    rows = [
        await harness.receive("referral_converted", {"code": code, "friend": {"id": friend}})
        for friend in friends
    ]

    await asyncio.gather(*(harness.decide(conversions.convert, row.id) for row in rows))

    end = harness.time + 14 * DAY
    assert await due_times(harness, "advocate") == [end + number * DAY for number in range(8)]
