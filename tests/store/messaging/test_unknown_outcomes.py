"""What is done where nobody knows whether a vendor has taken a message: marketing at most once, service at least once."""

import pytest

from referrals.channels.errors import MessageRejected
from referrals.store.messaging import channel_selection
from tests.store.messaging.sending_harness import BOTH, LOST, NOON, PROMOTION, REWARD, Crash, Office


async def test_marketing_whose_answer_was_lost_does_not_go_by_a_channel_that_is_allowed_meanwhile(
    office: Office,
):
    office.email.answers = [LOST]
    customer = await office.customer(consent=["email"])
    message = await office.write(customer, PROMOTION, *BOTH)
    assert await office.try_to_send(message) == "OutcomeUnknown"

    await office.wish(customer, "given", "marketing", "whatsapp")
    await office.send(message)

    assert await office.outcome(message) == ("failed", None, "unclear")
    assert office.whatsapp.taken == []


async def test_of_two_workers_one_calls(office: Office):
    message = await office.write(await office.customer())
    meanwhile = []

    async def second_worker(_: object) -> None:
        meanwhile.append(await office.send(message))

    office.email.during = second_worker
    await office.send(message)

    (other,) = meanwhile
    assert (other.state, other.retry_at) == ("pending", NOON + channel_selection.ATTEMPT_TIMEOUT)
    assert len(office.email.taken) == 1
    assert await office.outcome(message) == ("sent", "email", None)


@pytest.mark.parametrize("end", [LOST, Crash(), TimeoutError()])
async def test_marketing_whose_answer_is_lost_is_never_sent_again_by_any_channel(
    office: Office, end: BaseException
):
    office.email.answers = [end, "ref"]
    customer = await office.customer(consent=["email", "whatsapp"])
    message = await office.write(customer, PROMOTION, "email", "whatsapp")

    await _fall(office, message)
    office.pass_time(minutes=2)
    await office.send(message)

    assert await office.outcome(message) == ("failed", None, "unclear")
    assert (len(office.email.taken), len(office.whatsapp.taken)) == (1, 0)


@pytest.mark.parametrize("end", [LOST, Crash(), TimeoutError()])
async def test_a_reward_notice_whose_answer_is_lost_is_sent_again_under_the_same_key(
    office: Office, end: BaseException
):
    office.email.answers = [end, "ref"]
    message = await office.write(await office.customer(), REWARD)

    await _fall(office, message)
    office.pass_time(minutes=2)
    await office.send(message)

    assert await office.outcome(message) == ("sent", "email", None)
    assert len(office.email.keys) == 2
    assert len(set(office.email.keys)) == 1
    assert [taken.attempt for taken in office.email.taken] == [1, 2]


async def _fall(office: Office, message: str) -> None:
    try:
        assert await office.try_to_send(message) == "OutcomeUnknown"
    except Crash:
        return


@pytest.mark.parametrize("template", [PROMOTION, REWARD])
async def test_a_vendor_that_reconciles_is_given_time_to_tell(office: Office, template: str):
    office.whatsapp.answers = [LOST, "ref"]
    customer = await office.customer(consent=["whatsapp"])
    message = await office.write(customer, template, "whatsapp")
    await _fall(office, message)

    assert (await office.send(message)).retry_at == NOON + channel_selection.STATUS_REPORT_TIMEOUT
    office.pass_time(minutes=5)
    key = (await office.message(message)).key
    assert await office.hear("delivered", key=key, reference="wamid-1")

    row = await office.message(message)
    assert (row.state, row.channel, row.reference) == ("delivered", "whatsapp", "wamid-1")
    assert (await office.send(message)).state == "delivered"
    assert len(office.whatsapp.taken) == 1
    assert await office.logged() == ["message_sent", "message_delivered"]


@pytest.mark.parametrize(("template", "calls"), [(PROMOTION, 1), (REWARD, 2)])
async def test_after_that_time_marketing_is_given_up_and_a_reward_notice_sent_again(
    office: Office, template: str, calls: int
):
    office.whatsapp.answers = [LOST, "ref"]
    customer = await office.customer(consent=["whatsapp", "email"])
    message = await office.write(customer, template, "whatsapp", "email")
    await _fall(office, message)
    office.pass_time(minutes=10)

    await office.send(message)

    assert len(office.whatsapp.taken) == calls
    assert office.email.taken == []
    state, _, code = await office.outcome(message)
    assert (state, code) == (("failed", "unclear") if calls == 1 else ("sent", None))


async def test_what_a_vendor_tells_days_late_of_an_unclear_message_counts(office: Office):
    office.whatsapp.answers = [LOST]
    message = await office.write(await office.customer(consent=["whatsapp"]), PROMOTION, "whatsapp")
    await _fall(office, message)
    office.pass_time(minutes=10)
    assert (await office.send(message)).state == "failed"

    office.pass_time(days=6)
    key = (await office.message(message)).key
    await office.hear("read", key=key, reference="wamid-1")

    row = await office.message(message)
    assert (row.state, row.channel, row.reason_code) == ("read", "whatsapp", None)
    assert row.read_at is not None


async def test_a_late_end_of_a_call_that_was_taken_over_changes_nothing(office: Office):
    message = await office.write(await office.customer())

    async def taken_over(_: object) -> None:
        office.email.during = None
        office.pass_time(minutes=2)
        await office.send(message)

    office.email.during = taken_over
    office.email.answers = ["ref", MessageRejected("message_refused", "No.")]
    await office.send(message)

    assert await office.outcome(message) == ("sent", "email", None)
    assert (await office.message(message)).reference == "ref-2"
