"""Qualify: which check answers, in which order, and with which sentence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from referrals.domain.campaign import Campaign
from referrals.domain.qualification import CodeFacts, FriendFacts, LimitUsage, due_at, qualify
from referrals.domain.reasons import Reason, RejectReason

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


def decide(of: Campaign, context=None, at: datetime = NOW, **facts):
    known = {"state": "running", "code": CODE, "friend": FRIEND, "usage": NO_USAGE} | facts
    return qualify(
        of, known["state"], known["code"], known["friend"], known["usage"], context or {}, at
    )


def test_a_conversion_that_nothing_speaks_against_has_its_place_now():
    assert decide(campaign()) == NOW


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
    assert decide(LIMITED, {"order": {"amount": 80.00}}, **facts) == NOW


def test_a_rule_that_cannot_be_answered_does_not_hold_and_says_why():
    answer = decide(LIMITED, {"order": {}})

    assert isinstance(answer, Reason)
    assert answer.code == RejectReason.RULE_FAILED
    assert (answer.message, answer.rule) == ("Too small.", "big")
    assert answer.diagnosis is not None
    assert "amount" in answer.diagnosis
    assert answer.as_dict() == {"code": "rule_failed", "message": "Too small.", "rule": "big"}


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

    assert isinstance(answer, datetime) == runs


def test_a_sign_up_made_in_time_keeps_an_expired_code_but_not_one_switched_off():
    signed_up = replace(FRIEND, signed_up=True, existing_customer=True)
    expired = replace(CODE, expires_at=NOW - DAY)

    assert decide(LIMITED, {"order": {"amount": 80}}, friend=signed_up, code=expired) == NOW
    answer = decide(LIMITED, friend=signed_up, code=replace(CODE, active=False))
    assert isinstance(answer, Reason)
    assert answer.code == "code_inactive"


def test_a_deferring_cooldown_returns_the_next_possible_time():
    deferring = campaign(limits={"cooldown": {"period": "P1D", "on_hit": "defer"}})

    assert decide(deferring, usage=LimitUsage(0, 0, NOW - 2 * DAY)) == NOW
    assert decide(deferring, usage=LimitUsage(0, 0, NOW)) == NOW + DAY
    assert decide(deferring, usage=LimitUsage(0, 0, NOW + 3 * DAY)) == NOW + 4 * DAY


def test_a_reward_is_due_at_the_later_of_the_holds_end_and_the_place():
    assert due_at(NOW, None, NOW) == NOW
    assert due_at(NOW, 14 * DAY, NOW) == NOW + 14 * DAY
    assert due_at(NOW + 20 * DAY, 14 * DAY, NOW) == NOW + 20 * DAY
