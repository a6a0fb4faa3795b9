"""Status reports of vendors: twice, in any order, days late."""

import asyncio
import itertools
from datetime import timedelta
from typing import Any

import pytest

from referrals.domain.message_status import MarketingPreference, MessageStatus
from referrals.store import schema
from referrals.store.messaging import status_reports
from tests.store.messaging.sending_harness import (
    NOON,
    PROMOTION,
    RESPONSE_LOST,
    REWARD,
    SendingHarness,
)

KINDS = ["unreachable", "refused", None]


async def sent(harness: SendingHarness, template: str = REWARD, *channels: str) -> Any:
    """Create a message that its vendor has accepted."""
    customer = await harness.customer(consent=["whatsapp", "email"])
    message = await harness.create_message(customer, template, *(channels or ("whatsapp",)))
    assert (await harness.send(message)).state == "sent"
    return await harness.message(message)


async def resumes(harness: SendingHarness) -> list[Any]:
    return await harness.all(schema.inbox_events, type=status_reports.RESUME_COMMAND)


@pytest.mark.parametrize("order", list(itertools.permutations(["sent", "delivered", "read"])))
async def test_statuses_in_any_order_and_twice_lead_to_the_furthest_state(
    harness: SendingHarness, order: tuple[str, ...]
):
    message = await sent(harness)

    for state in (*order, *order):
        assert await harness.receive_status(state, reference=message.reference)

    row = await harness.message(message.id)
    assert (row.state, row.completed_at) == ("read", message.completed_at)
    assert row.read_at is not None
    assert await harness.logged() == ["message_sent", "message_delivered"]


async def test_reports_of_one_callback_are_applied_together(harness: SendingHarness):
    """Mix messages, repeats, unknown ones and failures, whose effects are those of single reports."""
    messages = [await sent(harness) for _ in range(4)]
    reports = [
        MessageStatus(None, message.reference, state, harness.now)
        for state in ("delivered", "sent", "read")
        for message in messages[:3]
    ]
    about = {"kind": "unreachable", "code": "not_on_whatsapp", "message": "Nobody."}
    key, reference = messages[3].key, messages[3].reference
    reports.insert(2, MessageStatus(key, reference, "failed", harness.now, **about))
    reports.insert(0, MessageStatus("key-of-somebody", None, "read", harness.now))

    async with harness.store.begin() as tx:
        recorded = await status_reports.record_statuses(tx, "whatsapp", reports * 2, harness.now)

    assert recorded == 20
    outcomes = [await harness.outcome(message.id) for message in messages]
    assert outcomes == [("read", "whatsapp", None)] * 3 + [
        ("failed", "whatsapp", "not_on_whatsapp")
    ]
    assert len(await harness.all(schema.suppressions)) == 1


async def test_callbacks_about_the_same_messages_do_not_deadlock(harness: SendingHarness):
    messages = [await sent(harness) for _ in range(12)]

    async def record(order: int) -> None:
        reports = [
            MessageStatus(None, message.reference, "delivered", harness.now)
            for message in messages[::order]
        ]
        async with harness.store.begin() as tx:
            await status_reports.record_statuses(tx, "whatsapp", reports, harness.now)

    await asyncio.gather(*(record(order) for order in (1, -1) * 4))

    rows = await harness.all(schema.messages)
    assert {row.state for row in rows} == {"delivered"}


async def test_a_status_of_an_unknown_message_is_ignored(harness: SendingHarness):
    message = await sent(harness)

    assert not await harness.receive_status("delivered", reference="wamid-of-somebody")
    assert not await harness.receive_status("delivered", key="key-of-somebody")
    assert not await harness.receive_status(
        "delivered", channel="email", reference=message.reference
    )

    assert await harness.outcome(message.id) == ("sent", "whatsapp", None)


async def test_a_status_that_arrives_before_the_response_counts(harness: SendingHarness):
    customer = await harness.customer()
    message = await harness.create_message(customer, REWARD, "whatsapp")

    async def vendor(outgoing: Any) -> None:
        await harness.receive_status("delivered", key=outgoing.key, reference="wamid-1")

    harness.whatsapp.on_send = vendor
    outcome = await harness.send(message)

    row = await harness.message(message)
    assert (outcome.state, row.state) == ("delivered", "delivered")
    assert row.subject == REWARD
    assert await harness.logged() == ["message_sent", "message_delivered"]


async def test_a_failure_that_arrives_before_the_response_counts(harness: SendingHarness):
    message = await harness.create_message(await harness.customer(), REWARD, "whatsapp", "email")

    async def vendor(outgoing: Any) -> None:
        about = {"key": outgoing.key, "reference": "wamid-1"}
        await harness.receive_status(
            "failed", **about, kind="refused", code="refused", message="No."
        )

    harness.whatsapp.on_send = vendor
    outcome = await harness.send(message)

    assert (outcome.state, outcome.retry_at) == ("pending", NOON)
    assert (await harness.send(message)).state == "sent"
    assert await harness.outcome(message) == ("sent", "email", None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("template", [REWARD, PROMOTION])
async def test_a_message_that_fails_after_sending_goes_to_the_next_channel(
    harness: SendingHarness, template: str, kind: Any
):
    message = await sent(harness, template, "whatsapp", "email")
    harness.pass_time(days=1)

    for _ in range(2):
        await harness.receive_status(
            "failed", reference=message.reference, kind=kind, code="c", message="s."
        )

    (command,) = await resumes(harness)
    assert command.data == {"message": message.id}
    row = await harness.message(message.id)
    assert (row.state, row.sender_id) == ("pending", message.advocate_id)
    assert (await harness.send(message.id)).state == "sent"
    assert await harness.outcome(message.id) == ("sent", "email", None)
    assert len(harness.whatsapp.received) == 1


async def test_a_message_that_fails_on_its_last_channel_fails(harness: SendingHarness):
    message = await sent(harness)

    await harness.receive_status(
        "failed", reference=message.reference, kind="refused", code="c", message="s"
    )

    assert await harness.outcome(message.id) == ("failed", "whatsapp", "c")
    assert await resumes(harness) == []
    assert await harness.logged() == ["message_sent", "message_failed"]


@pytest.mark.parametrize("state", ["delivered", "read"])
async def test_a_failure_after_delivery_is_ignored(harness: SendingHarness, state: str):
    message = await sent(harness, REWARD, "whatsapp", "email")

    await harness.receive_status(state, reference=message.reference)
    await harness.receive_status("failed", reference=message.reference, kind="refused")

    assert (await harness.message(message.id)).state == state
    assert await resumes(harness) == []


async def test_an_address_reported_as_unreachable_is_suppressed(harness: SendingHarness):
    message = await sent(harness)
    await harness.receive_status(
        "failed", reference=message.reference, kind="unreachable", code="c"
    )
    later = await harness.create_message(message.customer_id, REWARD, "whatsapp")
    await harness.send(later)
    assert await harness.outcome(later) == ("failed", None, "suppressed")


@pytest.mark.parametrize("reference", ["of the message", "of an attempt before"])
async def test_an_opt_out_in_a_status_counts_whatever_became_of_the_message(
    harness: SendingHarness, reference: str
):
    message = await sent(harness)
    await harness.receive_status("read", reference=message.reference)

    reported = message.reference if reference == "of the message" else "wamid-before"
    await harness.receive_status("failed", key=message.key, reference=reported, kind="opted_out")

    assert await harness.marketing_channels(message.customer_id) == ["email"]
    assert (await harness.message(message.id)).state == "read"


async def test_an_opt_out_in_a_status_counts_from_its_own_time(harness: SendingHarness):
    message = await sent(harness, PROMOTION)
    await harness.record_consent(message.customer_id, "given", "marketing", "whatsapp")

    harness.pass_time(days=2)
    at = harness.now - timedelta(days=1)
    await harness.receive_status("failed", reference=message.reference, kind="opted_out", at=at)

    assert await harness.marketing_channels(message.customer_id) == ["email"]


@pytest.mark.parametrize("kind", ["unavailable", "blocked"])
async def test_a_temporary_failure_is_retried_on_the_same_channel(
    harness: SendingHarness, kind: str
):
    message = await sent(harness)

    await harness.receive_status(
        "failed", reference=message.reference, kind=kind, code="c", message="s."
    )

    (command,) = await resumes(harness)
    assert command.retry_at == NOON + status_reports.CHANNEL_RETRY_DELAY
    assert len(await harness.all(schema.channel_suspensions)) == (kind == "blocked")
    harness.pass_time(minutes=30)
    assert (await harness.send(message.id)).state == "sent"
    assert len(harness.whatsapp.received) == 2


async def test_a_temporary_failure_is_permanent_after_a_day(harness: SendingHarness):
    message = await sent(harness)
    harness.pass_time(days=1)

    await harness.receive_status(
        "failed", reference=message.reference, kind="unavailable", code="c"
    )

    assert await harness.outcome(message.id) == ("failed", "whatsapp", "c")


async def test_a_failure_of_an_earlier_attempt_is_ignored(
    harness: SendingHarness,
):
    message = await sent(harness)

    await harness.receive_status(
        "failed", key=message.key, reference="wamid-of-before", kind="refused"
    )

    assert (await harness.message(message.id)).state == "sent"


@pytest.mark.parametrize("state", ["sent", "failed"])
@pytest.mark.parametrize("answer", ["ref", RESPONSE_LOST])
async def test_a_repeated_status_of_an_earlier_attempt_is_ignored(
    harness: SendingHarness, answer: Any, state: Any
):
    harness.whatsapp.answers = ["ref", answer]
    message = await sent(harness, PROMOTION)
    about = {"key": message.key, "reference": message.reference}
    await harness.receive_status("failed", **about, kind="unavailable", code="c", message="s.")
    harness.pass_time(minutes=30)
    await harness.try_to_send(message.id)
    before = await harness.message(message.id), await harness.all(schema.message_deliveries)

    await harness.receive_status(state, **about, kind="unavailable", code="c", message="s.")
    await harness.receive_status("failed", **about, kind="unavailable", code="c", message="s.")

    assert (
        await harness.message(message.id),
        await harness.all(schema.message_deliveries),
    ) == before
    await harness.receive_status("delivered", key=message.key, reference="wamid-2")
    assert (await harness.message(message.id)).state == "delivered"


@pytest.mark.parametrize("lost", [False, True])
async def test_a_failure_is_not_undone_by_an_older_status_that_arrives_later(
    harness: SendingHarness, lost: bool
):
    harness.whatsapp.answers = [RESPONSE_LOST if lost else "wamid", "ref"]
    customer = await harness.customer(consent=["whatsapp"])
    message = await harness.create_message(customer, PROMOTION, "whatsapp")
    await harness.try_to_send(message)
    about = {"key": (await harness.message(message)).key, "reference": "wamid-1"}

    await harness.receive_status("failed", **about, kind="unavailable", code="c", message="s.")
    await harness.receive_status("sent", **about)

    assert (await harness.message(message)).state == "pending"
    harness.pass_time(minutes=30)
    assert (await harness.send(message)).state == "sent"
    assert (await harness.message(message)).reference == "ref-2"


@pytest.mark.parametrize("kind", ["refused", "unavailable"])
async def test_a_message_failed_with_unknown_outcome_gets_the_reported_reason(
    harness: SendingHarness, kind: Any
):
    harness.whatsapp.answers = [RESPONSE_LOST]
    customer = await harness.customer(consent=["whatsapp"])
    message = await harness.create_message(customer, PROMOTION, "whatsapp")
    await harness.try_to_send(message)
    harness.pass_time(minutes=10)
    await harness.send(message)
    assert await harness.outcome(message) == ("failed", None, "unclear")
    about = {"key": (await harness.message(message)).key, "reference": "wamid-1"}

    await harness.receive_status("failed", **about, kind=kind, code="c", message="s.")
    await harness.receive_status("sent", **about)

    assert await harness.outcome(message) == ("failed", None, "c")
    assert await resumes(harness) == []


@pytest.mark.parametrize("again", [1, 2])
async def test_stopping_marketing_in_whatsapp_withdraws_the_consent(
    harness: SendingHarness, again: int
):
    ada = await harness.customer(consent=["whatsapp", "email"])
    twin = await harness.customer("eve", phone="+4915112003294", consent=["whatsapp"])
    (row,) = await harness.all(schema.customers, external_id="ada")
    assert row.phone == "+4915112003294"

    for _ in range(again):
        await prefer(harness, row.phone, "stop", harness.now)
    assert (await harness.marketing_channels(ada), await harness.marketing_channels(twin)) == (
        ["email"],
        [],
    )

    await prefer(harness, row.phone, "resume", harness.now - timedelta(hours=1))
    assert await harness.marketing_channels(ada) == ["email"]
    harness.pass_time(hours=1)
    await prefer(harness, row.phone, "resume", harness.now)
    assert await harness.marketing_channels(ada) == ["email", "whatsapp"]


async def prefer(harness: SendingHarness, phone: str, wish: Any, at: Any) -> None:
    async with harness.store.begin() as tx:
        await status_reports.record_preference(
            tx, MarketingPreference("whatsapp", phone, wish, at), harness.now
        )
