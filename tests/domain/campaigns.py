"""Campaigns, the smallest and one that says all there is, to be changed; and the mistakes in one."""

from copy import deepcopy

import pytest
from pydantic import ValidationError

from referrals.campaign_file import campaign_errors
from referrals.domain.campaign import Campaign

SLUG = "must be 1 to 63 lower-case letters, digits, - or _, and start with a letter or digit"
ISO = "must be an ISO 8601 duration, such as P14D or PT12H"
PERIOD = "must be an ISO 8601 duration such as P14D, or day, week or month"

POINTS = {"type": "points", "amount": 50}
SMALLEST = {
    "campaign": "spring",
    "name": "Spring",
    "landing_url": "https://shop.example/welcome",
    "rewards": {"friend": POINTS},
}
SEND = {"template": "thank_advocate", "to": "advocate", "channels": ["email", "log"]}
OPERATOR = {"template": "reward_failed", "to": "operator", "channels": ["whatsapp", "email"]}
FULL = SMALLEST | {
    "timezone": "Europe/Berlin",
    "starts_at": "2026-03-01T00:00:00+01:00",
    "ends_at": "2026-06-01T00:00:00+02:00",
    "publish_on": "customer_registered",
    "messages": {"quiet_hours": "21:00-08:00"},
    "code": {"pattern": "SPRING-####-####", "uses": 100, "valid_for": "P1Y", "join_once": False},
    "conversion": {
        "event": "subscription_started",
        "attribution_window": "P30D",
        "new_customers_only": True,
        "rules": [{"name": "minimum", "when": "order.amount >= 80", "message": "Too little."}],
        "hold": "P14D",
        "review": "manual",
    },
    "limits": {
        "per_advocate": {"count": 50, "period": "P30D"},
        "cooldown": {"period": "P1D", "on_hit": "defer"},
        "conversions": 10000,
    },
    "rewards": {
        "friend": POINTS,
        "tiers": [
            {"name": "each_friend", "each": True, "reward": {"type": "points", "amount": 100}},
            {
                "name": "ten_friends",
                "at": 10,
                "reward": {"type": "gift_credit", "amount": "25.00", "currency": "EUR"},
            },
        ],
        "provider": "ledger",
        "rollback": {"allow_negative": True},
    },
    "journeys": [
        {
            "name": "ten",
            "on": "milestone_reached",
            "when": "milestone.at == 10",
            "steps": [{"send": SEND}],
        }
    ],
}


def with_(path, value):
    """The full campaign with one value changed, at a path such as `limits.cooldown.period`."""
    campaign = deepcopy(FULL)
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = campaign
    for key in parents:
        place = place[key]
    place[last] = value
    return campaign


def problems(campaign):
    with pytest.raises(ValidationError) as refused:
        Campaign.model_validate(campaign)
    return [(problem.field, problem.message) for problem in campaign_errors(refused.value)]


def bracketed(path):
    parts = [f"[{part}]" if part.isdigit() else f".{part}" for part in path.split(".")]
    return "".join(parts).lstrip(".")
