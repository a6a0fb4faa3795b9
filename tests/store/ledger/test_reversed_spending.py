"""Spending that is reversed, before and after the grants that it used have expired: the wallet is as if it was never made."""

import asyncio
from datetime import datetime, timedelta
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from referrals.domain.rewards import Asset
from referrals.store import Store, schema
from referrals.store.db import database
from referrals.store.ledger import expiry
from referrals.store.reporting import wallets
from tests.harness.campaigns import campaign
from tests.harness.identity import IDENTITY
from tests.harness.store_harness import StoreHarness
from tests.harness.wallet_model import NEVER, WalletModel

GRANTS: dict[str, int | None] = {"one-day": 1, "three-days": 3, "lasting": None}
"""Days for which the points of each campaign are valid."""
SPENDING = {"a": 30, "b": 40, "c": 60}
DAYS = ["day 1", "day 2", "day 3"]
POINTS = Asset("points", None)
numbers = count()


def histories() -> st.SearchStrategy[list[str]]:
    """Return orders of spending, days, runs of the expiry job and reversals; each reversal follows its spending."""

    def in_order(steps: list[str]) -> bool:
        spent = [steps.index(f"spend {key}") < steps.index(f"reverse {key}") for key in "ab"]
        return all(spent)

    steps = [*(f"spend {key}" for key in SPENDING), *DAYS, "expire", "reverse a", "reverse b"]
    return st.permutations(steps).filter(in_order)


class Customer:
    """A customer with points of three campaigns, and the model of a wallet without the reversed spending."""

    def __init__(self, harness: StoreHarness, code_of: dict[str, str]) -> None:
        self.harness, self.name = harness, f"fay-{next(numbers)}"
        self.code_of = code_of
        self.spent: list[tuple[datetime, str]] = []
        self.start = harness.time

    async def run(self, history: list[str]) -> None:
        for name, code in self.code_of.items():
            own = f"{name}-{self.name}"
            await self.harness.convert(code, self.name, order=own, id=own)
        for step in history:
            kind, _, key = step.partition(" ")
            await getattr(self, f"_{kind}")(key)

    async def _day(self, _: str) -> None:
        self.harness.time += timedelta(days=1)

    async def _expire(self, _: str) -> None:
        async with self.harness.store.begin() as tx:
            await expiry.expire_due(tx, self.harness.time, 100)

    async def _spend(self, key: str) -> None:
        if self.model().held < SPENDING[key]:
            return
        async with self.harness.store.begin() as tx:
            amount = SPENDING[key]
            await wallets.redeem(tx, self.name, POINTS, amount, key, "Spent", self.harness.time)
        self.spent.append((self.harness.time, key))

    async def _reverse(self, key: str) -> None:
        if key not in [spent for _, spent in self.spent]:
            return
        for _ in range(2):
            async with self.harness.store.begin() as tx:
                await wallets.reverse_redemption(tx, self.name, key, "Back", self.harness.time)
        self.spent = [(at, spent) for at, spent in self.spent if spent != key]

    def model(self) -> WalletModel:
        model = WalletModel()
        for days in GRANTS.values():
            model.grant(50, self.start + timedelta(days=days) if days else NEVER)
        for at, key in self.spent:
            model.pass_time(at)
            model.spend(SPENDING[key])
        model.pass_time(self.harness.time)
        return model


def test_reversed_spending_counts_as_never_made(database_url: str):
    @settings(max_examples=10, deadline=None)
    @given(histories())
    def check(history: list[str]) -> None:
        asyncio.run(_check(database_url, history))

    check()


async def _check(database_url: str, history: list[str]) -> None:
    store = Store(database.create_engine(database_url), identity=IDENTITY)
    try:
        harness = StoreHarness(store)
        code_of = {}
        for name, days in GRANTS.items():
            reward = {"type": "points", "amount": 50} | ({"valid_for": f"P{days}D"} if days else {})
            await harness.apply(campaign(name, rewards={"friend": reward, "tiers": []}))
            code_of[name] = await harness.publish(name, "ada")
        customer = Customer(harness, code_of)
        await customer.run(history)
        await customer._expire("")
        model = customer.model()
        assert await harness.balance(customer.name) == model.held
        accounts = [row.id for row in await harness.all(schema.ledger_accounts, kind="expired")]
        expired = [
            row for row in await harness.all(schema.ledger_entries) if row.credit_id in accounts
        ]
        own = {
            row.id
            for row in await harness.all(
                schema.rewards, customer_id=await harness.customer_id(customer.name)
            )
        }
        assert (
            sum(row.amount for row in expired if row.reward_id in own)
            == model.unbooked + model.expired
        )
    finally:
        await store.close()
