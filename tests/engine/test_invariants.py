"""Whatever happens in whatever sequence: what the design promises holds after every single operation."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from referrals.store import Store, database, reversals
from tests.engine.books import spend
from tests.engine.campaigns import EACH, POINTS_50, campaign, milestone
from tests.engine.invariants import Facts, check, facts
from tests.engine.programme import Programme

T = TypeVar("T")

AT = (1, 3)
"""The campaign's milestones."""
OPERATIONS: dict[str, Any] = {
    "approve": reversals.review,
    "reject": reversals.review,
    "roll_back": reversals.take_back,
}

friends = st.sampled_from([*(f"friend-{number}" for number in range(6)), "ada"])
orders = st.sampled_from([f"order-{number}" for number in range(8)])
terms = st.fixed_dictionaries(
    {
        "hold": st.sampled_from([None, "P2D"]),
        "review": st.sampled_from([None, None, "manual"]),
        "allow_negative": st.booleans(),
        "uses": st.sampled_from([None, 2]),
        "conversions": st.sampled_from([None, 3]),
        "per_advocate": st.sampled_from([None, {"count": 2}, {"count": 1, "period": "P3D"}]),
        "on_hit": st.sampled_from([None, "defer", "reject"]),
    }
)


def definition(drawn: dict[str, Any]) -> dict[str, Any]:
    minimum = {"name": "minimum", "when": "order.amount >= 80", "message": "At least 80."}
    cooldown = {"period": "P1D", "on_hit": drawn["on_hit"]} if drawn["on_hit"] else None
    return campaign(
        code={"uses": drawn["uses"]},
        conversion={"hold": drawn["hold"], "review": drawn["review"], "rules": [minimum]},
        limits={
            "cooldown": cooldown,
            "conversions": drawn["conversions"],
            "per_advocate": drawn["per_advocate"],
        },
        rewards={
            "friend": POINTS_50,
            "tiers": [EACH, *(milestone(at) for at in AT)],
            "rollback": {"allow_negative": drawn["allow_negative"]},
        },
    )


class AnySequence(RuleBasedStateMachine):
    """Operations at random on a database of its own."""

    def __init__(self, migrated: Path) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        file = shutil.copy(migrated, self.folder.name)
        self.engine = database.create_engine(f"sqlite+aiosqlite:///{file}")
        self.store = Store(self.engine)
        self.spent: Counter[str] = Counter()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def facts(self) -> Facts:
        return self.run(facts(self.store, self.programme.campaign, self.spent))

    def teardown(self) -> None:
        self.run(self.engine.dispose())
        self.loop.close()
        self.folder.cleanup()

    @initialize(drawn=terms)
    def begin(self, drawn: dict[str, Any]) -> None:
        self.programme = Programme(self.store, definition(drawn))
        self.run(self.programme.begin("ada", "bob"))

    @rule(friend=friends, code=st.sampled_from([0, 1]))
    def sign_up(self, friend: str, code: int) -> None:
        self.run(self.programme.sign_up(friend, self.programme.codes[code]))

    @rule(
        friend=friends,
        code=st.sampled_from([0, 0, 1, None]),
        order=orders,
        amount=st.sampled_from(["79.99", "80.00", "100.00"]),
    )
    def convert(self, friend: str, code: int | None, order: str, amount: str) -> None:
        used = None if code is None else self.programme.codes[code]
        self.run(self.programme.convert(friend, used, id=order, amount=amount))

    @rule(
        kind=st.sampled_from(["order_refunded", "order_cancelled"]),
        order=orders,
        amount=st.sampled_from([None, "10.00", "20.00"]),
    )
    def reverse(self, kind: str, order: str, amount: str | None) -> None:
        self.run(self.programme.reverse(kind, order, amount))

    @rule(kind=st.sampled_from(sorted(OPERATIONS)), number=st.integers(0, 20))
    def command(self, kind: str, number: int) -> None:
        if found := self.facts().referrals:
            referral = found[number % len(found)].id
            self.run(self.programme.command(kind, referral, OPERATIONS[kind]))

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

    @rule(number=st.integers(0, 20), share=st.sampled_from([0.5, 1]))
    def spend(self, number: int, share: float) -> None:
        now = self.facts()
        customer = now.customers[number % len(now.customers)]
        if amount := int(max(now.balances()[customer.id, "wallet"], 0) * share):
            self.run(spend(self.store, customer.external_id, amount, self.programme.now()))
            self.spent[customer.id] += amount

    @invariant()
    def what_the_design_promises_holds(self) -> None:
        check(self.facts())


def test_invariants_hold_in_any_sequence_of_operations(migrated_sqlite: Path):
    machine: Callable[[], AnySequence] = lambda: AnySequence(migrated_sqlite)  # noqa: E731
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
