"""Random histories of orders: whatever arrives, the books are those of the orders' last states, and nothing is gained.

The long form runs `ORDER_HISTORIES` histories.
"""

import os
from collections import Counter, defaultdict
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from referrals.domain.actors import SYSTEM_ACTOR
from referrals.domain.reasons import REASONS_OF_ORDERS
from referrals.domain.rewards import Asset
from referrals.domain.states import CLOSED_WITHOUT_CONVERSION, COUNTS_TOWARD_LIMITS
from referrals.errors import InsufficientBalanceError, NotPossibleError, UnknownCustomerError
from referrals.store import schema
from referrals.store.flow.event_loop import decision
from referrals.store.referrals import milestones
from referrals.store.reporting import wallets
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.store_harness import StoreHarness
from tests.harness.store_state_machine import StoreStateMachine, examples

HISTORIES = int(os.environ.get("ORDER_HISTORIES", "12"))
MINIMUM = {"name": "minimum", "when": "order.amount >= 80.0", "message": "At least 80."}
POINTS = Asset("points", None)
REFUNDS = {"part": "20.00", "whole": None}

friends = st.sampled_from(["fay", "gus"])
places = st.sampled_from(["strict", "lenient"])
delays = st.sampled_from([None, 0, 0, 3, 10])
"""Minutes by which an event arrives late; None for an event without a time."""


class Change(NamedTuple):
    """An event of an order, as the model remembers it."""

    at: datetime
    number: int
    kind: str
    value: Any = None


class OrderModel:
    """An order as a fold of its events by their times."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def rest(self, since: datetime | None = None) -> float | None:
        """Return the amount less refunds; None if the order is cancelled or wholly refunded."""
        gross, cancelled, refunds, known = 0.0, False, {}, set()
        for change in sorted(self.changes):
            counts = since is None or change.at > since
            if change.kind in ("sold", "order_updated", "converted"):
                gross = change.value
            if change.kind == "sold":
                cancelled = False
                refunds = {} if "whole" in refunds else refunds
            elif change.kind == "order_cancelled":
                cancelled = counts
            elif change.kind == "order_reinstated":
                cancelled, refunds = False, {}
            elif change.kind == "order_refunded" and change.value not in known:
                known.add(change.value)
                if counts:
                    refunds[change.value] = 20.0
        return None if cancelled or "whole" in refunds else gross - sum(refunds.values())


class OrderLife(StoreStateMachine):
    """Two friends, two campaigns of one advocate, and order numbers that two sources use."""

    def __init__(self, database_url: str) -> None:
        super().__init__(database_url)
        self.harness = StoreHarness(self.store, tick=timedelta(minutes=1), repeat=True)
        self.mark = uuid4().hex[:12]
        self.orders: dict[str, OrderModel] = defaultdict(OrderModel)
        self.spent: Counter[str] = Counter()
        self.keys: dict[str, tuple[str, int]] = {}
        self.sent: list[tuple[str, dict[str, Any], dict[str, Any]]] = []

    def named(self, name: str) -> str:
        """Return the name in this history, whose database others share."""
        return f"{name}-{self.mark}"

    @initialize()
    def begin(self) -> None:
        rewards = {"friend": POINTS_50, "tiers": [EACH, milestone(1)]}
        self.codes = {}
        for place, rules in (("strict", [MINIMUM]), ("lenient", [])):
            name = self.named(place)
            conversion = {"rules": rules}
            self.run(self.harness.apply(campaign(name, rewards=rewards, conversion=conversion)))
            self.codes[place] = self.run(self.harness.publish(name, self.named("ada")))

    @rule(
        friend=friends,
        place=places,
        source=st.sampled_from(["shop", "app"]),
        order=st.sampled_from("12"),
        amount=st.sampled_from(["70.00", "90.00", "110.00"]),
        late=delays,
    )
    def convert(
        self, friend: str, place: str, source: str, order: str, amount: str, late: int | None
    ) -> None:
        of_order = {"id": self.named(order), "amount": amount, "currency": "EUR"}
        data = {"code": self.codes[place], "friend": {"id": self.named(friend)}, "order": of_order}
        kind = "converted" if late is None else "sold"
        self.send("referral_converted", data, source, late, kind, float(amount))

    @rule(
        kind=st.sampled_from(["order_cancelled", "order_reinstated", "order_updated"]),
        source=st.sampled_from(["shop", "app"]),
        order=st.sampled_from("12"),
        amount=st.sampled_from(["70.00", "90.00", "110.00"]),
        late=delays,
    )
    def change(self, kind: str, source: str, order: str, amount: str, late: int | None) -> None:
        of_order: dict[str, Any] = {"id": self.named(order)}
        if kind == "order_updated":
            of_order |= {"amount": amount, "currency": "EUR"}
        value = float(amount) if kind == "order_updated" else None
        self.send(kind, {"order": of_order}, source, late, kind, value)

    @rule(
        source=st.sampled_from(["shop", "app"]),
        order=st.sampled_from("12"),
        refund=st.sampled_from(sorted(REFUNDS)),
        late=delays,
    )
    def refund(self, source: str, order: str, refund: str, late: int | None) -> None:
        amount = REFUNDS[refund]
        of_refund = {"id": refund} | ({"amount": amount} if amount else {})
        data = {"order": {"id": self.named(order)}, "refund": of_refund}
        self.send("order_refunded", data, source, late, "order_refunded", refund)

    def send(
        self,
        kind: str,
        data: dict[str, Any],
        source: str,
        late: int | None,
        meaning: str,
        value: Any,
    ) -> None:
        now = self.harness.time + timedelta(minutes=1)
        at = now if late is None else now - timedelta(minutes=late, seconds=1)
        envelope: dict[str, Any] = {"id": self.named(f"e{len(self.sent)}"), "source": source}
        if late is not None:
            envelope["time"] = at.isoformat()
        order = self.orders[f"{source}/{data['order']['id']}"]
        order.changes.append(Change(at, len(self.sent), meaning, value))
        self.sent.append((kind, data, envelope))
        answer = self.run(self.harness.event(kind, data, **envelope))
        if kind != "referral_converted":
            self.check_order(source, data["order"]["id"])
        elif answer["decision"] == "accepted":
            (referral,) = [row for row in self.referrals() if row.id == answer["referral"]]
            assert self.qualifies(order, referral)

    @precondition(lambda self: self.sent)
    @rule(number=st.integers(0, 30))
    def repeat(self, number: int) -> None:
        """Send an event again: the row is found, and no decision is made anew."""
        kind, data, envelope = self.sent[number % len(self.sent)]
        self.run(self.harness.receive(kind, data, **envelope))

    @rule(command=st.sampled_from(["roll_back", "reinstate"]), number=st.integers(0, 9))
    def command(self, command: str, number: int) -> None:
        if found := self.referrals():
            with suppress(NotPossibleError):
                self.run(self.harness.command(command, found[number % len(found)].id))

    @rule(name=st.sampled_from(["ada", "fay", "gus"]), amount=st.sampled_from([30, 50, 1000]))
    def spend(self, name: str, amount: int) -> None:
        key = f"k{len(self.keys)}"
        with suppress(InsufficientBalanceError, UnknownCustomerError):
            self.run(self._redeem(name, amount, key))
            self.keys[key] = (name, amount)
            self.spent[name] += amount

    async def _redeem(self, name: str, amount: int, key: str) -> None:
        async with self.store.begin() as tx:
            customer, now = self.named(name), self.harness.now()
            await wallets.redeem(tx, customer, POINTS, amount, key, "Spent", now)

    @precondition(lambda self: self.keys)
    @rule(number=st.integers(0, 9))
    def reverse(self, number: int) -> None:
        key = sorted(self.keys)[number % len(self.keys)]
        name, amount = self.keys[key]
        for _ in range(2):
            self.run(self._reverse(name, key))
        if amount:
            self.spent[name] -= amount
            self.keys[key] = (name, 0)

    async def _reverse(self, name: str, key: str) -> None:
        async with self.store.begin() as tx:
            now = self.harness.now()
            await wallets.reverse_redemption(tx, self.named(name), key, "Cancelled", now)

    def referrals(self) -> list[Any]:
        return self.rows(schema.referrals)

    def rows(self, table: Any) -> list[Any]:
        """Return the history's rows of a table that belongs to campaigns."""
        own = [self.named(place) for place in ("strict", "lenient")]
        statement = select(table).where(table.c.campaign_id.in_(own))
        return self.run(self._rows(statement.order_by(*table.primary_key)))

    async def _rows(self, statement: Any) -> list[Any]:
        async with self.store.read() as tx:
            return list((await tx.execute(statement)).all())

    def check_order(self, source: str, order_id: str) -> None:
        """Assert that the referrals of an order follow its state, unless another one of the friend or order is in the way."""
        order = self.orders[f"{source}/{order_id}"]
        of_order = select(schema.orders).where(
            schema.orders.c.source == source, schema.orders.c.external_id == order_id
        )
        (row,) = self.run(self._rows(of_order))
        everyone = self.referrals()
        for referral in (each for each in everyone if each.order_id == row.id):
            qualifies = self.qualifies(order, referral)
            if referral.state in COUNTS_TOWARD_LIMITS:
                assert qualifies
            elif referral.reason_code in REASONS_OF_ORDERS and qualifies:
                assert any(_is_in_the_way(other, referral) for other in everyone)

    def qualifies(self, order: OrderModel, referral: Any) -> bool:
        rest = order.rest(referral.reinstated_at)
        strict = referral.campaign_id == self.named("strict")
        return rest is not None and (rest >= 80 or not strict)

    @invariant()
    def the_books_are_those_of_the_referrals(self) -> None:
        for row in self.run(self._milestones()):
            self.run(self._complete(row.id))
        referrals, rewards = self.referrals(), self.rows(schema.rewards)
        granted = [row for row in rewards if row.state == "granted"]
        for referral in referrals:
            own = sorted(row.amount for row in granted if row.referral_id == referral.id)
            assert own == ([50, 100] if referral.state in COUNTS_TOWARD_LIMITS else [])
        for advocate in self.rows(schema.advocates):
            live = [
                row
                for row in referrals
                if row.advocate_id == advocate.id and row.state in COUNTS_TOWARD_LIMITS
            ]
            won = [
                r.amount
                for r in granted
                if r.milestone_id and r.campaign_id == advocate.campaign_id
            ]
            assert (advocate.confirmed_count, won) == (len(live), [1000] if live else [])
        for row in self.rows(schema.codes):
            assert row.uses == sum(
                referral.code == row.code and referral.state in COUNTS_TOWARD_LIMITS
                for referral in referrals
            )
        self.check_balances(granted)

    def check_balances(self, granted: list[Any]) -> None:
        for name in ("ada", "fay", "gus"):
            (wallet, owed), customer = self.balances(name), self.run(self._id_of(name))
            earned = sum(row.amount for row in granted if row.customer_id == customer)
            assert wallet + owed == earned - self.spent[name]
            assert wallet >= 0
            assert owed <= 0
            assert not (wallet and owed)

    def balances(self, name: str) -> tuple[int, int]:
        customer = self.named(name)
        return (
            self.run(self.harness.balance(customer)),
            self.run(self.harness.balance(customer, "owed")),
        )

    async def _id_of(self, name: str) -> str | None:
        found = await self.harness.all(schema.customers, external_id=self.named(name))
        return found[0].id if found else None

    async def _milestones(self) -> list[Any]:
        own = [self.named(place) for place in ("strict", "lenient")]
        statement = (
            select(schema.milestones.c.id)
            .join(schema.advocates, schema.advocates.c.id == schema.milestones.c.advocate_id)
            .where(schema.advocates.c.campaign_id.in_(own))
            .order_by(schema.milestones.c.id)
        )
        async with self.store.read() as tx:
            return list((await tx.execute(statement)).all())

    async def _complete(self, milestone_id: str) -> None:
        async with decision(self.store) as tx:
            await milestones.process(tx, milestone_id, SYSTEM_ACTOR, self.harness.now())


def _is_in_the_way(other: Any, referral: Any) -> bool:
    return (
        other.id != referral.id
        and other.campaign_id == referral.campaign_id
        and other.state not in CLOSED_WITHOUT_CONVERSION
        and other.released_at is None
        and (other.friend_id == referral.friend_id or other.order_id == referral.order_id)
    )


def test_the_books_are_those_of_the_orders_in_random_histories(database_url: str):
    run_state_machine_as_test(
        lambda: OrderLife(database_url),
        settings=examples(HISTORIES, 14),
    )
