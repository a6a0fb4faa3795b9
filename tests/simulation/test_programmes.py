"""Whole programmes in skipped time: retries, failures, long runs, expiry, and what a story can expect."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from referrals.domain.campaign import Campaign
from referrals.providers import Grant, PermanentError, Receipt, RetryAfterError
from referrals.settings import Settings
from simulation import engine as engine_module
from simulation.engine import open_simulation
from simulation.player import Performance, play_story
from simulation.stand_ins import StandInProvider
from simulation.story_file import load_story
from tests.harness.campaigns import EACH, POINTS_50, campaign, milestone

START = datetime(2026, 3, 4, 10, tzinfo=UTC)
PUBLISH = "- {at: 2026-03-04T10:00:00Z, publish: {customer: {id: ada}}}\n"


def buys(at: str, friend: str, expect: str = "{}") -> str:
    """Return the step in which a friend orders with ada's code."""
    data = f"{{code: {{of: ada}}, friend: {{id: {friend}}}, order: {{id: of-{friend}, amount: '90', currency: EUR}}}}"
    return f"- {{at: {at}, type: referral_converted, data: {data}, expect: {expect}}}\n"


async def play(definition: dict[str, Any], text: str) -> Performance:
    parsed = Campaign.model_validate(definition)
    story = load_story(text, parsed)
    async with open_simulation(Settings(), story.start) as engine:
        return await play_story(engine, parsed, story)


def failures(performance: Performance) -> list[str]:
    return [str(failure) for failure in performance.failures()]


def times(performance: Performance, what: str) -> list[timedelta]:
    """Return how long after the start something happened."""
    return [entry.at - START for entry in performance.timeline if entry.what == what]


async def test_hold_review_cooldown_and_approval_pass_at_their_times():
    definition = campaign(
        conversion={"hold": "P14D", "review": "manual"},
        limits={"cooldown": {"period": "P2D", "on_hit": "defer"}},
        rewards={"friend": POINTS_50, "tiers": [EACH, milestone(2)], "approval": "manual"},
    )
    performance = await play(
        definition,
        PUBLISH
        + buys("P1D", "eve", "{decision: held, referrals: {eve: in_review}}")
        + buys("P1DT1H", "fay", "{rewards: {ada: [{due: P15D}, {due: P17D}]}}")
        + "- {at: P2D, command: referral approve, of: eve, expect: {referrals: {eve: held}}}\n"
        "- {at: P2D, command: referral approve, of: fay}\n"
        "- {at: P16D, expect: {referrals: {eve: confirmed, fay: confirmed}, milestones: {ada: [at_2]}}}\n"
        "- {at: P16D, expect: {balances: {ada: {points: 0}}}}\n"
        "- {at: P18D, command: reward approve, of: ada, expect: {balances: {ada: {points: 1200}}}}\n"
        "- {at: P18D, command: reward approve, of: ada, expect: {refused: true}}\n",
    )

    assert failures(performance) == []


class Flaky(StandInProvider):
    """Is busy twice, for six hours each, and refuses rewards for bob."""

    calls = 0

    async def grant(self, grant: Grant) -> Receipt:
        if grant.customer == "bob":
            raise PermanentError("no_such_member", "There is no bob.")
        Flaky.calls += 1
        if Flaky.calls <= 2:
            raise RetryAfterError("busy", timedelta(hours=6))
        return Receipt("booked")


async def test_rewards_of_a_provider_are_retried_when_it_says_and_failures_show(monkeypatch):
    monkeypatch.setattr(engine_module, "StandInProvider", Flaky)
    definition = campaign(rewards={"tiers": [EACH], "friend": POINTS_50, "provider": "http"})
    performance = await play(
        definition,
        PUBLISH + buys("P1D", "bob", "{rewards: {bob: [{state: failed, provider: http}]}}"),
    )

    assert failures(performance) == []
    assert times(performance, "reward_granted") == [timedelta(days=1, hours=12)]
    assert times(performance, "reward_failed") == [timedelta(days=1)]


async def test_runs_that_continue_as_new_go_on(monkeypatch):
    monkeypatch.setattr("workflows.base.MAX_UPDATES_PER_RUN", 1)
    definition = campaign(conversion={"hold": "P1D", "review": "manual"})
    performance = await play(
        definition,
        PUBLISH
        + buys("P1D", "eve")
        + "- {at: P3D, command: referral approve, of: eve, expect: {balances: {ada: {points: 100}}}}\n",
    )

    assert failures(performance) == []


async def test_points_expire_in_the_hour_after_their_time():
    points = {"type": "points", "amount": 50, "valid_for": "P30D"}
    performance = await play(
        campaign(rewards={"friend": points}),
        PUBLISH
        + buys("PT30M", "eve")
        + "- {at: P30DT55M, expect: {balances: {eve: {points: 50}}}}\n"
        "- {at: P30DT1H, expect: {balances: {eve: {points: 0}}}}\n",
    )

    assert failures(performance) == []


async def test_expectations_that_fail_say_what_was_found():
    wrong = (
        "{decision: rejected, reason: in_cooldown, referrals: {eve: held, fay: rewarded}, "
        "balances: {ada: {points: 99, EUR: '1.00'}}, milestones: {ada: [at_2]}, "
        "rewards: {ada: [{amount: 100, times: 2}], eve: []}, messages: {ada: [{template: hello}]}}"
    )
    definition = campaign(
        rewards={"friend": POINTS_50, "tiers": [EACH, milestone(2)]},
        journeys=[
            {
                "name": "hello",
                "on": "referral_expired",
                "steps": [{"send": {"template": "hello", "to": "advocate", "channels": ["log"]}}],
            }
        ],
    )
    performance = await play(
        definition,
        PUBLISH + buys("P1D", "eve", wrong) + "- {command: referral approve, of: eve}\n",
    )

    assert failures(performance) == [
        "line 2: [1].expect.decision: expected rejected, but found accepted",
        "line 2: [1].expect.reason: expected in_cooldown, but found none",
        "line 2: [1].expect.referrals.eve: expected held, but found rewarded",
        "line 2: [1].expect.referrals.fay: expected rewarded, but found no referral",
        "line 2: [1].expect.balances.ada.points: expected 99, but found 100",
        "line 2: [1].expect.balances.ada.EUR: expected 1, but found 0",
        "line 2: [1].expect.milestones.ada: expected at_2, but found none",
        "line 2: [1].expect.rewards.ada: expected 2 times 100, but found 100 points each_friend ledger granted 2026-03-05 10:00 UTC",
        "line 2: [1].expect.rewards.eve: expected none, but found 50 points ledger granted 2026-03-05 10:00 UTC",
        "line 2: [1].expect.messages.ada: expected hello, but found none",
        "line 3: [2].expect.refused: expected accepted, but found refused: The referral is rewarded, not in review.",
    ]


@pytest.mark.parametrize("code", ["{of: bob}", "NO-SUCH-CODE"])
async def test_a_code_that_nobody_has_is_refused_or_rejected(code):
    sign_up = f"- {{type: referral_signed_up, data: {{code: {code}, friend: {{id: fay}}}}}}\n"
    performance = await play(campaign(), PUBLISH + sign_up)

    (entry,) = [entry for entry in performance.timeline if entry.what == "referral_signed_up"]
    expected = {
        "{of: bob}": "refused: bob has no code at this time. Publish one to bob before.",
        "NO-SUCH-CODE": "rejected: There is no such referral code.",
    }
    assert entry.details == expected[code]
