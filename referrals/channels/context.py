"""What a message template may say: the contract between the journeys and the files under `templates/messages`."""

from typing import Any

from referrals.domain.journeys import WITHOUT_FRIEND

Context = dict[str, Any]

EXAMPLE_REWARD: Context = {
    "type": "gift_credit",
    "amount": "25.00",
    "currency": "EUR",
    "text": "EUR 25.00",
}
EXAMPLE_CONTEXT: Context = {
    "campaign": {"id": "spring", "name": "Spring referrals"},
    "recipient": {"name": "Ada"},
    "advocate": {
        "name": "Ada",
        "code": "SPRING-7K2M-9QXD",
        "link": "https://shop.example/r/SPRING-7K2M-9QXD",
        "count": 10,
    },
    "friend": {"name": "Fay"},
    "reward": EXAMPLE_REWARD,
    "rewards": [EXAMPLE_REWARD],
    "due_at": "18 March 2026",
    "milestone": {"name": "ten_friends", "at": 10},
    "reason": "The order was refunded.",
    "unsubscribe": "https://shop.example/u/7K2M9QXD",
}
"""Every variable of a template, with a value as it may be. All of them are always defined:

=============  =====================================================================================================
`campaign`     `id`, `name`
`recipient`    `name` of whoever gets the message
`advocate`     `name`, `code`, `link`, and `count`: the confirmed conversions so far
`friend`       `name`; None on `code_published`, `referral_link_shared` and milestone events, and may be None on
               reward events (a milestone's reward has no friend)
`reward`       `type`, `amount` (a decimal string), `currency` and `text` ("100 points", "EUR 25.00") of the reward
               that a reward or milestone event is about; None on all other events, and on a milestone without one
`rewards`      the recipient's own rewards from what happened (with `reward`, if it is the recipient's); may be empty
`due_at`       when the rewards come, as text for the reader; None if that is now or not known
`milestone`    `name`, `at`; None on all but milestone events
`reason`       why it happened, as a sentence; may be None
`unsubscribe`  where one click ends messages like this one; may be None
=============  =====================================================================================================

Names may be None or empty, and so may `amount`, `currency` and `text` of a reward. `render` adds `locale`, that of
the template it found.
"""


def examples(event: str) -> tuple[Context, Context]:
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
        "recipient": nameless,
        "advocate": {**EXAMPLE_CONTEXT["advocate"], "name": None, "count": 0},
        "friend": nameless if full["friend"] and not reward else None,
        "reward": dict.fromkeys(EXAMPLE_REWARD) if reward else None,
        "rewards": [],
        "due_at": None,
        "reason": None,
        "unsubscribe": None,
    }
    return full, least
