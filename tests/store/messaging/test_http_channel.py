"""The channel `http`: consent, unknown outcomes, callbacks and suppression as on the other channels."""

import json
from typing import Any

import pytest

from referrals.channels import OutgoingMessage
from referrals.channels.errors import AddressUnreachable, RecipientOptedOut
from referrals.domain.events import Customer
from referrals.store import Store, schema
from referrals.store.customers import consents, profiles
from tests.store.messaging.sending_harness import (
    PROMOTION,
    RESPONSE_LOST,
    REWARD,
    SendingHarness,
    WorkerCrash,
)

FALL_BACK = ("http", "email")


@pytest.fixture
async def harness(store: Store) -> SendingHarness:
    return await SendingHarness(store).open()


async def change_customer(harness: SendingHarness, name: str, **changes: Any) -> None:
    async with harness.store.begin() as tx:
        await profiles.upsert(tx, Customer.model_validate({"id": name, **changes}), harness.now)


async def test_the_endpoint_gets_all_contacts_that_can_be_written_to(harness: SendingHarness):
    customer = await harness.customer("ada", phone=None)
    await harness.send(await harness.create_message(customer, REWARD, "http"))

    (sent,) = harness.http.received
    contacts = {"customer": "ada", "email": "ada@example.com", "phone": None}
    assert json.loads(sent.to or "") == contacts
    assert (sent.campaign, sent.template) == ("spring", REWARD)


async def test_marketing_needs_a_consent_for_the_channel(harness: SendingHarness):
    customer = await harness.customer(consent=["email"])
    refused = await harness.create_message(customer, PROMOTION, "http")
    await harness.send(refused)
    assert await harness.outcome(refused) == ("failed", None, "no_consent")

    await harness.apply_consent_list(customer, "email", "http")
    sent = await harness.create_message(customer, PROMOTION, "http")
    await harness.send(sent)
    assert await harness.outcome(sent) == ("sent", "http", None)


async def test_marketing_whose_response_was_lost_is_never_sent_again(harness: SendingHarness):
    customer = await harness.customer(consent=["email", "http"])
    message = await harness.create_message(customer, PROMOTION, *FALL_BACK)
    harness.http.answers = [RESPONSE_LOST, "ref"]
    assert await harness.try_to_send(message) == "OutcomeUnknown"
    harness.pass_time(minutes=11)
    await harness.send(message)

    assert await harness.outcome(message) == ("failed", None, "unclear")
    assert (len(harness.http.received), len(harness.email.received)) == (1, 0)


@pytest.mark.parametrize("lost", [RESPONSE_LOST, WorkerCrash()])
async def test_a_callback_tells_what_became_of_a_lost_response(
    harness: SendingHarness, lost: BaseException
):
    customer = await harness.customer(consent=["http"])
    message = await harness.create_message(customer, PROMOTION, *FALL_BACK)
    harness.http.answers = [lost]
    with pytest.raises((WorkerCrash, Exception)):
        await harness.send(message)
    (sent,) = harness.http.received
    assert await harness.receive_status("delivered", "http", key=sent.key)
    harness.pass_time(minutes=11)
    await harness.send(message)

    assert await harness.outcome(message) == ("delivered", "http", None)
    assert len(harness.http.received) == 1


async def test_a_service_message_whose_response_was_lost_is_sent_again_with_its_key(
    harness: SendingHarness,
):
    message = await harness.create_message(await harness.customer(), REWARD, *FALL_BACK)
    harness.http.answers = [RESPONSE_LOST, "ref"]
    assert await harness.try_to_send(message) == "OutcomeUnknown"
    assert (await harness.send(message)).state == "pending"
    harness.pass_time(minutes=11)
    await harness.send(message)

    assert await harness.outcome(message) == ("sent", "http", None)
    assert len(set(harness.http.keys)) == 1
    assert len(harness.http.keys) == 2


@pytest.mark.parametrize("state", ["delivered", "failed"])
async def test_a_callback_may_arrive_before_the_response(harness: SendingHarness, state: str):
    message = await harness.create_message(await harness.customer(), REWARD, *FALL_BACK)

    async def report(sent: OutgoingMessage) -> None:
        about = {"kind": "refused", "code": "refused"} if state == "failed" else {}
        await harness.receive_status(state, "http", key=sent.key, **about)

    harness.http.on_send = report
    if (await harness.send(message)).state == "pending":
        await harness.send(message)

    expected = ("sent", "email", None) if state == "failed" else ("delivered", "http", None)
    assert await harness.outcome(message) == expected


async def test_an_unreachable_customer_is_tried_again_with_new_contacts(harness: SendingHarness):
    customer = await harness.customer("ada")
    harness.http.answers = [AddressUnreachable("unreachable", "No such number."), "ref"]
    first = await harness.create_message(customer, REWARD, "http")
    await harness.send(first)
    second = await harness.create_message(customer, REWARD, "http")
    await harness.send(second)
    assert (await harness.outcome(second))[2] == "suppressed"

    await change_customer(harness, "ada", phone="+4915199999999")
    third = await harness.create_message(customer, REWARD, "http")
    await harness.send(third)
    assert await harness.outcome(third) == ("sent", "http", None)


async def test_an_opt_out_at_the_endpoint_ends_marketing_on_this_channel_only(
    harness: SendingHarness,
):
    customer = await harness.customer(consent=["email", "http"])
    harness.http.answers = [RecipientOptedOut("opted_out", "Stop."), "ref"]
    message = await harness.create_message(customer, PROMOTION, *FALL_BACK)
    await harness.send(message)

    assert await harness.outcome(message) == ("sent", "email", None)
    assert await harness.marketing_channels(customer) == ["email"]
    (withdrawn,) = await harness.all(schema.consents, state="withdrawn")
    assert (withdrawn.channel, withdrawn.source) == ("http", "http")


async def test_the_unsubscribe_link_of_a_message_ends_marketing_on_this_channel(
    harness: SendingHarness,
):
    customer = await harness.customer(consent=["email", "http"])
    message = await harness.create_message(customer, PROMOTION, "http")
    await harness.send(message)
    token = (await harness.message(message)).unsubscribe_token
    async with harness.store.begin() as tx:
        ended = await consents.unsubscribe(tx, token, harness.now)

    assert ended
    assert ended.channels == ["http"]
    assert await harness.marketing_channels(customer) == ["email"]


async def test_quiet_hours_and_the_cap_apply(store: Store):
    harness = await SendingHarness(store, quiet_hours="21:00-08:00", cap="1/P1D").open()
    customer = await harness.customer(timezone="UTC")
    first = await harness.create_message(customer, REWARD, "http")
    await harness.send(first)
    second = await harness.create_message(customer, REWARD, *FALL_BACK)

    assert (await harness.send(second)).state == "pending"
    assert (await harness.outcome(second))[2] == "message_cap"
    harness.now = harness.now.replace(hour=23)
    assert (await harness.send(second)).state == "pending"
    assert (await harness.outcome(second))[2] == "quiet_hours"
