"""Provider inside the test process, whose ledger shows bookings after a delay."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from referrals.providers import AlreadySpentError, Grant, NotBookedError, Receipt, TrackedEvent
from referrals.providers.request_count import add_request


class FakeProvider:
    """`faults` are raised by the next bookings, "before" or "after" they are booked."""

    name = "http"
    usual_requests = 1

    def __init__(self, visible_after: timedelta = timedelta(0)) -> None:
        self.visible_after = visible_after
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.bookings: dict[str, int] = {}
        self.visible: dict[str, datetime] = {}
        self.prompt = True
        """False if grants are accepted first and booked later, by `book_accepted`."""
        self.accepted: dict[str, Grant] = {}
        self.rejected: set[str] = set()
        self.holds: int | None = None
        """Balance of the customers; no more can be rolled back."""
        self.faults: list[tuple[str, Exception]] = []
        self.down: Exception | None = None
        self.calls = 0
        self.extra_requests = 0
        """Requests of each booking besides the one that books."""
        self.gate: asyncio.Event | None = None

    async def look_up(self, grant: Grant, *, reversal: bool = False) -> Receipt | None:
        add_request()
        if self.down:
            raise self.down
        key = grant.entry_key(reversal=reversal)
        if key in self.bookings and self.visible[key] <= self.now():
            return Receipt("ref")
        if key in self.rejected:
            raise NotBookedError("rejected", "Over the limit.")
        return None

    async def grant(self, grant: Grant) -> Receipt:
        if self.gate and not self.gate.is_set():
            self.calls += 1
            await self.gate.wait()
        return await self._book(grant, reversal=False)

    async def roll_back(self, grant: Grant, reference: str | None) -> Receipt:
        return await self._book(grant, reversal=True)

    async def _book(self, grant: Grant, *, reversal: bool) -> Receipt:
        self.calls += 1
        for _ in range(1 + self.extra_requests):
            add_request()
        if self.down:
            raise self.down
        when, fault = self.faults.pop(0) if self.faults else ("", None)
        if fault and when == "before":
            raise fault
        key = grant.entry_key(reversal=reversal)
        if reversal and self.holds is not None and grant.amount > self.holds:
            raise AlreadySpentError("The customer holds less.", self.holds)
        if not self.prompt:
            self.accepted[key] = grant
            return Receipt(None, booked=False)
        self.enter(key, grant.signed_amount(reversal=reversal))
        if fault:
            raise fault
        return Receipt("ref")

    def enter(self, key: str, change: int) -> None:
        assert key not in self.bookings, "paid twice"
        self.rejected.discard(key)
        self.bookings[key] = change
        self.visible[key] = self.now() + self.visible_after

    def book_accepted(self) -> None:
        """Book all grants that were only accepted."""
        for key, grant in self.accepted.items():
            self.enter(key, grant.signed_amount(reversal=key.endswith(":roll_back")))
        self.accepted.clear()

    def check_target(self, target, type) -> None: ...

    def describe(self) -> str:
        return "a fake provider"


class FakeTracker(FakeProvider):
    """Provider that takes events too; it shows them at once."""

    name = "voucherify"

    def __init__(self) -> None:
        super().__init__()
        self.tracked: list[TrackedEvent] = []

    async def track(self, event: TrackedEvent) -> None:
        self.calls += 1
        add_request()
        when, fault = self.faults.pop(0) if self.faults else ("", None)
        if fault and when == "before":
            raise fault
        assert event not in self.tracked, "tracked twice"
        self.tracked.append(event)
        if fault:
            raise fault

    async def has_tracked(self, event: TrackedEvent) -> bool:
        add_request()
        return event in self.tracked
