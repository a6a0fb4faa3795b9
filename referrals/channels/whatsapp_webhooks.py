"""Meta's webhooks: message statuses, and customers who stop or resume marketing.

Only signed bodies are parsed. They may arrive twice, in any order and up to seven days late, so consumers must order them
by `at`; replaying an old body then changes nothing.
"""

import hmac
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, SecretStr, ValidationError

from referrals.channels.whatsapp_errors import UNKNOWN_ERROR, parse_error
from referrals.channels.whatsapp_request import MAX_CALLBACK_DATA
from referrals.domain.event_fields import Text, clean_text
from referrals.domain.message_status import MarketingPreference, MessageStatus
from referrals.http_client import sanitize

_Item = TypeVar("_Item", bound=BaseModel)
_Key = Annotated[str, Field(max_length=MAX_CALLBACK_DATA), AfterValidator(clean_text)]
_EQUIVALENT_NUMBERS = (
    (re.compile(r"\+55(\d\d)9?(\d{8})"), (r"+55\1\2", r"+55\g<1>9\2")),
    (re.compile(r"\+521?(\d{10})"), (r"+52\1", r"+521\1")),
    (re.compile(r"\+549?(\d{10})"), (r"+54\1", r"+549\1")),
)
"""WhatsApp knows numbers of Brazil, Mexico and Argentina with or without an extra digit for mobile networks."""


class _Status(BaseModel):
    id: Text
    status: Literal["sent", "delivered", "read", "failed"]
    timestamp: AwareDatetime
    biz_opaque_callback_data: _Key | None = None
    errors: Any = None

    def to_status(self) -> MessageStatus:
        status = MessageStatus(self.biz_opaque_callback_data, self.id, self.status, self.timestamp)
        if self.status != "failed":
            return status
        reported = parse_error(next(iter(_items(self.errors)), None))
        meaning = reported.meaning or UNKNOWN_ERROR
        error = "an error without a code" if reported.code is None else f"error {reported.code}"
        message = f"WhatsApp reported {error}: {sanitize(reported.text) or 'no description'}"
        return replace(
            status,
            kind=meaning.kind,
            code=meaning.code,
            message=message,
            scope=meaning.scope,
        )


class _Preference(BaseModel):
    wa_id: str = Field(pattern=r"^[1-9][0-9]{4,14}$")
    category: Literal["marketing_messages"]
    value: Literal["stop", "resume"]
    timestamp: AwareDatetime

    def to_preferences(self) -> Iterator[MarketingPreference]:
        """Yield a preference for each notation in which we may have stored the number."""
        for address in _equivalent_numbers(f"+{self.wa_id}"):
            yield MarketingPreference("whatsapp", address, self.value, self.timestamp)


def verify_subscription(query: Mapping[str, str], verify_token: SecretStr) -> str | None:
    """Return the challenge to echo when Meta subscribes to the webhook; None if the verify token is wrong."""
    given = query.get("hub.verify_token", "").encode(errors="replace")
    is_meta = hmac.compare_digest(given, verify_token.get_secret_value().encode())
    challenge = query.get("hub.challenge", "")
    return challenge if is_meta and query.get("hub.mode") == "subscribe" else None


def has_valid_signature(body: bytes, signature: str, app_secret: SecretStr) -> bool:
    """Compare `X-Hub-Signature-256` with the signature of the raw body, in constant time."""
    digest = hmac.digest(app_secret.get_secret_value().encode(), body, "sha256").hex()
    return hmac.compare_digest(f"sha256={digest}".encode(), signature.encode(errors="replace"))


def parse_webhook(body: bytes) -> tuple[list[MessageStatus], list[MarketingPreference]]:
    """Return statuses and preferences in order. Unknown content is ignored, because Meta may add fields and kinds."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return [], []
    statuses = [item.to_status() for item in _find(payload, "statuses", _Status)]
    preferences = [
        preference
        for item in _find(payload, "user_preferences", _Preference)
        for preference in item.to_preferences()
    ]
    return statuses, preferences


def _find(payload: Any, name: str, model: type[_Item]) -> Iterator[_Item]:
    for entry in _items(_get(payload, "entry")):
        for change in _items(_get(entry, "changes")):
            for item in _items(_get(_get(change, "value"), name)):
                with suppress(ValidationError):
                    yield model.model_validate(item)


def _get(node: Any, name: str) -> Any:
    return node.get(name) if isinstance(node, dict) else None


def _items(node: Any) -> list[Any]:
    return node if isinstance(node, list) else []


def _equivalent_numbers(number: str) -> list[str]:
    for pattern, forms in _EQUIVALENT_NUMBERS:
        if match := pattern.fullmatch(number):
            return [match.expand(form) for form in forms]
    return [number]
