"""Journeys that wait, and the workflows of others that journeys start."""

from alembic import op
from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    Text,
    text,
)

revision = "0007"
down_revision = "0006"

Instant = DateTime(timezone=True)
RUN_STATES = "state IN ('done', 'exited', 'held', 'running', 'starting')"
START_STATES = "state IN ('failed', 'pending', 'started')"
OPEN = "state IN ('held', 'running', 'starting')"


def upgrade() -> None:
    op.create_table(
        "journey_entries",
        Column("key", Text, primary_key=True),
        Column("entered_at", Instant, nullable=False),
    )
    _runs()
    _starts()


def _runs() -> None:
    op.create_table(
        "journey_runs",
        Column("id", Text, primary_key=True),
        Column("key", Text, nullable=False, unique=True),
        Column("campaign_id", Text, nullable=False),
        Column("version", Integer, nullable=False),
        Column("journey", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("event", JSON, nullable=False),
        Column("occurrence", Text, nullable=False),
        Column("advocate_id", Text, ForeignKey("advocates.id"), nullable=False),
        Column("friend_id", Text, ForeignKey("customers.id")),
        Column("referral_id", Text, ForeignKey("referrals.id")),
        Column("milestone_id", Text, ForeignKey("milestones.id")),
        Column("reward_id", Text, ForeignKey("rewards.id")),
        Column("state", Text, CheckConstraint(RUN_STATES, name="state"), nullable=False),
        Column("number", Integer, nullable=False),
        Column("wake_at", Instant),
        Column("awaits", Text),
        Column("happened", Boolean, nullable=False),
        Column("exit_on", JSON, nullable=False),
        Column("teller_id", Text),
        Column("reason_code", Text),
        Column("reason", Text),
        Column("started_at", Instant, nullable=False),
        Column("ended_at", Instant),
        ForeignKeyConstraint(
            ["campaign_id", "version"],
            ["campaign_versions.campaign_id", "campaign_versions.version"],
        ),
    )
    _index("ix_journey_runs_listening", "journey_runs", "advocate_id", OPEN)
    _index("ix_journey_runs_open", "journey_runs", "campaign_id", OPEN)
    _index("ix_journey_runs_untold", "journey_runs", "teller_id", "teller_id IS NOT NULL")


def _starts() -> None:
    op.create_table(
        "workflow_starts",
        Column("id", Text, primary_key=True),
        Column("key", Text, nullable=False, unique=True),
        Column("campaign_id", Text, ForeignKey("campaigns.id"), nullable=False),
        Column("referral_id", Text, ForeignKey("referrals.id")),
        Column("sender_id", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("task_queue", Text, nullable=False),
        Column("namespace", Text),
        Column("event", JSON, nullable=False),
        Column("state", Text, CheckConstraint(START_STATES, name="state"), nullable=False),
        Column("reason", Text),
        Column("created_at", Instant, nullable=False),
        Column("settled_at", Instant),
    )
    _index("ix_workflow_starts_pending", "workflow_starts", "sender_id", "state = 'pending'")


def _index(name: str, table: str, column: str, where: str) -> None:
    condition = text(where)
    op.create_index(name, table, [column], sqlite_where=condition, postgresql_where=condition)
