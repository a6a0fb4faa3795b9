"""All tables. Invariants that must always hold are constraints here, not Python code.

Times are UTC instants. Amounts are integers in minor units (a point is its own unit). Ids begin with what they
name (`cus_`, `adv_`, `ref_`, …) and sort by creation; only these ids travel to Temporal, never the caller's.
"""

from referrals.store.schema.activity import ActivityRow, activity
from referrals.store.schema.api_keys import ApiKeyRow, api_keys
from referrals.store.schema.base import metadata
from referrals.store.schema.campaigns import (
    CampaignRow,
    CampaignVersionRow,
    campaign_versions,
    campaigns,
)
from referrals.store.schema.codes import (
    AdvocateRow,
    ClickRow,
    CodeRow,
    ShareRow,
    advocates,
    clicks,
    codes,
    omitted_clicks,
    shares,
)
from referrals.store.schema.coupons import (
    CouponRedemptionRow,
    CouponRow,
    coupon_redemptions,
    coupons,
)
from referrals.store.schema.customers import (
    ConsentRow,
    ContactRow,
    CustomerMergeRow,
    CustomerRow,
    consents,
    contacts,
    customer_merges,
    customers,
)
from referrals.store.schema.inbox import InboxEventRow, inbox_events
from referrals.store.schema.journeys import (
    JourneyEntryRow,
    JourneyRunRow,
    WorkflowStartRow,
    journey_entries,
    journey_runs,
    workflow_starts,
)
from referrals.store.schema.ledger import (
    LedgerAccountRow,
    LedgerEntryRow,
    ledger_accounts,
    ledger_entries,
)
from referrals.store.schema.messaging import (
    ChannelSuspensionRow,
    MessageDeliveryRow,
    MessageRow,
    SuppressionRow,
    channel_suspensions,
    message_deliveries,
    messages,
    suppressions,
)
from referrals.store.schema.referrals import (
    MilestoneRow,
    OrderRow,
    ReferralRow,
    milestones,
    orders,
    referrals,
)
from referrals.store.schema.refusals import RefusalRow, refusals
from referrals.store.schema.rewards import (
    ProviderRateLimitRow,
    RewardRow,
    provider_rate_limits,
    rewards,
)
from referrals.store.schema.tracking import TrackedEventRow, tracked_events
from referrals.store.schema.webhooks import (
    WebhookDeliveryRow,
    WebhookRow,
    webhook_deliveries,
    webhooks,
)

__all__ = [
    "ActivityRow",
    "AdvocateRow",
    "ApiKeyRow",
    "CampaignRow",
    "CampaignVersionRow",
    "ChannelSuspensionRow",
    "ClickRow",
    "CodeRow",
    "ConsentRow",
    "ContactRow",
    "CouponRedemptionRow",
    "CouponRow",
    "CustomerMergeRow",
    "CustomerRow",
    "InboxEventRow",
    "JourneyEntryRow",
    "JourneyRunRow",
    "LedgerAccountRow",
    "LedgerEntryRow",
    "MessageDeliveryRow",
    "MessageRow",
    "MilestoneRow",
    "OrderRow",
    "ProviderRateLimitRow",
    "ReferralRow",
    "RefusalRow",
    "RewardRow",
    "ShareRow",
    "SuppressionRow",
    "TrackedEventRow",
    "WebhookDeliveryRow",
    "WebhookRow",
    "WorkflowStartRow",
    "activity",
    "advocates",
    "api_keys",
    "campaign_versions",
    "campaigns",
    "channel_suspensions",
    "clicks",
    "codes",
    "consents",
    "contacts",
    "coupon_redemptions",
    "coupons",
    "customer_merges",
    "customers",
    "inbox_events",
    "journey_entries",
    "journey_runs",
    "ledger_accounts",
    "ledger_entries",
    "message_deliveries",
    "messages",
    "metadata",
    "milestones",
    "omitted_clicks",
    "orders",
    "provider_rate_limits",
    "referrals",
    "refusals",
    "rewards",
    "shares",
    "suppressions",
    "tracked_events",
    "webhook_deliveries",
    "webhooks",
    "workflow_starts",
]
