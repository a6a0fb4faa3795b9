"""Messages on a real database, sent by the real activities through channels that answer as they are told."""

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
from referrals.store.campaigns import versions
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
BOTH = ("whatsapp", "email")
LOST = SendOutcomeUnknown("The answer was lost.")
DOWN = ChannelUnavailable("The server does not answer.")
NO_MAILBOX = AddressUnreachable("no_mailbox", "There is no such mailbox.")
NO_TOKEN = ChannelSuspended("token_invalid", "The token has expired.", "channel")


class Crash(BaseException):
    """The worker dies here."""


class Templates:
    """What a message says does not matter here, but what it is for."""

    def render(self, name: str, locale: str | None, context: dict[str, Any]) -> MessageContent:
        purpose: Literal["service", "marketing"] = "marketing" if name == PROMOTION else "service"
        return MessageContent(name, "text", "<p>html</p>", purpose)


Answer = str | Exception | BaseException | None


@dataclass
class Post:
    """A channel that answers with these, one after another, and for ever with the last."""

    name: str
    reports_outcome: bool = False
    answers: list[Answer] = field(default_factory=lambda: ["ref"])
    taken: list[OutgoingMessage] = field(default_factory=list)
    during: Callable[[OutgoingMessage], Awaitable[Any]] | None = None

    async def send(self, message: OutgoingMessage) -> str | None:
        self.taken.append(message)
        if self.during:
            await self.during(message)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return f"{answer}-{len(self.taken)}" if answer else None

    @property
    def keys(self) -> list[str]:
        return [message.key for message in self.taken]


def message_of(outgoing: OutgoingMessage) -> str:
    """The id of the message that a channel is given."""
    return outgoing.key.removeprefix("spring/")


class Office:
    def __init__(
        self, store: Store, *, quiet_hours: str | None = None, cap: str | None = None
    ) -> None:
        self.store = store
        self.now = NOON
        self.email = Post("email")
        self.whatsapp = Post("whatsapp", reports_outcome=True)
        self.rules = SendingRules(
            {"log": False, "email": False, "whatsapp": True},
            QuietHours.parse(quiet_hours) if quiet_hours else None,
            FrequencyCap.parse(cap) if cap else None,
        )
        channels: dict[str, Any] = {"log": LogChannel()}
        channels |= {"email": self.email, "whatsapp": self.whatsapp}
        self.use(channels)

    def use(self, channels: dict[str, Any]) -> None:
        templates: Any = Templates()
        url = "https://go.example"
        self.activities = MessageActivities(
            self.store, templates, channels, self.rules, url, lambda: self.now
        )

    async def open(self, **parts: Any) -> "Office":
        definition = Campaign.model_validate(campaign(**parts))
        async with self.store.begin() as tx:
            await versions.apply(tx, definition, "marketer", self.now)
        return self

    async def customer(self, name: str = "ada", **told: Any) -> str:
        """An advocate who can be reached by all channels, unless told otherwise."""
        number = sum(name.encode()) + len(name) * 1000
        known = {"email": f"{name}@example.com", "phone": f"+4915112{number:06d}"}
        customer = Customer.model_validate({"id": name, **known, **told})
        async with self.store.begin() as tx:
            customer_id = await profiles.upsert(tx, customer, self.now)
            await publications.join(tx, "spring", customer_id, self.now)
        return customer_id

    async def write(self, customer_id: str, template: str = REWARD, *channels: str) -> str:
        """A message on its way, as a journey makes it."""
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
        """The type of the error that Temporal would retry; empty where there is none."""
        try:
            await self.send(message_id)
        except ApplicationError as error:
            return str(error.type)
        return ""

    async def hear(self, state: str, channel: str = "whatsapp", **about: Any) -> bool:
        """A status of a vendor."""
        known: dict[str, Any] = {"key": None, "reference": None, "at": self.now, **about}
        async with self.store.begin() as tx:
            return await status_reports.record_status(
                tx, channel, MessageStatus(state=state, **known), self.now
            )

    async def wish(self, customer_id: str, state: Any, purpose: Any, channel: str) -> None:
        async with self.store.begin() as tx:
            await consents.record_consent(tx, customer_id, channel, purpose, state, "api", self.now)

    async def tell(self, customer_id: str, *listed: str) -> None:
        async with self.store.begin() as tx:
            await consents.apply_consent_list(tx, customer_id, listed, self.now)

    async def allowed(self, customer_id: str) -> list[str]:
        async with self.store.read() as tx:
            return await consents.marketing_channels(tx, customer_id)

    async def message(self, message_id: str) -> Any:
        (row,) = await self.all(schema.messages, id=message_id)
        return row

    async def outcome(self, message_id: str) -> tuple[str, str | None, str | None]:
        """State, channel and reason code."""
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
    """The one message of this world, once it is like that."""

    async def holds() -> bool:
        (row,) = await world.all(schema.messages)
        return all(getattr(row, name) == value for name, value in is_.items())

    await world.until(holds)
    (row,) = await world.all(schema.messages)
    return row


async def attention(world: World) -> str | None:
    """What Temporal's list shows operators of fay's workflow."""
    run = await world.referral_run("spring", "fay")
    return (await run.describe()).typed_search_attributes.get(ATTENTION_ATTRIBUTE)


async def until_held(world: World, channel: Post, probes: int) -> None:
    """The message was tried so often, and its workflow waits for the next time."""

    async def holds() -> bool:
        (row,) = await world.all(schema.messages)
        waits = row.not_before is not None and row.not_before > world.now()
        return waits and len(channel.taken) == probes and await attention(world) == "message_held"

    await world.until(holds)
