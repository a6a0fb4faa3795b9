"""Signed webhook bodies of Meta about messages, in realistic disorder."""

import hmac
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from tests.channels.fake_graph_api import NUMBER_ID, TITLES, Sent

APP_SECRET = "4pp-s3cr3t"
VERIFY_TOKEN = "v3rify-t0ken"


class Hook(NamedTuple):
    body: bytes
    signature: str
    genuine: bool = True

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Hub-Signature-256": self.signature, "Content-Type": "application/json"}


def sign(body: bytes, secret: str = APP_SECRET) -> str:
    return f"sha256={hmac.new(secret.encode(), body, 'sha256').hexdigest()}"


def hook(*statuses: Any, preferences: Iterable[Any] = ()) -> Hook:
    """Return one signed body with these statuses and preferences, in Meta's format (ASCII)."""
    metadata = {"display_phone_number": "15550783881", "phone_number_id": NUMBER_ID}
    frame = {"messaging_product": "whatsapp", "metadata": metadata}
    changes = []
    if statuses:
        changes.append({"value": frame | {"statuses": list(statuses)}, "field": "messages"})
    if preferences:
        value = frame | {"contacts": [], "user_preferences": list(preferences)}
        changes.append({"value": value, "field": "user_preferences"})
    entry = [{"id": "102290129340398", "changes": changes}]
    body = json.dumps({"object": "whatsapp_business_account", "entry": entry}).encode()
    return Hook(body, sign(body))


def status(sent: Sent, state: str, at: datetime, code: int | None = None) -> dict[str, Any]:
    """Return a status; `code` is the error code of a failure."""
    found: dict[str, Any] = {
        "id": sent.wamid,
        "status": state,
        "timestamp": str(int(at.timestamp())),
        "recipient_id": sent.to[1:],
        "biz_opaque_callback_data": sent.key,
    }
    if code is None:
        pricing = {"billable": True, "pricing_model": "PMP", "category": sent.category}
        return found | {"pricing": pricing}
    title = TITLES.get(code, "Something went wrong")
    details = f"It could not be delivered to {sent.to}."
    error = {"code": code, "title": title, "message": title, "error_data": {"details": details}}
    return found | {"errors": [error | {"href": "/docs/whatsapp/cloud-api/support/error-codes/"}]}


def preference(number: str, value: str, at: datetime) -> dict[str, Any]:
    return {
        "wa_id": number.removeprefix("+"),
        "detail": f"User requested to {value} marketing messages",
        "category": "marketing_messages",
        "value": value,
        "timestamp": int(at.timestamp()),
    }


def story(sent: Sent, random: Random, code: int | None = None) -> list[dict[str, Any]]:
    """Return random statuses of a message: some are read without being "delivered", some are never read."""
    at = sent.at + timedelta(seconds=1)
    if code is not None:
        return [status(sent, "failed", at, code)]
    states = random.choice(
        [["sent"], ["sent", "delivered"], ["sent", "read"], ["sent", "delivered", "read"]]
    )
    return [status(sent, state, at + timedelta(minutes=n)) for n, state in enumerate(states)]


def disorder(statuses: Iterable[Any], random: Random) -> list[Hook]:
    """Return the statuses in random order: some in one body, some twice, some with a forged signature."""
    left = list(statuses)
    random.shuffle(left)
    hooks = []
    while left:
        batch = [left.pop() for _ in range(min(len(left), random.randint(1, 3)))]
        hooks += [hook(*batch)] * random.randint(1, 2)
    forged = [forge(one, random) for one in random.sample(hooks, len(hooks) // 3)]
    hooks += forged
    random.shuffle(hooks)
    return hooks


def forge(hook: Hook, random: Random) -> Hook:
    """Return the webhook with an invalid signature: missing, by another secret, of other bytes, or truncated."""
    signature = random.choice(
        ["", sign(hook.body, "another"), sign(hook.body + b" "), hook.signature[:-8]]
    )
    return Hook(hook.body, signature, genuine=False)
