"""Limits of a campaign: models of the `limits` key of its file."""

from typing import Literal, Self

from pydantic import ConfigDict, Field, field_validator, model_validator

from referrals.domain.campaign_fields import MoneyAmount, PositiveInt, check_money
from referrals.domain.key_relations import all_of, given, has_entries
from referrals.domain.money import Currency, parse_amount
from referrals.domain.periods import Period
from referrals.domain.strict_model import StrictModel


class AdvocateLimit(StrictModel):
    """Maximum number of accepted conversions per advocate, in total or within a period."""

    count: PositiveInt
    """Maximum number of conversions. Further ones are rejected with `advocate_limit_reached`."""
    period: Period | None = None
    """Period in which they are counted. Without it they are counted from the beginning."""


class Cooldown(StrictModel):
    """Minimum time between two rewards of one advocate for friends, or one reward per calendar period."""

    period: Period
    """Time between two rewards, or the calendar period in which there is one."""
    on_hit: Literal["defer", "reject"]
    """Effect on a conversion within the period: its reward waits (`defer`), or it is rejected with `in_cooldown`."""


class Budget(StrictModel):
    """Maximum that the campaign may grant, in total or within a period. At least one of points, money and rewards."""

    model_config = ConfigDict(
        json_schema_extra=all_of(
            {"anyOf": [given("points"), given("rewards"), has_entries("money")]}
        )
    )

    points: PositiveInt | None = Field(None, examples=[500_000])
    """Maximum number of points."""
    money: dict[Currency, MoneyAmount] = Field({}, examples=[{"EUR": "10000.00", "CHF": "2000.00"}])
    """Maximum of gift credit by currency. Without an entry, gift credit in a currency has no maximum."""
    rewards: PositiveInt | None = Field(None, examples=[2_000])
    """Maximum number of rewards of any type."""
    period: Period | None = None
    """Period in which rewards are counted. Without it they are counted from the beginning."""
    on_limit: Literal["reject", "no_reward"] = "reject"
    """Effect on a conversion whose rewards are above the maximum: rejected with `budget_exhausted`, or accepted while
    its rewards are voided (`no_reward`)."""

    @field_validator("money")
    @classmethod
    def _amounts_fit_currencies(cls, money: dict[str, str]) -> dict[str, str]:
        return {currency: check_money(amount, currency) for currency, amount in money.items()}

    @model_validator(mode="after")
    def _has_a_limit(self) -> Self:
        if self.points is None and self.rewards is None and not self.money:
            raise ValueError("must have points, money or rewards")
        return self

    def limit_of(self, currency: str | None) -> int | None:
        """Return the limit in minor units of the currency, or in points without a currency. None means no limit."""
        if currency is None:
            return self.points
        return parse_amount(self.money[currency], currency) if currency in self.money else None


class Limits(StrictModel):
    """Limits per advocate and for the whole campaign."""

    per_advocate: AdvocateLimit | None = Field(None, examples=[{"count": 50, "period": "P30D"}])
    """Maximum number of conversions of one advocate."""
    cooldown: Cooldown | None = Field(None, examples=[{"period": "P1D", "on_hit": "defer"}])
    """Minimum time between two rewards of one advocate for friends."""
    conversions: PositiveInt | None = Field(None, examples=[10_000])
    """Maximum number of accepted conversions of the campaign. Further ones are rejected with `campaign_limit_reached`."""
    budget: Budget | None = Field(None, examples=[{"points": 500_000, "period": "month"}])
    """Maximum of points, money or rewards that the campaign may grant."""
