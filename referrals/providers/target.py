"""What a campaign says about the vendor's objects that its rewards go to."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError, ValidationInfo

from referrals.domain.strict_model import StrictModel
from referrals.providers import Grant, Permanent, RewardType


class Target(StrictModel):
    """The `target` of a campaign's rewards, as one provider understands it."""

    @classmethod
    def check(cls, target: Mapping[str, Any], kind: RewardType) -> Self:
        """The target itself.

        Raises:
            ValidationError: it cannot take rewards of this kind.
        """
        return cls.model_validate(target, context=kind)

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """Raises Permanent `target`, where the campaign's check was passed by."""
        try:
            return cls.check(grant.target, grant.type)
        except ValidationError:
            raise Permanent(
                "target", f"The campaign's target cannot take rewards of the type {grant.type}."
            ) from None

    @staticmethod
    def kind(info: ValidationInfo) -> RewardType | None:
        """For the validators: what rewards are to go there."""
        return info.context
