"""Calls of providers whose end is not known, and how often they are called."""

from alembic import op
from sqlalchemy import Column, DateTime, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("rewards", Column("called_at", DateTime(timezone=True)))
    op.add_column("rewards", Column("unclear_until", DateTime(timezone=True)))
    op.create_table(
        "paces",
        Column("provider", Text, primary_key=True),
        Column("free_at", DateTime(timezone=True), nullable=False),
    )
    op.execute("UPDATE rewards SET called_at = created_at WHERE attempts > 0")
    op.execute("UPDATE rewards SET taken_at = NULL WHERE granted_at IS NOT NULL")
