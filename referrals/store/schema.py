"""The tables. What must be true for ever stands here as keys, not in Python.

Times are UTC instants. Amounts are integers in minor units (a point is its own unit). Ids begin with what they
name (`cus_`, `adv_`, `ref_`, …) and sort by creation; only these ids travel to Temporal, never the caller's.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from referrals.domain.states import CLOSED_WITHOUT_CONVERSION, ReferralState, RewardState

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """A UTC time; SQLite keeps no offset, so it is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Serial = BigInteger().with_variant(Integer, "sqlite")


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


def _one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({_quoted(values)})", name=column)


def _unique_where(name: str, *columns: str, where: str) -> Index:
    condition = text(where)
    return Index(name, *columns, unique=True, sqlite_where=condition, postgresql_where=condition)


def _index_where(name: str, *columns: str, where: str) -> Index:
    condition = text(where)
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition)


customers = Table(
    "customers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("external_id", Text, nullable=False, unique=True),
    Column("name", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("locale", Text),
    Column("timezone", Text),
    Column("consent", JSON),
    Column("customer_since", Instant),
    Column("created_at", Instant, nullable=False),
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("state", Text, _one_of("state", ["running", "paused", "archived"]), nullable=False),
    Column("version", Integer, nullable=False),
    Column("conversion_event", Text, nullable=False, index=True),
    Column("publish_on", Text),
    Column("accepted", Integer, CheckConstraint("accepted >= 0", name="accepted"), nullable=False),
    Column("created_at", Instant, nullable=False),
)

campaign_versions = Table(
    "campaign_versions",
    metadata,
    Column("campaign_id", ForeignKey("campaigns.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    # JSON as text: what is equal is parsed once (see campaigns.py).
    Column("definition", Text, nullable=False),
    Column("applied_at", Instant, nullable=False),
    Column("applied_by", Text, nullable=False),
)

advocates = Table(
    "advocates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    Column(
        "confirmed", Integer, CheckConstraint("confirmed >= 0", name="confirmed"), nullable=False
    ),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("campaign_id", "customer_id"),
    Index("ix_advocates_list", "campaign_id", "id"),
)

codes = Table(
    "codes",
    metadata,
    Column("code", Text, primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("advocate_id", ForeignKey("advocates.id"), index=True),
    # Set where the campaign lets a customer join once: then the advocate has this one code.
    Column("only_code_of", ForeignKey("advocates.id"), unique=True),
    Column("state", Text, _one_of("state", ["active", "inactive"]), nullable=False),
    Column("uses", Integer, CheckConstraint("uses >= 0", name="uses"), nullable=False),
    Column("uses_limit", Integer),
    Column("starts_at", Instant),
    Column("expires_at", Instant),
    Column("published_at", Instant),
    Column("channel", Text),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("uses_limit IS NULL OR uses <= uses_limit", name="uses_limit"),
    Index("ix_codes_list", "campaign_id", "created_at", "code"),
)

events = Table(
    "events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("external_id", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("occurred_at", Instant),
    Column("received_at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("campaign_id", ForeignKey("campaigns.id")),
    Column("customer_id", ForeignKey("customers.id")),
    Column("data", JSON, nullable=False),
    Column(
        "state",
        Text,
        _one_of("state", ["received", "queued", "processed", "failed"]),
        nullable=False,
    ),
    Column("answer", JSON),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    # When a queued event is tried again.
    Column("retry_at", Instant),
    _index_where("ix_events_open", "id", where="state IN ('received', 'queued')"),
    Index("ix_events_customer", "customer_id", "id"),
)

orders = Table(
    "orders",
    metadata,
    Column("id", Text, primary_key=True),
    # Amounts as they came, `null` for all of it: a refund may be here before the order and its currency are known.
    Column("refunds", JSON, nullable=False),
    Column("cancelled", Boolean, nullable=False),
)

_LIVE = f"state NOT IN ({_quoted(CLOSED_WITHOUT_CONVERSION)})"

referrals = Table(
    "referrals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("campaign_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("advocate_id", ForeignKey("advocates.id"), nullable=False),
    Column("friend_id", ForeignKey("customers.id"), nullable=False, index=True),
    Column("code", ForeignKey("codes.code"), nullable=False),
    Column(
        "state",
        Text,
        _one_of("state", ReferralState),
        nullable=False,
    ),
    Column("order_id", ForeignKey("orders.id"), index=True),
    Column("order", JSON),
    Column("event_data", JSON),
    Column("signed_up_at", Instant),
    Column("window_ends_at", Instant),
    Column("converted_at", Instant),
    Column("place_at", Instant),
    Column("due_at", Instant),
    Column("confirmed_at", Instant),
    Column("closed_at", Instant),
    Column("reason_code", Text),
    Column("reason", Text),
    Column("created_at", Instant, nullable=False),
    ForeignKeyConstraint(
        ["campaign_id", "version"], ["campaign_versions.campaign_id", "campaign_versions.version"]
    ),
    # A friend converts at most once per campaign, for ever; so does an order.
    _unique_where("uq_referrals_friend", "campaign_id", "friend_id", where=_LIVE),
    _unique_where("uq_referrals_order", "campaign_id", "order_id", where=_LIVE),
    Index("ix_referrals_places", "advocate_id", "place_at"),
    Index("ix_referrals_list", "campaign_id", "id"),
)

milestones = Table(
    "milestones",
    metadata,
    Column("id", Text, primary_key=True),
    Column("advocate_id", ForeignKey("advocates.id"), nullable=False),
    Column("tier", Text, nullable=False),
    Column("at", Integer, nullable=False),
    Column("occurrence", Integer, nullable=False),
    Column("state", Text, _one_of("state", ["reached", "lost"]), nullable=False),
    Column("reached_at", Instant, nullable=False),
    Column("reached_by", ForeignKey("referrals.id"), nullable=False, index=True),
    Column("lost_at", Instant),
    Column("lost_by", ForeignKey("referrals.id"), index=True),
    UniqueConstraint("advocate_id", "tier", "occurrence"),
    _unique_where("uq_milestones_reached", "advocate_id", "tier", where="state = 'reached'"),
)

rewards = Table(
    "rewards",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("referral_id", ForeignKey("referrals.id"), index=True),
    Column("milestone_id", ForeignKey("milestones.id"), unique=True),
    Column("side", Text, _one_of("side", ["friend", "advocate"]), nullable=False),
    Column("tier", Text),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    Column("type", Text, _one_of("type", ["points", "gift_credit", "coupon"]), nullable=False),
    Column("amount", BigInteger, CheckConstraint("amount > 0", name="amount"), nullable=False),
    Column("currency", Text),
    Column(
        "state",
        Text,
        _one_of("state", RewardState),
        nullable=False,
    ),
    Column("due_at", Instant),
    Column("provider", Text, nullable=False, server_default="ledger"),
    # Where it is issued: the provider's objects; for a coupon its terms.
    Column("target", JSON),
    Column("approved_at", Instant),
    # The provider has taken the last call, and books it when it comes to it.
    Column("taken_at", Instant),
    Column("reference", Text),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("error_code", Text),
    Column("error", Text),
    Column("retry_at", Instant),
    Column("granted_at", Instant),
    Column("closed_at", Instant),
    Column("reason", Text),
    Column("created_at", Instant, nullable=False),
    CheckConstraint("(referral_id IS NULL) <> (milestone_id IS NULL)", name="origin"),
    Index("ix_rewards_list", "campaign_id", "created_at", "id"),
)

coupons = Table(
    "coupons",
    metadata,
    Column("code", Text, primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    # Empty where the code was made by a pattern.
    Column("pool", Text),
    Column(
        "state",
        Text,
        _one_of("state", ["available", "issued", "redeemed", "void"]),
        nullable=False,
    ),
    Column("reward_id", ForeignKey("rewards.id"), unique=True),
    Column("customer_id", ForeignKey("customers.id")),
    Column("discount", JSON),
    Column("expires_at", Instant),
    # The caller's idempotency key of its redemption.
    Column("redeem_key", Text),
    Column("created_at", Instant, nullable=False),
    Column("issued_at", Instant),
    Column("redeemed_at", Instant),
    Column("voided_at", Instant),
    CheckConstraint("(state = 'available') = (reward_id IS NULL)", name="owner"),
    UniqueConstraint("customer_id", "redeem_key"),
    Index("ix_coupons_pool", "campaign_id", "pool", "state", "code"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("kind", Text, _one_of("kind", ["wallet", "owed", "issued", "spent"]), nullable=False),
    # Whose account: a customer's wallet, debt or spending, or what a campaign has issued.
    Column("owner", Text, nullable=False),
    Column("type", Text, nullable=False),
    # Empty for points: NULLs would not be unique.
    Column("currency", Text, nullable=False),
    UniqueConstraint("kind", "owner", "type", "currency"),
)

entries = Table(
    "entries",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("debit_id", ForeignKey("accounts.id"), nullable=False),
    Column("credit_id", ForeignKey("accounts.id"), nullable=False),
    Column("amount", BigInteger, CheckConstraint("amount > 0", name="amount"), nullable=False),
    Column("reward_id", ForeignKey("rewards.id"), index=True),
    Column("reverses_id", ForeignKey("entries.id"), index=True),
    Column("at", Instant, nullable=False),
    Column("memo", Text, nullable=False),
    CheckConstraint("debit_id <> credit_id", name="two_accounts"),
    Index("ix_entries_debit", "debit_id", "amount"),
    Index("ix_entries_credit", "credit_id", "amount"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("campaign_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("journey", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("channels", JSON, nullable=False),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    Column("advocate_id", ForeignKey("advocates.id"), nullable=False),
    Column("referral_id", ForeignKey("referrals.id")),
    Column("milestone_id", ForeignKey("milestones.id")),
    Column("reward_id", ForeignKey("rewards.id")),
    # The workflow that sends it: a referral's or an advocate's.
    Column("sender_id", Text, nullable=False),
    Column("state", Text, _one_of("state", ["pending", "sent", "failed"]), nullable=False),
    Column("channel", Text),
    Column("reference", Text),
    Column("subject", Text),
    Column("text", Text),
    Column("reason_code", Text),
    Column("reason", Text),
    Column("created_at", Instant, nullable=False),
    Column("settled_at", Instant),
    ForeignKeyConstraint(
        ["campaign_id", "version"], ["campaign_versions.campaign_id", "campaign_versions.version"]
    ),
    _index_where("ix_messages_pending", "sender_id", where="state = 'pending'"),
    Index("ix_messages_list", "campaign_id", "id"),
)

shares = Table(
    "shares",
    metadata,
    Column("event_id", ForeignKey("events.id"), primary_key=True),
    Column("advocate_id", ForeignKey("advocates.id"), nullable=False),
    Column("code", ForeignKey("codes.code"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_shares_advocate", "advocate_id", "channel"),
)

activity = Table(
    "activity",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("type", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("code", Text),
    Column("advocate_id", ForeignKey("advocates.id")),
    Column("referral_id", ForeignKey("referrals.id")),
    Column("milestone_id", ForeignKey("milestones.id")),
    Column("reward_id", ForeignKey("rewards.id")),
    Column("customer_id", ForeignKey("customers.id")),
    Column("reason_code", Text),
    Column("reason", Text),
    Column("data", JSON, nullable=False),
    Index("ix_activity_campaign", "campaign_id", "id"),
    Index("ix_activity_referral", "referral_id", "id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    _unique_where("uq_api_keys_name", "name", where="revoked_at IS NULL"),
)
