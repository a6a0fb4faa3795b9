"""What a campaign gives, to whom, and when: the `rewards` of its file."""

from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from referrals.domain.fields import Count, Flag, Model, Slug, unique_names
from referrals.domain.money import MAX_POINTS, Currency, parse_amount

Provider = Literal["ledger", "voucherify", "talon_one", "http"]
"""Where rewards are issued: in the own ledger, or in somebody else's."""

Target = dict[str, Any]
"""Which of the provider's objects (programme, card, campaign) a reward goes to; each provider has its own keys."""


class Asset(NamedTuple):
    """What a balance is kept in: points, or gift credit in one currency."""

    type: str
    currency: str | None


class Reward(Model):
    """Points (a whole number) or gift credit (a decimal string and its currency)."""

    type: Literal["points", "gift_credit"]
    currency: Annotated[Currency | None, Field(validate_default=True)] = None
    amount: int | str
    provider: Provider | None = None
    target: Target | None = None

    @property
    def minor(self) -> int:
        """The amount as a whole number: points as they are, gift credit in minor units."""
        if self.currency is None:
            return int(self.amount)
        return parse_amount(str(self.amount), self.currency)

    @property
    def asset(self) -> Asset:
        return Asset(self.type, self.currency)

    @field_validator("type", mode="before")
    @classmethod
    def _no_coupons_yet(cls, value: Any) -> Any:
        if value == "coupon":
            raise ValueError("type coupon is not supported yet")
        return value

    @field_validator("currency")
    @classmethod
    def _currency_of_money(cls, currency: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("type")
        if kind == "points" and currency is not None:
            raise ValueError("must be left out: points have no currency")
        if kind == "gift_credit" and currency is None:
            raise ValueError("is required for gift credit, such as EUR")
        return currency

    @field_validator("amount", mode="plain", json_schema_input_type=int | str)
    @classmethod
    def _amount_of_its_type(cls, amount: Any, info: ValidationInfo) -> int | str:
        if not {"type", "currency"} <= info.data.keys():
            return 0
        if info.data["type"] == "points":
            return _points(amount)
        return _gift_credit(amount, info.data["currency"])


def _points(amount: Any) -> int:
    if type(amount) is not int or not 0 < amount <= MAX_POINTS:
        raise ValueError(f"must be a whole number of points, from 1 to {MAX_POINTS}")
    return amount


def _gift_credit(amount: Any, currency: str) -> str:
    if type(amount) is not str:
        raise ValueError('must be a decimal string in quotes, such as "25.00"')
    if parse_amount(amount, currency) == 0:
        raise ValueError("must be more than zero")
    return amount


class Tier(Model):
    """When the advocate is rewarded: for `each` conversion, or `at` so many (a milestone)."""

    name: Slug
    each: Flag = False
    at: Count | None = None
    reward: Reward

    @model_validator(mode="after")
    def _each_or_at(self) -> Self:
        if self.each == (self.at is not None):
            raise ValueError("must have either each: true, or at: a number of conversions")
        return self


class Rollback(Model):
    """Whether a balance may go below zero when a reward that is spent already is taken back."""

    allow_negative: Flag = False


class Rewards(Model):
    """What the friend and the advocate are given, and where it is issued."""

    friend: Reward | None = None
    tiers: Annotated[tuple[Tier, ...], Field(max_length=50), AfterValidator(unique_names)] = ()
    provider: Provider = "ledger"
    target: Target = Field(default_factory=dict)
    approval: Literal["manual"] | None = None
    rollback: Rollback = Rollback()

    def provider_of(self, reward: Reward) -> tuple[Provider, Target]:
        """Where this reward is issued: its own provider and target, else the campaign's."""
        if reward.provider is None:
            return self.provider, reward.target or self.target
        return reward.provider, reward.target or {}

    @model_validator(mode="after")
    def _for_somebody(self) -> Self:
        if self.friend is None and not self.tiers:
            raise ValueError("must have a reward for the friend, or tiers for the advocate")
        return self
