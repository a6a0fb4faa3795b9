"""Windows, holds and cooldowns on a time-skipping server, with the roll-back before and after."""

from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.world import World

HOLD = {"hold": "P14D"}


async def test_a_hold_keeps_both_rewards_pending_until_it_is_over(world: World):
    await world.apply(campaign(conversion=HOLD))
    code = await world.publish("spring", "ada")

    answer = await world.convert(code, "fay")

    assert answer["decision"] == "held"
    assert {reward["state"] for reward in answer["rewards"]} == {"pending"}
    await world.sleep(days=13)
    assert await world.state(answer["referral"]) == "held"
    assert await world.balance("ada") == 0
    await world.sleep(days=1, minutes=1)
    await world.until_state(answer["referral"], "rewarded")
    assert (await world.balance("ada"), await world.balance("fay")) == (100, 50)


async def test_a_refund_during_the_hold_voids_the_rewards(world: World):
    await world.apply(campaign(conversion=HOLD))
    code = await world.publish("spring", "ada")
    answer = await world.convert(code, "fay", order="7781")

    await world.sleep(days=5)
    await world.refund("7781")
    await world.sleep(days=30)

    assert await world.state(answer["referral"]) == "rolled_back"
    assert await world.balance("ada") == 0
    assert (await world.activity())[-3:] == [
        "referral_rolled_back",
        "reward_voided",
        "reward_voided",
    ]


async def test_a_refund_long_after_the_run_closed_takes_the_rewards_back(world: World):
    await world.apply(campaign(conversion=HOLD))
    code = await world.publish("spring", "ada")
    answer = await world.convert(code, "fay", order="7781")
    await world.sleep(days=15)
    await world.until_state(answer["referral"], "rewarded")
    first = await (await world.referral_run("spring", "fay")).describe()

    await world.sleep(days=200)
    await world.refund("7781")

    assert await world.state(answer["referral"]) == "rolled_back"
    assert (await world.balance("ada"), await world.balance("fay")) == (0, 0)
    second = await (await world.referral_run("spring", "fay")).describe()
    assert first.run_id != second.run_id


async def test_a_sign_up_that_does_not_convert_in_its_window_expires(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    answer = await world.sign_up(code, "fay")

    await world.sleep(days=29)
    assert await world.state(answer["referral"]) == "signed_up"
    await world.sleep(days=1, minutes=1)

    await world.until_state(answer["referral"], "expired")


async def test_a_conversion_without_a_code_after_the_window_is_too_late(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    await world.sign_up(code, "fay")
    await world.sleep(days=31)

    answer = await world.event(
        "referral_converted", {"campaign": "spring", "friend": {"id": "fay"}}
    )

    assert answer["decision"] == "rejected"
    assert answer["reason"]["code"] == "attribution_expired"


async def test_a_conversion_with_a_good_code_after_the_window_starts_afresh(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    expired = await world.sign_up(code, "fay")
    await world.sleep(days=31)

    answer = await world.convert(code, "fay")

    assert answer["decision"] == "accepted"
    assert answer["referral"] != expired["referral"]
    assert await world.state(expired["referral"]) == "expired"


async def test_a_cooldown_defers_the_second_conversion_to_its_place(world: World):
    await world.apply(campaign(limits={"cooldown": {"period": "P1D", "on_hit": "defer"}}))
    code = await world.publish("spring", "ada")

    first = await world.convert(code, "fay")
    second = await world.convert(code, "gus")
    third = await world.convert(code, "hal")

    assert [a["decision"] for a in (first, second, third)] == ["accepted", "deferred", "deferred"]
    assert await world.balance("ada") == 100
    assert [await world.balance(friend) for friend in ("gus", "hal")] == [50, 50]
    await world.sleep(days=1, minutes=1)
    await world.until_state(second["referral"], "rewarded")
    assert await world.state(third["referral"]) == "confirmed"
    await world.sleep(days=1)
    await world.until_state(third["referral"], "rewarded")
    assert await world.balance("ada") == 300


async def test_a_roll_back_ends_the_cooldown(world: World):
    await world.apply(campaign(limits={"cooldown": {"period": "P1D", "on_hit": "reject"}}))
    code = await world.publish("spring", "ada")
    first = await world.convert(code, "fay")
    refused = await world.convert(code, "gus")
    assert refused["reason"]["code"] == "in_cooldown"

    await world.roll_back(first["referral"])

    assert (await world.convert(code, "gus", order="2"))["decision"] == "accepted"


async def test_a_deferred_conversion_that_is_rolled_back_pays_nothing(
    world: World,
):
    await world.apply(campaign(limits={"cooldown": {"period": "P1D", "on_hit": "defer"}}))
    code = await world.publish("spring", "ada")
    await world.convert(code, "fay")
    deferred = await world.convert(code, "gus")

    await world.roll_back(deferred["referral"])
    await world.sleep(days=3)

    assert await world.state(deferred["referral"]) == "rolled_back"
    assert (await world.balance("ada"), await world.balance("gus")) == (
        100,
        0,
    )  # gus' is taken back


async def test_a_milestone_lost_by_a_roll_back_can_be_reached_again(
    world: World,
):
    await world.apply(campaign(rewards={"friend": POINTS_50, "tiers": [EACH, milestone(2)]}))
    code = await world.publish("spring", "ada")
    await world.convert(code, "fay")
    second = await world.convert(code, "gus")
    await world.until_idle()
    assert await world.balance("ada") == 1200

    await world.roll_back(second["referral"])
    await world.until(lambda: _is(world, "ada", 100))
    await world.convert(code, "hal")
    await world.until(lambda: _is(world, "ada", 1200))

    kinds = [kind for kind in await world.activity() if kind.startswith("milestone")]
    assert kinds == ["milestone_reached", "milestone_lost", "milestone_reached"]


async def _is(world: World, customer: str, balance: int) -> bool:
    return await world.balance(customer) == balance
