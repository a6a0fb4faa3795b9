"""Well-formed events with a mistake: the response names the mistake, and nothing changes."""

import pytest

from referrals.errors import InvalidEventError
from tests.harness.campaigns import POINTS_50, THANKS, campaign
from tests.harness.world import World

CUSTOM = {"event": "subscription.started"}


@pytest.mark.parametrize("kind", ["referral_converted", "referral_signed_up"])
async def test_a_code_of_another_campaign_than_the_one_named_is_unknown_there(
    world: World, kind: str
):
    await world.apply(campaign("spring"))
    await world.apply(campaign("autumn"))
    code = await world.publish("spring", "ada")

    answer = await world.event(kind, {"campaign": "autumn", "code": code, "friend": {"id": "fay"}})

    assert answer["decision"] == "rejected"
    assert answer["reason"]["code"] == "unknown_code"
    assert await world.balance("ada") == 0


async def test_a_share_of_another_campaigns_code_is_not_counted(world: World):
    await world.apply(campaign("spring"))
    await world.apply(campaign("autumn"))
    code = await world.publish("spring", "ada")
    share = {"campaign": "autumn", "code": code, "channel": "link"}

    answer = await world.event("referral_link_shared", share)

    assert answer["reason"]["code"] == "unknown_code"


async def test_a_custom_event_may_be_named_as_cloud_events_are(world: World):
    await world.apply(campaign(conversion=CUSTOM))
    code = await world.publish("spring", "ada")

    answer = await world.event("subscription.started", {"code": code, "friend": {"id": "fay"}})

    assert answer["decision"] == "accepted"


@pytest.mark.parametrize("data", [{}, {"friend": {"id": "fay"}}, {"nothing": "like it"}])
async def test_the_type_of_an_unknown_event_is_at_fault(world: World, data: dict):
    with pytest.raises(InvalidEventError) as caught:
        await world.event("order_shipped", data)

    assert [error.field for error in caught.value.errors] == ["type"]


async def test_a_missing_field_of_a_known_event_is_at_fault(world: World):
    with pytest.raises(InvalidEventError):
        await world.event("referral_signed_up", {"code": "ADA-2026"})


@pytest.mark.parametrize("refund_comes_first", [False, True])
async def test_a_refund_finer_than_its_currency_counts_rounded_whenever_it_comes(
    world: World, refund_comes_first: bool
):
    at_least_60 = {"name": "minimum", "when": "order.amount >= 60.0", "message": "Too small."}
    await world.apply(campaign(conversion={"rules": [at_least_60]}))
    code = await world.publish("spring", "ada")

    if refund_comes_first:
        await world.refund("7781", "40.001")
    await world.convert(code, "fay", order="7781")
    if not refund_comes_first:
        await world.refund("7781", "40.001")

    assert await world.balance("ada") == 100


async def test_an_order_that_was_refunded_before_its_conversion_sends_no_thanks(world: World):
    await world.apply(campaign(journeys=THANKS))
    code = await world.publish("spring", "ada")
    await world.refund("7781")

    answer = await world.convert(code, "fay", order="7781")

    assert answer["reason"]["code"] == "order_refunded"
    assert await world.messages() == []
    assert (await world.balance("ada"), await world.balance("fay")) == (0, 0)


async def test_a_conversion_with_another_code_than_the_sign_up_s_is_rejected(world: World):
    await world.apply(campaign(rewards={"friend": POINTS_50}))
    first = await world.publish("spring", "ada")
    second = await world.publish("spring", "bob")
    await world.sign_up(first, "fay")

    answer = await world.convert(second, "fay")

    assert answer["reason"] == {
        "code": "already_referred",
        "message": "The friend has signed up with another advocate's code.",
    }
    assert (await world.convert(first, "fay", order="2"))["decision"] == "accepted"
