"""Messages that wait, are held, or fail after they were sent: by the workflows that send them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from referrals.channels.errors import (
    AddressUnreachable,
    ChannelSuspended,
    ChannelUnavailable,
    SendOutcomeUnknown,
)
from referrals.domain.message_status import MessageStatus
from referrals.store import schema
from referrals.store.messaging import status_reports
from tests.harness.campaigns import campaign
from tests.harness.world import World, open_world
from tests.store.messaging.sending_harness import (
    ScriptedChannel,
    attention,
    until_held,
    until_message,
)
from workflows import base

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ADA = {"id": "ada", "email": "ada@example.com", "phone": "+4915112345678", "timezone": "UTC"}
DETAILS = ("ada@example.com", "4915112345678", "fay@example.org", "4915187654321")
NO_TOKEN = ChannelSuspended("token", "The token has expired.", "channel")


def journeys(*channels: str, to: str = "advocate") -> list[dict[str, Any]]:
    send = {"template": "thank_advocate", "to": to, "channels": channels}
    return [{"name": "thanks", "on": "referral_converted", "steps": [{"send": send}]}]


def around_now(**after: float) -> str:
    """Quiet hours that have begun an hour ago."""
    now = datetime.now(UTC)
    start, end = now - timedelta(hours=1), now + timedelta(**after)
    return f"{start:%H:%M}-{end:%H:%M}"


@asynccontextmanager
async def converted(
    database_url: str,
    *channels: ScriptedChannel,
    by: tuple[str, ...] = ("whatsapp", "email"),
    **options: Any,
) -> AsyncIterator[World]:
    """A world in which fay has converted, and ada is to be thanked."""
    named: dict[str, Any] = {channel.name: channel for channel in channels}
    async with open_world(database_url, named, **options) as world:
        await world.apply(campaign(journeys=journeys(*by)))
        await world.event("customer_registered", {"customer": ADA})
        code = await world.publish("spring", "ada")
        await world.convert(code, "fay")
        assert await world.balance("ada") == 100
        yield world


async def test_in_quiet_hours_the_reward_is_there_and_its_message_waits_for_their_end(
    database_url: str,
):
    email = ScriptedChannel("email")
    async with converted(
        database_url, email, by=("email",), quiet_hours=around_now(hours=3)
    ) as world:
        await until_message(world, state="pending", reason_code="quiet_hours")
        await world.sleep(hours=2)
        assert email.received == []
        await world.sleep(hours=1, minutes=1)

        row = await until_message(world, state="sent")

        assert row.reason_code is None
        assert len(email.received) == 1
        await world.until_closed(await world.referral_run("spring", "fay"))


async def test_what_fails_days_later_goes_by_the_next_channel_from_the_advocates_workflow(
    database_url: str,
):
    email, whatsapp = ScriptedChannel("email"), ScriptedChannel("whatsapp", reports_outcome=True)
    async with converted(database_url, whatsapp, email) as world:
        row = await until_message(world, state="sent", channel="whatsapp")
        await world.until_closed(await world.referral_run("spring", "fay"))
        await world.sleep(days=6)

        failed = MessageStatus(None, row.reference, "failed", world.now(), "refused", "c", "s.")
        async with world.store.begin() as tx:
            await status_reports.record_statuses(tx, "whatsapp", [failed], world.now())
        assert await world.inbox.drain() == 1

        assert (
            await until_message(world, state="sent", channel="email")
        ).sender_id == row.advocate_id
        assert await world.inbox.drain() == 0
        assert (len(whatsapp.received), len(email.received)) == (1, 1)


async def test_what_an_operator_must_set_right_is_shown_and_goes_out_when_it_is(database_url: str):
    email = ScriptedChannel("email", answers=[NO_TOKEN, NO_TOKEN, "ref"])
    async with converted(database_url, email, by=("email",)) as world:
        for probes in (1, 2):
            await until_held(world, email, probes)
            await world.sleep(minutes=31)

        await until_message(world, state="sent")

        await world.until_closed(await world.referral_run("spring", "fay"))
        assert await attention(world) is None


async def test_attempts_by_a_channel_that_is_down_for_a_day_are_followed_by_the_next(
    database_url: str,
):
    whatsapp = ScriptedChannel("whatsapp", answers=[ChannelUnavailable("It does not answer.")])
    email = ScriptedChannel("email")
    async with converted(database_url, whatsapp, email) as world:
        await world.sleep(days=1, hours=1)

        await until_message(world, state="sent", channel="email")

        assert len(email.received) == 1


async def test_an_advocates_workflow_continues_as_new_while_a_message_waits(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(base, "MAX_UPDATES_PER_RUN", 5)
    email = ScriptedChannel("email")
    send = {"template": "code_published", "to": "advocate", "channels": ["email"]}
    quiet = around_now(hours=3)
    channels: dict[str, Any] = {"email": email}
    async with open_world(database_url, channels, sandbox=False, quiet_hours=quiet) as world:
        published = {"name": "hello", "on": "code_published", "steps": [{"send": send}]}
        await world.apply(campaign(journeys=[published]))
        await world.event("customer_registered", {"customer": ADA})
        code = await world.publish("spring", "ada")
        await until_message(world, reason_code="quiet_hours")
        run = await world.advocate_run("spring", "ada")
        before = (await run.describe()).run_id

        for _ in range(10):
            await world.share(code)
        assert (await run.describe()).run_id != before
        await world.sleep(hours=4)

        await until_message(world, state="sent")
        assert len(email.received) == 1


@pytest.mark.parametrize(
    "answer",
    [
        SendOutcomeUnknown("The answer was lost."),
        AddressUnreachable("no_mailbox", "There is no such mailbox."),
        NO_TOKEN,
        ChannelUnavailable("It does not answer."),
        "ref",
    ],
)
async def test_no_contact_detail_is_in_a_history_or_a_log_line(
    database_url: str, caplog: pytest.LogCaptureFixture, answer: Any
):
    email = ScriptedChannel("email", answers=[answer, "ref"])
    caplog.set_level("INFO")
    async with converted(database_url, email, by=("email",), quiet_hours=around_now(hours=2)) as w:
        fay = {"id": "fay", "email": "fay@example.org", "phone": "+4915187654321"}
        await w.event("customer_registered", {"customer": fay})
        for _ in range(2):
            await w.sleep(hours=3)
        await w.until_idle()
        runs = [await w.referral_run("spring", "fay"), await w.advocate_run("spring", "ada")]
        histories = [json.dumps((await run.fetch_history()).to_json_dict()) for run in runs]
        activity = str(await w.all(schema.activity))

    for text in (*histories, activity, caplog.text):
        assert not any(detail in text for detail in DETAILS)
