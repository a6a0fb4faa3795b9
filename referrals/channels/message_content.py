"""A message in words, for every channel at once: what templates give and channels take."""

from dataclasses import dataclass
from typing import Literal

Purpose = Literal["service", "marketing"]
"""A service message is about the customer's own rewards; a marketing message needs consent."""


@dataclass(frozen=True)
class WhatsAppParameter:
    """What fills one place of a WhatsApp template; `text` is what is shown where the type is not understood."""

    text: str
    type: Literal["text", "currency", "date_time"] = "text"
    currency: str | None = None
    """Of the type `currency`: the ISO code."""
    amount: str | None = None
    """Of the type `currency`: a decimal string in major units."""


@dataclass(frozen=True)
class WhatsAppMessage:
    """A template that Meta has approved, by its name and language over there, and what fills it, in order."""

    template: str
    language: str
    """As Meta writes it: `en_US`, `de`."""
    category: Literal["utility", "marketing"]
    header: tuple[WhatsAppParameter, ...] = ()
    body: tuple[WhatsAppParameter, ...] = ()
    buttons: tuple[str, ...] = ()
    """What is put after the address of each URL button."""


@dataclass(frozen=True)
class MessageContent:
    """`subject` is one line, `html` is a whole document; without `whatsapp` the message cannot go that way."""

    subject: str
    text: str
    html: str = ""
    purpose: Purpose = "service"
    whatsapp: WhatsAppMessage | None = None
