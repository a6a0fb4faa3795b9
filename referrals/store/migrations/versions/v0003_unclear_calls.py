"""Calls of providers whose end is not known."""

from alembic import op
from sqlalchemy import Column, DateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("rewards", Column("unclear_until", DateTime(timezone=True)))
    op.execute("UPDATE rewards SET taken_at = NULL WHERE granted_at IS NOT NULL")
