"""Decisions about referrals and advocates, each one transaction on the own database: run as local activities.

Every one may run again after a crash: what was decided stays decided, and the answer is the same. A method takes
the time from its workflow, so that a decision made late is judged by the time it was due.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import dataclasses as pydantic
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.decisions import LogMessages
from referrals.store.db.sql import Tx
from referrals.store.flow import pending_work
from referrals.store.referrals import conversions, reversals, signups
from referrals.store.rewards import provider_rewards
from referrals.temporal.payloads import Progress

ENGINE = "engine"
"""Who did what nobody asked for at that moment: a timer was due."""


@pydantic.dataclass(frozen=True, slots=True)
class Friend:
    """Whose referral: the friend's id here, in a campaign."""

    campaign: str
    friend: str


@pydantic.dataclass(frozen=True, slots=True)
class Beginning(Friend):
    """The same, with where the referral stands in SQL as its workflow begins, if that is known."""

    standing: Progress | None = None


@pydantic.dataclass(frozen=True, slots=True)
class Step:
    """One thing to do for a friend's referral: process an event (or command), or the passing of time."""

    friend: Friend
    now: datetime
    event: str = ""
    referral: str = ""


Decide = Callable[[Tx, str, datetime], Awaitable[Any]]


@dataclass
class ReferralActivities:
    log: LogMessages

    @activity.defn(name="sign_up")
    async def sign_up(self, step: Step) -> Progress:
        """Record the sign-up, or refuse it."""
        return await self._decide(step, signups.sign_up)

    @activity.defn(name="convert")
    async def convert(self, step: Step) -> Progress:
        """Qualify the conversion; where nothing is to be waited for, confirm and reward it."""
        return await self._decide(step, conversions.convert)

    @activity.defn(name="roll_back")
    async def roll_back(self, step: Step) -> Progress:
        """Take the conversion back, as an operator asked."""
        return await self._decide(step, reversals.take_back)

    @activity.defn(name="review")
    async def review(self, step: Step) -> Progress:
        """Approve or reject a conversion in review, as an operator asked."""
        return await self._decide(step, reversals.review)

    @activity.defn(name="reward")
    async def reward(self, step: Step) -> Progress:
        """Retry, void, roll back or approve one reward, as an operator asked."""
        return await self._decide(step, provider_rewards.command)

    @activity.defn(name="reassess")
    async def reassess(self, step: Step) -> Progress:
        """Roll the conversion back unless what is left of its order still qualifies."""

        async def decide(tx: Tx, event_id: str, now: datetime) -> None:
            await reversals.order_reversed(tx, event_id, step.referral, now)

        return await self._decide(step, decide)

    @activity.defn(name="pass_time")
    async def pass_time(self, step: Step) -> Progress:
        """Do what is due by now: expire a sign-up, confirm and reward a conversion. Or nothing: resume."""
        friend = step.friend

        async def decide(tx: Tx, _: str, now: datetime) -> None:
            await reversals.pass_time(tx, friend.campaign, friend.friend, ENGINE, now)

        return await self._decide(step, decide)

    async def _decide(self, step: Step, decide: Decide) -> Progress:
        friend = step.friend

        async def decision(tx: Tx) -> Progress:
            await decide(tx, step.event, step.now)
            return await pending_work.of_friend(tx, friend.campaign, friend.friend, step.now)

        try:
            return await self.log.decide(decision)
        except reversals.NotPossible as error:
            raise not_possible(error) from error


def not_possible(error: reversals.NotPossible) -> ApplicationError:
    """What is refused to an operator: expected, and not tried again."""
    return ApplicationError(
        str(error),
        type="NotPossible",
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )
