"""The one composition root: what a worker, a client, a test or a replay of this engine is made of.

Somebody else's worker takes the engine in by this plugin too: `Worker(client, task_queue="referrals")` on a client
that was connected with `ReferralsPlugin(resources)`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, WorkerConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.advocates import AdvocateActivities
from activities.decisions import LogMessages
from activities.expiry import ExpiryActivities
from activities.journeys import JourneyActivities
from activities.messages import MessageActivities
from activities.milestones import MilestoneActivities
from activities.referrals import ReferralActivities
from activities.rewards import RewardActivities
from referrals.channels import Channel
from referrals.channels.email import EmailChannel
from referrals.channels.log import LogChannel
from referrals.channels.templates import Templates
from referrals.channels.whatsapp import open_whatsapp
from referrals.clock import Clock, utc_now
from referrals.domain.message_timing import FrequencyCap, QuietHours
from referrals.providers import Provider
from referrals.providers.setup import open_providers
from referrals.settings import Settings
from referrals.store import Store, open_store
from referrals.store.messaging.sending import SendingRules
from referrals.temporal.converter import DATA_CONVERTER
from referrals.temporal.names import MESSAGES_QUEUE, REWARDS_QUEUE
from workflows.advocate import AdvocateWorkflow
from workflows.expiry import ExpiryWorkflow
from workflows.journey import JourneyWorkflow
from workflows.referral import ReferralWorkflow

WORKFLOWS = [AdvocateWorkflow, ExpiryWorkflow, JourneyWorkflow, ReferralWorkflow]


@dataclass(frozen=True)
class Resources:
    """What the engine holds open while it runs."""

    settings: Settings
    store: Store
    templates: Templates
    channels: Mapping[str, Channel]
    providers: Mapping[str, Provider] = field(default_factory=dict)
    clock: Clock = utc_now


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """The database, the templates and the channels that the settings name."""
    channels: dict[str, Channel] = {"log": LogChannel()}
    if settings.smtp_url:
        url = settings.smtp_url.get_secret_value()
        channels["email"] = EmailChannel(url, settings.email_from)
    async with (
        open_store(settings.database_url) as store,
        open_providers(settings) as providers,
        open_whatsapp(settings) as whatsapp,
    ):
        templates = Templates(settings.templates_dir)
        yield Resources(settings, store, templates, channels | whatsapp, providers)


class ReferralsPlugin(SimplePlugin):
    """The converter, the workflows with their runner, and for each task queue its activities.

    Without resources there are no activities: enough for a client and for a replay.
    """

    def __init__(self, resources: Resources | None = None, *, sandbox: bool = True) -> None:
        super().__init__(
            "referrals",
            data_converter=DATA_CONVERTER,
            workflows=WORKFLOWS,
            workflow_runner=SandboxedWorkflowRunner() if sandbox else UnsandboxedWorkflowRunner(),
        )
        self._resources = resources

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        if self._resources is None:
            return super().configure_worker(config)
        queue, settings = config["task_queue"], self._resources.settings
        config["activities"] = [*config.get("activities", []), *_activities(self._resources, queue)]
        if queue == MESSAGES_QUEUE:
            config["max_task_queue_activities_per_second"] = settings.messages_per_second
        elif queue != REWARDS_QUEUE:
            return super().configure_worker(config)
        return config


def _activities(resources: Resources, queue: str) -> list[Callable[..., Any]]:
    """What is called by way of each queue. Parking and giving up call nobody: they go by the first."""
    messages, rewards = _message_activities(resources), _reward_activities(resources)
    if queue == MESSAGES_QUEUE:
        return [messages.send_message]
    if queue == REWARDS_QUEUE:
        return [rewards.deliver_reward]
    log = _log_messages(resources)
    referrals = ReferralActivities(log)
    advocates = AdvocateActivities(log)
    journeys = JourneyActivities(resources.store, resources.clock, log)
    return [
        referrals.sign_up,
        referrals.convert,
        referrals.reassess,
        referrals.roll_back,
        referrals.review,
        referrals.reward,
        referrals.pass_time,
        advocates.publish,
        advocates.share,
        advocates.process_milestone,
        advocates.milestone_reward,
        advocates.resume,
        MilestoneActivities().notify_advocate,
        ExpiryActivities(resources.store).expire,
        journeys.next_step,
        journeys.notify_journey,
        journeys.start_workflow,
        journeys.mark_start_failed,
        messages.give_up_message,
        rewards.mark_reward_failed,
    ]


def _reward_activities(resources: Resources) -> RewardActivities:
    return RewardActivities(
        resources.store, resources.providers, resources.settings.paces, resources.clock
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
