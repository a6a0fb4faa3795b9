"""Customers, the only table with contact details, and their consents."""

from sqlalchemy import JSON, Column, ForeignKey, Table, Text, UniqueConstraint

from referrals.store.schema.base import Instant, Serial, metadata, one_of

customers = Table(
    "customers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("external_id", Text, nullable=False, unique=True),
    Column("name", Text),
    Column("email", Text),
    Column("phone", Text, index=True),
    Column("locale", Text),
    Column("timezone", Text),
    # The list as it was told last; what is in force stands in `consents`.
    Column("consent", JSON),
    Column("customer_since", Instant),
    Column("created_at", Instant, nullable=False),
)

# Append-only: the latest `at` of a customer, channel and purpose is in force.
consents = Table(
    "consents",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False),
    Column("channel", Text, one_of("channel", ["email", "whatsapp"]), nullable=False),
    Column("purpose", Text, one_of("purpose", ["service", "marketing"]), nullable=False),
    Column("state", Text, one_of("state", ["given", "withdrawn"]), nullable=False),
    Column(
        "source",
        Text,
        one_of("source", ["list", "api", "link", "whatsapp", "operator"]),
        nullable=False,
    ),
    Column("at", Instant, nullable=False),
    # What is told again is the same.
    UniqueConstraint("customer_id", "channel", "purpose", "state", "source", "at"),
)
