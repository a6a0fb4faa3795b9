"""Late timers: an event that comes before a due timer is decided as if the timer had fired in time."""

from datetime import timedelta

from referrals.store import Store, schema
from referrals.store.referrals import roll_backs
from tests.harness.campaigns import campaign
from tests.harness.invariants import check, facts
from tests.harness.programme import Programme

MONTH = timedelta(days=31)


async def test_a_sign_up_that_is_over_expires_as_its_own_advocates_when_another_brings_the_friend(
    store: Store,
):
    programme = Programme(store, campaign())
    await programme.begin("ada", "bob")
    await programme.sign_up("fay", programme.codes[0])
    programme.skip(MONTH)

    answer = await programme.convert("fay", programme.codes[1], id="7781", amount="100.00")

    assert answer["decision"] == "accepted"
    expired, brought = await programme.all(schema.referrals)
    assert (expired.state, brought.state) == ("expired", "rewarded")
    (logged,) = [r for r in await programme.all(schema.activity) if r.type == "referral_expired"]
    assert (logged.advocate_id, logged.referral_id) == (expired.advocate_id, expired.id)
    assert expired.advocate_id != brought.advocate_id


async def test_a_hold_that_is_over_is_still_rolled_back_by_what_comes_before_its_timer(
    store: Store,
):
    programme = Programme(store, campaign(conversion={"hold": "P14D"}))
    await programme.begin("ada")
    answer = await programme.convert("fay", programme.codes[0], id="7781", amount="100.00")
    programme.skip(MONTH)

    command = await programme.ask("roll_back", answer["referral"])
    await programme.decide(roll_backs.roll_back_by_operator, command.id)
    await programme.pass_time(timedelta(0))

    assert {row.state for row in await programme.all(schema.rewards)} == {"voided"}
    check(await facts(store, programme.campaign))
