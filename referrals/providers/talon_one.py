"""Talon.One: an event that its rules answer with a reward, or points straight into a loyalty programme's ledger.

An event carries our key as its `integrationId`, which is unique over there: a repeat is answered 409, and so are
parallel updates of one profile, so the event is read back to tell. A rule of a campaign over there must turn it into
the reward. Points added straight carry our key as their `name`, which is not unique: they are looked up in the
profile's transactions.

Sources: Talon.One's OpenAPI documents of the Integration API and the Management API, June 2026.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal, Self

import httpx
from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    model_validator,
)

from referrals.domain.money import format_amount
from referrals.domain.strict_model import StrictModel
from referrals.providers import Grant, Permanent, Receipt, Retryable, RewardType
from referrals.providers.http_client import Api, Nothing, Refusal, segment
from referrals.providers.target import Target

_PAGE = 1000

_Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Loyalty(StrictModel):
    """A profile-based loyalty programme, by its number, and one of its subledgers."""

    program: Annotated[int, Field(strict=True, gt=0)]
    subledger: _Name | None = None


class TalonOneTarget(Target):
    """Either a custom event of the application, or a loyalty programme for points."""

    event: _Name | None = None
    loyalty: Loyalty | None = None

    @model_validator(mode="after")
    def _event_or_loyalty(self, info: ValidationInfo) -> Self:
        if (self.event is None) == (self.loyalty is None):
            raise ValueError("must have either event or loyalty")
        if self.loyalty and self.kind(info) == "gift_credit":
            raise ValueError("must have event for gift credit: loyalty has points only")
        return self


class _Event(BaseModel):
    effects: list[Any]


class _Transaction(BaseModel):
    transactionUUID: str  # noqa: N815
    type: Literal["addition", "subtraction"]
    name: str


class _Transactions(BaseModel):
    data: list[_Transaction]
    hasMore: bool  # noqa: N815


class TalonOne:
    """Grants to the customer profile that has our id of the customer as its `integrationId`."""

    name = "talon_one"
    visible_after = timedelta(seconds=30)

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        api_key: SecretStr,
        management_key: SecretStr | None = None,
    ) -> None:
        """
        Args:
            client: Of `open_client`.
            base_url: The deployment, such as `https://shop.europe-west1.talon.one`.
            api_key: Of the application, for the Integration API.
            management_key: For the Management API, which the target `loyalty` needs.

        Raises:
            ValueError: the base URL is malformed.
        """

        def api(scheme: str, key: SecretStr, later: Collection[str] = ("http_409",)) -> Api:
            credentials = {"Authorization": f"{scheme} {key.get_secret_value()}"}
            return Api(client, "Talon.One", base_url, credentials, later=later)

        self._integration = api("ApiKey-v1", api_key)
        self._events = api("ApiKey-v1", api_key, later=())  # whose 409 may be a repeat
        self._management = api("ManagementKey-v1", management_key) if management_key else None

    async def look_up(self, grant: Grant, *, reversal: bool = False) -> Receipt | None:
        booking = grant.booking(reversal=reversal)
        loyalty = TalonOneTarget.of(grant).loyalty
        if loyalty is None:
            return await self._event(booking)
        kind = "subtraction" if reversal else "addition"
        async for transaction in self._transactions(grant.customer, loyalty):
            if (transaction.name, transaction.type) == (booking, kind):
                return Receipt(transaction.transactionUUID)
        return None

    async def grant(self, grant: Grant) -> Receipt:
        return await self._book(grant, reversal=False)

    async def roll_back(self, grant: Grant, reference: str | None) -> Receipt:  # noqa: ARG002 - the key says it
        return await self._book(grant, reversal=True)

    def check_target(self, target: Mapping[str, Any], kind: RewardType) -> None:
        TalonOneTarget.check(target, kind)

    def describe(self) -> str:
        return f"Talon.One at {self._integration.host}"

    async def _book(self, grant: Grant, *, reversal: bool) -> Receipt:
        target = TalonOneTarget.of(grant)
        if target.event:
            return await self._track(grant, target.event, reversal=reversal)
        assert target.loyalty
        return await self._adjust(grant, target.loyalty, reversal=reversal)

    async def _track(self, grant: Grant, event: str, *, reversal: bool) -> Receipt:
        booking = grant.booking(reversal=reversal)
        attributes = {
            "action": "roll_back" if reversal else "grant",
            "reward": grant.type,
            "amount": _number(grant),
            "reason": grant.reason,
        }
        if grant.currency:
            attributes["currency"] = grant.currency
        try:
            tracked = await self._events.send(
                "POST",
                "/v3/events",
                _Event,
                params={"silent": "no"},
                body={
                    "profileId": grant.customer,
                    "type": event,
                    "integrationId": booking,
                    "attributes": attributes,
                },
                books=True,
            )
        except Refusal as refusal:
            if refusal.status != HTTPStatus.CONFLICT:
                raise
            receipt = await self._event(booking)
            if receipt is None:  # no repeat: the profile is being updated in parallel
                raise Retryable(str(refusal)) from None
            return receipt
        return _receipt(booking, tracked)

    async def _event(self, booking: str) -> Receipt | None:
        try:
            event = await self._events.send("GET", f"/v3/events/{segment(booking)}", _Event)
        except Refusal as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return _receipt(booking, event)

    async def _adjust(self, grant: Grant, loyalty: Loyalty, *, reversal: bool) -> Receipt:
        if self._management is None:
            raise Permanent(
                "credentials", "The target loyalty needs a key for Talon.One's Management API."
            )
        body: dict[str, Any] = {"points": grant.amount, "name": grant.booking(reversal=reversal)}
        if loyalty.subledger:
            body["subledgerId"] = loyalty.subledger
        verb = "deduct_points" if reversal else "add_points"
        adjust = partial(
            self._management.send,
            "PUT",
            f"{_ledger(loyalty, grant.customer)}/{verb}",
            Nothing,
            body=body,
            books=True,
        )
        try:
            await adjust()
        except Refusal as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise
            await self._create_profile(grant.customer)
            await adjust()
        return Receipt(None)

    async def _create_profile(self, customer: str) -> None:
        path = f"/v2/customer_profiles/{segment(customer)}"
        await self._integration.send(
            "PUT", path, Nothing, params={"runRuleEngine": "false"}, body={}
        )

    async def _transactions(self, customer: str, loyalty: Loyalty) -> AsyncIterator[_Transaction]:
        """All of the profile's in the programme, newest first; a profile that is not there has none."""
        skip = 0
        while True:
            try:
                page = await self._integration.send(
                    "GET",
                    f"{_ledger(loyalty, customer)}/transactions",
                    _Transactions,
                    params={"pageSize": str(_PAGE), "skip": str(skip)},
                )
            except Refusal as refusal:
                if refusal.status == HTTPStatus.NOT_FOUND:
                    return
                raise
            for transaction in page.data:
                yield transaction
            if not page.hasMore:
                return
            skip += len(page.data)


def _ledger(loyalty: Loyalty, customer: str) -> str:
    return f"/v1/loyalty_programs/{loyalty.program}/profile/{segment(customer)}"


def _number(grant: Grant) -> int | float:
    """The amount in major units, as JSON's number: rules over there reckon with it. Its 15 digits are enough."""
    if grant.currency is None:
        return grant.amount
    return float(format_amount(grant.amount, grant.currency))


def _receipt(booking: str, event: _Event) -> Receipt:
    if not any(event.effects):
        raise Permanent(
            "no_effect",
            "Talon.One has taken the event, but none of its rules gave anything for it, and an event "
            "is taken once. Give the reward over there, and set the rule right for the next ones.",
        )
    return Receipt(booking)
