"""`referrals campaign test`: what it prints, and when it fails."""

import json

import pytest

from tests.harness.campaigns import EXAMPLE_CAMPAIGNS, EXAMPLES

CAMPAIGN = """\
campaign: spring
name: Spring
timezone: Europe/Berlin
rewards:
  friend: {type: points, amount: 50}
journeys:
  - name: welcome
    on: referral_signed_up
    steps:
      - wait: P2D
      - branch:
          when: counts.confirmed > 0
          then: [exit]
          else:
            - send: {template: nudge_friend, to: friend, channels: [log]}
            - webhook: {url: "https://shop.example/hooks"}
            - start_workflow: {type: Crm, task_queue: crm, namespace: sales}
  - name: alert
    on: reward_failed
    when: reward.type == "points"
    steps:
      - send: {template: reward_failed, to: operator, channels: [log]}
"""
EVENTS = """\
- {at: 2026-03-04T10:00:00+01:00, publish: {customer: {id: ada}}}
- {at: P1D, type: referral_signed_up, data: {code: {of: ada}, friend: {id: fay}}}
- {at: P4D, expect: {messages: {fay: [{template: nudge_friend}]}, journeys: {alert: 0}}}
"""


@pytest.fixture
def play(run, tmp_path):
    """Test a campaign with events, each the text of its file."""

    def play(campaign=CAMPAIGN, events=EVENTS, *arguments):
        spring, story = tmp_path / "spring.yaml", tmp_path / "spring.events.yaml"
        spring.write_text(campaign)
        if events is not None:
            story.write_text(events)
        return run("campaign", "test", str(spring), *arguments)

    return play


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.events.yaml")), ids=lambda file: file.name)
def test_each_example_does_what_its_events_expect(run, file):
    campaign = file.with_name(file.name.replace(".events", ""))

    result = run("campaign", "test", str(campaign), "--event", str(file), "--json")

    assert (result.code, result.err) == (0, "")
    assert all(check["holds"] for check in result.json["checks"])


def test_every_example_has_events():
    assert {file.with_suffix(".events.yaml") for file in EXAMPLE_CAMPAIGNS} == set(
        EXAMPLES.glob("*.events.yaml")
    )


def test_events_beside_the_campaign_are_played_and_printed_as_a_timeline(play):
    result = play()

    assert result.code == 0, result.err
    lines = [" ".join(line.replace("│", " ").split()) for line in result.out.splitlines()]
    assert "1 2026-03-05 10:00 fay > referral_signed_up accepted" in lines
    assert "1 2026-03-05 10:00 fay journey welcome waits until 2026-03-07 09:00 UTC" in lines
    assert "3 2026-03-07 10:00 fay journey welcome takes else: counts.confirmed > 0" in lines
    assert "3 2026-03-07 10:00 fay journey welcome posts to https://shop.example/hooks" in lines
    assert "3 2026-03-07 10:00 fay journey welcome starts the workflow Crm" in lines
    assert any("fay message_sent nudge_friend by log" in line for line in lines)
    assert lines[-1] == "All 2 expectations hold."


def test_failed_expectations_and_idle_journeys_end_with_exit_code_1(play, tmp_path):
    events = EVENTS.replace("P4D", "P2D").replace(", journeys: {alert: 0}", "")

    result = play(CAMPAIGN, events)

    assert result.code == 1
    assert result.err.splitlines() == [
        "Error: 1 of 1 expectations failed and 1 journeys never started.",
        f"  {tmp_path}/spring.events.yaml:3: [2].expect.messages.fay: expected nudge_friend, but found none",
        (
            f"  {tmp_path}/spring.yaml:18: journeys[1].name: alert never starts; it starts on reward_failed "
            'when reward.type == "points". Add an event that leads to it, or expect journeys: {alert: 0}'
        ),
    ]


def test_a_campaign_without_events_is_played_with_a_standard_story(play):
    result = play(CAMPAIGN, None)

    assert result.code == 0, result.err
    assert "order_refunded" in result.out
    assert "alert never starts; it starts on reward_failed" in result.out


def test_invalid_events_and_templates_are_refused_with_file_and_line(play, tmp_path):
    events = play(CAMPAIGN, "- {at: P1D, type: orderd, data: {}}\n")
    template = play(CAMPAIGN.replace("nudge_friend", "nudge_freind"))

    assert events.code == template.code == 1
    assert f"{tmp_path}/spring.events.yaml:1: [0].type: unknown event type" in events.err
    assert (
        f"{tmp_path}/spring.yaml:15: journeys[0].steps[1].branch.else[0].send.template: "
        "there is no template en/nudge_freind.jinja; did you mean nudge_friend?"
    ) in template.err


def test_json_has_the_timeline_and_the_checks(play):
    result = play(CAMPAIGN, EVENTS, "--json")

    assert result.json["start"] == "2026-03-04T09:00:00+00:00"
    assert result.json["timeline"][0] | {"details": ""} == {
        "at": "2026-03-04T09:00:00+00:00",
        "day": 0,
        "kind": "story",
        "what": "publish",
        "who": "ada",
        "details": "",
    }
    assert [check["path"] for check in result.json["checks"]] == [
        ["messages", "fay"],
        ["journeys", "alert"],
    ]
    assert result.json["idle_journeys"] == []
    assert json.loads(result.out)
