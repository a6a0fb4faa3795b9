"""Base class of the `target` of a campaign's rewards: the vendor objects that rewards are booked on."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError, ValidationInfo

from referrals.domain.failure_causes import FailureCause
from referrals.domain.strict_model import StrictModel
from referrals.providers import Grant, PermanentError, RewardType


class ProviderTarget(StrictModel):
    """The `target` of a campaign's rewards, as one provider defines it."""

    @classmethod
    def parse(cls, target: Mapping[str, Any], reward_type: RewardType) -> Self:
        """Parse a target.

        Raises:
            ValidationError: the target cannot be used for rewards of this type.
        """
        return cls.model_validate(target, context=reward_type)

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """Parse the target of a grant.

        Raises:
            PermanentError: `target` if it is invalid, so that the campaign was not checked.
        """
        try:
            return cls.parse(grant.target, grant.type)
        except ValidationError:
            raise PermanentError(
                "target",
                f"The campaign's target cannot be used for rewards of type {grant.type}.",
                FailureCause.SETUP,
            ) from None

    @staticmethod
    def reward_type(info: ValidationInfo) -> RewardType | None:
        """Return the reward type that is being checked, for validators."""
        return info.context
