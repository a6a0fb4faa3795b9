from referrals.channels import Channel, Outgoing
from referrals.channels.log import LogChannel
from referrals.channels.message_content import Rendered


async def test_the_log_channel_takes_every_message_even_without_an_address():
    channel: Channel = LogChannel()

    assert await channel.send(Outgoing("msg-1", None, None, Rendered("s", "t", "h"))) is None
    assert channel.name == "log"
