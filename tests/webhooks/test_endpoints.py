"""Management of webhooks: disabling, enabling, replay, secrets and deletion."""

import logging
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from referrals.domain.webhook_retries import (
    JITTER,
    RETRY_DELAYS,
    DeliveryResponse,
    next_retry_delay,
)
from referrals.store import schema
from referrals.store.flow import campaign_commands
from referrals.store.webhooks import subscriptions
from tests.webhooks.conftest import SECRET, Office

DAYS = timedelta(days=1)
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "webhooks.md"


async def _fail_for_three_days(office: Office) -> None:
    office.receiver.rule = lambda _: 500
    await office.deliver()
    for delay in RETRY_DELAYS:
        await office.deliver(delay)


def test_retry_delays_grow_last_three_days_and_respect_retry_after():
    refused = DeliveryResponse(500)

    assert all(earlier < later for earlier, later in pairwise(RETRY_DELAYS))
    assert sum(RETRY_DELAYS, timedelta(0)) > 3 * DAYS
    assert [next_retry_delay(n, refused, 0.0) for n in range(1, 10)] == list(RETRY_DELAYS)
    assert next_retry_delay(9, refused, 1.0) == RETRY_DELAYS[8] * (1 + JITTER)
    assert next_retry_delay(10, refused, 0.5) is None
    assert next_retry_delay(1, DeliveryResponse(429, retry_after=DAYS), 1.0) == DAYS


async def test_webhook_without_accepted_deliveries_for_three_days_is_disabled_with_a_warning(
    office: Office, caplog: pytest.LogCaptureFixture
):
    webhook = await office.subscribe("code_published")
    await office.harness.publish("spring", "ada")
    await office.harness.publish("spring", "ben")
    began = office.harness.time
    with caplog.at_level(logging.WARNING):
        await _fail_for_three_days(office)
    calls = len(office.receiver.received)
    await office.harness.publish("spring", "cleo")
    await office.deliver(DAYS)

    found = await office.webhook(webhook.id)
    assert (found.enabled, found.failing_since) == (False, began)
    assert found.reason.code == "failing"
    assert "since 2026-03-04 10:00 UTC. Last error: answered 500" in found.reason.message
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert f"The webhook {webhook.id} is disabled" in caplog.text
    assert office.receiver.url not in caplog.text
    assert len(office.receiver.received) == calls
    async with office.store.read() as tx:
        assert [row.id for row in await subscriptions.list_auto_disabled(tx)] == [webhook.id]


async def test_enabled_webhook_continues_where_it_stopped(office: Office):
    webhook = await office.subscribe("code_published")
    for customer in ("ada", "ben"):
        await office.harness.publish("spring", customer)
    await _fail_for_three_days(office)
    await office.harness.publish("spring", "cleo")
    office.receiver.received.clear()
    office.receiver.rule = lambda _: 204
    found = await office.enable(webhook.id)
    await office.deliver()

    assert (found.enabled, found.reason, found.failing_since) == (True, None, None)
    customers = [event["data"]["customer"] for event in office.receiver.events]
    assert sorted(customers) == ["ada", "ben", "cleo"]


async def test_webhook_enabled_from_now_skips_missed_events_which_can_be_replayed(
    office: Office,
):
    webhook = await office.subscribe("code_published")
    began = office.harness.time
    await office.harness.publish("spring", "ada")
    await _fail_for_three_days(office)
    await office.harness.publish("spring", "ben")
    office.receiver.received.clear()
    office.receiver.rule = lambda _: 204
    await office.enable(webhook.id, from_now=True)
    await office.harness.publish("spring", "cleo")
    await office.deliver()

    assert [event["data"]["customer"] for event in office.receiver.events] == ["cleo"]
    assert await office.replay(webhook.id, since=began) == 3
    await office.deliver()
    customers = [event["data"]["customer"] for event in office.receiver.events]
    assert sorted(customers) == ["ada", "ben", "cleo", "cleo"]


async def test_single_rejected_event_fails_without_disabling_the_webhook(
    office: Office, caplog: pytest.LogCaptureFixture
):
    webhook = await office.subscribe("code_published")
    await office.harness.publish("spring", "bad")
    office.receiver.rule = lambda request: (
        400 if request.event["data"]["customer"] == "bad" else 204
    )
    await office.deliver()
    for number, delay in enumerate(RETRY_DELAYS):
        await office.harness.publish("spring", f"ada-{number}")
        await office.deliver(delay)

    refused, *others = await office.deliveries(webhook.id)
    assert (refused.state, refused.attempts, refused.status) == ("failed", 10, 400)
    assert {delivery.state for delivery in others} == {"delivered"}
    assert (await office.webhook(webhook.id)).enabled
    assert f"delivery {refused.id} failed after its last attempt: answered 400" in caplog.text

    office.receiver.rule = lambda _: 204
    assert await office.replay(webhook.id, deliveries=[int(refused.id)]) == 1
    await office.deliver()
    assert office.receiver.ids[-1] == refused.event


async def test_endpoint_that_answers_410_is_not_called_again(office: Office):
    webhook = await office.subscribe("code_published")
    office.receiver.rule = lambda _: 410
    await office.harness.publish("spring", "ada")
    await office.deliver()
    await office.harness.publish("spring", "ben")
    await office.deliver(3 * DAYS)

    found = await office.webhook(webhook.id)
    assert (found.enabled, found.reason.code, found.pending) == (False, "gone", 1)
    assert len(office.receiver.received) == 1


async def test_accepted_delivery_ends_the_failure(office: Office):
    webhook = await office.subscribe("code_published")
    office.receiver.replies.extend([500, 204])
    await office.harness.publish("spring", "ada")
    await office.deliver()

    assert (await office.webhook(webhook.id)).failing_since == office.harness.time
    await office.deliver(timedelta(seconds=5))
    assert (await office.webhook(webhook.id)).failing_since is None


async def test_replay_keeps_ids_types_and_order(office: Office):
    webhook = await office.subscribe("referral_converted", "reward_granted")
    code = await office.harness.publish("spring", "ada")
    await office.harness.convert(code, "fay")
    await office.deliver()
    office.harness.time += DAYS
    await office.harness.convert(code, "gil")
    await office.deliver()
    before = office.receiver.ids[:]
    office.receiver.received.clear()

    count = await office.replay(
        webhook.id, since=office.harness.time, events=["referral_converted", "code_published"]
    )
    await office.deliver()
    assert (count, office.receiver.ids) == (1, [before[3]])

    office.receiver.received.clear()
    assert await office.replay(webhook.id, since=office.harness.time - DAYS) == len(before)
    await office.deliver()
    assert sorted(office.receiver.ids) == sorted(before)
    for referral in {event["subject"] for event in office.receiver.events}:
        own = [event["id"] for event in office.receiver.events if event["subject"] == referral]
        assert own == [message for message in before if message in own]


async def test_events_waiting_for_a_failed_one_are_sent_when_it_is_replayed(office: Office):
    webhook = await office.subscribe("referral_signed_up", "referral_converted")
    code = await office.harness.publish("spring", "ada")
    await office.harness.sign_up(code, "fay")
    office.receiver.rule = lambda _: 500
    await office.deliver()
    for delay in RETRY_DELAYS[:4]:
        await office.deliver(delay)
    await office.harness.convert(code, "fay")
    await office.deliver()
    first, second = await office.deliveries(webhook.id)

    assert second.due_at == first.due_at == office.harness.time + RETRY_DELAYS[4]
    office.receiver.rule = lambda _: 204
    assert await office.replay(webhook.id, deliveries=[int(first.id)]) == 1
    await office.deliver()
    assert office.receiver.types[-2:] == ["referral_signed_up", "referral_converted"]


async def test_replay_includes_types_subscribed_later_but_no_other_webhook(
    office: Office,
):
    webhook = await office.subscribe("referral_converted")
    other = await office.subscribe("code_published")
    await office.harness.publish("spring", "ada")
    await office.deliver()
    async with office.store.begin() as tx:
        await subscriptions.change(
            tx, webhook.id, {"events": ["code_published"]}, "operator", office.harness.time
        )

    assert await office.replay(webhook.id, since=office.harness.time) == 1
    assert await office.replay(webhook.id, deliveries=[1]) == 0
    await office.deliver()
    assert len(office.receiver.received) == 2
    assert len(await office.deliveries(other.id)) == 1


async def test_deliveries_are_signed_with_both_secrets_during_rotation(office: Office):
    first = await office.subscribe("code_published")
    async with office.store.begin() as tx:
        second = await subscriptions.rotate(tx, first.id, DAYS, office.harness.time)
    await office.harness.publish("spring", "ada")
    await office.deliver()
    await office.harness.publish("spring", "ben")
    await office.deliver(DAYS)

    during, after = office.receiver.received
    assert during.signed_by(first.secret)
    assert during.signed_by(second.secret)
    assert not after.signed_by(first.secret)
    assert after.signed_by(second.secret)


async def test_secret_is_shown_once_and_never_logged(
    office: Office, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.DEBUG):
        webhook = await office.subscribe()
        await office.harness.publish("spring", "ada")
        office.receiver.replies.append(500)
        await office.deliver()

    assert webhook.secret not in repr(await office.webhook(webhook.id))
    lines = [line for line in caplog.text.splitlines() if '"logger": "aiosqlite"' not in line]
    assert lines
    assert not any(webhook.secret in line for line in lines)


async def test_webhook_can_be_deleted_during_a_delivery(office: Office):
    webhook = await office.subscribe("code_published")
    await office.harness.publish("spring", "ada")
    office.receiver.rule = lambda _: 410
    await office.deliverer.poll_once()
    await office.deliverer.poll_once()
    async with office.store.begin() as tx:
        await subscriptions.delete(tx, webhook.id)
    await office.deliver()

    async with office.store.read() as tx:
        assert (await tx.execute(schema.webhooks.select())).all() == []
        assert (await tx.execute(schema.webhook_deliveries.select())).all() == []


async def test_documented_verification_accepts_only_genuine_deliveries(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    code = DOCUMENTATION.read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    webhook = await office.subscribe("code_published")
    await office.harness.publish("spring", "ada")
    await office.deliver()
    (request,) = office.receiver.received
    now = office.harness.time.timestamp()
    monkeypatch.setattr("time.time", lambda: now)

    assert names["is_genuine"](webhook.secret, request.headers, request.body)
    assert not names["is_genuine"](webhook.secret, request.headers, request.body + b" ")
    assert not names["is_genuine"](SECRET, request.headers, request.body)
    now += 301
    assert not names["is_genuine"](webhook.secret, request.headers, request.body)


async def test_an_event_of_a_campaign_has_the_campaign_as_its_subject(office: Office):
    await office.subscribe("campaign_paused", campaign="spring")
    async with office.store.begin() as tx:
        now = office.harness.now()
        await campaign_commands.set_state(tx, "spring", "paused", "operator", now)
    await office.deliver()

    (event,) = office.receiver.events
    assert (event["type"], event["subject"]) == ("campaign_paused", "spring")
    assert (event["data"]["actor"], event["data"]["campaign"]) == ("operator", "spring")
