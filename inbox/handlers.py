"""Handlers of stored events and commands. Most dispatch to the workflow of a friend or an advocate."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from temporalio.client import Client, WorkflowUpdateFailedError

from inbox.dispatch import Dispatcher
from inbox.failures import as_refusal
from referrals.clock import Clock
from referrals.domain.event_names import SIGN_UP
from referrals.domain.links import referral_link, share_links
from referrals.domain.states import CLOSED_WITHOUT_CONVERSION, Decision, ReferralState
from referrals.store import Store, lookups
from referrals.store.campaigns import versions
from referrals.store.codes import clicks, shares
from referrals.store.customers import profiles
from referrals.store.db.columns import required
from referrals.store.db.sql import Tx
from referrals.store.flow import pending_work, responses
from referrals.store.flow.event_loop import handle_events
from referrals.store.flow.receiving import Received
from referrals.store.inbox import inbox_events
from referrals.store.inbox.outcome import Outcome
from referrals.store.journeys import advocate_resumption, runs
from referrals.store.lookups import CampaignOfCode
from referrals.store.merging import merge
from referrals.store.messaging import status_reports
from referrals.store.referrals import conversions, order_changes, signups
from referrals.store.rewards import commands
from referrals.store.schema import InboxEventRow
from referrals.temporal.names import referral_workflow_id
from referrals.temporal.payloads import PendingWork
from referrals.temporal.targets import advocate_target, journey_target, referral_target
from workflows.advocate import AdvocateWorkflow
from workflows.journey import JourneyWorkflow
from workflows.referral import ReferralWorkflow

FollowUp = Callable[[], Awaitable[None]]
"""Work that remains after the transaction that stored and decided an event has committed."""


class EventHandlers:
    """All handlers are idempotent: handling an event again after a crash changes nothing that was done before."""

    def __init__(self, store: Store, client: Client, public_url: str, clock: Clock) -> None:
        self._store = store
        self._dispatcher = Dispatcher(client)
        self._public_url = public_url
        self._clock = clock

    async def handle(self, event: InboxEventRow, follow_up: FollowUp | None = None) -> None:
        """Run the event's handler, or the follow-up of an event that `begin` has decided.

        Raises:
            RefusedError: The decision refuses the event or command.
        """
        handler = HANDLERS.get(event.type, EventHandlers.convert)
        try:
            await (follow_up() if follow_up else handler(self, event))
        except WorkflowUpdateFailedError as error:
            if refusal := as_refusal(error):
                raise refusal from error
            raise

    async def begin(self, tx: Tx, received: Received) -> FollowUp | None:
        """Decide what can be decided in the transaction that stores the event. Return None if nothing can."""
        event, resolved = received.row, received.campaign_of_code
        if event.type == SIGN_UP and not received.converts:
            return await self._decide_sign_up(tx, event, resolved)
        if event.type in HANDLERS and not received.converts:
            return None
        return await self._prepare_conversion(tx, event, resolved)

    async def sign_up(self, event: InboxEventRow) -> None:
        async with self._store.begin() as tx:
            if await versions.find_conversion_event(tx, event.campaign_id) == SIGN_UP:
                follow_up = await self._prepare_conversion(tx, event)
            else:
                follow_up = await self._decide_sign_up(tx, await inbox_events.lock(tx, event.id))
        await follow_up()

    async def _decide_sign_up(
        self, tx: Tx, event: InboxEventRow, resolved: CampaignOfCode | None = None
    ) -> FollowUp:
        """Decide in SQL. The follow-up starts a workflow if there is something to wait for or to send."""
        now = self._clock()
        response = await responses.decide(tx, lambda tx: signups.decide(tx, event, now))
        assert response is not None
        advocate_id, _, workflow_id = await _find_friend(tx, event, resolved)
        pending = await pending_work.find_for_referral(tx, workflow_id, now)
        waits = pending.is_open and response["decision"] == Decision.ACCEPTED

        async def after_commit() -> None:
            if not (waits or pending.has_work):
                return
            target = referral_target(required(event.campaign_id), workflow_id, advocate_id, pending)
            if not await self._dispatcher.start(target, _start_delay(pending, now)):
                await self._dispatcher.update(target, ReferralWorkflow.sign_up, event)

        return after_commit

    async def convert(self, event: InboxEventRow) -> None:
        async with self._store.read() as tx:
            follow_up = await self._prepare_conversion(tx, event)
        await follow_up()

    async def _prepare_conversion(
        self, tx: Tx, event: InboxEventRow, resolved: CampaignOfCode | None = None
    ) -> FollowUp:
        """Find the friend's workflow, which decides. A conversion that will be rejected needs none."""
        advocate_id, state, workflow_id = await _find_friend(tx, event, resolved)
        has_converted = state not in (None, ReferralState.SIGNED_UP)
        rejected = has_converted or (advocate_id is None and _names_unknown_code(event))
        if rejected and await _rejection_has_consequences(tx, event.campaign_id):
            rejected = False

        async def after_commit() -> None:
            if not (rejected and await self._reject_without_workflow(event)):
                target = referral_target(required(event.campaign_id), workflow_id, advocate_id)
                await self._dispatcher.update(target, ReferralWorkflow.convert, event)

        return after_commit

    async def _reject_without_workflow(self, event: InboxEventRow) -> bool:
        """Reject the conversion in SQL alone. Return False, and change nothing, if it is not rejected after all."""
        with suppress(_NotRejected):
            async with self._store.begin() as tx:
                outcome = await conversions.convert(tx, event.id, self._clock())
                if outcome.decision != Decision.REJECTED:
                    raise _NotRejected  # rolls back
                await handle_events(tx)
                await responses.save(tx, outcome)
                return True
        return False

    async def review(self, event: InboxEventRow) -> None:
        await self._update_referral(ReferralWorkflow.review, event, event.data["referral"])

    async def roll_back(self, event: InboxEventRow) -> None:
        await self._update_referral(ReferralWorkflow.roll_back, event, event.data["referral"])

    async def reinstate(self, event: InboxEventRow) -> None:
        await self._update_referral(ReferralWorkflow.reinstate, event, event.data["referral"])

    async def reward(self, event: InboxEventRow) -> None:
        async with self._store.read() as tx:
            reward = required(await commands.find_reward(tx, event.data["reward"]))
        if reward.referral_id:
            await self._update_referral(ReferralWorkflow.reward, event, reward.referral_id)
        else:
            target = advocate_target(reward.campaign_id, reward.customer_id)
            await self._dispatcher.update(target, AdvocateWorkflow.reward, event)

    async def wake_journey(self, event: InboxEventRow) -> None:
        async with self._store.read() as tx:
            run = await runs.get(tx, event.data["run"])
        await self._dispatcher.wake(
            journey_target(run.campaign_id, run.id, runs.workflow_id(run)), JourneyWorkflow.wake
        )
        async with self._store.begin() as tx:
            await responses.save(tx, Outcome(event))

    async def resend_message(self, event: InboxEventRow) -> None:
        message_id = event.data["message"]
        async with self._store.read() as tx:
            customer_id = await status_reports.resuming_customer_id(tx, message_id)
        target = advocate_target(required(event.campaign_id), customer_id)
        await self._dispatcher.update(target, AdvocateWorkflow.resend_message, event, message_id)
        async with self._store.begin() as tx:
            await responses.save(tx, Outcome(event))

    async def resume_advocate(self, event: InboxEventRow) -> None:
        async with self._store.read() as tx:
            customer_id = await advocate_resumption.resuming_customer_id(tx, event.data["advocate"])
        target = advocate_target(required(event.campaign_id), customer_id)
        await self._dispatcher.wake(target, AdvocateWorkflow.wake)
        async with self._store.begin() as tx:
            await responses.save(tx, Outcome(event))

    async def _update_referral(
        self, update: Callable[..., Any], event: InboxEventRow, referral_id: str
    ) -> None:
        async with self._store.read() as tx:
            referral = await lookups.get_referral(tx, referral_id)
            advocate = await lookups.get_advocate(tx, referral.advocate_id)
        target = referral_target(referral.campaign_id, referral.workflow_id, advocate.customer_id)
        await self._dispatcher.update(target, update, event)

    async def share(self, event: InboxEventRow) -> None:
        async with self._store.read() as tx:
            advocate_id = await lookups.find_code_owner(tx, event.data["code"], event.campaign_id)
        if advocate_id is None or event.type == "referral_link_clicked":
            async with self._store.begin() as tx:
                await responses.decide(tx, lambda tx: shares.record(tx, event.id, self._clock()))
            return
        target = advocate_target(required(event.campaign_id), advocate_id)
        await self._dispatcher.update(target, AdvocateWorkflow.share, event)

    async def change_order(self, event: InboxEventRow) -> None:
        async with self._store.begin() as tx:
            affected = await order_changes.record(tx, event.id)
        for referral in affected:
            target = referral_target(referral.campaign_id, referral.workflow_id, referral.advocate)
            await self._dispatcher.update(target, ReferralWorkflow.reassess, event, referral.id)
        async with self._store.begin() as tx:
            await responses.save(tx, await order_changes.outcome(tx, event.id))

    async def register_customer(self, event: InboxEventRow) -> None:
        async with self._store.begin() as tx:
            event = await inbox_events.lock(tx, event.id)
            await profiles.mark_as_customer(
                tx, required(event.customer_id), inbox_events.occurred_at(event, self._clock())
            )
            campaign_ids = await versions.list_publishing_on(tx, event.type)
        for campaign_id in campaign_ids:
            if event.campaign_id not in (None, campaign_id):
                continue
            try:
                await self._publish_in_campaign(event, campaign_id)
            except WorkflowUpdateFailedError as error:
                if as_refusal(error) is None:
                    raise
        await self._save_publications(event)

    async def merge_customers(self, event: InboxEventRow) -> None:
        async with self._store.begin() as tx:
            await responses.decide(tx, lambda tx: merge.decide(tx, event.id, self._clock()))
            to_notify = await merge.find_workflows(tx, event.id, self._clock())
        for referral in to_notify.referrals:
            target = referral_target(referral.campaign_id, referral.workflow_id, None)
            await self._dispatcher.wake(target, ReferralWorkflow.wake)
        for campaign_id, customer_id in to_notify.advocates:
            target = advocate_target(campaign_id, customer_id)
            await self._dispatcher.wake(target, AdvocateWorkflow.wake)

    async def publish(self, event: InboxEventRow) -> None:
        await self._publish_in_campaign(event, required(event.campaign_id))
        await self._save_publications(event)

    async def _publish_in_campaign(self, event: InboxEventRow, campaign_id: str) -> None:
        target = advocate_target(campaign_id, required(event.customer_id))
        await self._dispatcher.update(target, AdvocateWorkflow.publish, event)

    async def _save_publications(self, event: InboxEventRow) -> None:
        async with self._store.begin() as tx:
            published = (await inbox_events.lock(tx, event.id)).data.get("published", {})
            publications = [
                await self._publication(tx, campaign_id, required(event.customer_id), code)
                for campaign_id, code in published.items()
            ]
            await responses.save(tx, Outcome(event, details={"publications": publications}))

    async def _publication(
        self, tx: Tx, campaign_id: str, customer_id: str, code: str
    ) -> dict[str, Any]:
        found = await versions.find_in_force(tx, campaign_id)
        name = found.campaign.name if found else campaign_id
        return {
            "campaign": campaign_id,
            "customer": (await profiles.get(tx, customer_id)).external_id,
            "code": code,
            "link": referral_link(self._public_url, code),
            "share": share_links(self._public_url, code, name),
        }


HANDLERS: dict[str, Callable[[EventHandlers, InboxEventRow], Awaitable[None]]] = {
    "customer_registered": EventHandlers.register_customer,
    "customer_merged": EventHandlers.merge_customers,
    "referral_link_shared": EventHandlers.share,
    "referral_link_clicked": EventHandlers.share,
    SIGN_UP: EventHandlers.sign_up,
    "order_updated": EventHandlers.change_order,
    "order_refunded": EventHandlers.change_order,
    "order_cancelled": EventHandlers.change_order,
    "order_reinstated": EventHandlers.change_order,
    "publish": EventHandlers.publish,
    "approve": EventHandlers.review,
    "reject": EventHandlers.review,
    "roll_back": EventHandlers.roll_back,
    "reinstate": EventHandlers.reinstate,
    "reward_retry": EventHandlers.reward,
    "reward_resume": EventHandlers.reward,
    "reward_void": EventHandlers.reward,
    "reward_roll_back": EventHandlers.reward,
    "reward_approve": EventHandlers.reward,
    runs.WAKE_COMMAND: EventHandlers.wake_journey,
    status_reports.RESUME_COMMAND: EventHandlers.resend_message,
    advocate_resumption.RESUME_COMMAND: EventHandlers.resume_advocate,
}
"""Handlers by type of event or command. Any other type is a custom event that may convert."""


class _NotRejected(Exception):
    """The conversion is not rejected after all."""


def _start_delay(pending: PendingWork, now: datetime) -> timedelta | None:
    """Return how long a new workflow has nothing to do, if it has to wait at all."""
    if pending.has_work or not pending.wake_at or pending.wake_at <= now:
        return None
    return pending.wake_at - now


class _Friend(NamedTuple):
    """The customer id of a friend's advocate, the state of the live referral, and the workflow of the friend."""

    advocate_id: str | None
    live_state: str | None
    workflow_id: str


async def _find_friend(
    tx: Tx, event: InboxEventRow, resolved: CampaignOfCode | None = None
) -> _Friend:
    """Find the advocate of the event's friend: the owner of the event's code or, without one, of the latest referral's.

    `resolved` is the event's code, if it has been looked up before (see `lookups.find_campaign_of_code`).
    """
    new_id = referral_workflow_id(str(event.campaign_id), str(event.customer_id))
    if code := clicks.code_from_event_data(event.data):
        found = resolved or await lookups.find_campaign_of_code(tx, code, event.customer_id)
        if found and found.id == event.campaign_id:
            return _Friend(found.advocate, found.live_state, found.live_workflow_id or new_id)
    latest = await lookups.find_latest_referral(tx, event.campaign_id, event.customer_id)
    if latest is None or (code and latest.state != ReferralState.SIGNED_UP):
        return _Friend(None, None, new_id)
    advocate_id = await lookups.find_code_owner(tx, latest.code, event.campaign_id)
    is_live = latest.state not in CLOSED_WITHOUT_CONVERSION
    return _Friend(advocate_id, latest.state if is_live else None, latest.workflow_id)


def _names_unknown_code(event: InboxEventRow) -> bool:
    """Return whether an event without an advocate names a code, or belongs to no campaign."""
    return event.campaign_id is None or bool(clicks.code_from_event_data(event.data))


async def _rejection_has_consequences(tx: Tx, campaign_id: str | None) -> bool:
    """Return whether a journey of the campaign reacts to rejections, which takes the friend's workflow."""
    found = await versions.find_in_force(tx, campaign_id) if campaign_id else None
    journeys = found.campaign.journeys if found else ()
    return any(journey.reacts_to("referral_rejected") for journey in journeys)
