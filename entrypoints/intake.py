"""How events and commands come in, whichever way: stored first, then processed once, each by its workflow."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row
from temporalio.client import (
    Client,
    RPCError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.service import RPCStatusCode

from activities.journeys import tell
from entrypoints.dispatch import Dispatch, advocate_run, referral_run
from referrals.clock import Clock
from referrals.domain.events import Converted, Event, Publish, parse_event
from referrals.domain.links import link, share_links
from referrals.domain.problems import Problem
from referrals.domain.states import Decision, ReferralState
from referrals.settings import Settings
from referrals.store import (
    Store,
    answers,
    campaigns,
    clicks,
    conversions,
    customers,
    deliveries,
    grants,
    inbox,
    journey_runs,
    receiving,
    reversals,
    scenes,
    shares,
    signups,
)
from referrals.store.ids import new_id
from referrals.store.sql import Tx
from workflows.advocate import AdvocateWorkflow
from workflows.referral import ReferralWorkflow

CUT_OFF = timedelta(minutes=1)
"""An event that nobody answered for so long was cut off, by a crash of its API process."""
RETRY = timedelta(seconds=5)
DRAIN = 1.0
"""Seconds between looks into the inbox."""
BATCH = 500

Decide = Callable[[Tx, str, datetime], Awaitable[dict[str, Any]]]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answered:
    """200 with the answer, or 202: kept, and processed later."""

    status: int
    body: dict[str, Any]


class Unavailable(Exception):
    """Temporal or its workers do not answer now."""


class Refused(Exception):
    """The workflow refuses for a reason that trying again does not change."""

    def __init__(self, kind: str, message: str, code: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code


class Intake:
    """`clock` tells when something is received; decisions take the time from their workflows."""

    def __init__(self, store: Store, client: Client, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._client = client
        self._dispatch = Dispatch(client)
        self._settings = settings
        self._clock = clock

    async def event(self, raw: Any, actor: str) -> Answered:
        """Take one CloudEvent in. Raises pydantic's ValidationError, Problem, and inbox.EventIdReused."""
        try:
            event = parse_event(raw)
        except ValidationError:
            async with self._store.read() as tx:
                await receiving.check_type(tx, raw)
            raise
        async with self._store.begin() as tx:
            row = await receiving.receive(tx, event, actor, self._clock())
        return await self._answer(row)

    async def publish(self, campaign_id: str, body: Publish, actor: str) -> Answered:
        """Assign a code to a customer; answers with the publication."""
        now = self._clock()
        async with self._store.begin() as tx:
            if await campaigns.in_force(tx, campaign_id) is None:
                raise not_found(f"There is no campaign {campaign_id}.")
            customer_id = await customers.upsert(tx, body.customer, now)
            row = await inbox.command(
                tx,
                "publish",
                actor,
                now,
                data={"publish": body.model_dump(include={"channel", "code"}, exclude_none=True)},
                campaign_id=campaign_id,
                customer_id=customer_id,
            )
        answered = await self._answer(row)
        if answered.status != 200:  # noqa: PLR2004
            return answered
        return Answered(200, answered.body["publications"][0])

    async def command(self, kind: str, referral_id: str, reason: str, actor: str) -> Answered:
        """`approve`, `reject` or `roll_back` a referral."""
        async with self._store.begin() as tx:
            referral = await scenes.find_referral(tx, referral_id)
            if referral is None:
                raise not_found(f"There is no referral {referral_id}.")
            row = await inbox.command(
                tx,
                kind,
                actor,
                self._clock(),
                data={"referral": referral_id, "reason": reason},
                campaign_id=referral.campaign_id,
                customer_id=referral.friend_id,
            )
        return await self._answer(row)

    async def reward_command(self, kind: str, reward_id: str, reason: str, actor: str) -> Answered:
        """`reward_retry`, `reward_void`, `reward_roll_back` or `reward_approve` one reward."""
        async with self._store.begin() as tx:
            reward = await grants.find(tx, reward_id)
            if reward is None:
                raise not_found(f"There is no reward {reward_id}.")
            asked = grants.about(reward, reason)
            row = await inbox.command(tx, kind, actor, self._clock(), **asked)
        return await self._answer(row)

    async def check(self, campaign_id: str, raw: Any, actor: str) -> dict[str, Any]:
        """What a conversion would be answered, decided for real and then taken back."""
        order = raw.get("order") if isinstance(raw, dict) else None
        if isinstance(order, dict):  # a cart that is not an order yet
            raw = raw | {"order": {"id": "check"} | order}
        data = Converted.model_validate(raw)
        async with self._store.rehearse() as tx:
            found = await campaigns.in_force(tx, campaign_id)
            if found is None:
                raise not_found(f"There is no campaign {campaign_id}.")
            kind = found.campaign.conversion.event
            event = Event(
                specversion="1.0",
                id=new_id("check"),
                source="check",
                type=receiving.REDEMPTION if kind == "redemption" else kind,
                data=data.model_copy(update={"campaign": campaign_id}),
            )
            row = await receiving.receive(tx, event, actor, self._clock())
            answer = await conversions.convert(tx, row.id, self._clock())
        if "discount" in answer:  # the coupon stays where it was
            answer["discount"] |= {"code": None}
        return answer | {"event": None, "referral": None}

    async def click(self, click_id: str, code: str, channel: str) -> None:
        """Count a visit of the referral link."""
        now = self._clock()
        async with self._store.begin() as tx:
            found = await scenes.find_code(tx, code)
            campaign_id = found.campaign_id if found else None
            row = await inbox.click(tx, click_id, code, channel, campaign_id, now)
            await shares.share(tx, row.id, now)

    async def drain_forever(self) -> None:
        """Process what is queued, for as long as the process lives."""
        while True:
            try:
                await self.drain()
            except Exception:
                log.exception("Draining the inbox failed; it goes on")
            await asyncio.sleep(DRAIN)

    async def drain(self) -> int:
        """Process waiting events once, in order for each customer. Returns how many were processed."""
        now = self._clock()
        async with self._store.read() as tx:
            waiting = await inbox.waiting(tx, now, now - CUT_OFF, BATCH)
        waiting.sort(key=_turn)
        done = 0
        for _, rows in groupby(waiting, key=lambda row: _turn(row)[0]):
            for row in rows:
                try:
                    answered = await self._answer(row)
                except Problem:
                    continue  # parked, in sight
                if answered.status != 200:  # noqa: PLR2004
                    break
                done += 1
        return done

    async def _answer(self, row: Row[Any]) -> Answered:
        if row.answer:
            return Answered(200, row.answer)
        until = asyncio.get_running_loop().time() + self._settings.answer_timeout.total_seconds()
        async with self._store.read() as tx:
            earlier = await inbox.queued_before(tx, row)
        try:
            for event in earlier:
                with suppress(Refused):
                    await self._attempt(event, until)
            await self._attempt(row, until)
        except Refused as error:
            raise Problem(error.kind, "Not possible", 409, str(error)) from error
        except Unavailable:
            async with self._store.begin() as tx:
                await inbox.wait(tx, row.id, self._clock() + RETRY)
            return Answered(202, {"event": row.external_id, "state": "queued"})
        async with self._store.read() as tx:
            return Answered(200, await inbox.answer_of(tx, row.id) or {})

    async def _attempt(self, row: Row[Any], until: float) -> None:
        """Whatever goes wrong, the event is kept: to be tried again, or parked in sight."""
        try:
            async with asyncio.timeout_at(until):
                await self._process(row)
        except Refused as error:
            async with self._store.begin() as tx:
                await inbox.park(tx, row.id, str(error))
            raise
        except Exception as error:
            now = self._clock()
            async with self._store.begin() as tx:
                if _is_outage(error):
                    await inbox.postpone(tx, row.id, f"Temporal: {error!r}", now + RETRY)
                else:
                    log.warning("The event %s failed; it is tried again", row.id, exc_info=True)
                    await inbox.attempt_failed(tx, row.id, repr(_root(error)), now)
            raise Unavailable(str(error)) from error

    async def _process(self, row: Row[Any]) -> None:
        handler = HANDLERS.get(row.type, Intake.convert)
        try:
            await handler(self, row)
        except WorkflowUpdateFailedError as error:
            if refused := _refusal(error):
                raise refused from error
            raise

    async def sign_up(self, row: Row[Any]) -> None:
        if not await self._rejected_here(row, signups.sign_up):
            await self._to_friend(ReferralWorkflow.sign_up, row)

    async def convert(self, row: Row[Any]) -> None:
        if not await self._rejected_here(row, conversions.convert):
            await self._to_friend(ReferralWorkflow.convert, row)

    async def review(self, row: Row[Any]) -> None:
        await self._to_friend(ReferralWorkflow.review, row)

    async def roll_back(self, row: Row[Any]) -> None:
        await self._to_friend(ReferralWorkflow.roll_back, row)

    async def reward(self, row: Row[Any]) -> None:
        if row.data["milestone"] is None:
            await self._to_friend(ReferralWorkflow.reward, row)
        else:
            run = advocate_run(row.campaign_id, row.customer_id)
            await self._dispatch.update(run, AdvocateWorkflow.reward, row)

    async def wake_journey(self, row: Row[Any]) -> None:
        async with self._store.read() as tx:
            run = await journey_runs.get(tx, row.data["run"])
        await tell(self._client, run)
        async with self._store.begin() as tx:
            await answers.give(tx, row, Decision.ACCEPTED)

    async def send_again(self, row: Row[Any]) -> None:
        message = row.data["message"]
        async with self._store.read() as tx:
            customer_id = await deliveries.resumed_by(tx, message)
        run = advocate_run(row.campaign_id, customer_id)
        await self._dispatch.update(run, AdvocateWorkflow.resume, row, message)
        async with self._store.begin() as tx:
            await answers.give(tx, row, Decision.ACCEPTED)

    async def _to_friend(self, update: Callable[..., Any], row: Row[Any]) -> None:
        async with self._store.read() as tx:
            advocate = await scenes.advocate_of(
                tx, row.campaign_id, row.customer_id, clicks.code_of(row.data)
            )
        state = ReferralState.SIGNED_UP if row.type == "referral_signed_up" else ""
        run = referral_run(row.campaign_id, row.customer_id, advocate, state)
        await self._dispatch.update(run, update, row)

    async def share(self, row: Row[Any]) -> None:
        async with self._store.read() as tx:
            owner = await scenes.owner_of(tx, row.data["code"], row.campaign_id)
        if owner is None or row.type == "referral_link_clicked":
            async with self._store.begin() as tx:
                await shares.share(tx, row.id, self._clock())
            return
        run = advocate_run(row.campaign_id, owner)
        await self._dispatch.update(run, AdvocateWorkflow.share, row)

    async def order_reversed(self, row: Row[Any]) -> None:
        async with self._store.begin() as tx:
            found = await reversals.note(tx, row.id)
        for referral in found:
            run = referral_run(referral.campaign_id, referral.friend_id, referral.advocate, "")
            await self._dispatch.update(run, ReferralWorkflow.reassess, row, referral.id)
        async with self._store.begin() as tx:
            await answers.give(
                tx, row, Decision.ACCEPTED, referral_id=found[0].id if found else None
            )

    async def registered(self, row: Row[Any]) -> None:
        async with self._store.begin() as tx:
            await customers.became_customer(tx, row.customer_id, inbox.happened(row, self._clock()))
            wanted = await campaigns.publishing_on(tx, row.type)
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
        run = advocate_run(campaign_id, row.customer_id)
        await self._dispatch.update(run, AdvocateWorkflow.publish, row)

    async def _answer_published(self, row: Row[Any]) -> None:
        async with self._store.begin() as tx:
            published = (await inbox.claim(tx, row.id)).data.get("published", {})
            publications = [
                await self._publication(tx, campaign_id, row.customer_id, code)
                for campaign_id, code in published.items()
            ]
            await answers.give(tx, row, Decision.ACCEPTED, publications=publications)

    async def _publication(
        self, tx: Tx, campaign_id: str, customer_id: str, code: str
    ) -> dict[str, Any]:
        found = await campaigns.in_force(tx, campaign_id)
        name = found.campaign.name if found else campaign_id
        return {
            "campaign": campaign_id,
            "customer": (await customers.get(tx, customer_id)).external_id,
            "code": code,
            "link": link(self._settings.public_url, code),
            "share": share_links(self._settings.public_url, code, name),
        }

    async def _rejected_here(self, row: Row[Any], decide: Decide) -> bool:
        """A rejection that is certain to come is decided without a workflow: a guessed code starts nothing."""
        async with self._store.read() as tx:
            if not await _certain_rejection(tx, row):
                return False
        async with self._store.rehearse() as tx:
            answer = await decide(tx, row.id, self._clock())
            if answer["decision"] != Decision.REJECTED:
                return False
            await tx.commit()
            return True


HANDLERS: dict[str, Callable[[Intake, Row[Any]], Awaitable[None]]] = {
    "customer_registered": Intake.registered,
    "referral_link_shared": Intake.share,
    "referral_link_clicked": Intake.share,
    "referral_signed_up": Intake.sign_up,
    "order_refunded": Intake.order_reversed,
    "order_cancelled": Intake.order_reversed,
    "publish": Intake.publish_code,
    "approve": Intake.review,
    "reject": Intake.review,
    "roll_back": Intake.roll_back,
    "reward_retry": Intake.reward,
    "reward_resume": Intake.reward,
    "reward_void": Intake.reward,
    "reward_roll_back": Intake.reward,
    "reward_approve": Intake.reward,
    journey_runs.WAKE: Intake.wake_journey,
    deliveries.RESUME: Intake.send_again,
}
"""By type of event or command; any other is a conversion."""


async def _certain_rejection(tx: Tx, row: Row[Any]) -> bool:
    if row.campaign_id is None:
        return True
    found = await campaigns.in_force(tx, row.campaign_id)
    if found and any(journey.hears("referral_rejected") for journey in found.campaign.journeys):
        return False  # the friend's workflow sends its messages and tells its runs
    code = clicks.code_of(row.data)
    if code is None and row.type == "referral_signed_up":
        return True
    if code and await scenes.owner_of(tx, code, row.campaign_id) is None:
        return True
    live = await scenes.live_referral(tx, row.campaign_id, row.customer_id)
    return live is not None and live.state != ReferralState.SIGNED_UP


def _refusal(error: WorkflowUpdateFailedError) -> Refused | None:
    cause: BaseException | None = error
    while isinstance(cause, FailureError | WorkflowUpdateFailedError):
        if isinstance(cause, ApplicationError) and cause.type in REFUSALS:
            return Refused(REFUSALS[cause.type], cause.message)
        cause = cause.cause
    return None


def _root(error: BaseException) -> BaseException:
    return _root(error.__cause__) if error.__cause__ else error


def _turn(row: Row[Any]) -> tuple[str, str]:
    """A customer's events are processed one after another; one that is about no customer waits for none."""
    return row.customer_id or row.id, row.id


def _is_outage(error: Exception) -> bool:
    """Nothing is wrong with the event: Temporal, or all its workers, are away or busy."""
    if isinstance(error, RPCError):
        return error.status in OUTAGE
    return isinstance(
        error, TimeoutError | ConnectionError | WorkflowUpdateRPCTimeoutOrCancelledError
    )


OUTAGE = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
}

REFUSALS = {"NotPossible": "not-possible", "NotPublished": "not-published"}


def not_found(detail: str) -> Problem:
    return Problem("not-found", "Not found", 404, detail)
