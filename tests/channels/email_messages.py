"""A short message, and an email channel to the test server."""

from referrals.channels import OutgoingMessage
from referrals.channels.email import EmailChannel
from referrals.channels.message_content import MessageContent

SENDER = "Shop <hello@shop.example>"
ADDRESS = "fay@example.com"
SHORT = MessageContent(subject="Hello", text="Hello Fay", html="<p>Hello Fay</p>")


def message(rendered=SHORT, *, key="msg-1", to=ADDRESS, name="Fay"):
    return OutgoingMessage(
        key=key, campaign="spring", template="hello", to=to, recipient_name=name, content=rendered
    )


def channel(mailbox, credentials="", scheme="smtp"):
    return EmailChannel(f"{scheme}://{credentials}localhost:{mailbox.port}", SENDER)
