"""The engine under test: one database and one event loop for all random histories, each with ids of its own."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import bindparam, case, func, select

from referrals.domain.actors import SYSTEM_ACTOR
from referrals.domain.events import Customer
from referrals.domain.rewards import Asset
from referrals.store import Store, schema
from referrals.store.customers import profiles
from referrals.store.db import database
from referrals.store.flow.event_loop import decision
from referrals.store.ledger import expiry
from referrals.store.referrals import milestones, timers
from referrals.store.reporting import wallets
from tests.harness.identity import IDENTITY
from tests.harness.store_harness import START, StoreHarness
from tests.store.life.people import LISTED, Guest
from tests.store.life.terms import CAMPAIGNS

T = TypeVar("T")
ASSETS = {"points": Asset("points", None), "credit": Asset("gift_credit", "EUR")}


class Observed(NamedTuple):
    """The rows of one history."""

    referrals: list[Any]
    rewards: list[Any]
    milestones: list[Any]
    balances: dict[tuple[str, str, str], int]
    codes: list[Any]


class Shop:
    """Calls of a shop and an operator, with names in place of the ids of the present history."""

    def __init__(self, database_url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._store = Store(database.create_engine(database_url), identity=IDENTITY)
        self._harness = StoreHarness(self._store)
        self.histories = 0
        for terms in CAMPAIGNS.values():
            self.run(self._harness.apply(terms.as_dict()))

    def close(self) -> None:
        self.run(self._store.close())
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    @property
    def now(self) -> Any:
        return self._harness.time

    def begin(self) -> None:
        """Begin a history."""
        self.histories += 1
        self._harness.time = START

    def pass_time(self, by: timedelta) -> None:
        self._harness.time += by

    def named(self, name: str, spelling: int = 0) -> str:
        """Return the id in this history, in one of its spellings."""
        if name != "eve":
            return f"{name}-{self.histories}"
        mail = f"eve{self.histories}@gmail.com"
        return (mail, mail.upper(), f" {mail.title()}")[spelling]

    def person(
        self, who: str | Guest, email: str | None, phone: str | None, spelling: int
    ) -> dict[str, Any]:
        """Return a friend or customer as events carry them."""
        if isinstance(who, Guest):
            return {"email": self._email(who.email, spelling), "verified": who.verified}
        contacts = {
            "email": email and self._email(email, spelling),
            "phone": phone and self._phone(phone, spelling),
        }
        return {"id": self.named(who, spelling)} | {k: v for k, v in contacts.items() if v}

    def _email(self, name: str, spelling: int) -> str:
        if name == LISTED:
            return ("till@shop.example", "Till@Shop.Example", "till+1@shop.example")[spelling]
        plain = f"{name}{self.histories}"
        dotted = f"{name[0]}.{name[1:]}{self.histories}"
        return (f"{plain}@gmail.com", f"{plain.upper()}@Gmail.com", f"{dotted}+x@googlemail.com")[
            spelling
        ]

    def _phone(self, name: str, spelling: int) -> str:
        digits = f"15{name[1]}{self.histories:08d}"
        spaced = f"{digits[:3]} {digits[3:]}"
        return (f"+49{digits}", f"0049 {spaced}", f"+49 ({digits[:3]}) {digits[3:]}")[spelling]

    def publish(self, campaign: str, advocate: str) -> str:
        return self.run(self._harness.publish(campaign, self.named(advocate)))

    def update_customer(self, data: dict[str, Any]) -> None:
        self.run(self._update_customer(Customer(**data)))

    async def _update_customer(self, customer: Customer) -> None:
        async with self._store.begin() as tx:
            await profiles.upsert(tx, customer, self.now)

    def event(self, kind: str, data: dict[str, Any], **envelope: Any) -> dict[str, Any]:
        if "order" in data:
            order_id = f"{data['order']['id']}-{self.histories}"
            data = data | {"order": data["order"] | {"id": order_id}}
        return self.run(self._harness.event(kind, data, **envelope))

    def command(self, kind: str, referral: str) -> None:
        self.run(self._harness.command(kind, referral))

    def spend(self, customer: str, asset: str, amount: int, key: str) -> None:
        self.run(self._wallet(wallets.redeem, customer, ASSETS[asset], amount, key, "Spent"))

    def redeem_coupon(self, customer: str, code: str, key: str) -> None:
        self.run(self._wallet(wallets.redeem_coupon, customer, code, key))

    def reverse(self, customer: str, key: str) -> None:
        self.run(self._wallet(wallets.reverse_redemption, customer, key, "Cancelled"))

    async def _wallet(self, operation: Any, *arguments: Any) -> None:
        async with self._store.begin() as tx:
            await operation(tx, *arguments, self.now)

    def fire_timer(self, workflow_id: str) -> None:
        self.run(self._fire_timer(workflow_id))

    async def _fire_timer(self, workflow_id: str) -> None:
        async with decision(self._store) as tx:
            await timers.process_due(tx, workflow_id, SYSTEM_ACTOR, self.now)

    def expire(self) -> None:
        while self.run(self._expire()):
            pass

    async def _expire(self) -> int:
        async with self._store.begin() as tx:
            return await expiry.expire_due(tx, self.now, 100)

    def complete_milestones(self, codes: list[str]) -> None:
        self.run(self._complete_milestones(codes))

    async def _complete_milestones(self, codes: list[str]) -> None:
        async with self._store.read() as tx:
            found = [row.id for row in await tx.execute(_MILESTONES, {"codes": codes})]
        for milestone_id in found:
            async with decision(self._store) as tx:
                await milestones.process(tx, milestone_id, SYSTEM_ACTOR, self.now)

    def observe(self, codes: list[str]) -> Observed:
        """Return everything that came of these codes."""
        return self.run(self._observe(codes))

    async def _observe(self, codes: list[str]) -> Observed:
        async with self._store.read() as tx:

            async def rows(statement: Any, **values: Any) -> list[Any]:
                return list((await tx.execute(statement, values)).all())

            referrals = await rows(_REFERRALS, codes=codes)
            people = list({row.friend_id for row in referrals} | {row.owner for row in referrals})
            return Observed(
                referrals,
                await rows(_REWARDS, people=people),
                await rows(_MILESTONES, codes=codes),
                {tuple(row[:3]): int(row[3]) for row in await rows(_BALANCES, people=people)},
                await rows(_COUNTS, codes=codes),
            )


_advocates, _codes, _coupons = schema.advocates, schema.codes, schema.coupons
_accounts, _entries = schema.ledger_accounts, schema.ledger_entries
_milestones, _referrals, _rewards = schema.milestones, schema.referrals, schema.rewards
_OF_CODES, _PEOPLE = bindparam("codes", expanding=True), bindparam("people", expanding=True)
_OWNER = _advocates.c.customer_id.label("owner")
_REFERRALS = (
    select(_referrals, _OWNER)
    .join(_advocates, _advocates.c.id == _referrals.c.advocate_id)
    .where(_referrals.c.code.in_(_OF_CODES))
)
_COUNTS = (
    select(_codes.c.code, _codes.c.uses, _advocates.c.confirmed_count)
    .join(_advocates, _advocates.c.id == _codes.c.advocate_id)
    .where(_codes.c.code.in_(_OF_CODES))
)
_MILESTONES = (
    select(_milestones, _advocates.c.campaign_id, _OWNER)
    .join(_advocates, _advocates.c.id == _milestones.c.advocate_id)
    .where(_advocates.c.id.in_(select(_codes.c.advocate_id).where(_codes.c.code.in_(_OF_CODES))))
    .order_by(_milestones.c.id)
)
_REWARDS = (
    select(_rewards, _coupons.c.code.label("coupon"), _coupons.c.state.label("coupon_state"))
    .outerjoin(_coupons, _coupons.c.reward_id == _rewards.c.id)
    .where(_rewards.c.customer_id.in_(_PEOPLE))
    .order_by(_rewards.c.side, _rewards.c.occurrence)
)
_CREDITED = _entries.c.credit_id == _accounts.c.id
_ACCOUNT = (_accounts.c.owner, _accounts.c.kind, _accounts.c.type)
_BALANCES = (
    select(*_ACCOUNT, func.sum(case((_CREDITED, _entries.c.amount), else_=-_entries.c.amount)))
    .join(_entries, _CREDITED | (_entries.c.debit_id == _accounts.c.id))
    .where(_accounts.c.owner.in_(_PEOPLE), _accounts.c.kind.in_(["wallet", "owed"]))
    .group_by(*_ACCOUNT)
)
