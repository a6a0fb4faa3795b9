"""`referrals journey test`: simulation of journeys from a file of events."""

import json

import pytest

CAMPAIGN = """\
campaign: spring
name: Spring
timezone: Europe/Berlin
rewards:
  friend: {type: points, amount: 50}
journeys:
  - name: nudge
    on: referral_signed_up
    exit_on: [referral_expired]
    steps:
      - wait: P2D
      - wait: {until: "09:00"}
      - send: {template: nudge_friend, to: friend, channels: [whatsapp, email]}
      - wait: {event: referral_converted, timeout: P5D}
      - branch:
          when: awaited.happened && order.amount >= 80.0
          then:
            - start_workflow: {type: VipOnboarding, task_queue: crm}
            - exit
          else:
            - send: {template: last_call, to: friend, channels: [email]}
      - send: {template: good_bye, to: friend, channels: [email]}
  - name: share
    on: referral_link_shared
    when: counts.confirmed > 0
    reentry: {after: P7D}
    steps:
      - send: {template: thank_sharing, to: advocate, channels: [log]}
  - name: paid
    on: reward_granted
    steps:
      - send: {template: reward_granted, to: advocate, channels: [log]}
      - send: {template: reward_granted, to: friend, channels: [log]}
  - name: alert
    on: reward_failed
    steps:
      - send: {template: reward_failed, to: operator, channels: [email]}
"""


def event(kind, time, **data):
    return {"type": kind, "time": f"2026-03-{time}Z", "data": data}


FAY, GUS = {"id": "fay"}, {"id": "gus", "timezone": "Asia/Tokyo"}
SIGN_UP = event("referral_signed_up", "04T10:00:00", friend=FAY)


@pytest.fixture
def simulate(run, tmp_path):
    """Simulate events and return one line `time friend: action` for each action."""

    def simulate(*events, campaign=CAMPAIGN, arguments=()):
        spring, file = tmp_path / "spring.yaml", tmp_path / "events.ndjson"
        spring.write_text(campaign)
        file.write_text("\n".join(map(json.dumps, events)))
        result = run("journey", "test", str(spring), "--event", str(file), "--json", *arguments)
        assert result.code == 0, result.err
        rows = result.json
        return [f"{row['at'][8:16]} {row['friend']}: {row['does']}" for row in rows]

    return simulate


def test_journey_is_simulated_to_its_end(simulate):
    assert simulate(SIGN_UP) == [
        "04T10:00 fay: starts with referral_signed_up",
        "04T10:00 fay: waits until 2026-03-06 10:00 UTC",
        "06T10:00 fay: waits until 2026-03-07 08:00 UTC",
        "07T08:00 fay: sends nudge_friend",
        "07T08:00 fay: waits for referral_converted, at most until 2026-03-12 08:00 UTC",
        "12T08:00 fay: referral_converted did not arrive",
        "12T08:00 fay: takes else: awaited.happened && order.amount >= 80.0",
        "12T08:00 fay: sends last_call",
        "12T08:00 fay: sends good_bye",
        "12T08:00 fay: is done",
    ]


def test_awaited_event_resumes_the_journey_with_its_data(simulate):
    order = {"id": "1", "amount": "119.90", "currency": "EUR"}
    bought = event("referral_converted", "08T12:00:00", friend=FAY, order=order)

    assert simulate(bought, SIGN_UP)[-5:] == [
        "08T12:00 fay: referral_converted arrived",
        "08T12:00 fay: takes then: awaited.happened && order.amount >= 80.0",
        "08T12:00 fay: starts VipOnboarding on crm",
        "08T12:00 fay: exits",
        "08T12:00 fay: is done",
    ]


def test_exit_event_ends_only_the_run_of_its_friend(simulate):
    other = event("referral_signed_up", "04T10:00:00", friend=GUS)
    expired = event("referral_expired", "05T10:00:00", friend=FAY)

    lines = simulate(SIGN_UP, other, expired)

    assert [line for line in lines if "fay" in line][
        -1
    ] == "05T10:00 fay: exits by referral_expired"
    assert "07T00:00 gus: sends nudge_friend" in lines  # 09:00 in Tokyo


def test_failed_conditions_and_reentry_are_reported(simulate):
    shares = [
        event("referral_link_shared", f"{day}T10:00:00", counts={"confirmed": count})
        for day, count in (("01", 0), ("02", 1), ("03", 1), ("09", 1))
    ]
    blind = event("referral_link_shared", "01T09:00:00")

    lines = simulate(blind, *shares)

    assert lines[0].startswith(
        "01T09:00 : does not start: counts.confirmed > 0 (cannot be evaluated: "
    )
    assert lines[1] == "01T10:00 : does not start: counts.confirmed > 0"
    assert [line for line in lines if "again" in line] == [
        "03T10:00 : does not start: it may not be entered again yet"
    ]
    assert sum("sends" in line for line in lines) == 2


def test_reward_is_announced_to_its_owner_only(simulate):
    granted = event("reward_granted", "01T10:00:00", friend=FAY, reward={"side": "friend"})

    assert sum("sends" in line for line in simulate(granted)) == 1


def test_failed_reward_is_announced_to_the_operator(simulate):
    failed = event("reward_failed", "01T10:00:00", friend=FAY, reward={"side": "friend"})

    assert simulate(failed) == [
        "01T10:00 fay: starts with reward_failed",
        "01T10:00 fay: sends reward_failed",
        "01T10:00 fay: is done",
    ]


GRANTING = """\
campaign: spring
name: Spring
conversion: {hold: P14D}
rewards:
  friend: {type: points, amount: 50}
journeys:
  - name: bonus
    on: referral_converted
    steps:
      - grant: {to: advocate, reward: {type: points, amount: 20}}
      - wait: P30D
      - grant: {to: friend, reward: {type: gift_credit, amount: "5.00", currency: EUR}}
  - name: ten
    on: milestone_reached
    steps:
      - wait: P1D
      - grant: {to: advocate, reward: {type: points, amount: 1000}}
"""


def test_grants_are_reported_with_due_time_and_owner(simulate):
    ten = {"milestone": {"name": "ten", "at": 10}}
    converted = event("referral_converted", "04T10:00:00", friend=FAY)
    other = event("referral_converted", "04T10:00:00", friend=GUS)
    back = event("referral_rolled_back", "05T10:00:00", friend=GUS)
    reached = event("milestone_reached", "04T10:00:00", **ten)

    lines = simulate(converted, other, back, reached, campaign=GRANTING)

    assert [line for line in lines if "grants" in line] == [
        "04T10:00 fay: grants 20 points, due 2026-03-18 10:00 UTC",
        "04T10:00 gus: grants 20 points, due 2026-03-18 10:00 UTC",
        "05T10:00 : grants 1000 points",
        "03T10:00 fay: grants 5.00 EUR",
        "03T10:00 gus: grants nothing: referral_rolled_back",
    ]
    lost = event("milestone_lost", "05T09:00:00", **ten)
    assert "05T10:00 : grants nothing: milestone_lost" in simulate(reached, lost, campaign=GRANTING)


def test_one_journey_can_be_selected_and_is_printed_as_a_table(run, tmp_path):
    (tmp_path / "spring.yaml").write_text(CAMPAIGN)
    (tmp_path / "event.json").write_text(json.dumps(SIGN_UP))
    files = (str(tmp_path / "spring.yaml"), "--event", str(tmp_path / "event.json"))

    shown = run("journey", "test", *files, "--journey", "nudge")

    assert shown.code == 0
    assert "sends nudge_friend" in shown.out
    assert "whatsapp, email" in shown.out
    none = run("journey", "test", *files, "--journey", "paid")
    assert (none.code, none.out) == (1, "")
    assert "Journeys start with reward_granted" in none.err
    unknown = run("journey", "test", *files, "--journey", "nugde")
    assert "Its journeys: nudge, share, paid, alert." in unknown.err


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, "must have a type"),
        ({"type": "referral_signed_up", "data": []}, "must have a type"),
        ({"type": "referral_signed_up", "time": "noon"}, "Invalid isoformat string"),
        ({"type": "referral_signed_up", "time": "2026-03-04T10:00:00"}, "with its offset"),
        ({"type": "referral_signed_up", "time": 7}, "must have a time"),
        ({"type": "referral_converted", "data": {"order": {"amount": "x"}}}, "event 1: "),
    ],
)
def test_invalid_event_is_reported(run, tmp_path, event, message):
    (tmp_path / "spring.yaml").write_text(CAMPAIGN)
    (tmp_path / "event.json").write_text(json.dumps([event]))

    result = run(
        "journey", "test", str(tmp_path / "spring.yaml"), "--event", str(tmp_path / "event.json")
    )

    assert (result.code, result.out) == (1, "")
    assert message in result.err


EARN = """
  - name: earn
    on: referral_converted
    steps:
      - track: {provider: talon_one, event: bought, to: advocate, attributes: {value: order.amount}}
"""


def test_tracked_event_shows_its_provider_and_attributes(simulate):
    order = {"id": "1", "amount": "119.90", "currency": "EUR"}
    bought = event("referral_converted", "08T12:00:00", friend=FAY, order=order)

    lines = simulate(bought, campaign=CAMPAIGN + EARN)

    assert "08T12:00 fay: tracks bought at talon_one with value=119.9" in lines
