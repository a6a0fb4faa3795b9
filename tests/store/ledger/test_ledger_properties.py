"""Grants, spending, roll-backs and expiry in any order: the ledger equals that of a simple model.

The long form runs `LEDGER_EXAMPLES` sequences.
"""

import os
from datetime import timedelta
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Row, select

from referrals.domain.events import Customer
from referrals.domain.rewards import Asset
from referrals.errors import IdempotencyKeyReusedError, InsufficientBalanceError
from referrals.store.customers import profiles
from referrals.store.ledger import expiry, grants, redemptions
from referrals.store.schema import ledger_accounts, ledger_entries, rewards
from tests.harness.campaigns import campaign
from tests.harness.store_harness import START, StoreHarness
from tests.harness.store_state_machine import StoreStateMachine, examples
from tests.harness.wallet_model import NEVER, Lot, WalletModel

EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "20"))
POINTS = Asset("points", None)
EURO = Asset("gift_credit", "EUR")
people = st.sampled_from([*["ada"] * 7, "fay"])
assets = st.sampled_from([*[POINTS] * 7, EURO])
amounts = st.integers(1, 5).map(lambda tens: 10 * tens)


class AnySequence(StoreStateMachine):
    """Operations at random, by two customers of its own in a campaign of its own."""

    def __init__(self, database_url: str) -> None:
        super().__init__(database_url)
        self.campaign = f"c-{uuid4().hex}"
        self.now = START
        self.people: dict[str, str] = {}
        self.wallets: dict[tuple[str, Asset], WalletModel] = {}
        self.unspent: list[tuple[str, str, Asset, Lot]] = []
        self.keys: dict[tuple[str, str], tuple[Asset, int]] = {}
        self.history: list[Row[Any]] = []

    @initialize()
    def begin(self) -> None:
        self.run(self._begin())

    async def _begin(self) -> None:
        harness = StoreHarness(self.store)
        await harness.apply(campaign(self.campaign))
        code = await harness.publish(self.campaign, f"advocate-{self.campaign}")
        answer = await harness.convert(code, f"friend-{self.campaign}", id=self.campaign)
        self.referral = answer["referral"]
        async with self.store.begin() as tx:
            for name in ("ada", "fay"):
                known = Customer(id=f"{name}-{self.campaign}")
                self.people[name] = await profiles.upsert(tx, known, START)

    @rule(name=people, asset=assets, amount=amounts, days=st.sampled_from([None, 1, 2, 3]))
    def grant(self, name: str, asset: Asset, amount: int, days: int | None) -> None:
        reward = self.run(self._grant(name, asset, amount, days))
        expires_at = self.now + timedelta(days=days) if days else NEVER
        lot = self.wallet(name, asset).grant(amount, expires_at)
        self.unspent.append((reward, name, asset, lot))

    async def _grant(self, name: str, asset: Asset, amount: int, days: int | None) -> str:
        reward = f"rew_{uuid4().hex}"
        values = {
            "id": reward,
            "origin": reward,
            "key_prefix": reward,
            "occurrence": 1,
            "campaign_id": self.campaign,
            "referral_id": self.referral,
            "side": "friend",
            "customer_id": self.people[name],
            "type": asset.type,
            "currency": asset.currency,
            "amount": amount,
            "state": "granted",
            "target": {"valid_for": f"P{days}D"} if days else {},
            "created_at": self.now,
        }
        async with self.store.begin() as tx:
            row = (await tx.execute(rewards.insert().values(values).returning(rewards))).one()
            for _ in range(2):
                await grants.grant(tx, [(row, "Granted")], self.now)
        return reward

    @rule(name=people, asset=assets, amount=amounts)
    def spend(self, name: str, asset: Asset, amount: int) -> None:
        key = f"order-{len(self.keys)}"
        wallet = self.wallet(name, asset)
        if wallet.held < amount:
            assert self._spends(name, asset, amount, key) == InsufficientBalanceError
            return
        assert self._spends(name, asset, amount, key) is None
        wallet.spend(amount)
        self.keys[name, key] = (asset, amount)
        assert self.read()[self.people[name], "wallet", asset.type] >= 0

    @rule(name=people, asset=assets)
    def spend_all(self, name: str, asset: Asset) -> None:
        self.spend(name, asset, max(self.wallet(name, asset).held, 1))

    @precondition(lambda self: self.keys)
    @rule(number=st.integers(0, 20), more=st.sampled_from([0, 0, 1]))
    def spend_again(self, number: int, more: int) -> None:
        (name, key), (asset, amount) = sorted(self.keys.items())[number % len(self.keys)]
        if more:
            assert self._spends(name, asset, amount + more, key) == IdempotencyKeyReusedError
        else:
            assert self._spends(name, asset, amount, key) is None
            self.wallet(name, asset).book()

    def _spends(self, name: str, asset: Asset, amount: int, key: str) -> type[Exception] | None:
        async def redeem() -> None:
            async with self.store.begin() as tx:
                customer = self.people[name]
                await redemptions.redeem(
                    tx, customer, [customer], asset, amount, key, "Spent", self.now
                )

        try:
            self.run(redeem())
        except (InsufficientBalanceError, IdempotencyKeyReusedError) as error:
            return type(error)
        return None

    @precondition(lambda self: self.unspent)
    @rule(number=st.integers(0, 20), allow_negative=st.booleans())
    def roll_back(self, number: int, allow_negative: bool) -> None:
        reward, name, asset, lot = self.unspent.pop(number % len(self.unspent))
        owed = self.run(self._reverse(reward, allow_negative))
        assert owed == self.wallet(name, asset).roll_back(lot, allow_negative=allow_negative)

    async def _reverse(self, reward: str, allow_negative: bool) -> int:
        mine = rewards.c.id == reward
        async with self.store.begin() as tx:
            row = (await tx.execute(select(rewards).where(mine))).one()
            owed = await grants.reverse(tx, row, "Back", self.now, allow_negative=allow_negative)
            await tx.execute(rewards.update().where(mine).values(state="rolled_back"))
        return owed

    @rule(hours=st.sampled_from([1, 24, 49]))
    def pass_time(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        for wallet in self.wallets.values():
            wallet.pass_time(self.now)

    @rule(most=st.sampled_from([1, 100]))
    def expire(self, most: int) -> None:
        while self.run(self._expire(most)):
            pass
        for wallet in self.wallets.values():
            wallet.book()

    async def _expire(self, most: int) -> int:
        async with self.store.begin() as tx:
            return await expiry.expire_due(tx, self.now, most)

    def wallet(self, name: str, asset: Asset) -> WalletModel:
        return self.wallets.setdefault((name, asset), WalletModel())

    def read(self) -> dict[tuple[str, str, str], int]:
        """Return the balances by owner, kind and type; assert that the history was only extended."""
        found, owners = self.run(self._read())
        assert found[: len(self.history)] == self.history
        self.history = found
        assert len({entry.key for entry in found}) == len(found)
        sums = dict.fromkeys(owners.values(), 0)
        for entry in found:
            sums[owners[entry.debit_id]] -= entry.amount
            sums[owners[entry.credit_id]] += entry.amount
        return sums

    async def _read(self) -> tuple[list[Row[Any]], dict[int, tuple[str, str, str]]]:
        owners = [self.campaign, *self.people.values()]
        of_mine = select(ledger_accounts).where(ledger_accounts.c.owner.in_(owners))
        async with self.store.read() as tx:
            mine = {row.id: (row.owner, row.kind, row.type) for row in await tx.execute(of_mine)}
            lines = ledger_entries.c.debit_id.in_(mine) | ledger_entries.c.credit_id.in_(mine)
            others = rewards.c.customer_id.in_(self.people.values())
            statement = (
                select(ledger_entries)
                .outerjoin(rewards, rewards.c.id == ledger_entries.c.reward_id)
                .where(lines, others | rewards.c.id.is_(None))
                .order_by(ledger_entries.c.id)
            )
            return list((await tx.execute(statement)).all()), mine

    @invariant()
    def the_books_are_those_of_the_model(self) -> None:
        sums = self.read()
        assert sum(sums.values()) == 0
        for (name, asset), wallet in self.wallets.items():
            expected = {
                "wallet": wallet.held + wallet.unbooked,
                "spent": wallet.spent,
                "owed": -wallet.owed,
            }
            for kind, amount in expected.items():
                assert sums.get((self.people[name], kind, asset.type), 0) == amount, kind
        for asset in (POINTS, EURO):
            expired = sum(p.expired for (_, of), p in self.wallets.items() if of == asset)
            assert sums.get((self.campaign, "expired", asset.type), 0) == expired


def test_the_books_are_right_after_any_sequence(database_url: str):
    run_state_machine_as_test(
        lambda: AnySequence(database_url),
        settings=examples(EXAMPLES, 40),
    )
