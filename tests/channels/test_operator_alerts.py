"""Alerts to the operator, by a real SMTP server and by the log channel."""

from typing import Any

import pytest

from referrals.providers import PermanentError
from referrals.store import schema
from referrals.store.db.pages import Cursor
from referrals.store.reporting import lists
from tests.channels.conftest import Mailbox
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.fake_provider import FakeProvider
from tests.harness.world import World, open_world

OPS = "ops@shop.example"
FAY = {"id": "fay", "name": "Fay", "email": "fay@example.com", "phone": "+4915112345678"}
COUPON = {"type": "coupon", "discount": {"percent": 20}, "pool": "welcome"}
sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def alert(*steps: Any, channels: tuple[str, ...] = ("email",)) -> list[dict[str, Any]]:
    send = {"template": "reward_failed", "to": "operator", "channels": list(channels)}
    return [{"name": "alert", "on": "reward_failed", "steps": [*steps, {"send": send}]}]


def settings(mailbox: Mailbox, **more: Any) -> dict[str, Any]:
    return {"smtp_url": f"smtp://localhost:{mailbox.port}", "operator_email": OPS, **more}


async def fays_coupon_fails(world: World, **parts: Any) -> None:
    """Convert a friend whose coupon comes from an empty pool."""
    rewards = {"friend": COUPON, "tiers": [EACH]}
    await world.apply(campaign(**{"rewards": rewards, "journeys": alert(), **parts}))
    code = await world.publish("spring", "ada")
    data = {"code": code, "friend": FAY, "order": {"id": "1", "amount": "9.00", "currency": "EUR"}}
    await world.event("referral_converted", data)
    await world.until_idle()


async def test_a_failed_reward_notifies_the_operator_by_email(database_url: str, mailbox: Mailbox):
    vendor = FakeProvider()
    vendor.faults = [("before", PermanentError("unknown_member", "There is no such member."))]
    rewards = {"provider": "http", "friend": POINTS_50, "tiers": []}
    async with open_world(database_url, providers={"http": vendor}, **settings(mailbox)) as world:
        await fays_coupon_fails(world, rewards=rewards)
        await world.until_reward("failed")
        await world.until_idle()

        assert await world.messages() == [("reward_failed", "operator", "sent")]
        (reward,) = await world.all(schema.rewards)
    mail = mailbox.only_mail()
    text, html = (part.get_content() for part in mail.iter_parts())
    assert mailbox.envelopes[0].rcpt_tos == [OPS]
    assert mail["Subject"] == "A reward could not be granted: 50 points"
    assert "There is no such member." in text
    assert f"referrals reward retry {reward.id}" in text
    assert mail["List-Unsubscribe"] is None
    for detail in (FAY["email"], FAY["phone"]):
        assert detail not in f"{mail}{text}{html}"


@pytest.mark.parametrize("missing", ["smtp_url", "operator_email"])
@sqlite
async def test_without_operator_address_or_smtp_the_alert_goes_to_the_log(
    database_url: str, mailbox: Mailbox, missing: str
):
    async with open_world(database_url, **settings(mailbox) | {missing: None}) as world:
        await fays_coupon_fails(world)

        (message,) = await world.all(schema.messages)
        assert (message.state, message.channel, message.purpose) == ("sent", "log", "service")
        assert (message.customer_id, message.unsubscribe_token) == (None, None)
        assert "The coupon pool welcome is empty." in message.text
        async with world.store.read() as tx:
            listed = await lists.list_messages(tx, "spring", Cursor(10))
        assert [row.customer for row in listed.data] == ["operator"]
        assert mailbox.envelopes == []


@sqlite
async def test_quiet_hours_and_the_cap_are_for_customers(database_url: str, mailbox: Mailbox):
    night = settings(mailbox, quiet_hours="00:00-23:59", message_frequency_cap="1/P1D")
    async with open_world(database_url, **night) as world:
        rewards = {"friend": COUPON, "tiers": [EACH | {"reward": COUPON}]}
        await fays_coupon_fails(world, rewards=rewards)

        assert [state for *_, state in await world.messages()] == ["sent", "sent"]
        assert len(mailbox.envelopes) == 2


@sqlite
async def test_a_failed_milestone_reward_notifies_the_operator(database_url: str, mailbox: Mailbox):
    async with open_world(database_url, **settings(mailbox)) as world:
        rewards = {"friend": POINTS_50, "tiers": [milestone(1) | {"reward": COUPON}]}
        await fays_coupon_fails(world, rewards=rewards)
        await world.until(lambda: world.all(schema.messages, state="sent"))

        assert "in the referrals of" in mailbox.only_mail().get_body(["plain"]).get_content()


@sqlite
async def test_an_operator_alert_can_be_delayed_and_use_the_next_channel(
    database_url: str, mailbox: Mailbox
):
    mailbox.answers["RCPT"] = "550 5.1.1 No such mailbox"
    async with open_world(database_url, **settings(mailbox)) as world:
        until = {"wait": {"until": "09:00"}}
        await fays_coupon_fails(world, journeys=alert(until, channels=("email", "log")))
        assert await world.messages() == []
        await world.sleep(days=1, minutes=1)
        await world.until(lambda: world.all(schema.messages, state="sent"))

        (message,) = await world.all(schema.messages)
        assert message.channel == "log"
        assert await world.all(schema.suppressions) == []
