"""Decide whether, when and through which channel a message goes out.

`begin_attempt` decides in one transaction just before the call to the channel. It locks the message and the customer, so
that only one worker makes the call, opt-outs made before are respected, and the frequency cap is counted correctly.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, select

from referrals.domain.contacts import can_receive_email, can_receive_messages
from referrals.domain.message_timing import FrequencyCap, QuietHours
from referrals.domain.reasons import Reason
from referrals.domain.time_zones import find_zone
from referrals.store.campaigns import versions
from referrals.store.customers import consents, survivors
from referrals.store.customers.consents import Purpose
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx, insert, one, scalars
from referrals.store.messaging import channel_suspensions, deliveries, drafts, suppressions
from referrals.store.messaging.deliveries import IN_DOUBT, OUTCOME_UNKNOWN
from referrals.store.schema import (
    CustomerRow,
    MessageDeliveryRow,
    MessageRow,
    message_deliveries,
    messages,
)
from referrals.temporal.payloads import DeliveryStatus

ATTEMPT_TIMEOUT = timedelta(minutes=1)
"""Upper limit of a call to a channel. The outcome of an older attempt that is not finished is unknown."""
STATUS_REPORT_TIMEOUT = timedelta(minutes=10)
"""Time that a vendor has to report whether a message with an unknown outcome was sent."""
MAX_MARKETING_DELAY = timedelta(days=7)
"""A marketing message that cannot go out within this time fails."""

NO_ADDRESS = Reason("no_address", "The customer has no address on the message's channels.")


def _email(customer: CustomerRow) -> str | None:
    return customer.email if customer.email and can_receive_email(customer.email) else None


def _phone(customer: CustomerRow) -> str | None:
    return customer.phone if customer.phone and can_receive_messages(customer.phone) else None


def _contacts(customer: CustomerRow) -> str:
    """Return all contacts as JSON: the endpoint of the channel `http` may use any of them."""
    contacts = {"email": _email(customer), "phone": _phone(customer)}
    return json.dumps({"customer": customer.external_id, **contacts})


_ADDRESSES: dict[str, Callable[[CustomerRow], str | None]] = {
    "email": _email,
    "whatsapp": _phone,
    "http": _contacts,
}
"""The customer's address for a channel, if it can be written to."""


@dataclass(frozen=True)
class SendingRules:
    """Rules of this deployment. `channels` maps each channel that is set up to its `reports_outcome`."""

    channels: Mapping[str, bool]
    quiet_hours: QuietHours | None = None
    cap: FrequencyCap | None = None
    operator: str | None = None
    """Email address of the operator, to whom the rules for customers do not apply."""


def available_channels(message: MessageRow, rules: SendingRules) -> list[str]:
    """Return the message's channels that are set up, or `log` if there are none."""
    if message.customer_id is None and not rules.operator:
        return ["log"]
    return [name for name in message.channels if name in rules.channels] or ["log"]


@dataclass(frozen=True)
class SendAttempt:
    """Permission to make one call to `channel`."""

    message_id: str
    number: int
    channel: str
    address: str | None
    is_probe: bool
    """True if the message probes a suspended channel."""
    last_reason: Reason | None = None
    """Reason why the last attempt on this channel failed, if there was one."""


@dataclass(frozen=True)
class Postponement:
    until: datetime
    reason: Reason
    held: bool = False


async def begin_attempt(
    tx: Tx, message_id: str, purpose: Purpose, rules: SendingRules, now: datetime
) -> SendAttempt | DeliveryStatus:
    """Return the next call to make for a pending message; else its state, or until when it waits."""
    message = await deliveries.lock_message(tx, message_id)
    if message.state != "pending":
        return DeliveryStatus(state=message.state)
    tried = await deliveries.deliveries_by_channel(tx, message_id)
    if message.customer_id is None:
        selection = OperatorChannelSelection(tx, message, None, tried, "service", rules, now)
        return await selection.run()
    recipient = await survivors.lock(tx, message.customer_id)
    return await ChannelSelection(tx, message, recipient, tried, purpose, rules, now).run()


@dataclass
class ChannelSelection:
    """Selects the channel for one message to a customer."""

    tx: Tx
    message: MessageRow
    recipient: Any
    tried: Mapping[str, MessageDeliveryRow]
    purpose: Purpose
    rules: SendingRules
    now: datetime
    is_probe: bool = field(default=False, init=False)

    async def run(self) -> SendAttempt | DeliveryStatus:
        """Select the first channel that can take the message. A postponed message never skips to the next channel."""
        refusal = NO_ADDRESS
        for channel in self._ordered_channels():
            result = await self._try_channel(channel)
            if isinstance(result, SendAttempt):
                return result
            if isinstance(result, Postponement):
                return await self._postpone(result)
            refusal = refusal if result is NO_ADDRESS else result
            if result.code == OUTCOME_UNKNOWN.code and self.purpose == "marketing":
                break  # the next channel might send it a second time
        return await self._fail(refusal)

    def _ordered_channels(self) -> list[str]:
        """Return the channels in the message's order, but a channel with an unknown outcome first."""
        return sorted(
            available_channels(self.message, self.rules),
            key=lambda name: not self._is_in_doubt(name),
        )

    def _is_in_doubt(self, channel: str) -> bool:
        return channel in self.tried and self.tried[channel].state in IN_DOUBT

    async def _try_channel(self, channel: str) -> SendAttempt | Postponement | Reason:
        delivery = self.tried.get(channel)
        if delivery and delivery.state == "failed":
            return Reason(required(delivery.reason_code), required(delivery.reason))
        if delivery and (obstacle := await self._await_outcome(delivery)):
            return obstacle
        if channel == "log":
            return await self._begin(channel, None)
        address = self._address(channel)
        if not address:
            return NO_ADDRESS
        obstacle = await self._refusal(channel, address) or await self._postponement(channel)
        return obstacle or await self._begin(channel, address)

    def _address(self, channel: str) -> str | None:
        return _ADDRESSES[channel](self.recipient)

    async def _await_outcome(self, delivery: MessageDeliveryRow) -> Postponement | Reason | None:
        """Wait for the outcome of an earlier call. Afterwards send again only if it is a service message."""
        if not self._is_in_doubt(delivery.channel):
            return None
        timeout = ATTEMPT_TIMEOUT if delivery.state == "sending" else timedelta(0)
        if self.rules.channels.get(delivery.channel):
            timeout = STATUS_REPORT_TIMEOUT
        if self.now < delivery.claimed_at + timeout:
            return Postponement(delivery.claimed_at + timeout, OUTCOME_UNKNOWN)
        if self.purpose == "service":
            return None
        await deliveries.set_state(self.tx, delivery, "failed", OUTCOME_UNKNOWN)
        return OUTCOME_UNKNOWN

    async def _refusal(self, channel: str, address: str) -> Reason | None:
        current = await consents.current_consents(self.tx, self.recipient.id)
        if not consents.is_allowed(current, channel, self.purpose):
            if (channel, self.purpose) in current:
                return Reason(
                    "opted_out", f"The customer opted out of these messages by {channel}."
                )
            return Reason("no_consent", f"The customer has not consented to messages by {channel}.")
        if await suppressions.is_suppressed(self.tx, self.recipient.id, channel, address):
            return Reason("suppressed", f"The customer's address for {channel} is unreachable.")
        return None

    async def _postponement(self, channel: str) -> Postponement | Reason | None:
        return (
            await self._quiet_hours()
            or await self._frequency_cap()
            or await self._suspension(channel)
        )

    async def _quiet_hours(self) -> Postponement | None:
        found = await versions.find_in_force(self.tx, self.message.campaign_id)
        assert found is not None
        hours = found.campaign.messages.hours or self.rules.quiet_hours
        zone = find_zone(self.recipient.timezone, found.campaign.timezone)
        end = hours.end_after(self.now, zone) if hours else None
        reason = Reason("quiet_hours", "The message waits until the customer's quiet hours end.")
        return Postponement(end, reason) if end else None

    async def _frequency_cap(self) -> Postponement | None:
        """Count every message that reached the customer or may have, by its latest or an earlier attempt."""
        if self.rules.cap is None:
            return None
        delivery = message_deliveries.c
        may_have_arrived = delivery.state.not_in(["retryable", "failed"]) | (
            delivery.reason_code == OUTCOME_UNKNOWN.code
        )
        at = case((may_have_arrived, delivery.claimed_at), else_=delivery.outcome_unknown_at)
        statement = (
            select(at)
            .join(messages, messages.c.id == delivery.message_id)
            .where(
                messages.c.customer_id == self.recipient.id,
                messages.c.id != self.message.id,
                delivery.channel != "log",
                at > self.now - self.rules.cap.period,
            )
            .order_by(at)
        )
        free_at = self.rules.cap.next_slot_at(await scalars(self.tx, statement), self.now)
        reason = Reason("message_cap", "The customer has reached the limit of messages.")
        return Postponement(free_at, reason) if free_at else None

    async def _suspension(self, channel: str) -> Postponement | Reason | None:
        template = self.message.template
        for suspension in await channel_suspensions.active_suspensions(self.tx, channel, template):
            reason = Reason(suspension.code, suspension.message)
            if self.now >= self.message.created_at + channel_suspensions.MAX_HOLD_TIME:
                return reason
            if not await channel_suspensions.claim_probe(self.tx, suspension, self.now):
                until = max(suspension.probe_at, self.now + ATTEMPT_TIMEOUT)
                return Postponement(until, reason, held=True)
            self.is_probe = True
        return None

    async def _begin(self, channel: str, address: str | None) -> SendAttempt:
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
        in_doubt = before.state.in_(IN_DOUBT)
        statement = statement.on_conflict_do_update(
            index_elements=["message_id", "channel"],
            set_={
                **again,
                "attempt": before.attempt + 1,
                "outcome_unknown_at": case(
                    (in_doubt, before.claimed_at), else_=before.outcome_unknown_at
                ),
                "reference": None,
                "reason_code": None,
                "reason": None,
            },
        )
        row = await one(self.tx, statement.returning(message_deliveries.c.attempt))
        await self._update_message(not_before=None, reason_code=None, reason=None)
        before_now = self.tried.get(channel)
        reason = (
            Reason(before_now.reason_code, str(before_now.reason))
            if before_now and before_now.reason_code
            else None
        )
        return SendAttempt(self.message.id, row.attempt, channel, address, self.is_probe, reason)

    async def _postpone(self, postponement: Postponement) -> DeliveryStatus:
        until, reason = postponement.until, postponement.reason
        too_late = until > self.message.created_at + MAX_MARKETING_DELAY
        if self.purpose == "marketing" and too_late and reason is not OUTCOME_UNKNOWN:
            return await self._fail(
                Reason("too_late", f"The message would go out too late. {reason.message}")
            )
        await self._update_message(not_before=until, reason_code=reason.code, reason=reason.message)
        return DeliveryStatus(state="pending", retry_at=until, held=postponement.held)

    async def _update_message(self, **values: Any) -> None:
        await self.tx.execute(
            messages.update()
            .where(messages.c.id == self.message.id)
            .values(purpose=self.purpose, **values)
        )

    async def _fail(self, reason: Reason) -> DeliveryStatus:
        await drafts.mark_failed(self.tx, self.message, reason, self.now)
        return DeliveryStatus(state="failed")


class OperatorChannelSelection(ChannelSelection):
    """Selects the channel for a message to the operator: no consent, quiet hours or cap, but suspensions apply."""

    def _address(self, channel: str) -> str | None:  # noqa: ARG002
        return self.rules.operator

    async def _refusal(self, channel: str, address: str) -> None:
        pass

    async def _postponement(self, channel: str) -> Postponement | Reason | None:
        return await self._suspension(channel)
