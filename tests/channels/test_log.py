from referrals.channels import Channel, OutgoingMessage
from referrals.channels.log import LogChannel
from referrals.channels.message_content import MessageContent


async def test_the_log_channel_takes_every_message_even_without_an_address():
    channel: Channel = LogChannel()

    assert (
        await channel.send(
            OutgoingMessage("msg-1", "spring", "hello", None, None, MessageContent("s", "t"))
        )
        is None
    )
    assert channel.name == "log"
