"""What Meta tells by webhook: where messages are, and who stops or resumes marketing.

Only what is signed is read. It comes twice, in any order and up to seven days late, so that whoever keeps it goes by
its `at`: a body that somebody kept and sends again says nothing new.
"""

import hmac
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, SecretStr, ValidationError

from referrals.channels.whatsapp_errors import MEANING_BY_CODE, UNKNOWN_ERROR, parse_error
from referrals.channels.whatsapp_request import MAX_CALLBACK_DATA
from referrals.domain.event_fields import Text, clean_text
from referrals.domain.message_status import MarketingPreference, MessageStatus
from referrals.http_client import sanitize

_Item = TypeVar("_Item", bound=BaseModel)
_Key = Annotated[str, Field(max_length=MAX_CALLBACK_DATA), AfterValidator(clean_text)]
_SAME_NUMBER = (
    (re.compile(r"\+55(\d\d)9?(\d{8})"), (r"+55\1\2", r"+55\g<1>9\2")),
    (re.compile(r"\+521?(\d{10})"), (r"+52\1", r"+521\1")),
    (re.compile(r"\+549?(\d{10})"), (r"+54\1", r"+549\1")),
)
"""Brazil, Mexico and Argentina have numbers that WhatsApp knows with, or without, a digit of their mobile networks."""


class _Status(BaseModel):
    id: Text
    status: Literal["sent", "delivered", "read", "failed"]
    timestamp: AwareDatetime
    biz_opaque_callback_data: _Key | None = None
    errors: Any = None

    def typed(self) -> MessageStatus:
        status = MessageStatus(self.biz_opaque_callback_data, self.id, self.status, self.timestamp)
        if self.status != "failed":
            return status
        code, words = parse_error(next(iter(_items(self.errors)), None))
        meaning = UNKNOWN_ERROR if code is None else MEANING_BY_CODE.get(code, UNKNOWN_ERROR)
        what = "a failure" if code is None else str(code)
        sentence = f"WhatsApp reported {what}: {sanitize(words) or 'no words'}"
        return replace(
            status,
            kind=meaning.kind,
            code=meaning.code,
            message=sentence,
            scope=meaning.scope,
        )


class _Preference(BaseModel):
    wa_id: str = Field(pattern=r"^[1-9][0-9]{4,14}$")
    category: Literal["marketing_messages"]
    value: Literal["stop", "resume"]
    timestamp: AwareDatetime

    def typed(self) -> Iterator[MarketingPreference]:
        """One for each way in which the number may be known here."""
        for address in _addresses(f"+{self.wa_id}"):
            yield MarketingPreference("whatsapp", address, self.value, self.timestamp)


def verify_subscription(query: Mapping[str, str], verify_token: SecretStr) -> str | None:
    """What Meta wants to hear when the webhook is subscribed; None where it is not Meta who asks."""
    shown = query.get("hub.verify_token", "").encode(errors="replace")
    known = hmac.compare_digest(shown, verify_token.get_secret_value().encode())
    challenge = query.get("hub.challenge", "")
    return challenge if known and query.get("hub.mode") == "subscribe" else None


def has_valid_signature(body: bytes, signature: str, app_secret: SecretStr) -> bool:
    """Whether `X-Hub-Signature-256` fits the raw body, found out in constant time."""
    digest = hmac.digest(app_secret.get_secret_value().encode(), body, "sha256").hex()
    return hmac.compare_digest(f"sha256={digest}".encode(), signature.encode(errors="replace"))


def parse_webhook(body: bytes) -> tuple[list[MessageStatus], list[MarketingPreference]]:
    """All that can be understood, in its order. The rest is left out: Meta adds fields and kinds as it likes."""
    try:
        hook = json.loads(body)
    except (ValueError, RecursionError):
        return [], []
    statuses = [found.typed() for found in _find(hook, "statuses", _Status)]
    preferences = [
        preference
        for found in _find(hook, "user_preferences", _Preference)
        for preference in found.typed()
    ]
    return statuses, preferences


def _find(hook: Any, name: str, shape: type[_Item]) -> Iterator[_Item]:
    for entry in _items(_get(hook, "entry")):
        for change in _items(_get(entry, "changes")):
            for item in _items(_get(_get(change, "value"), name)):
                with suppress(ValidationError):
                    yield shape.model_validate(item)


def _get(node: Any, name: str) -> Any:
    return node.get(name) if isinstance(node, dict) else None


def _items(node: Any) -> list[Any]:
    return node if isinstance(node, list) else []


def _addresses(number: str) -> list[str]:
    for pattern, forms in _SAME_NUMBER:
        if match := pattern.fullmatch(number):
            return [match.expand(form) for form in forms]
    return [number]
