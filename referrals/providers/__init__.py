"""Issue rewards in an external system, such as Voucherify, Talon.One or an HTTP endpoint.

Most vendors are not idempotent: a repeated request pays twice. The caller therefore keeps a row for each reward and,
on every attempt after the first, calls `look_up` before it repeats a request. Errors raised by a provider contain no
contact details and no secrets, because they are stored in workflow histories, logs and the activity log.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Protocol, runtime_checkable

from referrals.domain.failure_causes import Failure, FailureCause
from referrals.errors import ReferralsError

RewardType = Literal["points", "gift_credit", "coupon"]


@dataclass(frozen=True)
class Grant:
    """A reward to issue to one customer. `amount` is in minor units of the currency, or in points."""

    key: str
    """Idempotency key: unique for each grant, and equal on every attempt."""
    customer: str
    """External id of the customer: our caller and the vendor both use it."""
    type: RewardType
    amount: int
    currency: str | None
    reason: str
    target: Mapping[str, Any]
    """Vendor objects named by the campaign, such as a programme, card definition, campaign or event."""

    def entry_key(self, *, reversal: bool) -> str:
        """Return the key of the vendor's ledger entry; a roll-back is a separate entry."""
        return f"{self.key}:roll_back" if reversal else self.key

    def signed_amount(self, *, reversal: bool) -> int:
        """Return the change of the balance: negative for a roll-back."""
        return -self.amount if reversal else self.amount


@dataclass(frozen=True)
class TrackedEvent:
    """An event of one customer for a provider's own rules."""

    key: str
    """Idempotency key: unique for each event, and equal on every attempt."""
    customer: str
    """External id of the customer."""
    name: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True)
class Receipt:
    """Confirmation that the vendor accepted a request. If it is not `booked` yet, poll `look_up`."""

    reference: str | None
    booked: bool = True


class Provider(Protocol):
    name: str
    visible_after: timedelta
    """Delay after which `look_up` reliably sees a booking whose request timed out or was cancelled."""
    usual_requests: int
    """Requests of an ordinary call. Further ones, such as for a customer's first reward, delay later calls."""

    async def look_up(self, grant: Grant, *, reversal: bool = False) -> Receipt | None:
        """Find the grant, or its roll-back, in the vendor's ledger; return None if it is not there.

        After a receipt that is not booked, None means "not visible yet". Do not repeat the grant then.

        Raises:
            NotBookedError: the vendor accepted the request and booked nothing; an operator's retry starts with `grant`.
            RetryableError, UnavailableError, RetryAfterError: temporary failure.
        """

    async def grant(self, grant: Grant) -> Receipt:
        """Book the grant. Create the customer's card or profile at the vendor first if there is none.

        Raises:
            RetryableError, PermanentError, OutcomeUnknownError: see these classes and their subclasses.
        """

    async def roll_back(self, grant: Grant, reference: str | None) -> Receipt:
        """Book the reversal of a grant, or of part of it. `reference` is the one of the grant's receipt.

        Raises:
            AlreadySpentError: the customer has already spent part of the amount.
            RetryableError, PermanentError, OutcomeUnknownError: see these classes and their subclasses.
        """

    def check_target(self, target: Mapping[str, Any], reward_type: RewardType) -> None:
        """Check that a campaign may use this target for rewards of this type.

        Raises:
            pydantic.ValidationError: lists the invalid keys.
        """

    def describe(self) -> str:
        """Return the vendor's name and address, for people."""


@runtime_checkable
class EventTracker(Provider, Protocol):
    """A provider that takes events."""

    async def track(self, event: TrackedEvent) -> None:
        """Send the event.

        Raises:
            RetryableError, PermanentError, OutcomeUnknownError: see these classes and their subclasses.
        """

    async def has_tracked(self, event: TrackedEvent) -> bool:
        """Return whether the provider has taken the event. See `visible_after`.

        Raises:
            RetryableError, UnavailableError, RetryAfterError: temporary failure.
        """


class ProviderError(ReferralsError):
    """Failed request to a provider; its `failure` is stored with the reward."""

    code: str
    cause: FailureCause

    @property
    def failure(self) -> Failure:
        return Failure(self.code, str(self), self.cause)


class RetryableError(ProviderError):
    """Temporary failure: the vendor's response says that the request booked nothing and may succeed later."""

    code = "retry_later"

    def __init__(self, message: str, cause: FailureCause = FailureCause.OTHER) -> None:
        super().__init__(message)
        self.cause = cause


class UnavailableError(RetryableError):
    """Outage: no connection, no usable response, or a 5xx response. The request booked nothing."""

    code = "unavailable"

    def __init__(self, message: str) -> None:
        super().__init__(message, FailureCause.OUTAGE)


class RetryAfterError(RetryableError):
    """Temporary failure. Do not call the vendor again before the delay `after` is over."""

    def __init__(
        self, message: str, after: timedelta, cause: FailureCause = FailureCause.OTHER
    ) -> None:
        super().__init__(message, cause)
        self.after = after


class PermanentError(ProviderError):
    """Permanent failure. The request booked nothing, and would fail again unchanged.

    `code` is the vendor's error key, or one of ours: `credentials`, `redirect`, `target`, `amount`, `unconfirmed`,
    `http_404` and so on.
    """

    def __init__(self, code: str, message: str, cause: FailureCause = FailureCause.OTHER) -> None:
        super().__init__(message)
        self.code = code
        self.cause = cause


class NotBookedError(PermanentError):
    """The vendor accepted the request but booked nothing for it: `rejected` or `refused`. `grant` may send it anew."""


class AlreadySpentError(PermanentError):
    """Rejected roll-back: the customer has only `remaining` left, in the units of the grant."""

    CODE = "insufficient"

    def __init__(self, message: str, remaining: int = 0) -> None:
        super().__init__(self.CODE, message, FailureCause.CUSTOMER)
        self.remaining = remaining


class OutcomeUnknownError(ProviderError):
    """Unknown outcome: the vendor may have booked the request. Wait for `visible_after`, then look it up."""

    code = "outcome_unknown"
    cause = FailureCause.OUTAGE
