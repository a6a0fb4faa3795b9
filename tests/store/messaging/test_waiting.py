"""When a message goes out: not in the night, not above the cap, and not when it has come to be too late."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from referrals.channels.errors import MessageRejected
from referrals.store import Store
from tests.store.messaging.sending_harness import DOWN, LOST, NOON, PROMOTION, REWARD, Office


async def test_in_the_customers_night_a_message_waits_for_their_morning(store: Store):
    office = await Office(store, quiet_hours="21:00-08:00").open()
    customer = await office.customer(timezone="Asia/Kathmandu")  # 17:45 over there
    office.pass_time(hours=4)
    message = await office.write(customer)

    waits = await office.send(message)

    morning = datetime(2026, 3, 5, 2, 15, tzinfo=UTC)
    assert (waits.state, waits.retry_at) == ("pending", morning)
    row = await office.message(message)
    assert (row.not_before, row.reason_code) == (morning, "quiet_hours")
    assert office.email.taken == []

    office.now = morning
    assert (await office.send(message)).state == "sent"
    row = await office.message(message)
    assert (row.not_before, row.reason_code) == (None, None)


async def test_a_campaigns_quiet_hours_and_zone_count_before_the_deployments(store: Store):
    office = await Office(store, quiet_hours="21:00-08:00").open(
        timezone="Asia/Tokyo", messages={"quiet_hours": "20:00-22:00"}
    )
    message = await office.write(await office.customer())  # 21:00 over there

    assert (await office.send(message)).retry_at == NOON + timedelta(hours=1)


async def test_the_log_channel_knows_no_consent_no_night_and_no_cap(store: Store):
    office = await Office(store, quiet_hours="00:00-23:59", cap="1/P1D").open()
    customer = await office.customer()
    messages = [await office.write(customer, PROMOTION, "log") for _ in range(3)]

    for message in messages:
        await office.send(message)
        assert await office.outcome(message) == ("sent", "log", None)
        assert (await office.message(message)).text == "text"


async def test_above_the_cap_a_message_waits_for_its_place(store: Store):
    office = await Office(store, cap="2/P1D").open()
    customer = await office.customer()
    first, second, third = [await office.write(customer) for _ in range(3)]
    await office.send(first)
    office.pass_time(hours=2)
    await office.send(second)

    waits = await office.send(third)

    assert waits.retry_at == NOON + timedelta(days=1)
    assert (await office.message(third)).reason_code == "message_cap"
    other = await office.write(await office.customer("ben"))
    assert (await office.send(other)).state == "sent"
    office.now = NOON + timedelta(days=1)
    assert (await office.send(third)).state == "sent"


async def test_what_was_not_sent_takes_no_place_under_the_cap(store: Store):
    office = await Office(store, cap="1/P1D").open()
    customer = await office.customer()
    office.email.answers = [MessageRejected("message_refused", "No."), DOWN, "ref"]
    refused, later, third = [await office.write(customer) for _ in range(3)]

    await office.send(refused)
    await office.try_to_send(later)

    assert (await office.send(third)).state == "sent"
    assert (await office.send(later)).state == "pending"


@pytest.mark.parametrize(
    "later", [[DOWN], [MessageRejected("message_refused", "No.")], [LOST, DOWN]]
)
async def test_what_may_have_been_sent_keeps_its_place_whatever_comes_of_it_later(
    store: Store, later: list[Exception]
):
    office = await Office(store, cap="1/P1D").open()
    customer = await office.customer()
    office.email.answers = [LOST, *later, "ref"]
    unclear, other = [await office.write(customer) for _ in range(2)]
    for _ in range(len(later)):
        assert await office.try_to_send(unclear) == "OutcomeUnknown"
        lost = office.now
        office.pass_time(minutes=2)
    await office.try_to_send(unclear)
    assert len(office.email.taken) == len(later) + 1

    waits = await office.send(other)

    assert (waits.state, waits.retry_at) == ("pending", lost + timedelta(days=1))
    assert (await office.message(other)).reason_code == "message_cap"


async def test_fifty_at_once_do_not_break_the_cap(store: Store):
    office = await Office(store, cap="3/P1D").open()
    customer = await office.customer()
    messages = [await office.write(customer) for _ in range(50)]

    outcomes = await asyncio.gather(*map(office.send, messages))

    assert Counter(outcome.state for outcome in outcomes) == {"sent": 3, "pending": 47}
    assert len(office.email.taken) == 3


async def test_marketing_that_would_come_a_week_late_does_not_come(store: Store):
    office = await Office(store, cap="1/P30D").open()
    customer = await office.customer(consent=["email"])
    await office.send(await office.write(customer, REWARD))
    promotion, reward = await office.write(customer, PROMOTION), await office.write(customer)

    assert (await office.send(promotion)).state == "failed"
    assert (await office.send(reward)).retry_at == NOON + timedelta(days=30)

    row = await office.message(promotion)
    assert row.reason_code == "too_late"
    assert "reached the limit of messages" in row.reason


async def test_marketing_whose_answer_was_lost_just_in_time_is_unclear_and_not_too_late(
    office: Office,
):
    office.whatsapp.answers = [LOST]
    customer = await office.customer(consent=["whatsapp"])
    message = await office.write(customer, PROMOTION, "whatsapp")
    office.pass_time(days=6, hours=23, minutes=59)
    assert await office.try_to_send(message) == "OutcomeUnknown"

    waits = await office.send(message)
    assert (waits.state, (await office.message(message)).reason_code) == ("pending", "unclear")
    office.now = waits.retry_at
    await office.send(message)

    assert await office.outcome(message) == ("failed", None, "unclear")
    assert len(office.whatsapp.taken) == 1
