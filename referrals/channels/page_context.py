"""Names and variables of the public pages: the contract between the API and the files under `templates/pages`."""

from dataclasses import dataclass
from typing import Any

from referrals.channels.template_context import EXAMPLE_COUPON

PAGES = (
    "unsubscribe",
    "unsubscribed",
    "unknown_unsubscribe",
    "code",
    "unknown_link",
    "closed_link",
    "ended_link",
    "full_link",
)
PAGE_BLOCKS = (
    *(f"{page}_{part}" for page in PAGES for part in ("heading", "text")),
    "unsubscribe_button",
    "code_reward_label",
    "code_label",
)
"""Blocks that the file of each locale defines."""

EMPTY_PAGE_CONTEXT: dict[str, Any] = {
    "campaign": None,
    "purpose": None,
    "channels": [],
    "code": None,
    "offer": {"friend": None},
    "at_checkout": False,
}
"""Every variable of a page, with its value on pages that lack it:

=============  =====================================================================================================
`campaign`     `name` of the campaign; None if the link is unknown
`purpose`      `marketing` or `service`: the kind of messages that the customer unsubscribes from
`channels`     channels of the messages that the customer unsubscribes from; empty for all channels
`code`         the referral code
`offer`        `friend`: the friend's reward with its `label`, or None
`at_checkout`  True if the code is entered with an order, False if with another event, such as a sign-up
=============  =====================================================================================================

Rendering adds `page`, the name of the page, and `locale`, the reader's locale.
"""
EXAMPLE_PAGE_CONTEXT: dict[str, Any] = {
    "campaign": {"name": "Spring referrals"},
    "purpose": "marketing",
    "channels": ["email", "whatsapp"],
    "code": "SPRING-7K2M-9QXD",
    "offer": {"friend": {**EXAMPLE_COUPON, "id": None, "coupon": None}},
    "at_checkout": True,
}


@dataclass(frozen=True)
class RenderedPage:
    """HTML document of a page in this locale."""

    html: str
    locale: str
