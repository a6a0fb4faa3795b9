"""The `target` of rewards that Talon.One issues."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, ValidationInfo, model_validator

from referrals.domain.strict_model import StrictModel
from referrals.providers.target import ProviderTarget

_Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Loyalty(StrictModel):
    """Profile-based loyalty programme, by its number, and optionally one of its subledgers."""

    program: Annotated[int, Field(strict=True, gt=0)]
    """Number of the loyalty programme."""
    subledger: _Name | None = None
    """Name of a subledger of the programme."""


class TalonOneTarget(ProviderTarget):
    """Custom event of the application, or, for points, a loyalty programme."""

    event: _Name | None = None
    """Custom event that a rule of yours rewards."""
    loyalty: Loyalty | None = None
    """Loyalty programme that points are booked on directly."""

    @model_validator(mode="after")
    def _event_or_loyalty(self, info: ValidationInfo) -> Self:
        if (self.event is None) == (self.loyalty is None):
            raise ValueError("must have either event or loyalty")
        if self.loyalty and self.reward_type(info) == "gift_credit":
            raise ValueError("must have event for gift credit: loyalty supports only points")
        return self
