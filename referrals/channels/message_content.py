"""Rendered content of a message for every channel: produced by templates, sent by channels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Purpose = Literal["service", "marketing"]
"""A service message is about the customer's own rewards; a marketing message needs consent."""


@dataclass(frozen=True)
class WhatsAppParameter:
    """Value of one placeholder of a WhatsApp template; `text` is the fallback if the type is not supported."""

    text: str
    type: Literal["text", "currency", "date_time"] = "text"
    currency: str | None = None
    """ISO code, for type `currency`."""
    amount: str | None = None
    """Decimal string in major units, for type `currency`."""


@dataclass(frozen=True)
class WhatsAppMessage:
    """A template that Meta has approved, by its name and language at Meta, with its parameters in order."""

    template: str
    language: str
    """In Meta's notation: `en_US`, `de`."""
    category: Literal["utility", "marketing"]
    header: tuple[WhatsAppParameter, ...] = ()
    body: tuple[WhatsAppParameter, ...] = ()
    buttons: tuple[str, ...] = ()
    """URL suffix of each button."""


@dataclass(frozen=True)
class HttpMessage:
    """Short text and data fields for the operator's endpoint."""

    text: str
    data: Mapping[str, str]


@dataclass(frozen=True)
class MessageContent:
    """`subject` is one line, `html` a complete document; without `whatsapp` the message cannot be sent on WhatsApp.

    Without `http` the endpoint gets `text`.
    """

    subject: str
    text: str
    html: str = ""
    purpose: Purpose = "service"
    whatsapp: WhatsAppMessage | None = None
    http: HttpMessage | None = None
    locale: str = "en"
    """The reader's locale if the template is in its language."""
