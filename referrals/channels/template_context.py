"""What a message template may say: the contract between the journeys and the files under `templates/messages`."""

from datetime import date
from typing import Any

from referrals.domain.journeys import WITHOUT_FRIEND

Context = dict[str, Any]

EXAMPLE_REWARD: Context = {
    "id": "rew_8w2k4n6p",
    "type": "gift_credit",
    "amount": "25.00",
    "currency": "EUR",
    "discount": None,
    "coupon": None,
}
EXAMPLE_COUPON: Context = {
    "id": "rew_3h5j7m9q",
    "type": "coupon",
    "amount": "1",
    "currency": None,
    "discount": {
        "kind": "percent",
        "percent": 20,
        "currency": None,
        "amount": None,
        "product": None,
    },
    "coupon": "THANKS-7K2M9Q",
}
EXAMPLE_CONTEXT: Context = {
    "campaign": {
        "id": "spring",
        "name": "Spring referrals",
        "url": "https://shop.example/welcome",
    },
    "recipient": {"name": "Ada"},
    "advocate": {
        "name": "Ada",
        "code": "SPRING-7K2M-9QXD",
        "link": "https://shop.example/r/SPRING-7K2M-9QXD",
        "count": 10,
    },
    "friend": {"name": "Fay"},
    "offer": {"friend": {**EXAMPLE_COUPON, "id": None, "coupon": None}, "advocate": EXAMPLE_REWARD},
    "reward": EXAMPLE_REWARD,
    "rewards": [EXAMPLE_REWARD],
    "due_at": date(2026, 3, 18),
    "milestone": {"name": "ten_friends", "at": 10},
    "reason": "The order was refunded.",
    "reason_code": "order_refunded",
    "unsubscribe": "https://shop.example/u/7f3k9",
}
"""Every variable of a template, with a value as it may be. All of them are always defined:

=============  =====================================================================================================
`campaign`     `id`, `name`, and `url`: where its links lead, or None
`recipient`    `name` of whoever gets the message
`advocate`     `name`, `code`, `link`, and `count`: the confirmed conversions so far
`friend`       `name`; None on `code_published`, `referral_link_shared` and milestone events, and may be None on
               reward events (a milestone's reward has no friend)
`offer`        what the campaign gives for a conversion: to the `friend`, and to the `advocate` each time. Rewards as
               below, without `id` and `coupon`; either may be None
`reward`       the reward that a reward or milestone event is about: `id`, `type`, `amount` (a decimal string),
               `currency`, for coupons `discount` (`kind`, `percent`, `amount`, `currency`, `product`) and `coupon`, its
               code. None on all other events, and on a milestone without one
`rewards`      the recipient's own rewards from what happened (with `reward`, if it is the recipient's); may be empty
`due_at`       the day on which the rewards come, in the reader's time zone; None if that is now or not known
`milestone`    `name`, `at`; None on all but milestone events
`reason`       why it happened, as a sentence in English or in the words of the operator; may be None
`reason_code`  the same for machines: `order_refunded`, …; may be None
`unsubscribe`  a link that ends messages of this kind; None where there is none
=============  =====================================================================================================

Names may be None. `render` adds `locale`, the reader's as far as the template is of that language, and `part`
(`subject`, `text`, `mail` or `whatsapp`); it gives every reward `figure` ("100 points", "€25.00", "20% off") and `text`,
which names the coupon too, in the words of `{locale}/_reward.jinja`. A date prints as it is written out.
"""


def example_contexts(event: str) -> tuple[Context, Context]:
    """What a template may be given on that event: once all that it can know, and once as little as it can."""
    milestone, reward = event.startswith("milestone_"), event.startswith("reward_")
    full = {
        **EXAMPLE_CONTEXT,
        "friend": None if event in WITHOUT_FRIEND else EXAMPLE_CONTEXT["friend"],
        "reward": EXAMPLE_REWARD if milestone or reward else None,
        "milestone": EXAMPLE_CONTEXT["milestone"] if milestone else None,
    }
    nameless = {"name": None}
    least = {
        **full,
        "campaign": {**EXAMPLE_CONTEXT["campaign"], "url": None},
        "recipient": nameless,
        "advocate": {**EXAMPLE_CONTEXT["advocate"], "name": None, "count": 0},
        "friend": nameless if full["friend"] and not reward else None,
        "offer": {"friend": None, "advocate": None},
        "reward": EXAMPLE_COUPON | {"coupon": None} if reward else None,
        "rewards": [],
        "due_at": None,
        "reason": None,
        "reason_code": None,
        "unsubscribe": None,
    }
    return full, least
