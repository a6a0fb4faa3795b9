"""Variables of message templates: the contract between journeys and the files under `templates/messages`."""

from datetime import date
from typing import Any

from referrals.domain.journeys import WITHOUT_FRIEND

Context = dict[str, Any]

EXAMPLE_REWARD: Context = {
    "id": "rew_8w2k4n6p",
    "type": "gift_credit",
    "amount": "25.00",
    "repaid": None,
    "currency": "EUR",
    "discount": None,
    "coupon": None,
}
EXAMPLE_COUPON: Context = {
    "id": "rew_3h5j7m9q",
    "type": "coupon",
    "amount": "1",
    "repaid": None,
    "currency": None,
    "discount": {
        "kind": "percent",
        "percent": 20,
        "currency": None,
        "amount": None,
        "max_amount": None,
        "min_order": None,
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
"""Every variable of a template, with an example value. All of them are always defined:

=============  =====================================================================================================
`campaign`     `id`, `name`, and `url`: the landing page, or None
`recipient`    `name` of the recipient
`advocate`     `name`, `code`, `link`, and `count`: the number of confirmed conversions
`friend`       `name`; None on `code_published`, `referral_link_shared` and milestone events, and may be None on
               reward events (a milestone's reward has no friend)
`offer`        reward of the campaign per conversion, for the `friend` and for the `advocate`. Rewards as below,
               without `id` and `coupon`; each may be None
`reward`       the reward that a reward or milestone event is about: `id`, `type`, `amount` (a decimal string),
               `repaid` (the part of it that repaid what the customer owed, or None), `currency`, for coupons `discount` (its terms and its `kind`) and `coupon`, its
               code. None on all other events, and for a milestone without a reward
`rewards`      the recipient's rewards from this event (with `reward`, if it is the recipient's); may be empty
`due_at`       the day on which the rewards are due, in the reader's time zone; None if already due or not known
`milestone`    `name`, `at`; None except on milestone events
`reason`       reason of the event, as an English sentence or in the operator's words; may be None
`reason_code`  the same for machines: `order_refunded`, …; may be None
`unsubscribe`  URL that ends messages of this kind; None for the operator's messages
=============  =====================================================================================================

Names may be None. Rendering adds `locale`, the reader's locale if the template is in its language, and `part`
(`subject`, `text`, `email`, `whatsapp` or `http`). It gives every reward a `label` ("100 points", "€25.00", "20% off") and a
`description`, which also names the coupon, both from `{locale}/_reward.jinja`. A date is printed in long form.
"""


def example_contexts(event: str) -> tuple[Context, Context]:
    """Return two example contexts of that event: with all variables it can have, and with as few as possible."""
    is_milestone, is_reward = event.startswith("milestone_"), event.startswith("reward_")
    full = {
        **EXAMPLE_CONTEXT,
        "friend": None if event in WITHOUT_FRIEND else EXAMPLE_CONTEXT["friend"],
        "reward": EXAMPLE_REWARD if is_milestone or is_reward else None,
        "milestone": EXAMPLE_CONTEXT["milestone"] if is_milestone else None,
    }
    nameless = {"name": None}
    minimal = {
        **full,
        "campaign": {**EXAMPLE_CONTEXT["campaign"], "url": None},
        "recipient": nameless,
        "advocate": {**EXAMPLE_CONTEXT["advocate"], "name": None, "count": 0},
        "friend": nameless if full["friend"] and not is_reward else None,
        "offer": {"friend": None, "advocate": None},
        "reward": EXAMPLE_COUPON | {"coupon": None} if is_reward else None,
        "rewards": [],
        "due_at": None,
        "reason": None,
        "reason_code": None,
        "unsubscribe": None,
    }
    return full, minimal
