"""Kinds of programme: double- and single-sided, both kinds of tiers, both kinds of conversion, codes, rules."""

import pytest

from referrals.errors import InvalidEventError, NotPublishedError
from referrals.store import schema
from tests.harness.campaigns import example
from tests.harness.world import World

VOUCHERIFY = "voucherify"
CUSTOM = {"event": "subscription_started"}
FRIEND = {"type": "points", "amount": 200}
EACH = {"name": "each_friend", "each": True, "reward": {"type": "points", "amount": 100}}


async def bring(world: World, code: str, *friends: str) -> list[dict[str, object]]:
    return [await world.convert(code, friend) for friend in friends]


async def test_a_double_sided_programme_rewards_friend_and_advocate(world: World):
    await world.apply(example(VOUCHERIFY))
    code = await world.publish(VOUCHERIFY, "ada")

    answer = await world.convert(code, "fay", amount="80.00")
    await world.until_idle()

    assert (await world.balance("fay"), await world.balance("ada")) == (200, 100)
    assert [reward["side"] for reward in answer["rewards"]] == ["advocate", "friend"]
    assert await world.messages() == [("reward_granted", "ada", "sent")]


async def test_a_single_sided_programme_rewards_only_the_advocate(world: World):
    await world.apply(example(VOUCHERIFY, rewards={"tiers": [EACH]}))
    code = await world.publish(VOUCHERIFY, "ada")

    answer = await world.convert(code, "fay")

    assert [reward["side"] for reward in answer["rewards"]] == ["advocate"]
    assert (await world.balance("fay"), await world.balance("ada")) == (0, 100)


async def test_a_programme_can_reward_only_the_friend(world: World):
    await world.apply(example(VOUCHERIFY, rewards={"friend": FRIEND}))
    code = await world.publish(VOUCHERIFY, "ada")

    await world.convert(code, "fay")

    assert (await world.balance("fay"), await world.balance("ada")) == (200, 0)


async def test_each_unique_friend_is_rewarded_and_a_minimum_of_friends_once_more(world: World):
    await world.apply(example(VOUCHERIFY))
    code = await world.publish(VOUCHERIFY, "ada")

    await bring(world, code, "f1", "f2", "f3", "f4", "f4")
    assert await world.balance("ada") == 400
    await bring(world, code, "f5", "f6")
    await world.until_idle()

    assert await world.balance("ada") == 600 + 500
    kinds = await world.activity(advocate_id=(await world.advocate("ada")).id)
    assert kinds.count("milestone_reached") == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_rule_rejects_79_99_with_its_own_message_and_accepts_80_00(world: World):
    await world.apply(example(VOUCHERIFY))
    code = await world.publish(VOUCHERIFY, "ada")

    rejected = await world.convert(code, "fay", amount="79.99")
    accepted = await world.convert(code, "fay", amount="80.00", order="2")

    assert rejected["decision"] == "rejected"
    assert rejected["reason"] == {
        "code": "rule_failed",
        "message": "The order must reach 80 EUR.",
        "rule": "minimum_order",
    }
    assert await world.state(rejected["referral"]) == "rejected"
    assert accepted["decision"] == "accepted"
    assert await world.balance("fay") == 200


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_rule_that_cannot_be_evaluated_is_broken_and_the_log_says_why(world: World):
    await world.apply(example(VOUCHERIFY))
    code = await world.publish(VOUCHERIFY, "ada")

    answer = await world.event("referral_converted", {"code": code, "friend": {"id": "fay"}})

    assert answer["reason"]["code"] == "rule_broken"
    assert answer["reason"]["message"] == "The order must reach 80 EUR."
    (logged,) = await world.all(schema.activity, type="referral_rejected")
    assert logged.data["diagnosis"].startswith("minimum_order: there is no")
    assert logged.data["diagnosis"].endswith("; there is no order")


async def test_a_custom_event_converts_with_its_code(world: World):
    await world.apply(example(VOUCHERIFY, conversion=CUSTOM))
    code = await world.publish(VOUCHERIFY, "ada")

    answer = await world.event(
        "subscription_started", {"code": code, "friend": {"id": "fay"}, "plan": "yearly"}
    )

    assert answer["decision"] == "accepted"
    assert (await world.balance("fay"), await world.balance("ada")) == (200, 100)


async def test_a_custom_event_without_a_code_converts_the_friend_who_signed_up(world: World):
    await world.apply(example(VOUCHERIFY, conversion=CUSTOM))
    code = await world.publish(VOUCHERIFY, "ada")
    signed_up = await world.sign_up(code, "fay")

    answer = await world.event("subscription_started", {"friend": {"id": "fay"}})

    assert (answer["decision"], answer["referral"]) == ("accepted", signed_up["referral"])
    assert (await world.balance("fay"), await world.balance("ada")) == (200, 100)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_sign_up_that_converts_is_held_and_rewarded_and_has_one_response(world: World):
    terms = {"event": "referral_signed_up", "hold": "P1D"}
    await world.apply(example(VOUCHERIFY, conversion=terms))
    code = await world.publish(VOUCHERIFY, "ada")

    answer = await world.sign_up(code, "fay", id="sign-up")

    assert (answer["decision"], len(answer["rewards"])) == ("held", 2)
    assert await world.sign_up(code, "fay", id="sign-up") == answer
    await world.sleep(days=1, minutes=1)
    await world.until_state(answer["referral"], "rewarded")
    assert (await world.balance("fay"), await world.balance("ada")) == (200, 100)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_repeated_custom_event_is_rejected_as_already_referred(world: World):
    await world.apply(example(VOUCHERIFY, conversion=CUSTOM))
    code = await world.publish(VOUCHERIFY, "ada")
    await world.sign_up(code, "fay")
    await world.event("subscription_started", {"friend": {"id": "fay"}})

    answer = await world.event("subscription_started", {"friend": {"id": "fay"}})

    assert (answer["decision"], answer["reason"]["code"]) == ("rejected", "already_referred")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_custom_event_of_somebody_who_never_signed_up_brings_nobody(world: World):
    await world.apply(example(VOUCHERIFY, conversion=CUSTOM))

    answer = await world.event("subscription_started", {"friend": {"id": "fay"}})

    assert (answer["decision"], answer["reason"]["code"]) == ("rejected", "unknown_code")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_rule_can_use_the_fields_of_a_custom_event(world: World):
    yearly = {"name": "yearly", "when": 'event.plan == "yearly"', "message": "Only yearly plans."}
    await world.apply(example(VOUCHERIFY, conversion=CUSTOM | {"rules": [yearly]}))
    code = await world.publish(VOUCHERIFY, "ada")

    async def subscribed(plan: str) -> str:
        data = {"code": code, "friend": {"id": "fay"}, "plan": plan}
        return str((await world.event("subscription_started", data))["decision"])

    assert [await subscribed(plan) for plan in ("monthly", "yearly")] == ["rejected", "accepted"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_conversion_of_another_kind_than_the_campaigns_is_refused_by_name(world: World):
    await world.apply(example(VOUCHERIFY, conversion=CUSTOM))
    code = await world.publish(VOUCHERIFY, "ada")

    with pytest.raises(InvalidEventError, match="converts on subscription_started"):
        await world.convert(code, "fay")
    with pytest.raises(InvalidEventError, match="unknown event type"):
        await world.convert(code, "fay", kind="trial_started")


async def test_who_joins_once_has_one_code(world: World):
    await world.apply(example(VOUCHERIFY))

    code = await world.publish(VOUCHERIFY, "ada")

    assert await world.publish(VOUCHERIFY, "ada") == code
    assert await world.publish(VOUCHERIFY, "ada", code="FRIEND-ADAS-OWN1") == code


async def test_who_may_join_more_than_once_has_a_code_for_each_publication(world: World):
    await world.apply(example(VOUCHERIFY, code={"join_once": False}))

    first = await world.publish(VOUCHERIFY, "ada")
    second = await world.publish(VOUCHERIFY, "ada", code="adas-own")

    assert second == "ADAS-OWN"
    await world.convert(first, "fay")
    await world.convert(second, "gus")
    assert await world.balance("ada") == 200
    assert (await world.advocate("ada")).confirmed_count == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_code_that_somebody_has_is_given_to_nobody_else(world: World):
    await world.apply(example(VOUCHERIFY))
    await world.publish(VOUCHERIFY, "ada", code="VERY-OWN")

    with pytest.raises(NotPublishedError, match="The code VERY-OWN is taken"):
        await world.publish(VOUCHERIFY, "bob", code="VERY-OWN")

    assert await world.publish(VOUCHERIFY, "bob") != "VERY-OWN"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_code_is_used_as_often_as_it_may_be(world: World):
    await world.apply(example(VOUCHERIFY, code={"uses": 2}))
    code = await world.publish(VOUCHERIFY, "ada")
    first, *_ = await bring(world, code, "fay", "gus")

    answer = await world.convert(code, "hal")
    assert (answer["decision"], answer["reason"]["code"]) == ("rejected", "code_exhausted")

    await world.roll_back(str(first["referral"]))
    assert (await world.convert(code, "hal", order="2"))["decision"] == "accepted"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_code_is_good_for_a_year_and_a_sign_up_in_time_keeps_it(world: World):
    await world.apply(example(VOUCHERIFY))
    code = await world.publish(VOUCHERIFY, "ada")
    await world.sleep(days=364)
    await world.sign_up(code, "fay")
    await world.sleep(days=2)

    late = await world.convert(code, "gus")
    in_time = await world.convert(code, "fay")
    too_late = await world.share(code)

    assert (late["decision"], late["reason"]["code"]) == ("rejected", "code_expired")
    assert in_time["decision"] == "accepted"
    assert too_late["reason"]["code"] == "code_expired"
