"""State of a referral link by the code's and the campaign's times, states and limits."""

from datetime import timedelta
from typing import Any

import pytest

from referrals.domain.campaign import Campaign
from referrals.domain.link_state import find_link_state
from referrals.domain.qualification import CodeFacts
from tests.domain.test_qualification import NOW
from tests.harness.campaigns import campaign

SOON, LONG_AGO = NOW + timedelta(days=1), NOW - timedelta(days=30)
YESTERDAY = NOW - timedelta(days=1)


@pytest.mark.parametrize(
    ("code", "parts", "state", "expected"),
    [
        ({}, {}, "running", "open"),
        ({"starts_at": NOW, "expires_at": SOON}, {}, "running", "open"),
        ({"starts_at": SOON}, {}, "running", "closed"),
        ({}, {"starts_at": SOON}, "running", "closed"),
        ({"starts_at": YESTERDAY}, {"starts_at": SOON}, "running", "closed"),
        ({}, {}, "paused", "closed"),
        ({"expires_at": NOW}, {}, "running", "ended"),
        ({"expires_at": NOW}, {}, "paused", "ended"),
        ({"active": False}, {}, "running", "ended"),
        ({"active": False, "starts_at": SOON}, {}, "running", "ended"),
        ({}, {"starts_at": LONG_AGO, "ends_at": NOW}, "running", "ended"),
        ({}, {}, "archived", "ended"),
        ({}, {"starts_at": SOON}, "archived", "ended"),
        ({"exhausted": True}, {}, "running", "full"),
        ({"exhausted": True}, {}, "paused", "closed"),
        ({"exhausted": True, "expires_at": NOW}, {}, "running", "ended"),
        ({}, {"limits": {"conversions": 7}}, "running", "full"),
        ({}, {"limits": {"conversions": 8}}, "running", "open"),
        ({}, {"limits": {"per_advocate": {"count": 1}}}, "running", "open"),
    ],
)
def test_the_state_of_a_link(
    code: dict[str, Any], parts: dict[str, Any], state: str, expected: str
):
    plain = {"published": True, "active": True, "starts_at": None, "expires_at": None}
    facts = CodeFacts(**plain | {"exhausted": False} | code)
    definition = Campaign.model_validate(campaign(**parts))

    assert find_link_state(definition, state, facts, 7, NOW) == expected
