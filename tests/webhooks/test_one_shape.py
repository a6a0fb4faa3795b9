"""An event has one shape: for webhooks, and for the webhooks and workflows of journeys."""

from typing import Any

from referrals.store import schema
from referrals.store.customers import profiles
from referrals.store.reporting import outgoing_events
from tests.harness.journeys import with_journey
from tests.webhooks.conftest import SOURCE, Office

START = {"start_workflow": {"type": "VipOnboarding", "task_queue": "crm"}}


def without_people(event: dict[str, Any]) -> dict[str, Any]:
    people = dict.fromkeys(("advocate", "customer"))
    return event | {"data": event["data"] | people}


async def test_webhooks_and_journeys_get_the_same_event(office: Office):
    post = {"webhook": {"url": f"{office.receiver.url}/crm"}}
    await office.harness.apply(with_journey(post, START, on="referral_converted"))
    await office.subscribe("referral_converted")
    code = await office.harness.publish("spring", "ada@example.com")
    referral = (await office.harness.convert(code, "fay@example.com"))["referral"]
    await office.deliver()
    (start,) = await office.harness.all(schema.workflow_starts)
    async with office.store.read() as tx:
        given = await outgoing_events.load_with_our_ids(tx, start.activity_id, SOURCE)
        fay = await profiles.find(tx, given["data"]["customer"])
        ada = await profiles.find(tx, given["data"]["advocate"])

    subscribed, of_journey = (received.event for received in office.receiver.received)
    assert subscribed == of_journey
    assert without_people(given) == without_people(subscribed)
    assert (subscribed["subject"], subscribed["data"]["customer"]) == (referral, "fay@example.com")
    assert (ada.external_id, fay.external_id) == ("ada@example.com", "fay@example.com")
    assert "@" not in str(given)
