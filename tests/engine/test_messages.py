"""Messages of a running programme: in the reader's language, with the reader's day, by what the template says it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_date

from referrals.channels import OutgoingMessage
from referrals.channels.message_content import MessageContent
from referrals.store import schema
from tests.harness.campaigns import campaign
from tests.harness.world import World, open_world

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ADA = {"id": "ada", "name": "Ada", "email": "ada@example.com"}
OFFER = {
    "friend": {"type": "gift_credit", "amount": "25.00", "currency": "EUR"},
    "tiers": [{"name": "each", "each": True, "reward": {"type": "points", "amount": 1000}}],
}


class Post:
    """An email channel that keeps what it is given."""

    name = "email"
    reports_outcome = False

    def __init__(self) -> None:
        self.sent: list[MessageContent] = []

    async def send(self, message: OutgoingMessage) -> str | None:
        self.sent.append(message.content)
        return None


@asynccontextmanager
async def posted(
    database_url: str, journey: dict[str, Any], who: dict[str, Any], **options: Any
) -> AsyncIterator[tuple[World, Post, str]]:
    """A world with one message step; `who` is the advocate, whose code comes with it."""
    post = Post()
    step = {"send": {"to": "advocate", "channels": ["email"], "template": journey["template"]}}
    journeys = [{"name": "tell", "on": journey["on"], "steps": [step]}]
    definition = campaign(
        journeys=journeys,
        rewards=OFFER,
        timezone="America/New_York",
        landing_url="https://shop.example/welcome",
        conversion={"hold": "P14D"},
    )
    async with open_world(database_url, {"email": post}, **options) as world:
        await world.apply(definition)
        await world.event("customer_registered", {"customer": who})
        yield world, post, await world.publish("spring", "ada")


async def test_a_german_reads_german_with_german_numbers_and_what_the_campaign_offers(
    database_url: str,
):
    journey = {"on": "code_published", "template": "code_published"}
    async with posted(database_url, journey, ADA | {"locale": "de-AT"}) as (world, post, code):
        await world.until_idle()

        (mail,) = post.sent
        assert mail.subject == f"Ihr persönlicher Code lautet {code}"
        assert "Für jede erfolgreiche Empfehlung erhalten Sie 1.000 Punkte." in mail.text
        assert "Wer Ihrer Empfehlung folgt, bekommt €\N{NO-BREAK SPACE}25,00." in mail.text


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", None])
async def test_a_day_is_that_of_the_readers_time_zone_or_else_of_the_campaigns(
    database_url: str, zone: str | None
):
    journey = {"on": "referral_held", "template": "reward_pending"}
    who = ADA | ({"timezone": zone} if zone else {})
    async with posted(database_url, journey, who) as (world, post, code):
        await world.convert(code, "fay")
        await world.until_idle()

        (referral,) = await world.all(schema.referrals)
        day = referral.due_at.astimezone(ZoneInfo(zone or "America/New_York")).date()
        assert post.sent[0].subject == f"Your reward arrives on {format_date(day, 'long', 'en')}"


@pytest.mark.parametrize(
    ("purpose", "consent", "state"),
    [
        ("purpose: service", [], "sent"),
        ("purpose: marketing", [], "failed"),
        ("", [], "failed"),
        ("", ["email"], "sent"),
    ],
)
async def test_what_is_no_service_message_needs_consent(
    database_url: str, tmp_path: Path, purpose: str, consent: list[str], state: str
):
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "news.jinja").write_text(
        f"---\n{purpose}\n---\n{{% block subject %}}News{{% endblock %}}"
        "{% block text %}News{% endblock %}{% block html %}News{% endblock %}"
    )
    journey = {"on": "code_published", "template": "news"}
    who = ADA | {"consent": consent}
    async with posted(database_url, journey, who, templates_dir=tmp_path) as (world, _, _code):
        await world.until_idle()

        (row,) = await world.all(schema.messages)
        assert row.state == state
        assert row.reason_code == ("no_consent" if state == "failed" else None)


async def test_a_campaigns_own_template_is_sent_for_it_and_not_for_others(
    database_url: str, tmp_path: Path
):
    (tmp_path / "spring" / "en").mkdir(parents=True)
    (tmp_path / "spring" / "en" / "code_published.jinja").write_text(
        '---\npurpose: service\n---\n{% extends "en/_layout.jinja" %}'
        "{% block subject %}Spring is here: {{ advocate.code }}{% endblock %}"
        "{% block email %}<mj-text>Spring</mj-text>{% endblock %}{% block text %}Spring{% endblock %}"
    )
    journey = {"on": "code_published", "template": "code_published"}
    async with posted(database_url, journey, ADA, templates_dir=tmp_path) as (world, post, code):
        autumn = campaign(campaign="autumn", code={"pattern": "AUTUMN-####"})
        step = {"send": {"to": "advocate", "channels": ["email"], "template": "code_published"}}
        await world.apply(
            autumn | {"journeys": [{"name": "t", "on": "code_published", "steps": [step]}]}
        )
        other = await world.publish("autumn", "ada")
        await world.until_idle()

        subjects = {mail.subject for mail in post.sent}
        assert subjects == {f"Spring is here: {code}", f"Your personal code is {other}"}
