"""Any HTTP endpoint that keeps balances and speaks the few words of this page (docs/providers.md tells them at length).

`POST {url}` books a grant, or a roll-back:

    Idempotency-Key: spring/ref_1/friend          the key once more
    webhook-id, webhook-timestamp, webhook-signature   Standard Webhooks, over the raw body

    {"key": "spring/ref_1/friend", "action": "grant", "customer": "cus_42", "type": "gift_credit",
     "amount": "25.00", "currency": "EUR", "reason": "…", "reference": null, "target": {…}}

`amount` is a decimal string in the currency's major unit, for points a whole number. A roll-back has the action
`roll_back`, a key of its own, the amount that was granted, and the `reference` that the grant was answered with.

The answer is 200 or 201 with `{"reference"?: "…", "settled"?: true}`; `"settled": false` says that it is taken but not
yet booked. A repeat is answered the same, or 409. A refusal is any other 4xx, with `{"key", "message"}`; the key
`insufficient` refuses a roll-back of more than the customer has left, with `"held": "10.00"`, which is rolled back then.
`GET {url}?key=…`, signed with an empty body and the key as `webhook-id`, answers 200 with the same, or 404.
The endpoint must book a key at most once, however often and however parallel it is sent.
"""

from collections.abc import Generator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx
from pydantic import BaseModel, JsonValue, RootModel, SecretStr

from referrals.clock import Clock, utc_now
from referrals.domain.money import format_amount, parse_amount
from referrals.domain.webhook_signatures import signature_headers, signing_key
from referrals.providers import Grant, Receipt, RewardType, Spent
from referrals.providers.http_client import Api, Refusal


class HttpTarget(RootModel[dict[str, JsonValue]]):
    """Whatever the endpoint understands: it is sent as it is."""


class _Receipt(BaseModel):
    reference: str | None = None
    settled: bool = True

    @property
    def receipt(self) -> Receipt:
        return Receipt(self.reference, settled=self.settled)


class _Signature(httpx.Auth):
    """Signs the request by the `webhook-id` that it has."""

    requires_request_body = True

    def __init__(self, secret: SecretStr, clock: Clock) -> None:
        self._key = signing_key(secret.get_secret_value())
        self._clock = clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        message = request.headers["webhook-id"]
        request.headers.update(
            signature_headers([self._key], message, self._clock(), request.content)
        )
        yield request


class HttpProvider:
    """An endpoint of the operator's own. It books a key once, so that asking it again is always safe."""

    name = "http"
    visible_after = timedelta(0)

    def __init__(
        self, client: httpx.AsyncClient, url: str, secret: SecretStr, clock: Clock = utc_now
    ) -> None:
        """
        Args:
            client: Of `open_client`.
            url: The endpoint, without a query.
            secret: What requests are signed with: `whsec_` and 24 to 64 random bytes in base64.
            clock: What the time in the signature is read from.

        Raises:
            ValueError: one of the two is malformed.
        """
        self._api = Api(client, "The endpoint", url, {}, auth=_Signature(secret, clock))

    async def look_up(self, grant: Grant, *, reversal: bool = False) -> Receipt | None:
        return await self._find(grant.booking(reversal=reversal))

    async def grant(self, grant: Grant) -> Receipt:
        return await self._book(grant, "grant", grant.booking(reversal=False), None)

    async def roll_back(self, grant: Grant, reference: str | None) -> Receipt:
        try:
            return await self._book(grant, "roll_back", grant.booking(reversal=True), reference)
        except Refusal as refusal:
            if refusal.code == Spent.CODE:
                raise Spent(str(refusal), _held(refusal.answer, grant.currency)) from None
            raise

    def check_target(self, target: Mapping[str, Any], kind: RewardType) -> None:  # noqa: ARG002 - the endpoint's affair
        HttpTarget.model_validate(target)

    def describe(self) -> str:
        return f"HTTP endpoint at {self._api.host}"

    async def _book(self, grant: Grant, action: str, key: str, reference: str | None) -> Receipt:
        body = {
            "key": key,
            "action": action,
            "customer": grant.customer,
            "type": grant.type,
            "amount": _decimal(grant),
            "currency": grant.currency,
            "reason": grant.reason,
            "reference": reference,
            "target": dict(grant.target),
        }
        headers = {"webhook-id": key, "Idempotency-Key": key}
        try:
            booked = await self._api.send(
                "POST", "", _Receipt, body=body, headers=headers, books=True
            )
        except Refusal as refusal:
            found = await self._find(key) if refusal.status == HTTPStatus.CONFLICT else None
            if found is None:
                raise
            return found
        return booked.receipt

    async def _find(self, key: str) -> Receipt | None:
        try:
            found = await self._api.send(
                "GET", "", _Receipt, params={"key": key}, headers={"webhook-id": key}
            )
        except Refusal as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found.receipt


def _held(answer: Any, currency: str | None) -> int:
    """What the customer has left; nothing, where the endpoint does not say."""
    held = answer.get("held") if isinstance(answer, dict) else None
    try:
        return parse_amount(str(held), currency) if currency else int(str(held))
    except (ValueError, TypeError):
        return 0


def _decimal(grant: Grant) -> str:
    return format_amount(grant.amount, grant.currency) if grant.currency else str(grant.amount)
