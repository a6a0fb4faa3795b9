"""Deliveries that failed after their last attempt: listed, sent again under the same id, or given up."""

from datetime import timedelta
from typing import Any

import pytest

from referrals.errors import NotPossibleError, UnknownDeliveryError
from referrals.store import schema
from referrals.store.journeys import one_off_webhooks
from referrals.store.reporting.summary import summarise
from referrals.store.webhooks import delivery_lists
from referrals.store.webhooks.delivery_lists import WebhookDelivery
from tests.webhooks.conftest import ALL, Office

KEY = "journey/vip/ref_1/jrn_1/0"


async def listed(office: Office, **filters: Any) -> list[WebhookDelivery]:
    async with office.store.read() as tx:
        return (await delivery_lists.list_deliveries(tx, ALL, **filters)).data


@pytest.fixture
async def failed(office: Office) -> WebhookDelivery:
    """The delivery of a journey's step to an endpoint that was down for days."""
    activity_id = await office.harness.log_activity("referral_converted")
    async with office.store.begin() as tx:
        await one_off_webhooks.add(
            tx,
            campaign_id="spring",
            url=office.receiver.url,
            key=KEY,
            activity_id=activity_id,
            type="referral_converted",
            now=office.harness.time,
        )
    office.receiver.replies += [500] * 20
    for _ in range(20):
        await office.deliver(timedelta(days=1))
    office.receiver.replies.clear()
    office.receiver.received.clear()
    (found,) = await listed(office, state="failed")
    return found


async def test_a_failed_delivery_of_a_journey_is_in_sight(office: Office, failed: WebhookDelivery):
    assert (failed.webhook, failed.url, failed.event) == (None, office.receiver.url, KEY)
    assert (failed.campaign, failed.error) == ("spring", "answered 500")
    assert await listed(office, campaign="spring", state="pending") == []
    async with office.store.read() as tx:
        assert await delivery_lists.count_failed(tx) == 1
        summary = await summarise(tx, "spring", office.harness.time)
    assert summary.attention.deliveries_failed == 1


async def test_it_is_sent_again_under_the_same_id(office: Office, failed: WebhookDelivery):
    async with office.store.begin() as tx:
        await delivery_lists.retry(tx, int(failed.id), office.harness.time)
    await office.deliver()

    (received,) = office.receiver.received
    assert received.id == KEY
    (delivered,) = await listed(office)
    assert (delivered.state, delivered.attempts, delivered.error) == ("delivered", 1, None)
    async with office.store.begin() as tx:
        with pytest.raises(NotPossibleError, match="is delivered, not failed"):
            await delivery_lists.retry(tx, int(failed.id), office.harness.time)


async def test_it_is_given_up_once(office: Office, failed: WebhookDelivery):
    async with office.store.begin() as tx:
        await delivery_lists.drop(tx, int(failed.id), office.harness.time)
        with pytest.raises(NotPossibleError, match="is dropped, not failed"):
            await delivery_lists.drop(tx, int(failed.id), office.harness.time)
        with pytest.raises(UnknownDeliveryError):
            await delivery_lists.drop(tx, 10**12, office.harness.time)
    await office.deliver(timedelta(days=1))

    assert office.receiver.received == []
    assert [found.state for found in await listed(office)] == ["dropped"]


async def test_deliveries_to_webhooks_are_in_the_same_list(office: Office):
    await office.subscribe("referral_signed_up")
    webhook = await office.subscribe("referral_signed_up")
    await office.harness.sign_up(await office.harness.publish("spring", "ada"), "fay")
    await office.deliver()

    assert len(await listed(office)) == 2
    (found,) = await listed(office, webhook=webhook.id)
    assert (found.webhook, found.url, found.campaign) == (webhook.id, None, "spring")
    assert found.activity


async def test_nothing_is_sent_without_a_signing_secret(office: Office):
    activity_id = await office.harness.log_activity("referral_converted")
    async with office.store.begin() as tx:
        await one_off_webhooks.add(
            tx,
            campaign_id="spring",
            url=office.receiver.url,
            key="k",
            activity_id=activity_id,
            type="referral_converted",
            now=office.harness.time,
        )
    await office.deliverer_of(secret=None).drain()
    async with office.store.read() as tx:
        (row,) = (await tx.execute(schema.webhook_deliveries.select())).all()

    assert office.receiver.received == []
    assert row.state == "pending"
    assert "REFERRALS_WEBHOOK_SECRET" in row.error
