"""What a campaign may say. Where a mistake stands in a file is in test_campaign_file."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from referrals.domain.campaign import Asset, Campaign
from referrals.domain.campaign_file import problems_of
from referrals.domain.event_names import INBOUND, OUTBOUND
from referrals.domain.journeys import Journey

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
    return [(problem.field, problem.message) for problem in problems_of(refused.value)]


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


def test_conditions_are_ready_to_be_asked():
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


SLUG = "must be 1 to 63 lower-case letters, digits, - or _, and begin with a letter or digit"
ISO = "must be an ISO 8601 duration, such as P14D or PT12H"
MOMENT = "must be a date and time with its offset, such as 2026-03-01T00:00:00+01:00"
LINE = "must be one line without control characters"
POINTS_AMOUNT = "must be a whole number of points, from 1 to 1000000000"
CREDIT = "rewards.tiers.1.reward"

MISTAKES = [
    ("campaign", "Spring", SLUG),
    ("campaign", "-spring", SLUG),
    ("campaign", "spring\n", SLUG),
    ("campaign", "../x", SLUG),
    ("campaign", "s" * 64, SLUG),
    ("campaign", 7, "must be text"),
    ("name", "", "must not be empty"),
    ("name", "  ", "must not be empty"),
    ("name", "x" * 301, "must have at most 300 characters"),
    ("name", "a\x00b", LINE),
    ("name", "a\nb", LINE),
    ("name", "\ud800", "must be text without halves of characters"),
    ("timezone", "Europe/Nowhere", "must be a time zone such as Europe/Berlin"),
    ("timezone", "Europe", "must be a time zone such as Europe/Berlin"),
    ("timezone", "", "must be a time zone such as Europe/Berlin"),
    ("timezone", "../../etc/passwd", "must be a time zone such as Europe/Berlin"),
    ("timezone", "x" * 5000, "must be a time zone such as Europe/Berlin"),
    ("starts_at", "2026-03-01", MOMENT),
    ("starts_at", "2026-03-01T00:00:00", MOMENT),
    ("starts_at", "0001-01-01T00:00:00Z", MOMENT),
    ("starts_at", "1735689600", MOMENT),
    ("starts_at", 1735689600, MOMENT),
    ("starts_at", "2026-13-01T00:00:00Z", "is no date and time: month value is outside expected range of 1-12"),
    ("ends_at", "2026-03-01T00:00:00+01:00", "must be later than starts_at"),
    ("ends_at", "2026-02-28T22:59:59Z", "must be later than starts_at"),
    ("landing_url", "shop.example", "must be a URL that begins with http:// or https://"),
    ("landing_url", "ftp://shop.example", "must be a URL that begins with http:// or https://"),
    ("landing_url", "javascript:alert(1)", "must be a URL that begins with http:// or https://"),
    ("landing_url", "https://", "must be a URL that begins with http:// or https://"),
    ("messages.quiet_hours", "21-8", "must be two times of day, such as 21:00-08:00"),
    ("messages.quiet_hours", "08:00-08:00", "must be two different times of day"),
    ("messages.quiet_hours", ["21:00", "08:00"], "must be text"),
    ("publish_on", "order_placed", "must be 'customer_registered'"),
    ("code.pattern", "SPRING", "allows only 1 codes; at least 10000 are needed so that none can be guessed: add a # or more characters to the charset"),
    ("code.pattern", "a b########", "must be 1 to 64 characters: # for a random one, letters and digits, and - _ . between them"),
    ("code.charset", "ABa", "has a character twice (codes are the same in upper and lower case)"),
    ("code.charset", "AB#", "must be letters A to Z and digits only"),
    ("code.uses", 0, "must be more than 0"),
    ("code.uses", -1, "must be more than 0"),
    ("code.uses", "100", "must be a whole number"),
    ("code.uses", 1.5, "must be a whole number"),
    ("code.uses", True, "must be a whole number"),
    ("code.uses", 10**9 + 1, "must be at most 1000000000"),
    ("code.uses", 10**30, "must be at most 1000000000"),
    ("code.valid_for", "one year", ISO),
    ("code.valid_for", 365, ISO),
    ("code.valid_for", "P0D", "must be longer than zero and at most P10Y"),
    ("code.join_once", "yes", "must be true or false"),
    ("code.join_once", 1, "must be true or false"),
    ("code.pool", {"size": 500, "refill_below": 50}, "pool is not supported yet"),
    ("conversion.event", "referral_converted", "must not be referral_converted, which has a meaning of its own"),
    ("conversion.event", "reward_granted", "must not be reward_granted, which has a meaning of its own"),
    ("conversion.event", "Sub Started", "must be 1 to 63 letters, digits, _, . and -, beginning with a letter, such as subscription_started"),
    ("conversion.attribution_window", None, ISO),
    ("conversion.attribution_window", "P11Y", "must be longer than zero and at most P10Y"),
    ("conversion.new_customers_only", None, "must be true or false"),
    ("conversion.rules.0.name", "Minimum Order", SLUG),
    ("conversion.rules.0.when", "", "must not be empty"),
    ("conversion.rules.0.when", 80, "must be text"),
    ("conversion.rules.0.when", "order.amount >=", "minimum: line 1, column 16: Syntax error: mismatched input '<EOF>'"),
    ("conversion.rules.0.when", "1 + 1", "minimum: gives int, not true or false"),
    ("conversion.rules.0.when", "x" * 2001, "minimum: has 2001 characters; at most 2000 are allowed"),
    ("conversion.rules.0.message", "", "must not be empty"),
    ("conversion.rules", {"name": "x"}, "must be a list"),
    ("conversion.rules", [FULL["conversion"]["rules"][0]] * 2, "has two entries named minimum"),
    ("conversion.rules", [FULL["conversion"]["rules"][0]] * 51, "must have at most 50 entries"),
    ("conversion.hold", "P-1D", ISO),
    ("conversion.review", {"score_at_least": 34}, "score_at_least is not supported yet"),
    ("conversion.review", "sometimes", "must be 'manual'"),
    ("limits.per_advocate.count", 0, "must be more than 0"),
    ("limits.per_advocate.period", "P0D", "must be longer than zero and at most P10Y"),
    ("limits.per_advocate", 50, "must be a mapping of keys to values"),
    ("limits.cooldown.period", "-P1D", ISO),
    ("limits.cooldown.on_hit", "ignore", "must be 'defer' or 'reject'"),
    ("limits.conversions", 0, "must be more than 0"),
    ("limits.budget", {}, "must have points, money or rewards"),
    ("rewards", {}, "must have a reward for the friend, or tiers for the advocate"),
    ("rewards.friend.type", "cash", "must be 'points', 'gift_credit' or 'coupon'"),
    ("rewards.friend.amount", 0, POINTS_AMOUNT),
    ("rewards.friend.amount", -50, POINTS_AMOUNT),
    ("rewards.friend.amount", 10**9 + 1, POINTS_AMOUNT),
    ("rewards.friend.amount", 50.0, POINTS_AMOUNT),
    ("rewards.friend.amount", "50", POINTS_AMOUNT),
    ("rewards.friend.amount", True, POINTS_AMOUNT),
    ("rewards.friend.amount", None, POINTS_AMOUNT),
    ("rewards.friend.currency", "EUR", "must be left out: points have no currency"),
    (f"{CREDIT}.currency", "eur", "must be an ISO 4217 currency code in capitals, such as EUR"),
    (f"{CREDIT}.currency", "DEM", "must be an ISO 4217 currency code in capitals, such as EUR"),
    (f"{CREDIT}.currency", None, "is required for gift credit, such as EUR"),
    (f"{CREDIT}.amount", 25, 'must be a decimal string in quotes, such as "25.00"'),
    (f"{CREDIT}.amount", 25.0, 'must be a decimal string in quotes, such as "25.00"'),
    (f"{CREDIT}.amount", "0.00", "must be more than zero"),
    (f"{CREDIT}.amount", "25.001", "has 3 decimals, but EUR has 2"),
    (f"{CREDIT}.amount", "-25", 'must be a plain decimal string such as "80.00", with at most 12 digits before the point'),
    ("rewards.tiers.1.at", 0, "must be more than 0"),
    ("rewards.provider", "paypal", "must be 'ledger', 'voucherify', 'talon_one' or 'http'"),
    ("rewards.provider", {"a": 1}, "must be 'ledger', 'voucherify', 'talon_one' or 'http'"),
    ("rewards.approval", {"above": 500}, "must be 'manual'"),
    ("rewards.rollback.allow_negative", "no", "must be true or false"),
    ("journeys.0.name", "Ten Friends", SLUG),
    ("journeys.0.on", "message_sent", "must not be message_sent: each message it sends would start it again"),
    ("journeys.0.when", "milestone.at = 10", "ten: line 1, column 14: Syntax error: token recognition error at: '= '"),
    ("journeys.0.steps", [], "must not be empty"),
    ("journeys.0.steps.0.send.template", "../secret", SLUG),
    ("journeys.0.steps.0.send.to", "everyone", "must be 'advocate', 'friend' or 'operator'"),
    ("journeys.0.steps.0.send.channels", [], "must not be empty"),
    ("journeys.0.steps.0.send.channels", "email", "must be a list"),
    ("journeys", [FULL["journeys"][0]] * 2, "has two entries named ten"),
]  # fmt: skip
"""The path that is changed, to what, and what is said about it."""


def bracketed(path):
    parts = [f"[{part}]" if part.isdigit() else f".{part}" for part in path.split(".")]
    return "".join(parts).lstrip(".")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    MISTAKES,
    ids=lambda value: repr(value)[:40],
)
def test_a_mistake_is_named_with_its_field(path, value, message):
    assert problems(with_(path, value)) == [(bracketed(path), message)]


@pytest.mark.parametrize(
    ("path", "value", "field", "message"),
    [
        ("rewards.tiers.0.at", 5, "rewards.tiers[0]", "must have either each: true, or at: a number of conversions"),
        ("rewards.tiers.0.each", False, "rewards.tiers[0]", "must have either each: true, or at: a number of conversions"),
        ("rewards.tiers.1.name", "each_friend", "rewards.tiers", "has two entries named each_friend"),
        ("journeys.0.steps.0.send.to", "friend", "journeys[0].steps", "must not send to the friend: milestone_reached is about the advocate alone"),
        ("journeys.0.steps.0.send", OPERATOR, "journeys[0].steps[0].send", "must not go to the operator by whatsapp: it has email and log"),
        ("journeys.0.steps.0.send.channels", ["email", "sms"], "journeys[0].steps[0].send.channels[1]", "must be 'whatsapp', 'email' or 'log'"),
        ("journeys.0.steps.0", {"sned": SEND}, "journeys[0].steps[0].sned", "is not a key here; did you mean send?"),
        ("colour", "red", "colour", "is not a key here"),
        ("ends_on", "2026-06-01T00:00:00Z", "ends_on", "is not a key here; did you mean ends_at?"),
        ("conversion.rule", [], "conversion.rule", "is not a key here; did you mean rules?"),
        ("rewards.tiers.0.ech", True, "rewards.tiers[0].ech", "is not a key here; did you mean each?"),
        ("rewards.friend.curency", "EUR", "rewards.friend.curency", "is not a key here; did you mean currency?"),
        ("journeys.0.steps.0.send.chanels", [], "journeys[0].steps[0].send.chanels", "is not a key here; did you mean channels?"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_a_mistake_that_shows_elsewhere_is_named_there(path, value, field, message):
    assert (field, message) in problems(with_(path, value))


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("", "campaign"),
        ("", "name"),
        ("", "rewards"),
        ("conversion.rules.0", "message"),
        ("limits.cooldown", "on_hit"),
        ("limits.per_advocate", "count"),
        ("rewards.friend", "amount"),
        ("rewards.tiers.0", "reward"),
        ("journeys.0.steps.0.send", "template"),
    ],
)
def test_a_key_that_is_missing_is_named(path, key):
    campaign = deepcopy(FULL)
    place = campaign
    for part in filter(None, path.split(".")):
        place = place[int(part) if part.isdigit() else part]
    del place[key]

    assert problems(campaign) == [(bracketed(f"{path}.{key}".lstrip(".")), "is required")]


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
    assert {key: coupon[key] for key in coupon if key not in ("type", "provider")} == friend.terms
    assert campaign.rewards.provider_of(friend) == ("ledger", friend.terms)
    assert Campaign.model_validate(campaign.model_dump(mode="json")) == campaign


@pytest.mark.parametrize(
    ("terms", "field", "message"),
    [
        ({"amount": 2}, f"{FRIEND}.amount", "must be left out: a coupon is one"),
        ({"currency": "EUR"}, f"{FRIEND}.currency", "must be left out: a coupon has none, its discount may have one"),
        ({"discount": None}, FRIEND, "must have the coupon's discount"),
        ({"discount": {}}, f"{FRIEND}.discount", ONE_DISCOUNT),
        ({"discount": {"free_shipping": False}}, f"{FRIEND}.discount", ONE_DISCOUNT),
        ({"discount": {"percent": 20, "product": "x"}}, f"{FRIEND}.discount", ONE_DISCOUNT),
        ({"discount": {"percent": 20, "currency": "EUR"}}, f"{FRIEND}.discount", "must have a currency only beside an amount"),
        ({"discount": {"percent": 0}}, f"{FRIEND}.discount.percent", "must be at least 1"),
        ({"discount": {"percent": 101}}, f"{FRIEND}.discount.percent", "must be at most 100"),
        ({"discount": {"percent": 12.5}}, f"{FRIEND}.discount.percent", "must be a whole number"),
        ({"discount": {"amount": "10.00"}}, f"{FRIEND}.discount.amount", "must have its currency beside it, such as EUR"),
        ({"discount": {"amount": 10.0, "currency": "EUR"}}, f"{FRIEND}.discount.amount", 'must be a decimal string in quotes, such as "25.00"'),
        ({"discount": {"amount": "0.00", "currency": "EUR"}}, f"{FRIEND}.discount.amount", "must be more than zero"),
        ({"discount": {"percnt": 20}}, f"{FRIEND}.discount.percnt", "is not a key here; did you mean percent?"),
        ({"pool": None}, FRIEND, "must have either the coupon's pool or its pattern"),
        ({"pattern": "THANKS-######"}, FRIEND, "must have either the coupon's pool or its pattern"),
        ({"pool": "No Pool"}, f"{FRIEND}.pool", SLUG),
        ({"pool": None, "pattern": "THANKS"}, f"{FRIEND}.pattern", "allows only 1 codes; at least 10000 are needed so that none can be guessed: add a # or more characters to the charset"),
        ({"valid_for": 30}, f"{FRIEND}.valid_for", ISO),
        ({"provider": "http"}, "rewards", "must give coupons by the ledger: add provider: ledger to them"),
        ({"target": {"card": "x"}}, "rewards", "must not have a target for coupons"),
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
    told = "must not have valid_for by voucherify: what it issues expires by its own rules"
    reward = POINTS | {"valid_for": "P1Y", "provider": "voucherify"}

    assert problems(with_(FRIEND, reward)) == [("rewards", told)]


@pytest.mark.parametrize(
    ("provider", "reward", "told"),
    [
        ("voucherify", COUPON, "must give coupons by the ledger: add provider: ledger to them"),
        ("ledger", COUPON | {"target": {"x": 1}}, "must not have a target for coupons"),
        ("http", POINTS | {"valid_for": "P1Y"}, "must not have valid_for by http: what it issues expires by its own rules"),
        ("ledger", POINTS | {"valid_for": "P1Y", "provider": "talon_one"}, "must not have valid_for by talon_one: what it issues expires by its own rules"),
    ],
)  # fmt: skip
def test_what_a_journey_grants_is_held_to_what_all_rewards_are(provider, reward, told):
    steps = [{"branch": {"when": "true", "then": [{"grant": {"to": "friend", "reward": reward}}]}}]
    journeys = [{"name": "x", "on": "referral_converted", "steps": steps}]
    rewards = SMALLEST["rewards"] | {"provider": provider}

    field = "journeys[0].steps[0].branch.then[0].grant.reward"
    assert problems(SMALLEST | {"rewards": rewards, "journeys": journeys}) == [(field, told)]


def test_all_mistakes_are_told_at_once():
    campaign = with_("code.uses", 0) | {"name": "", "landing_url": "x"}

    assert [field for field, _ in problems(campaign)] == ["name", "landing_url", "code.uses"]


@pytest.mark.parametrize("event", ["code_published", "referral_link_shared", "milestone_lost"])
def test_a_journey_about_an_advocate_alone_has_no_friend_to_write_to(event):
    journey = {
        "name": "x",
        "on": event,
        "steps": [{"send": SEND}, {"send": SEND | {"to": "friend"}}],
    }

    message = f"must not send to the friend: {event} is about the advocate alone"
    assert problems(SMALLEST | {"journeys": [journey]}) == [("journeys[0].steps", message)]


@pytest.mark.parametrize("event", sorted(OUTBOUND))
def test_a_journey_starts_on_an_outbound_event_that_it_does_not_cause(event):
    campaign = SMALLEST | {"journeys": [{"name": "x", "on": event, "steps": [{"send": SEND}]}]}

    if event.startswith("message_"):
        assert problems(campaign)
    else:
        assert Campaign.model_validate(campaign).journeys[0].on == event


@pytest.mark.parametrize("event", ["referral_link_clicked", "order_refunded", "birthday", ""])
def test_a_journey_does_not_start_on_anything_else(event):
    journey = {"name": "x", "on": event, "steps": [{"send": SEND}]}
    ((field, message),) = problems(SMALLEST | {"journeys": [journey]})

    assert field == "journeys[0].on"
    assert message.startswith("must be one of code_published, milestone_lost, milestone_reached")
    assert "message_" not in message


@pytest.mark.parametrize("event", sorted(INBOUND | OUTBOUND))
def test_a_conversion_is_no_event_that_has_a_meaning_already(event):
    assert problems(SMALLEST | {"conversion": {"event": event}})


@pytest.mark.parametrize("body", [None, 7, "text", [], [SMALLEST], True])
def test_what_is_no_mapping_is_no_campaign(body):
    assert problems(body) == [("", "must be a mapping of keys to values")]


def test_a_budget_of_money_is_in_the_decimals_of_its_currency():
    with pytest.raises(ValidationError, match="has 3 decimals, but EUR has 2"):
        Campaign.model_validate(with_("limits.budget", {"money": {"EUR": "1.005"}}))
