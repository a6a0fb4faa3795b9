"""Talon.One provider: send an event that a Talon.One rule rewards, or add points to a loyalty programme directly.

An event's `integrationId` is made of our key, and is unique at Talon.One. A repeated event gets a 409 response,
and so do concurrent updates of one profile; reading the event back tells them apart. A rule of a Talon.One campaign
must turn the event into the reward. An event that all rules refused gave nothing, so that a retry, after an operator
has corrected the rule, sends the next event. Points added directly carry our key as their `name`, which is not unique,
so a look-up searches the profile's transactions.

Sources: Talon.One's OpenAPI documents of the Integration API and the Management API, June 2026.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Literal

import httpx
from pydantic import (
    BaseModel,
    SecretStr,
)

from referrals.domain.failure_causes import FailureCause
from referrals.domain.money import format_amount
from referrals.providers import (
    Grant,
    NotBookedError,
    PermanentError,
    Receipt,
    RetryableError,
    RewardType,
    TrackedEvent,
)
from referrals.providers.api_client import (
    IgnoredBody,
    ProviderApi,
    RequestRejectedError,
    path_segment,
)
from referrals.providers.talon_one_events import GIVING, TAKING, EventResult, event_id
from referrals.providers.talon_one_target import Loyalty, TalonOneTarget

_PAGE = 1000
_MAX_EVENTS = 10
"""Events for one key: the first, and one for each retry after a refusal."""

_CAUSES = {"http_400": FailureCause.SETUP}
"""Talon.One answers 400 where an event or attribute is not defined there."""


class _Transaction(BaseModel):
    transactionUUID: str  # noqa: N815
    type: Literal["addition", "subtraction"]
    name: str


class _Transactions(BaseModel):
    data: list[_Transaction]
    hasMore: bool  # noqa: N815


class TalonOne:
    """Rewards go to the customer profile whose `integrationId` is the customer's external id."""

    name = "talon_one"
    visible_after = timedelta(seconds=30)
    usual_requests = 1

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        api_key: SecretStr,
        management_key: SecretStr | None = None,
    ) -> None:
        """
        Args:
            client: Result of `open_client`.
            base_url: Address of the deployment, such as `https://shop.europe-west1.talon.one`.
            api_key: API key of the application, for the Integration API.
            management_key: API key for the Management API, which the target `loyalty` requires.

        Raises:
            ValueError: the base URL is malformed.
        """

        def api(
            scheme: str, key: SecretStr, retryable_codes: Collection[str] = ("http_409",)
        ) -> ProviderApi:
            credentials = {"Authorization": f"{scheme} {key.get_secret_value()}"}
            return ProviderApi(
                client,
                "Talon.One",
                base_url,
                credentials,
                retryable_codes=retryable_codes,
                causes=_CAUSES,
            )

        self._integration = api("ApiKey-v1", api_key)
        self._events = api("ApiKey-v1", api_key, retryable_codes=())  # its 409 may mean a repeat
        self._management = api("ManagementKey-v1", management_key) if management_key else None

    async def look_up(self, grant: Grant, *, reversal: bool = False) -> Receipt | None:
        loyalty = TalonOneTarget.of(grant).loyalty
        if loyalty is None:
            return await self._find_event(grant, reversal=reversal)
        key = grant.entry_key(reversal=reversal)
        entry_type = "subtraction" if reversal else "addition"
        async for transaction in self._transactions(grant.customer, loyalty):
            if (transaction.name, transaction.type) == (key, entry_type):
                return Receipt(transaction.transactionUUID)
        return None

    async def grant(self, grant: Grant) -> Receipt:
        return await self._book(grant, reversal=False)

    async def roll_back(self, grant: Grant, reference: str | None) -> Receipt:  # noqa: ARG002 - the key identifies it
        return await self._book(grant, reversal=True)

    async def track(self, event: TrackedEvent) -> None:
        body = {
            "profileId": event.customer,
            "type": event.name,
            "integrationId": event_id(event.key),
            "attributes": dict(event.attributes),
        }
        try:
            await self._events.send(
                "POST",
                "/v3/events",
                IgnoredBody,
                params={"silent": "yes"},
                body=body,
                changes_balance=True,
            )
        except RequestRejectedError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            if not await self.has_tracked(event):  # the profile is being updated concurrently
                raise RetryableError(str(error), FailureCause.CUSTOMER) from None

    async def has_tracked(self, event: TrackedEvent) -> bool:
        return await self._get_event(event_id(event.key)) is not None

    def check_target(self, target: Mapping[str, Any], reward_type: RewardType) -> None:
        TalonOneTarget.parse(target, reward_type)

    def describe(self) -> str:
        return f"Talon.One at {self._integration.host}"

    async def _book(self, grant: Grant, *, reversal: bool) -> Receipt:
        target = TalonOneTarget.of(grant)
        if target.event:
            return await self._send_event(grant, target.event, reversal=reversal)
        assert target.loyalty
        return await self._adjust_points(grant, target.loyalty, reversal=reversal)

    async def _send_event(self, grant: Grant, event: str, *, reversal: bool) -> Receipt:
        """Send the first event of the grant that Talon.One's rules have not refused before."""
        for number in range(_MAX_EVENTS):
            id_ = event_id(grant.entry_key(reversal=reversal), number)
            result, repeated = await self._post_or_get(grant, event, id_, reversal=reversal)
            try:
                return self._receipt_of(id_, result, reversal=reversal)
            except NotBookedError:
                if not repeated:
                    raise
        raise NotBookedError(
            "refused",
            f"The rules of Talon.One refused {_MAX_EVENTS} events for this reward.",
            FailureCause.RULE,
        )

    async def _post_or_get(
        self, grant: Grant, event: str, id_: str, *, reversal: bool
    ) -> tuple[EventResult, bool]:
        """Send the event and return its result, or that of the event with this id, and whether it was a repeat."""
        try:
            return await self._post_event(grant, event, id_, reversal=reversal), False
        except RequestRejectedError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            known = await self._get_event(id_)
            if known is None:  # not a repeat: the profile is being updated concurrently
                raise RetryableError(str(error), FailureCause.CUSTOMER) from None
            return known, True

    async def _post_event(
        self, grant: Grant, event: str, id_: str, *, reversal: bool
    ) -> EventResult:
        attributes = {
            "action": "roll_back" if reversal else "grant",
            "reward": grant.type,
            "amount": _amount_in_major_units(grant),
            "reason": grant.reason,
        }
        if grant.currency:
            attributes["currency"] = grant.currency
        return await self._events.send(
            "POST",
            "/v3/events",
            EventResult,
            params={"silent": "no"},
            body={
                "profileId": grant.customer,
                "type": event,
                "integrationId": id_,
                "attributes": attributes,
                "responseContent": ["ruleFailureReasons"],
            },
            changes_balance=True,
        )

    async def _find_event(self, grant: Grant, *, reversal: bool) -> Receipt | None:
        """Find the event that was not refused; if there are refused ones only, raise the last refusal."""
        refusal = None
        for number in range(_MAX_EVENTS):
            id_ = event_id(grant.entry_key(reversal=reversal), number)
            if (known := await self._get_event(id_)) is None:
                break
            try:
                return self._receipt_of(id_, known, reversal=reversal)
            except NotBookedError as error:
                refusal = error
        if refusal:
            raise refusal
        return None

    async def _get_event(self, id_: str) -> EventResult | None:
        try:
            return await self._events.send("GET", f"/v3/events/{id_}", EventResult)
        except RequestRejectedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _receipt_of(self, id_: str, result: EventResult, *, reversal: bool) -> Receipt:
        done = result.applied(TAKING if reversal else GIVING)
        if done:
            return Receipt(id_)
        words = self._events.sanitize(result.refusal())
        verb = "took" if reversal else "gave"
        if done is None:
            raise PermanentError(
                "unconfirmed",
                f"Talon.One shows only a custom effect for the event {id_}, which a rule that refused it may "
                f"have returned too: {words}. Check the event there.",
                FailureCause.RULE,
            )
        raise NotBookedError(
            "refused", f"No rule of Talon.One {verb} anything: {words}", FailureCause.RULE
        )

    async def _adjust_points(self, grant: Grant, loyalty: Loyalty, *, reversal: bool) -> Receipt:
        if self._management is None:
            raise PermanentError(
                "credentials",
                "The target loyalty requires a key for Talon.One's Management API.",
                FailureCause.CREDENTIALS,
            )
        body: dict[str, Any] = {"points": grant.amount, "name": grant.entry_key(reversal=reversal)}
        if loyalty.subledger:
            body["subledgerId"] = loyalty.subledger
        verb = "deduct_points" if reversal else "add_points"
        adjust = partial(
            self._management.send,
            "PUT",
            f"{_ledger_path(loyalty, grant.customer)}/{verb}",
            IgnoredBody,
            body=body,
            changes_balance=True,
        )
        try:
            await adjust()
        except RequestRejectedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            await self._create_profile(grant.customer)
            await adjust()
        return Receipt(None)

    async def _create_profile(self, customer: str) -> None:
        path = f"/v2/customer_profiles/{path_segment(customer)}"
        await self._integration.send(
            "PUT", path, IgnoredBody, params={"runRuleEngine": "false"}, body={}
        )

    async def _transactions(self, customer: str, loyalty: Loyalty) -> AsyncIterator[_Transaction]:
        """Iterate over the profile's transactions in the programme, newest first; none if there is no profile."""
        skip = 0
        while True:
            try:
                page = await self._integration.send(
                    "GET",
                    f"{_ledger_path(loyalty, customer)}/transactions",
                    _Transactions,
                    params={"pageSize": str(_PAGE), "skip": str(skip)},
                )
            except RequestRejectedError as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    return
                raise
            for transaction in page.data:
                yield transaction
            if not page.hasMore:
                return
            skip += len(page.data)


def _ledger_path(loyalty: Loyalty, customer: str) -> str:
    return f"/v1/loyalty_programs/{loyalty.program}/profile/{path_segment(customer)}"


def _amount_in_major_units(grant: Grant) -> int | float:
    """Return the amount as a JSON number, because Talon.One's rules calculate with it. 15 digits suffice."""
    if grant.currency is None:
        return grant.amount
    return float(format_amount(grant.amount, grant.currency))
