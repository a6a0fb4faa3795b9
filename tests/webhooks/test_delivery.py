"""Webhook deliveries: content, order, retries and concurrency."""

import asyncio
import os
import re
import signal
import sys
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import pytest

from referrals.domain.webhook_retries import RETRY_DELAYS
from referrals.store.journeys import one_off_webhooks
from referrals.store.webhooks import deliveries
from tests.harness.campaigns import campaign
from tests.webhooks.conftest import SECRET, SOURCE, Office

ROOT = Path(__file__).parents[2]


async def test_event_has_the_same_data_as_the_activity_list(office: Office):
    webhook = await office.subscribe("reward_granted")
    code = await office.harness.publish("spring", "ada")
    referral = (await office.harness.convert(code, "fay"))["referral"]
    await office.deliver()

    first, second = office.receiver.events
    log = {f"act_{row.id}": row for row in await office.log()}
    row = log[first["id"]]
    assert {first["data"]["customer"], second["data"]["customer"]} == {"ada", "fay"}
    assert first == {
        "specversion": "1.0",
        "id": office.receiver.ids[0],
        "source": SOURCE,
        "type": "reward_granted",
        "time": "2026-03-04T10:00:00Z",
        "subject": referral,
        "datacontenttype": "application/json",
        "data": {
            "actor": "shop",
            "campaign": "spring",
            "code": code,
            "advocate": "ada",
            "customer": first["data"]["customer"],
            "referral": referral,
            "milestone": None,
            "reward": row.reward_id,
            "reason": None,
            "data": first["data"]["data"],
        },
    }
    received = office.receiver.received[0]
    assert received.headers["content-type"] == "application/cloudevents+json"
    assert office.receiver.url.startswith(f"http://{received.headers['host']}/")
    assert received.signed_by(webhook.secret)
    assert not received.signed_by(SECRET)


async def test_webhook_receives_only_the_types_and_the_campaign_it_subscribes_to(
    office: Office,
):
    await office.harness.apply(campaign("summer"))
    await office.harness.publish("spring", "early")
    await office.subscribe("referral_converted", "referral_rejected", campaign="spring")
    spring = await office.harness.publish("spring", "ada")
    summer = await office.harness.publish("summer", "ben")
    await office.harness.convert(spring, "fay")
    await office.harness.convert(spring, "ada")
    await office.harness.convert(summer, "gil")
    await office.deliver()

    assert sorted(office.receiver.types) == ["referral_converted", "referral_rejected"]
    assert {event["data"]["campaign"] for event in office.receiver.events} == {"spring"}


async def test_webhook_without_types_receives_all_later_events(office: Office):
    code = await office.harness.publish("spring", "ada")
    before = len(await office.log())
    await office.subscribe()
    await office.harness.convert(code, "fay")
    await office.harness.event("referral_link_clicked", {"code": code})
    await office.deliver()

    happened = [row.type for row in (await office.log())[before:]]
    assert "referral_link_clicked" in happened
    happened.remove("referral_link_clicked")
    assert sorted(office.receiver.types) == sorted(happened)


async def test_decision_writes_nothing_for_webhooks(office: Office):
    webhook = await office.subscribe()
    await office.harness.convert(await office.harness.publish("spring", "ada"), "fay")

    assert await office.deliveries(webhook.id) == []


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (500, "answered 500"),
        (400, "answered 400"),
        ("302 Location: http://127.0.0.1:9/", "answered 302: redirects are not followed"),
        ("reset", "the connection was interrupted"),
        ("hang", "no response within 1 s"),
        ("429 Retry-After: 2", "answered 429"),
        ("429 Retry-After: soon", "answered 429"),
    ],
)
async def test_rejected_delivery_is_retried_with_growing_delays(
    office: Office, reply: int | str, error: str
):
    webhook = await office.subscribe("code_published")
    await office.harness.publish("spring", "ada")
    office.receiver.replies.extend([reply] * 3)
    if reply == "hang":
        office.deliverer = office.deliverer_of(timeout=1)
    await office.deliver()
    (delivery,) = await office.deliveries(webhook.id)

    assert (delivery.state, delivery.attempts, delivery.error) == ("pending", 1, error)
    for delay in RETRY_DELAYS[:3]:
        seen = len(office.receiver.received)
        await office.deliver(delay - timedelta(seconds=1))
        assert len(office.receiver.received) == seen
        if not office.receiver.replies:  # the attempt that must succeed
            office.deliverer = office.deliverer_of()
        await office.deliver(timedelta(seconds=1))
        assert len(office.receiver.received) == seen + 1
    (delivery,) = await office.deliveries(webhook.id)
    assert (delivery.state, delivery.attempts, delivery.error) == ("delivered", 4, None)
    assert len(set(office.receiver.ids)) == 1


@pytest.mark.parametrize("retry_after", ["3600", "Wed, 04 Mar 2026 11:00:00 GMT"])
async def test_retry_after_header_delays_the_next_attempt(office: Office, retry_after: str):
    webhook = await office.subscribe("code_published")
    await office.harness.publish("spring", "ada")
    office.receiver.replies.append(f"429 Retry-After: {retry_after}")
    await office.deliver()
    (delivery,) = await office.deliveries(webhook.id)

    assert delivery.due_at == office.harness.time + timedelta(hours=1)
    await office.deliver(timedelta(minutes=59))
    assert len(office.receiver.received) == 1
    await office.deliver(timedelta(minutes=1))
    assert len(office.receiver.received) == 2


async def test_endless_response_body_is_not_read(office: Office):
    webhook = await office.subscribe("code_published")
    await office.harness.publish("spring", "ada")
    office.receiver.replies.append("endless")
    await office.deliver()

    assert [d.state for d in await office.deliveries(webhook.id)] == ["delivered"]


async def test_delivery_that_finishes_during_a_poll_is_followed_up(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    await office.subscribe("referral_converted", "reward_granted")
    poll_once = office.deliverer.poll_once

    async def slow_poll_once() -> bool:
        more = await poll_once()
        while in_flight := office.deliverer._in_flight:
            await asyncio.wait(in_flight)
        return more

    monkeypatch.setattr(office.deliverer, "poll_once", slow_poll_once)
    await office.harness.convert(await office.harness.publish("spring", "ada"), "fay")
    await office.deliver()

    arrived = [event["type"] for event in office.receiver.events]
    assert arrived == ["referral_converted", "reward_granted", "reward_granted"]


async def test_next_event_of_a_subject_waits_for_the_previous_one(office: Office):
    await office.subscribe("referral_signed_up", "referral_converted", "reward_granted")
    code = await office.harness.publish("spring", "ada")
    stuck = (await office.harness.sign_up(code, "fay"))["referral"]
    office.receiver.rule = lambda received: 503 if received.event["subject"] == stuck else 204
    await office.harness.convert(code, "fay")
    await office.harness.convert(code, "gil")
    await office.deliver()

    seen = defaultdict(list)
    for event in office.receiver.events:
        seen[event["subject"]].append(event["type"])
    others = [types for subject, types in seen.items() if subject != stuck]
    assert seen[stuck] == ["referral_signed_up"]
    assert ["referral_converted", "reward_granted", "reward_granted"] in others

    office.receiver.rule = lambda _: 204
    office.receiver.received.clear()
    await office.deliver(timedelta(seconds=5))
    own = [event for event in office.receiver.events if event["subject"] == stuck]
    assert [event["type"] for event in own] == [
        "referral_signed_up",
        "referral_converted",
        "reward_granted",
        "reward_granted",
    ]
    assert [event["id"] for event in own] == [
        f"act_{row.id}"
        for row in await office.log()
        if row.referral_id == stuck and row.type != "milestone_reached"
    ]


async def test_events_of_each_subject_arrive_in_order_despite_faults(office: Office):
    webhook = await office.subscribe()
    code = await office.harness.publish("spring", "ada")
    for number in range(6):
        await office.harness.convert(code, f"fay-{number}")
    faults = [500, "reset", 204, "429 Retry-After: 1", "hang", 204, 302]
    office.receiver.replies.extend(faults * 4)
    office.deliverer = office.deliverer_of(timeout=0.3)
    accepted = defaultdict(list)
    while any(d.state == "pending" for d in await office.deliveries(webhook.id)) or not accepted:
        await office.deliver(timedelta(hours=5))
        for delivery in await office.deliveries(webhook.id):
            if delivery.state == "delivered" and delivery.event not in accepted["all"]:
                accepted["all"].append(delivery.event)

    first_seen: dict[str, list[int]] = defaultdict(list)
    for event in office.receiver.events:
        number = int(event["id"].removeprefix("act_"))
        if number not in first_seen[event["subject"]]:
            first_seen[event["subject"]].append(number)
    expected = [f"act_{row.id}" for row in (await office.log())[1:]]
    assert sorted(accepted["all"]) == sorted({*office.receiver.ids}) == sorted({*expected, "act_1"})
    assert all(numbers == sorted(numbers) for numbers in first_seen.values())


async def test_slow_endpoint_has_limited_concurrency_and_delays_no_other(office: Office):
    slow = await office.subscribe("code_published")
    for number in range(20):
        await office.harness.publish("spring", f"ada-{number}")
    office.receiver.rule = lambda _: "hang"
    async with type(office.receiver)() as quick:
        await office.subscribe("referral_converted", url=quick.url)
        await office.harness.convert(await office.harness.publish("spring", "ben"), "fay")
        await office.deliverer.poll_once()
        await office.deliverer.poll_once()
        while not quick.received:
            await asyncio.sleep(0)
        waiting = await office.deliveries(slow.id)
        assert all(delivery.attempts == 0 for delivery in waiting)
        assert len([d for d in waiting if d.due_at > office.harness.time]) == 8  # in flight
        office.receiver.rule = lambda _: 204
        office.receiver.hang_up()
        await office.deliverer.drain()


async def test_several_processes_share_the_deliveries_without_duplicates(office: Office):
    await office.subscribe()
    code = await office.harness.publish("spring", "ada")
    for number in range(5):
        await office.harness.convert(code, f"fay-{number}")
    others = [office.deliverer_of() for _ in range(3)]
    await asyncio.gather(*(one.drain() for one in [office.deliverer, *others]))
    await office.deliver()

    expected = [f"act_{row.id}" for row in await office.log()]
    assert sorted(office.receiver.ids) == sorted(expected)


async def test_delivery_of_a_killed_process_is_repeated_with_the_same_id(
    office: Office, database_url: str
):
    webhook = await office.subscribe("code_published")
    await office.harness.publish("spring", "ada")
    command = [sys.executable, "-m", "tests.webhooks.process", database_url]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)

    def kill(_: object) -> str:
        os.kill(process.pid, signal.SIGKILL)
        return "hang"

    office.receiver.rule = kill
    assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
    office.receiver.rule = lambda _: 204
    await office.deliver()
    assert len(office.receiver.received) == 1  # until the claim of the killed process expires
    await office.deliver(deliveries.CLAIM_TIMEOUT)

    assert len(office.receiver.received) == 2
    assert len(set(office.receiver.ids)) == 1
    assert [d.state for d in await office.deliveries(webhook.id)] == ["delivered"]


async def test_events_contain_no_contact_details(office: Office):
    await office.subscribe()
    person = {"email": "fay@example.com", "phone": "+4915112345678", "name": "Fay Doe"}
    code = await office.harness.publish("spring", "ada")
    await office.harness.event(
        "referral_converted",
        {
            "code": code,
            "friend": {"id": "cus_42", **person},
            "order": {"id": "1", "amount": "10.00", "currency": "EUR"},
        },
    )
    await office.harness.event(
        "referral_converted", {"code": "NONE-1", "friend": {"id": "cus_43", **person}}
    )
    await office.deliver()

    sent = b"".join(received.body for received in office.receiver.received).decode()
    assert "cus_42" in sent
    assert not re.search(r"@|\+49|Doe", sent)


async def test_one_off_webhook_is_sent_once_per_key(office: Office):
    activity_id = await office.harness.log_activity("milestone_reached")
    for _ in range(2):
        async with office.store.begin() as tx:
            await one_off_webhooks.add(
                tx,
                campaign_id="spring",
                url=office.receiver.url,
                key="spring/vip/0/ref_1",
                activity_id=activity_id,
                type="milestone_reached",
                now=office.harness.time,
            )
        office.receiver.replies.append(500)
        await office.deliver(timedelta(minutes=10))

    (first, second) = office.receiver.received
    assert first.id == second.id == "spring/vip/0/ref_1"
    assert (first.event["id"], first.event["type"]) == (f"act_{activity_id}", "milestone_reached")
    assert first.signed_by(SECRET)
