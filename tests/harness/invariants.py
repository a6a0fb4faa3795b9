"""Invariants of one campaign that the design promises; each check is named by a sentence."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Table, select

from referrals.domain.campaign import Campaign
from referrals.domain.periods import CalendarPeriod, period_around
from referrals.domain.states import (
    AWAITING_CONFIRMATION,
    CLOSED_WITHOUT_CONVERSION,
    COUNTS_TOWARD_LIMITS,
    COUNTS_TOWARD_TIERS,
    ReferralState,
)
from referrals.store import Store, schema

TYPES_WITH_REASON = {
    "referral_rejected",
    "referral_rolled_back",
    "reward_voided",
    "reward_rolled_back",
}
FOREVER = timedelta(days=36_500)

Rows = list[Any]


@dataclass(frozen=True)
class Facts:
    """All rows that the invariants are about, at one moment, and the `spent` points of each customer."""

    campaign: Campaign
    spent: Counter[str]
    ledger_accounts: Rows
    activity: Rows
    advocates: Rows
    campaigns: Rows
    codes: Rows
    customers: Rows
    ledger_entries: Rows
    milestones: Rows
    referrals: Rows
    rewards: Rows

    @property
    def counted(self) -> Rows:
        """Referrals that count toward the limits."""
        return [row for row in self.referrals if row.state in COUNTS_TOWARD_LIMITS]

    def balances(self) -> Counter[tuple[str, str]]:
        """Balances by owner and kind of account."""
        names = {row.id: (row.owner, row.kind) for row in self.ledger_accounts}
        balances: Counter[tuple[str, str]] = Counter()
        for entry in self.ledger_entries:
            balances[names[entry.credit_id]] += entry.amount
            balances[names[entry.debit_id]] -= entry.amount
        return balances


TABLES = [name for name in Facts.__dataclass_fields__ if name not in ("campaign", "spent")]


def read(connection: Connection, campaign: Campaign, spent: Counter[str]) -> Facts:
    def rows(table: Table) -> Rows:
        return list(connection.execute(select(table).order_by(*table.primary_key)))

    return Facts(campaign, spent, **{name: rows(getattr(schema, name)) for name in TABLES})


async def load_facts(store: Store, campaign: Campaign) -> Facts:
    """Load the facts of a campaign in which nobody has spent anything."""
    async with store.read() as tx:
        return await tx.run_sync(read, campaign, Counter())


def highest_count(values: Iterable[str]) -> int:
    return max(Counter(values).values(), default=0)


def a_friend_has_one_live_referral_and_an_order_counts_once(now: Facts) -> None:
    live = [
        row
        for row in now.referrals
        if row.state not in CLOSED_WITHOUT_CONVERSION and row.released_at is None
    ]
    assert highest_count(row.friend_id for row in live if row.superseded_by is None) <= 1
    assert highest_count(row.order_id for row in live if row.order_id) <= 1


def limit_counters_equal_the_counted_conversions(now: Facts) -> None:
    assert [row.accepted_count for row in now.campaigns] == [len(now.counted)]
    uses = Counter(row.code for row in now.counted)
    assert all(row.uses == uses[row.code] for row in now.codes)


def limits_and_cooldown_hold(now: Facts) -> None:
    limits = now.campaign.limits
    decided = [row for row in now.counted if row.reinstated_at is None]
    assert limits.conversions is None or len(decided) <= limits.conversions
    for advocate in now.advocates:
        mine = [row for row in decided if row.advocate_id == advocate.id]
        times_rewardable = sorted(row.rewardable_at for row in mine)
        if limits.cooldown:
            ends = [_period(limits.cooldown.period, at)[1] for at in times_rewardable]
            assert all(end <= after for end, after in zip(ends, times_rewardable[1:], strict=False))
        if limits.per_advocate:
            period = limits.per_advocate.period or FOREVER
            times = [row.converted_at for row in mine]
            starts = [_period(period, at)[0] for at in times]
            within = [
                sum(start < other <= at for other in times)
                for start, at in zip(starts, times, strict=True)
            ]
            assert max(within, default=0) <= limits.per_advocate.count


def _period(period: timedelta | CalendarPeriod, at: datetime) -> tuple[datetime, datetime]:
    return period_around(period, at, ZoneInfo("UTC"))


def rewards_follow_their_referral(now: Facts) -> None:
    states: dict[str, set[str]] = {row.id: set() for row in now.referrals}
    for reward in now.rewards:
        if reward.referral_id:
            states[reward.referral_id].add(reward.state)
    returned = {"voided", "rolled_back"}  # also by the roll-back before a reinstatement
    for referral in now.referrals:
        if referral.state in AWAITING_CONFIRMATION:
            assert states[referral.id] - returned == {"pending"}
        elif referral.state == ReferralState.CONFIRMED:  # a cooldown delays the advocate's reward
            assert states[referral.id] - returned == {"granted", "pending"}
        elif referral.state == ReferralState.REWARDED:
            assert states[referral.id] - returned == {"granted"}
        else:
            assert states[referral.id] <= {"voided", "rolled_back"}


def milestones_follow_the_count_and_each_is_paid_once(now: Facts) -> None:
    counted = Counter(row.advocate_id for row in now.referrals if row.state in COUNTS_TOWARD_TIERS)
    live = Counter(row.milestone_id for row in now.rewards if row.state in ("pending", "granted"))
    tiers = [tier.at for tier in now.campaign.rewards.tiers if tier.at]
    for advocate in now.advocates:
        assert advocate.confirmed_count == counted[advocate.id]
        mine = [row for row in now.milestones if row.advocate_id == advocate.id]
        reached = [row for row in mine if row.state == "reached"]
        assert sorted(row.threshold for row in reached) == [
            at for at in tiers if at <= counted[advocate.id]
        ]
        assert all(live[row.id] == 1 for row in reached)


def balances_equal_grants_less_roll_backs_and_spending(now: Facts) -> None:
    due: Counter[str] = Counter()
    for reward in now.rewards:
        due[reward.customer_id] += reward.amount if reward.state == "granted" else 0
    due.subtract(now.spent)
    balances = now.balances()
    assert sum(balances.values()) == 0
    allow_negative = now.campaign.rewards.rollback.allow_negative
    for customer in now.customers:
        wallet, owed = balances[customer.id, "wallet"], balances[customer.id, "owed"]
        assert wallet + owed == due[customer.id]
        assert owed == 0 if allow_negative else wallet >= 0


def debts_less_repayments_are_what_is_owed(now: Facts) -> None:
    check_debts(now.ledger_entries, now.ledger_accounts)


def check_debts(entries: Rows, accounts: Rows) -> None:
    """Assert that no debt is repaid twice, and that the rest of all debts is the balance of `owed`."""
    owed = {row.id for row in accounts if row.kind == "owed"}
    balances: Counter[int] = Counter()
    repaid: Counter[int] = Counter()
    for entry in entries:
        balances[entry.credit_id] += entry.amount
        balances[entry.debit_id] -= entry.amount
        if entry.credit_id in owed:
            repaid[entry.reverses_id] += entry.amount
    debts = [entry for entry in entries if entry.debit_id in owed]
    left: Counter[int] = Counter()
    for debt in debts:
        assert repaid[debt.id] <= debt.amount
        left[debt.debit_id] += debt.amount - repaid[debt.id]
    assert all(balances[account] == -left[account] for account in owed)


def rejections_and_roll_backs_have_a_reason_and_an_actor(now: Facts) -> None:
    for row in now.activity:
        if row.type in TYPES_WITH_REASON:
            assert row.reason_code
            assert row.reason
            assert row.actor
    for referral in now.referrals:
        if referral.state in ("rejected", "rolled_back"):
            assert referral.reason_code
            assert referral.closed_at


INVARIANTS = (
    a_friend_has_one_live_referral_and_an_order_counts_once,
    limit_counters_equal_the_counted_conversions,
    limits_and_cooldown_hold,
    rewards_follow_their_referral,
    milestones_follow_the_count_and_each_is_paid_once,
    balances_equal_grants_less_roll_backs_and_spending,
    debts_less_repayments_are_what_is_owed,
    rejections_and_roll_backs_have_a_reason_and_an_actor,
)


def check(now: Facts) -> None:
    """Assert all invariants."""
    for assert_invariant in INVARIANTS:
        assert_invariant(now)
