"""How events and commands come in, whichever way: stored first, then processed once, each by its workflow."""

import logging
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row
from temporalio.client import Client

from inbox.handlers import Handlers, Rest
from inbox.process import Answered, Inbox
from referrals.clock import Clock
from referrals.domain.events import Event, FriendConverted, parse_event
from referrals.domain.requests import PublicationRequest
from referrals.domain.validation_messages import field_errors
from referrals.errors import (
    EventIdReusedError,
    InvalidEventError,
    UnknownCampaignError,
    UnknownReferralError,
    UnknownRewardError,
)
from referrals.settings import Settings
from referrals.store import Store, lookups
from referrals.store.campaigns import versions
from referrals.store.codes import shares
from referrals.store.customers import profiles
from referrals.store.db.ids import new_id
from referrals.store.flow import receiving
from referrals.store.inbox import inbox_events
from referrals.store.referrals import conversions
from referrals.store.rewards import provider_rewards

log = logging.getLogger(__name__)


class Intake:
    """`clock` tells when something is received; decisions take the time from their workflows."""

    def __init__(self, store: Store, client: Client, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._handlers = Handlers(store, client, settings.public_url, clock)
        self._inbox = Inbox(store, self._handlers, settings.answer_timeout, clock)
        self.drain = self._inbox.drain
        self.drain_forever = self._inbox.drain_forever

    async def event(self, raw: Any, actor: str) -> Answered:
        """Receive one CloudEvent. Raises InvalidEventError and EventIdReusedError."""
        try:
            event = parse_event(raw)
        except ValidationError as error:
            async with self._store.read() as tx:
                await receiving.check_type(tx, raw)
            raise InvalidEventError(field_errors(error)) from error
        try:
            taken = await self._take(event, actor, begin=True)
        except (InvalidEventError, EventIdReusedError):
            raise
        except Exception:
            log.warning("Beginning with an event failed; it is stored alone", exc_info=True)
            taken = await self._take(event, actor, begin=False)
        return await self._inbox.answer(*taken)

    async def _take(
        self, event: Event, actor: str, *, begin: bool
    ) -> tuple[Row[Any], Sequence[Row[Any]], Rest | None]:
        """Store the event and, unless others go first, begin with it: one transaction costs less than two.

        What fails when an event is begun with must not lose it: then it is stored alone.
        """
        now = self._clock()
        async with self._store.begin() as tx:
            received = await receiving.receive(tx, event, actor, now)
            row, is_next = received.row, received.is_next
            earlier = [] if is_next else await inbox_events.queued_before(tx, row)
            rest = await self._handlers.begin(tx, received) if begin and is_next else None
        return row, earlier, rest

    async def publish(self, campaign_id: str, body: PublicationRequest, actor: str) -> Answered:
        """Assign a code to a customer; answers with the publication."""
        now = self._clock()
        async with self._store.begin() as tx:
            if await versions.in_force(tx, campaign_id) is None:
                raise UnknownCampaignError(campaign_id)
            customer_id = await profiles.upsert(tx, body.customer, now)
            row = await inbox_events.command(
                tx,
                "publish",
                actor,
                now,
                data={"publish": body.model_dump(include={"channel", "code"}, exclude_none=True)},
                campaign_id=campaign_id,
                customer_id=customer_id,
            )
        answered = await self._inbox.answer(row)
        if answered.status != 200:  # noqa: PLR2004
            return answered
        return Answered(200, answered.body["publications"][0])

    async def command(self, kind: str, referral_id: str, reason: str, actor: str) -> Answered:
        """`approve`, `reject` or `roll_back` a referral."""
        async with self._store.begin() as tx:
            referral = await lookups.find_referral(tx, referral_id)
            if referral is None:
                raise UnknownReferralError(referral_id)
            row = await inbox_events.command(
                tx,
                kind,
                actor,
                self._clock(),
                data={"referral": referral_id, "reason": reason},
                campaign_id=referral.campaign_id,
                customer_id=referral.friend_id,
            )
        return await self._inbox.answer(row)

    async def reward_command(self, kind: str, reward_id: str, reason: str, actor: str) -> Answered:
        """`reward_retry`, `reward_void`, `reward_roll_back` or `reward_approve` one reward."""
        async with self._store.begin() as tx:
            reward = await provider_rewards.find(tx, reward_id)
            if reward is None:
                raise UnknownRewardError(reward_id)
            asked = provider_rewards.about(reward, reason)
            row = await inbox_events.command(tx, kind, actor, self._clock(), **asked)
        return await self._inbox.answer(row)

    async def check(self, campaign_id: str, raw: Any, actor: str) -> dict[str, Any]:
        """What a conversion would be answered, decided for real and then taken back."""
        order = raw.get("order") if isinstance(raw, dict) else None
        if isinstance(order, dict):  # a cart that is not an order yet
            raw = raw | {"order": {"id": "check"} | order}
        data = FriendConverted.model_validate(raw)
        async with self._store.rehearse() as tx:
            found = await versions.in_force(tx, campaign_id)
            if found is None:
                raise UnknownCampaignError(campaign_id)
            kind = found.campaign.conversion.event
            event = Event(
                specversion="1.0",
                id=new_id("check"),
                source="check",
                type=receiving.REDEMPTION if kind == "redemption" else kind,
                data=data.model_copy(update={"campaign": campaign_id}),
            )
            received = await receiving.receive(tx, event, actor, self._clock())
            answer = await conversions.convert(tx, received.row.id, self._clock())
        if "discount" in answer:  # the coupon stays where it was
            answer["discount"] |= {"code": None}
        return answer | {"event": None, "referral": None}

    async def click(self, click_id: str, code: str, channel: str) -> None:
        """Count a visit of the referral link."""
        now = self._clock()
        async with self._store.begin() as tx:
            found = await lookups.find_code(tx, code)
            campaign_id = found.campaign_id if found else None
            row = await inbox_events.click(tx, click_id, code, channel, campaign_id, now)
            await shares.share(tx, row.id, now)
            await inbox_events.close(tx, row.id)
