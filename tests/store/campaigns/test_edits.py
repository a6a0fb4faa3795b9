"""Edits of a running campaign: what they mean, and which are refused because they would pay again."""

import asyncio
from typing import Any

import pytest

from referrals.domain.campaign import Campaign
from referrals.errors import CampaignEditError
from referrals.store import Store, schema
from referrals.store.campaigns import applying
from referrals.store.flow import pending_work
from tests.harness.campaigns import EACH, POINTS_50, campaign
from tests.harness.store_harness import StoreHarness


def tier(name: str, at: int | None = None, amount: int = 1000, **more: Any) -> dict[str, Any]:
    kind = {"at": at} if at else {"each": True}
    return {"name": name, **kind, "reward": {"type": "points", "amount": amount}} | more


def edition(*tiers: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return campaign(rewards={"friend": POINTS_50, "tiers": list(tiers)}, **parts)


@pytest.fixture
async def harness(store: Store) -> StoreHarness:
    return StoreHarness(store)


async def convert(harness: StoreHarness, *friends: str, advocate: str = "ada") -> None:
    code = await harness.publish("spring", advocate)
    for friend in friends:
        answer = await harness.convert(code, friend)
        assert answer["decision"] == "accepted"
    await harness.complete_milestones()


async def refusals(harness: StoreHarness, definition: dict[str, Any]) -> dict[str, str]:
    before = await harness.all(schema.campaign_versions)
    with pytest.raises(CampaignEditError) as refused:
        await harness.apply(definition)
    assert await harness.all(schema.campaign_versions) == before
    return {error.field: error.message for error in refused.value.errors}


async def test_a_renamed_tier_is_not_paid_again(harness: StoreHarness):
    await harness.apply(edition(tier("ten", 2)))
    await convert(harness, "fay", "gil")
    await harness.apply(edition(tier("ten_friends", 2, renamed_from=["ten"])))
    await convert(harness, "hal")

    assert await harness.balance("ada") == 1000
    assert [(row.tier, row.name) for row in await harness.all(schema.milestones)] == [
        ("ten", "ten")
    ]


async def test_former_names_are_inherited_whatever_the_file_says(harness: StoreHarness):
    await harness.apply(edition(tier("a", 2)))
    await convert(harness, "fay", "gil")
    for later in (
        tier("b", 2, renamed_from=["a"]),
        tier("c", 2, renamed_from=["b"]),
        tier("c", 2, amount=1001),
        tier("a", 2),
        tier("b", 2, amount=7),
    ):
        await harness.apply(edition(later))
        await convert(harness, f"friend-{later}")

    assert await harness.balance("ada") == 1000
    assert len(await harness.all(schema.milestones)) == 1


async def test_a_milestone_that_is_reached_after_a_rename_carries_the_new_name(
    harness: StoreHarness,
):
    await harness.apply(edition(tier("ten", 2)))
    await harness.apply(edition(tier("ten_friends", 2, renamed_from=["ten"])))
    await convert(harness, "fay", "gil")

    (reached,) = await harness.all(schema.milestones)
    (reward,) = await harness.all(schema.rewards, milestone_id=reached.id)
    assert (reached.tier, reached.name, reached.version) == ("ten", "ten_friends", 2)
    assert reward.tier == "ten_friends"


@pytest.mark.parametrize(
    ("edited", "field", "words"),
    [
        pytest.param(
            [tier("ten_friends", 2)],
            "rewards.tiers[0]",
            "is added, while ten, which paid 1 advocate, is gone. Write renamed_from: [ten] if",
            id="renamed without saying so",
        ),
        pytest.param(
            [tier("ten_friends", 3, renamed_from=["tne"])],
            "rewards.tiers[0]",
            "is added, while ten, which paid 1 advocate,",
            id="renamed from a misspelt name",
        ),
        pytest.param(
            [tier("ten", 5, 5000), tier("twenty", 2, 1000)],
            "rewards.tiers[1]",
            "has the reward of ten, which paid 1 advocate: they would be paid again.",
            id="two tiers swap their names",
        ),
        pytest.param(
            [tier("twenty", 2, 1000)],
            "rewards.tiers[0]",
            "has the reward of ten",
            id="the name of another tier",
        ),
        pytest.param(
            [tier("ten", renamed_from=["twenty"])],
            "rewards.tiers[0].renamed_from",
            "cannot continue both twenty and ten",
            id="two tiers become one",
        ),
        pytest.param(
            [tier("ten", 2), tier("twenty", 5, 5000), tier("third", 1, renamed_from=["each"])],
            "rewards.tiers[2]",
            "must stay an each tier",
            id="another kind",
        ),
        pytest.param(
            [tier("ten", 2), tier("twenty", 5, 5000), tier("every", amount=5)],
            "rewards.tiers[2]",
            "is added, while each, which paid 1 advocate, is gone.",
            id="an each tier renamed without saying so",
        ),
        pytest.param(
            [tier("dozen", 2, renamed_from=["ten"]), tier("twenty", 5, renamed_from=[])],
            None,
            None,
            id="said plainly",
        ),
    ],
)
async def test_an_edit_that_would_pay_again_is_refused(
    harness: StoreHarness, edited: list[dict[str, Any]], field: str | None, words: str
):
    await harness.apply(edition(tier("each", amount=5), tier("ten", 2), tier("twenty", 5, 5000)))
    await convert(harness, "fay", "gil")

    if field is None:
        await harness.apply(edition(*edited))
    else:
        found = await refusals(harness, edition(*edited))
        assert words in found[field]
    await convert(harness, "hal")
    assert await harness.balance("ada") in (1010, 1015)


async def test_a_tier_that_is_removed_first_and_added_under_another_name_later_is_refused(
    harness: StoreHarness,
):
    await harness.apply(edition(EACH, tier("ten", 2)))
    await convert(harness, "fay", "gil")
    await harness.apply(edition(EACH))

    assert "is gone" in (await refusals(harness, edition(EACH, tier("x", 2))))["rewards.tiers[1]"]
    await harness.apply(edition(EACH, tier("ten", 2)))
    await convert(harness, "hal")
    assert await harness.balance("ada") == 1300


async def test_what_nobody_was_paid_may_be_renamed_freely(harness: StoreHarness):
    await harness.apply(edition(tier("ten", 2)))
    await convert(harness, "fay")
    await harness.apply(edition(tier("x", 2)))
    await convert(harness, "gil")

    assert await harness.balance("ada") == 1000


async def test_a_journey_that_is_entered_once_keeps_its_entries_under_a_new_name(
    harness: StoreHarness,
):
    send = {"send": {"template": "thank_sharing", "to": "advocate", "channels": ["log"]}}
    once = {"on": "referral_link_shared", "reentry": "never", "steps": [send]}
    await harness.apply(campaign(journeys=[{"name": "thanks", **once}]))
    code = await harness.publish("spring", "ada")
    await harness.share(code)

    found = await refusals(harness, campaign(journeys=[{"name": "thank_you", **once}]))
    assert found == {
        "journeys[0]": "is added, while thanks, which 1 subject entered, is gone. Write renamed_from: [thanks] if it is "
        "the same under another name, or renamed_from: [] if it is another one, which is for them too"
    }
    renamed = {"name": "thank_you", "renamed_from": ["thanks"], **once}
    await harness.apply(campaign(journeys=[renamed]))
    await harness.share(code)
    assert len(await harness.messages()) == 1


@pytest.mark.parametrize(
    ("key", "edited", "words"),
    [
        (
            "code.join_once",
            {"code": {"join_once": False}},
            "cannot change after the first publication (1 code): advocates rely on the present rule. Start a new campaign",
        ),
        (
            "conversion.event",
            {"conversion": {"event": "subscribed"}},
            "cannot change after the first referral (1 referral): friends who signed up convert by redemption. Start a new campaign",
        ),
    ],
)
async def test_a_key_that_others_rely_on_is_fixed_after_the_first_use(
    harness: StoreHarness, key: str, edited: dict[str, Any], words: str
):
    await harness.apply(campaign())
    await harness.apply(campaign(**edited))
    await harness.apply(campaign())
    await convert(harness, "fay")

    assert await refusals(harness, campaign(**edited)) == {key: words}


async def test_lowering_a_tier_pays_at_the_next_confirmation_and_says_so(harness: StoreHarness):
    await harness.apply(edition(tier("ten", 5)))
    await convert(harness, "fay", "gil", "hal")
    await convert(harness, "ivy", advocate="bob")
    applied = await harness.apply(edition(tier("ten", 2, amount=10)))

    assert [change.message for change in applied.changes] == [
        "rewards.tiers[ten].at changes from 5 to 2",
        "rewards.tiers[ten].reward.amount changes from 1000 to 10",
    ]
    (effect,) = applied.effects
    assert (effect.code, effect.count) == ("milestone_due", 1)
    assert "1 advocate with 2 or more conversions: the next one earns ten." in effect.message
    assert await harness.balance("ada") == 0
    await convert(harness, "jan")
    assert await harness.balance("ada") == 10


async def test_the_version_in_force_decides_about_milestones_of_held_referrals(
    harness: StoreHarness,
):
    held = {"hold": "P14D"}
    await harness.apply(edition(EACH, tier("two", 2), conversion=held))
    code = await harness.publish("spring", "ada")
    for friend in ("fay", "gil"):
        await harness.convert(code, friend)
    applied = await harness.apply(edition(EACH, tier("two", 2, amount=7), conversion=held))
    assert [effect.code for effect in applied.effects] == ["referrals_under_way"]
    harness.time = max(row.due_at for row in await harness.all(schema.referrals))
    await harness.fire_timers("spring")
    await harness.complete_milestones()

    assert await harness.balance("ada") == 207


async def test_a_milestone_is_lost_below_the_lower_of_both_numbers(harness: StoreHarness):
    await harness.apply(edition(tier("three", 3)))
    code = await harness.publish("spring", "ada")
    referrals = [(await harness.convert(code, f))["referral"] for f in ("fay", "gil", "hal")]
    await harness.apply(edition(tier("three", 2)))
    states = []
    for referral in referrals[:2]:
        await harness.roll_back(referral)
        states.append([row.state for row in await harness.all(schema.milestones)])

    assert states == [["reached"], ["lost"]]


async def test_a_removed_tier_stays_rewarded_until_the_count_falls_below_it(
    harness: StoreHarness,
):
    await harness.apply(edition(EACH, tier("two", 2)))
    code = await harness.publish("spring", "ada")
    await harness.convert(code, "fay")
    referral = (await harness.convert(code, "gil"))["referral"]
    await harness.complete_milestones()
    applied = await harness.apply(edition(EACH))
    assert [(effect.code, effect.count) for effect in applied.effects] == [("milestone_removed", 1)]
    assert await harness.balance("ada") == 1200

    await harness.roll_back(referral)
    await harness.complete_milestones()
    assert await harness.balance("ada") == 100


async def test_a_milestone_that_is_reached_during_an_edit_follows_the_new_version(
    harness: StoreHarness,
):
    await harness.apply(edition(tier("ten", 1)))
    code = await harness.publish("spring", "ada")
    edited = Campaign.model_validate(edition(tier("x", 1, amount=7)))
    async with harness.store.begin() as tx:
        await applying.apply(tx, edited, "marketer", harness.now())
        conversion = asyncio.create_task(harness.convert(code, "fay"))
        await asyncio.wait([conversion], timeout=0.3)
        assert not conversion.done()
    assert (await conversion)["decision"] == "accepted"
    await harness.complete_milestones()

    assert [(row.tier, row.version) for row in await harness.all(schema.milestones)] == [("x", 2)]
    assert await harness.balance("ada") == 7


@pytest.mark.parametrize(("before", "after"), [(None, "manual"), ("manual", None)])
async def test_a_milestones_reward_waits_for_approval_as_when_it_was_reached(
    harness: StoreHarness, before: str | None, after: str | None
):
    terms = {"friend": None, "tiers": [tier("two", 2)], "provider": "voucherify"}
    await harness.apply(campaign(rewards=terms | {"approval": before}))
    await convert(harness, "fay", "gil")
    await harness.apply(campaign(rewards=terms | {"approval": after}))
    (reward,) = await harness.all(schema.rewards)

    async with harness.store.read() as tx:
        advocate = await harness.customer_id("ada")
        work = await pending_work.find_for_advocate(tx, "spring", advocate, harness.now())

    assert work.rewards == (() if before else (reward.id,))


async def test_limits_are_those_of_the_version_of_the_sign_up(harness: StoreHarness):
    await harness.apply(edition(limits={"per_advocate": {"count": 2}}))
    code = await harness.publish("spring", "ada")
    await harness.sign_up(code, "fay")
    await harness.convert(code, "gil")
    await harness.apply(edition(limits={"per_advocate": {"count": 1}}))

    assert (await harness.convert(code, "hal"))["reason"]["code"] == "advocate_limit_reached"
    assert (await harness.convert(code, "fay"))["decision"] == "accepted"
