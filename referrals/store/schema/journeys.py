"""Runs of journeys that wait, and the external workflows that journeys start."""

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
)

from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, column, index_where, one_of, table

OPEN = "state IN ('held', 'running', 'starting')"
OPEN_RUN_STATES = ("held", "running", "starting")


class JourneyEntryRow(TableRow):
    """A subject that has entered a journey which it may enter only once."""

    key: Field[str] = column(Text, primary_key=True, doc="Journey and subject.")
    entered_at: Field[datetime] = column(Instant)


class JourneyEntryColumns(JourneyEntryRow, Columns[JourneyEntryRow]): ...


journey_entries = table("journey_entries", JourneyEntryColumns)


class JourneyRunRow(TableRow):
    """A run of a journey that waits or has waited."""

    id: Field[str] = column(Text, primary_key=True)
    key: Field[str] = column(Text, unique=True)
    campaign_id: Field[str] = column(Text)
    version: Field[int] = column(Integer)
    journey: Field[str] = column(Text)
    subject: Field[str] = column(Text)
    activity_id: Field[int] = column(
        BigInteger, doc="The event that started the run, in the activity log."
    )
    occurrence: Field[str] = column(Text)
    advocate_id: Field[str] = column(Text, ForeignKey("advocates.id"))
    friend_id: Field[str | None] = column(Text, ForeignKey("customers.id"))
    referral_id: Field[str | None] = column(Text, ForeignKey("referrals.id"))
    milestone_id: Field[str | None] = column(Text, ForeignKey("milestones.id"))
    reward_id: Field[str | None] = column(Text, ForeignKey("rewards.id"))
    state: Field[str] = column(
        Text, one_of("state", ["starting", "running", "held", "done", "exited"])
    )
    step_index: Field[int] = column(
        Integer,
        doc="Position in the journey: see `referrals.domain.journey_interpreter.JourneyPosition`.",
    )
    wake_at: Field[datetime | None] = column(Instant)
    awaited_event: Field[str | None] = column(Text)
    awaited_event_received: Field[bool] = column(Boolean)
    exit_on: Field[list[str]] = column(JSON)
    notifier_workflow_id: Field[str | None] = column(
        Text, doc="The workflow that has to start or notify the run's workflow; NULL when it has."
    )
    reason_code: Field[str | None] = column(Text)
    reason: Field[str | None] = column(Text)
    started_at: Field[datetime] = column(Instant)
    ended_at: Field[datetime | None] = column(Instant)


class JourneyRunColumns(JourneyRunRow, Columns[JourneyRunRow]): ...


journey_runs = table(
    "journey_runs",
    JourneyRunColumns,
    ForeignKeyConstraint(
        ["campaign_id", "version"], ["campaign_versions.campaign_id", "campaign_versions.version"]
    ),
    index_where("ix_journey_runs_listening", "advocate_id", where=OPEN),
    index_where("ix_journey_runs_open", "campaign_id", where=OPEN),
    index_where(
        "ix_journey_runs_to_notify",
        "notifier_workflow_id",
        where="notifier_workflow_id IS NOT NULL",
    ),
)


class WorkflowStartRow(TableRow):
    """An external workflow that a journey starts."""

    id: Field[str] = column(Text, primary_key=True)
    key: Field[str] = column(Text, unique=True, doc="Id of the workflow to start.")
    campaign_id: Field[str] = column(Text, ForeignKey("campaigns.id"))
    advocate_id: Field[str] = column(Text, ForeignKey("advocates.id"))
    referral_id: Field[str | None] = column(Text, ForeignKey("referrals.id"))
    sender_id: Field[str] = column(
        Text, doc="The workflow that starts it: of a referral, an advocate or a journey."
    )
    type: Field[str] = column(Text)
    task_queue: Field[str] = column(Text)
    namespace: Field[str | None] = column(Text)
    activity_id: Field[int] = column(BigInteger, doc="The event that it gets.")
    state: Field[str] = column(Text, one_of("state", ["pending", "started", "failed", "dropped"]))
    reason: Field[str | None] = column(Text)
    created_at: Field[datetime] = column(Instant)
    completed_at: Field[datetime | None] = column(Instant)


class WorkflowStartColumns(WorkflowStartRow, Columns[WorkflowStartRow]): ...


workflow_starts = table(
    "workflow_starts",
    WorkflowStartColumns,
    Index("ix_workflow_starts_list", "campaign_id", "id"),
    index_where("ix_workflow_starts_pending", "sender_id", where="state = 'pending'"),
    index_where("ix_workflow_starts_failed", "id", where="state = 'failed'"),
)
