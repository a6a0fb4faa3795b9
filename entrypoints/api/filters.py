"""Filters and bodies that several routes share."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import AfterValidator, StringConstraints

from referrals.domain.event_fields import Text, clean_text
from referrals.domain.failure_causes import FailureCause
from referrals.domain.rewards import Provider
from referrals.domain.strict_model import StrictModel

TextFilter = Annotated[Text | None, Query()]


class RewardFilters:
    """Filters of rewards besides their state.

    `error` is the code before the colon in a reward's `error`; `cause` groups errors by what has to be corrected.
    `awaiting_approval=true` are the rewards that are due and wait for an operator's approval.
    """

    def __init__(
        self,
        customer: TextFilter = None,
        provider: Provider | None = None,
        side: Literal["friend", "advocate"] | None = None,
        error: TextFilter = None,
        cause: FailureCause | None = None,
        awaiting_approval: bool = False,
    ) -> None:
        self.values: dict[str, Any] = {
            "customer": customer,
            "provider": provider,
            "side": side,
            "error": error,
            "cause": cause,
            "awaiting_approval": awaiting_approval,
        }


class _WithReason(StrictModel):
    reason: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
        AfterValidator(clean_text),
    ]
    """Why. The reason is stored and shown with what it changed."""


class RejectRequest(_WithReason):
    """Why a referral in review is rejected."""


class RollBackRequest(_WithReason):
    """Why a referral or rewards are rolled back."""


class ReinstateRequest(_WithReason):
    """Why a referral that was rolled back counts again."""


class VoidRequest(_WithReason):
    """Why rewards that were not granted are given up."""


class ReverseRequest(_WithReason):
    """Why a redemption is reversed."""
