"""State of a referral link, for the visitor of a campaign without a landing page."""

from datetime import datetime
from typing import Literal

from referrals.domain.campaign import Campaign
from referrals.domain.qualification import (
    CodeFacts,
    LimitUsage,
    campaign_rejection,
    code_rejection,
    limit_rejection,
)

LinkState = Literal["open", "closed", "ended", "full"]
"""State of a link: a new friend can use it, not now but perhaps later, or never; or it has no uses left."""


def find_link_state(
    campaign: Campaign, state: str, code: CodeFacts, accepted_count: int, at: datetime
) -> LinkState:
    """Return whether a new friend could use a published code at `at`, as far as it depends on nobody else.

    `state` and `accepted_count` are those of the campaign.
    """
    starts_at = max(filter(None, (campaign.starts_at, code.starts_at)), default=at)
    if code_rejection(code, signed_up=False, at=max(at, starts_at)):
        return "ended"
    if campaign_rejection(campaign, "running", max(at, starts_at)) or state == "archived":
        return "ended"
    if state == "paused" or at < starts_at:
        return "closed"
    usage = LimitUsage(accepted_count, 0, None)
    return "full" if limit_rejection(campaign, code, usage) else "open"
