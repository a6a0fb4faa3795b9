"""An event that arrives before a timer that is late is decided as if the timer had fired in time."""

from datetime import timedelta

from referrals.domain.campaign import Campaign
from referrals.store import Store, schema
from tests.harness.campaigns import campaign
from tests.harness.invariants import check, load_facts
from tests.harness.store_harness import StoreHarness

MONTH = timedelta(days=31)


async def test_an_overdue_sign_up_expires_for_its_own_advocate_when_the_friend_uses_another_code(
    store: Store,
):
    harness = StoreHarness(store)
    await harness.apply(campaign())
    ada, bob = [await harness.publish("spring", name) for name in ("ada", "bob")]
    await harness.sign_up(ada, "fay")
    harness.time += MONTH

    answer = await harness.convert(bob, "fay")

    assert answer["decision"] == "accepted"
    expired, converted = await harness.all(schema.referrals)
    assert (expired.state, converted.state) == ("expired", "rewarded")
    (logged,) = [r for r in await harness.all(schema.activity) if r.type == "referral_expired"]
    assert (logged.advocate_id, logged.referral_id) == (expired.advocate_id, expired.id)
    assert expired.advocate_id != converted.advocate_id


async def test_an_overdue_hold_can_still_be_rolled_back_before_its_timer_fires(
    store: Store,
):
    definition = campaign(conversion={"hold": "P14D"})
    harness = StoreHarness(store)
    await harness.apply(definition)
    answer = await harness.convert(await harness.publish("spring", "ada"), "fay")
    harness.time += MONTH

    await harness.roll_back(answer["referral"])
    await harness.fire_timers("spring")

    assert {row.state for row in await harness.all(schema.rewards)} == {"voided"}
    check(await load_facts(store, Campaign.model_validate(definition)))
