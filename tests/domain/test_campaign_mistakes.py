"""Each mistake in a campaign is named, with its field and what would be right."""

from copy import deepcopy

import pytest

from tests.domain.campaigns import (
    FULL,
    ISO,
    OPERATOR,
    PERIOD,
    SEND,
    SLUG,
    bracketed,
    problems,
    with_,
)

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
    ("name", "\ud800", "contains an unpaired surrogate"),
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
    ("starts_at", "2026-13-01T00:00:00Z", "is not a valid date and time, such as 2026-03-04T10:00:00Z"),
    ("ends_at", "2026-03-01T00:00:00+01:00", "must be later than starts_at"),
    ("ends_at", "2026-02-28T22:59:59Z", "must be later than starts_at"),
    ("landing_url", "shop.example", "must be a URL that starts with http:// or https://"),
    ("landing_url", "ftp://shop.example", "must be a URL that starts with http:// or https://"),
    ("landing_url", "javascript:alert(1)", "must be a URL that starts with http:// or https://"),
    ("landing_url", "https://", "must be a URL that starts with http:// or https://"),
    ("messages.quiet_hours", "21-8", "must be two times of day, such as 21:00-08:00"),
    ("messages.quiet_hours", "08:00-08:00", "must be two different times of day"),
    ("messages.quiet_hours", ["21:00", "08:00"], "must be text"),
    ("publish_on", "order_placed", "must be 'customer_registered'"),
    ("code.pattern", "SPRING", "allows only 1 codes; at least 10000 are needed so that codes cannot be guessed: add a # or more characters to the charset"),
    ("code.pattern", "a b########", "must be 1 to 64 characters: # for a random one, letters and digits, and - _ . between them"),
    ("code.charset", "ABa", "has a character twice (codes are case-insensitive)"),
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
    ("conversion.event", "referral_converted", "must not be referral_converted, which is a reserved event name"),
    ("conversion.event", "reward_granted", "must not be reward_granted, which is a reserved event name"),
    ("conversion.event", "Sub Started", "must be 1 to 63 letters, digits, _, . and -, starting with a letter, such as subscription_started"),
    ("conversion.attribution_window", None, ISO),
    ("conversion.attribution_window", "P11Y", "must be longer than zero and at most P10Y"),
    ("conversion.new_customers_only", None, "must be true or false"),
    ("conversion.rules.0.name", "Minimum Order", SLUG),
    ("conversion.rules.0.when", "", "must not be empty"),
    ("conversion.rules.0.when", 80, "must be text"),
    ("conversion.rules.0.when", "order.amount >=", "minimum: line 1, column 16: the condition ends too early"),
    ("conversion.rules.0.when", "1 + 1", "minimum: line 1, column 1: gives a whole number, not true or false; compare it with a value"),
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
    ("limits.cooldown.period", "-P1D", PERIOD),
    ("limits.cooldown.on_hit", "ignore", "must be 'defer' or 'reject'"),
    ("limits.conversions", 0, "must be more than 0"),
    ("limits.budget", {}, "must have points, money or rewards"),
    ("rewards", {}, "must have a reward for the friend or tiers for the advocate"),
    ("rewards.friend.type", "cash", "must be 'points', 'gift_credit' or 'coupon'"),
    ("rewards.friend.amount", 0, POINTS_AMOUNT),
    ("rewards.friend.amount", -50, POINTS_AMOUNT),
    ("rewards.friend.amount", 10**9 + 1, POINTS_AMOUNT),
    ("rewards.friend.amount", 50.0, POINTS_AMOUNT),
    ("rewards.friend.amount", "50", POINTS_AMOUNT),
    ("rewards.friend.amount", True, POINTS_AMOUNT),
    ("rewards.friend.amount", None, POINTS_AMOUNT),
    ("rewards.friend.currency", "EUR", "must be left out: points have no currency"),
    (f"{CREDIT}.currency", "DEM", "must be an ISO 4217 currency code, such as EUR"),
    (f"{CREDIT}.currency", None, "is required for gift credit, such as EUR"),
    (f"{CREDIT}.amount", 25, 'must be a decimal string in quotes, such as "25.00"'),
    (f"{CREDIT}.amount", 25.0, 'must be a decimal string in quotes, such as "25.00"'),
    (f"{CREDIT}.amount", "0.00", "must be more than zero"),
    (f"{CREDIT}.amount", "25.001", "has 3 decimals, but EUR has 2"),
    (f"{CREDIT}.amount", "-25", "must not be negative"),
    ("rewards.tiers.1.at", 0, "must be more than 0"),
    ("rewards.provider", "paypal", "must be 'ledger', 'voucherify', 'talon_one' or 'http'"),
    ("rewards.provider", {"a": 1}, "must be 'ledger', 'voucherify', 'talon_one' or 'http'"),
    ("rewards.approval", {"above": 500}, "must be 'manual'"),
    ("rewards.rollback.allow_negative", "no", "must be true or false"),
    ("journeys.0.name", "Ten Friends", SLUG),
    ("journeys.0.on", "message_sent", "must not be message_sent: each message that the journey sends would start it again"),
    ("journeys.0.when", "milestone.at = 10", "ten: line 1, column 14: = is no comparison; write =="),
    ("journeys.0.steps", [], "must not be empty"),
    ("journeys.0.steps.0.send.template", "../secret", SLUG),
    ("journeys.0.steps.0.send.to", "everyone", "must be 'advocate', 'friend' or 'operator'"),
    ("journeys.0.steps.0.send.channels", [], "must not be empty"),
    ("journeys.0.steps.0.send.channels", "email", "must be a list"),
    ("journeys", [FULL["journeys"][0]] * 2, "has two entries named ten"),
]  # fmt: skip
"""The path that is changed, to what, and what is said about it."""


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
        ("journeys.0.steps.0.send.to", "friend", "journeys[0].steps", "must not send to the friend: milestone_reached concerns the advocate alone"),
        ("journeys.0.steps.0.send", OPERATOR, "journeys[0].steps[0].send", "must not send to the operator by whatsapp; use email or log"),
        ("journeys.0.steps.0.send.channels", ["email", "sms"], "journeys[0].steps[0].send.channels[1]", "must be 'whatsapp', 'email', 'http' or 'log'"),
        ("journeys.0.steps.0", {"sned": SEND}, "journeys[0].steps[0].sned", "unknown field; did you mean send?"),
        ("colour", "red", "colour", "unknown field"),
        ("ends_on", "2026-06-01T00:00:00Z", "ends_on", "unknown field; did you mean ends_at?"),
        ("conversion.rule", [], "conversion.rule", "unknown field; did you mean rules?"),
        ("rewards.tiers.0.ech", True, "rewards.tiers[0].ech", "unknown field; did you mean each?"),
        ("rewards.friend.curency", "EUR", "rewards.friend.curency", "unknown field; did you mean currency?"),
        ("journeys.0.reentry", {"after": "P1D", "before": 1}, "journeys[0].reentry.before", "unknown field"),
        ("journeys.0.steps.0", {"branch": {"when": "true", "else": [{"sned": SEND}]}}, "journeys[0].steps[0].branch.else[0].sned", "unknown field; did you mean send?"),
        ("journeys.0.steps.0.send.chanels", [], "journeys[0].steps[0].send.chanels", "unknown field; did you mean channels?"),
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
