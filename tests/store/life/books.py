"""Model of the books: counts, milestones, rewards and wallets."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from tests.store.life.people import People, Person
from tests.store.life.records import (
    CONFIRMED,
    Coupon,
    Milestone,
    Referral,
    Reward,
    Spending,
)
from tests.store.life.terms import Terms
from tests.store.life.wallets import NEVER


class Books:
    """The referrals of one history and everything that they gave."""

    def __init__(self) -> None:
        self.people = People()
        self.referrals: list[Referral] = []
        self.milestones: list[Milestone] = []
        self.confirmed: Counter[tuple[Person, str]] = Counter()

    def accept(self, referral: Referral, now: datetime) -> None:
        """Create the rewards of both sides, and confirm the conversion if there is no hold."""
        friend, terms = referral.friend, referral.terms
        advocate = referral.code.advocate.survivor
        referral.rewards += [
            Reward(advocate, "advocate", terms.each, (terms, friend, "each")),
            Reward(friend, "friend", terms.friend, (terms, friend, "friend")),
        ]
        friend.purchases.append((referral.converted_at, referral))
        self.confirm_if_due(referral, now)

    def renew(self, referral: Referral, now: datetime) -> None:
        """Create the next occurrence of each reward that was undone with the referral."""
        for reward in [each for each in referral.rewards if each.undone]:
            reward.undone = False
            new = Reward(reward.holder.survivor, reward.side, reward.prize, reward.key)
            referral.rewards.append(new)
        self.confirm_if_due(referral, now)

    def confirm_if_due(self, referral: Referral, now: datetime) -> None:
        if referral.state == "held" and referral.due_at <= now:
            referral.state, referral.confirmed_at = "rewarded", now
            self._count(referral, 1)
            for reward in referral.rewards:
                self._grant_if_pending(reward, now)

    def roll_back(self, referral: Referral, reason: str, now: datetime) -> None:
        """Undo an accepted conversion. One that its order does not bind any more leaves the friend free."""
        referral.before = referral.state
        self.close(referral, "rolled_back", reason, now)
        if referral.before in CONFIRMED:
            self._count(referral, -1)

    def close(self, referral: Referral, state: str, reason: str | None, now: datetime) -> None:
        """Close a referral and take back its rewards."""
        referral.state, referral.reason, referral.closed_at = state, reason, now
        for reward in referral.rewards:
            if reward.state in ("pending", "granted"):
                reward.undone = True
                self._reverse(reward)

    def _count(self, referral: Referral, by: int) -> None:
        """Count a confirmed conversion, or one less; milestones are reached or lost by it."""
        code, terms = referral.code, referral.terms
        advocate = code.advocate.survivor
        self.confirmed[advocate, terms.name] += by
        count = self.confirmed[advocate, terms.name]
        reached = [each for each in self.milestones_of(advocate, terms) if each.is_reached]
        if count < terms.at:
            for milestone in reached:
                milestone.is_reached = False
        elif by > 0 and not reached:
            reward = Reward(advocate, "advocate", terms.milestone, (terms, advocate, "several"))
            self.milestones.append(Milestone(code, reward))

    def milestones_of(self, advocate: Person, terms: Terms) -> list[Milestone]:
        return [
            each
            for each in self.milestones
            if (each.code.advocate.survivor, each.code.terms) == (advocate, terms)
        ]

    def process_milestones(self, now: datetime) -> bool:
        """Grant the rewards of milestones and take back those of lost ones. Return whether there were any."""
        changed = [
            each
            for each in self.milestones
            if each.reward.state in (["pending"] if each.is_reached else ["pending", "granted"])
        ]
        for milestone in changed:
            if milestone.is_reached:
                self._grant_if_pending(milestone.reward, now)
            else:
                self._reverse(milestone.reward)
        return bool(changed)

    def rewards(self) -> Iterator[Reward]:
        for referral in self.referrals:
            yield from referral.rewards
        for milestone in self.milestones:
            yield milestone.reward

    def _grant_if_pending(self, reward: Reward, now: datetime) -> None:
        if reward.state != "pending":
            return
        reward.state = "granted"
        if reward.prize.asset == "coupon":
            reward.coupon = self._redeemed_before(reward) or Coupon(reward)
            reward.coupon.reward = reward
        else:
            lasts = reward.prize.lasts
            reward.wallet.credit(reward, reward.prize.amount, now + lasts if lasts else NEVER)

    def _redeemed_before(self, reward: Reward) -> Coupon | None:
        """Take over the coupon of an earlier occurrence that was redeemed before the roll-back."""
        for earlier in self.rewards():
            is_earlier = (earlier.key, earlier.state) == (reward.key, "rolled_back")
            if is_earlier and earlier.coupon_state == "redeemed":
                coupon, earlier.coupon = earlier.coupon, None
                return coupon
        return None

    def _reverse(self, reward: Reward) -> None:
        if reward.state == "pending":
            reward.state = "voided"
            return
        reward.state = "rolled_back"
        if reward.coupon is None:
            reward.wallet.roll_back(reward, reward.prize.amount - reward.expired)
        elif reward.coupon.state == "issued":
            reward.coupon.state = "void"

    def give_back(self, spent: Spending) -> None:
        """Undo a spending, once."""
        if spent.is_reversed:
            return
        spent.is_reversed = True
        if spent.coupon is None:
            spent.customer.survivor.wallets[spent.asset].credit(None, spent.amount)
        else:
            is_granted = spent.coupon.reward.state == "granted"
            spent.coupon.state = "issued" if is_granted else "void"
