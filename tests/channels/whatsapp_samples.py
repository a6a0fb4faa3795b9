"""A channel to the fake Graph API, messages for it, and how they fail."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from referrals.channels import (
    Blocked,
    Outgoing,
    Refused,
    Unavailable,
    Unclear,
)
from referrals.channels.message_content import Parameter, Rendered, WhatsAppMessage
from referrals.channels.whatsapp import WhatsAppChannel
from tests.channels.fake_graph_api import NUMBER_ID
from tests.providers.vendors import TOKEN

TO = "+4915112345678"
IN_US = "+12125550123"
UTILITY = WhatsAppMessage("reward_granted", "de", "utility", body=(Parameter("Ada"),))
MARKETING = replace(UTILITY, template="invite", language="en_US", category="marketing")


class Clock:
    def __init__(self):
        self.now = datetime(2026, 3, 4, 10, tzinfo=UTC)

    def __call__(self):
        return self.now

    def pass_(self, seconds):
        self.now += timedelta(seconds=seconds)


def whatsapp(client, graph, clock, token=TOKEN, number=NUMBER_ID):
    return WhatsAppChannel(client, f"{graph.url}/v23.0", number, SecretStr(token), clock)


def message(content=UTILITY, *, key="msg-1", to=TO, attempt=1):
    rendered = Rendered("Hello", "Hello Fay", "<p>Hello Fay</p>", whatsapp=content)
    return Outgoing(key=key, to=to, name="Fay", rendered=rendered, attempt=attempt)


async def failure(channel, outgoing=None):
    with pytest.raises((Refused, Unavailable, Blocked, Unclear)) as raised:
        await channel.send(outgoing or message())
    return raised.value
