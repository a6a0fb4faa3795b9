"""The outcome of a decision about an inbox event, before it is written as the event's response."""

from dataclasses import dataclass, field
from typing import Any, Self

from referrals.domain.order_events import Order
from referrals.domain.reasons import Reason
from referrals.domain.states import Decision
from referrals.store.db.columns import required
from referrals.store.schema import InboxEventRow, ReferralRow


@dataclass(frozen=True)
class Outcome:
    """A decision about `event`. An event that already has a response keeps it."""

    event: InboxEventRow
    decision: Decision | None = Decision.ACCEPTED
    referral_id: str | None = None
    reason: Reason | None = None
    has_rewards: bool = True
    """False if the referral cannot have rewards yet."""
    discounted_order: Order | None = None
    """The order to which the friend's coupon applies, if the campaign gives coupons to friends."""
    uncounted_referral: ReferralRow | None = None
    """A new conversion to count in its campaign. All conversions share the campaign's row, so it is locked last."""
    details: dict[str, Any] = field(default_factory=dict)
    """Further keys of the response."""

    @classmethod
    def repeated(cls, event: InboxEventRow) -> Self:
        """Build the outcome of an event that was decided before and has its response."""
        return cls(event, Decision(required(event.response)["decision"]))
