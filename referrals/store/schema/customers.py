"""The people: the only table with contact details."""

from sqlalchemy import JSON, Column, Table, Text

from referrals.store.schema.base import Instant, metadata

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
