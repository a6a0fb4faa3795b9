"""Comparison of the engine with the model."""

from collections import Counter
from typing import Any

from tests.store.life.model import Programme
from tests.store.life.people import Person
from tests.store.life.records import ACCEPTED, Answer, Referral, Reward
from tests.store.life.shop import Observed


class Agreement:
    """The engine's ids of what the model knows, and the checks that both say the same of it."""

    def __init__(self) -> None:
        self.ids: dict[Referral, str] = {}
        self.customers: dict[Person, str] = {}
        self.workflows: dict[Referral, str] = {}
        self.coupons: dict[Reward, str] = {}

    def check_answer(self, answer: dict[str, Any], expected: Answer) -> None:
        """Check the decision about a sign-up or conversion."""
        reason = answer["reason"] and answer["reason"]["code"]
        assert (answer["decision"], reason) == expected[:2], (answer, expected)
        if expected.referral:
            assert self.ids.setdefault(expected.referral, answer["referral"]) == answer["referral"]

    def check(self, model: Programme, observed: Observed) -> None:
        """Check the books: referrals, rewards, milestones, balances and counters."""
        rows = {row.id: row for row in observed.referrals}
        assert rows.keys() == set(self.ids.values())
        for referral in model.referrals:
            self._check_referral(referral, rows[self.ids[referral]], observed.rewards)
        self._check_milestones(model, observed)
        self._check_counts(model, observed)
        for person in self.customers:
            if person.merged_into is None:
                self._check_balances(person, observed)

    def _check_referral(self, referral: Referral, row: Any, rewards: list[Any]) -> None:
        assert (row.state, row.reason_code) == (referral.state, referral.reason)
        superseder = referral.superseded_by
        assert row.superseded_by == (self.ids[superseder] if superseder else None)
        self.workflows[referral] = row.workflow_id
        self._check_customer(referral.friend, row.friend_id)
        self._check_customer(referral.code.advocate.survivor, row.owner)
        own = [reward for reward in rewards if reward.referral_id == row.id]
        predicted = sorted(
            referral.rewards, key=lambda reward: reward.side
        )  # stable: by occurrence
        assert len(own) == len(predicted)
        for reward, reward_row in zip(predicted, own, strict=True):
            self._check_reward(reward, reward_row)

    def _check_reward(self, reward: Reward, row: Any) -> None:
        self._check_customer(reward.holder.survivor, row.customer_id)
        predicted = (reward.side, reward.prize.amount, reward.state, reward.coupon_state)
        assert (row.side, row.amount, row.state, row.coupon_state) == predicted
        if reward.coupon:
            self.coupons[reward] = row.coupon

    def _check_milestones(self, model: Programme, observed: Observed) -> None:
        by_milestone = {row.milestone_id: row for row in observed.rewards}
        assert len(observed.milestones) == len(model.milestones)
        for milestone, row in zip(model.milestones, observed.milestones, strict=True):
            assert (row.campaign_id, row.state) == (
                milestone.code.terms.name,
                "reached" if milestone.is_reached else "lost",
            )
            self._check_reward(milestone.reward, by_milestone[row.id])

    def _check_counts(self, model: Programme, observed: Observed) -> None:
        accepted = Counter(each.code for each in model.referrals if each.state in ACCEPTED)
        predicted = {
            (code.text, accepted[code], model.confirmed[code.advocate.survivor, code.terms.name])
            for code in model.codes.values()
        }
        assert {tuple(row) for row in observed.codes} == predicted

    def _check_customer(self, person: Person, customer_id: str) -> None:
        assert self.customers.setdefault(person, customer_id) == customer_id

    def _check_balances(self, person: Person, observed: Observed) -> None:
        for asset, kind in (("points", "points"), ("credit", "gift_credit")):
            wallet, customer = person.wallets[asset], self.customers[person]
            booked = [
                observed.balances.get((customer, each, kind), 0) for each in ("wallet", "owed")
            ]
            assert booked == [wallet.balance, -wallet.owed]
