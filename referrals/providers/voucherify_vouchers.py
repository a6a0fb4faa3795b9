"""Voucherify API v1: credit on gift cards and points on loyalty cards, which are vouchers of a campaign."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from referrals.domain.failure_causes import FailureCause
from referrals.domain.money import decimals_of
from referrals.providers import Grant, PermanentError, Receipt, RetryableError
from referrals.providers.api_client import ProviderApi, RequestRejectedError, path_segment

_ALREADY_PUBLISHED = {"duplicate_source_id", "voucher_already_published"}


class _Voucher(BaseModel):
    code: str


class _Publication(BaseModel):
    voucher: _Voucher


class _ListedPublication(BaseModel):
    """A publication, or an attempt at one that failed and has no voucher."""

    result: Literal["SUCCESS", "FAILURE"]
    voucher: _Voucher | None = None


class _Publications(BaseModel):
    publications: list[_ListedPublication]


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
    """Cards that are vouchers of a campaign, one published to each customer (API v1).

    A look-up also publishes a card if the customer has none, because only a publication returns the customer's code.
    """

    api: ProviderApi
    campaign: str

    @abstractmethod
    async def book(self, grant: Grant, *, reversal: bool) -> Receipt: ...

    async def look_up(self, grant: Grant, *, reversal: bool) -> Receipt | None:
        async for transaction in self._transactions(await self._publish_card(grant.customer)):
            if transaction.source_id == grant.entry_key(reversal=reversal):
                return Receipt(transaction.id)
        return None

    async def _publish_card(self, customer: str) -> str:
        """Publish the customer's card and return its code; a repeat returns the same code."""
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
        except RequestRejectedError as error:
            if error.code not in _ALREADY_PUBLISHED:
                raise
            return await self._find_published_code(source)
        return publication.voucher.code

    async def _find_published_code(self, source: str) -> str:
        found = await self.api.send(
            "GET", "/v1/publications", _Publications, params={"source_id": source, "limit": "100"}
        )
        for publication in found.publications:
            if publication.result == "SUCCESS" and publication.voucher:
                return publication.voucher.code
        raise RetryableError("Voucherify published a card earlier but does not list it yet.")

    async def _transactions(self, code: str) -> AsyncIterator[_VoucherTransaction]:
        params = {"limit": "100", "order": "-id"}
        while True:
            page = await self.api.send(
                "GET",
                f"/v1/vouchers/{path_segment(code)}/transactions",
                _VoucherTransactions,
                params=params,
            )
            for transaction in page.data:
                yield transaction
            if not (page.has_more and page.more_starting_after):
                return
            params["starting_after_id"] = page.more_starting_after


class LoyaltyCards(_Vouchers):
    """Points on cards of a loyalty campaign. Voucherify books them after its response: the receipt is not booked."""

    async def book(self, grant: Grant, *, reversal: bool) -> Receipt:
        code = await self._publish_card(grant.customer)
        body = {
            "points": grant.signed_amount(reversal=reversal),
            "reason": grant.reason,
            "source_id": grant.entry_key(reversal=reversal),
        }
        if not reversal:
            body["expiration_type"] = "PROGRAM_RULES"
        await self.api.send(
            "POST",
            f"/v1/loyalties/members/{path_segment(code)}/balance",
            _Balance,
            body=body,
            changes_balance=True,
        )
        return Receipt(None, booked=False)


class GiftCards(_Vouchers):
    """Credit on gift cards, in the project's currency."""

    async def book(self, grant: Grant, *, reversal: bool) -> Receipt:
        amount = _to_hundredths(grant.signed_amount(reversal=reversal), grant.currency or "")
        code = await self._publish_card(grant.customer)
        body = {
            "amount": amount,
            "reason": grant.reason,
            "source_id": grant.entry_key(reversal=reversal),
        }
        await self.api.send(
            "POST",
            f"/v1/vouchers/{path_segment(code)}/balance",
            _Balance,
            body=body,
            changes_balance=True,
        )
        return Receipt(None)


def _to_hundredths(minor: int, currency: str) -> int:
    """Convert minor units to hundredths of the major unit, which Voucherify uses for every currency."""
    scale: int = 10 ** decimals_of(currency)
    hundredths, remainder = divmod(minor * 100, scale)
    if remainder:
        raise PermanentError(
            "amount",
            f"Voucherify stores {currency} in hundredths, not in thousandths.",
            FailureCause.SETUP,
        )
    return hundredths
