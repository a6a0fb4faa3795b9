"""One advocate, one referral, one campaign's numbers."""

from datetime import timedelta

import pytest

from referrals.errors import UnknownAdvocateError, UnknownReferralError
from referrals.store.db.pages import Cursor
from referrals.store.reporting import details
from referrals.store.reporting.summary import summarise
from referrals.store.views import AdvocateCounts, NextTier, Revenue, RewardSum, TopAdvocate
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness

URL = "https://shop.example"


async def test_an_advocate_has_a_code_with_its_links(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    async with harness.store.read() as tx:
        ada = await details.get_advocate(tx, "spring", "ada", harness.time, URL)

    assert ada.code == code
    assert ada.link == f"{URL}/r/{code}"
    assert set(ada.share) == {"whatsapp", "email", "x", "facebook", "telegram", "link"}


async def test_an_advocate_s_friends_are_counted_by_how_far_they_came(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    for channel in ("email", "whatsapp", "email"):
        await harness.event("referral_link_shared", {"code": code, "channel": channel})
        await harness.click(code, channel)
    for friend in ("fay", "gil", "hal"):
        await harness.sign_up(code, friend)
    await harness.convert(code, "fay")
    await harness.roll_back((await harness.convert(code, "gil"))["referral"])
    await harness.convert(code, "ada")
    async with harness.store.read() as tx:
        ada = await details.get_advocate(tx, "spring", "ada", harness.time, URL)
        (listed,) = (await details.list_advocates(tx, "spring", Cursor(), URL)).data

    shares = {"email": 2, "whatsapp": 1}
    assert ada.counts == AdvocateCounts(
        shares, clicks=shares, signed_up=3, converted=1, confirmed=1, rewarded=1
    )
    assert listed.counts == ada.counts


async def test_the_next_tier_says_how_many_conversions_are_missing(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    async with harness.store.read() as tx:
        before = await details.get_advocate(tx, "spring", "ada", harness.time, URL)
    await harness.convert(code, "fay")
    await harness.convert(code, "gil")
    async with harness.store.read() as tx:
        reached = await details.get_advocate(tx, "spring", "ada", harness.time, URL)

    assert before.next_tier == NextTier("at_2", 2, 2)
    assert reached.next_tier is None
    assert [(m.name, m.state) for m in reached.milestones] == [("at_2", "reached")]
    assert sorted(reward.amount for reward in reached.rewards) == ["100", "100", "1000"]


async def test_the_cooldown_is_shown_until_it_is_over(harness: StoreHarness):
    cooldown = {"cooldown": {"period": "P1D", "on_hit": "defer"}}
    await harness.apply(campaign("slow", limits=cooldown))
    await harness.convert(await harness.publish("slow", "ada"), "fay")
    async with harness.store.read() as tx:
        during = await details.get_advocate(tx, "slow", "ada", harness.time, URL)
        over = await details.get_advocate(tx, "slow", "ada", during.cooldown_until, URL)

    assert during.cooldown_until == harness.time + timedelta(days=1)
    assert over.cooldown_until is None


async def test_a_referral_comes_with_its_order_rewards_and_timeline(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    referral_id = (await harness.sign_up(code, "fay"))["referral"]
    await harness.convert(code, "fay")
    await harness.roll_back(referral_id)
    async with harness.store.read() as tx:
        referral = await details.get_referral(tx, referral_id, harness.time)

    assert referral.state == "rolled_back"
    assert referral.reason
    assert (referral.reason.code, referral.reason.message) == (
        "rolled_back_by_operator",
        "By hand",
    )
    assert referral.order
    assert referral.order["items"] == []
    assert [(r.side, r.state) for r in referral.rewards] == [
        ("advocate", "rolled_back"),
        ("friend", "rolled_back"),
    ]
    assert [(entry.type, entry.actor) for entry in referral.timeline] == [
        ("referral_signed_up", "shop"),
        ("referral_converted", "shop"),
        ("reward_granted", "shop"),
        ("reward_granted", "shop"),
        ("referral_rolled_back", "operator"),
        ("reward_rolled_back", "operator"),
        ("reward_rolled_back", "operator"),
    ]


async def test_whoever_is_unknown_is_not_found(harness: StoreHarness):
    async with harness.store.read() as tx:
        with pytest.raises(UnknownAdvocateError, match="nobody is not an advocate"):
            await details.get_advocate(tx, "spring", "nobody", harness.time, URL)
        with pytest.raises(UnknownReferralError, match="ref_0"):
            await details.get_referral(tx, "ref_0", harness.time)


async def test_the_summary_counts_what_happened(harness: StoreHarness):
    ada = await harness.publish("spring", "ada")
    ben = await harness.publish("spring", "ben")
    await harness.event("referral_link_shared", {"code": ada, "channel": "email"})
    await harness.event("referral_link_clicked", {"code": ada})
    await harness.click(ada, "qr")
    await harness.click(ben)
    await harness.sign_up(ada, "fay")
    await harness.convert(ada, "fay", "80.00")
    await harness.convert(ada, "gil", "80.00")
    await harness.convert(ben, "hal", "0.10")
    await harness.roll_back((await harness.convert(ben, "ida", "500.00"))["referral"])
    await harness.complete_milestones()
    async with harness.store.read() as tx:
        summary = await summarise(tx, "spring", harness.now())

    assert (summary.advocates, summary.codes, summary.clicks, summary.sign_ups) == (2, 2, 3, 1)
    assert summary.clicks_by_channel == {"link": 2, "qr": 1}
    assert summary.shares == {"email": 1}
    assert summary.conversions == {"rewarded": 3, "rolled_back": 1}
    assert summary.conversion_rate == 0.75
    assert summary.revenue == [Revenue("EUR", "160.10")]
    assert summary.top_advocates == [TopAdvocate("ada", 2), TopAdvocate("ben", 1)]
    assert summary.messages == {}
    assert summary.rewards == [
        RewardSum("granted", "points", None, 7, "1450"),
        RewardSum("rolled_back", "points", None, 2, "150"),
        RewardSum("voided", "points", None, 1, "1000"),
    ]


async def test_the_conversion_rate_is_of_friends_who_signed_up_or_converted(harness: StoreHarness):
    """Rejected attempts do not count, and a friend who comes again counts once."""
    await harness.apply(campaign(conversion={"attribution_window": "P1D"}))
    code = await harness.publish("spring", "ada")
    for friend in ("fay", "gil"):
        await harness.sign_up(code, friend)
    await harness.convert(code, "fay")
    await harness.convert(code, "hal")
    await harness.convert(code, "ada")
    harness.time += timedelta(days=2)
    await harness.sign_up(code, "gil")
    async with harness.store.read() as tx:
        summary = await summarise(tx, "spring", harness.now())

    assert summary.conversions == {"expired": 1, "rejected": 1, "rewarded": 2, "signed_up": 1}
    assert summary.conversion_rate == 0.6667


async def test_the_summary_of_a_new_campaign_is_empty(harness: StoreHarness):
    async with harness.store.read() as tx:
        summary = await summarise(tx, "spring", harness.now())

    assert summary.conversion_rate is None
    assert (summary.revenue, summary.rewards, summary.conversions) == ([], [], {})
