"""Random edits of a running campaign never pay one milestone, or one friend, twice.

Each tier of the test has an amount that no other has, whatever its name: rewards of one amount are payments for one tier.
"""

import os
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from referrals.domain.campaign import Campaign
from referrals.errors import CampaignEditError, NotPossibleError
from referrals.store import schema
from referrals.store.campaigns import applying, versions
from tests.harness.campaigns import POINTS_50, campaign
from tests.harness.store_harness import StoreHarness
from tests.harness.store_state_machine import OwnDatabaseStateMachine, examples

EXAMPLES = int(os.environ.get("REFERRALS_TEST_EDITS", "12"))
NAMES = [f"tier-{number}" for number in range(6)]
AMOUNTS = [1000, 2000, 4000]
EACH_AMOUNT = 7
names = st.sampled_from(NAMES)
amounts = st.sampled_from(AMOUNTS)

Tiers = dict[int, dict[str, Any]]
"""Tiers of the file by their amounts."""


class RandomEdits(OwnDatabaseStateMachine):
    """Edits, honest ones and others, with conversions and roll-backs of two advocates."""

    def __init__(self, migrated: Path) -> None:
        super().__init__(migrated)
        self.harness = StoreHarness(self.store, tick=timedelta(seconds=1))
        self.friends = 0
        self.tiers: Tiers = {
            EACH_AMOUNT: {"name": "each", "each": True},
            1000: {"name": "tier-0", "at": 1},
            2000: {"name": "tier-1", "at": 3},
            4000: {"name": "tier-2", "at": 5},
        }

    @initialize()
    def begin(self) -> None:
        self.apply(self.tiers)
        self.codes = [self.run(self.harness.publish("spring", name)) for name in ("ada", "bob")]

    def apply(self, tiers: Tiers) -> None:
        """Apply the file with these tiers; a refused edit is not made."""
        entries = [
            tier | {"reward": {"type": "points", "amount": amount}}
            for amount, tier in tiers.items()
        ]
        rewards = {"friend": POINTS_50, "tiers": entries}
        with suppress(CampaignEditError, ValueError):
            self.run(self.harness.apply(campaign(rewards=rewards)))
            self.tiers = tiers

    def edit(self, amount: int, **keys: Any) -> None:
        """Change keys of one tier; those that are None are left out. A tier that is missing is added."""
        changed = self.tiers.get(amount, {"name": "tier-5", "at": 3}) | keys
        present = {key: value for key, value in changed.items() if value is not None}
        self.apply(self.tiers | {amount: present})

    @rule(amount=amounts, name=names)
    def rename(self, amount: int, name: str) -> None:
        if tier := self.tiers.get(amount):
            self.edit(amount, name=name, renamed_from=[tier["name"]])

    @rule(amount=st.sampled_from([*AMOUNTS, EACH_AMOUNT]), name=names, at=st.integers(1, 5))
    def rename_without_saying_so(self, amount: int, name: str, at: int) -> None:
        self.edit(
            amount, name=name, renamed_from=None, **({} if amount == EACH_AMOUNT else {"at": at})
        )

    @rule(one=amounts, other=amounts)
    def swap_names(self, one: int, other: int) -> None:
        if {one, other} <= self.tiers.keys():
            swapped = {
                one: self.tiers[one] | {"name": self.tiers[other]["name"]},
                other: self.tiers[other] | {"name": self.tiers[one]["name"]},
            }
            self.apply(self.tiers | swapped)

    @rule(amount=amounts, at=st.integers(1, 5))
    def move(self, amount: int, at: int) -> None:
        self.edit(amount, at=at)

    @rule(amount=amounts)
    def remove(self, amount: int) -> None:
        self.apply({key: tier for key, tier in self.tiers.items() if key != amount})

    @rule(back=st.integers(1, 6))
    def restore(self, back: int) -> None:
        """Restore an earlier version, from which the next edits start."""
        stored = self.run(self.harness.all(schema.campaign_versions))
        definition = stored[-min(back, len(stored))].definition
        restored = versions.parse_definition(definition)
        with suppress(CampaignEditError):
            self.run(self._apply(restored))
            self.tiers = {
                tier.reward.minor: tier.model_dump(
                    mode="json", exclude={"reward"}, exclude_none=True
                )
                for tier in restored.rewards.tiers
            }

    async def _apply(self, definition: Campaign) -> None:
        async with self.store.begin() as tx:
            await applying.apply(tx, definition, "marketer", self.harness.now())

    @rule(code=st.sampled_from([0, 0, 1]), number=st.integers(1, 2))
    def convert(self, code: int, number: int) -> None:
        for _ in range(number):
            self.friends += 1
            self.run(self.harness.convert(self.codes[code], f"friend-{self.friends}"))

    @rule(number=st.integers(0, 20))
    def roll_back(self, number: int) -> None:
        if referrals := self.run(self.harness.all(schema.referrals)):
            with suppress(NotPossibleError):
                self.run(self.harness.roll_back(referrals[number % len(referrals)].id))

    @invariant()
    def nothing_is_paid_twice(self) -> None:
        self.run(self.harness.complete_milestones())
        paid: Counter[tuple[str | None, ...]] = Counter()
        for reward in self.run(self.harness.all(schema.rewards, state="granted")):
            for_what = str(reward.amount), reward.side
            paid[reward.customer_id, *for_what, reward.referral_id] += 1
        assert set(paid.values()) <= {1}


def test_random_edits_pay_nobody_twice(migrated_sqlite: Path):
    run_state_machine_as_test(
        lambda: RandomEdits(migrated_sqlite),
        settings=examples(EXAMPLES, 30),
    )
