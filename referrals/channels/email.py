"""Email channel: SMTP."""

import re
import ssl
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import parseaddr
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)
from email_validator import EmailNotValidError, validate_email

from referrals.channels import OutgoingMessage
from referrals.channels.errors import (
    AddressUnreachable,
    ChannelSuspended,
    ChannelUnavailable,
    MessageRejected,
    SendOutcomeUnknown,
)
from referrals.channels.localisation import one_line
from referrals.domain.contact_redaction import redact

SMTP_TIMEOUT = 15
"""Seconds, for the connection and for each reply of the server."""
MAX_REPLY_LENGTH = 300
"""Characters of a server reply that are kept in an error."""

_MALFORMED_URL = "the SMTP URL must be like smtp://user:password@host:port, or smtps://…"
_PERMANENT_FAILURE = 500
_AUTHENTICATION_REQUIRED = {530, 534, 535, 538}  # RFC 4954
_NO_MAILBOX = re.compile(r"5\d\d 5\.1\.(1|2|3|6|10)\b", re.ASCII)  # RFC 3463; 5.1.10: RFC 7505
_REJECTIONS: dict[type[Exception], tuple[str, str]] = {
    SMTPRecipientRefused: ("recipient_refused", "the recipient"),
    SMTPSenderRefused: ("sender_refused", "the sender"),
    SMTPDataError: ("message_refused", "the message"),
}


class EmailChannel:
    """Sends each message to the operator's SMTP server over a new connection.

    A message that is sent again after a lost response has the same `Message-ID`, so that mail systems can detect the
    duplicate.
    """

    name = "email"
    reports_outcome = False

    def __init__(self, url: str, sender: str) -> None:
        """
        Args:
            url: `smtp://user:password@host:port`, upgraded by STARTTLS if the server offers it, or `smtps://…`,
                encrypted from the start; certificates are verified. User and password are percent-encoded.
            sender: An address with an optional name: `Shop <hello@shop.example>`.

        Raises:
            ValueError: An argument is malformed.
        """
        self._server = _server(url)
        self._sender = _sender(sender)

    async def send(self, message: OutgoingMessage) -> str:
        """Return the `Message-ID` once the server has accepted the message.

        Raises:
            MessageRejected: `no_address`, `recipient_refused`, `sender_refused` or `message_refused`.
            AddressUnreachable: `invalid_address` or `no_mailbox`.
            ChannelSuspended: `credentials_refused`.
            ChannelUnavailable: The server cannot be reached or replies 4xx.
            SendOutcomeUnknown: The connection broke after the message was transferred, before the server replied.
        """
        mail = _compose(message, self._sender)
        try:
            async with SMTP(**self._server, local_hostname=self._sender.domain) as server:
                await server.mail(self._sender.addr_spec)
                await server.rcpt(mail["To"].addresses[0].addr_spec)
                await _transfer(server, mail)
        except (SMTPException, OSError) as error:
            raise _to_channel_error(error) from None
        return str(mail["Message-ID"])


async def _transfer(server: SMTP, mail: EmailMessage) -> None:
    try:
        await server.data(mail.as_bytes(policy=SMTP_POLICY))
    except SMTPResponseException:
        raise
    except (SMTPException, OSError):
        raise SendOutcomeUnknown(
            "The connection to the SMTP server broke before it confirmed the message."
        ) from None


def _server(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError(_MALFORMED_URL)
    try:
        port = parts.port
    except ValueError:  # its text may contain part of the password
        raise ValueError(_MALFORMED_URL) from None
    return {
        "hostname": parts.hostname,
        "port": port,
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "use_tls": parts.scheme == "smtps",
        "tls_context": ssl.create_default_context(),
        "timeout": SMTP_TIMEOUT,
    }


def _sender(text: str) -> Address:
    name, address = parseaddr(text)
    user, at, domain = address.rpartition("@")
    if not (user and at and domain and address.isascii()):
        raise ValueError("the sender must be like Shop <hello@shop.example>")
    return Address(one_line(name), user, domain)


def _recipient(message: OutgoingMessage) -> Address:
    """Return the recipient's address. Raises MessageRejected.

    An internationalised domain is converted; a mailbox that is not ASCII needs SMTPUTF8, which few servers have.
    """
    if not message.to:
        raise MessageRejected("no_address", "The customer has no email address.")
    try:
        found = validate_email(
            message.to, check_deliverability=False, test_environment=True, allow_smtputf8=False
        )
    except EmailNotValidError:
        raise AddressUnreachable("invalid_address", "The email address is not valid.") from None
    return Address(
        one_line(message.recipient_name or ""), found.ascii_local_part or "", found.ascii_domain
    )


def _compose(message: OutgoingMessage, sender: Address) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = _recipient(message)
    mail["Subject"] = one_line(message.content.subject)
    mail["Date"] = datetime.now(UTC)
    mail["Message-ID"] = f"<{sha256(message.key.encode()).hexdigest()[:32]}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.unsubscribe_url:  # RFC 8058
        mail["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(message.content.text, cte="quoted-printable")
    mail.add_alternative(message.content.html, subtype="html", cte="quoted-printable")
    return mail


def _to_channel_error(error: Exception) -> Exception:
    """Map an SMTP error to a channel error. Errors that are not clearly about this message can be retried."""
    code = getattr(error, "code", 0)
    reply = one_line(redact(str(getattr(error, "message", error))))[:MAX_REPLY_LENGTH]
    answer = f"{code} {reply}" if code else reply
    if isinstance(error, SMTPAuthenticationError) or code in _AUTHENTICATION_REQUIRED:
        text = f"The SMTP server does not accept our credentials; an operator must correct them: {answer}"
        return ChannelSuspended("credentials_refused", text, "channel")
    if isinstance(error, SMTPRecipientRefused) and _NO_MAILBOX.match(answer):
        return AddressUnreachable(
            "no_mailbox", f"The SMTP server does not know this mailbox: {answer}"
        )
    if type(error) in _REJECTIONS and code >= _PERMANENT_FAILURE:
        reason, what = _REJECTIONS[type(error)]
        return MessageRejected(reason, f"The SMTP server rejected {what}: {answer}")
    return ChannelUnavailable(f"The SMTP server cannot accept the message now: {answer}")
