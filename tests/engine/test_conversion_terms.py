"""Terms of a conversion: the campaign's state and version, and the review by an operator."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from inbox.handlers import HANDLERS
from referrals.domain.campaign import Campaign
from referrals.domain.event_names import SIGN_UP
from referrals.errors import NotPossibleError, NotPublishedError
from referrals.store import schema
from tests.harness.campaigns import EACH, THANKS, campaign
from tests.harness.world import World

sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


@sqlite
@pytest.mark.parametrize(("state", "message"), [("paused", "is paused"), ("archived", "archived")])
async def test_a_campaign_that_is_not_running_rejects_everyone(
    world: World, state: str, message: str
):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    await world.set_state("spring", state)

    answers = [
        await world.convert(code, "fay"),
        await world.sign_up(code, "gus"),
        await world.share(code),
    ]

    assert {answer["reason"]["code"] for answer in answers} == {"campaign_not_running"}
    assert all(message in answer["reason"]["message"] for answer in answers)
    with pytest.raises(NotPublishedError, match=message):
        await world.publish("spring", "bob")
    await world.set_state("spring", "running")
    assert (await world.convert(code, "fay", order="2"))["decision"] == "accepted"


@sqlite
async def test_a_campaign_runs_from_its_start_to_its_end(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    await world.apply(campaign(starts_at=in_days(1), ends_at=in_days(3)))

    early = await world.convert(code, "fay")
    await world.sleep(days=2)
    in_time = await world.convert(code, "fay", order="2")
    await world.sleep(days=2)
    late = await world.convert(code, "gus")

    assert "starts on" in early["reason"]["message"]
    assert in_time["decision"] == "accepted"
    assert "ended on" in late["reason"]["message"]
    codes = {answer["reason"]["code"] for answer in (early, late)}
    assert codes == {"campaign_not_running"}


@sqlite
async def test_the_end_of_a_campaign_closes_its_advocate_workflows(world: World):
    await world.apply(campaign(ends_at=in_days(3)))
    await world.publish("spring", "ada")

    await world.sleep(days=3, minutes=1)

    await world.until_closed(await world.advocate_run("spring", "ada"))


async def test_a_referral_keeps_the_campaign_version_it_started_with(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    await world.sign_up(code, "fay")
    richer = {"friend": {"type": "points", "amount": 5000}, "tiers": [EACH]}
    await world.apply(campaign(rewards=richer, conversion={"hold": "P14D"}))

    old, new = await world.convert(code, "fay"), await world.convert(code, "gus")

    assert (old["decision"], new["decision"]) == ("accepted", "held")
    assert await world.balance("fay") == 50
    await world.sleep(days=14, minutes=1)
    await world.until_state(new["referral"], "rewarded")
    assert await world.balance("gus") == 5000


async def test_applying_an_unchanged_campaign_creates_no_version(world: World):
    await world.apply(campaign())
    await world.apply(campaign())
    assert len(await world.all(schema.campaign_versions)) == 1

    await world.apply(campaign(journeys=THANKS))

    assert [row.version for row in await world.all(schema.campaign_versions)] == [1, 2]


MANUAL = {"review": "manual"}


async def in_review(world: World, **conversion: Any) -> tuple[str, dict[str, Any]]:
    await world.apply(campaign(conversion=MANUAL | conversion))
    code = await world.publish("spring", "ada")
    answer = await world.convert(code, "fay", order="7781")
    assert answer["decision"] == "held"
    assert await world.state(answer["referral"]) == "in_review"
    return code, answer


async def test_an_approved_conversion_is_rewarded(world: World):
    _, answer = await in_review(world)
    await world.sleep(days=40)
    assert await world.state(answer["referral"]) == "in_review"

    await world.command("approve", answer["referral"])

    assert await world.state(answer["referral"]) == "rewarded"
    assert (await world.balance("ada"), await world.balance("fay")) == (100, 50)
    with pytest.raises(NotPossibleError, match="The referral is rewarded, not in review"):
        await world.command("reject", answer["referral"])


@sqlite
async def test_an_approved_conversion_stays_held_until_its_hold_ends(world: World):
    _, answer = await in_review(world, hold="P14D")

    await world.command("approve", answer["referral"])

    assert await world.state(answer["referral"]) == "held"
    await world.sleep(days=14, minutes=1)
    await world.until_state(answer["referral"], "rewarded")


async def test_a_friend_rejected_by_review_may_convert_again(world: World):
    code, first = await in_review(world)

    await world.command("reject", first["referral"], "Same address as the advocate")

    (row,) = await world.all(schema.referrals, id=first["referral"])
    assert (row.state, row.reason_code) == ("rejected", "rejected_by_review")
    assert row.reason == "Same address as the advocate"
    rewards = await world.all(schema.rewards, referral_id=first["referral"])
    assert {reward.state for reward in rewards} == {"voided"}
    second = await world.convert(code, "fay", order="2")
    await world.command("approve", second["referral"])
    assert (await world.balance("ada"), await world.balance("fay")) == (100, 50)


@sqlite
async def test_a_sign_up_survives_the_rejection_of_its_conversion(world: World):
    custom = {"event": "subscription_started", "review": "manual"}
    await world.apply(campaign(conversion=custom))
    await world.sign_up(await world.publish("spring", "ada"), "fay")
    first = await world.event("subscription_started", {"friend": {"id": "fay"}})
    await world.command("reject", first["referral"])

    second = await world.event("subscription_started", {"friend": {"id": "fay"}})

    assert second["decision"] == "held"
    await world.command("approve", second["referral"])
    assert await world.balance("ada") == 100


@sqlite
async def test_a_conversion_in_review_counts_toward_the_limit_until_rejected(
    world: World,
):
    await world.apply(campaign(conversion=MANUAL, limits={"conversions": 1}))
    code = await world.publish("spring", "ada")
    first = await world.convert(code, "fay")
    assert (await world.convert(code, "gus"))["reason"]["code"] == "campaign_limit_reached"

    await world.command("reject", first["referral"])

    assert (await world.convert(code, "gus", order="2"))["decision"] == "held"


@sqlite
async def test_gift_credit_and_points_are_granted_together(world: World):
    credit = {"type": "gift_credit", "amount": "25.00", "currency": "EUR"}
    yen = {"name": "each", "each": True, "reward": credit | {"amount": "500", "currency": "JPY"}}
    await world.apply(campaign(rewards={"friend": credit, "tiers": [EACH, yen]}))
    code = await world.publish("spring", "ada")

    answer = await world.convert(code, "fay")

    given = {(r["side"], r["type"], r["amount"], r["currency"]) for r in answer["rewards"]}
    assert given == {
        ("friend", "gift_credit", "25.00", "EUR"),
        ("advocate", "gift_credit", "500", "JPY"),
        ("advocate", "points", "100", None),
    }
    assert await world.balance("fay", unit="EUR") == 2500
    assert await world.balance("ada", unit="JPY") == 500
    assert await world.balance("ada") == 100
    await world.roll_back(answer["referral"])
    assert await world.balance("ada", unit="JPY") == 0


@sqlite
async def test_a_check_is_independent_of_an_event_named_check(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    await world.convert(code, "fay", id="check", source="check")

    answer = await world.inbox.check_conversion(
        "spring", {"code": code, "friend": {"id": "fay"}}, "shop"
    )

    assert answer["reason"]["code"] == "already_referred"


def test_a_custom_event_must_not_have_the_name_of_a_command():
    for name in HANDLERS.keys() - {SIGN_UP}:
        with pytest.raises(ValidationError, match="which is a reserved event name"):
            Campaign.model_validate(campaign(conversion={"event": name}))
