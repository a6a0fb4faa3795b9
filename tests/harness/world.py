"""A whole engine for a test: database, time-skipping Temporal server, worker with the sandbox on, and inbox."""

import asyncio
import itertools
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import DataConverter
from temporalio.testing import WorkflowEnvironment

from inbox.process import EventResponse
from inbox.receive import Inbox
from plugin import ReferralsPlugin, Resources, open_resources
from referrals.channels import Channel
from referrals.providers import Provider
from referrals.settings import Settings
from referrals.store import schema
from referrals.store.codes import clicks
from referrals.temporal.names import advocate_workflow_id, referral_workflow_id
from referrals.temporal.search_attributes import SEARCH_ATTRIBUTE_NAMES
from tests.harness.base import Harness
from tests.harness.identity import IDENTITY_SETTINGS
from worker import run_workers

EVENT_RESPONSE_TIMEOUT = timedelta(minutes=1)
"""Long, because a slow decision of a busy machine is a decision nevertheless."""
RETRY_DELAY = timedelta(seconds=1)
TIMEOUT = timedelta(minutes=3)
"""A test fails if what it waits for does not happen within this real time."""


class World(Harness):
    """A whole engine: what a shop and an operator do goes through the inbox. `sleep` moves the time of all its parts."""

    def __init__(self, env: WorkflowEnvironment, resources: Resources) -> None:
        self.env = env
        self.skipped = timedelta(0)
        self.resources = replace(resources, clock=self.now)
        self.store = resources.store
        self.client: Client = env.client
        self.inbox = Inbox(self.store, self.client, resources.settings, self.now)
        self._ids = itertools.count(1)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.skipped

    async def sleep(self, **duration: float) -> None:
        """Skip time, and let happen what is due until then."""
        step = timedelta(**duration)
        self.skipped += step
        await self.env.sleep(step)

    async def sleep_by_minute(self, minutes: int) -> None:
        """Skip time minute by minute, so that each minute finds the effects of the one before."""
        for _ in range(minutes):
            await self.sleep(minutes=1)

    async def publish(self, campaign: str, customer: str, **body: Any) -> str:
        request = {"customer": {"id": customer}, **body}
        answered = await self.inbox.publish(campaign, request, "shop")
        if answered.status == 200:
            return str(answered.body["code"])
        return str((await self._response(answered))["publications"][0]["code"])

    async def send(self, kind: str, data: dict[str, Any], **envelope: Any) -> EventResponse:
        """Send an event and return the response, be it processed or queued."""
        event = {"specversion": "1.0", "id": f"event-{next(self._ids)}", "source": "shop"}
        return await self.inbox.receive(event | envelope | {"type": kind, "data": data}, "shop")

    async def event(self, kind: str, data: dict[str, Any], **envelope: Any) -> dict[str, Any]:
        return await self._response(await self.send(kind, data, **envelope))

    async def command(self, kind: str, referral: str, reason: str = "By hand") -> dict[str, Any]:
        return await self._response(
            await self.inbox.command_referral(kind, referral, reason, "operator")
        )

    async def click(self, code: str, channel: str = "link") -> str:
        click = clicks.new_click(code)
        await self.inbox.record_click(click, code, channel)
        return click

    async def _response(self, answered: EventResponse) -> dict[str, Any]:
        """Return the response; drain the inbox until there is one if a busy machine has queued the event.

        Fails at once if processing the event has failed: only outages and time-outs are waited for.
        """
        if answered.status == 200:
            return answered.body
        event = answered.body["event"]
        deadline = time.monotonic() + TIMEOUT.total_seconds()
        while True:
            (row,) = await self.all(schema.inbox_events, external_id=event)
            if row.state == "processed":
                return dict(row.response)
            assert row.attempts == 0, row.error
            assert time.monotonic() < deadline, row.error
            await asyncio.sleep(RETRY_DELAY.total_seconds())
            await self.inbox.drain()

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait, in real time, for what workers are doing; fail if it does not happen."""
        deadline = time.monotonic() + TIMEOUT.total_seconds()
        while not await holds():
            assert time.monotonic() < deadline, f"did not happen: {holds}"
            await asyncio.sleep(0.02)

    async def until_state(self, referral: str, state: str) -> None:
        async def holds() -> bool:
            return await self.state(referral) == state

        await self.until(holds)

    async def until_reward(self, state: str) -> None:
        """Wait until some reward is in this state."""

        async def holds() -> bool:
            return bool(await self.all(schema.rewards, state=state))

        await self.until(holds)

    async def until_closed(self, run: WorkflowHandle[Any, Any]) -> None:
        async def holds() -> bool:
            return (await run.describe()).close_time is not None

        await self.until(holds)

    async def until_idle(self) -> None:
        """Wait until no message is pending and the rewards of all milestones are granted or rolled back."""

        async def holds() -> bool:
            pending = await self.all(schema.messages, state="pending")
            lost = {row.id for row in await self.all(schema.milestones, state="lost")}
            behind = {True: ("pending", "granted"), False: ("pending",)}
            lagging = [
                reward
                for reward in await self.all(schema.rewards)
                if reward.milestone_id and reward.state in behind[reward.milestone_id in lost]
            ]
            return not pending and not lagging

        await self.until(holds)

    async def referral_run(self, campaign: str, friend: str) -> WorkflowHandle[Any, Any]:
        workflow_id = referral_workflow_id(campaign, await self.customer_id(friend))
        return self.client.get_workflow_handle(workflow_id)

    async def advocate_run(self, campaign: str, customer: str) -> WorkflowHandle[Any, Any]:
        workflow_id = advocate_workflow_id(campaign, await self.customer_id(customer))
        return self.client.get_workflow_handle(workflow_id)


@asynccontextmanager
async def open_world(
    database_url: str,
    channels: dict[str, Channel] | None = None,
    providers: dict[str, Provider] | None = None,
    *,
    work: bool = True,
    sandbox: bool = True,
    data_converter: DataConverter = DataConverter.default,
    **options: Any,
) -> AsyncIterator[World]:
    """Open an engine on a migrated database, with a worker unless `work` is false."""
    defaults = {"event_response_timeout": EVENT_RESPONSE_TIMEOUT, **IDENTITY_SETTINGS}
    settings = Settings(database_url=database_url, **defaults | options)
    async with open_resources(settings) as resources:
        env = await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=executable("temporal-test-server"),
            plugins=[],
        )
        async with env:
            world = World(
                env,
                replace(
                    resources,
                    channels={**resources.channels, **(channels or {})},
                    providers=providers or {},
                ),
            )
            plugin = ReferralsPlugin(world.resources, sandbox=sandbox)
            config = env.client.config()
            config["plugins"] = [plugin]
            config["data_converter"] = data_converter
            world.client = Client(**config)
            world.inbox = Inbox(world.store, world.client, settings, world.now)
            await register_search_attributes(world.client)
            async with run_workers(world.client) if work else nullcontext():
                yield world


async def register_search_attributes(client: Client) -> None:
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace=client.namespace,
            search_attributes=dict.fromkeys(SEARCH_ATTRIBUTE_NAMES, keyword),
        )
    )


def executable(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed"
    return found
