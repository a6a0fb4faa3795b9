"""Unknown outcomes: marketing is sent at most once, service messages at least once."""

import pytest

from referrals.channels.errors import MessageRejected
from referrals.store import schema
from referrals.store.messaging import channel_selection
from tests.store.messaging.sending_harness import (
    BOTH_CHANNELS,
    NOON,
    PROMOTION,
    RESPONSE_LOST,
    REWARD,
    SendingHarness,
    WorkerCrash,
)


async def test_marketing_with_a_lost_response_does_not_go_to_a_channel_allowed_meanwhile(
    harness: SendingHarness,
):
    harness.email.answers = [RESPONSE_LOST]
    customer = await harness.customer(consent=["email"])
    message = await harness.create_message(customer, PROMOTION, *BOTH_CHANNELS)
    assert await harness.try_to_send(message) == "OutcomeUnknown"

    await harness.record_consent(customer, "given", "marketing", "whatsapp")
    await harness.send(message)

    assert await harness.outcome(message) == ("failed", None, "unclear")
    assert harness.whatsapp.received == []


async def test_only_one_of_two_workers_calls_the_channel(harness: SendingHarness):
    message = await harness.create_message(await harness.customer())
    meanwhile = []

    async def second_worker(_: object) -> None:
        meanwhile.append(await harness.send(message))

    harness.email.on_send = second_worker
    await harness.send(message)

    (other,) = meanwhile
    assert (other.state, other.retry_at) == ("pending", NOON + channel_selection.ATTEMPT_TIMEOUT)
    assert len(harness.email.received) == 1
    assert await harness.outcome(message) == ("sent", "email", None)


@pytest.mark.parametrize("end", [RESPONSE_LOST, WorkerCrash(), TimeoutError()])
async def test_marketing_with_a_lost_response_is_never_repeated_on_any_channel(
    harness: SendingHarness, end: BaseException
):
    harness.email.answers = [end, "ref"]
    customer = await harness.customer(consent=["email", "whatsapp"])
    message = await harness.create_message(customer, PROMOTION, "email", "whatsapp")

    await _fall(harness, message)
    harness.pass_time(minutes=2)
    await harness.send(message)

    assert await harness.outcome(message) == ("failed", None, "unclear")
    assert (len(harness.email.received), len(harness.whatsapp.received)) == (1, 0)


@pytest.mark.parametrize("end", [RESPONSE_LOST, WorkerCrash(), TimeoutError()])
async def test_a_service_message_with_a_lost_response_is_repeated_with_the_same_key(
    harness: SendingHarness, end: BaseException
):
    harness.email.answers = [end, "ref"]
    message = await harness.create_message(await harness.customer(), REWARD)

    await _fall(harness, message)
    harness.pass_time(minutes=2)
    await harness.send(message)

    assert await harness.outcome(message) == ("sent", "email", None)
    assert len(harness.email.keys) == 2
    assert len(set(harness.email.keys)) == 1
    assert [taken.attempt for taken in harness.email.received] == [1, 2]


async def _fall(harness: SendingHarness, message: str) -> None:
    try:
        assert await harness.try_to_send(message) == "OutcomeUnknown"
    except WorkerCrash:
        return


@pytest.mark.parametrize("template", [PROMOTION, REWARD])
async def test_a_vendor_with_status_reports_gets_time_to_report(
    harness: SendingHarness, template: str
):
    harness.whatsapp.answers = [RESPONSE_LOST, "ref"]
    customer = await harness.customer(consent=["whatsapp"])
    message = await harness.create_message(customer, template, "whatsapp")
    await _fall(harness, message)

    assert (await harness.send(message)).retry_at == NOON + channel_selection.STATUS_REPORT_TIMEOUT
    harness.pass_time(minutes=5)
    key = (await harness.message(message)).key
    assert await harness.receive_status("delivered", key=key, reference="wamid-1")

    row = await harness.message(message)
    assert (row.state, row.channel, row.reference) == ("delivered", "whatsapp", "wamid-1")
    assert (await harness.send(message)).state == "delivered"
    assert len(harness.whatsapp.received) == 1
    assert await harness.logged() == ["message_sent", "message_delivered"]


@pytest.mark.parametrize(("template", "calls"), [(PROMOTION, 1), (REWARD, 2)])
async def test_without_a_status_report_marketing_fails_and_a_service_message_is_repeated(
    harness: SendingHarness, template: str, calls: int
):
    harness.whatsapp.answers = [RESPONSE_LOST, "ref"]
    customer = await harness.customer(consent=["whatsapp", "email"])
    message = await harness.create_message(customer, template, "whatsapp", "email")
    await _fall(harness, message)
    harness.pass_time(minutes=10)

    await harness.send(message)

    assert len(harness.whatsapp.received) == calls
    assert harness.email.received == []
    state, _, code = await harness.outcome(message)
    assert (state, code) == (("failed", "unclear") if calls == 1 else ("sent", None))


async def test_a_late_status_of_a_message_with_an_unknown_outcome_counts(harness: SendingHarness):
    harness.whatsapp.answers = [RESPONSE_LOST]
    message = await harness.create_message(
        await harness.customer(consent=["whatsapp"]), PROMOTION, "whatsapp"
    )
    await _fall(harness, message)
    harness.pass_time(minutes=10)
    assert (await harness.send(message)).state == "failed"

    harness.pass_time(days=6)
    key = (await harness.message(message)).key
    await harness.receive_status("read", key=key, reference="wamid-1")

    row = await harness.message(message)
    assert (row.state, row.channel, row.reason_code) == ("read", "whatsapp", None)
    assert row.read_at is not None


async def test_the_late_result_of_a_superseded_attempt_changes_nothing(
    harness: SendingHarness,
):
    message = await harness.create_message(await harness.customer())

    async def taken_over(_: object) -> None:
        harness.email.on_send = None
        harness.pass_time(minutes=2)
        await harness.send(message)

    harness.email.on_send = taken_over
    harness.email.answers = ["ref", MessageRejected("message_refused", "No.")]
    await harness.send(message)

    assert await harness.outcome(message) == ("sent", "email", None)
    assert (await harness.message(message)).reference == "ref-2"
    (delivery,) = await harness.all(schema.message_deliveries, message_id=message)
    assert (delivery.state, delivery.reference, delivery.reason_code) == ("sent", "ref-2", None)
