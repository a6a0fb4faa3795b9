"""The story that is played with a campaign that has none of its own: one advocate, and friends up to the first milestone."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from referrals.domain.campaign import Campaign
from referrals.domain.event_names import SIGN_UP
from referrals.yaml_documents import YamlDocument
from simulation.story import Step
from simulation.story_file import Story, create_story

ADVOCATE = "ada"
MAX_FRIENDS = 12
NAMES = ("ben", "cem", "dana", "eva", "fay", "gil", "hana", "ivo", "jun", "kim", "lea", "max")
ORDER_AMOUNT = Decimal(100)
ABOVE_LIMIT = Decimal("1.25")
"""Factor by which orders exceed the amount that a rule asks for."""

_LEAST_AMOUNT = re.compile(r"order\.amount\s*>=?\s*(\d+(?:\.\d+)?)")
_CURRENCY = re.compile(r'order\.currency\s*==\s*"([A-Z]{3})"')


def standard_story(campaign: Campaign) -> Story:
    """Return a story with a code, a share, sign-ups, orders, a friend who never orders and a refund."""
    steps = tuple(Step.model_validate(step) for step in _steps(campaign))
    return create_story(steps, campaign, YamlDocument(None, {}))


def _steps(campaign: Campaign) -> Iterator[dict[str, Any]]:
    advocate = {"customer": _person(ADVOCATE, campaign)}
    if campaign.publish_on:
        yield {"type": campaign.publish_on, "data": advocate}
    else:
        yield {"publish": advocate}
    code = {"of": ADVOCATE}
    yield {
        "at": "PT1H",
        "type": "referral_link_shared",
        "data": {"code": code, "channel": "whatsapp"},
    }
    *friends, undecided = NAMES[: _friends(campaign) + 1]
    for day, friend in enumerate(friends, 1):
        person = _person(friend, campaign)
        yield {"at": f"P{day}D", "type": SIGN_UP, "data": {"code": code, "friend": person}}
        yield {"at": f"P{day}DT2H"} | _conversion(campaign, friend)
    day = len(friends) + 1
    person = _person(undecided, campaign)
    if campaign.conversion.event != SIGN_UP:
        yield {"at": f"P{day}D", "type": SIGN_UP, "data": {"code": code, "friend": person}}
        order = {"id": f"order-of-{friends[-1]}"}
        yield {"at": f"P{day}DT2H", "type": "order_refunded", "data": {"order": order}}


def _friends(campaign: Campaign) -> int:
    """Return how many friends reach the first milestone, within bounds."""
    first = min((tier.at for tier in campaign.rewards.tiers if tier.at), default=2)
    return min(first, MAX_FRIENDS - 1)


def _conversion(campaign: Campaign, friend: str) -> dict[str, Any]:
    """Return the friend's conversion, with an order that is as large as the simplest rules ask for."""
    if campaign.conversion.event == SIGN_UP:
        return {"expect": {}}
    rules = " ".join(rule.when for rule in campaign.conversion.rules)
    limits = [Decimal(found) * ABOVE_LIMIT for found in _LEAST_AMOUNT.findall(rules)]
    amount = max([ORDER_AMOUNT, *limits]).quantize(Decimal("0.01"))
    currency = next(iter(_CURRENCY.findall(rules)), "EUR")
    order = {"id": f"order-of-{friend}", "amount": str(amount), "currency": currency}
    kind = campaign.conversion.event
    kind = "referral_converted" if kind == "redemption" else kind
    return {"type": kind, "data": {"friend": {"id": friend}, "order": order}}


def _person(name: str, campaign: Campaign) -> dict[str, Any]:
    return {
        "id": name,
        "name": name.title(),
        "email": f"{name}@example.com",
        "timezone": campaign.timezone,
        "consent": ["email", "whatsapp"],
    }
