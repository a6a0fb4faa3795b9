"""A milestone may have more rewards than its tier's: those that journeys grant."""

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"

UNIQUE = "CONSTRAINT uq_rewards_milestone_id UNIQUE (milestone_id), "
OF_SQLITE = "SELECT sql FROM sqlite_master WHERE tbl_name = 'rewards' AND type = :type AND sql > ''"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _make_again_in_sqlite()
    else:
        op.drop_constraint(op.f("uq_rewards_milestone_id"), "rewards", type_="unique")
    _index("ix_rewards_milestone", "milestone_id IS NOT NULL")
    _index(
        "uq_rewards_milestone_tier", "milestone_id IS NOT NULL AND tier IS NOT NULL", unique=True
    )


def _index(name: str, where: str, *, unique: bool = False) -> None:
    condition = text(where)
    op.create_index(
        name,
        "rewards",
        ["milestone_id"],
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )


def _make_again_in_sqlite() -> None:
    """It drops a constraint only with the table, which others refer to: they follow the old one when it is renamed.

    Were they not called back before it goes, each of its rows would be looked for in all of them.
    """
    (table,) = _sql("table")
    indexes = _sql("index")
    op.execute("ALTER TABLE rewards RENAME TO old_rewards")
    op.execute(table.replace(UNIQUE, ""))
    op.execute("INSERT INTO rewards SELECT * FROM old_rewards")
    op.execute("PRAGMA writable_schema = ON")
    op.execute(
        "UPDATE sqlite_master SET sql = replace(sql, '\"old_rewards\"', 'rewards') "
        "WHERE type = 'table' AND name <> 'old_rewards'"
    )
    op.execute("PRAGMA writable_schema = RESET")
    op.execute("DROP TABLE old_rewards")
    for statement in indexes:
        op.execute(statement)


def _sql(kind: str) -> list[str]:
    found = op.get_bind().execute(text(OF_SQLITE), {"type": kind})
    return [str(row.sql) for row in found]
