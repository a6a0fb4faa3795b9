"""Where rewards are issued. A provider books one grant, or its roll-back, in a vendor's ledger.

Those ledgers are mostly not idempotent: a repeated call pays twice. So whoever calls a provider keeps a row for each
grant, and on any attempt after the first looks the grant up before calling again. What a provider raises carries no
contact details and no secrets, because it ends in workflow history, logs and the activity log.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol

RewardType = Literal["points", "gift_credit", "coupon"]


@dataclass(frozen=True)
class Grant:
    """What a customer is given. `amount` is in minor units of the currency; points, which have none, are as they are."""

    key: str
    """The same on every attempt, and of no other grant."""
    customer: str
    """The caller's own id of the customer, by which the vendor knows them too."""
    type: RewardType
    amount: int
    currency: str | None
    reason: str
    target: Mapping[str, Any]
    """The vendor's objects that the campaign names: programme, card definition, campaign, event."""

    def booking(self, *, reversal: bool) -> str:
        """The key in the vendor's books, where a roll-back is an entry of its own."""
        return f"{self.key}:roll_back" if reversal else self.key

    def change(self, *, reversal: bool) -> int:
        """The amount as it changes the balance: a roll-back takes it away."""
        return -self.amount if reversal else self.amount


@dataclass(frozen=True)
class Receipt:
    """The vendor has it. Where it is not `settled` the vendor has yet to book it: ask `look_up`, until it is."""

    reference: str | None
    settled: bool = True


class Provider(Protocol):
    name: str
    visible_after: timedelta
    """How long `look_up` may not see what a call books that ended unclearly, or was cancelled."""

    async def look_up(self, grant: Grant, *, reversal: bool = False) -> Receipt | None:
        """What the vendor's books have of the grant, or of its roll-back; None is nothing.

        After an unsettled receipt None means "not to be seen yet", and never "grant it again".

        Raises:
            Permanent: `rejected`, where the vendor took it and then refused it, so that nothing is booked and an
                operator's retry begins with `grant`; and as every call.
            Retryable, RetryAfter: as every call.
        """

    async def grant(self, grant: Grant) -> Receipt:
        """Book the grant. A customer without a card or profile at the vendor is given one first.

        Raises:
            Retryable, RetryAfter, Permanent, Ambiguous: see there.
        """

    async def roll_back(self, grant: Grant, reference: str | None) -> Receipt:
        """Book the opposite of a grant that was given the reference, or of a part of it.

        Raises:
            Spent: the customer does not hold so much any more; and as `grant` does.
        """

    def check_target(self, target: Mapping[str, Any], kind: RewardType) -> None:
        """Whether a campaign may name this target for rewards of this kind.

        Raises:
            pydantic.ValidationError: it may not, with the keys at fault.
        """

    def describe(self) -> str:
        """The vendor and its address, for people."""


class Retryable(Exception):
    """This call has booked nothing. It may succeed later."""


class RetryAfter(Retryable):
    """Retryable, and the vendor wishes not to be called before `after` has passed."""

    def __init__(self, sentence: str, after: timedelta) -> None:
        super().__init__(sentence)
        self.after = after


class Permanent(Exception):
    """This call has booked nothing, and would end the same way again until somebody changes something.

    `code` is the vendor's own key where it has one, or ours: `credentials`, `redirect`, `target`, `amount`,
    `rejected`, `no_effect`, `http_404` and the like.
    """

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Spent(Permanent):
    """This call has booked nothing: the customer holds only `held` of it any more, in the grant's units."""

    CODE = "insufficient"

    def __init__(self, sentence: str, held: int = 0) -> None:
        super().__init__(self.CODE, sentence)
        self.held = held


class Ambiguous(Exception):
    """It may be booked, or not, or will be in a moment. Look it up, when `visible_after` has passed, before calling again."""
