"""Campaigns that have ended, and campaigns that convert on the sign-up itself."""

import pytest
from pydantic import ValidationError

from referrals.domain.campaign import Campaign
from referrals.store import schema
from referrals.store.referrals import conversions
from tests.harness.campaigns import EACH, POINTS_50, campaign
from tests.harness.store_harness import StoreHarness

ON_SIGN_UP = {"event": "referral_signed_up"}


@pytest.mark.parametrize("by", ["code", "sign-up"])
@pytest.mark.parametrize("kind", ["referral_converted", "subscription"])
async def test_after_archive_the_reason_is_that_the_campaign_does_not_run(
    harness: StoreHarness, by: str, kind: str
):
    event = "redemption" if kind == "referral_converted" else kind
    await harness.apply(campaign(conversion={"event": event}))
    code = await harness.publish("spring", "ada")
    await harness.sign_up(code, "fay")
    await harness.set_state("spring", "archived")

    row = await harness.receive(
        kind, {"friend": {"id": "fay"}} | ({"code": code} if by == "code" else {})
    )
    answer = await harness.decide(conversions.convert, row.id)

    assert answer["reason"]["code"] == "campaign_not_running"
    assert answer["reason"]["message"] == "The campaign is archived."


async def test_a_running_campaign_goes_before_an_archived_one(harness: StoreHarness):
    codes = {}
    for name in ("old", "spring"):
        await harness.apply(campaign(name))
        codes[name] = await harness.publish(name, "ada")
    await harness.sign_up(codes["spring"], "fay")
    await harness.sign_up(codes["old"], "fay")
    await harness.set_state("old", "archived")

    answer = await harness.convert(None, "fay")

    assert answer["decision"] == "accepted"
    (referral,) = await harness.all(schema.referrals, id=answer["referral"])
    assert referral.campaign_id == "spring"


async def sign_up(harness: StoreHarness, code: str, friend: str) -> dict:
    row = await harness.receive("referral_signed_up", {"code": code, "friend": {"id": friend}})
    return dict(await harness.decide(conversions.convert, row.id))


async def test_a_sign_up_converts_at_once_where_the_campaign_says_so(harness: StoreHarness):
    await harness.apply(campaign(conversion=ON_SIGN_UP))
    code = await harness.publish("spring", "ada")

    answer = await sign_up(harness, code, "fay")
    again = await sign_up(harness, code, "fay")

    assert answer["decision"] == "accepted"
    assert again["reason"]["code"] == "already_referred"
    assert (await harness.balance("ada"), await harness.balance("fay")) == (100, 50)
    assert [row.type for row in await harness.all(schema.activity)][1:4] == [
        "referral_signed_up",
        "referral_converted",
        "reward_granted",
    ]
    (referral,) = await harness.all(schema.referrals)
    assert referral.signed_up_at == referral.converted_at


async def test_a_sign_up_that_converts_is_held_or_reviewed_like_any_conversion(
    harness: StoreHarness,
):
    await harness.apply(campaign("held", conversion=ON_SIGN_UP | {"hold": "P1D"}))
    await harness.apply(campaign("reviewed", conversion=ON_SIGN_UP | {"review": "manual"}))
    answers = {
        name: await sign_up(harness, await harness.publish(name, "ada"), "fay")
        for name in ("held", "reviewed")
    }

    assert {answer["decision"] for answer in answers.values()} == {"held"}
    states = {row.campaign_id: row.state for row in await harness.all(schema.referrals)}
    assert states == {"held": "held", "reviewed": "in_review"}


@pytest.mark.parametrize("event", ["referral_converted", "customer_registered", "approve"])
def test_other_reserved_events_do_not_convert(event: str):
    with pytest.raises(ValidationError, match="which is a reserved event name"):
        Campaign.model_validate(campaign(conversion={"event": event}))


def test_a_rule_must_not_read_the_order_of_a_sign_up():
    rule = {"name": "big", "when": "order.amount >= 80", "message": "Too small."}
    rewards = {"friend": POINTS_50, "tiers": [EACH]}
    with pytest.raises(ValidationError, match="reads the order, but a sign-up has none"):
        Campaign.model_validate(
            campaign(rewards=rewards, conversion=ON_SIGN_UP | {"rules": [rule]})
        )
