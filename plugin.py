"""Composition root: builds the engine's resources from its settings, and the Temporal plugin that brings them to workers.

Any worker can run the engine: `Worker(client, task_queue="referrals")` with a client that was connected with
`ReferralsPlugin(resources)`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, WorkerConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.advocates import AdvocateActivities
from activities.decisions import LogMessages
from activities.expiry import ExpiryActivities
from activities.journeys import JourneyActivities
from activities.messages import MessageActivities
from activities.milestones import MilestoneActivities
from activities.provider_calls import ProviderCalls
from activities.referrals import ReferralActivities
from activities.rewards import RewardActivities
from activities.tracking import TrackingActivities
from referrals.channels import Channel
from referrals.channels.email import EmailChannel
from referrals.channels.http_messages import open_http_messages
from referrals.channels.log import LogChannel
from referrals.channels.templates import Templates
from referrals.channels.whatsapp import open_whatsapp
from referrals.clock import Clock, utc_now
from referrals.domain.message_timing import FrequencyCap, QuietHours
from referrals.providers import Provider
from referrals.providers.setup import open_providers
from referrals.settings import Settings
from referrals.store import Store, open_store
from referrals.store.messaging.channel_selection import SendingRules
from referrals.temporal.converter import with_payload_converter
from referrals.temporal.names import MESSAGES_QUEUE, REWARDS_QUEUE
from referrals.webhooks.poster import Poster
from workflows.advocate import AdvocateWorkflow
from workflows.expiry import ExpiryWorkflow
from workflows.journey import JourneyWorkflow
from workflows.referral import ReferralWorkflow

WORKFLOWS = [AdvocateWorkflow, ExpiryWorkflow, JourneyWorkflow, ReferralWorkflow]


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Everything that a process of the engine holds open."""

    settings: Settings
    store: Store
    templates: Templates
    channels: Mapping[str, Channel]
    providers: Mapping[str, Provider]
    webhook_poster: Poster
    clock: Clock = utc_now


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Open what the settings name: database, templates, channels, reward providers and webhooks."""
    async with (
        open_store(settings.database_url, settings.database_options, settings.identity) as store,
        open_providers(settings) as providers,
        open_whatsapp(settings) as whatsapp,
        open_http_messages(settings) as http_messages,
    ):
        yield Resources(
            settings=settings,
            store=store,
            templates=Templates(settings.templates_dir),
            channels={"log": LogChannel(), **_email(settings), **whatsapp, **http_messages},
            providers=providers,
            webhook_poster=Poster(allow_private=settings.webhooks_allow_private),
        )


def _email(settings: Settings) -> dict[str, Channel]:
    if settings.smtp_url is None:
        return {}
    url = settings.smtp_url.get_secret_value()
    return {"email": EmailChannel(url, settings.email_from)}


class ReferralsPlugin(SimplePlugin):
    """Adds the payload converter, the workflows and, on each task queue, its activities.

    The client's payload codec and failure converter stay as they are, and so does the worker's sandbox.

    Args:
        resources: Needed by workers only; clients and replays run no activities.
        sandbox: Whether workflows run in the SDK's sandbox, which finds code that is not deterministic.
    """

    def __init__(self, resources: Resources | None = None, *, sandbox: bool = True) -> None:
        super().__init__(
            "referrals",
            data_converter=with_payload_converter,
            workflows=WORKFLOWS,
            workflow_runner=_sandboxed if sandbox else UnsandboxedWorkflowRunner(),
        )
        self._resources = resources

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        if self._resources is None:
            return super().configure_worker(config)
        queue, settings = config["task_queue"], self._resources.settings
        config["activities"] = [
            *config.get("activities", []),
            *activities_of(self._resources, queue),
        ]
        if queue == MESSAGES_QUEUE:
            config["max_task_queue_activities_per_second"] = settings.messages_per_second
        elif queue != REWARDS_QUEUE:
            return super().configure_worker(config)
        return config


def _sandboxed(runner: WorkflowRunner | None) -> WorkflowRunner:
    """Keep a sandbox that the worker has configured."""
    return runner if isinstance(runner, SandboxedWorkflowRunner) else SandboxedWorkflowRunner()


def activities_of(resources: Resources, queue: str) -> list[Callable[..., Any]]:
    """Return the activities of a task queue. Those that make no external call run on the default queue."""
    messages, calls = _message_activities(resources), _provider_calls(resources)
    looks_up_first = resources.settings.look_up_before_grant
    rewards = RewardActivities(resources.store, calls, resources.clock, looks_up_first)
    tracking = TrackingActivities(resources.store, calls, resources.clock)
    if queue == MESSAGES_QUEUE:
        return [messages.send_message]
    if queue == REWARDS_QUEUE:
        return [rewards.deliver_reward, tracking.track_event]
    log = _log_messages(resources)
    referrals = ReferralActivities(log)
    advocates = AdvocateActivities(log)
    journeys = JourneyActivities(
        resources.store, resources.clock, log, resources.settings.public_url
    )
    return [
        referrals.sign_up,
        referrals.convert,
        referrals.reassess,
        referrals.reinstate,
        referrals.roll_back,
        referrals.review,
        referrals.reward,
        referrals.pass_time,
        advocates.publish,
        advocates.share,
        advocates.process_milestone,
        advocates.milestone_reward,
        advocates.resume,
        MilestoneActivities(resources.store).notify_advocate,
        ExpiryActivities(resources.store).expire,
        journeys.run_journey_steps,
        journeys.notify_journey,
        journeys.start_workflow,
        journeys.mark_start_failed,
        messages.give_up_message,
        rewards.mark_reward_failed,
        tracking.mark_tracking_failed,
    ]


def _provider_calls(resources: Resources) -> ProviderCalls:
    return ProviderCalls(
        resources.store,
        resources.providers,
        resources.settings.requests_per_second,
        resources.clock,
    )


def _message_activities(resources: Resources) -> MessageActivities:
    return MessageActivities(
        resources.store,
        resources.templates,
        resources.channels,
        _rules(resources),
        resources.settings.public_url,
        resources.clock,
    )


def _log_messages(resources: Resources) -> LogMessages:
    return LogMessages(
        resources.store,
        resources.templates,
        _rules(resources),
        resources.settings.public_url,
        resources.clock,
    )


def _rules(resources: Resources) -> SendingRules:
    settings = resources.settings
    return SendingRules(
        {name: channel.reports_outcome for name, channel in resources.channels.items()},
        QuietHours.parse(settings.quiet_hours) if settings.quiet_hours else None,
        FrequencyCap.parse(settings.message_frequency_cap)
        if settings.message_frequency_cap
        else None,
        settings.operator_email,
    )
