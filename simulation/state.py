"""The state of a programme in a simulation, by the caller's ids."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from referrals.store import Store, views
from referrals.store.customers import profiles
from referrals.store.db.pages import Cursor
from referrals.store.db.sql import Tx, rows
from referrals.store.reporting import lists, reward_lists, wallets
from referrals.store.schema import advocates, customers, milestones

EVERYTHING = Cursor(limit=1_000_000)


@dataclass(frozen=True)
class ProgrammeState:
    """State of a campaign and its people.

    Attributes:
        referrals: The latest referral of each friend.
        milestones: The tiers that each advocate has reached and not lost.
        names: The caller's ids of customers, by our ids.
    """

    referrals: Mapping[str, views.Referral]
    rewards: Mapping[str, views.Reward]
    messages: Mapping[str, views.Message]
    milestones: Mapping[str, Sequence[str]]
    names: Mapping[str, str]

    def rewards_of(self, customer: str) -> list[views.Reward]:
        return [reward for reward in self.rewards.values() if reward.customer == customer]

    def messages_to(self, customer: str) -> list[views.Message]:
        return [message for message in self.messages.values() if message.customer == customer]


async def read_state(store: Store, campaign_id: str, now: datetime) -> ProgrammeState:
    """Read the state of a campaign at the engine's time."""
    async with store.read() as tx:
        referrals = (await lists.list_referrals(tx, campaign_id, EVERYTHING)).data
        rewards = (await reward_lists.list_rewards(tx, campaign_id, EVERYTHING, now=now)).data
        messages = (await lists.list_messages(tx, campaign_id, EVERYTHING)).data
        return ProgrammeState(
            {referral.friend: referral for referral in reversed(referrals)},
            {reward.id: reward for reward in reversed(rewards)},
            {message.id: message for message in reversed(messages)},
            await _milestones(tx, campaign_id),
            await _names(tx),
        )


async def read_balances(store: Store, customer: str) -> dict[str, str]:
    """Return the customer's balance in points and in each currency."""
    async with store.read() as tx:
        if await profiles.find(tx, customer) is None:
            return {}
        wallet = await wallets.get_wallet(tx, customer)
    return {balance.currency or balance.type: balance.balance for balance in wallet.balances}


async def _milestones(tx: Tx, campaign_id: str) -> dict[str, list[str]]:
    statement = (
        select(customers.c.external_id, milestones.c.tier)
        .join(advocates, advocates.c.id == milestones.c.advocate_id)
        .join(customers, customers.c.id == advocates.c.customer_id)
        .where(advocates.c.campaign_id == campaign_id, milestones.c.state == "reached")
        .order_by(milestones.c.threshold)
    )
    reached: dict[str, list[str]] = defaultdict(list)
    for customer, tier in await rows(tx, statement):
        reached[customer].append(tier)
    return reached


async def _names(tx: Tx) -> dict[str, str]:
    return dict(await rows(tx, select(customers.c.id, customers.c.external_id)))
