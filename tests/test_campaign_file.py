import json
import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referrals.campaign_file import load_campaign
from referrals.domain.campaign import Campaign
from referrals.errors import CampaignError, FieldError
from referrals.yaml_documents import MAX_CHARACTERS
from tests.harness.campaigns import EXAMPLE_CAMPAIGNS

SPRING = """\
campaign: spring
name: Spring
landing_url: https://shop.example/welcome
rewards:
  friend: {type: points, amount: 50}
"""

DESIGNED = """\
campaign: spring
name: Spring referrals
timezone: Europe/Berlin
starts_at: 2026-03-01T00:00:00+01:00
landing_url: https://shop.example/welcome
publish_on: customer_registered
code:
  pattern: "SPRING-####-####"
  charset: ABCDEFGHJKMNPQRSTUVWXYZ23456789
  uses: 100
  valid_for: P1Y
  join_once: true
  pool: {size: 500, refill_below: 50}
conversion:
  event: redemption
  attribution_window: P30D
  new_customers_only: true
  rules:
    - name: minimum_order
      when: order.amount >= 80.0 && order.currency == "EUR"
      message: The order must reach 80 EUR.
  hold: P14D
  review: {score_at_least: 34}
limits:
  per_advocate: {count: 50, period: P30D}
  cooldown: {period: P1D, on_hit: defer}
  conversions: 10000
  budget: {points: 500000}
rewards:
  friend: {type: points, amount: 50}
  tiers:
    - {name: each_friend, each: true, reward: {type: points, amount: 100}}
    - {name: ten_friends, at: 10, reward: {type: gift_credit, amount: "25.00", currency: EUR}}
  provider: ledger
  rollback: {allow_negative: true}
journeys:
  - name: thank_advocate
    on: referral_converted
    steps:
      - send: {template: thank_advocate, to: advocate, channels: [whatsapp, email]}
  - name: nudge_friend
    on: referral_signed_up
    exit_on: [referral_converted, referral_expired]
    steps:
      - wait: P2D
      - send: {template: nudge_friend, to: friend, channels: [whatsapp, email]}
  - name: milestone_ten
    on: milestone_reached
    when: milestone.at == 10
    steps:
      - send: {template: milestone, to: advocate, channels: [whatsapp, email]}
      - start_workflow: {type: VipOnboarding, task_queue: crm}
"""


def problems(text):
    with pytest.raises(CampaignError) as refused:
        load_campaign(text)
    return list(refused.value.errors)


@pytest.mark.parametrize("path", EXAMPLE_CAMPAIGNS, ids=lambda path: path.stem)
def test_an_example_is_a_campaign_of_its_own_name(path):
    assert load_campaign(path.read_text(encoding="utf-8")).campaign == path.stem


def test_there_is_an_example_for_each_programme_that_the_product_answers():
    assert [path.stem for path in EXAMPLE_CAMPAIGNS] == [
        "active-reach",
        "talon-one-tutorial",
        "voucherify",
    ]


def test_the_designed_campaign_is_refused_for_what_is_not_supported_yet_and_nothing_else():
    assert {(problem.field, problem.line) for problem in problems(DESIGNED)} == {
        ("code.pool", 13),
        ("conversion.review", 23),
    }
    assert all("not supported yet" in problem.message for problem in problems(DESIGNED))


def test_the_offset_of_a_moment_survives():
    campaign = load_campaign(SPRING + "starts_at: 2026-03-01T00:00:00+01:00\n")

    assert campaign.starts_at.isoformat() == "2026-03-01T00:00:00+01:00"
    assert campaign.starts_at.utcoffset() == timedelta(hours=1)


@pytest.mark.parametrize("word", ["NO", "no", "yes", "On", "0x1F", "1e", "12:30:45", "~x"])
def test_a_word_stays_a_word(word):
    assert load_campaign(SPRING.replace("name: Spring", f"name: {word}")).name == word


def test_json_is_yaml():
    campaign = {
        "campaign": "spring",
        "name": "Fr\u00fchling \U0001f338",
        "landing_url": "https://shop.example/",
        "rewards": {"friend": {"type": "gift_credit", "amount": "5.00", "currency": "EUR"}},
    }
    expected = Campaign.model_validate(campaign)

    assert load_campaign(json.dumps(campaign)) == expected
    assert load_campaign(json.dumps(campaign, indent="\t", ensure_ascii=False)) == expected


def test_what_is_dumped_can_be_loaded():
    campaign = load_campaign(EXAMPLE_CAMPAIGNS[0].read_text(encoding="utf-8"))

    assert load_campaign(campaign.model_dump_json()) == campaign


@pytest.mark.parametrize(
    ("more", "field", "line", "message"),
    [
        ("conversoin: {}", "conversoin", 6, "unknown field; did you mean conversion?"),
        ("colour: red", "colour", 6, "unknown field"),
        ("code:\n  uses: -1", "code.uses", 7, "must be more than 0"),
        ("code:\n  uses:\n    -1", "code.uses", 7, "must be more than 0"),
        ("limits:\n  cooldown:\n    period: P1D", "limits.cooldown.on_hit", 7, "is required"),
        ("limits: {cooldown: {period: 1}}", "limits.cooldown.period", 6, "must be an ISO 8601 duration such as P14D, or day, week or month"),
        ("timezone: Mars", "timezone", 6, "must be a time zone such as Europe/Berlin"),
        ("starts_at: 2026-03-01", "starts_at", 6, "must be a date and time with its offset, such as 2026-03-01T00:00:00+01:00"),
        ("name: Other", "name", 6, "is a duplicate key, first used on line 2"),
        ("code: {uses: 1, uses: 2}", "code.uses", 6, "is a duplicate key, first used on line 6"),
        ("journeys:\n- name: x\n- name: y", "journeys[1].on", 8, "is required"),
        ("journeys:\n- name: x\n  on: referral_converted\n  steps:\n  - grant:\n      to: advocate\n      reward: {type: points}", "journeys[0].steps[0].grant.reward.amount", 12, "is required"),
        ("journeys:\n- name: x\n  on: code_published\n  steps:\n  - grant:\n      to: friend\n      reward: {type: points, amount: 1}", "journeys[0].steps[0].grant", 10, "must not be in a journey on code_published: it concerns neither a referral nor a milestone"),
        ("conversion:\n  rules:\n    - name: big\n      when: >-\n        order.amount >\n      message: Big.", "conversion.rules[0].when", 9, "big: line 1, column 15: the condition ends too early"),
        ("code: &code {uses: 1}\nlimits: *code", "limits", 7, "must not be a YAML alias (*name); repeat the value instead"),
        ("code: &code [*code]", "code[0]", 6, "must not be a YAML alias (*name); repeat the value instead"),
        ("code: {<<: {uses: 1}}", "code.<<", 6, "unknown field"),
        ("code: !!binary aGk=", "code", 6, "must not have the tag !!binary"),
        ("code: !secret x", "code", 6, "must not have the tag !secret"),
        ("code: !!python/object/apply:os.system [ls]", "code", 6, "must not have the tag !!python/object/apply:os.system"),
        ("code: !!set {a, b}", "code", 6, "must not have the tag !!set"),
        ("? [a, b]\n: 1", "", 6, "must have text keys"),
        ("1: 2", "1", 6, "unknown field"),
        ("code:\n  uses: .inf", "code.uses", 7, "must be a whole number"),
        (f"code:\n  uses: {'9' * 5000}", "code.uses", 7, "must be a whole number"),
        ('publish_on: "a\\0b"', "publish_on", 6, "must be 'customer_registered'"),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_a_mistake_is_named_with_its_field_and_line(more, field, line, message):
    assert FieldError(field, message, line) in problems(f"{SPRING}{more}\n")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", None, "the file is empty"),
        ("# nothing\n", None, "the file is empty"),
        ("just words", 1, "must be a mapping of keys to values"),
        ("- campaign: spring", 1, "must be a mapping of keys to values"),
        ("null", 1, "must be a mapping of keys to values"),
        ("a: b: c", 1, "the file is not YAML: a colon stands where no key can be; indent the line like its neighbours, or quote the text"),
        ("a: 1\nb: 'x", 2, "the file is not YAML: a closing quotation mark or bracket is missing"),
        ("a: 1\n\tb: 2", 2, "the file is not YAML: a value cannot start with '\\t'; put it in quotes"),
        ("a: *b", 1, "the file is not YAML: there is no anchor b"),
        ("a: 1\n---\nb: 2", 2, "the file is not YAML: there is more than one document"),
        ("a: 1\nb: \x00", 2, "the file has a control character"),
        ("a: 1\nb: \ud800", 2, "the file has a control character"),
        ("%YAML 9.9\n---\na: 1", 1, "the file is not YAML: check the indentation, quotes and brackets"),
        ("x" * (MAX_CHARACTERS + 1), None, f"the file is longer than {MAX_CHARACTERS} characters"),
        ("[" * 50_000, None, "the file is nested too deeply"),
        ("{a: " * 50_000, None, "the file is nested too deeply"),
        ("- " * 50_000, None, "the file is nested too deeply"),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_why(text, line, message):
    assert problems(text) == [FieldError("", message, line)]


def test_an_alias_bomb_is_refused_at_once():
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for before, name in zip("abcdefghijkl", "bcdefghijklm", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    began = time.thread_time()
    found = problems(bomb)

    assert len(found) == 12 * 9
    assert time.thread_time() - began < 2


def test_every_problem_has_a_line_of_its_own():
    with pytest.raises(CampaignError) as refused:
        load_campaign(SPRING + "code: {uses: 0}\nlimits: {conversions: 0}\n")

    assert str(refused.value).splitlines() == [
        "line 6: code.uses: must be more than 0",
        "line 7: limits.conversions: must be more than 0",
    ]


def test_a_missing_key_is_reported_at_the_first_line_of_its_parent():
    assert FieldError("rewards", "is required", 1) in problems("campaign: spring\n")


@given(
    st.lists(st.sampled_from(SPRING.splitlines()), max_size=8),
    st.text("{}[]:,'\"&*!%@#\n -", max_size=8) | st.text(max_size=60),
)
def test_any_other_text_is_an_error_that_says_why(lines, noise):
    assert all(problem.message for problem in problems("\n".join([*lines, "mangled: x", noise])))
