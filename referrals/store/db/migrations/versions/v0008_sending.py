"""Consent with its history, what was tried by which channel, suppressed addresses, and what is held."""

from collections.abc import Iterable

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    select,
)

revision = "0008"
down_revision = "0007"

Instant = DateTime(timezone=True)
Serial = BigInteger().with_variant(Integer, "sqlite")

STATES = "state IN ('delivered', 'failed', 'pending', 'read', 'sent')"


def upgrade() -> None:
    _messages()
    _deliveries()
    _what_is_held()
    _consents()
    _consents_told_so_far()


def _messages() -> None:
    for column in (
        Column("purpose", Text),
        Column("token", Text),
        Column("not_before", Instant),
        Column("delivered_at", Instant),
        Column("read_at", Instant),
    ):
        op.add_column("messages", column)
    with op.batch_alter_table("messages") as batch:
        if op.get_bind().dialect.name != "sqlite":  # which makes a new table, without the old check
            batch.drop_constraint(op.f("ck_messages_state"), type_="check")
        batch.create_check_constraint("state", STATES)
        batch.create_unique_constraint("uq_messages_token", ["token"])
    op.create_index("ix_messages_customer", "messages", ["customer_id"])
    op.create_index("ix_customers_phone", "customers", ["phone"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        Column("id", Serial, primary_key=True),
        Column("message_id", Text, ForeignKey("messages.id"), nullable=False),
        Column("channel", Text, nullable=False),
        Column(
            "state",
            Text,
            _in("state", ["delivered", "failed", "open", "read", "sent", "trying", "unclear"]),
            nullable=False,
        ),
        Column("attempt", Integer, nullable=False),
        Column("claimed_at", Instant, nullable=False),
        Column("unclear_at", Instant),
        Column("digest", Text),
        Column("reference", Text),
        Column("reason_code", Text),
        Column("reason", Text),
        UniqueConstraint("message_id", "channel"),
        Index("ix_deliveries_reference", "channel", "reference"),
    )


def _what_is_held() -> None:
    op.create_table(
        "suppressions",
        Column("id", Serial, primary_key=True),
        Column("customer_id", Text, ForeignKey("customers.id"), nullable=False),
        Column("channel", Text, nullable=False),
        Column("digest", Text, nullable=False),
        Column("reason_code", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("since", Instant, nullable=False),
        UniqueConstraint("customer_id", "channel", "digest"),
    )
    op.create_table(
        "blocks",
        Column("id", Serial, primary_key=True),
        Column("channel", Text, nullable=False),
        Column("template", Text, nullable=False),
        Column("code", Text, nullable=False),
        Column("sentence", Text, nullable=False),
        Column("since", Instant, nullable=False),
        Column("probe_at", Instant, nullable=False),
        UniqueConstraint("channel", "template"),
    )


def _consents() -> None:
    op.create_table(
        "consents",
        Column("id", Serial, primary_key=True),
        Column("customer_id", Text, ForeignKey("customers.id"), nullable=False),
        Column("channel", Text, _in("channel", ["email", "whatsapp"]), nullable=False),
        Column("purpose", Text, _in("purpose", ["marketing", "service"]), nullable=False),
        Column("state", Text, _in("state", ["given", "withdrawn"]), nullable=False),
        Column(
            "source",
            Text,
            _in("source", ["api", "link", "list", "operator", "whatsapp"]),
            nullable=False,
        ),
        Column("at", Instant, nullable=False),
        UniqueConstraint("customer_id", "channel", "purpose", "state", "source", "at"),
    )


def _in(column: str, values: Iterable[str]) -> CheckConstraint:
    quoted = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({quoted})", name=column)


def _consents_told_so_far() -> None:
    """A customer's list has granted what it named since the customer is known; when, nobody has kept."""
    customers = Table(
        "customers",
        MetaData(),
        Column("id", Text),
        Column("consent", JSON),
        Column("created_at", Instant),
    )
    consents = Table(
        "consents",
        MetaData(),
        *(Column(name, Text) for name in ("customer_id", "channel", "purpose", "state", "source")),
        Column("at", Instant),
    )
    connection = op.get_bind()
    told = {"purpose": "marketing", "state": "given", "source": "list"}
    granted = [
        {"customer_id": row.id, "channel": channel, "at": row.created_at, **told}
        for row in connection.execute(select(customers))
        for channel in set(row.consent or ())
    ]
    if granted:
        connection.execute(consents.insert(), granted)
