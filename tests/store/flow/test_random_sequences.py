"""The invariants of the design hold after every operation, in random sequences of operations."""

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import create_engine

from referrals.domain.campaign import Campaign
from referrals.errors import NotPossibleError
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone
from tests.harness.invariants import Facts, check, read
from tests.harness.store_harness import COMMAND_DECISIONS, StoreHarness
from tests.harness.store_state_machine import OwnDatabaseStateMachine, examples
from tests.harness.totals import spend

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
    "deferred past a long hold": {"conversion": {"hold": "P14D"}, "limits": DEFERRED},
    "one a day": {"limits": {"cooldown": {"period": "day", "on_hit": "defer"}}},
    "cooling down": {"limits": {"cooldown": {"period": "P1D", "on_hit": "reject"}}},
    "a few for ever": {"limits": {"per_advocate": {"count": 2}}, "code": {"uses": 3}},
    "a few at a time": {"limits": {"per_advocate": {"count": 2, "period": "P3D"}}},
    "a few a day": {"limits": {"per_advocate": {"count": 2, "period": "day"}}},
}


class RandomSequence(OwnDatabaseStateMachine):
    """Random operations on a database of their own, with two advocates."""

    def __init__(self, migrated: Path, terms: dict[str, Any]) -> None:
        super().__init__(migrated)
        self.reader = create_engine(f"sqlite:///{self.file}")
        self.definition = campaign(**{"rewards": REWARDS} | terms)
        self.campaign = Campaign.model_validate(self.definition)
        self.harness = StoreHarness(self.store, tick=timedelta(seconds=1), repeat=True)
        self.spent: Counter[str] = Counter()

    def facts(self) -> Facts:
        with self.reader.connect() as connection:
            return read(connection, self.campaign, self.spent)

    def teardown(self) -> None:
        self.reader.dispose()
        super().teardown()

    @initialize()
    def begin(self) -> None:
        self.run(self.harness.apply(self.definition))
        self.codes = [self.run(self.harness.publish("spring", name)) for name in ("ada", "bob")]

    @rule(friend=people, code=st.sampled_from([0, 1]))
    def sign_up(self, friend: str, code: int) -> None:
        self.run(self.harness.sign_up(self.codes[code], friend))

    @rule(friend=people, code=st.sampled_from([0, 0, 0, 1]))
    def convert_with_own_order(self, friend: str, code: int) -> None:
        self.convert(friend, friend, code, "100.00")

    @rule(
        friend=people,
        buyer=people,
        code=st.sampled_from([0, 1, None]),
        amount=st.sampled_from(["79.99", "80.00"]),
    )
    def convert(self, friend: str, buyer: str, code: int | None, amount: str) -> None:
        used = None if code is None else self.codes[code]
        named = {"campaign": "spring"} if used is None else {}
        self.run(self.harness.convert(used, friend, amount, f"order-of-{buyer}", **named))

    @rule(
        kind=st.sampled_from(["order_refunded", "order_cancelled"]),
        buyer=people,
        amount=st.sampled_from([None, "10.00", "20.00"]),
    )
    def reverse(self, kind: str, buyer: str, amount: str | None) -> None:
        order = {"id": f"order-of-{buyer}"} | ({"amount": amount} if amount else {})
        self.run(self.harness.event(kind, {"order": order}))

    @rule(kind=st.sampled_from(sorted(COMMAND_DECISIONS)), number=numbers)
    def command(self, kind: str, number: int) -> None:
        if found := self.facts().referrals:
            self.run(self._command(kind, found[number % len(found)].id))

    async def _command(self, kind: str, referral: str) -> None:
        """Give the command twice; one that is not possible is refused and changes nothing."""
        row = await self.harness.receive_command(kind, referral)
        for _ in range(2):
            with suppress(NotPossibleError):
                await self.harness.decide(COMMAND_DECISIONS[kind], row.id)

    @rule(days=st.sampled_from([0.5, 1, 2, 31]))
    def pass_time(self, days: float) -> None:
        self.harness.time += timedelta(days=days)
        self.run(self.harness.fire_timers("spring"))

    @rule()
    def complete_milestones(self) -> None:
        self.run(self.harness.complete_milestones())
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
            self.run(spend(self.store, customer.external_id, amount, self.harness.now()))
            self.spent[customer.id] += amount

    @invariant()
    def the_invariants_hold(self) -> None:
        check(self.facts())


@pytest.mark.parametrize("terms", TERMS)
def test_the_invariants_hold_in_random_sequences_of_operations(migrated_sqlite: Path, terms: str):
    run_state_machine_as_test(
        lambda: RandomSequence(migrated_sqlite, TERMS[terms]),
        settings=examples(8, 30),
    )
