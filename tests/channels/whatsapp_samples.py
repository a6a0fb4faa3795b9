"""Channel to the fake Graph API, sample messages, and their failures."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from referrals.channels import OutgoingMessage
from referrals.channels.errors import (
    ChannelSuspended,
    ChannelUnavailable,
    MessageRejected,
    SendOutcomeUnknown,
)
from referrals.channels.message_content import MessageContent, WhatsAppMessage, WhatsAppParameter
from referrals.channels.whatsapp import WhatsAppChannel
from tests.channels.fake_graph_api import NUMBER_ID
from tests.providers.fake_vendor import TOKEN

TO = "+4915112345678"
IN_US = "+12125550123"
UTILITY = WhatsAppMessage("reward_granted", "de", "utility", body=(WhatsAppParameter("Ada"),))
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
    rendered = MessageContent("Hello", "Hello Fay", "<p>Hello Fay</p>", whatsapp=content)
    return OutgoingMessage(
        key=key,
        campaign="spring",
        template="hello",
        to=to,
        recipient_name="Fay",
        content=rendered,
        attempt=attempt,
    )


async def failure(channel, outgoing=None):
    with pytest.raises(
        (MessageRejected, ChannelUnavailable, ChannelSuspended, SendOutcomeUnknown)
    ) as raised:
        await channel.send(outgoing or message())
    return raised.value
