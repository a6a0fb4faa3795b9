"""Harness for sending: real database and activities, channels with scripted results."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import select
from temporalio.exceptions import ApplicationError

from activities.messages import MessageActivities
from referrals.channels import OutgoingMessage
from referrals.channels.errors import (
    AddressUnreachable,
    ChannelSuspended,
    ChannelUnavailable,
    SendOutcomeUnknown,
)
from referrals.channels.log import LogChannel
from referrals.channels.message_content import MessageContent
from referrals.domain.campaign import Campaign
from referrals.domain.events import Customer
from referrals.domain.message_status import MessageStatus
from referrals.domain.message_timing import FrequencyCap, QuietHours
from referrals.store import Store, schema
from referrals.store.campaigns import applying
from referrals.store.codes import publications
from referrals.store.customers import consents, profiles
from referrals.store.db.ids import new_id
from referrals.store.messaging import status_reports
from referrals.store.messaging.channel_selection import SendingRules
from referrals.temporal.payloads import DeliveryStatus
from referrals.temporal.search_attributes import ATTENTION_ATTRIBUTE
from tests.harness.campaigns import campaign
from tests.harness.world import World

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
REWARD, PROMOTION = "reward_granted", "promotion"
"""A service message and a marketing message."""
BOTH_CHANNELS = ("whatsapp", "email")
RESPONSE_LOST = SendOutcomeUnknown("The answer was lost.")
SERVER_DOWN = ChannelUnavailable("The server does not answer.")
NO_MAILBOX = AddressUnreachable("no_mailbox", "There is no such mailbox.")
TOKEN_EXPIRED = ChannelSuspended("token_invalid", "The token has expired.", "channel")


class WorkerCrash(BaseException):
    """The worker process dies at this point."""


class Templates:
    """Templates without content; only the purpose of a message matters here."""

    def render(self, name: str, locale: str | None, context: dict[str, Any]) -> MessageContent:
        purpose: Literal["service", "marketing"] = "marketing" if name == PROMOTION else "service"
        return MessageContent(name, "text", "<p>html</p>", purpose)


Answer = str | Exception | BaseException | None


@dataclass
class ScriptedChannel:
    """A channel with scripted results, used in order; the last one repeats."""

    name: str
    reports_outcome: bool = False
    answers: list[Answer] = field(default_factory=lambda: ["ref"])
    received: list[OutgoingMessage] = field(default_factory=list)
    on_send: Callable[[OutgoingMessage], Awaitable[Any]] | None = None

    async def send(self, message: OutgoingMessage) -> str | None:
        self.received.append(message)
        if self.on_send:
            await self.on_send(message)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return f"{answer}-{len(self.received)}" if answer else None

    @property
    def keys(self) -> list[str]:
        return [message.key for message in self.received]


def message_of(outgoing: OutgoingMessage) -> str:
    """Return the id of the message that a channel received."""
    return outgoing.key.removeprefix("spring/")


class SendingHarness:
    def __init__(
        self, store: Store, *, quiet_hours: str | None = None, cap: str | None = None
    ) -> None:
        self.store = store
        self.now = NOON
        self.email = ScriptedChannel("email")
        self.whatsapp = ScriptedChannel("whatsapp", reports_outcome=True)
        self.http = ScriptedChannel("http", reports_outcome=True)
        self.rules = SendingRules(
            {"log": False, "email": False, "whatsapp": True, "http": True},
            QuietHours.parse(quiet_hours) if quiet_hours else None,
            FrequencyCap.parse(cap) if cap else None,
        )
        channels: dict[str, Any] = {"log": LogChannel()}
        channels |= {"email": self.email, "whatsapp": self.whatsapp, "http": self.http}
        self.use(channels)

    def use(self, channels: dict[str, Any]) -> None:
        templates: Any = Templates()
        url = "https://go.example"
        self.activities = MessageActivities(
            self.store, templates, channels, self.rules, url, lambda: self.now
        )

    async def open(self, **parts: Any) -> "SendingHarness":
        definition = Campaign.model_validate(campaign(**parts))
        async with self.store.begin() as tx:
            await applying.apply(tx, definition, "marketer", self.now)
        return self

    async def customer(self, name: str = "ada", **details: Any) -> str:
        """Create an advocate who is reachable on all channels by default."""
        number = sum(name.encode()) + len(name) * 1000
        known = {"email": f"{name}@example.com", "phone": f"+4915112{number:06d}"}
        customer = Customer.model_validate({"id": name, **known, **details})
        async with self.store.begin() as tx:
            customer_id = await profiles.upsert(tx, customer, self.now)
            await publications.join(tx, "spring", customer_id, self.now)
        return customer_id

    async def create_message(self, customer_id: str, template: str = REWARD, *channels: str) -> str:
        """Create a pending message, as a journey does."""
        async with self.store.begin() as tx:
            advocate = await publications.join(tx, "spring", customer_id, self.now)
            message_id = new_id("msg")
            await tx.execute(
                schema.messages.insert().values(
                    id=message_id,
                    key=f"spring/{message_id}",
                    campaign_id="spring",
                    version=1,
                    journey="journey",
                    event="code_published",
                    template=template,
                    channels=list(channels or ["email"]),
                    customer_id=customer_id,
                    advocate_id=advocate.id,
                    sender_id="spring/friend",
                    state="pending",
                    created_at=self.now,
                )
            )
        return message_id

    async def send(self, message_id: str) -> DeliveryStatus:
        return await self.activities.send_message(message_id)

    async def try_to_send(self, message_id: str) -> str:
        """Return the type of the error that Temporal would retry, or an empty string."""
        try:
            await self.send(message_id)
        except ApplicationError as error:
            return str(error.type)
        return ""

    async def receive_status(self, state: str, channel: str = "whatsapp", **about: Any) -> bool:
        """Apply a status report of a vendor."""
        known: dict[str, Any] = {"key": None, "reference": None, "at": self.now, **about}
        async with self.store.begin() as tx:
            status = MessageStatus(state=state, **known)
            return bool(await status_reports.record_statuses(tx, channel, [status], self.now))

    async def record_consent(
        self, customer_id: str, state: Any, purpose: Any, channel: str
    ) -> None:
        async with self.store.begin() as tx:
            await consents.record_consent(tx, customer_id, channel, purpose, state, "api", self.now)

    async def apply_consent_list(self, customer_id: str, *listed: str) -> None:
        async with self.store.begin() as tx:
            await consents.apply_consent_list(tx, customer_id, listed, self.now)

    async def marketing_channels(self, customer_id: str) -> list[str]:
        async with self.store.read() as tx:
            return await consents.marketing_channels(tx, customer_id)

    async def message(self, message_id: str) -> Any:
        (row,) = await self.all(schema.messages, id=message_id)
        return row

    async def outcome(self, message_id: str) -> tuple[str, str | None, str | None]:
        """Return state, channel and reason code."""
        row = await self.message(message_id)
        return row.state, row.channel, row.reason_code

    async def all(self, table: Any, **where: Any) -> list[Any]:
        async with self.store.read() as tx:
            statement = select(table).filter_by(**where).order_by(*table.primary_key)
            return list((await tx.execute(statement)).all())

    async def logged(self) -> list[str]:
        rows = await self.all(schema.activity)
        return [row.type for row in rows if row.type.startswith("message_")]

    def pass_time(self, **duration: float) -> None:
        self.now += timedelta(**duration)


async def until_message(world: World, **is_: Any) -> Any:
    """Wait until the only message has these values, and return it."""

    async def holds() -> bool:
        (row,) = await world.all(schema.messages)
        return all(getattr(row, name) == value for name, value in is_.items())

    await world.until(holds)
    (row,) = await world.all(schema.messages)
    return row


async def attention(world: World) -> str | None:
    """Return the attention attribute of fay's workflow."""
    run = await world.referral_run("spring", "fay")
    return (await run.describe()).typed_search_attributes.get(ATTENTION_ATTRIBUTE)


async def until_held(world: World, channel: ScriptedChannel, probes: int) -> None:
    """Wait until the message was tried `probes` times and its workflow waits for the next probe."""

    async def holds() -> bool:
        (row,) = await world.all(schema.messages)
        waits = row.not_before is not None and row.not_before > world.now()
        return (
            waits and len(channel.received) == probes and await attention(world) == "message_held"
        )

    await world.until(holds)
