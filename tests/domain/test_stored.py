"""Stored models are read although checks of input have become stricter."""

from typing import Any

import pytest

from referrals.campaign_file import load_campaign
from referrals.domain import money
from referrals.domain.campaign import Campaign
from referrals.domain.discounts import CouponTerms
from referrals.domain.order_events import Order
from referrals.domain.stored import read_stored
from referrals.domain.time_zones import find_zone
from tests.harness.campaigns import EXAMPLE_CAMPAIGNS, POINTS_50, campaign


@pytest.mark.parametrize("file", EXAMPLE_CAMPAIGNS, ids=lambda file: file.stem)
def test_a_valid_definition_is_read_as_it_is_also_beside_an_invalid_key(file: Any):
    valid = load_campaign(file.read_text("utf-8"))
    stored = valid.model_dump(mode="json")

    assert read_stored(Campaign, stored) == valid
    beside = read_stored(Campaign, stored | {"timezone": "Mars/Base", "former_key": 1})
    assert beside == valid.model_copy(update={"timezone": "Mars/Base"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timezone", "Mars/Base"),
        ("name", ""),
        ("landing_url", "ftp://shop.example"),
        ("publish_on", "order_placed"),
        ("code", {"pattern": "ONE", "charset": "äö"}),
        (
            "conversion",
            {"event": "reward_granted", "rules": [{"name": "R S", "when": ">>", "message": ""}]},
        ),
        ("limits", {"budget": {"money": {"DEM": "100.00"}}}),
        ("limits", {"per_advocate": {"count": 0}}),
        ("rewards", {"friend": {"type": "gift_credit", "amount": "5.00", "currency": "DEM"}}),
        (
            "rewards",
            {"friend": {"type": "coupon", "amount": 1, "pattern": "X", "provider": "gone"}},
        ),
        ("rewards", {"tiers": []}),
        ("rewards", {"tiers": [{"name": "same", "each": True, "reward": POINTS_50}] * 2}),
        ("messages", {"quiet_hours": "25-8"}),
        (
            "journeys",
            [
                {
                    "name": "j",
                    "on": "message_sent",
                    "when": "1 +",
                    "steps": [{"wait": {"duration": "P900D"}}],
                }
            ],
        ),
        ("journeys", [{"name": "j", "on": "referral_converted", "steps": []}]),
        ("link", {"pass_on": ["code", "*"]}),
    ],
)
def test_a_definition_with_a_key_that_became_invalid_is_read(key: str, value: Any):
    stored = campaign(**{key: value})
    with pytest.raises(ValueError, match=key.split(".", maxsplit=1)[0]):
        Campaign.model_validate(stored)
    read = read_stored(Campaign, stored)

    written = read.model_dump(mode="json")
    assert read_stored(Campaign, written) == read


def test_orders_and_coupons_in_a_retired_currency_are_read(monkeypatch: Any):
    order = {"id": "1", "currency": "EUR", "amount": "80.00", "items": [{"amount": "80.00"}]}
    terms = {"discount": {"amount": "5.00", "currency": "EUR"}, "pattern": "X#####"}
    monkeypatch.setattr(money, "CURRENCIES", frozenset({"XTS"}))

    assert read_stored(Order, order).minor == 8000
    assert read_stored(CouponTerms, terms).discount.on(read_stored(Order, order)) == 500


def test_the_first_zone_that_is_known_is_used():
    assert find_zone(None, "Mars/Base", "Europe/Berlin", "Asia/Tokyo").key == "Europe/Berlin"
    assert find_zone("../etc/passwd", "", None).key == "UTC"
