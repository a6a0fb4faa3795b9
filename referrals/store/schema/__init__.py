"""The tables. What must be true for ever stands here as keys, not in Python.

Times are UTC instants. Amounts are integers in minor units (a point is its own unit). Ids begin with what they
name (`cus_`, `adv_`, `ref_`, …) and sort by creation; only these ids travel to Temporal, never the caller's.
"""

from referrals.store.schema.base import metadata
from referrals.store.schema.campaigns import advocates, campaign_versions, campaigns, codes
from referrals.store.schema.customers import customers
from referrals.store.schema.events import activity, events, orders
from referrals.store.schema.journeys import journey_entries, journey_runs, workflow_starts
from referrals.store.schema.keys import api_keys
from referrals.store.schema.ledger import accounts, entries
from referrals.store.schema.messages import messages
from referrals.store.schema.referrals import clicks, milestones, referrals, shares
from referrals.store.schema.rewards import coupons, paces, rewards
from referrals.store.schema.sending import blocks, consents, deliveries, suppressions
from referrals.store.schema.webhooks import webhook_deliveries, webhooks

__all__ = [
    "accounts",
    "activity",
    "advocates",
    "api_keys",
    "blocks",
    "campaign_versions",
    "campaigns",
    "clicks",
    "codes",
    "consents",
    "coupons",
    "customers",
    "deliveries",
    "entries",
    "events",
    "journey_entries",
    "journey_runs",
    "messages",
    "metadata",
    "milestones",
    "orders",
    "paces",
    "referrals",
    "rewards",
    "shares",
    "suppressions",
    "webhook_deliveries",
    "webhooks",
    "workflow_starts",
]
