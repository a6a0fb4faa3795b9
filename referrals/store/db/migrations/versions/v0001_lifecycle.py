"""The referral lifecycle: the first schema. A copy of the tables as they were then, which does not change any more."""

from collections.abc import Sequence

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)

revision = "0001"
down_revision = None

Instant = DateTime(timezone=True)
Serial = BigInteger().with_variant(Integer(), "sqlite")

LIVE = "state NOT IN ('expired', 'rejected')"
APPEND_ONLY = ("entries", "activity", "campaign_versions")


def upgrade() -> None:
    _customers()
    _campaigns()
    _campaign_versions()
    _advocates()
    _codes()
    _events()
    _orders()
    _referrals()
    _milestones()
    _rewards()
    _accounts()
    _entries()
    _messages()
    _shares()
    _activity()
    _api_keys()
    if op.get_bind().dialect.name == "sqlite":
        _refuse_changes_in_sqlite()
    else:
        _refuse_changes_in_postgresql()


def _refuse_changes_in_sqlite() -> None:
    for table in APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuse_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )


def _refuse_changes_in_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', "
        "MESSAGE = TG_TABLE_NAME || ' is append-only'; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def _one_of(column: str, values: Sequence[str]) -> CheckConstraint:
    quoted = ", ".join(f"'{value}'" for value in sorted(values))
    return CheckConstraint(f"{column} IN ({quoted})", name=column)


def _unique_where(name: str, *columns: str, where: str) -> Index:
    return _index_where(name, *columns, where=where, unique=True)


def _index_where(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


def _customers() -> None:
    op.create_table(
        "customers",
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


def _campaigns() -> None:
    op.create_table(
        "campaigns",
        Column("id", Text, primary_key=True),
        Column("name", Text, nullable=False),
        Column("state", Text, _one_of("state", ["running", "paused", "archived"]), nullable=False),
        Column("version", Integer, nullable=False),
        Column("conversion_event", Text, nullable=False, index=True),
        Column("publish_on", Text),
        Column(
            "accepted", Integer, CheckConstraint("accepted >= 0", name="accepted"), nullable=False
        ),
        Column("created_at", Instant, nullable=False),
    )


def _campaign_versions() -> None:
    op.create_table(
        "campaign_versions",
        Column("campaign_id", Text, ForeignKey("campaigns.id"), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("definition", Text, nullable=False),
        Column("applied_at", Instant, nullable=False),
        Column("applied_by", Text, nullable=False),
    )


def _advocates() -> None:
    op.create_table(
        "advocates",
        Column("id", Text, primary_key=True),
        Column("campaign_id", Text, ForeignKey("campaigns.id"), nullable=False),
        Column("customer_id", Text, ForeignKey("customers.id"), nullable=False, index=True),
        Column(
            "confirmed",
            Integer,
            CheckConstraint("confirmed >= 0", name="confirmed"),
            nullable=False,
        ),
        Column("created_at", Instant, nullable=False),
        UniqueConstraint("campaign_id", "customer_id"),
        Index("ix_advocates_list", "campaign_id", "id"),
    )


def _codes() -> None:
    op.create_table(
        "codes",
        Column("code", Text, primary_key=True),
        Column("campaign_id", Text, ForeignKey("campaigns.id"), nullable=False),
        Column("advocate_id", Text, ForeignKey("advocates.id"), index=True),
        Column("only_code_of", Text, ForeignKey("advocates.id"), unique=True),
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


def _events() -> None:
    op.create_table(
        "events",
        Column("id", Text, primary_key=True),
        Column("external_id", Text, nullable=False, unique=True),
        Column("source", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("occurred_at", Instant),
        Column("received_at", Instant, nullable=False),
        Column("actor", Text, nullable=False),
        Column("campaign_id", Text, ForeignKey("campaigns.id")),
        Column("customer_id", Text, ForeignKey("customers.id")),
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
        Column("retry_at", Instant),
        _index_where("ix_events_open", "id", where="state IN ('received', 'queued')"),
        Index("ix_events_customer", "customer_id", "id"),
    )


def _orders() -> None:
    op.create_table(
        "orders",
        Column("id", Text, primary_key=True),
        Column("refunds", JSON, nullable=False),
        Column("cancelled", Boolean, nullable=False),
    )


def _referrals() -> None:
    op.create_table(
        "referrals",
        Column("id", Text, primary_key=True),
        Column("campaign_id", Text, nullable=False),
        Column("version", Integer, nullable=False),
        Column("advocate_id", Text, ForeignKey("advocates.id"), nullable=False),
        Column("friend_id", Text, ForeignKey("customers.id"), nullable=False, index=True),
        Column("code", Text, ForeignKey("codes.code"), nullable=False),
        Column(
            "state",
            Text,
            _one_of(
                "state",
                [
                    "signed_up",
                    "held",
                    "in_review",
                    "deferred",
                    "confirmed",
                    "rewarded",
                    "rolled_back",
                    "expired",
                    "rejected",
                ],
            ),
            nullable=False,
        ),
        Column("order_id", Text, ForeignKey("orders.id"), index=True),
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
            ["campaign_id", "version"],
            ["campaign_versions.campaign_id", "campaign_versions.version"],
        ),
        _unique_where("uq_referrals_friend", "campaign_id", "friend_id", where=LIVE),
        _unique_where("uq_referrals_order", "campaign_id", "order_id", where=LIVE),
        Index("ix_referrals_places", "advocate_id", "place_at"),
        Index("ix_referrals_list", "campaign_id", "id"),
    )


def _milestones() -> None:
    op.create_table(
        "milestones",
        Column("id", Text, primary_key=True),
        Column("advocate_id", Text, ForeignKey("advocates.id"), nullable=False),
        Column("tier", Text, nullable=False),
        Column("at", Integer, nullable=False),
        Column("occurrence", Integer, nullable=False),
        Column("state", Text, _one_of("state", ["reached", "lost"]), nullable=False),
        Column("reached_at", Instant, nullable=False),
        Column("reached_by", Text, ForeignKey("referrals.id"), nullable=False, index=True),
        Column("lost_at", Instant),
        Column("lost_by", Text, ForeignKey("referrals.id"), index=True),
        UniqueConstraint("advocate_id", "tier", "occurrence"),
        _unique_where("uq_milestones_reached", "advocate_id", "tier", where="state = 'reached'"),
    )


def _rewards() -> None:
    op.create_table(
        "rewards",
        Column("id", Text, primary_key=True),
        Column("key", Text, nullable=False, unique=True),
        Column("campaign_id", Text, ForeignKey("campaigns.id"), nullable=False),
        Column("referral_id", Text, ForeignKey("referrals.id"), index=True),
        Column("milestone_id", Text, ForeignKey("milestones.id"), unique=True),
        Column("side", Text, _one_of("side", ["friend", "advocate"]), nullable=False),
        Column("tier", Text),
        Column("customer_id", Text, ForeignKey("customers.id"), nullable=False, index=True),
        Column("type", Text, _one_of("type", ["points", "gift_credit", "coupon"]), nullable=False),
        Column("amount", BigInteger, CheckConstraint("amount > 0", name="amount"), nullable=False),
        Column("currency", Text),
        Column(
            "state",
            Text,
            _one_of(
                "state",
                [
                    "pending",
                    "granting",
                    "granted",
                    "rolling_back",
                    "rolled_back",
                    "failed",
                    "voided",
                ],
            ),
            nullable=False,
        ),
        Column("due_at", Instant),
        Column("granted_at", Instant),
        Column("closed_at", Instant),
        Column("reason", Text),
        Column("created_at", Instant, nullable=False),
        CheckConstraint("(referral_id IS NULL) <> (milestone_id IS NULL)", name="origin"),
        Index("ix_rewards_list", "campaign_id", "created_at", "id"),
    )


def _accounts() -> None:
    op.create_table(
        "accounts",
        Column("id", Serial, primary_key=True),
        Column(
            "kind", Text, _one_of("kind", ["wallet", "owed", "issued", "spent"]), nullable=False
        ),
        Column("owner", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("currency", Text, nullable=False),
        UniqueConstraint("kind", "owner", "type", "currency"),
    )


def _entries() -> None:
    op.create_table(
        "entries",
        Column("id", Serial, primary_key=True),
        Column("key", Text, nullable=False, unique=True),
        Column("debit_id", Serial, ForeignKey("accounts.id"), nullable=False),
        Column("credit_id", Serial, ForeignKey("accounts.id"), nullable=False),
        Column("amount", BigInteger, CheckConstraint("amount > 0", name="amount"), nullable=False),
        Column("reward_id", Text, ForeignKey("rewards.id"), index=True),
        Column("reverses_id", Serial, ForeignKey("entries.id"), index=True),
        Column("at", Instant, nullable=False),
        Column("memo", Text, nullable=False),
        CheckConstraint("debit_id <> credit_id", name="two_accounts"),
        Index("ix_entries_debit", "debit_id", "amount"),
        Index("ix_entries_credit", "credit_id", "amount"),
    )


def _messages() -> None:
    op.create_table(
        "messages",
        Column("id", Text, primary_key=True),
        Column("key", Text, nullable=False, unique=True),
        Column("campaign_id", Text, nullable=False),
        Column("version", Integer, nullable=False),
        Column("journey", Text, nullable=False),
        Column("event", Text, nullable=False),
        Column("template", Text, nullable=False),
        Column("channels", JSON, nullable=False),
        Column("customer_id", Text, ForeignKey("customers.id"), nullable=False),
        Column("advocate_id", Text, ForeignKey("advocates.id"), nullable=False),
        Column("referral_id", Text, ForeignKey("referrals.id")),
        Column("milestone_id", Text, ForeignKey("milestones.id")),
        Column("reward_id", Text, ForeignKey("rewards.id")),
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
            ["campaign_id", "version"],
            ["campaign_versions.campaign_id", "campaign_versions.version"],
        ),
        _index_where("ix_messages_pending", "sender_id", where="state = 'pending'"),
        Index("ix_messages_list", "campaign_id", "id"),
    )


def _shares() -> None:
    op.create_table(
        "shares",
        Column("event_id", Text, ForeignKey("events.id"), primary_key=True),
        Column("advocate_id", Text, ForeignKey("advocates.id"), nullable=False),
        Column("code", Text, ForeignKey("codes.code"), nullable=False),
        Column("channel", Text, nullable=False),
        Column("at", Instant, nullable=False),
        Index("ix_shares_advocate", "advocate_id", "channel"),
    )


def _activity() -> None:
    op.create_table(
        "activity",
        Column("id", Serial, primary_key=True),
        Column("type", Text, nullable=False),
        Column("at", Instant, nullable=False),
        Column("actor", Text, nullable=False),
        Column("campaign_id", Text, ForeignKey("campaigns.id"), nullable=False),
        Column("code", Text),
        Column("advocate_id", Text, ForeignKey("advocates.id")),
        Column("referral_id", Text, ForeignKey("referrals.id")),
        Column("milestone_id", Text, ForeignKey("milestones.id")),
        Column("reward_id", Text, ForeignKey("rewards.id")),
        Column("customer_id", Text, ForeignKey("customers.id")),
        Column("reason_code", Text),
        Column("reason", Text),
        Column("data", JSON, nullable=False),
        Index("ix_activity_campaign", "campaign_id", "id"),
        Index("ix_activity_referral", "referral_id", "id"),
    )


def _api_keys() -> None:
    op.create_table(
        "api_keys",
        Column("id", Serial, primary_key=True),
        Column("name", Text, nullable=False),
        Column("digest", Text, nullable=False, unique=True),
        Column("created_at", Instant, nullable=False),
        Column("revoked_at", Instant),
        _unique_where("uq_api_keys_name", "name", where="revoked_at IS NULL"),
    )
