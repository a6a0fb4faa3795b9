"""Messages that fail: they block and fail nothing else, and are parked in sight with the reason."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from referrals.channels import OutgoingMessage
from referrals.channels.errors import ChannelUnavailable, MessageRejected
from referrals.store import schema
from tests.harness.campaigns import campaign
from tests.harness.world import World, open_world

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ADA = {"id": "ada", "email": "ada@example.com"}
DOWN = ChannelUnavailable("The server does not answer.")
UNKNOWN = MessageRejected("bounced", "The mailbox does not exist.")


class Post:
    """An email channel that answers with these, one after another, and for ever with the last."""

    name = "email"
    reports_outcome = False

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.keys: list[str] = []

    async def send(self, message: OutgoingMessage) -> str | None:
        self.keys.append(message.key)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer:
            raise answer
        return "250"


def thanks(template: str = "thank_advocate", *channels: str) -> list[dict[str, Any]]:
    send = {"template": template, "to": "advocate", "channels": channels or ["email"]}
    return [{"name": "thanks", "on": "referral_converted", "steps": [{"send": send}]}]


@asynccontextmanager
async def rewarded(
    database_url: str, post: Post, journeys: list[dict[str, Any]], who: dict[str, str] = ADA
) -> AsyncIterator[World]:
    """A world in which fay has converted, and the rewards are there whatever became of the message."""
    async with open_world(database_url, {"email": post}) as world:
        await world.apply(campaign(journeys=journeys))
        await world.event("customer_registered", {"customer": who})
        code = await world.publish("spring", "ada")
        await world.convert(code, "fay")
        assert (await world.balance("ada"), await world.balance("fay")) == (100, 50)
        yield world


async def message(world: World) -> Any:
    """The one message, once it is settled."""
    await world.until_idle()
    await world.until_closed(await world.referral_run("spring", "fay"))
    (row,) = await world.all(schema.messages)
    return row


async def test_a_channel_that_is_down_for_a_day_does_not_hold_up_rewards_and_parks_the_message(
    database_url: str,
):
    post = Post(DOWN)
    async with rewarded(database_url, post, thanks()) as world:
        await world.sleep(days=1, hours=1)

        row = await message(world)

        assert (row.state, row.reason_code) == ("failed", "attempts_spent")
        assert "The server does not answer." in row.reason
        assert len(post.keys) > 10
        assert len(set(post.keys)) == 1


async def test_a_channel_that_fails_twice_sends_once(database_url: str):
    post = Post(DOWN, DOWN, None)
    async with rewarded(database_url, post, thanks()) as world:
        await world.sleep(minutes=1)
        row = await message(world)

        assert (row.state, row.channel, row.reference) == ("sent", "email", "250")
        assert post.keys == [row.key] * 3
        assert len(await world.all(schema.activity, type="message_sent")) == 1


async def test_the_retry_delay_requested_by_a_channel_is_used(database_url: str):
    post = Post(ChannelUnavailable("Too many messages.", timedelta(hours=2)), None)
    async with rewarded(database_url, post, thanks()) as world:
        await world.until(lambda: _tried(post))
        await world.sleep(minutes=90)
        assert len(post.keys) == 1
        await world.sleep(minutes=31)

        assert (await message(world)).state == "sent"


async def _tried(post: Post) -> bool:
    return bool(post.keys)


async def test_a_rejected_message_fails_at_once_with_the_vendors_reason(database_url: str):
    async with rewarded(database_url, Post(UNKNOWN), thanks()) as world:
        row = await message(world)

        assert (row.state, row.reason_code) == ("failed", "bounced")
        assert row.reason == "The mailbox does not exist."


async def test_a_message_that_one_channel_refuses_goes_by_the_next(database_url: str):
    journeys = thanks("thank_advocate", "email", "log")
    async with rewarded(database_url, Post(UNKNOWN), journeys) as world:
        row = await message(world)

        assert (row.state, row.channel) == ("sent", "log")


async def test_a_message_to_a_customer_without_address_fails(database_url: str):
    async with rewarded(database_url, Post(None), thanks(), {"id": "ada"}) as world:
        row = await message(world)

        assert (row.state, row.reason_code) == ("failed", "no_address")


async def test_a_message_with_an_invalid_template_fails_with_the_error(database_url: str):
    async with rewarded(database_url, Post(None), thanks("not_there")) as world:
        row = await message(world)

        assert (row.state, row.reason_code) == ("failed", "template_error")
        assert "there is no template en/not_there.jinja" in row.reason
