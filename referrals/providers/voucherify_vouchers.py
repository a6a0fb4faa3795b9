"""Voucherify's API v1: credit on gift cards, and points on loyalty cards, both vouchers of a campaign."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from referrals.domain.money import decimals_of
from referrals.providers import Grant, Permanent, Receipt, Retryable
from referrals.providers.http_client import Api, Refusal, segment

_ALREADY = {"duplicate_source_id", "voucher_already_published"}


class _Voucher(BaseModel):
    code: str


class _Publication(BaseModel):
    voucher: _Voucher


class _Publications(BaseModel):
    publications: list[_Publication]


class _VoucherTransaction(BaseModel):
    id: str
    source_id: str | None


class _VoucherTransactions(BaseModel):
    data: list[_VoucherTransaction]
    has_more: bool
    more_starting_after: str | None = None


class _Balance(BaseModel):
    object: Literal["balance"]


@dataclass(frozen=True)
class _Vouchers(ABC):
    """Cards that are vouchers of a campaign, one published to each customer, by API v1.

    A look-up publishes one too where there is none, because only a publication tells which is the customer's.
    """

    api: Api
    campaign: str

    @abstractmethod
    async def book(self, grant: Grant, *, reversal: bool) -> Receipt: ...

    async def look_up(self, grant: Grant, *, reversal: bool) -> Receipt | None:
        async for transaction in self._transactions(await self._code(grant.customer)):
            if transaction.source_id == grant.booking(reversal=reversal):
                return Receipt(transaction.id)
        return None

    async def _code(self, customer: str) -> str:
        """The code of the customer's card, which is always the same one."""
        source = f"{self.campaign}/{customer}"
        try:
            publication = await self.api.send(
                "POST",
                "/v1/publications",
                _Publication,
                params={"join_once": "true"},
                body={
                    "source_id": source,
                    "campaign": {"name": self.campaign},
                    "customer": {"source_id": customer},
                },
            )
        except Refusal as refusal:
            if refusal.code not in _ALREADY:
                raise
            publication = await self._published(source)
        return publication.voucher.code

    async def _published(self, source: str) -> _Publication:
        found = await self.api.send(
            "GET", "/v1/publications", _Publications, params={"source_id": source}
        )
        if not found.publications:
            raise Retryable("Voucherify has published a card before, and does not show it yet.")
        return found.publications[0]

    async def _transactions(self, code: str) -> AsyncIterator[_VoucherTransaction]:
        params = {"limit": "100", "order": "-id"}
        while True:
            page = await self.api.send(
                "GET",
                f"/v1/vouchers/{segment(code)}/transactions",
                _VoucherTransactions,
                params=params,
            )
            for transaction in page.data:
                yield transaction
            if not (page.has_more and page.more_starting_after):
                return
            params["starting_after_id"] = page.more_starting_after


class LoyaltyCards(_Vouchers):
    """Points on cards of a loyalty campaign. They are booked after the answer, so the receipt is not settled."""

    async def book(self, grant: Grant, *, reversal: bool) -> Receipt:
        code = await self._code(grant.customer)
        body = {
            "points": grant.change(reversal=reversal),
            "reason": grant.reason,
            "source_id": grant.booking(reversal=reversal),
        }
        if not reversal:
            body["expiration_type"] = "PROGRAM_RULES"
        await self.api.send(
            "POST",
            f"/v1/loyalties/members/{segment(code)}/balance",
            _Balance,
            body=body,
            books=True,
        )
        return Receipt(None, settled=False)


class GiftCards(_Vouchers):
    """Credit on gift cards, whose currency is the project's."""

    async def book(self, grant: Grant, *, reversal: bool) -> Receipt:
        amount = _hundredths(grant.change(reversal=reversal), grant.currency or "")
        code = await self._code(grant.customer)
        body = {
            "amount": amount,
            "reason": grant.reason,
            "source_id": grant.booking(reversal=reversal),
        }
        await self.api.send(
            "POST", f"/v1/vouchers/{segment(code)}/balance", _Balance, body=body, books=True
        )
        return Receipt(None)


def _hundredths(minor: int, currency: str) -> int:
    """Minor units as Voucherify counts money of any currency: in hundredths of the major unit."""
    scale: int = 10 ** decimals_of(currency)
    hundredths, rest = divmod(minor * 100, scale)
    if rest:
        raise Permanent(
            "amount", f"Voucherify counts {currency} in hundredths, not in thousandths."
        )
    return hundredths
