"""Rows as the API, the commands and the console show them.

Customers go by the caller's ids. Times are UTC, amounts decimal strings in major units.
"""

from referrals.store.views.advocates import (
    Advocate,
    AdvocateCounts,
    AdvocateDetails,
    Milestone,
    NextTier,
)
from referrals.store.views.campaigns import (
    Attention,
    Campaign,
    CampaignState,
    CampaignSummary,
    CampaignVersion,
    ReferralCode,
    ReferralCodeDetails,
    Revenue,
    RewardSum,
    RuleRejections,
    TopAdvocate,
)
from referrals.store.views.common import (
    AmountText,
    CurrencyCode,
    Page,
    Reason,
    RewardType,
    Side,
    one_of,
    with_zulu_times,
)
from referrals.store.views.customers import ListedCustomer
from referrals.store.views.merging import MergeConflict, MergedBalance, MergedId, MergeReport
from referrals.store.views.messaging import Block, Consent, Message, MessageState, Suppression
from referrals.store.views.orders import UnknownOrder
from referrals.store.views.referrals import (
    ACTIVITY,
    ONLY_IN_LOG,
    Activity,
    Attribution,
    Referral,
    ReferralDetails,
    ReinstatedReferral,
)
from referrals.store.views.refusals import Refusal
from referrals.store.views.rewards import CommandOutcome, FailureCount, OutcomeKind, Reward
from referrals.store.views.tracking import (
    RetriedEvents,
    TrackedEvent,
    TrackedEventState,
    WorkflowStart,
    WorkflowStartState,
)
from referrals.store.views.wallets import (
    Balance,
    Coupon,
    CouponPool,
    ImportResult,
    LedgerEntry,
    LineError,
    Wallet,
)

__all__ = [
    "ACTIVITY",
    "ONLY_IN_LOG",
    "Activity",
    "Advocate",
    "AdvocateCounts",
    "AdvocateDetails",
    "AmountText",
    "Attention",
    "Attribution",
    "Balance",
    "Block",
    "Campaign",
    "CampaignState",
    "CampaignSummary",
    "CampaignVersion",
    "CommandOutcome",
    "Consent",
    "Coupon",
    "CouponPool",
    "CurrencyCode",
    "FailureCount",
    "ImportResult",
    "LedgerEntry",
    "LineError",
    "ListedCustomer",
    "MergeConflict",
    "MergeReport",
    "MergedBalance",
    "MergedId",
    "Message",
    "MessageState",
    "Milestone",
    "NextTier",
    "OutcomeKind",
    "Page",
    "Reason",
    "Referral",
    "ReferralCode",
    "ReferralCodeDetails",
    "ReferralDetails",
    "Refusal",
    "ReinstatedReferral",
    "RetriedEvents",
    "Revenue",
    "Reward",
    "RewardSum",
    "RewardType",
    "RuleRejections",
    "Side",
    "Suppression",
    "TopAdvocate",
    "TrackedEvent",
    "TrackedEventState",
    "UnknownOrder",
    "Wallet",
    "WorkflowStart",
    "WorkflowStartState",
    "one_of",
    "with_zulu_times",
]
