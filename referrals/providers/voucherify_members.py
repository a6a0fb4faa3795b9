"""Voucherify's loyalty API v2: points on the cards of a programme's members."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import BaseModel

from referrals.providers import Grant, Permanent, Receipt, Retryable
from referrals.providers.http_client import Api, Nothing, Refusal, segment


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
    """The one card, or the one of the definition, that each member of the programme has."""

    api: Api
    program: str
    definition: str | None

    async def look_up(self, grant: Grant, *, reversal: bool) -> Receipt | None:
        membership = await self._membership(grant.customer)
        if membership is None:
            return None
        rejected = None
        async for transaction in self._transactions(self._card(membership)):
            if transaction.reason == grant.booking(reversal=reversal):
                if transaction.status != "REJECTED":
                    return self._receipt(transaction)
                rejected = rejected or transaction
        return self._receipt(rejected) if rejected else None

    async def book(self, grant: Grant, *, reversal: bool) -> Receipt:
        membership = await self._membership(grant.customer) or await self._enrol(grant.customer)
        adjustment = await self.api.send(
            "POST",
            f"{self._card(membership)}/points",
            _Adjustment,
            body={
                "points": grant.change(reversal=reversal),
                "reason": grant.booking(reversal=reversal),
            },
            books=True,
        )
        return self._receipt(adjustment.transaction)

    async def _membership(self, customer: str) -> _Membership | None:
        try:
            return await self.api.send(
                "GET",
                f"{self._path}/memberships/{segment(customer)}",
                _Membership,
                params={"identification_type": "customer_source_id"},
            )
        except Refusal as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def _enrol(self, customer: str) -> _Membership:
        """The customer as a member; who is not a customer over there becomes one."""
        await self.api.send("POST", "/v1/customers", Nothing, body={"source_id": customer})
        who = {"type": "customer_source_id", "customer_source_id": customer}
        try:
            await self.api.send(
                "POST", f"{self._path}/members", Nothing, body={"customer_identification": who}
            )
        except Refusal as refusal:
            if refusal.code != "member_already_exists":
                raise
        membership = await self._membership(customer)
        if membership is None:
            raise Retryable("Voucherify does not show the new member yet.")
        return membership

    def _card(self, membership: _Membership) -> str:
        """The path of the member's one card of the definition."""
        cards = [held.card for held in membership.cards if held.card]
        fitting = [card for card in cards if self.definition in {None, card.card_definition_id}]
        if len(cards) < len(membership.cards) and not fitting:
            raise Retryable("Voucherify has not made the member's card yet.")
        if len(fitting) != 1:
            raise Permanent(
                "target",
                f"The member has {len(fitting)} cards that fit: "
                f"card_definition must name one of {self.program}.",
            )
        return (
            f"{self._path}/members/{segment(membership.member.id)}/cards/{segment(fitting[0].id)}"
        )

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

    def _receipt(self, transaction: _CardTransaction) -> Receipt:
        if transaction.status == "REJECTED":
            rejection = (transaction.details and transaction.details.rejection) or _Rejection()
            words = self.api.clean(f"{rejection.reason}: {rejection.details}")
            raise Permanent("rejected", f"Voucherify rejected the points: {words}")
        return Receipt(transaction.id, settled=transaction.status == "APPROVED")

    @property
    def _path(self) -> str:
        return f"/v2/loyalties/programs/{self.program}"
