"""Grants, failures, retries, roll-backs, spending and a merge in any order: nobody gains or loses by a debt.

The long form runs `REPAYMENT_EXAMPLES` sequences.
"""

import os
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from referrals.domain.rewards import Asset
from referrals.errors import InsufficientBalanceError, NotPossibleError
from referrals.providers import Grant, OutcomeUnknownError, PermanentError, Receipt, RetryableError
from referrals.store import schema
from referrals.store.reporting import wallets
from tests.harness.campaigns import EACH, POINTS_50, campaign
from tests.harness.deliveries import OPEN, Deliveries
from tests.harness.fake_provider import FakeProvider
from tests.harness.invariants import check_debts
from tests.harness.store_harness import StoreHarness
from tests.harness.store_state_machine import StoreStateMachine, examples

EXAMPLES = int(os.environ.get("REPAYMENT_EXAMPLES", "4"))
POINTS = Asset("points", None)
CLOSED = {"voided", "rolled_back"}
OWN = ("wallet", "owed")
FAULTS = {
    "busy": ("before", RetryableError("busy")),
    "refused": ("before", PermanentError("no", "No.")),
    "not booked, lost": ("before", OutcomeUnknownError("lost")),
    "booked, lost": ("after", OutcomeUnknownError("lost")),
    "crash before": ("before", RuntimeError("gone")),
    "crash after": ("after", RuntimeError("gone")),
}
people = st.sampled_from(["ada", "bea"])
numbers = st.integers(0, 30)
amounts = st.sampled_from([10, 30, 50, 100])


class Vendor(FakeProvider):
    """Provider with a balance for each customer; a request is never repeated with another amount."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: dict[str, int] = {}
        self.spent: Counter[str] = Counter()
        self.owners: dict[str, str] = {}

    def balance(self, customer: str) -> int:
        own = (self.bookings.get(key, 0) for key, owner in self.owners.items() if owner == customer)
        return sum(own) - self.spent[customer]

    async def _book(self, grant: Grant, *, reversal: bool) -> Receipt:
        key = grant.entry_key(reversal=reversal)
        self.owners[key], self.holds = grant.customer, self.balance(grant.customer)
        assert grant.amount > 0
        assert reversal or self.requests.setdefault(key, grant.amount) == grant.amount
        return await super()._book(grant, reversal=reversal)


class Repayments(StoreStateMachine):
    """Two advocates with rewards of 50 and 100 points at a provider, and of 100 points in the built-in ledger."""

    def __init__(self, database_url: str) -> None:
        super().__init__(database_url)
        self.harness = StoreHarness(self.store, tick=timedelta(seconds=1))
        self.vendor = Vendor()
        self.deliveries = Deliveries(self.harness, self.vendor)
        self.mark = uuid4().hex[:12]
        self.friends = 0
        self.spent: dict[str, tuple[str, int]] = {}
        self.merged = False

    def named(self, name: str) -> str:
        """Return the name in this history, whose database others share."""
        return f"{name}-{self.mark}"

    @initialize()
    def begin(self) -> None:
        elsewhere = {"provider": "http", "target": {}}
        self.codes = {}
        for place, rewards in (
            ("large", {"tiers": [EACH], **elsewhere}),
            ("small", {"tiers": [EACH | {"reward": POINTS_50}], **elsewhere}),
            ("own", {"tiers": [EACH]}),
        ):
            self.run(self.harness.apply(campaign(self.named(place), rewards=rewards)))
            for name in ("ada", "bea"):
                code = self.run(self.harness.publish(self.named(place), self.named(name)))
                self.codes[place, name] = code

    @rule(place=st.sampled_from(["large", "large", "small", "own"]), name=people)
    def convert(self, place: str, name: str) -> None:
        self.friends += 1
        friend = self.named(f"friend {self.friends}")
        self.run(self.harness.convert(self.codes[place, name], friend, source=self.mark))

    @precondition(lambda self: self.friends)
    @rule(number=numbers, fault=st.sampled_from([None, None, None, *FAULTS]))
    def attempt(self, number: int, fault: str | None) -> None:
        if rows := self.open_rewards():
            self.vendor.faults = [FAULTS[fault]] if fault else []
            self._attempt(rows[number % len(rows)])
            self.vendor.faults = []

    @rule()
    def deliver_all(self) -> None:
        for _ in range(40):
            rows = self.open_rewards()
            if not rows:
                return
            self._attempt(rows[0])
        raise AssertionError("deliveries never end")

    def _attempt(self, row: Any) -> None:
        """Make one attempt and let its delay pass; what it repays is all that is owed, as far as the reward reaches."""
        fixes_amount = row.repaid is None and row.state != "rolling_back"
        owed = self.owed(row.customer_id)
        delay = self.run(self.deliveries.attempt(row.id))
        self.harness.time += delay or timedelta(0)
        (after,) = [each for each in self.rewards() if each.id == row.id]
        assert after.repaid == (min(row.amount, owed) if fixes_amount else row.repaid)

    @precondition(lambda self: self.friends)
    @rule(number=numbers)
    def exhaust(self, number: int) -> None:
        if rows := self.open_rewards():
            row = rows[number % len(rows)]
            self.run(self.deliveries.activities.mark_reward_failed(row.id, "used up"))

    @precondition(lambda self: self.friends)
    @rule(kind=st.sampled_from(["retry", "retry", "void", "roll_back"]), number=numbers)
    def command(self, kind: str, number: int) -> None:
        rows = [row for row in self.rewards() if row.state in ("failed", "granted", "pending")]
        if rows:
            with suppress(NotPossibleError):
                self.run(self.deliveries.command(kind, rows[number % len(rows)].id))

    @precondition(lambda self: self.friends)
    @rule(kind=st.sampled_from(["roll_back", "roll_back", "reinstate"]), number=numbers)
    def change_referral(self, kind: str, number: int) -> None:
        ids = sorted({row.referral_id for row in self.rewards()})
        with suppress(NotPossibleError):
            self.run(self.harness.command(kind, ids[number % len(ids)]))

    @rule(name=people, amount=amounts)
    def spend_there(self, name: str, amount: int) -> None:
        customer = self.named(name)
        self.vendor.spent[customer] += max(min(amount, self.vendor.balance(customer)), 0)

    @rule(name=people, amount=amounts)
    def spend_here(self, name: str, amount: int) -> None:
        key = f"k{len(self.spent)}"
        with suppress(InsufficientBalanceError):
            self.run(self._redeem(name, amount, key))
            self.spent[key] = (name, amount)

    async def _redeem(self, name: str, amount: int, key: str) -> None:
        async with self.store.begin() as tx:
            now = self.harness.now()
            await wallets.redeem(tx, self.named(name), POINTS, amount, key, "Spent", now)

    @precondition(lambda self: self.spent)
    @rule(number=numbers)
    def reverse_spending(self, number: int) -> None:
        key = sorted(self.spent)[number % len(self.spent)]
        name, _ = self.spent[key]
        self.spent[key] = (name, 0)
        self.run(self._reverse(name, key))

    async def _reverse(self, name: str, key: str) -> None:
        async with self.store.begin() as tx:
            now = self.harness.now()
            await wallets.reverse_redemption(tx, self.named(name), key, "Cancelled", now)

    @precondition(lambda self: self.friends > 2 and not self.merged)
    @rule()
    def merge(self) -> None:
        self.merged = True
        ids = {"customer": {"id": self.named("ada")}, "from": self.named("bea")}
        self.run(self.harness.event("customer_merged", ids | {"reason": "Same"}, source=self.mark))

    def owed(self, customer_id: str) -> int:
        accounts = self.accounts()
        entries = self.entries(accounts)
        own = [
            row.id for row in accounts.values() if (row.kind, row.owner) == ("owed", customer_id)
        ]
        debts = sum(entry.amount for entry in entries if entry.debit_id in own)
        return debts - sum(entry.amount for entry in entries if entry.credit_id in own)

    def rewards(self) -> list[Any]:
        own = [self.named(place) for place in ("large", "small", "own")]
        rewards = schema.rewards
        of_mine = select(rewards).where(rewards.c.campaign_id.in_(own))
        return self.run(self._rows(of_mine.order_by(rewards.c.created_at, rewards.c.id)))

    def open_rewards(self) -> list[Any]:
        return [row for row in self.rewards() if row.provider == "http" and row.state in OPEN]

    async def _rows(self, statement: Any) -> list[Any]:
        async with self.store.read() as tx:
            return list((await tx.execute(statement)).all())

    def accounts(self) -> dict[int, Any]:
        """Return the accounts of the two customers by id."""
        accounts, customers = schema.ledger_accounts, schema.customers
        people = customers.c.external_id.in_([self.named("ada"), self.named("bea")])
        of_mine = accounts.c.owner.in_(select(customers.c.id).where(people))
        return {row.id: row for row in self.run(self._rows(select(accounts).where(of_mine)))}

    def entries(self, accounts: dict[int, Any]) -> list[Any]:
        entries = schema.ledger_entries
        of_mine = entries.c.debit_id.in_(accounts) | entries.c.credit_id.in_(accounts)
        return self.run(self._rows(select(entries).where(of_mine).order_by(entries.c.id)))

    @invariant()
    def nothing_is_gained_or_lost(self) -> None:
        accounts = self.accounts()
        entries = self.entries(accounts)
        check_debts(entries, list(accounts.values()))
        kinds = defaultdict(str, {number: row.kind for number, row in accounts.items()})
        own, spent_of = 0, defaultdict(int)
        for entry in entries:
            sides = (kinds[entry.debit_id], kinds[entry.credit_id])
            own += entry.amount * ((sides[1] in OWN) - (sides[0] in OWN))
            if sides == ("owed", "spent"):
                spent_of[entry.reward_id] += entry.amount
        held = sum(map(self.vendor.balance, (self.named("ada"), self.named("bea"))))
        spent = sum(self.vendor.spent.values()) + sum(amount for _, amount in self.spent.values())
        worth = sum(self.worth(row, spent_of[row.id]) for row in self.rewards())
        assert own + held + spent == worth

    def worth(self, row: Any, owed: int) -> int:
        """Return what the customer has of a reward by now; `owed` was spent before it could be taken back."""
        worth = row.amount if row.state == "granted" else 0
        if row.provider == "ledger":
            return worth
        booked = [self.vendor.bookings.get(f"{row.key}{end}", 0) for end in ("", ":roll_back")]
        found = sum(booked) - owed + (0 if row.state in CLOSED else row.repaid or 0)
        assert found == worth or row.state in OPEN | {"failed"}
        return int(found)


def test_nobody_gains_or_loses_by_a_debt_in_any_sequence(database_url: str, without_waits):
    run_state_machine_as_test(
        lambda: Repayments(database_url),
        settings=examples(EXAMPLES, 20),
    )
