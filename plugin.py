"""The one composition root: what a worker, a client, a test or a replay of this engine is made of.

Somebody else's worker takes the engine in by this plugin too: `Worker(client, task_queue="referrals")` on a client
that was connected with `ReferralsPlugin(resources)`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, WorkerConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.advocates import AdvocateActivities
from activities.messages import MessageActivities
from activities.milestones import MilestoneActivities
from activities.referrals import ReferralActivities
from referrals.channels import Channel
from referrals.channels.email import EmailChannel
from referrals.channels.log import LogChannel
from referrals.channels.rendering import Templates
from referrals.clock import Clock, utc_now
from referrals.domain.temporal import MESSAGES_QUEUE
from referrals.settings import Settings
from referrals.store import Store, open_store
from workflows.advocate import AdvocateWorkflow
from workflows.payloads import DATA_CONVERTER
from workflows.referral import ReferralWorkflow

WORKFLOWS = [AdvocateWorkflow, ReferralWorkflow]


@dataclass(frozen=True)
class Resources:
    """What the engine holds open while it runs."""

    settings: Settings
    store: Store
    templates: Templates
    channels: Mapping[str, Channel]
    clock: Clock = utc_now


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """The database, the templates and the channels that the settings name."""
    channels: dict[str, Channel] = {"log": LogChannel()}
    if settings.smtp_url:
        url = settings.smtp_url.get_secret_value()
        channels["email"] = EmailChannel(url, settings.email_from)
    async with open_store(settings.database_url) as store:
        yield Resources(settings, store, Templates(settings.templates_dir), channels)


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
        if self._resources and config["task_queue"] == MESSAGES_QUEUE:
            config["activities"] = [*config.get("activities", []), *_messages(self._resources)]
            config["max_task_queue_activities_per_second"] = (
                self._resources.settings.messages_per_second
            )
            return config
        if self._resources:
            config["activities"] = [*config.get("activities", []), *_decisions(self._resources)]
        return super().configure_worker(config)


def _decisions(resources: Resources) -> list[Callable[..., Any]]:
    referrals = ReferralActivities(resources.store)
    advocates = AdvocateActivities(resources.store)
    return [
        referrals.sign_up,
        referrals.convert,
        referrals.reassess,
        referrals.roll_back,
        referrals.review,
        referrals.pass_time,
        advocates.publish,
        advocates.share,
        advocates.settle_milestone,
        advocates.resume_advocate,
        MilestoneActivities().tell_advocate,
        _message_activities(resources).give_up_message,
    ]


def _messages(resources: Resources) -> list[Callable[..., Any]]:
    return [_message_activities(resources).send_message]


def _message_activities(resources: Resources) -> MessageActivities:
    return MessageActivities(
        resources.store,
        resources.templates,
        resources.channels,
        resources.settings.public_url,
        resources.clock,
    )
