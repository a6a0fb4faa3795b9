"""Records of the model: codes, referrals, rewards and milestones."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from tests.store.life.orders import Order
from tests.store.life.people import Person
from tests.store.life.terms import Prize, Terms
from tests.store.life.wallets import NEVER, Wallet

ACCEPTED = {"held", "in_review", "confirmed", "rewarded"}
CONFIRMED = {"confirmed", "rewarded"}
BY_ORDER = {"order_cancelled", "order_refunded", "no_longer_qualifies"}


@dataclass(eq=False)
class Code:
    """A referral code of an advocate."""

    text: str
    terms: Terms
    advocate: Person
    published_at: datetime


@dataclass(eq=False)
class Coupon:
    """The coupon of a reward: issued, redeemed or void."""

    reward: "Reward"
    state: str = "issued"


@dataclass(eq=False)
class Reward:
    """One occurrence of a reward; `key` is that of all occurrences."""

    holder: Person
    side: str
    prize: Prize
    key: tuple[object, ...]
    state: str = "pending"
    undone: bool = False
    expired: int = 0
    coupon: Coupon | None = None

    @property
    def wallet(self) -> Wallet:
        return self.holder.survivor.wallets[self.prize.asset]

    @property
    def coupon_state(self) -> str | None:
        return self.coupon.state if self.coupon else None

    @property
    def is_owed(self) -> bool:
        return any(debt.reward is self and debt.left for debt in self.wallet.debts)


@dataclass(eq=False)
class Milestone:
    """A tier that the advocate reached; `is_reached` is false once it is lost."""

    code: Code
    reward: Reward
    is_reached: bool = True


@dataclass(eq=False)
class Referral:
    """A friend who signed up or tried to convert with a code.

    `before` is the state to which a reinstatement returns. `stays_free` is true if the friend, who was free, converted again
    before an operator made the roll-back final.
    """

    friend: Person
    code: Code
    state: str = "rejected"
    reason: str | None = None
    converted_at: datetime = NEVER
    confirmed_at: datetime = NEVER
    closed_at: datetime = NEVER
    signed_up_at: datetime = NEVER
    order: Order | None = None
    before: str = "held"
    reinstated_at: datetime | None = None
    stays_free: bool = False
    superseded_by: "Referral | None" = None
    superseded: list["Referral"] = field(default_factory=list)
    rewards: list[Reward] = field(default_factory=list)

    @property
    def terms(self) -> Terms:
        return self.code.terms

    @property
    def due_at(self) -> datetime:
        return self.converted_at + self.terms.hold

    def is_sign_up_with(self, code: Code) -> bool:
        """Check whether this is an open sign-up with the code."""
        return self.state == "signed_up" and self.code is code

    @property
    def window_ends_at(self) -> datetime:
        return self.signed_up_at + self.terms.window

    @property
    def superseders(self) -> list["Referral"]:
        """Return the referrals that stayed in force instead of this one when customers were merged."""
        above = self.superseded_by
        return [above, *above.superseders] if above else []

    @property
    def is_recovered(self) -> bool:
        """Check whether everything that was granted was taken back or repaid."""
        return not any(each.is_owed or each.coupon_state == "redeemed" for each in self.rewards)

    @property
    def is_returned(self) -> bool:
        """Check whether the roll-back left the friend free."""
        if self.state != "rolled_back" or any(each.binds for each in self.superseded):
            return False
        by_order = self.reason in BY_ORDER and not self.terms.final and self.is_recovered
        return by_order or self.stays_free

    @property
    def binds(self) -> bool:
        """Check whether the conversion keeps its friend and its order from converting again."""
        return self.state in ACCEPTED or (self.state == "rolled_back" and not self.is_returned)


@dataclass(eq=False)
class Spending:
    """An amount or a coupon that a customer spent."""

    customer: Person
    asset: str
    amount: int = 0
    coupon: Coupon | None = None
    is_reversed: bool = False


class Answer(NamedTuple):
    """The decision about an event, with the code of its reason, and the referral that it made or changed."""

    decision: str
    reason: str | None = None
    referral: Referral | None = None
