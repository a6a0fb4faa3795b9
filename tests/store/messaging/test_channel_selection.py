"""By which channel a message goes out, and to whom it does not."""

import pytest

from referrals.channels.errors import MessageRejected, RecipientOptedOut
from referrals.store import schema
from referrals.store.messaging import suppressions
from tests.store.messaging.sending_harness import BOTH, DOWN, NO_MAILBOX, PROMOTION, REWARD, Office


async def test_a_message_goes_by_the_first_of_its_channels(office: Office):
    message = await office.write(await office.customer(), REWARD, *BOTH)

    assert (await office.send(message)).state == "sent"

    assert await office.outcome(message) == ("sent", "whatsapp", None)
    assert office.email.taken == []


async def test_what_one_channel_refuses_goes_by_the_next_at_once(office: Office):
    office.whatsapp.answers = [MessageRejected("no_template", "There is no such template.")]
    message = await office.write(await office.customer(), REWARD, *BOTH)

    await office.send(message)

    assert await office.outcome(message) == ("sent", "email", None)
    assert await office.logged() == ["message_sent"]


async def test_a_message_that_all_channels_refuse_says_why(office: Office):
    office.whatsapp.answers = [MessageRejected("no_template", "There is no such template.")]
    office.email.answers = [MessageRejected("message_refused", "Too large.")]
    message = await office.write(await office.customer(), REWARD, *BOTH)

    await office.send(message)

    row = await office.message(message)
    assert (row.state, row.reason_code, row.reason) == ("failed", "message_refused", "Too large.")


async def test_a_channel_without_an_address_is_passed_over(office: Office):
    message = await office.write(await office.customer(phone=None), REWARD, *BOTH)

    await office.send(message)

    assert await office.outcome(message) == ("sent", "email", None)


async def test_when_attempts_by_one_channel_are_spent_the_next_has_its_turn(office: Office):
    office.whatsapp.answers = [DOWN]
    message = await office.write(await office.customer(), REWARD, *BOTH)

    assert await office.try_to_send(message) == "Unavailable"
    given_up = await office.activities.give_up_message(message, str(DOWN))
    assert given_up.retry_at is not None
    assert (await office.send(message)).state == "sent"

    assert await office.outcome(message) == ("sent", "email", None)
    office.email.answers = [DOWN]
    alone = await office.write(await office.customer(), REWARD)
    await office.try_to_send(alone)
    assert (await office.activities.give_up_message(alone, str(DOWN))).state == "failed"
    assert await office.outcome(alone) == ("failed", None, "attempts_spent")


async def test_marketing_needs_a_consent_and_service_does_not(office: Office):
    customer = await office.customer()
    promotion = await office.write(customer, PROMOTION)
    reward = await office.write(customer, REWARD)

    await office.send(promotion)
    await office.send(reward)

    assert await office.outcome(promotion) == ("failed", None, "no_consent")
    assert await office.outcome(reward) == ("sent", "email", None)


async def test_marketing_goes_by_the_channel_that_is_allowed(office: Office):
    message = await office.write(await office.customer(consent=["email"]), PROMOTION, *BOTH)

    await office.send(message)

    assert await office.outcome(message) == ("sent", "email", None)


@pytest.mark.parametrize("template", [PROMOTION, REWARD])
async def test_an_opt_out_that_comes_while_a_message_waits_is_respected(
    office: Office, template: str
):
    customer = await office.customer(consent=["email"])
    message = await office.write(customer, template)
    office.email.answers = [DOWN, "ref"]
    assert await office.try_to_send(message) == "Unavailable"

    await office.wish(customer, "withdrawn", "service", "email")
    await office.wish(customer, "withdrawn", "marketing", "email")
    await office.send(message)

    assert await office.outcome(message) == ("failed", None, "opted_out")
    assert len(office.email.taken) == 1


async def test_what_the_vendor_knows_of_an_opt_out_is_noted(office: Office):
    office.whatsapp.answers = [RecipientOptedOut("opted_out", "The customer wants no marketing.")]
    customer = await office.customer(consent=["whatsapp", "email"])
    message = await office.write(customer, PROMOTION, *BOTH)

    await office.send(message)

    assert await office.outcome(message) == ("sent", "email", None)
    assert await office.allowed(customer) == ["email"]


async def test_an_address_that_nothing_reaches_is_not_written_to_again(office: Office):
    office.email.answers = [NO_MAILBOX, "ref"]
    customer = await office.customer()
    first, second = [await office.write(customer) for _ in range(2)]

    await office.send(first)
    await office.send(second)

    assert await office.outcome(first) == ("failed", None, "no_mailbox")
    assert await office.outcome(second) == ("failed", None, "suppressed")
    assert len(office.email.taken) == 1
    (row,) = await office.all(schema.suppressions)
    assert "ada@" not in str(row)


async def test_another_address_and_a_lifted_suppression_are_new_chances(office: Office):
    office.email.answers = [NO_MAILBOX, "ref"]
    customer = await office.customer()
    await office.send(await office.write(customer))

    await office.customer(email="ada@example.org")
    changed = await office.write(customer)
    await office.send(changed)
    assert await office.outcome(changed) == ("sent", "email", None)

    await office.customer()
    async with office.store.begin() as tx:
        assert await suppressions.lift(tx, customer, "email")
        assert not await suppressions.lift(tx, customer, "email")
    lifted = await office.write(customer)
    await office.send(lifted)
    assert await office.outcome(lifted) == ("sent", "email", None)
