"""Grants that expire."""

from alembic import op
from sqlalchemy import Column, DateTime, text

revision = "0005"
down_revision = "0004"

Instant = DateTime(timezone=True)
KINDS = "kind IN ('issued', 'owed', 'spent', 'wallet')"
WITH_EXPIRED = "kind IN ('expired', 'issued', 'owed', 'spent', 'wallet')"


def upgrade() -> None:
    op.add_column("rewards", Column("expires_at", Instant))
    op.add_column("rewards", Column("expired_at", Instant))
    expiring = text("expired_at IS NULL AND state = 'granted' AND expires_at IS NOT NULL")
    op.create_index(
        "ix_rewards_expiring",
        "rewards",
        ["expires_at"],
        sqlite_where=expiring,
        postgresql_where=expiring,
    )
    if op.get_bind().dialect.name == "sqlite":
        _allow_in_sqlite()
    else:
        op.drop_constraint("kind", "accounts", type_="check")
        op.create_check_constraint("kind", "accounts", WITH_EXPIRED)


def _allow_in_sqlite() -> None:
    """SQLite's own way to change a CHECK of a table that others refer to (sqlite.org/lang_altertable.html, section 7)."""
    op.execute("PRAGMA writable_schema = ON")
    op.execute(
        text(
            "UPDATE sqlite_master SET sql = replace(sql, :old, :new) WHERE name = 'accounts'"
        ).bindparams(old=KINDS, new=WITH_EXPIRED)
    )
    op.execute("PRAGMA writable_schema = RESET")
