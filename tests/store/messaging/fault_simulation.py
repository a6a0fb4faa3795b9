"""Simulation of vendors, customers and sending workflows with random faults."""

import asyncio
import heapq
import itertools
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from temporalio.exceptions import ApplicationError

from referrals.channels import OutgoingMessage
from referrals.channels.errors import (
    AddressUnreachable,
    ChannelSuspended,
    ChannelUnavailable,
    MessageRejected,
    RecipientOptedOut,
    SendOutcomeUnknown,
)
from referrals.domain.message_status import MarketingPreference, MessageStatus
from referrals.domain.message_timing import QuietHours
from referrals.store import schema
from referrals.store.customers.consents import CHANNELS
from referrals.store.db.sql import Tx, rows
from referrals.store.inbox import inbox_events
from referrals.store.messaging import status_reports
from referrals.temporal.payloads import DeliveryStatus
from tests.store.messaging.sending_harness import (
    PROMOTION,
    REWARD,
    SendingHarness,
    WorkerCrash,
    message_of,
)

ZONES = ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe")
QUIET, CAP, PERIOD = "21:00-08:00", 4, timedelta(days=1)
DOWN_FOR_A_DAY = 20
"""Attempts before a workflow gives up a channel."""


@dataclass
class ReceivedMessage:
    message: OutgoingMessage
    channel: str
    at: datetime


@dataclass
class Vendor:
    """An unreliable channel. It records what really arrived, and calls that must not have been made."""

    simulation: "FaultSimulation"
    name: str
    reports_outcome: bool

    async def send(self, message: OutgoingMessage) -> str:
        simulation, random = self.simulation, self.simulation.random
        simulation.check(message, self.name)
        if random.random() < 0.1:
            # Meanwhile another worker is given the same message.
            await simulation.one_attempt(message_of(message))
        fate = random.choices(list(FATES), list(FATES.values()))[0]
        if fate in ("accepted", "response lost", "crash after", "time-out"):
            reference = self._accept(message)
        if fate == "accepted":
            return reference
        if fate == "opted out":
            simulation.opted_out_at_vendor.append((message.to, self.name, "marketing"))
        raise self._error(fate)

    def _error(self, fate: str) -> BaseException:
        random = self.simulation.random
        wait = random.choice([None, timedelta(minutes=random.randint(1, 300))])
        scope: Any = random.choice(["channel", "template"])
        return {
            "response lost": SendOutcomeUnknown("The answer was lost."),
            "call lost": SendOutcomeUnknown("The answer was lost."),
            "crash after": WorkerCrash(),
            "crash before": WorkerCrash(),
            "time-out": TimeoutError(),
            "down": ChannelUnavailable("It does not answer.", wait),
            "refused": MessageRejected("refused", "No."),
            "unreachable": AddressUnreachable("unreachable", "The address does not exist."),
            "opted out": RecipientOptedOut("marketing_stopped", "The customer wants no more."),
            "blocked": ChannelSuspended("token", "The token has expired.", scope),
        }[fate]

    def _accept(self, message: OutgoingMessage) -> str:
        simulation, reference = self.simulation, f"{self.name}-{next(self.simulation.numbers)}"
        if not self.reports_outcome:
            simulation.arrived.append(ReceivedMessage(message, self.name, simulation.harness.now))
            return reference
        arrives = simulation.random.random() < 0.85
        if arrives:
            simulation.arrived.append(ReceivedMessage(message, self.name, simulation.harness.now))
        simulation.schedule_status_reports(message, self.name, reference, arrives=arrives)
        return reference


FATES = {
    "accepted": 60,
    "response lost": 5,
    "call lost": 3,
    "crash after": 3,
    "crash before": 2,
    "time-out": 3,
    "down": 12,
    "refused": 5,
    "unreachable": 1,
    "opted out": 1,
    "blocked": 1,
}


@dataclass
class FaultSimulation:
    """Runs scheduled actions in order of time; actions due at the same time run concurrently."""

    harness: SendingHarness
    random: Random
    zones: dict[str, ZoneInfo] = field(default_factory=dict)
    opted_out: dict[tuple[str | None, str, str], bool] = field(default_factory=dict)
    opted_out_at_vendor: list[tuple[str | None, str, str]] = field(default_factory=list)
    arrived: list[ReceivedMessage] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    attempts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    numbers: Any = field(default_factory=itertools.count)
    due: list[tuple[datetime, int, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        vendors = [
            Vendor(self, "email", False),
            Vendor(self, "whatsapp", True),
            Vendor(self, "http", True),
        ]
        self.harness.use({"log": None} | {vendor.name: vendor for vendor in vendors})
        self.night = QuietHours.parse(QUIET)

    def check(self, message: OutgoingMessage, channel: str) -> None:
        """Check the invariants of every call to a vendor."""
        purpose = message.content.purpose
        if self.opted_out.get((message.to, channel, purpose)):
            self.violations.append(f"{message.key} by {channel} after the opt-out")
        if self.night.contain(self.harness.now.astimezone(self.zones[message.to or ""])):
            self.violations.append(f"{message.key} in the night")

    def at(self, when: datetime, what: Any) -> None:
        heapq.heappush(self.due, (max(when, self.harness.now), next(self.numbers), what))

    async def populate(self, messages: int) -> None:
        """Create customers with all consents and messages over a week; some customers opt out later."""
        start = self.harness.now
        for number in range(messages // 10 or 1):
            name, zone = f"customer{number}", self.random.choice(ZONES)
            known = {"email": f"{name}@example.com", "phone": f"+49151{number:08d}"}
            customer = await self.harness.customer(
                name, **known, timezone=zone, consent=list(CHANNELS)
            )
            contacts = json.dumps({"customer": name, **known})
            self.zones |= dict.fromkeys([*known.values(), contacts], ZoneInfo(zone))
            for _ in range(10):
                self._write(customer, start)
            if self.random.random() < 0.3:
                # At a moment of its own: what is on its way just then may still arrive.
                at = start + timedelta(minutes=self.random.randint(0, 10_000), seconds=30)
                self.at(at, self._opt_out(customer, known))

    def _write(self, customer: str, start: datetime) -> None:
        template = self.random.choice([REWARD, PROMOTION])
        channels = self.random.sample(CHANNELS, self.random.randint(1, 3))

        async def write() -> None:
            message = await self.harness.create_message(customer, template, *channels)
            self.at(self.harness.now, self.attempt(message))

        self.at(start + timedelta(minutes=self.random.randint(0, 10_000)), write())

    async def _opt_out(self, customer: str, known: dict[str, str]) -> None:
        """Opt out by the API or at the vendor; afterwards a list still names the channel."""
        channel, purpose = self.random.choice([("email", "service"), ("email", "marketing")])
        to = known["email"]
        if self.random.random() < 0.5:
            channel, purpose, to = "whatsapp", "marketing", known["phone"]
            async with self.harness.store.begin() as tx:
                wish = MarketingPreference(channel, to, "stop", self.harness.now)
                await status_reports.record_preference(tx, wish, self.harness.now)
        else:
            await self.harness.record_consent(customer, "withdrawn", purpose, channel)
        self.opted_out[to, channel, purpose] = True
        await self.harness.apply_consent_list(customer, *CHANNELS)

    def schedule_status_reports(
        self, message: OutgoingMessage, channel: str, reference: str, *, arrives: bool
    ) -> None:
        """Schedule status reports: some never, some twice, in any order, up to seven days late."""
        states = ["sent", "delivered", "read"] if arrives else ["sent", "failed"]
        for state in (*states, self.random.choice(states)):
            if self.random.random() < 0.2 and state != "failed":
                continue
            at = self.harness.now + timedelta(minutes=self.random.choice([0, 1, 5, 600, 10_000]))
            kind: Any = self.random.choice(["refused", "unavailable", "unreachable"])
            about = {"kind": kind, "code": kind, "message": "s."} if state == "failed" else {}
            key = message.key if self.random.random() < 0.8 else None
            status: Any = {"key": key, "reference": reference, "state": state, "at": at}
            self.at(at, self._receive_status(channel, MessageStatus(**status, **about)))

    async def _receive_status(self, channel: str, status: MessageStatus) -> None:
        async with self.harness.store.begin() as tx:
            ours = await status_reports.record_statuses(tx, channel, [status], self.harness.now)
            if ours and status.state == "failed":
                self.lost.add(status.reference or "")
                await self._resume(tx)

    async def _resume(self, tx: Tx) -> None:
        """Run the command that follows a late failure."""
        # In order: two that do this at once would else wait for each other.
        queued = (
            select(schema.inbox_events).filter_by(state="queued").order_by(schema.inbox_events.c.id)
        )
        for row in await rows(tx, queued):
            await inbox_events.save_response(tx, row.id, {})
            self.at(row.retry_at, self.attempt(row.data["message"]))

    async def attempt(self, message: str) -> None:
        """Act like the workflow: try, retry after errors, give up, and wait until `retry_at`."""
        self.attempts[message] += 1
        sending = await self.one_attempt(message)
        if sending is None and self.attempts[message] % DOWN_FOR_A_DAY:
            minutes = self.random.choice([0, 1, 30])
            self.at(self.harness.now + timedelta(minutes=minutes), self.attempt(message))
        elif sending is None:
            sending = await self.harness.activities.give_up_message(message, "It does not answer.")
        if sending and sending.retry_at:
            self.at(sending.retry_at, self.attempt(message))

    async def one_attempt(self, message: str) -> DeliveryStatus | None:
        try:
            return await self.harness.send(message)
        except ApplicationError as error:
            self.errors.append(f"{error} {error.__cause__!r}")
        except WorkerCrash:
            pass
        return None

    async def play(self) -> None:
        while self.due:
            now, _, _ = self.due[0]
            self.harness.now = now
            together = []
            while self.due and self.due[0][0] == now and len(together) < 8:
                together.append(heapq.heappop(self.due)[2])
            await asyncio.gather(*together)
            self.opted_out |= dict.fromkeys(self.opted_out_at_vendor, True)
            self.opted_out_at_vendor.clear()
