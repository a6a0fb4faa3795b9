"""Voucherify: points on loyalty cards, by its API v2 or v1, and gift credit on gift cards.

A booking carries our key in the only field that its call has for one: `reason` for points of v2, `source_id` for the
others. Neither is unique over there, so a booking is looked up in the card's transactions. API v2 lists points at
once and approves or rejects them later; v1 books them, and lists them, some time after it has answered.

Sources: Voucherify's OpenAPI documents, error list and guide to loyalty v2 in production, as of August 2026.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Self

import httpx
from pydantic import Field, SecretStr, ValidationInfo, model_validator

from referrals.domain.campaign_fields import SingleLine
from referrals.providers import Grant, Receipt, RewardType
from referrals.providers.http_client import Api
from referrals.providers.target import Target
from referrals.providers.voucherify_members import MemberCards
from referrals.providers.voucherify_vouchers import GiftCards, LoyaltyCards


class VoucherifyTarget(Target):
    """Which of Voucherify's objects a campaign's rewards go to."""

    program: Annotated[str, Field(pattern=r"^lprg_[a-f0-9]+$")] | None = None
    """The loyalty programme, of API v2, that has the customers' cards."""
    card_definition: Annotated[str, Field(pattern=r"^lcdef_[a-f0-9]+$")] | None = None
    """Which of a member's cards, where the programme has more than one."""
    loyalty_campaign: SingleLine | None = None
    """Name or id of the loyalty campaign, of API v1, that has the customers' cards."""
    gift_campaign: SingleLine | None = None
    """Name or id of the campaign that has the customers' gift cards."""

    @model_validator(mode="after")
    def _one_place_for_each_type(self, info: ValidationInfo) -> Self:
        if self.program and self.loyalty_campaign:
            raise ValueError("must have either program (API v2) or loyalty_campaign (API v1)")
        if self.card_definition and not self.program:
            raise ValueError("must have program, which card_definition is a part of")
        if self.kind(info) == "points" and not (self.program or self.loyalty_campaign):
            raise ValueError("must have program (API v2) or loyalty_campaign (API v1) for points")
        if self.kind(info) == "gift_credit" and not self.gift_campaign:
            raise ValueError("must have gift_campaign for gift credit")
        return self


class Voucherify:
    """Grants to a customer whom Voucherify knows, or gets to know, by our id as its `source_id`."""

    name = "voucherify"
    visible_after = timedelta(minutes=2)

    def __init__(
        self, client: httpx.AsyncClient, base_url: str, app_id: str, app_token: SecretStr
    ) -> None:
        """
        Args:
            client: Of `open_client`.
            base_url: The project's cluster, such as `https://api.voucherify.io`.
            app_id: Of the project's server-side keys.
            app_token: The secret that belongs to it.

        Raises:
            ValueError: the base URL is malformed.
        """
        credentials = {"X-App-Id": app_id, "X-App-Token": app_token.get_secret_value()}
        self._api = Api(client, "Voucherify", base_url, credentials, later={"multiple_requests"})

    async def look_up(self, grant: Grant, *, reversal: bool = False) -> Receipt | None:
        return await self._cards(grant).look_up(grant, reversal=reversal)

    async def grant(self, grant: Grant) -> Receipt:
        return await self._cards(grant).book(grant, reversal=False)

    async def roll_back(self, grant: Grant, reference: str | None) -> Receipt:  # noqa: ARG002 - the key says it
        return await self._cards(grant).book(grant, reversal=True)

    def check_target(self, target: Mapping[str, Any], kind: RewardType) -> None:
        VoucherifyTarget.check(target, kind)

    def describe(self) -> str:
        return f"Voucherify at {self._api.host}"

    def _cards(self, grant: Grant) -> MemberCards | LoyaltyCards | GiftCards:
        target = VoucherifyTarget.of(grant)
        if grant.type == "gift_credit":
            return GiftCards(self._api, str(target.gift_campaign))
        if target.program:
            return MemberCards(self._api, target.program, target.card_definition)
        return LoyaltyCards(self._api, str(target.loyalty_campaign))
