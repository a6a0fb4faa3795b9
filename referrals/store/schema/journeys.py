"""Runs of journeys that wait, and the external workflows that journeys start."""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, ForeignKeyConstraint, Integer, Table, Text

from referrals.store.schema.base import Instant, index_where, metadata, one_of

OPEN = "state IN ('held', 'running', 'starting')"

journey_entries = Table(
    "journey_entries",
    metadata,
    # Journey and subject; only of journeys that are not always entered again.
    Column("key", Text, primary_key=True),
    Column("entered_at", Instant, nullable=False),
)

OPEN_RUN_STATES = ("held", "running", "starting")

journey_runs = Table(
    "journey_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("campaign_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("journey", Text, nullable=False),
    Column("subject", Text, nullable=False),
    # What started it, as other people's workflows are told.
    Column("event", JSON, nullable=False),
    Column("occurrence", Text, nullable=False),
    Column("advocate_id", ForeignKey("advocates.id"), nullable=False),
    Column("friend_id", ForeignKey("customers.id")),
    Column("referral_id", ForeignKey("referrals.id")),
    Column("milestone_id", ForeignKey("milestones.id")),
    Column("reward_id", ForeignKey("rewards.id")),
    Column(
        "state",
        Text,
        one_of("state", ["starting", "running", "held", "done", "exited"]),
        nullable=False,
    ),
    # Where it stands (see `domain.journey_run.Standing`).
    Column("step_index", Integer, nullable=False),
    Column("wake_at", Instant),
    Column("awaited_event", Text),
    Column("awaited_event_received", Boolean, nullable=False),
    Column("exit_on", JSON, nullable=False),
    # The workflow that has yet to start or tell this run's; NULL once that one has looked.
    Column("notifier_workflow_id", Text),
    Column("reason_code", Text),
    Column("reason", Text),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
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

workflow_starts = Table(
    "workflow_starts",
    metadata,
    Column("id", Text, primary_key=True),
    # The id of the workflow that is started.
    Column("key", Text, nullable=False, unique=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("referral_id", ForeignKey("referrals.id")),
    # The workflow that starts it: a referral's, an advocate's or a journey's.
    Column("sender_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("task_queue", Text, nullable=False),
    Column("namespace", Text),
    Column("event", JSON, nullable=False),
    Column("state", Text, one_of("state", ["pending", "started", "failed"]), nullable=False),
    Column("reason", Text),
    Column("created_at", Instant, nullable=False),
    Column("completed_at", Instant),
    index_where("ix_workflow_starts_pending", "sender_id", where="state = 'pending'"),
)
