"""Messages to the operator, who is no customer."""

from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0008"

NO_LINK = "customer_id IS NOT NULL OR token IS NULL"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _allow_in_sqlite()
    else:
        op.alter_column("messages", "customer_id", nullable=True)
        op.create_check_constraint("operator", "messages", NO_LINK)


def _allow_in_sqlite() -> None:
    """SQLite's own way for a table that others refer to (sqlite.org/lang_altertable.html, section 7)."""
    op.execute("PRAGMA writable_schema = ON")
    _rewrite("customer_id TEXT NOT NULL", "customer_id TEXT")
    first = "CONSTRAINT ck_messages_state CHECK"
    _rewrite(first, f"CONSTRAINT ck_messages_operator CHECK ({NO_LINK}), {first}")
    op.execute("PRAGMA writable_schema = RESET")


def _rewrite(old: str, new: str) -> None:
    op.execute(
        text(
            "UPDATE sqlite_master SET sql = replace(sql, :old, :new) "
            "WHERE type = 'table' AND name = 'messages'"
        ).bindparams(old=old, new=new)
    )
