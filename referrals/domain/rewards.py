"""Rewards of a campaign: models of the `rewards` key of its file."""

from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from referrals.domain.campaign_fields import (
    CodePattern,
    Flag,
    MoneyAmount,
    PositiveInt,
    Slug,
    check_money,
)
from referrals.domain.codes import DEFAULT_CHARSET, check_pattern
from referrals.domain.discounts import CouponTerms, Discount
from referrals.domain.durations import Duration
from referrals.domain.key_relations import (
    JsonSchema,
    absent,
    all_of,
    exactly_one,
    given,
    has,
    has_entries,
    neither,
    when,
)
from referrals.domain.money import MAX_POINTS, Currency, parse_amount
from referrals.domain.renames import Renamable, unique_identities
from referrals.domain.strict_model import StrictModel

Provider = Literal["ledger", "voucherify", "talon_one", "http"]
"""Provider that issues rewards: the built-in ledger or an external system."""

Target = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "title": "Target",
            "description": "A mapping whose keys the [provider](#targets-of-providers) defines.",
            "type": "object",
            "examples": [{"program": "lprg_0a1b2c"}],
        }
    ),
]
"""Provider's object (programme, card, campaign) that a reward goes to. Each provider has its own keys."""


def _amount_is(kind: str) -> JsonSchema:
    return {"required": ["amount"], "properties": {"amount": {"type": kind}}}


class Asset(NamedTuple):
    """Unit of a balance: points, or gift credit in one currency."""

    type: str
    currency: str | None


_COUPON_KEYS = ("discount", "pool", "pattern")
_COUPON_VALUES: JsonSchema = {
    "properties": {
        "currency": {"type": "null"},
        "amount": {"const": 1},
        "provider": {"enum": ["ledger", None]},
        "target": {"maxProperties": 0},
    }
}
_TYPES_OF_REWARDS = (
    when("type", "points", _amount_is("integer"), absent("currency", *_COUPON_KEYS)),
    when("type", "gift_credit", _amount_is("string"), given("currency"), absent(*_COUPON_KEYS)),
    when("type", "coupon", given("discount"), exactly_one("pool", "pattern"), _COUPON_VALUES),
    *(
        when("provider", provider, absent("valid_for"))
        for provider in get_args(Provider)
        if provider != "ledger"
    ),
)
"""Relations of the keys of a reward."""


class Reward(StrictModel):
    """Points (a whole number), gift credit (a decimal string and its currency), or one coupon.

    A coupon gives a discount; its code comes from an imported pool or is generated from a pattern. Rewards of the
    built-in ledger can expire (`valid_for`).
    """

    model_config = ConfigDict(
        json_schema_extra={"required": ["type"], **all_of(*_TYPES_OF_REWARDS)}
    )

    type: Literal["points", "gift_credit", "coupon"]
    """Kind of reward."""
    currency: Annotated[Currency | None, Field(validate_default=True)] = None
    """Currency of gift credit, which must have one."""
    amount: int | str = Field(examples=[100, "25.00"])
    """Number of points, or an amount of gift credit in quotes. Left out for a coupon."""
    discount: Discount | None = Field(None, examples=[{"percent": 20}])
    """Discount of a coupon, which must have one."""
    pool: Slug | None = Field(None, examples=["welcome"])
    """Pool of imported codes that a coupon's code is taken from. A coupon has either a pool or a pattern."""
    pattern: CodePattern | None = Field(None, examples=["THANKS-######"])
    """Format of a coupon's code, which is generated."""
    valid_for: Duration | None = None
    """Validity after the grant. Only for rewards of the built-in ledger."""
    provider: Provider | None = None
    """Provider of this reward instead of `rewards.provider`. Coupons are issued by the `ledger`."""
    target: Target | None = None
    """Object of the provider that this reward goes to, instead of `rewards.target`. Not for coupons."""

    @property
    def minor(self) -> int:
        """Amount as an integer: points, minor units of gift credit, or 1 for a coupon."""
        if self.currency is None:
            return int(self.amount)
        return parse_amount(str(self.amount), self.currency)

    @property
    def asset(self) -> Asset:
        return Asset(self.type, self.currency)

    @property
    def ledger_terms(self) -> dict[str, Any]:
        """Terms that the built-in ledger stores as JSON: the validity, and the `CouponTerms` of a coupon."""
        return self.model_dump(
            mode="json", include=set(CouponTerms.model_fields), exclude_defaults=True
        )

    @model_validator(mode="before")
    @classmethod
    def _default_coupon_amount(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("type") == "coupon":
            return {"amount": 1} | data
        return data

    @field_validator("currency")
    @classmethod
    def _currency_fits_type(cls, currency: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("type")
        if kind == "points" and currency is not None:
            raise ValueError("must be left out: points have no currency")
        if kind == "coupon" and currency is not None:
            raise ValueError(
                "must be left out: a coupon has no currency, but its discount can have one"
            )
        if kind == "gift_credit" and currency is None:
            raise ValueError("is required for gift credit, such as EUR")
        return currency

    @field_validator("amount", mode="plain", json_schema_input_type=PositiveInt | MoneyAmount)
    @classmethod
    def _amount_fits_type(cls, amount: Any, info: ValidationInfo) -> int | str:
        if not {"type", "currency"} <= info.data.keys():
            return 0
        if info.data["type"] == "points":
            return _points(amount)
        if info.data["type"] == "coupon":
            return _coupon_amount(amount)
        return check_money(amount, info.data["currency"])

    @field_validator("pattern")
    @classmethod
    def _hard_to_guess(cls, pattern: str | None) -> str | None:
        return pattern and check_pattern(pattern, DEFAULT_CHARSET)

    @model_validator(mode="after")
    def _coupon_terms_fit_type(self) -> Self:
        if self.type != "coupon":
            if coupon_keys := self.ledger_terms.keys() - {"valid_for"}:
                raise ValueError(
                    f"must not have {' or '.join(sorted(coupon_keys))}, which only coupons have"
                )
        elif self.discount is None:
            raise ValueError("must have a discount")
        elif (self.pool is None) == (self.pattern is None):
            raise ValueError("must have either pool or pattern")
        return self


def _points(amount: Any) -> int:
    if type(amount) is not int or not 0 < amount <= MAX_POINTS:
        raise ValueError(f"must be a whole number of points, from 1 to {MAX_POINTS}")
    return amount


def _coupon_amount(amount: Any) -> int:
    if type(amount) is not int or amount != 1:
        raise ValueError("must be left out: the amount of a coupon is 1")
    return amount


class Tier(Renamable):
    """Reward of the advocate for `each` conversion, or `at` a number of conversions (a milestone)."""

    model_config = ConfigDict(
        json_schema_extra=all_of(
            {"oneOf": [has("each", True), given("at")]},
            neither(
                has("name", "friend"),
                {
                    "properties": {
                        "renamed_from": {"type": "array", "contains": {"const": "friend"}}
                    },
                    "required": ["renamed_from"],
                },
            ),
        )
    )

    each: Flag = False
    """Reward each conversion. A tier has either `each: true` or `at`."""
    at: PositiveInt | None = Field(None, examples=[10])
    """Number of confirmed conversions at which the advocate is rewarded once: a milestone."""
    reward: Reward = Field(examples=[{"type": "points", "amount": 100}])
    """Reward of the advocate."""

    @model_validator(mode="after")
    def _differs_from_the_side(self) -> Self:
        if "friend" in self.names:
            raise ValueError("must not be named friend: the friend's own reward is")
        return self

    @model_validator(mode="after")
    def _each_or_at(self) -> Self:
        if self.each == (self.at is not None):
            raise ValueError("must have either each: true, or at: a number of conversions")
        return self


class RollbackSettings(StrictModel):
    """Settings for roll-backs of rewards that were spent."""

    allow_negative: Flag = False
    """Let the balance go below zero. Otherwise what was spent is owed, and later rewards repay it."""


class RewardSettings(StrictModel):
    """Rewards of the friend and the advocate, and their provider."""

    model_config = ConfigDict(
        json_schema_extra=all_of({"anyOf": [given("friend"), has_entries("tiers")]})
    )

    friend: Reward | None = Field(None, examples=[{"type": "points", "amount": 50}])
    """Reward of the friend for a conversion."""
    tiers: Annotated[tuple[Tier, ...], Field(max_length=50), AfterValidator(unique_identities)] = (
        Field(
            (), examples=[[{"name": "ten", "at": 10, "reward": {"type": "points", "amount": 1000}}]]
        )
    )
    """Rewards of the advocate. There must be a reward for the friend, or a tier."""
    provider: Provider = "ledger"
    """Provider of the rewards that name none. `ledger` is the built-in one."""
    target: Target = Field({})
    """Object of the provider that rewards without a provider and target of their own go to."""
    approval: Literal["manual"] | None = None
    """Approval of rewards: `manual` lets each one wait for `referrals reward approve`."""
    rollback: RollbackSettings = Field(RollbackSettings(), examples=[{"allow_negative": True}])
    """Settings for roll-backs of rewards that were spent."""

    def provider_of(self, reward: Reward) -> tuple[Provider, Target]:
        """Return the provider and target of a reward. For the ledger, the target is the terms of the reward.

        The reward's own provider and target take precedence over the campaign's.
        """
        if (reward.provider or self.provider) == "ledger":
            return "ledger", reward.ledger_terms
        if reward.provider is None:
            return self.provider, reward.target or self.target
        return reward.provider, reward.target or {}

    @model_validator(mode="after")
    def _has_a_recipient(self) -> Self:
        if self.friend is None and not self.tiers:
            raise ValueError("must have a reward for the friend or tiers for the advocate")
        return self

    @model_validator(mode="after")
    def _providers_can_issue(self) -> Self:
        rewards = [tier.reward for tier in self.tiers] + ([self.friend] if self.friend else [])
        for reward in rewards:
            self.check(reward)
        return self

    def check(self, reward: Reward) -> None:
        """Check that the provider of a reward can issue it.

        Raises:
            ValueError: the provider cannot issue the reward.
        """
        provider = reward.provider or self.provider
        if reward.type == "coupon" and provider != "ledger":
            raise ValueError("must issue coupons with the ledger: add provider: ledger")
        if reward.valid_for and provider != "ledger":
            raise ValueError(
                f"must not have valid_for with provider {provider}: the provider has its own expiry rules"
            )
        if reward.type == "coupon" and reward.target:
            raise ValueError("must not have a target for a coupon")
