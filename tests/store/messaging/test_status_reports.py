"""What vendors tell after they have taken a message over: twice, in any order, days late."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from referrals.domain.message_status import MarketingPreference
from referrals.store import schema
from referrals.store.messaging import status_reports
from tests.store.messaging.sending_harness import LOST, NOON, PROMOTION, REWARD, Office

KINDS = ["unreachable", "refused", None]


async def sent(office: Office, template: str = REWARD, *channels: str) -> Any:
    """A message that its vendor has taken over."""
    customer = await office.customer(consent=["whatsapp", "email"])
    message = await office.write(customer, template, *(channels or ("whatsapp",)))
    assert (await office.send(message)).state == "sent"
    return await office.message(message)


async def resumes(office: Office) -> list[Any]:
    return await office.all(schema.inbox_events, type=status_reports.RESUME_COMMAND)


@pytest.mark.parametrize("order", list(itertools.permutations(["sent", "delivered", "read"])))
async def test_in_any_order_and_twice_the_furthest_counts(office: Office, order: tuple[str, ...]):
    message = await sent(office)

    for state in (*order, *order):
        assert await office.hear(state, reference=message.reference)

    row = await office.message(message.id)
    assert (row.state, row.completed_at) == ("read", message.completed_at)
    assert row.read_at is not None
    assert await office.logged() == ["message_sent", "message_delivered"]


async def test_a_status_of_no_message_of_ours_is_none(office: Office):
    message = await sent(office)

    assert not await office.hear("delivered", reference="wamid-of-somebody")
    assert not await office.hear("delivered", key="key-of-somebody")
    assert not await office.hear("delivered", channel="email", reference=message.reference)

    assert await office.outcome(message.id) == ("sent", "whatsapp", None)


async def test_a_status_that_comes_before_our_own_answer_counts(office: Office):
    customer = await office.customer()
    message = await office.write(customer, REWARD, "whatsapp")

    async def vendor(outgoing: Any) -> None:
        await office.hear("delivered", key=outgoing.key, reference="wamid-1")

    office.whatsapp.during = vendor
    outcome = await office.send(message)

    row = await office.message(message)
    assert (outcome.state, row.state) == ("delivered", "delivered")
    assert row.subject == REWARD
    assert await office.logged() == ["message_sent", "message_delivered"]


async def test_a_failure_that_comes_before_our_own_answer_counts(office: Office):
    message = await office.write(await office.customer(), REWARD, "whatsapp", "email")

    async def vendor(outgoing: Any) -> None:
        about = {"key": outgoing.key, "reference": "wamid-1"}
        await office.hear("failed", **about, kind="refused", code="refused", message="No.")

    office.whatsapp.during = vendor
    outcome = await office.send(message)

    assert (outcome.state, outcome.retry_at) == ("pending", NOON)
    assert (await office.send(message)).state == "sent"
    assert await office.outcome(message) == ("sent", "email", None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("template", [REWARD, PROMOTION])
async def test_what_fails_after_it_was_sent_goes_by_the_next_channel(
    office: Office, template: str, kind: Any
):
    message = await sent(office, template, "whatsapp", "email")
    office.pass_time(days=1)

    for _ in range(2):
        await office.hear("failed", reference=message.reference, kind=kind, code="c", message="s.")

    (command,) = await resumes(office)
    assert command.data == {"message": message.id}
    row = await office.message(message.id)
    assert (row.state, row.sender_id) == ("pending", message.advocate_id)
    assert (await office.send(message.id)).state == "sent"
    assert await office.outcome(message.id) == ("sent", "email", None)
    assert len(office.whatsapp.taken) == 1


async def test_what_fails_by_its_last_channel_has_failed(office: Office):
    message = await sent(office)

    await office.hear("failed", reference=message.reference, kind="refused", code="c", message="s")

    assert await office.outcome(message.id) == ("failed", "whatsapp", "c")
    assert await resumes(office) == []
    assert await office.logged() == ["message_sent", "message_failed"]


@pytest.mark.parametrize("state", ["delivered", "read"])
async def test_a_failure_after_it_was_delivered_is_none(office: Office, state: str):
    message = await sent(office, REWARD, "whatsapp", "email")

    await office.hear(state, reference=message.reference)
    await office.hear("failed", reference=message.reference, kind="refused")

    assert (await office.message(message.id)).state == state
    assert await resumes(office) == []


async def test_an_address_that_turns_out_unreachable_is_suppressed(office: Office):
    message = await sent(office)
    await office.hear("failed", reference=message.reference, kind="unreachable", code="c")
    later = await office.write(message.customer_id, REWARD, "whatsapp")
    await office.send(later)
    assert await office.outcome(later) == ("failed", None, "suppressed")


@pytest.mark.parametrize("reference", ["of the message", "of an attempt before"])
async def test_an_opt_out_told_by_a_status_counts_whatever_became_of_its_message(
    office: Office, reference: str
):
    message = await sent(office)
    await office.hear("read", reference=message.reference)

    told = message.reference if reference == "of the message" else "wamid-before"
    await office.hear("failed", key=message.key, reference=told, kind="opted_out")

    assert await office.allowed(message.customer_id) == ["email"]
    assert (await office.message(message.id)).state == "read"


async def test_an_opt_out_told_by_a_status_counts_from_when_it_was(office: Office):
    message = await sent(office, PROMOTION)
    await office.wish(message.customer_id, "given", "marketing", "whatsapp")

    office.pass_time(days=2)
    at = office.now - timedelta(days=1)
    await office.hear("failed", reference=message.reference, kind="opted_out", at=at)

    assert await office.allowed(message.customer_id) == ["email"]


@pytest.mark.parametrize("kind", ["unavailable", "blocked"])
async def test_a_failure_that_passes_is_tried_again_by_the_same_channel(office: Office, kind: str):
    message = await sent(office)

    await office.hear("failed", reference=message.reference, kind=kind, code="c", message="s.")

    (command,) = await resumes(office)
    assert command.retry_at == NOON + status_reports.CHANNEL_RETRY_DELAY
    assert len(await office.all(schema.channel_suspensions)) == (kind == "blocked")
    office.pass_time(minutes=30)
    assert (await office.send(message.id)).state == "sent"
    assert len(office.whatsapp.taken) == 2


async def test_a_failure_that_does_not_pass_in_a_day_is_one(office: Office):
    message = await sent(office)
    office.pass_time(days=1)

    await office.hear("failed", reference=message.reference, kind="unavailable", code="c")

    assert await office.outcome(message.id) == ("failed", "whatsapp", "c")


async def test_a_failure_of_an_attempt_that_another_followed_is_passed_over(office: Office):
    message = await sent(office)

    await office.hear("failed", key=message.key, reference="wamid-of-before", kind="refused")

    assert (await office.message(message.id)).state == "sent"


@pytest.mark.parametrize("state", ["sent", "failed"])
@pytest.mark.parametrize("answer", ["ref", LOST])
async def test_what_is_told_again_of_an_attempt_says_nothing_of_the_one_that_followed(
    office: Office, answer: Any, state: Any
):
    office.whatsapp.answers = ["ref", answer]
    message = await sent(office, PROMOTION)
    about = {"key": message.key, "reference": message.reference}
    await office.hear("failed", **about, kind="unavailable", code="c", message="s.")
    office.pass_time(minutes=30)
    await office.try_to_send(message.id)
    before = await office.message(message.id), await office.all(schema.message_deliveries)

    await office.hear(state, **about, kind="unavailable", code="c", message="s.")
    await office.hear("failed", **about, kind="unavailable", code="c", message="s.")

    assert (await office.message(message.id), await office.all(schema.message_deliveries)) == before
    await office.hear("delivered", key=message.key, reference="wamid-2")
    assert (await office.message(message.id)).state == "delivered"


@pytest.mark.parametrize("lost", [False, True])
async def test_a_failure_is_not_undone_by_what_came_before_it_and_is_told_after_it(
    office: Office, lost: bool
):
    office.whatsapp.answers = [LOST if lost else "wamid", "ref"]
    customer = await office.customer(consent=["whatsapp"])
    message = await office.write(customer, PROMOTION, "whatsapp")
    await office.try_to_send(message)
    about = {"key": (await office.message(message)).key, "reference": "wamid-1"}

    await office.hear("failed", **about, kind="unavailable", code="c", message="s.")
    await office.hear("sent", **about)

    assert (await office.message(message)).state == "pending"
    office.pass_time(minutes=30)
    assert (await office.send(message)).state == "sent"
    assert (await office.message(message)).reference == "ref-2"


@pytest.mark.parametrize("kind", ["refused", "unavailable"])
async def test_what_was_given_up_as_unclear_has_failed_once_that_is_told(office: Office, kind: Any):
    office.whatsapp.answers = [LOST]
    customer = await office.customer(consent=["whatsapp"])
    message = await office.write(customer, PROMOTION, "whatsapp")
    await office.try_to_send(message)
    office.pass_time(minutes=10)
    await office.send(message)
    assert await office.outcome(message) == ("failed", None, "unclear")
    about = {"key": (await office.message(message)).key, "reference": "wamid-1"}

    await office.hear("failed", **about, kind=kind, code="c", message="s.")
    await office.hear("sent", **about)

    assert await office.outcome(message) == ("failed", None, "c")
    assert await resumes(office) == []


@pytest.mark.parametrize("again", [1, 2])
async def test_whoever_stops_marketing_over_there_has_stopped_it_here(office: Office, again: int):
    ada = await office.customer(consent=["whatsapp", "email"])
    twin = await office.customer("eve", phone="+4915112003294", consent=["whatsapp"])
    (row,) = await office.all(schema.customers, external_id="ada")
    assert row.phone == "+4915112003294"

    for _ in range(again):
        await prefer(office, row.phone, "stop", office.now)
    assert (await office.allowed(ada), await office.allowed(twin)) == (["email"], [])

    await prefer(office, row.phone, "resume", office.now - timedelta(hours=1))
    assert await office.allowed(ada) == ["email"]
    office.pass_time(hours=1)
    await prefer(office, row.phone, "resume", office.now)
    assert await office.allowed(ada) == ["email", "whatsapp"]


async def prefer(office: Office, phone: str, wish: Any, at: Any) -> None:
    async with office.store.begin() as tx:
        await status_reports.record_preference(
            tx, MarketingPreference("whatsapp", phone, wish, at), office.now
        )
