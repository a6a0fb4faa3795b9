"""Random campaigns and stories, as different from each other as the campaign file allows."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from referrals.domain.campaign import Campaign
from referrals.yaml_documents import YamlDocument
from simulation.story import Step
from simulation.story_file import Story, create_story
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone

ADVOCATES = ("ada", "bob")
FRIENDS = ("eve", "fay", "gil", "hal", "ida")
LOG = {"channels": ["log"]}
JOURNEYS: list[dict[str, Any]] = [
    {
        "name": "thank",
        "on": "referral_converted",
        "steps": [
            {"send": {"template": "thank_advocate", "to": "advocate", "channels": ["email", "log"]}}
        ],
    },
    {
        "name": "nudge",
        "on": "referral_signed_up",
        "exit_on": ["referral_converted", "referral_expired"],
        "steps": [
            {"wait": "P2D"},
            {"wait": {"until": "10:00"}},
            {"send": {"template": "nudge_friend", "to": "friend", **LOG}},
        ],
    },
    {
        "name": "second_order",
        "on": "referral_signed_up",
        "reentry": "never",
        "steps": [
            {"wait": {"event": "referral_converted", "timeout": "P4D"}},
            {
                "branch": {
                    "when": "awaited.happened && order.amount >= 80.0",
                    "then": [{"send": {"template": "thank_friend", "to": "friend", **LOG}}, "exit"],
                    "else": [{"wait": "P1D"}],
                }
            },
            {"send": {"template": "nudge_friend", "to": "friend", **LOG}},
        ],
    },
    {
        "name": "extra",
        "on": "referral_converted",
        "when": "order.amount > 100.0",
        "steps": [{"wait": "P1D"}, {"grant": {"to": "friend", "reward": POINTS_50}}],
    },
    {
        "name": "celebrate",
        "on": "milestone_reached",
        "steps": [
            {"send": {"template": "milestone", "to": "advocate", **LOG}},
            {"grant": {"to": "advocate", "reward": {"type": "points", "amount": 7}}},
        ],
    },
    {
        "name": "paid",
        "on": "reward_granted",
        "reentry": {"after": "P3D"},
        "steps": [{"send": {"template": "reward_granted", "to": "advocate", **LOG}}],
    },
    {
        "name": "track",
        "on": "referral_converted",
        "steps": [{"track": {"provider": "voucherify", "event": "bought", "to": "friend"}}],
    },
]


def random_campaign(random: Random, name: str) -> dict[str, Any]:
    """Return the definition of a campaign."""
    conversion, limits, rewards = _conversion(random), _limits(random), _rewards(random)
    return campaign(
        name,
        publish_on="customer_registered",
        timezone=random.choice(["UTC", "Europe/Berlin", "Asia/Tokyo"]),
        conversion=_given(conversion),
        limits=_given(limits),
        rewards=_given(rewards),
        journeys=[
            journey
            for journey in random.sample(JOURNEYS, random.randint(2, len(JOURNEYS)))
            # A provider grants rewards of one moment in any order, and only the first of them enters.
            if journey["name"] != "paid" or rewards["provider"] == "ledger"
        ],
    )


def _conversion(random: Random) -> dict[str, Any]:
    events = ["redemption", "redemption", "subscription_started", "referral_signed_up"]
    rule = {"name": "least", "when": "order.amount >= 50.0", "message": "Too small."}
    conversion = {
        "attribution_window": random.choice(["P5D", "P30D"]),
        "hold": _maybe(random, random.choice(["P1D", "P6D"])),
        "review": _maybe(random, "manual", 0.2),
        "after_refund": random.choice(["allow_again", "final"]),
        "event": random.choice(events),
        "rules": _maybe(random, [rule], 0.3),
    }
    if conversion["event"] == "referral_signed_up":
        conversion["rules"] = None
    return conversion


def _limits(random: Random) -> dict[str, Any]:
    period = random.choice(["P1D", "P3D", "day"])
    cooldown = {"period": period, "on_hit": random.choice(["defer", "reject"])}
    return {
        "cooldown": _maybe(random, cooldown),
        "per_advocate": _maybe(random, {"count": 3, "period": "P30D"}, 0.3),
        "conversions": _maybe(random, 4, 0.2),
        "budget": _maybe(random, {"points": 900}, 0.2),
    }


def _rewards(random: Random) -> dict[str, Any]:
    return {
        "friend": _maybe(random, POINTS_50, 0.8),
        "tiers": [EACH, milestone(2, 300), *([milestone(3, 500)] * (random.random() < 0.5))],
        "provider": random.choice(["ledger", "ledger", "http"]),
        "approval": _maybe(random, "manual", 0.2),
        "rollback": {"allow_negative": random.random() < 0.5},
    }


def _maybe(random: Random, value: Any, chance: float = 0.5) -> Any:
    return value if random.random() < chance else None


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def random_story(
    random: Random, definition: Campaign, start: datetime, prefix: str, length: int
) -> Story:
    """Return a story with people whose ids begin with the prefix."""
    builder = _StoryBuilder(random, definition, prefix)
    steps = [builder.publication(name) for name in ADVOCATES]
    steps += [builder.step() for _ in range(length)]
    times = _times(random, start, len(steps))
    timed = tuple(
        Step.model_validate({"at": at} | step) for at, step in zip(times, steps, strict=True)
    )
    return create_story(timed, definition, YamlDocument(None, {}))


def _times(random: Random, start: datetime, count: int) -> list[datetime]:
    """Return times of which no two, and no full hour, are near each other on the clock.

    So nothing that is due some days after a step, or at a time of day, is due at the time of another step.
    """
    at, taken, times = (
        start,
        {minute for minute in range(1440) if minute % 60 in (57, 58, 59, 0)},
        [],
    )
    for _ in range(count):
        while (minute := at.hour * 60 + at.minute) in taken:
            at += timedelta(minutes=1)
        times.append(at)
        taken |= {near % 1440 for near in range(minute - 4, minute + 5)}
        at += timedelta(minutes=random.choice([20, 60, 600, 1440, 2880, 7200]))
    return times


class _StoryBuilder:
    def __init__(self, random: Random, definition: Campaign, prefix: str) -> None:
        self._random = random
        self._event = definition.conversion.event.replace("redemption", "referral_converted")
        self._campaign = definition.campaign
        self._prefix = prefix
        self._orders: list[str] = []

    def publication(self, name: str) -> dict[str, Any]:
        person = {
            "id": self._id(name),
            "name": name.title(),
            "email": f"{self._id(name)}@example.com",
            "consent": ["email"],
        }
        kind = self._random.choice(["publish", "customer_registered"])
        if kind == "publish":
            return {"publish": {"customer": person}}
        return {"type": kind, "data": {"customer": person, "campaign": self._campaign}}

    def step(self) -> dict[str, Any]:
        makers = [self._sign_up] * 4 + [self._conversion] * 5 + [self._order_event] * 4
        makers += [self._command] * 3 + [self._share, self._approve_rewards]
        return self._random.choice(makers)()

    def _id(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def _code(self) -> dict[str, str]:
        return {"of": self._id(self._random.choice(ADVOCATES))}

    def _friend(self) -> dict[str, Any]:
        return {"id": self._id(self._random.choice(FRIENDS))}

    def _share(self) -> dict[str, Any]:
        return {"type": "referral_link_shared", "data": {"code": self._code(), "channel": "email"}}

    def _sign_up(self) -> dict[str, Any]:
        return {
            "type": "referral_signed_up",
            "data": {"code": self._code(), "friend": self._friend()},
        }

    def _conversion(self) -> dict[str, Any]:
        if self._event == "referral_signed_up":
            return self._sign_up()
        amount = self._random.choice(["40.00", "80.00", "120.00"])
        order = {"id": self._id(f"order-{len(self._orders)}"), "amount": amount, "currency": "EUR"}
        self._orders.append(order["id"])
        code = {"code": self._code()} if self._random.random() < 0.5 else {}
        late = {"time": "P0D"} if self._random.random() < 0.1 else {}
        return late | {
            "type": self._event,
            "data": {"friend": self._friend(), "order": order} | code,
        }

    def _order_event(self) -> dict[str, Any]:
        if not self._orders:
            return self._conversion()
        order: dict[str, Any] = {"id": self._random.choice(self._orders)}
        kind = self._random.choice(
            [
                "order_refunded",
                "order_refunded",
                "order_cancelled",
                "order_reinstated",
                "order_updated",
            ]
        )
        if kind == "order_updated":
            order |= {"amount": self._random.choice(["30.00", "90.00"]), "currency": "EUR"}
        elif kind == "order_refunded" and self._random.random() < 0.5:
            order |= {"amount": "45.00"}
        return {"type": kind, "data": {"order": order}}

    def _command(self) -> dict[str, Any]:
        command = self._random.choice(["approve", "reject", "roll-back", "reinstate"])
        return {"command": f"referral {command}", "of": self._friend()["id"]}

    def _approve_rewards(self) -> dict[str, Any]:
        name = self._random.choice([*ADVOCATES, *FRIENDS])
        return {"command": "reward approve", "of": self._id(name)}
