"""Request body for Meta: one template message to one phone number."""

from collections.abc import Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

import phonenumbers

from referrals.channels.errors import MessageRejected
from referrals.channels.localisation import one_line
from referrals.channels.message_content import WhatsAppMessage, WhatsAppParameter

MAX_CALLBACK_DATA = 512
"""Bytes that Meta echoes in every status."""

MAX_THOUSANDTHS = 2**31 - 1
"""Largest amount of a currency parameter: about 2 million; larger ones are sent as text."""

_THOUSAND = Decimal(1000)


def build_request(key: str, to: str | None, content: WhatsAppMessage) -> dict[str, Any]:
    """Build the request body.

    Raises:
        MessageRejected: `no_address`, `invalid_address`, or `marketing_us` because Meta delivers no marketing there.
    """
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": _recipient(to, content),
        "type": "template",
        "template": {
            "name": content.template,
            "language": {"policy": "deterministic", "code": content.language},
            "components": _components(content),
        },
        "biz_opaque_callback_data": callback_data(key),
    }


def callback_data(key: str) -> str:
    """Return the value that Meta echoes in each status: the key, or its hash if the key is too long."""
    if len(key.encode()) <= MAX_CALLBACK_DATA:
        return key
    return f"sha256:{sha256(key.encode()).hexdigest()}"


def _recipient(to: str | None, content: WhatsAppMessage) -> str:
    """Return the number in E.164. A +1 number without a known region may not be in the US, so Meta decides."""
    if not to:
        raise MessageRejected("no_address", "The customer has no phone number.")
    number = _parse(to)
    if number is None:
        raise MessageRejected("invalid_address", "The phone number is not valid.")
    if content.category == "marketing" and phonenumbers.region_code_for_number(number) == "US":
        raise MessageRejected(
            "marketing_us", "WhatsApp delivers no marketing messages to US numbers."
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _parse(text: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None


def _components(content: WhatsAppMessage) -> list[dict[str, Any]]:
    texts = [*_text_component("header", content.header), *_text_component("body", content.body)]
    return texts + [
        {
            "type": "button",
            "sub_type": "url",
            "index": str(index),
            "parameters": [{"type": "text", "text": one_line(suffix)}],
        }
        for index, suffix in enumerate(content.buttons)
    ]


def _text_component(kind: str, parameters: Sequence[WhatsAppParameter]) -> list[dict[str, Any]]:
    return [{"type": kind, "parameters": list(map(_parameter, parameters))}] if parameters else []


def _parameter(parameter: WhatsAppParameter) -> dict[str, Any]:
    text = one_line(parameter.text)  # Meta rejects line breaks, tabs and runs of spaces
    if parameter.type == "date_time":
        return {"type": "date_time", "date_time": {"fallback_value": text}}
    if parameter.type == "currency" and (currency := _currency(parameter)):
        return {"type": "currency", "currency": {"fallback_value": text, **currency}}
    return {"type": "text", "text": text}


def _currency(parameter: WhatsAppParameter) -> dict[str, Any] | None:
    """Return None if there is no amount, or Meta does not take it: it takes whole thousandths in 32 bits."""
    if not parameter.currency or not parameter.amount:
        return None
    thousandths = Decimal(parameter.amount) * _THOUSAND
    if thousandths != int(thousandths) or abs(thousandths) > MAX_THOUSANDTHS:
        return None
    return {"code": parameter.currency, "amount_1000": int(thousandths)}
