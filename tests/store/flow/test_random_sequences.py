"""Whatever happens in whatever sequence: what the design promises holds after every single operation."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import create_engine

from referrals.store import Store
from referrals.store.db import database
from referrals.store.referrals import reviews, roll_backs
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.invariants import Facts, check, read
from tests.harness.programme import Programme
from tests.harness.totals import spend

T = TypeVar("T")

COMMANDS: dict[str, Any] = {
    "approve": reviews.review,
    "reject": reviews.review,
    "roll_back": roll_backs.roll_back_by_operator,
}
PEOPLE = ["ada", *(f"friend-{number}" for number in range(6))]
people = st.sampled_from(PEOPLE)
numbers = st.integers(0, 20)

MINIMUM = {"name": "minimum", "when": "order.amount >= 80", "message": "At least 80."}
REWARDS = {"friend": POINTS_50, "tiers": [EACH, milestone(1), milestone(3)]}
DEFERRED = {"cooldown": {"period": "P1D", "on_hit": "defer"}}
TERMS: dict[str, dict[str, Any]] = {
    "at once": {},
    "below zero": {"rewards": REWARDS | {"rollback": {"allow_negative": True}}},
    "held": {"conversion": {"hold": "PT36H", "rules": [MINIMUM]}},
    "reviewed": {"conversion": {"review": "manual"}, "limits": {"conversions": 3}},
    "deferred": {"conversion": {"hold": "PT12H"}, "limits": DEFERRED},
    "cooling down": {"limits": {"cooldown": {"period": "P1D", "on_hit": "reject"}}},
    "a few for ever": {"limits": {"per_advocate": {"count": 2}}, "code": {"uses": 3}},
    "a few at a time": {"limits": {"per_advocate": {"count": 2, "period": "P3D"}}},
}


class AnySequence(RuleBasedStateMachine):
    """Operations at random on a database of its own."""

    def __init__(self, migrated: Path, terms: dict[str, Any]) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        file = shutil.copy(migrated, self.folder.name)
        self.reader = create_engine(f"sqlite:///{file}")
        self.store = Store(database.create_engine(f"sqlite+aiosqlite:///{file}"))
        self.programme = Programme(self.store, campaign(**{"rewards": REWARDS} | terms))
        self.spent: Counter[str] = Counter()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def facts(self) -> Facts:
        with self.reader.connect() as connection:
            return read(connection, self.programme.campaign, self.spent)

    def teardown(self) -> None:
        self.reader.dispose()
        self.run(self.store.close())
        self.loop.close()
        self.folder.cleanup()

    @initialize()
    def begin(self) -> None:
        self.run(self.programme.begin("ada", "bob"))

    @rule(friend=people, code=st.sampled_from([0, 1]))
    def sign_up(self, friend: str, code: int) -> None:
        self.run(self.programme.sign_up(friend, self.programme.codes[code]))

    @rule(friend=people, code=st.sampled_from([0, 0, 0, 1]))
    def bring(self, friend: str, code: int) -> None:
        self.convert(friend, friend, code, "100.00")

    @rule(
        friend=people,
        buyer=people,
        code=st.sampled_from([0, 1, None]),
        amount=st.sampled_from(["79.99", "80.00"]),
    )
    def convert(self, friend: str, buyer: str, code: int | None, amount: str) -> None:
        used = None if code is None else self.programme.codes[code]
        self.run(self.programme.convert(friend, used, id=f"order-of-{buyer}", amount=amount))

    @rule(
        kind=st.sampled_from(["order_refunded", "order_cancelled"]),
        buyer=people,
        amount=st.sampled_from([None, "10.00", "20.00"]),
    )
    def reverse(self, kind: str, buyer: str, amount: str | None) -> None:
        self.run(self.programme.reverse(kind, f"order-of-{buyer}", amount))

    @rule(kind=st.sampled_from(sorted(COMMANDS)), number=numbers)
    def command(self, kind: str, number: int) -> None:
        if found := self.facts().referrals:
            referral = found[number % len(found)].id
            self.run(self.programme.command(kind, referral, COMMANDS[kind]))

    @rule(days=st.sampled_from([0.5, 1, 2, 31]))
    def pass_time(self, days: float) -> None:
        self.run(self.programme.pass_time(timedelta(days=days)))

    @rule()
    def settle(self) -> None:
        """The advocates' workflows have been told of all milestones: rewards have followed."""
        self.run(self.programme.settle())
        now = self.facts()
        states = {row.id: row.state for row in now.milestones}
        for reward in (row for row in now.rewards if row.milestone_id):
            assert (reward.state == "granted") == (states[reward.milestone_id] == "reached")

    @rule(number=numbers)
    def spend_all(self, number: int) -> None:
        now = self.facts()
        customer = now.customers[number % len(now.customers)]
        amount = now.balances()[customer.id, "wallet"]
        if amount > 0:
            self.run(spend(self.store, customer.external_id, amount, self.programme.now()))
            self.spent[customer.id] += amount

    @invariant()
    def what_the_design_promises_holds(self) -> None:
        check(self.facts())


@pytest.mark.parametrize("terms", TERMS)
def test_the_promises_hold_in_any_sequence_of_operations(migrated_sqlite: Path, terms: str):
    run_state_machine_as_test(
        lambda: AnySequence(migrated_sqlite, TERMS[terms]),
        settings=settings(
            max_examples=8,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
