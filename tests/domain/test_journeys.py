"""Journeys: what their file says, and the interpreter that plays them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from referrals.campaign_file import campaign_errors
from referrals.domain.event_names import OUTBOUND
from referrals.domain.journey_interpreter import (
    JourneyPlan,
    JourneyPosition,
    advance,
    start_waiting,
    wake_up,
)
from referrals.domain.journey_steps import WaitStep
from referrals.domain.journeys import MAX_STEPS, Journey
from referrals.domain.tracking import TrackStep

SEND = {"send": {"template": "nudge_friend", "to": "friend", "channels": ["log"]}}
POINTS = {"type": "points", "amount": 20}
COUPON = {"type": "coupon", "pattern": "THANKS-########", "discount": {"percent": 10}}
CONVERTED = "referral_converted"
GRANT = {"grant": {"to": "friend", "reward": POINTS}}
DURATION = "must be an ISO 8601 duration, such as P14D or PT12H"
TIME = 'must be a time of day in quotes, such as "09:00"'
ONE = "must be exactly one of branch, exit, grant, send, start_workflow, track, wait, webhook"
TRACK = {"provider": "voucherify", "event": "friend_bought", "to": "advocate"}
NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)


def journey(*steps, **keys):
    return {"name": "nudge", "on": "referral_signed_up", "steps": list(steps)} | keys


def of(*steps, **keys):
    return Journey.model_validate(journey(*steps, **keys))


@pytest.mark.parametrize(
    ("step", "field", "message"),
    [
        ({"wait": {}}, "wait", 'must be a duration, {until: "09:00"} or {event, timeout}'),
        ({"wait": {"event": "referral_expired"}}, "wait", "must have both event and timeout"),
        ({"wait": 7}, "wait.duration", DURATION),
        ({"wait": "two days"}, "wait.duration", DURATION),
        ({"wait": {"until": 540}}, "wait.until", TIME),
        ({"wait": {"until": "24:00"}}, "wait.until", TIME),
        ({"wait": {"event": "birthday", "timeout": "P1D"}}, "wait.event", None),
        ({"branch": {"when": "true"}}, "branch", "must have steps in then or else"),
        ({"branch": {"when": "counts.x > 1", "then": [SEND]}}, "branch.when", None),
        ({"branch": {"when": "true", "else": [{"wait": 1}]}}, "branch.else[0].wait.duration", DURATION),
        ({"start_workflow": {"type": "X"}}, "start_workflow.task_queue", "is required"),
        ({"grant": {"reward": POINTS}}, "grant.to", "is required"),
        ({"grant": {"to": "operator", "reward": POINTS}}, "grant.to", "must be 'advocate' or 'friend'"),
        ({"grant": {"to": "friend", "reward": POINTS | {"pool": "x"}}}, "grant.reward", "must not have pool, which only coupons have"),
        (GRANT, "grant", "must not be in a journey on referral_signed_up: there is no conversion yet; use referral_converted"),
        ({"branch": {"when": "true", "else": ["exit", GRANT]}}, "branch.else[1].grant", "must not be in a journey on referral_signed_up: there is no conversion yet; use referral_converted"),
        ({"webhook": {"url": "ftp://crm"}}, "webhook.url", "must be a URL such as https://shop.example/hooks"),
        ({"track": TRACK | {"provider": "http"}}, "track.provider", "must be 'voucherify' or 'talon_one'"),
        ({"track": TRACK | {"to": "operator"}}, "track.to", "must be 'advocate' or 'friend'"),
        ({"track": TRACK | {"event": " "}}, "track.event", None),
        *[
            ({"track": TRACK | {"attributes": {"value": path}}}, "track.attributes.value", None)
            for path in ("", "order", "order.items", "order.price", "friend.email", "advocate.name", "event.a.b", "awaited")
        ],
        ({"track": TRACK | {"attributes": {"a b": "order.amount"}}}, "track.attributes.a b.[key]", "must be 1 to 64 letters, digits or _, and start with a letter"),
        ({"exit": False}, "", ONE),
        (SEND | {"wait": "P2D"}, "", ONE),
        ({}, "", ONE),
        ("go", "", "must be a mapping of keys to values"),
    ],
    ids=repr,
)  # fmt: skip
def test_a_step_that_cannot_be_is_refused_with_its_place(step, field, message):
    with pytest.raises(ValidationError) as refused:
        of(SEND, step)

    (problem,) = campaign_errors(refused.value)
    assert problem.field == f"steps[1].{field}".rstrip(".")
    assert message is None or problem.message == message


@pytest.mark.parametrize(
    ("keys", "field", "message"),
    [
        ({"exit_on": "referral_expired"}, "exit_on", "must be a list"),
        ({"exit_on": ["message_sent"]}, "exit_on[0]", "must not be message_sent: each message that the journey sends would start it again"),
        ({"reentry": "sometimes"}, "reentry", "must be never, always or {after: DURATION}"),
        ({"steps": [SEND] * 51}, "steps", "must have at most 50 steps, including those of branches"),
        ({"steps": [{"branch": {"when": "true", "then": [SEND] * 50}}]}, "steps", "must have at most 50 steps, including those of branches"),
        ({"steps": [{"wait": "P1Y"}, {"branch": {"when": "true", "else": [{"wait": "P366D"}]}}]}, "steps", "must not wait for more than 730 days in total"),
    ],
)  # fmt: skip
def test_a_journey_that_cannot_be_is_refused_with_its_place(keys, field, message):
    with pytest.raises(ValidationError) as refused:
        of(SEND, **keys)

    assert [(p.field, p.message) for p in campaign_errors(refused.value)] == [(field, message)]


def test_a_branch_that_writes_to_the_friend_has_one():
    branch = {"branch": {"when": "true", "else": [SEND]}}

    with pytest.raises(ValidationError, match="milestone_lost concerns the advocate alone"):
        of(branch, on="milestone_lost")


SUBJECTS = {"referral_converted", "referral_held", "referral_reinstated", "milestone_reached"}
LOOPS = "each granted reward would start the journey again"
ROLLED_BACK_AT_ONCE = "the reward would be rolled back at once"


@pytest.mark.parametrize("event", sorted(OUTBOUND))
def test_a_journey_grants_where_its_event_is_about_what_a_reward_can_belong_to(event):
    to_advocate = {"grant": GRANT["grant"] | {"to": "advocate"}}
    if event in SUBJECTS:
        assert of(to_advocate, on=event).has_grants
        return
    with pytest.raises(ValidationError) as refused:
        of(to_advocate, on=event)
    (problem,) = campaign_errors(refused.value)
    if event.startswith("reward_"):
        assert problem.message == f"must not be in a journey on {event}: {LOOPS}"
    if event in ("referral_rejected", "referral_expired", "referral_rolled_back", "milestone_lost"):
        assert problem.message == f"must not be in a journey on {event}: {ROLLED_BACK_AT_ONCE}"


def test_a_milestone_tracks_nothing_of_a_friend():
    with pytest.raises(ValidationError) as refused:
        of({"track": TRACK | {"to": "friend"}}, on="milestone_reached")

    (problem,) = campaign_errors(refused.value)
    assert problem.field == "steps[0].track.to"
    assert problem.message == (
        "must not be the friend: milestone_reached concerns the advocate alone"
    )


def test_tracked_attributes_are_the_values_that_there_are():
    names = {
        "amount": "order.amount",
        "id": "friend.id",
        "plan": "event.plan",
        "tier": "reward.tier",
    }
    step = TrackStep.model_validate(TRACK | {"attributes": names})

    values = step.values({"order": {"amount": 80.5}, "event": {"plan": ["a"]}, "reward": {}})

    assert values == {"amount": 80.5}


def test_a_milestone_grants_nothing_to_a_friend():
    with pytest.raises(ValidationError) as refused:
        of({"wait": "P1D"}, GRANT, on="milestone_reached")

    message = "must not be the friend: milestone_reached concerns the advocate alone"
    assert [(p.field, p.message) for p in campaign_errors(refused.value)] == [
        ("steps[1].grant.to", message)
    ]


STEPS = st.deferred(lambda: st.lists(STEP, min_size=1, max_size=3))
STEP = st.one_of(
    st.sampled_from([
        SEND,
        {"wait": "P2D"},
        {"wait": {"until": "09:00"}},
        {"wait": {"event": "referral_converted", "timeout": "P1D"}},
        {"start_workflow": {"type": "Vip", "task_queue": "crm", "namespace": "sales"}},
        GRANT,
        {"grant": {"to": "advocate", "reward": COUPON}},
        "exit",
    ]),
    st.builds(
        lambda then, other: {"branch": {"when": "true", "then": then, "else": other}},
        st.lists(st.just(SEND), min_size=1, max_size=2) | STEPS,
        st.just([]) | STEPS,
    ),
)  # fmt: skip


def size(steps):
    branches = [step["branch"] for step in steps if "branch" in step]
    return len(steps) + sum(size(branch["then"]) + size(branch["else"]) for branch in branches)


@given(STEPS.filter(lambda steps: size(steps) <= MAX_STEPS))
def test_a_journey_survives_json(steps):
    valid = of(*steps, on=CONVERTED, reentry={"after": "P2D"}, exit_on=["referral_expired"])

    assert Journey.model_validate_json(valid.model_dump_json()) == valid
    assert Journey.model_validate(valid.model_dump(mode="json")) == valid


@given(STEPS.filter(lambda steps: size(steps) <= MAX_STEPS), st.data())
def test_a_run_advances_to_its_end_through_any_branches(steps, data):
    expected = []

    def read(steps):
        """Interpret the journey recursively; return True at an `exit`."""
        for step in steps:
            expected.append("exit" if step == "exit" else next(iter(step)))
            if step == "exit":
                return True
            if "branch" in step:
                answers.append(data.draw(st.booleans()))
                if read(step["branch"]["then" if answers[-1] else "else"]):
                    return True
        return False

    answers = []
    read(steps)
    plan, position, taken = JourneyPlan(of(*steps, on=CONVERTED)), JourneyPosition(), []
    while planned := plan.step_at(position):
        taken.append(next(iter(planned.step.model_fields_set)))
        holds = answers.pop(0) if planned.step.branch else True
        after = advance(position, planned, holds=holds)
        assert after.step_index > position.step_index
        position = after

    assert taken == expected


def wait(**keys):
    return WaitStep.model_validate(keys)


@pytest.mark.parametrize(
    ("now", "until", "zone", "local"),
    [
        ("2026-03-04T07:59:00", "09:00", "Europe/Berlin", "2026-03-04T09:00:00+01:00"),
        ("2026-03-04T08:00:00", "09:00", "Europe/Berlin", "2026-03-04T09:00:00+01:00"),
        ("2026-03-04T08:00:01", "09:00", "Europe/Berlin", "2026-03-05T09:00:00+01:00"),
        # Where it is tomorrow already, and where it is still yesterday.
        ("2026-03-04T23:00:00", "09:00", "Asia/Tokyo", "2026-03-05T09:00:00+09:00"),
        ("2026-03-04T03:00:00", "23:00", "America/New_York", "2026-03-03T23:00:00-05:00"),
        # Clocks go forward: a day of 23 hours; 02:30 is skipped, and comes as 03:30.
        ("2026-03-28T08:00:01", "09:00", "Europe/Berlin", "2026-03-29T09:00:00+02:00"),
        ("2026-03-29T00:00:00", "02:30", "Europe/Berlin", "2026-03-29T03:30:00+02:00"),
        # Clocks go back: a day of 25 hours; 02:30 comes twice, and the first is taken.
        ("2026-10-24T07:00:01", "09:00", "Europe/Berlin", "2026-10-25T09:00:00+01:00"),
        ("2026-10-25T00:00:00", "02:30", "Europe/Berlin", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25T00:45:00", "02:30", "Europe/Berlin", "2026-10-26T02:30:00+01:00"),
    ],
)
def test_a_time_of_day_is_the_next_that_local_clocks_show(now, until, zone, local):
    now = datetime.fromisoformat(now).replace(tzinfo=UTC)

    position = start_waiting(JourneyPosition(), wait(until=until), now, zone)

    assert position.wake_at.astimezone(ZoneInfo(zone)).isoformat() == local


MOMENTS = st.timedeltas(timedelta(0), timedelta(days=2000)).map(lambda passed: NOW + passed)


@given(
    MOMENTS,
    st.times().map(lambda time: f"{time:%H:%M}"),
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Asia/Kathmandu"]),
)
def test_a_time_of_day_is_never_more_than_a_day_and_an_hour_away(now, until, zone):
    position = start_waiting(JourneyPosition(), wait(until=until), now, zone)

    assert now <= position.wake_at <= now + timedelta(hours=26)


AWAIT = {"event": "referral_converted", "timeout": "P3D"}


def test_a_wait_is_over_when_its_time_has_come_and_not_before():
    plan = JourneyPlan(of({"wait": "P2D"}, SEND))
    planned = plan.step_at(JourneyPosition())
    position = start_waiting(JourneyPosition(), planned.step.wait, NOW, "UTC")

    assert wake_up(position, planned, NOW + timedelta(days=1)) is position
    assert wake_up(position, planned, NOW + timedelta(days=2)) == JourneyPosition(1)


@pytest.mark.parametrize("happened", [True, False])
def test_an_awaited_event_or_its_time_out_ends_the_wait_and_says_which(happened):
    plan = JourneyPlan(of({"wait": AWAIT}, {"wait": "P1D"}, SEND))
    planned = plan.step_at(JourneyPosition())
    position = start_waiting(
        JourneyPosition(awaited_event_received=True), planned.step.wait, NOW, "UTC"
    )
    assert not position.awaited_event_received
    if happened:
        position = JourneyPosition(
            0, position.wake_at, position.awaited_event, awaited_event_received=True
        )

    after = wake_up(position, planned, NOW + timedelta(days=0 if happened else 3))
    assert after == JourneyPosition(1, awaited_event_received=happened)

    # A wait for a time afterwards takes its time, and does not forget it.
    second = plan.step_at(after)
    later = start_waiting(after, second.step.wait, NOW, "UTC")
    assert wake_up(later, second, NOW) is later
    assert wake_up(later, second, NOW + timedelta(days=1)) == JourneyPosition(
        2, awaited_event_received=happened
    )


def test_the_day_that_counts_is_that_of_whom_the_next_message_goes_to():
    to_advocate = {"send": SEND["send"] | {"to": "advocate"}}
    plan = JourneyPlan(
        of({"wait": "P1D"}, {"branch": {"when": "true", "then": [to_advocate]}}, SEND)
    )

    assert [plan.next_recipient(number) for number in range(5)] == [
        "advocate", "advocate", "advocate", "friend", None
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "when", "absent"),
    [
        ("code_published", "order.amount >= 80", "order"),
        ("referral_link_shared", "has(friend.locale)", "friend"),
        ("referral_signed_up", "order.amount >= 80", "order"),
        ("referral_signed_up", "event.plan == 'pro'", "event"),
        ("referral_converted", "milestone.at == 10", "milestone"),
        ("referral_converted", "reward.side == 'friend'", "reward"),
        ("milestone_reached", "reward.side == 'friend'", "reward"),
        ("referral_converted", "awaited.happened", "awaited"),
        ("referral_signed_up", "has(friend.locale)", None),
        ("referral_converted", "order.amount >= 80", None),
        ("milestone_reached", "milestone.at == 10 && order.amount > 3", None),
        ("reward_granted", "milestone.at == 10 || reward.milestone", None),
    ],
)
def test_a_journey_starts_on_a_condition_about_what_is_known(event, when, absent):
    journey = {"name": "n", "on": event, "when": when, "steps": ["exit"]}
    if absent is None:
        assert Journey.model_validate(journey).when == when
    else:
        message = f"reads {absent}, but nothing is known about it on {event}"
        with pytest.raises(ValidationError, match=message):
            Journey.model_validate(journey)
