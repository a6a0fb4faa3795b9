"""Stories that are refused, each with its line and what is wrong."""

import pytest

from referrals.domain.campaign import Campaign
from simulation.story_file import StoryError, load_story
from tests.harness.campaigns import THANKS, campaign, milestone

SPRING = Campaign.model_validate(
    campaign(
        rewards={"tiers": [milestone(2)]},
        journeys=THANKS,
        conversion={"event": "subscription_started"},
    )
)
CONVERSION = "type: subscription_started, data: {friend: {id: fay}}"


def errors_of(text: str) -> list[str]:
    with pytest.raises(StoryError) as raised:
        load_story(text, SPRING)
    return [str(error) for error in raised.value.errors]


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (
            "{type: referal_signed_up, data: {}}",
            (
                "line 2: [1].type: unknown event type; the campaign converts on subscription_started; "
                "did you mean referral_signed_up?"
            ),
        ),
        (
            "{type: referral_converted, data: {friend: {id: fay}}}",
            "line 2: [1].type: the campaign converts on subscription_started",
        ),
        (
            "{type: reward_granted, data: {}}",
            "line 2: [1].type: the engine publishes reward_granted itself; it takes no such event",
        ),
        (
            "{type: customer_registered, data: {custmer: {id: fay}, customer: {id: fay}}}",
            "line 2: [1].data.custmer: unknown field; left out",
        ),
        (
            "{type: referral_signed_up, data: {friend: {id: fay, mail: x}}}",
            "line 2: [1].data.friend.mail: unknown field; left out",
        ),
        (
            "{type: referral_signed_up}",
            "line 2: [1]: must have both type and data, or neither",
        ),
        ("{at: P1D}", "line 2: [1]: must have type (an event), publish, command or expect"),
        (
            "{publish: {customer: {id: ada}}, command: referral approve, of: fay}",
            "line 2: [1]: must have one of publish and command",
        ),
        ("{publish: {customer: {}}}", "line 2: [1].publish.customer.id: is required"),
        (
            "{command: referral aprove, of: fay}",
            (
                "line 2: [1].command: must be one of referral approve, referral reject, "
                "referral roll-back, referral reinstate, reward approve; did you mean referral approve?"
            ),
        ),
        ("{at: PT1H, expect: {}}", "line 2: [1].at: must not be earlier than the step before"),
        (
            "{at: tomorrow, expect: {}}",
            (
                "line 2: [1].at: must be a time since the start of the story, such as P3D or PT2H, "
                "or a time with its offset, such as 2026-03-04T10:00:00+01:00"
            ),
        ),
        (
            "{expect: {balance: {ada: {points: 1}}}}",
            "line 2: [1].expect.balance: unknown field; did you mean balances?",
        ),
        (
            "{expect: {balances: {ada: {points: many}}}}",
            'line 2: [1].expect.balances.ada.points: must be a number, such as 100, or "25.00" in quotes',
        ),
        (
            "{expect: {journeys: {thank_booth: 1}}}",
            (
                "line 2: [1].expect.journeys.thank_booth: the campaign has no journey thank_booth; "
                "did you mean thank_both?"
            ),
        ),
        (
            "{expect: {milestones: {ada: [at_3]}}}",
            "line 2: [1].expect.milestones.ada[0]: the campaign has no tier at_3; did you mean at_2?",
        ),
        (
            "{expect: {rewards: {ada: [{tier: ten}]}}}",
            "line 2: [1].expect.rewards.ada[0].tier: the campaign has no tier ten",
        ),
        (
            "{expect: {messages: {ada: [{template: thank_advocat}]}}}",
            (
                "line 2: [1].expect.messages.ada[0].template: the campaign has no message thank_advocat; "
                "did you mean thank_advocate?"
            ),
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(step, error):
    assert errors_of(f"- {{at: P1D, {CONVERSION}}}\n- {step}\n") == [error]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "the file is empty"),
        ("[]", "line 1: must have at least one step"),
        ("type: x", "line 1: must be a list"),
        ("- {at: &day P1D, expect: {}}\n- {at: *day, expect: {}}", "must not be a YAML alias"),
    ],
)
def test_a_file_that_is_no_story_is_refused(text, error):
    assert error in errors_of(text)[0]


def test_a_story_starts_with_its_first_time_else_with_the_campaign():
    given = load_story(
        "- {at: 2026-03-04T10:00:00+01:00, expect: {}}\n- {at: P1D, expect: {}}", SPRING
    )
    starts_at = {"starts_at": "2026-05-01T00:00:00+02:00"}
    later = Campaign.model_validate(campaign() | starts_at)

    assert [f"{at:%d %H:%M}" for _, at, _ in given.timed()] == ["04 10:00", "05 09:00"]
    assert load_story("- expect: {}", later).start == later.starts_at
    assert f"{load_story('- expect: {}', SPRING).start:%H:%M}" == "10:00"
