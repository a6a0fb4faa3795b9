"""Validation of campaigns. Line numbers of mistakes are tested in test_campaign_file."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from referrals.domain.campaign import Campaign
from referrals.domain.event_names import (
    CAMPAIGN_EVENTS,
    CUSTOMER_EVENTS,
    INBOUND,
    OUTBOUND,
    SIGN_UP,
)
from referrals.domain.journeys import Journey
from referrals.domain.rewards import Asset
from tests.domain.campaigns import FULL, ISO, POINTS, SEND, SLUG, SMALLEST, problems, with_


@pytest.mark.parametrize("campaign", [SMALLEST, FULL], ids=["smallest", "full"])
def test_a_campaign_survives_json(campaign):
    valid = Campaign.model_validate(campaign)

    assert Campaign.model_validate(valid.model_dump(mode="json")) == valid
    assert Campaign.model_validate_json(valid.model_dump_json()) == valid


def test_what_is_left_out_has_a_default():
    campaign = Campaign.model_validate(SMALLEST)

    assert campaign.timezone == "UTC"
    assert campaign.publish_on is None
    assert campaign.code.pattern == "####-####"
    assert campaign.code.join_once
    assert campaign.code.uses is None
    assert campaign.conversion.event == "redemption"
    assert campaign.conversion.attribution_window == timedelta(days=30)
    assert campaign.conversion.hold is None
    assert campaign.conversion.review is None
    assert campaign.limits.cooldown is None
    assert campaign.rewards.tiers == ()
    assert campaign.rewards.provider == "ledger"
    assert not campaign.rewards.rollback.allow_negative


def test_a_campaign_has_durations_moments_and_amounts():
    campaign = Campaign.model_validate(FULL)

    assert campaign.starts_at == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert campaign.conversion.hold == timedelta(days=14)
    each, ten = campaign.rewards.tiers
    assert (each.reward.minor, each.reward.asset) == (100, Asset("points", None))
    assert (ten.reward.minor, ten.reward.asset) == (2500, Asset("gift_credit", "EUR"))


def test_gift_credit_has_the_decimals_of_its_currency():
    yen = {"type": "gift_credit", "amount": "500", "currency": "JPY"}
    campaign = Campaign.model_validate(SMALLEST | {"rewards": {"friend": yen}})

    assert campaign.rewards.friend.minor == 500


def test_conditions_are_compiled():
    campaign = Campaign.model_validate(FULL)

    assert campaign.conversion.rules[0].condition.holds({"order": {"amount": 80.0}})
    assert not campaign.conversion.rules[0].condition.holds({"order": {"amount": 79.99}})
    assert campaign.journeys[0].condition.holds({"milestone": {"at": 10}})


def test_a_journey_without_a_condition_has_none():
    journey = {"name": "thanks", "on": "referral_converted", "steps": [{"send": SEND}]}

    assert Journey.model_validate(journey).condition is None


def test_a_campaign_does_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Campaign.model_validate(SMALLEST).name = "Other"


@pytest.mark.parametrize(("value", "review"), [("manual", "manual"), ("none", None), (None, None)])
def test_review_is_manual_or_none(value, review):
    assert Campaign.model_validate(with_("conversion.review", value)).conversion.review == review


def test_the_name_and_message_may_have_any_character_of_one_line():
    name = "Fr\u00fchling \U0001f468\u200d\U0001f469\u200d\U0001f467 \u6625"

    assert Campaign.model_validate(with_("name", f" {name}\n")).name == name


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/welcome?x=1#a",
        "http://localhost:8080/",
        "https://b\u00fccher.example/",
    ],
)
def test_a_landing_url_is_http(url):
    assert Campaign.model_validate(with_("landing_url", url)).landing_url.startswith("http")


@pytest.mark.parametrize(
    "rewards",
    [
        {"friend": POINTS},
        {"tiers": [{"name": "each", "each": True, "reward": POINTS}]},
        {"friend": None, "tiers": [{"name": "ten", "at": 10, "reward": POINTS}]},
    ],
    ids=["friend only", "single-sided", "milestone only"],
)
def test_one_side_is_enough(rewards):
    assert Campaign.model_validate(SMALLEST | {"rewards": rewards})


COUPON = {"type": "coupon", "discount": {"percent": 20}, "pool": "welcome"}
FRIEND = "rewards.friend"
ONE_DISCOUNT = "must have one of percent, amount, free_shipping and product"


@pytest.mark.parametrize(
    "terms",
    [
        {"pool": "welcome", "valid_for": "P30D"},
        {"pattern": "THANKS-######", "discount": {"amount": "10.00", "currency": "EUR"}},
        {"pattern": "THANKS-######", "discount": {"free_shipping": True}, "provider": "ledger"},
        {"pool": "welcome", "discount": {"product": "sku-4"}},
    ],
)
def test_a_coupon_is_one_reward_of_a_discount(terms):
    coupon = {"type": "coupon", "discount": {"percent": 20}} | terms
    campaign = Campaign.model_validate(with_(FRIEND, coupon))
    friend = campaign.rewards.friend

    assert (friend.minor, friend.asset) == (1, Asset("coupon", None))
    assert {
        key: coupon[key] for key in coupon if key not in ("type", "provider")
    } == friend.ledger_terms
    assert campaign.rewards.provider_of(friend) == ("ledger", friend.ledger_terms)
    assert Campaign.model_validate(campaign.model_dump(mode="json")) == campaign


@pytest.mark.parametrize(
    ("terms", "field", "message"),
    [
        ({"amount": 2}, f"{FRIEND}.amount", "must be left out: the amount of a coupon is 1"),
        ({"currency": "EUR"}, f"{FRIEND}.currency", "must be left out: a coupon has no currency, but its discount can have one"),
        ({"discount": None}, FRIEND, "must have a discount"),
        ({"discount": {}}, f"{FRIEND}.discount", ONE_DISCOUNT),
        ({"discount": {"free_shipping": False}}, f"{FRIEND}.discount", ONE_DISCOUNT),
        ({"discount": {"percent": 20, "product": "x"}}, f"{FRIEND}.discount", ONE_DISCOUNT),
        ({"discount": {"percent": 20, "currency": "EUR"}}, f"{FRIEND}.discount", "must have a currency only with amount, max_amount or min_order"),
        ({"discount": {"percent": 0}}, f"{FRIEND}.discount.percent", "must be more than 0 and at most 100, with at most 2 decimals"),
        ({"discount": {"percent": 101}}, f"{FRIEND}.discount.percent", "must be more than 0 and at most 100, with at most 2 decimals"),
        ({"discount": {"percent": 12.555}}, f"{FRIEND}.discount.percent", "must be more than 0 and at most 100, with at most 2 decimals"),
        ({"discount": {"amount": "10.00"}}, f"{FRIEND}.discount.amount", "must have a currency, such as EUR"),
        ({"discount": {"amount": 10.0, "currency": "EUR"}}, f"{FRIEND}.discount.amount", 'must be a decimal string in quotes, such as "25.00"'),
        ({"discount": {"amount": "0.00", "currency": "EUR"}}, f"{FRIEND}.discount.amount", "must be more than zero"),
        ({"discount": {"percnt": 20}}, f"{FRIEND}.discount.percnt", "unknown field; did you mean percent?"),
        ({"pool": None}, FRIEND, "must have either pool or pattern"),
        ({"pattern": "THANKS-######"}, FRIEND, "must have either pool or pattern"),
        ({"pool": "No Pool"}, f"{FRIEND}.pool", SLUG),
        ({"pool": None, "pattern": "THANKS"}, f"{FRIEND}.pattern", "allows only 1 codes; at least 10000 are needed so that codes cannot be guessed: add a # or more characters to the charset"),
        ({"valid_for": 30}, f"{FRIEND}.valid_for", ISO),
        ({"provider": "http"}, "rewards", "must issue coupons with the ledger: add provider: ledger"),
        ({"target": {"card": "x"}}, "rewards", "must not have a target for a coupon"),
        (POINTS | {"pool": "welcome", "discount": None}, FRIEND, "must not have pool, which only coupons have"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_a_mistake_about_a_coupon_is_named(terms, field, message):
    assert problems(with_(FRIEND, COUPON | terms)) == [(field, message)]


@pytest.mark.parametrize(
    "reward", [POINTS, {"type": "gift_credit", "amount": "5.00", "currency": "EUR"}]
)
def test_points_and_gift_credit_of_the_ledger_may_expire(reward):
    rewards = Campaign.model_validate(with_(FRIEND, reward | {"valid_for": "P1Y"})).rewards

    assert rewards.provider_of(rewards.friend) == ("ledger", {"valid_for": "P1Y"})


def test_what_others_issue_does_not_expire_here():
    error = (
        "must not have valid_for with provider voucherify: the provider has its own expiry rules"
    )
    reward = POINTS | {"valid_for": "P1Y", "provider": "voucherify"}

    assert problems(with_(FRIEND, reward)) == [("rewards", error)]


@pytest.mark.parametrize(
    ("provider", "reward", "error"),
    [
        ("voucherify", COUPON, "must issue coupons with the ledger: add provider: ledger"),
        ("ledger", COUPON | {"target": {"x": 1}}, "must not have a target for a coupon"),
        ("http", POINTS | {"valid_for": "P1Y"}, "must not have valid_for with provider http: the provider has its own expiry rules"),
        ("ledger", POINTS | {"valid_for": "P1Y", "provider": "talon_one"}, "must not have valid_for with provider talon_one: the provider has its own expiry rules"),
    ],
)  # fmt: skip
def test_rewards_of_journeys_are_validated_like_all_rewards(provider, reward, error):
    steps = [{"branch": {"when": "true", "then": [{"grant": {"to": "friend", "reward": reward}}]}}]
    journeys = [{"name": "x", "on": "referral_converted", "steps": steps}]
    rewards = SMALLEST["rewards"] | {"provider": provider}

    field = "journeys[0].steps[0].branch.then[0].grant.reward"
    assert problems(SMALLEST | {"rewards": rewards, "journeys": journeys}) == [(field, error)]


def test_all_mistakes_are_reported_at_once():
    campaign = with_("code.uses", 0) | {"name": "", "landing_url": "x"}

    assert [field for field, _ in problems(campaign)] == ["name", "landing_url", "code.uses"]


@pytest.mark.parametrize("event", ["code_published", "referral_link_shared", "milestone_lost"])
def test_a_journey_of_an_advocate_cannot_send_to_a_friend(event):
    journey = {
        "name": "x",
        "on": event,
        "steps": [{"send": SEND}, {"send": SEND | {"to": "friend"}}],
    }

    message = f"must not send to the friend: {event} concerns the advocate alone"
    assert problems(SMALLEST | {"journeys": [journey]}) == [("journeys[0].steps", message)]


@pytest.mark.parametrize("event", sorted(OUTBOUND - CUSTOMER_EVENTS - CAMPAIGN_EVENTS))
def test_a_journey_starts_on_an_outbound_event_that_it_does_not_cause(event):
    campaign = SMALLEST | {"journeys": [{"name": "x", "on": event, "steps": [{"send": SEND}]}]}

    if event.startswith("message_"):
        assert problems(campaign)
    else:
        assert Campaign.model_validate(campaign).journeys[0].on == event


@pytest.mark.parametrize(
    "event",
    sorted(
        {
            "referral_link_clicked",
            *CUSTOMER_EVENTS,
            *CAMPAIGN_EVENTS,
            "order_refunded",
            "birthday",
            "",
        }
    ),
)
def test_a_journey_does_not_start_on_anything_else(event):
    journey = {"name": "x", "on": event, "steps": [{"send": SEND}]}
    ((field, message),) = problems(SMALLEST | {"journeys": [journey]})

    assert field == "journeys[0].on"
    assert message.startswith("must be one of code_published, milestone_lost, milestone_reached")
    assert "message_" not in message


@pytest.mark.parametrize("event", sorted((INBOUND | OUTBOUND) - {SIGN_UP}))
def test_a_conversion_is_no_event_that_has_a_meaning_already(event):
    assert problems(SMALLEST | {"conversion": {"event": event}})


@pytest.mark.parametrize("body", [None, 7, "text", [], [SMALLEST], True])
def test_what_is_no_mapping_is_no_campaign(body):
    assert problems(body) == [("", "must be a mapping of keys to values")]


def test_a_budget_of_money_is_in_the_decimals_of_its_currency():
    with pytest.raises(ValidationError, match="has 3 decimals, but EUR has 2"):
        Campaign.model_validate(with_("limits.budget", {"money": {"EUR": "1.005"}}))
