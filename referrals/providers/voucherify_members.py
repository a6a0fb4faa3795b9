"""Voucherify loyalty API v2: points on the cards of a programme's members."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from referrals.domain.failure_causes import FailureCause
from referrals.providers import (
    Grant,
    NotBookedError,
    PermanentError,
    Receipt,
    RetryableError,
)
from referrals.providers.api_client import (
    IgnoredBody,
    ProviderApi,
    RequestRejectedError,
    path_segment,
)


class _Customer(BaseModel):
    id: str


class _Card(BaseModel):
    id: str
    card_definition_id: str


class _MemberCard(BaseModel):
    card: _Card | None


class _Member(BaseModel):
    id: str


class _Membership(BaseModel):
    member: _Member
    cards: list[_MemberCard]


class _Rejection(BaseModel):
    reason: str = ""
    details: str = ""


class _Details(BaseModel):
    reason: str | None = None
    rejection: _Rejection | None = None


class _CardTransaction(BaseModel):
    id: str
    status: str
    details: _Details | None

    @property
    def reason(self) -> str | None:
        return self.details.reason if self.details else None


class _Adjustment(BaseModel):
    transaction: _CardTransaction


class _Cursor(BaseModel):
    next: str


class _CardTransactions(BaseModel):
    data: list[_CardTransaction]
    cursor: _Cursor | None


@dataclass(frozen=True)
class MemberCards:
    """Cards of the programme's members: the member's only card, or the one with the given definition."""

    api: ProviderApi
    program: str
    definition: str | None

    async def look_up(self, grant: Grant, *, reversal: bool) -> Receipt | None:
        membership = await self._find_membership(grant.customer)
        if membership is None:
            return None
        rejected = None
        async for transaction in self._transactions(self._card_path(membership)):
            if transaction.reason == grant.entry_key(reversal=reversal):
                if transaction.status != "REJECTED":
                    return self._receipt_of(transaction)
                rejected = rejected or transaction
        return self._receipt_of(rejected) if rejected else None

    async def book(self, grant: Grant, *, reversal: bool) -> Receipt:
        membership = await self._find_membership(grant.customer) or await self._enrol(
            grant.customer
        )
        adjustment = await self.api.send(
            "POST",
            f"{self._card_path(membership)}/points",
            _Adjustment,
            body={
                "points": grant.signed_amount(reversal=reversal),
                "reason": grant.entry_key(reversal=reversal),
            },
            changes_balance=True,
        )
        return self._receipt_of(adjustment.transaction)

    async def _find_membership(self, customer: str) -> _Membership | None:
        try:
            return await self.api.send(
                "GET",
                f"{self._path}/memberships/{path_segment(customer)}",
                _Membership,
                params={"identification_type": "customer_source_id"},
            )
        except RequestRejectedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def _enrol(self, customer: str) -> _Membership:
        """Create the customer and the membership at Voucherify, unless they exist."""
        created = await self.api.send(
            "POST", "/v1/customers", _Customer, body={"source_id": customer}
        )
        by_source_id = {"type": "customer_source_id", "customer_source_id": customer}
        try:
            await self._add_member({"customer_id": created.id})
        except RequestRejectedError as error:
            if error.code != "invalid_payload":
                raise
            await self._add_member({"customer_identification": by_source_id})
        membership = await self._find_membership(customer)
        if membership is None:
            raise RetryableError("Voucherify does not show the new member yet.")
        return membership

    async def _add_member(self, body: Mapping[str, Any]) -> None:
        """Add a member. Voucherify's documents disagree on the field that names the customer."""
        try:
            await self.api.send("POST", f"{self._path}/members", IgnoredBody, body=body)
        except RequestRejectedError as error:
            if error.code != "member_already_exists":
                raise

    def _card_path(self, membership: _Membership) -> str:
        """Return the path of the member's card; exactly one must match the definition."""
        cards = [item.card for item in membership.cards if item.card]
        matching = [card for card in cards if self.definition in {None, card.card_definition_id}]
        if len(cards) < len(membership.cards) and not matching:
            raise RetryableError("Voucherify has not created the member's card yet.")
        if len(matching) != 1:
            raise PermanentError(
                "target",
                f"The member has {len(matching)} matching cards: "
                f"set card_definition to one of {self.program}.",
                FailureCause.SETUP,
            )
        return f"{self._path}/members/{path_segment(membership.member.id)}/cards/{path_segment(matching[0].id)}"

    async def _transactions(self, card: str) -> AsyncIterator[_CardTransaction]:
        params = {"limit": "100"}
        while True:
            page = await self.api.send(
                "GET", f"{card}/transactions", _CardTransactions, params=params
            )
            for transaction in page.data:
                yield transaction
            if page.cursor is None:
                return
            params["cursor"] = page.cursor.next

    def _receipt_of(self, transaction: _CardTransaction) -> Receipt:
        if transaction.status == "REJECTED":
            rejection = (transaction.details and transaction.details.rejection) or _Rejection()
            text = self.api.sanitize(f"{rejection.reason}: {rejection.details}")
            raise NotBookedError(
                "rejected", f"Voucherify rejected the points: {text}", FailureCause.CUSTOMER
            )
        return Receipt(transaction.id, booked=transaction.status == "APPROVED")

    @property
    def _path(self) -> str:
        return f"/v2/loyalties/programs/{self.program}"
