"""Constraints: the database rejects rows that violate an invariant, whatever the code does."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Executable, Table, delete, insert, update
from sqlalchemy.exc import IntegrityError

from referrals.store import Store
from referrals.store.schema import (
    activity,
    advocates,
    api_keys,
    campaign_versions,
    campaigns,
    codes,
    customers,
    inbox_events,
    ledger_accounts,
    ledger_entries,
    messages,
    milestones,
    orders,
    referrals,
    rewards,
    shares,
)

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)

CAMPAIGN = {
    "id": "spring",
    "name": "Spring",
    "state": "running",
    "version": 1,
    "conversion_event": "redemption",
    "accepted_count": 0,
    "created_at": NOW,
}
VERSION = {
    "campaign_id": "spring",
    "version": 1,
    "definition": "{}",
    "applied_at": NOW,
    "applied_by": "test",
}
ADVOCATE = {
    "id": "adv_1",
    "campaign_id": "spring",
    "customer_id": "cus_ada",
    "confirmed_count": 0,
    "created_at": NOW,
}
CODE = {
    "code": "SPRING-1",
    "key": "spring1",
    "campaign_id": "spring",
    "advocate_id": "adv_1",
    "sole_code_of_advocate_id": "adv_1",
    "state": "active",
    "uses": 0,
    "uses_limit": 1,
    "created_at": NOW,
}
REFERRAL = {
    "id": "ref_1",
    "campaign_id": "spring",
    "version": 1,
    "advocate_id": "adv_1",
    "friend_id": "cus_fay",
    "workflow_id": "referral/spring/cus_fay",
    "code": "SPRING-1",
    "state": "rewarded",
    "order_id": "ord_1",
    "created_at": NOW,
}
ORDER = {
    "id": "ord_1",
    "source": "shop",
    "external_id": "7781",
    "is_known": True,
    "state": {},
    "created_at": NOW,
}
MILESTONE = {
    "id": "mil_1",
    "advocate_id": "adv_1",
    "tier": "ten",
    "name": "ten",
    "version": 1,
    "threshold": 10,
    "occurrence": 1,
    "state": "reached",
    "reached_at": NOW,
    "reached_by": "ref_1",
}
REWARD = {
    "id": "rew_1",
    "origin": "ref_1/1/friend",
    "key_prefix": "spring/c0ffee/friend",
    "occurrence": 1,
    "campaign_id": "spring",
    "referral_id": "ref_1",
    "side": "friend",
    "customer_id": "cus_fay",
    "type": "points",
    "amount": 50,
    "state": "granted",
    "created_at": NOW,
}
MILESTONE_REWARD = REWARD | {
    "id": "rew_2",
    "origin": "adv_1/ten/1",
    "key_prefix": "spring/c0ffee/ten",
    "referral_id": None,
    "milestone_id": "mil_1",
    "tier": "ten",
}
OTHER_REWARD: dict[str, Any] = {"id": "rew_3", "origin": "other", "occurrence": 2}
WALLET = {"id": 1, "kind": "wallet", "owner": "cus_fay", "type": "points", "currency": ""}
ISSUED = {"id": 2, "kind": "issued", "owner": "spring", "type": "points", "currency": ""}
ENTRY = {
    "key": "grant:ref_1/friend",
    "debit_id": 2,
    "credit_id": 1,
    "amount": 50,
    "reward_id": "rew_1",
    "at": NOW,
    "memo": "50 points",
}
EVENT = {
    "id": "evt_1",
    "external_id": "order-7781",
    "source": "shop",
    "type": "referral_converted",
    "received_at": NOW,
    "actor": "test",
    "data": {},
    "state": "received",
}
MESSAGE = {
    "id": "msg_1",
    "key": "spring/thanks/0/ref_1/referral_converted",
    "campaign_id": "spring",
    "version": 1,
    "journey": "thanks",
    "event": "referral_converted",
    "template": "thanks",
    "channels": ["log"],
    "customer_id": "cus_ada",
    "advocate_id": "adv_1",
    "sender_id": "adv_1",
    "state": "pending",
    "created_at": NOW,
}
SHARE = {
    "event_id": "evt_1",
    "advocate_id": "adv_1",
    "code": "SPRING-1",
    "channel": "link",
    "at": NOW,
}
ACTIVITY = {
    "type": "referral_converted",
    "at": NOW,
    "actor": "test",
    "campaign_id": "spring",
    "data": {},
}
KEY = {"name": "shop", "key_hash": "1", "created_at": NOW}


def own(name: str) -> dict[str, str]:
    return {"normalised_id": name, "reward_subject": name}


def customer(name: str) -> dict[str, Any]:
    return {"id": f"cus_{name}", "external_id": name, **own(name), "created_at": NOW}


BOOKS: list[tuple[Table, dict[str, Any]]] = [
    (customers, customer("ada")),
    (customers, customer("fay")),
    (customers, customer("flo")),
    (campaigns, CAMPAIGN),
    (campaign_versions, VERSION),
    (advocates, ADVOCATE),
    (codes, CODE),
    (orders, ORDER),
    (referrals, REFERRAL),
    (milestones, MILESTONE),
    (rewards, REWARD),
    (rewards, MILESTONE_REWARD),
    (ledger_accounts, WALLET),
    (ledger_accounts, ISSUED),
    (ledger_entries, ENTRY),
    (inbox_events, EVENT),
    (messages, MESSAGE),
    (shares, SHARE),
    (activity, ACTIVITY),
    (api_keys, KEY),
]


def add(table: Table, row: dict[str, Any], **other: Any) -> Executable:
    return insert(table).values(row | other)


BREACHES = {
    "a customer known twice": add(customers, customer("ada"), id="cus_2"),
    "a customer who is an advocate twice": add(advocates, ADVOCATE, id="adv_2"),
    "a code that two advocates have": add(codes, CODE, sole_code_of_advocate_id=None),
    "a second code where there may be one": add(codes, CODE, code="SPRING-2", key="spring2"),
    "a code that compares equal to another": add(
        codes, CODE, code="SPRING1", sole_code_of_advocate_id=None
    ),
    "a code used less often than never": update(codes).values(uses=-1),
    "a friend who converts twice": add(referrals, REFERRAL, id="ref_2", order_id=None),
    "a friend who converts again after a roll-back": add(
        referrals, REFERRAL, id="ref_2", order_id=None, state="rolled_back"
    ),
    "an order known twice": add(orders, ORDER, id="ord_2"),
    "an order that converts two friends": add(referrals, REFERRAL, id="ref_2", friend_id="cus_flo"),
    "a referral under no version of the campaign": add(
        referrals, REFERRAL, id="ref_2", friend_id="cus_flo", order_id=None, version=2
    ),
    "a referral in an unknown state": update(referrals).values(state="lost"),
    "a milestone reached twice at once": add(milestones, MILESTONE, id="mil_2", occurrence=2),
    "a milestone's occurrence twice": add(milestones, MILESTONE, id="mil_2", state="lost"),
    "a count below nothing": update(advocates).values(confirmed_count=-1),
    "fewer accepted conversions than none": update(campaigns).values(accepted_count=-1),
    "a reward promised twice": add(rewards, REWARD, id="rew_3", occurrence=2),
    "a provider's key used twice": add(rewards, REWARD, id="rew_3", origin="other"),
    "a second reward for a milestone": add(rewards, MILESTONE_REWARD, **OTHER_REWARD),
    "a reward for nothing": add(rewards, REWARD, **OTHER_REWARD, referral_id=None),
    "a reward for two things": (
        update(rewards).where(rewards.c.id == "rew_2").values(referral_id="ref_1")
    ),
    "a reward of nothing": add(rewards, REWARD, **OTHER_REWARD, amount=0),
    "a reward in an unknown state": update(rewards).values(state="lost"),
    "a reward granted twice": add(ledger_entries, ENTRY),
    "an entry of nothing": add(ledger_entries, ENTRY, key="other", amount=0),
    "an entry within one account": add(ledger_entries, ENTRY, key="other", debit_id=1),
    "an entry from no account": add(ledger_entries, ENTRY, key="other", debit_id=3),
    "an account twice": add(ledger_accounts, WALLET, id=3),
    "an account of an unknown kind": add(ledger_accounts, WALLET, id=3, kind="purse"),
    "an entry that is changed": update(ledger_entries).values(amount=500),
    "an entry that is removed": delete(ledger_entries),
    "a log that is changed": update(activity).values(type="referral_rejected"),
    "a log that is removed": delete(activity),
    "a version that is changed": update(campaign_versions).values(definition="{} "),
    "an event processed under two ids": add(inbox_events, EVENT, id="evt_2"),
    "an event in an unknown state": update(inbox_events).values(state="lost"),
    "a message sent twice": add(messages, MESSAGE, id="msg_2"),
    "a share counted twice": add(shares, SHARE),
    "a key that two names have": add(api_keys, KEY, name="app"),
    "a name that has two keys": add(api_keys, KEY, key_hash="2"),
}


@pytest.mark.parametrize("breach", BREACHES)
async def test_the_database_refuses(store: Store, breach: str):
    await _fill(store)

    with pytest.raises(IntegrityError):
        async with store.begin() as tx:
            await tx.execute(BREACHES[breach])


ALLOWED = {
    "another try of a friend whose referral expired": (
        update(referrals).values(state="expired"),
        add(referrals, REFERRAL, id="ref_2"),
    ),
    "another try of a friend who was rejected": (
        add(referrals, REFERRAL, id="ref_2", state="rejected"),
        add(referrals, REFERRAL, id="ref_3", state="rejected"),
    ),
    "another try of a friend who was released after a roll-back": (
        update(referrals).values(state="rolled_back", released_at=NOW),
        add(referrals, REFERRAL, id="ref_2"),
    ),
    "an order number of another source": (add(orders, ORDER, id="ord_2", source="app"),),
    "a milestone reached again after it was lost": (
        update(milestones).values(state="lost"),
        add(milestones, MILESTONE, id="mil_2", occurrence=2),
    ),
    "the name of a revoked key for another": (
        update(api_keys).values(revoked_at=NOW),
        add(api_keys, KEY, key_hash="2"),
    ),
}


@pytest.mark.parametrize("change", ALLOWED)
async def test_the_database_allows(store: Store, change: str):
    await _fill(store)

    async with store.begin() as tx:
        for statement in ALLOWED[change]:
            await tx.execute(statement)


async def _fill(store: Store) -> None:
    async with store.begin() as tx:
        for table, row in BOOKS:
            await tx.execute(insert(table).values(row))
