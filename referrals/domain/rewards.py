"""What a campaign gives, to whom, and when: the `rewards` of its file."""

from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from referrals.domain.campaign_fields import Flag, PositiveInt, Slug, check_money, unique_names
from referrals.domain.codes import DEFAULT_CHARSET, check_pattern
from referrals.domain.discounts import CouponTerms, Discount
from referrals.domain.durations import Duration
from referrals.domain.money import MAX_POINTS, Currency, parse_amount
from referrals.domain.strict_model import StrictModel

Provider = Literal["ledger", "voucherify", "talon_one", "http"]
"""Where rewards are issued: in the own ledger, or in somebody else's."""

Target = dict[str, Any]
"""Which of the provider's objects (programme, card, campaign) a reward goes to; each provider has its own keys."""


class Asset(NamedTuple):
    """What a balance is kept in: points, or gift credit in one currency."""

    type: str
    currency: str | None


class Reward(StrictModel):
    """Points (a whole number), gift credit (a decimal string and its currency), or one coupon.

    A coupon gives a discount; its code is one of a pool that was imported, or is made by a pattern.
    What the own ledger issues may be good for so long only (`valid_for`).
    """

    type: Literal["points", "gift_credit", "coupon"]
    currency: Annotated[Currency | None, Field(validate_default=True)] = None
    amount: int | str
    discount: Discount | None = None
    pool: Slug | None = None
    pattern: str | None = None
    valid_for: Duration | None = None
    provider: Provider | None = None
    target: Target | None = None

    @property
    def minor(self) -> int:
        """The amount as a whole number: points as they are, gift credit in minor units, a coupon is 1."""
        if self.currency is None:
            return int(self.amount)
        return parse_amount(str(self.amount), self.currency)

    @property
    def asset(self) -> Asset:
        return Asset(self.type, self.currency)

    @property
    def terms(self) -> dict[str, Any]:
        """What the own ledger is to keep with it, as JSON: how long it is good; for a coupon `discounts.Terms`."""
        return self.model_dump(
            mode="json", include=set(CouponTerms.model_fields), exclude_defaults=True
        )

    @model_validator(mode="before")
    @classmethod
    def _one_coupon(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("type") == "coupon":
            return {"amount": 1} | data
        return data

    @field_validator("currency")
    @classmethod
    def _currency_of_money(cls, currency: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("type")
        if kind == "points" and currency is not None:
            raise ValueError("must be left out: points have no currency")
        if kind == "coupon" and currency is not None:
            raise ValueError("must be left out: a coupon has none, its discount may have one")
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
        if info.data["type"] == "coupon":
            return _one(amount)
        return check_money(amount, info.data["currency"])

    @field_validator("pattern")
    @classmethod
    def _hard_to_guess(cls, pattern: str | None) -> str | None:
        return pattern and check_pattern(pattern, DEFAULT_CHARSET)

    @model_validator(mode="after")
    def _terms_of_a_coupon(self) -> Self:
        if self.type != "coupon":
            if of_coupons := self.terms.keys() - {"valid_for"}:
                raise ValueError(
                    f"must not have {' or '.join(sorted(of_coupons))}, which only coupons have"
                )
        elif self.discount is None:
            raise ValueError("must have the coupon's discount")
        elif (self.pool is None) == (self.pattern is None):
            raise ValueError("must have either the coupon's pool or its pattern")
        return self


def _points(amount: Any) -> int:
    if type(amount) is not int or not 0 < amount <= MAX_POINTS:
        raise ValueError(f"must be a whole number of points, from 1 to {MAX_POINTS}")
    return amount


def _one(amount: Any) -> int:
    if type(amount) is not int or amount != 1:
        raise ValueError("must be left out: a coupon is one")
    return amount


class Tier(StrictModel):
    """When the advocate is rewarded: for `each` conversion, or `at` so many (a milestone)."""

    name: Slug
    each: Flag = False
    at: PositiveInt | None = None
    reward: Reward

    @model_validator(mode="after")
    def _each_or_at(self) -> Self:
        if self.each == (self.at is not None):
            raise ValueError("must have either each: true, or at: a number of conversions")
        return self


class RollbackSettings(StrictModel):
    """Whether a balance may go below zero when a reward that is spent already is taken back."""

    allow_negative: Flag = False


class RewardSettings(StrictModel):
    """What the friend and the advocate are given, and where it is issued."""

    friend: Reward | None = None
    tiers: Annotated[tuple[Tier, ...], Field(max_length=50), AfterValidator(unique_names)] = ()
    provider: Provider = "ledger"
    target: Target = Field(default_factory=dict)
    approval: Literal["manual"] | None = None
    rollback: RollbackSettings = RollbackSettings()

    def provider_of(self, reward: Reward) -> tuple[Provider, Target]:
        """Where this reward is issued: its own provider and target, else the campaign's; by the ledger, its terms."""
        if (reward.provider or self.provider) == "ledger":
            return "ledger", reward.terms
        if reward.provider is None:
            return self.provider, reward.target or self.target
        return reward.provider, reward.target or {}

    @model_validator(mode="after")
    def _for_somebody(self) -> Self:
        if self.friend is None and not self.tiers:
            raise ValueError("must have a reward for the friend, or tiers for the advocate")
        return self

    @model_validator(mode="after")
    def _of_the_ledger(self) -> Self:
        rewards = [tier.reward for tier in self.tiers] + ([self.friend] if self.friend else [])
        for reward in rewards:
            self.check(reward)
        return self

    def check(self, reward: Reward) -> None:
        """Nothing.

        Raises:
            ValueError: the reward's provider cannot issue it.
        """
        provider = reward.provider or self.provider
        if reward.type == "coupon" and provider != "ledger":
            raise ValueError("must give coupons by the ledger: add provider: ledger to them")
        if reward.valid_for and provider != "ledger":
            raise ValueError(
                f"must not have valid_for by {provider}: what it issues expires by its own rules"
            )
        if reward.type == "coupon" and reward.target:
            raise ValueError("must not have a target for coupons")
