"""A suspended channel or template holds messages until a probe succeeds or an operator lifts it."""

import pytest

from referrals.channels.errors import ChannelSuspended, RecipientOptedOut
from referrals.store import schema
from referrals.store.messaging import channel_suspensions
from tests.store.messaging.sending_harness import (
    BOTH_CHANNELS,
    NOON,
    PROMOTION,
    REWARD,
    TOKEN_EXPIRED,
    SendingHarness,
)


@pytest.mark.parametrize("overtaken_by", ["attempt", "status"])
async def test_an_opt_out_returned_by_a_call_is_always_recorded(
    harness: SendingHarness, overtaken_by: str
):
    end = RecipientOptedOut("marketing_stopped", "The customer wants no more.")
    harness.whatsapp.answers = ["ref", end] if overtaken_by == "attempt" else [end]
    customer = await harness.customer(consent=["whatsapp"])
    message = await harness.create_message(customer, REWARD, "whatsapp")

    async def meanwhile(outgoing: object) -> None:
        harness.whatsapp.on_send = None
        if overtaken_by == "attempt":
            harness.pass_time(minutes=11)
            await harness.send(message)
        else:
            await harness.receive_status("delivered", key=f"spring/{message}", reference="wamid-1")

    harness.whatsapp.on_send = meanwhile
    await harness.send(message)

    assert await harness.marketing_channels(customer) == []


async def test_a_suspended_channel_holds_all_its_messages(harness: SendingHarness):
    harness.whatsapp.answers = [TOKEN_EXPIRED]
    messages = [
        await harness.create_message(
            await harness.customer(f"customer{number}"), REWARD, *BOTH_CHANNELS
        )
        for number in range(5)
    ]

    waits = [await harness.send(message) for message in messages]

    assert len(harness.whatsapp.received) == 1
    assert harness.email.received == []
    assert all(wait.held and wait.state == "pending" for wait in waits)
    assert {wait.retry_at for wait in waits} == {NOON + channel_suspensions.PROBE_INTERVAL}
    row = await harness.message(messages[-1])
    assert (row.reason_code, row.reason) == ("token_invalid", "The token has expired.")


async def test_one_message_probes_and_all_follow_when_it_is_sent(harness: SendingHarness):
    harness.whatsapp.answers = [TOKEN_EXPIRED, TOKEN_EXPIRED, "ref"]
    customers = [await harness.customer(f"customer{number}") for number in range(4)]
    messages = [
        await harness.create_message(customer, REWARD, "whatsapp") for customer in customers
    ]
    for probes in (1, 2):
        for message in messages:
            await harness.send(message)
        assert len(harness.whatsapp.received) == probes
        harness.pass_time(minutes=30)

    outcomes = [await harness.send(message) for message in messages]

    assert [outcome.state for outcome in outcomes] == ["sent"] * 4
    assert await harness.all(schema.channel_suspensions) == []


async def test_the_suspension_of_a_template_holds_no_other_template(harness: SendingHarness):
    harness.whatsapp.answers = [
        ChannelSuspended("template_paused", "It is paused.", "template"),
        "ref",
    ]
    customer = await harness.customer(consent=["whatsapp"])
    held = await harness.create_message(customer, REWARD, "whatsapp")
    other = await harness.create_message(customer, PROMOTION, "whatsapp")

    assert (await harness.send(held)).held
    assert (await harness.send(other)).state == "sent"

    (block,) = await harness.all(schema.channel_suspensions)
    assert (block.channel, block.template) == ("whatsapp", REWARD)


async def test_a_lifted_suspension_holds_no_messages(harness: SendingHarness):
    harness.email.answers = [TOKEN_EXPIRED, "ref"]
    message = await harness.create_message(await harness.customer())
    await harness.send(message)
    (block,) = await harness.all(schema.channel_suspensions)

    async with harness.store.begin() as tx:
        assert await channel_suspensions.lift(tx, block.id)

    assert (await harness.send(message)).state == "sent"


async def test_a_held_message_goes_to_its_next_channel_or_fails_after_three_days(
    harness: SendingHarness,
):
    harness.whatsapp.answers = [TOKEN_EXPIRED]
    customer = await harness.customer()
    both = await harness.create_message(customer, REWARD, *BOTH_CHANNELS)
    alone = await harness.create_message(customer, REWARD, "whatsapp")
    await harness.send(both)
    harness.now = NOON + channel_suspensions.MAX_HOLD_TIME

    await harness.send(both)
    await harness.send(alone)

    assert await harness.outcome(both) == ("sent", "email", None)
    assert await harness.outcome(alone) == ("failed", None, "token_invalid")
