"""Qualify: which check answers, in which order, and with which sentence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from referrals.domain.campaign import Campaign
from referrals.domain.qualification import CodeFacts, FriendFacts, LimitUsage, Qualified, qualify
from referrals.domain.reasons import Reason, RejectReason, ReviewReason

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
DAY = timedelta(days=1)
CODE = CodeFacts(published=True, active=True, starts_at=None, expires_at=None, exhausted=False)
FRIEND = FriendFacts(
    is_advocate=False,
    already_referred=False,
    order_used=False,
    existing_customer=False,
    signed_up=False,
)
NO_USAGE = LimitUsage(campaign_conversions=0, advocate_conversions=0, last_rewardable_at=None)


def campaign(**parts) -> Campaign:
    reward = {"type": "points", "amount": 1}
    definition = {"campaign": "spring", "name": "Spring", "rewards": {"friend": reward}}
    return Campaign.model_validate(definition | parts)


COOLDOWN_REJECT = {"cooldown": {"period": "P1D", "on_hit": "reject"}}
RULE = {"name": "big", "when": "order.amount >= 80", "message": "Too small."}
ALL_WRONG = {
    "state": "paused",
    "code": replace(CODE, published=False, active=False, expires_at=NOW, exhausted=True),
    "friend": replace(FRIEND, is_advocate=True, already_referred=True, existing_customer=True),
    "usage": LimitUsage(campaign_conversions=1, advocate_conversions=1, last_rewardable_at=NOW),
}
LIMITED = campaign(
    conversion={"new_customers_only": True, "rules": [RULE]},
    limits={"conversions": 1, "per_advocate": {"count": 1}, **COOLDOWN_REJECT},
)


def decide(of: Campaign, context=None, at: datetime = NOW, left_out=(), **facts):
    known = {"state": "running", "code": CODE, "friend": FRIEND, "usage": NO_USAGE} | facts
    return qualify(
        of,
        known["state"],
        known["code"],
        known["friend"],
        known["usage"],
        context or {},
        at,
        left_out,
    )


def test_a_conversion_that_nothing_speaks_against_has_its_place_now():
    assert decide(campaign()) == Qualified(NOW)


def test_the_first_reason_in_the_order_of_the_stage_is_given():
    """Mended one after another, the reasons come up from code to rules."""
    facts = dict(ALL_WRONG)
    mended = [
        ("code_not_published", {"code": replace(facts["code"], published=True)}),
        ("code_inactive", {"code": replace(CODE, expires_at=NOW, exhausted=True)}),
        ("code_expired", {"code": replace(CODE, exhausted=True)}),
        ("campaign_not_running", {"state": "running"}),
        ("self_referral", {"friend": replace(facts["friend"], is_advocate=False)}),
        ("already_referred", {"friend": replace(FRIEND, existing_customer=True)}),
        ("existing_customer", {"friend": FRIEND}),
        ("code_exhausted", {"code": CODE}),
        ("campaign_limit_reached", {"usage": replace(facts["usage"], campaign_conversions=0)}),
        ("advocate_limit_reached", {"usage": LimitUsage(0, 0, NOW)}),
        ("in_cooldown", {"usage": NO_USAGE}),
    ]
    for reason, mend in mended:
        answer = decide(LIMITED, {"order": {"amount": 79.99}}, **facts)
        assert isinstance(answer, Reason)
        assert answer.code == reason
        facts |= mend

    assert decide(LIMITED, {"order": {"amount": 79.99}}, **facts) == Reason(
        RejectReason.RULE_FAILED, "Too small.", "big"
    )
    assert decide(LIMITED, {"order": {"amount": 80.00}}, **facts) == Qualified(NOW)


def test_a_rule_that_cannot_be_evaluated_is_broken_and_says_why():
    answer = decide(LIMITED, {"order": {}})

    assert isinstance(answer, Reason)
    assert answer.code == RejectReason.RULE_BROKEN
    assert (answer.message, answer.rule) == ("Too small.", "big")
    assert answer.diagnosis is not None
    assert "amount" in answer.diagnosis
    assert answer.as_dict() == {"code": "rule_broken", "message": "Too small.", "rule": "big"}


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "runs"),
    [
        (NOW, NOW + DAY, True),
        (NOW - DAY, NOW, False),
        (NOW + DAY, NOW + 2 * DAY, False),
    ],
)
def test_a_campaign_runs_from_its_start_to_just_before_its_end(starts_at, ends_at, runs: bool):
    answer = decide(campaign(starts_at=starts_at.isoformat(), ends_at=ends_at.isoformat()))

    assert isinstance(answer, Qualified) == runs


def test_a_sign_up_made_in_time_keeps_an_expired_code_but_not_one_switched_off():
    signed_up = replace(FRIEND, signed_up=True, existing_customer=True)
    expired = replace(CODE, expires_at=NOW - DAY)

    assert decide(LIMITED, {"order": {"amount": 80}}, friend=signed_up, code=expired) == Qualified(
        NOW
    )
    answer = decide(LIMITED, friend=signed_up, code=replace(CODE, active=False))
    assert isinstance(answer, Reason)
    assert answer.code == "code_inactive"


COOLDOWN_DEFER = {"cooldown": {"period": "P1D", "on_hit": "defer"}}


@pytest.mark.parametrize(
    ("hold", "last", "due"),
    [
        (None, None, NOW),
        (None, NOW - 2 * DAY, NOW),
        (None, NOW - DAY, NOW),
        (None, NOW, NOW + DAY),
        (None, NOW + 3 * DAY, NOW + 4 * DAY),
        ("P14D", None, NOW + 14 * DAY),
        ("P14D", NOW + 13 * DAY, NOW + 14 * DAY),
        ("P14D", NOW + 14 * DAY, NOW + 15 * DAY),
        ("P14D", NOW + 20 * DAY, NOW + 21 * DAY),
    ],
)
def test_the_advocates_rewards_are_spaced_by_the_cooldown_also_after_a_longer_hold(hold, last, due):
    conversion = {"hold": hold} if hold else {}
    usage = LimitUsage(0, 0, last)
    deferring = campaign(conversion=conversion, limits=COOLDOWN_DEFER)
    rejecting = campaign(conversion=conversion, limits=COOLDOWN_REJECT)
    delayed = due > NOW + (14 * DAY if hold else 0 * DAY)

    assert decide(deferring, usage=usage) == Qualified(due)
    answer = decide(rejecting, usage=usage)
    assert (answer.code if isinstance(answer, Reason) else "accepted") == (
        "in_cooldown" if delayed else "accepted"
    )


def test_a_rejecting_cooldown_says_from_when_a_conversion_is_accepted():
    held = campaign(conversion={"hold": "P14D"}, limits=COOLDOWN_REJECT)
    usage = LimitUsage(0, 0, NOW + 14 * DAY)

    answer = decide(held, usage=usage)

    assert isinstance(answer, Reason)
    assert answer.message == "The advocate's cooldown lasts until 2026-03-05 10:00 UTC."
    assert decide(held, at=NOW + DAY, usage=usage) == Qualified(NOW + 15 * DAY)


SHOE = {
    "name": "shoe",
    "when": "order.items.exists(i, has(i.sku) && i.sku == 'shoe')",
    "message": "No shoe.",
}
GERMAN = {"name": "german", "when": "has(friend.locale)", "message": "Germans only."}


@pytest.mark.parametrize(
    ("order", "left_out", "decision"),
    [
        ({"amount": 80, "items": []}, ["friend.locale"], ReviewReason.INCOMPLETE_DATA),
        ({"amount": 80, "items": []}, ["order.items[2].sku"], "rule_failed"),
        ({"amount": 80, "items": [{"sku": "shoe"}]}, ["order.items[2].sku"], "rule_failed"),
        ({"amount": 79, "items": []}, ["friend.locale"], "rule_failed"),
        ({"amount": 80, "items": []}, ["friend.phone"], "rule_failed"),
        ({"items": []}, ["friend.locale"], "rule_broken"),
    ],
)
def test_a_rule_that_reads_what_was_left_out_is_left_to_a_person(order, left_out, decision):
    """A rule that can be evaluated still refuses the conversion."""
    strict = campaign(conversion={"rules": [RULE, GERMAN]})

    answer = decide(strict, {"order": order, "friend": {}}, left_out=left_out)

    reason = answer.review if isinstance(answer, Qualified) else answer
    assert reason is not None
    assert reason.code == decision


def test_an_item_that_was_not_understood_leads_to_review_and_names_the_field():
    shoes = campaign(conversion={"rules": [SHOE]})

    answer = decide(shoes, {"order": {"items": []}}, left_out=["order.items[2].sku"])

    assert answer == Qualified(
        NOW,
        Reason(
            ReviewReason.INCOMPLETE_DATA,
            "The rule shoe reads a field that was left out: order.items[2].sku.",
            "shoe",
        ),
    )


def test_a_rule_that_no_longer_compiles_is_broken_also_where_fields_were_left_out():
    stored = campaign(conversion={"rules": [RULE]})
    broken = stored.conversion.rules[0].model_copy(update={"when": "order.gone >"})
    conversion = stored.conversion.model_copy(update={"rules": (broken,)})

    answer = decide(
        stored.model_copy(update={"conversion": conversion}), left_out=["friend.locale"]
    )

    assert isinstance(answer, Reason)
    assert answer.code == RejectReason.RULE_BROKEN
