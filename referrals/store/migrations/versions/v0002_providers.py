"""Rewards in other ledgers than the own one: where each is issued, and how that goes."""

from alembic import op
from sqlalchemy import JSON, Column, DateTime, Integer, Text

revision = "0002"
down_revision = "0001"

Instant = DateTime(timezone=True)


def upgrade() -> None:
    for column in (
        Column("provider", Text, nullable=False, server_default="ledger"),
        Column("target", JSON, nullable=False, server_default="{}"),
        Column("approved_at", Instant),
        Column("taken_at", Instant),
        Column("reference", Text),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("error_code", Text),
        Column("error", Text),
        Column("retry_at", Instant),
    ):
        op.add_column("rewards", column)
