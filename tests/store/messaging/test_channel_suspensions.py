"""What a vendor blocks holds all that goes the same way, until one gets through or an operator lifts it."""

import pytest

from referrals.channels.errors import ChannelSuspended, RecipientOptedOut
from referrals.store import schema
from referrals.store.messaging import channel_suspensions
from tests.store.messaging.sending_harness import BOTH, NO_TOKEN, NOON, PROMOTION, REWARD, Office


@pytest.mark.parametrize("overtaken_by", ["attempt", "status"])
async def test_an_opt_out_that_ends_a_call_is_noted_whatever_came_before_it(
    office: Office, overtaken_by: str
):
    end = RecipientOptedOut("marketing_stopped", "The customer wants no more.")
    office.whatsapp.answers = ["ref", end] if overtaken_by == "attempt" else [end]
    customer = await office.customer(consent=["whatsapp"])
    message = await office.write(customer, REWARD, "whatsapp")

    async def meanwhile(outgoing: object) -> None:
        office.whatsapp.during = None
        if overtaken_by == "attempt":
            office.pass_time(minutes=11)
            await office.send(message)
        else:
            await office.hear("delivered", key=f"spring/{message}", reference="wamid-1")

    office.whatsapp.during = meanwhile
    await office.send(message)

    assert await office.allowed(customer) == []


async def test_what_is_blocked_holds_all_that_goes_the_same_way(office: Office):
    office.whatsapp.answers = [NO_TOKEN]
    messages = [
        await office.write(await office.customer(f"customer{number}"), REWARD, *BOTH)
        for number in range(5)
    ]

    waits = [await office.send(message) for message in messages]

    assert len(office.whatsapp.taken) == 1
    assert office.email.taken == []
    assert all(wait.held and wait.state == "pending" for wait in waits)
    assert {wait.retry_at for wait in waits} == {NOON + channel_suspensions.PROBE_INTERVAL}
    row = await office.message(messages[-1])
    assert (row.reason_code, row.reason) == ("token_invalid", "The token has expired.")


async def test_one_message_tries_and_when_it_gets_through_all_do(office: Office):
    office.whatsapp.answers = [NO_TOKEN, NO_TOKEN, "ref"]
    customers = [await office.customer(f"customer{number}") for number in range(4)]
    messages = [await office.write(customer, REWARD, "whatsapp") for customer in customers]
    for probes in (1, 2):
        for message in messages:
            await office.send(message)
        assert len(office.whatsapp.taken) == probes
        office.pass_time(minutes=30)

    outcomes = [await office.send(message) for message in messages]

    assert [outcome.state for outcome in outcomes] == ["sent"] * 4
    assert await office.all(schema.channel_suspensions) == []


async def test_a_block_of_a_template_holds_no_other(office: Office):
    office.whatsapp.answers = [
        ChannelSuspended("template_paused", "It is paused.", "template"),
        "ref",
    ]
    customer = await office.customer(consent=["whatsapp"])
    held = await office.write(customer, REWARD, "whatsapp")
    other = await office.write(customer, PROMOTION, "whatsapp")

    assert (await office.send(held)).held
    assert (await office.send(other)).state == "sent"

    (block,) = await office.all(schema.channel_suspensions)
    assert (block.channel, block.template) == ("whatsapp", REWARD)


async def test_a_lifted_block_holds_nothing(office: Office):
    office.email.answers = [NO_TOKEN, "ref"]
    message = await office.write(await office.customer())
    await office.send(message)
    (block,) = await office.all(schema.channel_suspensions)

    async with office.store.begin() as tx:
        assert await channel_suspensions.lift(tx, block.id)

    assert (await office.send(message)).state == "sent"


async def test_after_days_a_held_message_goes_by_its_next_channel_or_is_parked(office: Office):
    office.whatsapp.answers = [NO_TOKEN]
    customer = await office.customer()
    both = await office.write(customer, REWARD, *BOTH)
    alone = await office.write(customer, REWARD, "whatsapp")
    await office.send(both)
    office.now = NOON + channel_suspensions.MAX_HOLD_TIME

    await office.send(both)
    await office.send(alone)

    assert await office.outcome(both) == ("sent", "email", None)
    assert await office.outcome(alone) == ("failed", None, "token_invalid")
