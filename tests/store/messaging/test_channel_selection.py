"""Selection of the channel, and customers who get no message."""

import pytest

from referrals.channels.errors import MessageRejected, RecipientOptedOut
from referrals.store import schema
from referrals.store.messaging import suppressions
from tests.store.messaging.sending_harness import (
    BOTH_CHANNELS,
    NO_MAILBOX,
    PROMOTION,
    REWARD,
    SERVER_DOWN,
    SendingHarness,
)


async def test_a_message_goes_out_on_the_first_of_its_channels(harness: SendingHarness):
    message = await harness.create_message(await harness.customer(), REWARD, *BOTH_CHANNELS)

    assert (await harness.send(message)).state == "sent"

    assert await harness.outcome(message) == ("sent", "whatsapp", None)
    assert harness.email.received == []


async def test_a_message_rejected_by_one_channel_goes_to_the_next_at_once(harness: SendingHarness):
    harness.whatsapp.answers = [MessageRejected("no_template", "There is no such template.")]
    message = await harness.create_message(await harness.customer(), REWARD, *BOTH_CHANNELS)

    await harness.send(message)

    assert await harness.outcome(message) == ("sent", "email", None)
    assert await harness.logged() == ["message_sent"]


async def test_a_message_rejected_by_all_channels_fails_with_the_reason(harness: SendingHarness):
    harness.whatsapp.answers = [MessageRejected("no_template", "There is no such template.")]
    harness.email.answers = [MessageRejected("message_refused", "Too large.")]
    message = await harness.create_message(await harness.customer(), REWARD, *BOTH_CHANNELS)

    await harness.send(message)

    row = await harness.message(message)
    assert (row.state, row.reason_code, row.reason) == ("failed", "message_refused", "Too large.")


async def test_a_channel_without_an_address_is_skipped(harness: SendingHarness):
    message = await harness.create_message(
        await harness.customer(phone=None), REWARD, *BOTH_CHANNELS
    )

    await harness.send(message)

    assert await harness.outcome(message) == ("sent", "email", None)


@pytest.mark.parametrize(
    ("details", "reached"),
    [
        ({"phone": "0151 12345678"}, ("sent", "email", None)),
        ({"phone": None, "email": "ada..@docomo.ne.jp"}, ("failed", None, "no_address")),
    ],
)
async def test_an_address_that_cannot_be_written_to_is_skipped(
    harness: SendingHarness, details: dict[str, str | None], reached: tuple[str | None, ...]
):
    message = await harness.create_message(
        await harness.customer(**details), REWARD, *BOTH_CHANNELS
    )

    await harness.send(message)

    assert await harness.outcome(message) == reached


async def test_the_next_channel_is_used_after_the_last_attempt_on_one(
    harness: SendingHarness,
):
    harness.whatsapp.answers = [SERVER_DOWN]
    message = await harness.create_message(await harness.customer(), REWARD, *BOTH_CHANNELS)

    assert await harness.try_to_send(message) == "Unavailable"
    given_up = await harness.activities.give_up_message(message, str(SERVER_DOWN))
    assert given_up.retry_at is not None
    assert (await harness.send(message)).state == "sent"

    assert await harness.outcome(message) == ("sent", "email", None)
    harness.email.answers = [SERVER_DOWN]
    alone = await harness.create_message(await harness.customer(), REWARD)
    await harness.try_to_send(alone)
    assert (await harness.activities.give_up_message(alone, str(SERVER_DOWN))).state == "failed"
    assert await harness.outcome(alone) == ("failed", None, "attempts_spent")


async def test_marketing_needs_a_consent_and_service_does_not(harness: SendingHarness):
    customer = await harness.customer()
    promotion = await harness.create_message(customer, PROMOTION)
    reward = await harness.create_message(customer, REWARD)

    await harness.send(promotion)
    await harness.send(reward)

    assert await harness.outcome(promotion) == ("failed", None, "no_consent")
    assert await harness.outcome(reward) == ("sent", "email", None)


async def test_marketing_goes_out_on_the_allowed_channel(harness: SendingHarness):
    message = await harness.create_message(
        await harness.customer(consent=["email"]), PROMOTION, *BOTH_CHANNELS
    )

    await harness.send(message)

    assert await harness.outcome(message) == ("sent", "email", None)


@pytest.mark.parametrize("template", [PROMOTION, REWARD])
async def test_an_opt_out_made_while_a_message_waits_is_respected(
    harness: SendingHarness, template: str
):
    customer = await harness.customer(consent=["email"])
    message = await harness.create_message(customer, template)
    harness.email.answers = [SERVER_DOWN, "ref"]
    assert await harness.try_to_send(message) == "Unavailable"

    await harness.record_consent(customer, "withdrawn", "service", "email")
    await harness.record_consent(customer, "withdrawn", "marketing", "email")
    await harness.send(message)

    assert await harness.outcome(message) == ("failed", None, "opted_out")
    assert len(harness.email.received) == 1


async def test_an_opt_out_at_the_vendor_is_recorded(harness: SendingHarness):
    harness.whatsapp.answers = [RecipientOptedOut("opted_out", "The customer wants no marketing.")]
    customer = await harness.customer(consent=["whatsapp", "email"])
    message = await harness.create_message(customer, PROMOTION, *BOTH_CHANNELS)

    await harness.send(message)

    assert await harness.outcome(message) == ("sent", "email", None)
    assert await harness.marketing_channels(customer) == ["email"]


async def test_an_unreachable_address_gets_no_more_messages(harness: SendingHarness):
    harness.email.answers = [NO_MAILBOX, "ref"]
    customer = await harness.customer()
    first, second = [await harness.create_message(customer) for _ in range(2)]

    await harness.send(first)
    await harness.send(second)

    assert await harness.outcome(first) == ("failed", None, "no_mailbox")
    assert await harness.outcome(second) == ("failed", None, "suppressed")
    assert len(harness.email.received) == 1
    (row,) = await harness.all(schema.suppressions)
    assert "ada@" not in str(row)


async def test_a_new_address_and_a_lifted_suppression_allow_messages_again(harness: SendingHarness):
    harness.email.answers = [NO_MAILBOX, "ref"]
    customer = await harness.customer()
    await harness.send(await harness.create_message(customer))

    await harness.customer(email="ada@example.org")
    changed = await harness.create_message(customer)
    await harness.send(changed)
    assert await harness.outcome(changed) == ("sent", "email", None)

    await harness.customer()
    async with harness.store.begin() as tx:
        assert await suppressions.lift(tx, customer, "email")
        assert not await suppressions.lift(tx, customer, "email")
    lifted = await harness.create_message(customer)
    await harness.send(lifted)
    assert await harness.outcome(lifted) == ("sent", "email", None)
