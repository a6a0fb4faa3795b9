"""Errors of the product: one tree, without HTTP.

    ReferralsError
    ├── InvalidInputError             names each field at fault
    │   ├── CampaignError             a campaign definition
    │   ├── InvalidBatchError         a batch of events
    │   ├── InvalidEventError         one event
    │   └── InvalidRequestError       parameters or body of any other request
    ├── NotFoundError
    │   ├── UnknownAdvocateError
    │   ├── UnknownBlockError
    │   ├── UnknownCampaignError
    │   ├── UnknownCodeError
    │   ├── UnknownCouponError
    │   ├── UnknownCustomerError
    │   ├── UnknownDeliveryError
    │   ├── UnknownMessageError
    │   ├── UnknownRedemptionError
    │   ├── UnknownReferralError
    │   ├── UnknownRewardError
    │   ├── UnknownSuppressionError
    │   ├── UnknownTrackedEventError
    │   ├── UnknownVersionError
    │   ├── UnknownWebhookError
    │   └── UnknownWorkflowStartError
    ├── ConflictError                 the request is valid, but contradicts what is stored
    │   ├── CampaignArchivedError
    │   ├── CampaignEditError
    │   ├── CampaignInUseError
    │   ├── CouponNotRedeemableError
    │   ├── EventIdReusedError
    │   ├── IdempotencyKeyReusedError
    │   ├── InsufficientBalanceError
    │   └── KeyNameTakenError
    ├── RefusedError                  a command that a workflow refuses; a retry changes nothing
    │   ├── NotPossibleError          the referral or reward is in another state
    │   └── NotPublishedError         no code can be assigned
    ├── WorkflowMovedError            a merge of customers has moved the work to another workflow
    ├── NoCouponError                 the pool is empty, or the pattern is exhausted
    └── RuleError                     a condition that does not compile or cannot be evaluated

Errors of one package derive from `ReferralsError` too and are defined there: `referrals.channels.errors`, `referrals.providers`,
`referrals.addresses`, `referrals.http_client`, `inbox`. `entrypoints.api.problems` maps errors to HTTP
(`docs/errors.md`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """A field at fault, such as `data.order.amount` (empty for the whole input); for files with its line."""

    field: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        line = f"line {self.line}" if self.line else ""
        return ": ".join(part for part in (line, self.field, self.message) if part)


class ReferralsError(Exception):
    """Base of every error that the product raises on purpose."""


class InvalidInputError(ReferralsError):
    """Input that cannot be understood. Its text has one field error a line."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = tuple(errors)


class CampaignError(InvalidInputError):
    """Invalid campaign definition."""


class InvalidBatchError(InvalidInputError):
    """Batch of events that is not an array, or is too long."""


class InvalidEventError(InvalidInputError):
    """Event with unknown, missing or malformed fields."""


class InvalidRequestError(InvalidInputError):
    """Request with unknown, missing or malformed parameters or fields."""


class NotFoundError(ReferralsError):
    """Base of the errors about an id under which nothing is stored."""

    kind: ClassVar[str]

    def __init__(self, name: object) -> None:
        super().__init__(f"There is no {self.kind} {name}.")


class UnknownAdvocateError(NotFoundError):
    """Customer who is not an advocate of the campaign."""

    def __init__(self, customer: str, campaign: str) -> None:
        ReferralsError.__init__(self, f"{customer} is not an advocate of the campaign {campaign}.")


class UnknownBlockError(NotFoundError):
    kind = "block"


class UnknownCampaignError(NotFoundError):
    kind = "campaign"


class UnknownCodeError(NotFoundError):
    kind = "code"


class UnknownCouponError(NotFoundError):
    kind = "coupon"


class UnknownCustomerError(NotFoundError):
    kind = "customer"


class UnknownDeliveryError(NotFoundError):
    kind = "delivery"


class UnknownRedemptionError(NotFoundError):
    kind = "redemption with the key"


class UnknownMessageError(NotFoundError):
    kind = "message"


class UnknownReferralError(NotFoundError):
    kind = "referral"


class UnknownRewardError(NotFoundError):
    kind = "reward"


class UnknownTrackedEventError(NotFoundError):
    kind = "tracked event"


class UnknownSuppressionError(NotFoundError):
    """Customer without a suppressed address for the channel."""

    def __init__(self, customer: str, channel: str) -> None:
        ReferralsError.__init__(self, f"No address of {customer} is suppressed for {channel}.")


class UnknownVersionError(NotFoundError):
    """Version that the campaign does not have."""

    def __init__(self, campaign: str, version: int) -> None:
        ReferralsError.__init__(self, f"The campaign {campaign} has no version {version}.")


class UnknownWebhookError(NotFoundError):
    kind = "webhook"


class UnknownWorkflowStartError(NotFoundError):
    kind = "workflow start"


class ConflictError(ReferralsError):
    """The request is valid, but contradicts what is stored."""


class CampaignArchivedError(ConflictError):
    """An archived campaign runs again only after it is applied again."""

    def __init__(self, campaign: str) -> None:
        super().__init__(f"The campaign {campaign} is archived. Apply it again to reactivate it.")


class CampaignEditError(ConflictError):
    """An edit that would pay again, or change what must stay as it is. Each field error names a way out."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = tuple(errors)


class CampaignInUseError(ConflictError):
    """A campaign with records cannot be deleted."""

    def __init__(self, campaign: str) -> None:
        super().__init__(
            f"The campaign {campaign} has codes, referrals or other records. Archive it instead."
        )


class CouponNotRedeemableError(ConflictError):
    """Coupon that is expired, redeemed, void, or another customer's."""


class EventIdReusedError(ConflictError):
    """The id belongs to another event of this source; `differing` names the fields in which the two differ."""

    def __init__(self, event_id: str, source: str, differing: Sequence[str]) -> None:
        super().__init__(
            f"The id {event_id} is already used by another event of the source {source}, "
            f"with another {' and another '.join(differing)}."
        )
        self.errors = tuple(
            FieldError(field, "differs from the first event with this id") for field in differing
        )


class IdempotencyKeyReusedError(ConflictError):
    """The key belongs to another redemption, or to one that was reversed."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"The key {key} is already used by another redemption, or by one that was reversed."
        )


class InsufficientBalanceError(ConflictError):
    """The wallet holds less than the amount."""

    def __init__(self) -> None:
        super().__init__("The balance is too low.")


class KeyNameTakenError(ConflictError):
    """An active API key has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"An active key named {name!r} already exists. Revoke it first.")


class RefusedError(ReferralsError):
    """A command that a workflow refuses; a retry changes nothing. `code` is the reason code, if there is one."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class NotPossibleError(RefusedError):
    """The state of the referral or reward does not allow the command."""


class NotPublishedError(RefusedError):
    """No code can be assigned to the customer."""


class WorkflowMovedError(ReferralsError):
    """A merge of customers has moved the work to another workflow. A retry reaches that one."""


class NoCouponError(ReferralsError):
    """No coupon can be issued; `code` is the reason code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RuleError(ReferralsError, ValueError):
    """A condition that does not compile, or cannot be evaluated.

    The message names the condition and, if it does not compile, the line and column.
    """
