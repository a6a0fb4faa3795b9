"""Whether, when and by which channel a message goes out: decided in one transaction just before it does.

The transaction holds the message and the customer: of several workers one gets the claim, opt-outs that were there
before are seen, and the places under the cap are handed out one after another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, case, select

from referrals.domain.message_status import BlockScope, FailureKind
from referrals.domain.message_timing import FrequencyCap, QuietHours
from referrals.domain.reasons import Reason
from referrals.store.campaigns import versions
from referrals.store.customers import consents
from referrals.store.customers.consents import Purpose
from referrals.store.db.sql import Tx, insert, locked, one, scalars
from referrals.store.messaging import channel_suspensions, deliveries, drafts, suppressions
from referrals.store.messaging.deliveries import OUTCOME_UNKNOWN
from referrals.store.schema import customers, message_deliveries, messages
from referrals.temporal.payloads import DeliveryStatus

ATTEMPT_TIMEOUT = timedelta(minutes=1)
"""A call takes no longer: a claim without an end is then one whose end is unclear."""
STATUS_REPORT_TIMEOUT = timedelta(minutes=10)
"""How long a vendor is given to tell what became of such a call."""
MAX_MARKETING_DELAY = timedelta(days=7)
"""From a marketing message's making; later it makes no sense."""

NO_ADDRESS = Reason("no_address", "The customer has no address on the message's channels.")

_ADDRESSES = {"email": "email", "whatsapp": "phone"}


@dataclass(frozen=True)
class SendingRules:
    """What holds on this deployment; `channels` says of each that is set up whether it reports_outcome."""

    channels: Mapping[str, bool]
    quiet_hours: QuietHours | None = None
    cap: FrequencyCap | None = None
    operator: str | None = None
    """The address of the operator's mails, who has none of a customer's rules."""


def available_channels(message: Row[Any], rules: SendingRules) -> list[str]:
    """Those set up here; `log` where none of them is, or the operator's mails have nowhere to go."""
    if message.customer_id is None and not rules.operator:
        return ["log"]
    return [name for name in message.channels if name in rules.channels] or ["log"]


@dataclass(frozen=True)
class SendAttempt:
    """The right to make one call, to `address`, by `channel`."""

    message_id: str
    delivery: int
    attempt: int
    channel: str
    address: str | None
    probe: bool
    """Whether it tries what is held for all others."""


@dataclass(frozen=True)
class Postponement:
    until: datetime
    reason: Reason
    held: bool = False


async def begin_attempt(
    tx: Tx, message_id: str, purpose: Purpose, rules: SendingRules, now: datetime
) -> SendAttempt | DeliveryStatus:
    """The next call to make for a pending message; or what has become of it, or until when it waits."""
    message = await deliveries.lock_message(tx, message_id)
    if message.state != "pending":
        return DeliveryStatus(state=message.state)
    tried = await deliveries.deliveries_by_channel(tx, message_id)
    if message.customer_id is None:
        return await OperatorChannelSelection(
            tx, message, None, tried, "service", rules, now
        ).take()
    recipient = await one(
        tx, locked(select(customers).where(customers.c.id == message.customer_id))
    )
    return await ChannelSelection(tx, message, recipient, tried, purpose, rules, now).take()


@dataclass
class ChannelSelection:
    tx: Tx
    message: Row[Any]
    recipient: Any
    tried: Mapping[str, Row[Any]]
    purpose: Purpose
    rules: SendingRules
    now: datetime
    probe: bool = field(default=False, init=False)

    async def take(self) -> SendAttempt | DeliveryStatus:
        """By the first of its channels that can take it. What one of them holds up does not go by the next."""
        refusal = NO_ADDRESS
        for channel in self._channels():
            found = await self._by(channel)
            if isinstance(found, SendAttempt):
                return found
            if isinstance(found, Postponement):
                return await self._wait(found)
            refusal = refusal if found is NO_ADDRESS else found
            if found.code == OUTCOME_UNKNOWN.code and self.purpose == "marketing":
                break  # the next channel would send it a second time
        return await self._fail(refusal)

    def _channels(self) -> list[str]:
        """One whose call has no end is seen to before all others."""
        return sorted(
            available_channels(self.message, self.rules),
            key=lambda name: not self._is_unclear(name),
        )

    def _is_unclear(self, channel: str) -> bool:
        return channel in self.tried and self.tried[channel].state in ("sending", "outcome_unknown")

    async def _by(self, channel: str) -> SendAttempt | Postponement | Reason:
        delivery = self.tried.get(channel)
        if delivery and delivery.state == "failed":
            return Reason(delivery.reason_code, delivery.reason)
        if delivery and (unclear := await self._unclear(delivery)):
            return unclear
        if channel == "log":
            return await self._claim(channel, None)
        address = self._address(channel)
        if not address:
            return NO_ADDRESS
        if refused := await self._refused(channel, address) or await self._held_up(channel):
            return refused
        return await self._claim(channel, address)

    def _address(self, channel: str) -> str | None:
        return getattr(self.recipient, _ADDRESSES[channel], None)

    async def _unclear(self, delivery: Row[Any]) -> Postponement | Reason | None:
        """A call without an end: its vendor may tell; else marketing goes out at most once, service at least once."""
        if not self._is_unclear(delivery.channel):
            return None
        lease = ATTEMPT_TIMEOUT if delivery.state == "sending" else timedelta(0)
        patience = STATUS_REPORT_TIMEOUT if self.rules.channels.get(delivery.channel) else lease
        if self.now < delivery.claimed_at + patience:
            return Postponement(delivery.claimed_at + patience, OUTCOME_UNKNOWN)
        if self.purpose == "service":
            return None
        await deliveries.set_state(self.tx, delivery, "failed", OUTCOME_UNKNOWN)
        return OUTCOME_UNKNOWN

    async def _refused(self, channel: str, address: str) -> Reason | None:
        found = await consents.current_consents(self.tx, self.recipient.id)
        if not consents.is_allowed(found, channel, self.purpose):
            if (channel, self.purpose) in found:
                return Reason("opted_out", f"The customer wants no such messages by {channel}.")
            return Reason("no_consent", f"The customer has not consented to messages by {channel}.")
        if await suppressions.is_suppressed(self.tx, self.recipient.id, channel, address):
            return Reason("suppressed", f"Nothing reaches the customer's address by {channel}.")
        return None

    async def _held_up(self, channel: str) -> Postponement | Reason | None:
        return await self._quiet() or await self._over_the_cap() or await self._blocked(channel)

    async def _quiet(self) -> Postponement | None:
        found = await versions.in_force(self.tx, self.message.campaign_id)
        assert found is not None
        own = found.campaign.messages.quiet_hours
        hours = QuietHours.parse(own) if own else self.rules.quiet_hours
        zone = ZoneInfo(self.recipient.timezone or found.campaign.timezone)
        over = hours.end_after(self.now, zone) if hours else None
        reason = Reason("quiet_hours", "It waits until the customer's quiet hours are over.")
        return Postponement(over, reason) if over else None

    async def _over_the_cap(self) -> Postponement | None:
        """Every message counts that has reached the customer or may have, by its latest attempt or one before."""
        if self.rules.cap is None:
            return None
        table = message_deliveries
        reached = (table.c.state.not_in(["retryable", "failed"])) | (
            table.c.reason_code == OUTCOME_UNKNOWN.code
        )
        at = case((reached, table.c.claimed_at), else_=table.c.outcome_unknown_at)
        statement = (
            select(at)
            .join(messages, messages.c.id == table.c.message_id)
            .where(
                messages.c.customer_id == self.recipient.id,
                messages.c.id != self.message.id,
                table.c.channel != "log",
                at > self.now - self.rules.cap.period,
            )
            .order_by(at)
        )
        free_at = self.rules.cap.next_slot_at(await scalars(self.tx, statement), self.now)
        reason = Reason("message_cap", "The customer has had as many messages as they may get.")
        return Postponement(free_at, reason) if free_at else None

    async def _blocked(self, channel: str) -> Postponement | Reason | None:
        for block in await channel_suspensions.active_suspensions(
            self.tx, channel, self.message.template
        ):
            reason = Reason(block.code, block.message)
            if self.now >= self.message.created_at + channel_suspensions.MAX_HOLD_TIME:
                return reason
            if not await channel_suspensions.claim_probe(self.tx, block, self.now):
                return Postponement(
                    max(block.probe_at, self.now + ATTEMPT_TIMEOUT), reason, held=True
                )
            self.probe = True
        return None

    async def _claim(self, channel: str, address: str | None) -> SendAttempt:
        statement = insert(self.tx, message_deliveries).values(
            message_id=self.message.id,
            channel=channel,
            state="sending",
            attempt=1,
            claimed_at=self.now,
            address_hash=suppressions.hash_address(address) if address else None,
        )
        again = {name: statement.excluded[name] for name in ("state", "claimed_at", "address_hash")}
        before = message_deliveries.c
        lost = before.state.in_(["sending", "outcome_unknown"])
        statement = statement.on_conflict_do_update(
            index_elements=["message_id", "channel"],
            set_={
                **again,
                "attempt": before.attempt + 1,
                "outcome_unknown_at": case(
                    (lost, before.claimed_at), else_=before.outcome_unknown_at
                ),
                "reference": None,
                "reason_code": None,
                "reason": None,
            },
        )
        returned = statement.returning(message_deliveries.c.id, message_deliveries.c.attempt)
        row = await one(self.tx, returned)
        await self._show(not_before=None, reason_code=None, reason=None)
        return SendAttempt(self.message.id, row.id, row.attempt, channel, address, self.probe)

    async def _wait(self, wait: Postponement) -> DeliveryStatus:
        too_late = wait.until > self.message.created_at + MAX_MARKETING_DELAY
        if self.purpose == "marketing" and too_late and wait.reason is not OUTCOME_UNKNOWN:
            return await self._fail(
                Reason("too_late", f"It came too late to make sense. {wait.reason.message}")
            )
        await self._show(
            not_before=wait.until, reason_code=wait.reason.code, reason=wait.reason.message
        )
        return DeliveryStatus(state="pending", retry_at=wait.until, held=wait.held)

    async def _show(self, **values: Any) -> None:
        await self.tx.execute(
            messages.update()
            .where(messages.c.id == self.message.id)
            .values(purpose=self.purpose, **values)
        )

    async def _fail(self, reason: Reason) -> DeliveryStatus:
        await drafts.mark_failed(self.tx, self.message, reason, self.now)
        return DeliveryStatus(state="failed")


class OperatorChannelSelection(ChannelSelection):
    """The operator has neither consent, quiet hours nor a cap; what is held for all others is held here too."""

    def _address(self, channel: str) -> str | None:  # noqa: ARG002
        return self.rules.operator

    async def _refused(self, channel: str, address: str) -> None:
        pass

    async def _held_up(self, channel: str) -> Postponement | Reason | None:
        return await self._blocked(channel)


async def record_sent(
    tx: Tx,
    attempt: SendAttempt,
    reference: str | None,
    subject: str,
    text: str | None,
    now: datetime,
) -> DeliveryStatus:
    """The vendor has taken it over; what is known to be further stays so."""
    message = await deliveries.lock_message(tx, attempt.message_id)
    delivery = (await deliveries.deliveries_by_channel(tx, message.id))[attempt.channel]
    state = message.state
    if delivery.attempt == attempt.attempt:
        state = await deliveries.advance(
            tx,
            message,
            delivery,
            "sent",
            now,
            now,
            reference=reference,
            subject=subject,
            text=text,
        )
    if attempt.probe:
        await channel_suspensions.resume(tx, attempt.channel, message.template)
    return DeliveryStatus(state=state, retry_at=now if state == "pending" else None)


async def record_not_sent(
    tx: Tx,
    attempt: SendAttempt,
    state: str,
    reason: Reason,
    now: datetime,
    kind: FailureKind | None = None,
    scope: BlockScope = "channel",
) -> None:
    """The call has ended otherwise: `open` for another one, `unclear`, or `failed` for this channel.

    Nothing, where another call has taken over or the vendor has told more meanwhile; but an opt-out is one in any case.
    """
    message = await deliveries.lock_message(tx, attempt.message_id)
    if kind == "opted_out":
        await deliveries.record_opt_out(tx, message, attempt.channel, now)
    delivery = (await deliveries.deliveries_by_channel(tx, message.id))[attempt.channel]
    if (delivery.attempt, delivery.state) == (attempt.attempt, "sending"):
        await deliveries.set_state(tx, delivery, state, reason)
        await deliveries.apply_failure(tx, message, delivery, reason, now, kind, scope)
        await tx.execute(
            messages.update()
            .where(messages.c.id == message.id, messages.c.state == "pending")
            .values(reason_code=reason.code, reason=reason.message)
        )
