"""The JSON Schema of campaign files refuses nothing that the parser accepts, and little less than it refuses."""

import json
import os
import re
from copy import deepcopy
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from ruamel.yaml import YAML

from referrals.campaign_file import campaign_errors, load_campaign
from referrals.campaign_schema import campaign_schema
from referrals.domain.campaign import Campaign
from tests.domain.campaigns import FULL, SMALLEST, with_
from tests.domain.test_campaign_mistakes import MISTAKES
from tests.harness.campaigns import EXAMPLE_CAMPAIGNS

CASES = int(os.environ.get("REFERRALS_TEST_SCHEMA", "150"))

ONLY_BY_THE_PARSER = re.compile(
    # other keys of the file, and relations between them
    r"must be later than starts_at|has two entries|must not have the same|reads |but a sign-up has none"
    r"|must issue coupons with the ledger|must not have valid_for with provider|concerns the advocate alone"
    r"|must not be in a journey on|steps, including those of branches|must not wait for more"
    # lists and conditions that a schema does not know
    r"|must be a time zone|is not a valid date and time|must be an ISO 4217|decimals, but"
    r"|allows only|has a character twice|: line \d+, column|must be two different times"
    # sizes that are not those of the text
    r"|at most P10Y|must be a whole number|at most 2 decimals|unpaired surrogate"
)
"""Messages of the mistakes that a schema cannot express."""


@cache
def validator():
    """Patterns are those of ECMAScript: `$` of Python also matches before a line break at the end."""
    text = json.dumps(campaign_schema())
    return Draft202012Validator(json.loads(text.replace('$"', '\\\\Z"')))


def is_valid(campaign):
    return validator().is_valid(campaign)


def messages(campaign):
    try:
        Campaign.model_validate(campaign)
    except ValidationError as error:
        return [mistake.message for mistake in campaign_errors(error)]
    return []


def test_the_schema_is_one_of_its_dialect():
    Draft202012Validator.check_schema(campaign_schema())


@pytest.mark.parametrize("path", EXAMPLE_CAMPAIGNS, ids=lambda path: path.stem)
def test_an_example_is_valid_as_it_is_written_and_as_it_is_shown(path):
    text = path.read_text("utf-8")
    shown = load_campaign(text).model_dump(mode="json")

    assert list(validator().iter_errors(YAML(typ="safe", pure=True).load(text))) == []
    assert list(validator().iter_errors(shown)) == []


@pytest.mark.parametrize("campaign", [SMALLEST, FULL], ids=["smallest", "full"])
def test_a_campaign_of_the_tests_is_valid(campaign):
    assert list(validator().iter_errors(campaign)) == []


@pytest.mark.parametrize(("path", "value", "message"), MISTAKES, ids=lambda value: repr(value)[:40])
def test_a_mistake_is_refused_by_both(path, value, message):
    assert not is_valid(with_(path, value)) or ONLY_BY_THE_PARSER.search(message)


STEPS = [
    {"send": {"template": "nudge_friend", "to": "operator", "channels": ["email", "log"]}},
    {"wait": "P2D"},
    {"wait": {"until": "10:00"}},
    {"wait": {"event": "referral_converted", "timeout": "P5D"}},
    {"branch": {"when": "awaited.happened", "then": ["exit"], "else": [{"exit": True}]}},
    {"grant": {"to": "advocate", "reward": {"type": "points", "amount": 20, "valid_for": "P1Y"}}},
    {"track": {"provider": "voucherify", "event": "bought", "to": "friend", "attributes": {"a": "order.amount", "plan": "event.plan"}}},
    {"webhook": {"url": "https://shop.example/hooks?a=1"}},
    {"start_workflow": {"type": "Vip", "task_queue": "crm", "namespace": "sales"}},
]  # fmt: skip
COUPON = {"type": "coupon", "discount": {"percent": 12.5, "max_amount": "50.00", "currency": "EUR"}}
RICH = FULL | {
    "link": {"pass_on": ["utm_*", "gclid"]},
    "code": FULL["code"] | {"charset": "ABCDEFGHJK", "pool": None},
    "conversion": FULL["conversion"] | {"same_person": "review", "after_refund": "final"},
    "limits": {
        "per_advocate": {"count": 3, "period": "month"},
        "cooldown": {"period": "day", "on_hit": "reject"},
        "conversions": 100,
        "budget": {"points": 5, "money": {"EUR": "100"}, "rewards": 7, "period": "P30D", "on_limit": "no_reward"},
    },
    "rewards": {
        "friend": COUPON | {"pattern": "A-####", "valid_for": "P30D", "provider": "ledger"},
        "tiers": [
            {"name": "ten", "renamed_from": ["nine"], "at": 10, "reward": COUPON | {"pool": "mugs", "discount": {"product": "mug-4"}, "provider": "ledger"}},
            {"name": "each", "each": True, "reward": {"type": "gift_credit", "amount": "25.00", "currency": "eur", "target": {"book": "a"}}},
        ],
        "provider": "http",
        "target": {"program": "lprg_1"},
        "approval": "manual",
        "rollback": {"allow_negative": False},
    },
    "journeys": [
        {"name": "long", "on": "referral_converted", "exit_on": ["reward_failed"], "reentry": {"after": "P30D"}, "steps": STEPS},
        {"name": "never", "on": "reward_granted", "when": "reward.milestone", "reentry": "never", "steps": [{"wait": "PT12H"}]},
    ],
}  # fmt: skip
SCALARS = [
    None, True, False, 0, 1, -1, 1.0, 12.5, 10**10, "", " ", "a", "A b", "exit", "never", "manual", "none", "P1D",
    " P1D", "P0D", "week", "EUR", "eur", "XXX", "25.00", " 25 ", "0", "-5", "1e3", "12:30", "https://a.example", "a.b",
    "code", "redemption", "referral_converted", "order.amount", "friend.email", "true", "points", "coupon", "ledger",
    "http", "operator", "whatsapp", "21:00-08:00", "2026-03-01T00:00:00Z", "Europe/Berlin", "####", "x" * 400, "line\n",
]  # fmt: skip


def paths(part, path=()):
    """Yield the path of each value."""
    items = part.items() if isinstance(part, dict) else enumerate(part)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from paths(value, (*path, key))


@st.composite
def mistaken_campaigns(draw):
    """Draw a campaign in which some values are replaced, left out, or put where they do not belong."""
    campaign = deepcopy(draw(st.sampled_from([RICH, FULL, SMALLEST])))
    known = list(paths(RICH))
    keys = sorted({str(path[-1]) for path in known})
    replacement = st.sampled_from(SCALARS) | st.sampled_from(known).map(value_at)
    replacement |= st.dictionaries(st.sampled_from(keys), st.sampled_from(SCALARS), max_size=3)
    replacement |= st.lists(st.sampled_from(SCALARS), max_size=2)
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(list(paths(campaign))))
        parent = value_at(path[:-1], campaign)
        action = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
        if action == "remove":
            del parent[path[-1]]
        elif action == "add" and isinstance(parent, dict):
            parent[draw(st.sampled_from(keys))] = deepcopy(draw(replacement))
        else:
            parent[path[-1]] = deepcopy(draw(replacement))
    return campaign


def value_at(path, campaign=RICH):
    for key in path:
        campaign = campaign[key]
    return campaign


@settings(max_examples=CASES, deadline=None)
@given(mistaken_campaigns())
def test_the_schema_and_the_parser_agree(campaign):
    found = messages(campaign)
    if is_valid(campaign):
        assert [message for message in found if not ONLY_BY_THE_PARSER.search(message)] == []
    else:
        assert found
