"""Merging two advocates (docs/merging.md, "Two advocates" and "A friend who is the advocate")."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from referrals.store import schema
from referrals.store.reporting import details
from tests.harness.campaigns import EACH, campaign, milestone
from tests.harness.store_harness import StoreHarness
from tests.store.merging.referral_states import BUILDERS, referral_of

TEN_AFTER_2 = {"friend": None, "tiers": [EACH, milestone(2)]}


async def advocates_of(harness: StoreHarness, customer: str) -> list[object]:
    (row,) = await harness.all(schema.customers, external_id=customer)
    return await harness.all(schema.advocates, customer_id=row.id, merged_into=None)


async def test_an_advocate_of_another_campaign_keeps_code_and_count(harness):
    await harness.apply(campaign("summer"))
    await harness.publish("spring", "ada")
    code = await harness.publish("summer", "guest")
    await harness.convert(code, "fay")
    await harness.merge("ada", "guest")
    await harness.convert(code, "flo")

    counts = {row.campaign_id: row.confirmed_count for row in await advocates_of(harness, "ada")}
    assert counts == {"spring": 0, "summer": 2}
    assert await harness.balance("ada") == 200


async def test_codes_and_counts_of_two_advocates_are_united(harness):
    codes = [await harness.publish("spring", name) for name in ("ada", "guest")]
    referral = (await harness.convert(codes[0], "fay"))["referral"]
    await harness.convert(codes[1], "flo")
    report = await harness.merge("ada", "guest")
    assert report["moved"]["codes"] == 1
    (advocate,) = await advocates_of(harness, "ada")
    assert advocate.confirmed_count == 2
    for code in await harness.all(schema.codes):
        assert (code.advocate_id, code.uses) == (advocate.id, 1)
    await harness.convert(codes[1], "fred")
    await harness.command("roll_back", referral)
    (advocate,) = await advocates_of(harness, "ada")
    assert advocate.confirmed_count == 2


async def test_merged_counts_reach_a_tier_with_the_next_conversion(harness):
    codes = [await harness.publish("spring", name) for name in ("ada", "guest")]
    for code, friend in zip(codes, ("fay", "flo"), strict=True):
        await harness.convert(code, friend)
    await harness.merge("ada", "guest")
    assert await harness.all(schema.milestones) == []
    await harness.convert(codes[1], "fred")
    (reached,) = await harness.all(schema.milestones)
    await harness.complete_milestones()
    assert reached.state == "reached"
    assert await harness.balance("ada") == 300 + 1000


async def two_who_reached_it(harness: StoreHarness) -> list[str]:
    """Let ada and guest reach the milestone by two conversions each, and merge them; return their referrals."""
    referrals = []
    for name in ("ada", "guest"):
        code = await harness.publish("spring", name)
        for number in range(2):
            answer = await harness.convert(code, f"{name}-{number}")
            referrals += [answer["referral"]]
    await harness.complete_milestones()
    report = await harness.merge("ada", "guest")
    assert "same_milestone" in {conflict["kind"] for conflict in report["conflicts"]}
    return referrals


async def test_a_milestone_that_both_reached_stays_paid_and_is_not_paid_again(harness):
    await two_who_reached_it(harness)
    own, duplicate = await harness.all(schema.milestones)
    assert {own.state, duplicate.state} == {"reached"}
    assert duplicate.duplicate_of == own.id
    assert await harness.balance("ada") == 400 + 2000
    code = (await harness.all(schema.codes))[0].code
    await harness.convert(code, "fred")
    await harness.complete_milestones()
    assert await harness.balance("ada") == 500 + 2000


async def test_a_count_below_the_tier_loses_the_milestone_and_its_duplicate(harness):
    referrals = await two_who_reached_it(harness)
    for number, referral in enumerate(referrals[:3], 1):
        await harness.command("roll_back", referral)
        states = {row.state for row in await harness.all(schema.milestones)}
        assert states == ({"lost"} if number == 3 else {"reached"})
    await harness.complete_milestones()
    assert await harness.balance("ada") == 100
    code = (await harness.all(schema.codes))[0].code
    await harness.convert(code, "fred")
    await harness.complete_milestones()
    occurrences = [row.occurrence for row in await harness.all(schema.milestones)]
    assert sorted(occurrences) == [1, 2, 3]
    assert await harness.balance("ada") == 200 + 1000


async def test_a_milestone_of_the_merged_one_alone_counts_as_reached(harness):
    codes = [await harness.publish("spring", name) for name in ("ada", "guest")]
    for friend in ("fay", "flo"):
        await harness.convert(codes[1], friend)
    await harness.complete_milestones()
    await harness.merge("ada", "guest")
    await harness.convert(codes[0], "fred")
    await harness.complete_milestones()
    assert len(await harness.all(schema.milestones)) == 1
    assert await harness.balance("ada") == 300 + 1000


@pytest.mark.parametrize("owners", [("ada", "guest"), ("guest",)])
async def test_a_publication_returns_the_sole_code_that_it_returned_before(harness, owners):
    await harness.apply(campaign(code={"join_once": True}))
    codes = {}
    for name in reversed(owners):
        codes[name] = await harness.publish("spring", name)
        harness.time += timedelta(hours=1)
    await harness.merge("ada", "guest")
    assert await harness.publish("spring", "guest") == codes[owners[0]]
    assert await harness.publish("spring", "ada") == codes[owners[0]]
    for code in codes.values():
        assert (await harness.convert(code, f"friend-of-{code}"))["decision"] == "accepted"
    (advocate,) = await advocates_of(harness, "ada")
    assert advocate.confirmed_count == len(owners)


LIMITS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "per_advocate": ({"per_advocate": {"count": 1}}, "rejected", "advocate_limit_reached"),
    "per_advocate_and_period": (
        {"per_advocate": {"count": 1, "period": "P30D"}},
        "rejected",
        "advocate_limit_reached",
    ),
    "cooldown": ({"cooldown": {"period": "P1D", "on_hit": "reject"}}, "rejected", "in_cooldown"),
    "deferring_cooldown": (
        {"cooldown": {"period": "P1D", "on_hit": "defer"}},
        "deferred",
        None,
    ),
    "conversions": ({"conversions": 2}, "rejected", "campaign_limit_reached"),
}
"""Limits that one conversion of each exhausts, and the next decision after the merge."""


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("last", ["ada", "guest"])
async def test_limits_and_cooldowns_count_the_conversions_of_both(harness, limit, last):
    """Before the merge each is within the limits; accepted conversions stay."""
    limits, decision, reason = LIMITS[limit]
    await harness.apply(campaign(limits=limits))
    codes = {name: await harness.publish("spring", name) for name in ("ada", "guest")}
    for name in sorted(codes, key=lambda name: name == last):
        assert (await harness.convert(codes[name], f"of-{name}"))["decision"] == "accepted"
        harness.time += timedelta(hours=1)
    await harness.merge("ada", "guest")
    for name, code in codes.items():
        answer = await harness.convert(code, f"later-of-{name}")
        assert answer["decision"] == decision
        assert (answer["reason"] or {}).get("code") == reason
    due = [row.due_at for row in await harness.all(schema.rewards, state="pending")]
    last_at = harness.time - timedelta(hours=1)
    expected = [last_at + timedelta(days=days) for days in (1, 2)] if decision == "deferred" else []
    assert sorted(due) == expected


async def test_shares_clicks_and_open_work_move_to_the_survivors_advocate(harness):
    thanks = {"send": {"template": "milestone", "to": "advocate", "channels": ["log"]}}
    journeys = [
        {"name": "now", "on": "referral_link_shared", "steps": [thanks]},
        {"name": "later", "on": "referral_link_shared", "steps": [{"wait": "P1D"}, thanks]},
    ]
    await harness.apply(campaign(journeys=journeys))
    codes = [await harness.publish("spring", name) for name in ("ada", "guest")]
    await harness.share(codes[1])
    await harness.click(codes[1])
    await harness.merge("ada", "guest")

    (advocate,) = await advocates_of(harness, "ada")
    for table in (schema.messages, schema.journey_runs):
        assert [row.advocate_id for row in await harness.all(table)] == [advocate.id]
    async with harness.store.read() as tx:
        shown = await details.get_advocate(
            tx, "spring", "guest", harness.now(), "https://x.example"
        )
    assert (shown.customer, shown.counts.shares, shown.counts.clicks) == (
        "ada",
        {"link": 1},
        {"link": 1},
    )


PASTS = ("never", "reached", "lost")
"""Histories of an advocate with a milestone for two conversions. Each leaves one conversion, or two if reached."""


async def with_past(harness: StoreHarness, name: str, past: str) -> str:
    code = await harness.publish("spring", name)
    first = await harness.convert(code, f"{name}-0")
    if past != "never":
        await harness.convert(code, f"{name}-1")
        await harness.complete_milestones()
    if past == "lost":
        await harness.command("roll_back", first["referral"])
        await harness.complete_milestones()
    return code


@pytest.mark.parametrize(("of_survivor", "of_merged"), list(product(PASTS, repeat=2)))
async def test_a_milestone_is_paid_once_for_each_occurrence(harness, of_survivor, of_merged):
    pasts = {"ada": of_survivor, "guest": of_merged}
    codes = [await with_past(harness, name, past) for name, past in pasts.items()]
    before = {row.id: (row.state, row.reached_at) for row in await harness.all(schema.milestones)}
    await harness.merge("ada", "guest")
    await harness.complete_milestones()
    after = await harness.all(schema.milestones)
    reached = [past for past in pasts.values() if past == "reached"]
    conversions = 2 + len(reached)
    assert {row.id: (row.state, row.reached_at) for row in after} == before
    assert sorted(row.occurrence for row in after) == list(range(1, len(after) + 1))
    assert await harness.balance("ada") == 100 * conversions + 1000 * len(reached)

    await harness.convert(codes[1], "later")
    await harness.complete_milestones()
    paid = max(1, len(reached))
    assert await harness.balance("ada") == 100 * (conversions + 1) + 1000 * paid
    assert len(await harness.all(schema.milestones)) == len(after) + (not reached)

    for row in await harness.all(schema.referrals):
        if row.state == "rewarded":
            await harness.command("roll_back", row.id)
    await harness.complete_milestones()
    assert {row.state for row in await harness.all(schema.milestones)} == {"lost"}
    assert await harness.balance("ada") == 0


async def test_a_journey_that_one_of_them_entered_is_not_entered_again(harness):
    journey = {
        "name": "once",
        "on": "referral_link_shared",
        "reentry": "never",
        "steps": [{"send": {"template": "milestone", "to": "advocate", "channels": ["log"]}}],
    }
    await harness.apply(campaign(journeys=[journey]))
    codes = [await harness.publish("spring", name) for name in ("ada", "guest")]
    await harness.share(codes[1])
    await harness.merge("ada", "guest")
    await harness.share(codes[0])
    assert len(await harness.all(schema.messages)) == 1


SELF_REFERRALS = {
    "signed_up": "rejected",
    "held": "rejected",
    "in_review": "rejected",
    "confirmed": "rolled_back",
    "rewarded": "rolled_back",
    "rolled_back": "rolled_back",
    "expired": "expired",
    "rejected": "rejected",
}


@pytest.mark.parametrize("state", SELF_REFERRALS)
@pytest.mark.parametrize("survivor", ["advocate", "friend"])
async def test_a_self_referral_that_becomes_known_is_undone(harness, state, survivor):
    code = await harness.publish("spring", "advocate")
    await BUILDERS[state](harness, code, "friend")
    before = await referral_of(harness, "friend")
    merged = {"advocate": "friend", "friend": "advocate"}[survivor]
    report = await harness.merge(survivor, merged)
    (after,) = await harness.all(schema.referrals)
    assert after.state == SELF_REFERRALS[state]
    conflicts = [each for each in report["conflicts"] if each["kind"] == "self_referral"]
    assert len(conflicts) == (before.state != after.state)
    if before.state != after.state:
        assert after.reason_code == "self_referral"
    assert await harness.balance(survivor) == 0
    (advocate,) = await advocates_of(harness, survivor)
    assert advocate.confirmed_count == 0


async def test_a_referral_by_somebody_else_stays_rather_than_a_self_referral(harness):
    code = await harness.publish("spring", "ada")
    other = await harness.publish("spring", "ben")
    await harness.convert(code, "guest")
    await harness.convert(other, "ada")
    await harness.merge("ada", "guest")
    states = {row.code: row.state for row in await harness.all(schema.referrals)}
    assert states == {code: "rolled_back", other: "rewarded"}
    assert await harness.balance("ben") == 100
    assert await harness.balance("ada") == 50


async def test_an_advocate_whom_somebody_else_referred_stays_advocate_and_friend(harness):
    code, other = [await harness.publish("spring", name) for name in ("ada", "ben")]
    await harness.convert(other, "guest")
    await harness.convert(code, "fay")
    await harness.merge("ada", "guest")
    states = {row.code: row.state for row in await harness.all(schema.referrals)}
    assert states == {code: "rewarded", other: "rewarded"}
    assert await harness.balance("ada") == 100 + 50
    (advocate,) = await advocates_of(harness, "ada")
    assert advocate.confirmed_count == 1
