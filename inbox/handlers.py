"""What is done about a stored event or command: most is handed to the workflow that it belongs to."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, FailureError

from inbox.dispatch import Dispatcher
from referrals.clock import Clock
from referrals.domain.links import referral_link, share_links
from referrals.domain.states import CLOSED_WITHOUT_CONVERSION, Decision, ReferralState
from referrals.errors import NotPossibleError, NotPublishedError, RefusedError
from referrals.store import Store, lookups
from referrals.store.campaigns import versions
from referrals.store.codes import clicks, shares
from referrals.store.customers import profiles
from referrals.store.db.sql import Tx
from referrals.store.flow import pending_work, responses
from referrals.store.flow.receiving import Received
from referrals.store.inbox import inbox_events
from referrals.store.journeys import runs
from referrals.store.messaging import deliveries
from referrals.store.referrals import conversions, reversals, signups
from referrals.temporal.payloads import PendingWork
from referrals.temporal.targets import advocate_target, journey_target, referral_target
from workflows.advocate import AdvocateWorkflow
from workflows.journey import JourneyWorkflow
from workflows.referral import ReferralWorkflow

REFUSALS: dict[str, type[RefusedError]] = {
    "NotPossible": NotPossibleError,
    "NotPublished": NotPublishedError,
}
"""By the type of the workflow's error."""


Rest = Callable[[], Awaitable[None]]
"""What is left to do about an event when its first transaction is committed."""


class Handlers:
    """Handling an event again, after a crash in the middle of it, changes nothing that was done already."""

    def __init__(self, store: Store, client: Client, public_url: str, clock: Clock) -> None:
        self._store = store
        self._dispatch = Dispatcher(client)
        self._public_url = public_url
        self._clock = clock

    async def handle(self, row: Row[Any], rest: Rest | None = None) -> None:
        """All that there is to do, or the `rest` of what `begin` has begun."""
        handler = HANDLERS.get(row.type, Handlers.convert)
        try:
            await (rest() if rest else handler(self, row))
        except WorkflowUpdateFailedError as error:
            if refused := _refusal(error):
                raise refused from error
            raise

    async def begin(self, tx: Tx, received: Received) -> Rest | None:
        """What can be done already in the transaction that stores the event, which nobody else has seen yet."""
        row, by_code = received.row, received.by_code
        if row.type == "referral_signed_up":
            return await self._signed_up(tx, row, by_code)
        return None if row.type in HANDLERS else await self._converting(tx, row, by_code)

    async def sign_up(self, row: Row[Any]) -> None:
        async with self._store.begin() as tx:
            rest = await self._signed_up(tx, await inbox_events.claim(tx, row.id))
        await rest()

    async def _signed_up(self, tx: Tx, event: Row[Any], by_code: Row[Any] | None = None) -> Rest:
        """Decided here. A workflow begins where SQL says that there is something to wait for, or to send."""
        now = self._clock()
        answer = await signups.decide(tx, event, now)
        standing = await pending_work.of_friend(tx, event.campaign_id, event.customer_id, now)
        advocate, _ = await _referred(tx, event, by_code)

        async def rest() -> None:
            opened = standing.is_open and answer["decision"] == Decision.ACCEPTED
            if not (opened or standing.has_work):
                return
            run = referral_target(event.campaign_id, event.customer_id, advocate, standing)
            if not await self._dispatch.start(run, _idle_for(standing, now)):
                await self._dispatch.update(run, ReferralWorkflow.sign_up, event)

        return rest

    async def convert(self, row: Row[Any]) -> None:
        async with self._store.read() as tx:
            rest = await self._converting(tx, row)
        await rest()

    async def _converting(self, tx: Tx, event: Row[Any], by_code: Row[Any] | None = None) -> Rest:
        """A certain rejection — the code is nobody's, or the friend has converted — starts no workflow for nothing."""
        advocate, state = await _referred(tx, event, by_code)
        nobodys = advocate is None and bool(event.campaign_id is None or clicks.code_of(event.data))
        over = state not in (None, ReferralState.SIGNED_UP)
        certain = (nobodys or over) and not await _tells_rejections(tx, event.campaign_id)

        async def rest() -> None:
            if not (certain and await self._rejected_here(event)):
                run = referral_target(event.campaign_id, event.customer_id, advocate)
                await self._dispatch.update(run, ReferralWorkflow.convert, event)

        return rest

    async def review(self, row: Row[Any]) -> None:
        await self._to_friend(ReferralWorkflow.review, row)

    async def roll_back(self, row: Row[Any]) -> None:
        await self._to_friend(ReferralWorkflow.roll_back, row)

    async def reward(self, row: Row[Any]) -> None:
        if row.data["milestone"] is None:
            await self._to_friend(ReferralWorkflow.reward, row)
        else:
            run = advocate_target(row.campaign_id, row.customer_id)
            await self._dispatch.update(run, AdvocateWorkflow.reward, row)

    async def wake_journey(self, row: Row[Any]) -> None:
        async with self._store.read() as tx:
            run = await runs.get(tx, row.data["run"])
        await self._dispatch.wake(
            journey_target(run.campaign_id, run.id, runs.workflow_id(run)), JourneyWorkflow.wake
        )
        async with self._store.begin() as tx:
            await responses.give(tx, row, Decision.ACCEPTED)

    async def send_again(self, row: Row[Any]) -> None:
        message = row.data["message"]
        async with self._store.read() as tx:
            customer_id = await deliveries.resuming_customer_id(tx, message)
        run = advocate_target(row.campaign_id, customer_id)
        await self._dispatch.update(run, AdvocateWorkflow.resend_message, row, message)
        async with self._store.begin() as tx:
            await responses.give(tx, row, Decision.ACCEPTED)

    async def _to_friend(self, update: Callable[..., Any], row: Row[Any]) -> None:
        async with self._store.read() as tx:
            advocate, _ = await _referred(tx, row)
        run = referral_target(row.campaign_id, row.customer_id, advocate)
        await self._dispatch.update(run, update, row)

    async def share(self, row: Row[Any]) -> None:
        async with self._store.read() as tx:
            owner = await lookups.owner_of(tx, row.data["code"], row.campaign_id)
        if owner is None or row.type == "referral_link_clicked":
            async with self._store.begin() as tx:
                await shares.share(tx, row.id, self._clock())
            return
        run = advocate_target(row.campaign_id, owner)
        await self._dispatch.update(run, AdvocateWorkflow.share, row)

    async def order_reversed(self, row: Row[Any]) -> None:
        async with self._store.begin() as tx:
            found = await reversals.note(tx, row.id)
        for referral in found:
            run = referral_target(referral.campaign_id, referral.friend_id, referral.advocate)
            await self._dispatch.update(run, ReferralWorkflow.reassess, row, referral.id)
        async with self._store.begin() as tx:
            await responses.give(
                tx, row, Decision.ACCEPTED, referral_id=found[0].id if found else None
            )

    async def registered(self, row: Row[Any]) -> None:
        async with self._store.begin() as tx:
            await profiles.mark_as_customer(
                tx, row.customer_id, inbox_events.happened(row, self._clock())
            )
            wanted = await versions.publishing_on(tx, row.type)
        if row.campaign_id:
            wanted = [campaign_id for campaign_id in wanted if campaign_id == row.campaign_id]
        for campaign_id in wanted:
            try:
                await self._publish_in(row, campaign_id)
            except WorkflowUpdateFailedError as error:
                if _refusal(error) is None:
                    raise
        await self._answer_published(row)

    async def publish_code(self, row: Row[Any]) -> None:
        await self._publish_in(row, row.campaign_id)
        await self._answer_published(row)

    async def _publish_in(self, row: Row[Any], campaign_id: str) -> None:
        run = advocate_target(campaign_id, row.customer_id)
        await self._dispatch.update(run, AdvocateWorkflow.publish, row)

    async def _answer_published(self, row: Row[Any]) -> None:
        async with self._store.begin() as tx:
            published = (await inbox_events.claim(tx, row.id)).data.get("published", {})
            publications = [
                await self._publication(tx, campaign_id, row.customer_id, code)
                for campaign_id, code in published.items()
            ]
            await responses.give(tx, row, Decision.ACCEPTED, publications=publications)

    async def _publication(
        self, tx: Tx, campaign_id: str, customer_id: str, code: str
    ) -> dict[str, Any]:
        found = await versions.in_force(tx, campaign_id)
        name = found.campaign.name if found else campaign_id
        return {
            "campaign": campaign_id,
            "customer": (await profiles.get(tx, customer_id)).external_id,
            "code": code,
            "link": referral_link(self._public_url, code),
            "share": share_links(self._public_url, code, name),
        }

    async def _rejected_here(self, row: Row[Any]) -> bool:
        """Decide without a workflow: a guessed code starts nothing. Not, where it is no rejection after all."""
        async with self._store.rehearse() as tx:
            answer = await conversions.convert(tx, row.id, self._clock())
            if answer["decision"] != Decision.REJECTED:
                return False
            await tx.commit()
            return True


HANDLERS: dict[str, Callable[[Handlers, Row[Any]], Awaitable[None]]] = {
    "customer_registered": Handlers.registered,
    "referral_link_shared": Handlers.share,
    "referral_link_clicked": Handlers.share,
    "referral_signed_up": Handlers.sign_up,
    "order_refunded": Handlers.order_reversed,
    "order_cancelled": Handlers.order_reversed,
    "publish": Handlers.publish_code,
    "approve": Handlers.review,
    "reject": Handlers.review,
    "roll_back": Handlers.roll_back,
    "reward_retry": Handlers.reward,
    "reward_resume": Handlers.reward,
    "reward_void": Handlers.reward,
    "reward_roll_back": Handlers.reward,
    "reward_approve": Handlers.reward,
    runs.WAKE: Handlers.wake_journey,
    deliveries.RESUME_COMMAND: Handlers.send_again,
}
"""By type of event or command; any other is a conversion."""


def _idle_for(standing: PendingWork, now: datetime) -> timedelta | None:
    """How long there is nothing to do for a workflow that begins here; what it waits for may have come already."""
    if standing.has_work or not standing.wake_at or standing.wake_at <= now:
        return None
    return standing.wake_at - now


async def _referred(
    tx: Tx, row: Row[Any], by_code: Row[Any] | None = None
) -> tuple[str | None, str | None]:
    """The customer who refers the friend, by the code or else by the referral that there is; and the live one's state.

    `by_code` is what the event's code told, if that is known (see `scenes.by_code`).
    """
    if code := clicks.code_of(row.data):
        found = by_code or await lookups.by_code(tx, code, row.customer_id)
        if found is None or found.id != row.campaign_id:
            return None, None
        return found.advocate, found.live_state
    latest = await lookups.latest_referral(tx, row.campaign_id, row.customer_id)
    if latest is None:
        return None, None
    advocate = await lookups.owner_of(tx, latest.code, row.campaign_id)
    return advocate, None if latest.state in CLOSED_WITHOUT_CONVERSION else latest.state


async def _tells_rejections(tx: Tx, campaign_id: str | None) -> bool:
    """Whether the friend's workflow would have something to send or tell of one."""
    found = await versions.in_force(tx, campaign_id) if campaign_id else None
    journeys = found.campaign.journeys if found else ()
    return any(journey.reacts_to("referral_rejected") for journey in journeys)


def _refusal(error: WorkflowUpdateFailedError) -> RefusedError | None:
    cause: BaseException | None = error
    while isinstance(cause, FailureError | WorkflowUpdateFailedError):
        if isinstance(cause, ApplicationError) and cause.type in REFUSALS:
            return REFUSALS[cause.type](cause.message, next(iter(cause.details), None))
        cause = cause.cause
    return None
