"""Campaigns of the random histories, as the model knows them and as the engine gets them."""

from datetime import timedelta
from typing import Any, NamedTuple

from tests.harness.campaigns import campaign


class Prize(NamedTuple):
    """A reward: an amount of points or of cents, or a coupon."""

    asset: str
    amount: int
    days: int | None = None

    @property
    def lasts(self) -> timedelta | None:
        return timedelta(days=self.days) if self.days else None

    def as_dict(self) -> dict[str, Any]:
        """Return the reward as a campaign file has it."""
        if self.asset == "coupon":
            pattern = "LIFE-########-####"
            return {"type": "coupon", "discount": {"percent": 20}, "pattern": pattern}
        if self.asset == "points":
            return {"type": "points", "amount": self.amount}
        euro = {"type": "gift_credit", "amount": f"{self.amount / 100:.2f}", "currency": "EUR"}
        return euro | ({"valid_for": f"P{self.days}D"} if self.days else {})


class Terms(NamedTuple):
    """Conditions and rewards of a campaign; `each` and `milestone` are the advocate's."""

    name: str
    friend: Prize
    each: Prize
    milestone: Prize
    at: int
    minimum: int = 0
    hold: timedelta = timedelta(0)
    window: timedelta = timedelta(days=30)
    new_only: bool = False
    same_person: str = "reject"
    review: bool = False
    final: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the campaign's definition."""
        rule = {
            "name": "minimum",
            "when": f"order.amount >= {self.minimum}.0",
            "message": "Too little.",
        }
        conversion = {
            "rules": [rule] if self.minimum else [],
            "hold": f"P{self.hold.days}D" if self.hold else None,
            "attribution_window": f"P{self.window.days}D",
            "new_customers_only": self.new_only,
            "same_person": self.same_person,
            "review": "manual" if self.review else None,
            "after_refund": "final" if self.final else "allow_again",
        }
        tiers = [
            {"name": "each_friend", "each": True, "reward": self.each.as_dict()},
            {"name": "several", "at": self.at, "reward": self.milestone.as_dict()},
        ]
        rewards = {"friend": self.friend.as_dict(), "tiers": tiers}
        return campaign(self.name, conversion=conversion, rewards=rewards)


CAMPAIGNS = {
    terms.name: terms
    for terms in (
        Terms(
            "simple",
            friend=Prize("points", 50),
            each=Prize("points", 100),
            milestone=Prize("points", 1000),
            at=2,
            window=timedelta(days=3),
        ),
        Terms(
            "strict",
            friend=Prize("coupon", 1),
            each=Prize("points", 30),
            milestone=Prize("coupon", 1),
            at=1,
            minimum=80,
            hold=timedelta(days=2),
            new_only=True,
        ),
        Terms(
            "careful",
            friend=Prize("credit", 500, days=4),
            each=Prize("credit", 300),
            milestone=Prize("points", 70),
            at=1,
            same_person="review",
            new_only=True,
            final=True,
        ),
        Terms(
            "trusting",
            friend=Prize("points", 20),
            each=Prize("credit", 200, days=2),
            milestone=Prize("points", 500),
            at=2,
            minimum=80,
            hold=timedelta(days=1),
            window=timedelta(days=5),
            same_person="allow",
            review=True,
        ),
    )
}
