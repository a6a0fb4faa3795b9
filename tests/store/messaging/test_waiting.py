"""Postponed messages: quiet hours, frequency cap, and marketing that is too late."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from referrals.channels.errors import ChannelUnavailable, MessageRejected, VendorNotCalled
from referrals.store import Store, schema
from tests.store.messaging.sending_harness import (
    NOON,
    PROMOTION,
    RESPONSE_LOST,
    REWARD,
    SERVER_DOWN,
    SendingHarness,
)


async def test_a_message_waits_until_the_customers_quiet_hours_end(store: Store):
    harness = await SendingHarness(store, quiet_hours="21:00-08:00").open()
    customer = await harness.customer(timezone="Asia/Kathmandu")  # 17:45 over there
    harness.pass_time(hours=4)
    message = await harness.create_message(customer)

    waits = await harness.send(message)

    morning = datetime(2026, 3, 5, 2, 15, tzinfo=UTC)
    assert (waits.state, waits.retry_at) == ("pending", morning)
    row = await harness.message(message)
    assert (row.not_before, row.reason_code) == (morning, "quiet_hours")
    assert harness.email.received == []

    harness.now = morning
    assert (await harness.send(message)).state == "sent"
    row = await harness.message(message)
    assert (row.not_before, row.reason_code) == (None, None)


async def test_quiet_hours_and_time_zone_of_the_campaign_take_precedence(store: Store):
    harness = await SendingHarness(store, quiet_hours="21:00-08:00").open(
        timezone="Asia/Tokyo", messages={"quiet_hours": "20:00-22:00"}
    )
    message = await harness.create_message(await harness.customer())  # 21:00 over there

    assert (await harness.send(message)).retry_at == NOON + timedelta(hours=1)


async def test_the_log_channel_ignores_consent_quiet_hours_and_cap(store: Store):
    harness = await SendingHarness(store, quiet_hours="00:00-23:59", cap="1/P1D").open()
    customer = await harness.customer()
    messages = [await harness.create_message(customer, PROMOTION, "log") for _ in range(3)]

    for message in messages:
        await harness.send(message)
        assert await harness.outcome(message) == ("sent", "log", None)
        assert (await harness.message(message)).text == "text"


async def test_a_message_above_the_cap_waits(store: Store):
    harness = await SendingHarness(store, cap="2/P1D").open()
    customer = await harness.customer()
    first, second, third = [await harness.create_message(customer) for _ in range(3)]
    await harness.send(first)
    harness.pass_time(hours=2)
    await harness.send(second)

    waits = await harness.send(third)

    assert waits.retry_at == NOON + timedelta(days=1)
    assert (await harness.message(third)).reason_code == "message_cap"
    other = await harness.create_message(await harness.customer("ben"))
    assert (await harness.send(other)).state == "sent"
    harness.now = NOON + timedelta(days=1)
    assert (await harness.send(third)).state == "sent"


async def test_messages_that_were_not_sent_do_not_count_toward_the_cap(store: Store):
    harness = await SendingHarness(store, cap="1/P1D").open()
    customer = await harness.customer()
    harness.email.answers = [MessageRejected("message_refused", "No."), SERVER_DOWN, "ref"]
    refused, later, third = [await harness.create_message(customer) for _ in range(3)]

    await harness.send(refused)
    await harness.try_to_send(later)

    assert (await harness.send(third)).state == "sent"
    assert (await harness.send(later)).state == "pending"


@pytest.mark.parametrize(
    "later",
    [[SERVER_DOWN], [MessageRejected("message_refused", "No.")], [RESPONSE_LOST, SERVER_DOWN]],
)
async def test_messages_that_may_have_been_sent_count_toward_the_cap_whatever_follows(
    store: Store, later: list[Exception]
):
    harness = await SendingHarness(store, cap="1/P1D").open()
    customer = await harness.customer()
    harness.email.answers = [RESPONSE_LOST, *later, "ref"]
    unknown, other = [await harness.create_message(customer) for _ in range(2)]
    for _ in range(len(later)):
        assert await harness.try_to_send(unknown) == "OutcomeUnknown"
        lost = harness.now
        harness.pass_time(minutes=2)
    await harness.try_to_send(unknown)
    assert len(harness.email.received) == len(later) + 1

    waits = await harness.send(other)

    assert (waits.state, waits.retry_at) == ("pending", lost + timedelta(days=1))
    assert (await harness.message(other)).reason_code == "message_cap"


async def test_fifty_concurrent_messages_respect_the_cap(store: Store):
    harness = await SendingHarness(store, cap="3/P1D").open()
    customer = await harness.customer()
    messages = [await harness.create_message(customer) for _ in range(50)]

    outcomes = await asyncio.gather(*map(harness.send, messages))

    assert Counter(outcome.state for outcome in outcomes) == {"sent": 3, "pending": 47}
    assert len(harness.email.received) == 3


async def test_marketing_that_would_be_a_week_late_fails(store: Store):
    harness = await SendingHarness(store, cap="1/P30D").open()
    customer = await harness.customer(consent=["email"])
    await harness.send(await harness.create_message(customer, REWARD))
    promotion, reward = (
        await harness.create_message(customer, PROMOTION),
        await harness.create_message(customer),
    )

    assert (await harness.send(promotion)).state == "failed"
    assert (await harness.send(reward)).retry_at == NOON + timedelta(days=30)

    row = await harness.message(promotion)
    assert row.reason_code == "too_late"
    assert "reached the limit of messages" in row.reason


async def test_marketing_with_a_lost_response_fails_with_unknown_outcome_not_as_too_late(
    harness: SendingHarness,
):
    harness.whatsapp.answers = [RESPONSE_LOST]
    customer = await harness.customer(consent=["whatsapp"])
    message = await harness.create_message(customer, PROMOTION, "whatsapp")
    harness.pass_time(days=6, hours=23, minutes=59)
    assert await harness.try_to_send(message) == "OutcomeUnknown"

    waits = await harness.send(message)
    assert (waits.state, (await harness.message(message)).reason_code) == ("pending", "unclear")
    harness.now = waits.retry_at
    await harness.send(message)

    assert await harness.outcome(message) == ("failed", None, "unclear")
    assert len(harness.whatsapp.received) == 1


async def test_a_pause_of_the_channel_itself_keeps_the_vendors_last_error(harness: SendingHarness):
    message = await harness.create_message(await harness.customer(), REWARD, "whatsapp")
    limited = ChannelUnavailable("WhatsApp responded with 131056: pair rate limit hit")
    harness.whatsapp.answers = [limited, VendorNotCalled("A moment ago.", timedelta(seconds=4))]

    for _ in range(3):
        assert await harness.try_to_send(message) == "Unavailable"

    row = await harness.message(message)
    (delivery,) = await harness.all(schema.message_deliveries)
    assert row.reason == delivery.reason == str(limited)


async def test_a_pause_of_the_channel_itself_is_the_reason_if_there_is_no_other(
    harness: SendingHarness,
):
    message = await harness.create_message(await harness.customer(), REWARD, "whatsapp")
    harness.whatsapp.answers = [VendorNotCalled("A moment ago.", timedelta(seconds=4))]

    await harness.try_to_send(message)

    row = await harness.message(message)
    assert (row.state, row.reason_code, row.reason) == ("pending", "unavailable", "A moment ago.")
