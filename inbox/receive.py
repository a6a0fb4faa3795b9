"""The inbox: store events and commands first, then process each of them once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from temporalio.client import Client

from inbox.handlers import EventHandlers, FollowUp
from inbox.process import EventProcessor, EventResponse
from referrals.clock import Clock
from referrals.domain.campaign import Campaign
from referrals.domain.events import Customer, Event, parse_event
from referrals.domain.requests import MergeRequest, parse_publication
from referrals.errors import (
    EventIdReusedError,
    FieldError,
    InvalidEventError,
    InvalidRequestError,
    UnknownCampaignError,
    UnknownReferralError,
    UnknownRewardError,
)
from referrals.logging import get_logger
from referrals.settings import Settings
from referrals.store import Store, lookups
from referrals.store.campaigns import versions
from referrals.store.codes import shares
from referrals.store.customers import profiles
from referrals.store.db.columns import required
from referrals.store.db.ids import new_id
from referrals.store.db.sql import Tx
from referrals.store.flow import receiving, responses
from referrals.store.flow.receiving import Received
from referrals.store.inbox import inbox_events
from referrals.store.merging import merge
from referrals.store.referrals import conversions
from referrals.store.rewards import commands
from referrals.store.schema import InboxEventRow

log = get_logger(__name__)


class Inbox:
    """Entry point of the service layer for the API and the commands.

    Args:
        clock: Gives the time of receipt. Workflows give the time of their decisions.
    """

    def __init__(self, store: Store, client: Client, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._max_age = settings.events_max_age
        self._order_aliases = settings.order_source_aliases
        self._handlers = EventHandlers(store, client, settings.public_url, clock)
        self._processor = EventProcessor(
            store, self._handlers, settings.event_response_timeout, clock
        )
        self.drain = self._processor.drain
        self.drain_forever = self._processor.drain_forever

    async def receive(self, raw: Any, actor: str) -> EventResponse:
        """Receive one CloudEvent.

        Raises:
            InvalidEventError: The event does not match its schema.
            EventIdReusedError: The id is already used by another event of the source.
        """
        try:
            event = parse_event(raw)
        except InvalidEventError as error:
            if all(item.field != "type" for item in error.errors):
                async with self._store.read() as tx:
                    await receiving.check_type(tx, raw)
            raise
        try:
            stored = await self._store_event(event, actor, decide=True)
        except (InvalidEventError, EventIdReusedError):
            raise
        except Exception:
            # The event must not be lost with the decision that failed.
            log.warning("deciding a new event failed; storing it without a decision", exc_info=True)
            stored = await self._store_event(event, actor, decide=False)
        return await self._processor.process(*stored)

    async def _store_event(
        self, event: Event, actor: str, *, decide: bool
    ) -> tuple[InboxEventRow, Sequence[InboxEventRow], FollowUp | None]:
        """Store the event and decide it in the same transaction, if no other event of its customer goes first.

        Returns the event's row, the events that go first, and the follow-up of the decision.
        """
        now = self._clock()
        async with self._store.begin() as tx:
            received = await self._receive(tx, event, actor, now)
            row, is_next = received.row, received.is_next
            earlier = [] if is_next else await inbox_events.find_earlier_queued(tx, row)
            begins = decide and is_next
            follow_up = await self._handlers.begin(tx, received) if begins else None
        return row, earlier, follow_up

    async def _receive(self, tx: Tx, event: Event, actor: str, now: datetime) -> Received:
        return await receiving.receive(tx, event, actor, now, self._max_age, self._order_aliases)

    async def publish(self, campaign_id: str, raw: Any, actor: str) -> EventResponse:
        """Assign a code to a customer. The response is the publication, with warnings.

        Raises:
            InvalidRequestError: The body is not that of a publication.
        """
        body, warnings = parse_publication(raw)
        now = self._clock()
        async with self._store.begin() as tx:
            if await versions.find_in_force(tx, campaign_id) is None:
                raise UnknownCampaignError(campaign_id)
            customer_id = await profiles.upsert(tx, body.customer, now)
            row = await inbox_events.store_command(
                tx,
                "publish",
                actor,
                now,
                data={"publish": body.model_dump(include={"channel", "code"}, exclude_none=True)},
                campaign_id=campaign_id,
                customer_id=customer_id,
                warnings=warnings,
            )
        response = await self._processor.process(row)
        if not response.is_processed:
            return response
        publication = response.body["publications"][0]
        return EventResponse(200, publication | {"warnings": row.warnings})

    async def merge_customers(self, customer: str, body: MergeRequest, actor: str) -> EventResponse:
        """Merge the customer `from` into `customer`, who is created if unknown. The response is the report of the merge.

        Raises:
            InvalidRequestError: `from` is unknown, or the customer itself.
        """
        if body.preview:
            return EventResponse(200, await self._preview_merge(customer, body, actor))
        async with self._store.begin() as tx:
            row = await self._store_merge(tx, customer, body, actor)
        response = await self._processor.process(row)
        if not response.is_processed:
            return response
        return EventResponse(200, response.body["merge"])

    async def _preview_merge(self, customer: str, body: MergeRequest, actor: str) -> dict[str, Any]:
        async with self._store.uncommitted() as tx:
            row = await self._store_merge(tx, customer, body, actor)
            response = await responses.decide(
                tx, lambda tx: merge.decide(tx, row.id, self._clock())
            )
        report: dict[str, Any] = required(response)["merge"]
        return report | {"preview": True}

    async def _store_merge(
        self, tx: Tx, customer: str, body: MergeRequest, actor: str
    ) -> InboxEventRow:
        other = await profiles.find_named(tx, body.merged)
        if other is None:
            raise InvalidRequestError([FieldError("from", "is not the id of a customer")])
        named = await profiles.find_named(tx, customer)
        if named is None:  # the guest who registers may be all that is known
            new_id = await profiles.upsert(tx, Customer(id=customer), self._clock())
            named = await profiles.get(tx, new_id)
        if other.id == named.id:
            raise InvalidRequestError([FieldError("from", "must not be the customer itself")])
        data = {"customer": named.external_id, "from": other.external_id, "reason": body.reason}
        return await inbox_events.store_command(
            tx,
            merge.MERGED,
            actor,
            self._clock(),
            data=data,
            campaign_id=None,
            customer_id=named.merged_into or named.id,
        )

    async def command_referral(
        self, kind: str, referral_id: str, reason: str, actor: str
    ) -> EventResponse:
        """Run the command `approve`, `reject`, `roll_back` or `reinstate` on a referral."""
        async with self._store.begin() as tx:
            referral = await lookups.find_referral(tx, referral_id)
            if referral is None:
                raise UnknownReferralError(referral_id)
            row = await inbox_events.store_command(
                tx,
                kind,
                actor,
                self._clock(),
                data={"referral": referral_id, "reason": reason},
                campaign_id=referral.campaign_id,
                customer_id=referral.friend_id,
            )
        return await self._processor.process(row)

    async def command_reward(
        self, kind: str, reward_id: str, reason: str, actor: str
    ) -> EventResponse:
        """Run the command `reward_retry`, `reward_void`, `reward_roll_back` or `reward_approve` on a reward."""
        async with self._store.begin() as tx:
            reward = await commands.find_reward(tx, reward_id)
            if reward is None:
                raise UnknownRewardError(reward_id)
            command = commands.command_of(reward, reason)
            row = await inbox_events.store_command(tx, kind, actor, self._clock(), **command)
        return await self._processor.process(row)

    async def check_conversion(self, campaign_id: str, data: Any, actor: str) -> dict[str, Any]:
        """Return the response that a conversion would get. The decision is made and then rolled back.

        Raises:
            InvalidRequestError: The data is not that of a conversion. Its order needs no id.
        """
        async with self._store.uncommitted() as tx:
            found = await versions.find_in_force(tx, campaign_id)
            if found is None:
                raise UnknownCampaignError(campaign_id)
            event = _checked_event(found.campaign, data)
            received = await self._receive(tx, event, actor, self._clock())
            response = await responses.decide(
                tx, lambda tx: conversions.convert(tx, received.row.id, self._clock())
            )
        assert response is not None
        for warning in response["warnings"]:
            warning["field"] = warning["field"].removeprefix("data.")
        if "discount" in response:  # the coupon is not assigned
            response["discount"] |= {"code": None}
        return response | {"event": None, "referral": None}

    async def record_click(self, click_id: str, code: str, channel: str) -> None:
        """Record a visit of a referral link, once for its id."""
        now = self._clock()
        async with self._store.begin() as tx:
            found = await lookups.find_code(tx, code)
            campaign_id = found.campaign_id if found else None
            row = await inbox_events.store_click(tx, click_id, code, channel, campaign_id, now)
            if row is not None:
                event_id = row.id
                await responses.decide(tx, lambda tx: shares.record(tx, event_id, now))
                await inbox_events.mark_processed(tx, event_id)


def _checked_event(campaign: Campaign, data: Any) -> Event:
    """Build the event of a conversion that is only checked."""
    if isinstance(data, dict):
        data = data | {"campaign": campaign.campaign}
        order = data.get("order")
        if isinstance(order, dict) and not order.get("id"):  # a cart
            data["order"] = order | {"id": new_id("cart")}
    kind = campaign.conversion.event
    envelope = {"specversion": "1.0", "id": new_id("check"), "source": "check"}
    kind = receiving.REDEMPTION if kind == "redemption" else kind
    try:
        return parse_event(envelope | {"type": kind, "data": data})
    except InvalidEventError as error:
        raise InvalidRequestError([_of_body(found) for found in error.errors]) from error


def _of_body(error: FieldError) -> FieldError:
    """Return the error of an event as one of its data, which are the body of the request."""
    field = "body" if error.field == "data" else error.field.removeprefix("data.")
    return replace(error, field=field)
