"""Provider for an HTTP endpoint that keeps balances itself (guide: docs/providers.md).

`POST {url}` books a grant or a roll-back:

    Idempotency-Key: spring/9b2f…/friend/1          same value as `key`
    webhook-id, webhook-timestamp, webhook-signature   Standard Webhooks, computed over the raw body

    {"key": "spring/9b2f…/friend/1", "action": "grant", "customer": "cus_42", "type": "gift_credit",
     "amount": "25.00", "currency": "EUR", "reason": "…", "reference": null, "target": {…}}

`amount` is a decimal string in the currency's major unit, or a whole number of points. A roll-back has the action
`roll_back`, a separate key, the amount of the grant and the `reference` from the response to the grant.

The response is 200 or 201 with `{"reference"?: "…", "settled"?: true}`. `"settled": false` means accepted but not
booked yet. A repeated request gets the same response or 409. Any other 4xx is a rejection, with `{"key", "message"}`;
the key `insufficient`, with `"held": "10.00"`, rejects a roll-back of more than the customer has left, and the
remaining balance is rolled back instead. `GET {url}?key=…`, signed with an empty body and the key as `webhook-id`,
responds with 200 and the same body, or 404. The endpoint must book each key at most once, even when requests are
repeated or concurrent.
"""

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import httpx
from pydantic import BaseModel, Field, JsonValue, RootModel, SecretStr

from referrals.clock import Clock, utc_now
from referrals.domain.money import format_amount, parse_amount
from referrals.http_client import StandardWebhooksAuth
from referrals.providers import AlreadySpentError, Grant, Receipt, RewardType
from referrals.providers.api_client import ProviderApi, RequestRejectedError


class HttpTarget(RootModel[dict[str, JsonValue]]):
    """Any JSON object: it is passed to the endpoint unchanged."""


class _ReceiptBody(BaseModel):
    reference: str | None = None
    booked: bool = Field(True, alias="settled")

    def to_receipt(self) -> Receipt:
        return Receipt(self.reference, booked=self.booked)


class HttpProvider:
    """Endpoint run by the operator. It books each key once, so repeating a request is always safe."""

    name = "http"
    visible_after = timedelta(0)
    usual_requests = 1

    def __init__(
        self, client: httpx.AsyncClient, url: str, secret: SecretStr, clock: Clock = utc_now
    ) -> None:
        """
        Args:
            client: Result of `open_client`.
            url: The endpoint, without a query.
            secret: Signing secret: `whsec_` and 24 to 64 random bytes in base64.
            clock: Source of the time in the signature.

        Raises:
            ValueError: the URL or the secret is malformed.
        """
        auth = StandardWebhooksAuth(secret, clock)
        self._api = ProviderApi(client, "The endpoint", url, {}, auth=auth)

    async def look_up(self, grant: Grant, *, reversal: bool = False) -> Receipt | None:
        return await self._find(grant.entry_key(reversal=reversal))

    async def grant(self, grant: Grant) -> Receipt:
        return await self._book(grant, "grant", grant.entry_key(reversal=False), None)

    async def roll_back(self, grant: Grant, reference: str | None) -> Receipt:
        try:
            return await self._book(grant, "roll_back", grant.entry_key(reversal=True), reference)
        except RequestRejectedError as error:
            if error.code == AlreadySpentError.CODE:
                remaining = _remaining_balance(error.body, grant.currency)
                raise AlreadySpentError(str(error), remaining) from None
            raise

    def check_target(self, target: Mapping[str, Any], reward_type: RewardType) -> None:  # noqa: ARG002 - the endpoint validates it
        HttpTarget.model_validate(target)

    def describe(self) -> str:
        return f"HTTP endpoint at {self._api.host}"

    async def _book(self, grant: Grant, action: str, key: str, reference: str | None) -> Receipt:
        body = {
            "key": key,
            "action": action,
            "customer": grant.customer,
            "type": grant.type,
            "amount": _decimal_amount(grant),
            "currency": grant.currency,
            "reason": grant.reason,
            "reference": reference,
            "target": dict(grant.target),
        }
        headers = {"webhook-id": key, "Idempotency-Key": key}
        try:
            response = await self._api.send(
                "POST", "", _ReceiptBody, body=body, headers=headers, changes_balance=True
            )
        except RequestRejectedError as error:
            existing = await self._find(key) if error.status == HTTPStatus.CONFLICT else None
            if existing is None:
                raise
            return existing
        return response.to_receipt()

    async def _find(self, key: str) -> Receipt | None:
        try:
            response = await self._api.send(
                "GET", "", _ReceiptBody, params={"key": key}, headers={"webhook-id": key}
            )
        except RequestRejectedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return response.to_receipt()


def _remaining_balance(body: Any, currency: str | None) -> int:
    """Return the customer's remaining balance; 0 if the endpoint does not state it."""
    amount = body.get("held") if isinstance(body, dict) else None
    try:
        return parse_amount(str(amount), currency) if currency else int(str(amount))
    except (ValueError, TypeError):
        return 0


def _decimal_amount(grant: Grant) -> str:
    return format_amount(grant.amount, grant.currency) if grant.currency else str(grant.amount)
