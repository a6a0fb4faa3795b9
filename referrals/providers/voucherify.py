"""Voucherify provider: points on loyalty cards (API v2 or v1), and gift credit on gift cards.

A request carries our key in the only suitable field: `reason` for points of API v2, `source_id` otherwise. Neither is
unique at Voucherify, so a look-up searches the card's transactions. API v2 lists points at once and approves or
rejects them later. API v1 books and lists them some time after its response.

Sources: Voucherify's OpenAPI documents, error list and guide to loyalty v2 in production, as of August 2026.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Self

import httpx
from pydantic import Field, SecretStr, ValidationInfo, model_validator

from referrals.domain.campaign_fields import SingleLine
from referrals.domain.failure_causes import FailureCause
from referrals.providers import Grant, Receipt, RewardType, TrackedEvent
from referrals.providers.api_client import ProviderApi
from referrals.providers.target import ProviderTarget
from referrals.providers.voucherify_events import CustomEvents
from referrals.providers.voucherify_members import MemberCards
from referrals.providers.voucherify_vouchers import GiftCards, LoyaltyCards

_CAUSES = {
    "no_voucher_suitable_for_publication": FailureCause.STOCK,
    "customer_rules_violated": FailureCause.CUSTOMER,
    "non_active_member": FailureCause.CUSTOMER,
    "zero_card_balance": FailureCause.CUSTOMER,
    "voucher_disabled": FailureCause.CUSTOMER,
    "voucher_expired": FailureCause.CUSTOMER,
    "multiple_requests": FailureCause.CUSTOMER,
}


class VoucherifyTarget(ProviderTarget):
    """Voucherify objects that a campaign's rewards are booked on."""

    program: Annotated[str, Field(pattern=r"^lprg_[a-f0-9]+$")] | None = None
    """Loyalty programme (API v2) with the customers' cards."""
    card_definition: Annotated[str, Field(pattern=r"^lcdef_[a-f0-9]+$")] | None = None
    """Card definition, required if members have more than one card in the programme."""
    loyalty_campaign: SingleLine | None = None
    """Name or id of the loyalty campaign (API v1) with the customers' cards."""
    gift_campaign: SingleLine | None = None
    """Name or id of the campaign with the customers' gift cards."""

    @model_validator(mode="after")
    def _one_object_per_reward_type(self, info: ValidationInfo) -> Self:
        if self.program and self.loyalty_campaign:
            raise ValueError("must have either program (API v2) or loyalty_campaign (API v1)")
        if self.card_definition and not self.program:
            raise ValueError("must have program: card_definition is part of a programme")
        if self.reward_type(info) == "points" and not (self.program or self.loyalty_campaign):
            raise ValueError("must have program (API v2) or loyalty_campaign (API v1) for points")
        if self.reward_type(info) == "gift_credit" and not self.gift_campaign:
            raise ValueError("must have gift_campaign for gift credit")
        return self


class Voucherify:
    """Rewards go to the customer whose `source_id` is the external id; a missing customer is created."""

    name = "voucherify"
    visible_after = timedelta(minutes=2)
    usual_requests = 2

    def __init__(
        self, client: httpx.AsyncClient, base_url: str, app_id: str, app_token: SecretStr
    ) -> None:
        """
        Args:
            client: Result of `open_client`.
            base_url: Address of the project's cluster, such as `https://api.voucherify.io`.
            app_id: Application id of the project's server-side key.
            app_token: Secret of that key.

        Raises:
            ValueError: the base URL is malformed.
        """
        credentials = {"X-App-Id": app_id, "X-App-Token": app_token.get_secret_value()}
        self._api = ProviderApi(
            client,
            "Voucherify",
            base_url,
            credentials,
            retryable_codes={"multiple_requests"},
            causes=_CAUSES,
        )

    async def look_up(self, grant: Grant, *, reversal: bool = False) -> Receipt | None:
        return await self._cards(grant).look_up(grant, reversal=reversal)

    async def grant(self, grant: Grant) -> Receipt:
        return await self._cards(grant).book(grant, reversal=False)

    async def roll_back(self, grant: Grant, reference: str | None) -> Receipt:  # noqa: ARG002 - the key identifies it
        return await self._cards(grant).book(grant, reversal=True)

    async def track(self, event: TrackedEvent) -> None:
        await CustomEvents(self._api).track(event)

    async def has_tracked(self, event: TrackedEvent) -> bool:
        return await CustomEvents(self._api).has_tracked(event)

    def check_target(self, target: Mapping[str, Any], reward_type: RewardType) -> None:
        VoucherifyTarget.parse(target, reward_type)

    def describe(self) -> str:
        return f"Voucherify at {self._api.host}"

    def _cards(self, grant: Grant) -> MemberCards | LoyaltyCards | GiftCards:
        target = VoucherifyTarget.of(grant)
        if grant.type == "gift_credit":
            return GiftCards(self._api, str(target.gift_campaign))
        if target.program:
            return MemberCards(self._api, target.program, target.card_definition)
        return LoyaltyCards(self._api, str(target.loyalty_campaign))
