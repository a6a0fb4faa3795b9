"""A whole engine for a test: a time-skipping Temporal server, a worker with the sandbox on, and the ways in."""

import asyncio
import itertools
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.converter import DataConverter
from temporalio.testing import WorkflowEnvironment

from inbox.process import EventResponse
from inbox.receive import Inbox
from plugin import ReferralsPlugin, Resources, open_resources
from referrals.channels import Channel
from referrals.domain.campaign import Campaign
from referrals.domain.requests import PublicationRequest
from referrals.providers import Provider
from referrals.settings import Settings
from referrals.store import schema
from referrals.store.campaigns import versions
from referrals.store.codes import clicks
from referrals.store.journeys import runs
from referrals.temporal.names import advocate_workflow_id, referral_workflow_id
from referrals.temporal.search_attributes import SEARCH_ATTRIBUTE_NAMES
from worker import run_workers

EUR = "EUR"
PATIENCE = timedelta(minutes=2)


class World:
    """What a shop and an operator can do, and what they can see. `sleep` moves everybody's time."""

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
        """Let time pass, and what it brings happen."""
        step = timedelta(**duration)
        self.skipped += step
        await self.env.sleep(step)

    async def pass_minutes(self, minutes: int) -> None:
        """As `sleep`, a minute at a time: what one brings about is there for the next."""
        for _ in range(minutes):
            await self.sleep(minutes=1)

    async def apply(self, definition: dict[str, Any]) -> None:
        campaign = Campaign.model_validate(definition)
        async with self.store.begin() as tx:
            await versions.apply(tx, campaign, "marketer", self.now())

    async def set_state(self, campaign: str, state: str) -> None:
        async with self.store.begin() as tx:
            await versions.set_state(tx, campaign, state)
            await runs.campaign_changed(tx, campaign, state, "operator", self.now())

    async def publish(self, campaign: str, customer: str, **body: Any) -> str:
        """Publish a code to a customer; returns the code."""
        request = PublicationRequest.model_validate({"customer": {"id": customer}, **body})
        answered = await self.inbox.publish(campaign, request, "shop")
        return str(answered.body["code"])

    async def send(self, kind: str, data: dict[str, Any], **envelope: Any) -> EventResponse:
        event = {"specversion": "1.0", "id": f"event-{next(self._ids)}", "source": "shop"}
        return await self.inbox.receive(event | envelope | {"type": kind, "data": data}, "shop")

    async def event(self, kind: str, data: dict[str, Any], **envelope: Any) -> dict[str, Any]:
        """Send an event and take its answer, which must be there at once."""
        answered = await self.send(kind, data, **envelope)
        assert answered.status == 200, answered.body
        return answered.body

    async def sign_up(self, code: str, friend: str, **envelope: Any) -> dict[str, Any]:
        data = {"code": code, "friend": {"id": friend}}
        return await self.event("referral_signed_up", data, **envelope)

    async def click(self, code: str, channel: str = "link") -> str:
        """Follow the referral link; returns the click's id."""
        click = clicks.new_click(code)
        await self.inbox.record_click(click, code, channel)
        return click

    async def convert(
        self,
        code: str | None,
        friend: str,
        amount: str = "100.00",
        order: str | None = None,
        kind: str = "referral_converted",
        **envelope: Any,
    ) -> dict[str, Any]:
        """A redemption with an order of its own."""
        data: dict[str, Any] = {
            "friend": {"id": friend},
            "order": {"id": order or f"order-of-{friend}", "amount": amount, "currency": EUR},
        }
        if code:
            data["code"] = code
        return await self.event(kind, data, **envelope)

    async def register(self, customer: str, **envelope: Any) -> dict[str, Any]:
        return await self.event("customer_registered", {"customer": {"id": customer}}, **envelope)

    async def share(self, code: str, channel: str = "link", **envelope: Any) -> dict[str, Any]:
        data = {"code": code, "channel": channel}
        return await self.event("referral_link_shared", data, **envelope)

    async def refund(
        self, order: str, amount: str | None = None, **envelope: Any
    ) -> dict[str, Any]:
        data = {"id": order} | ({"amount": amount} if amount else {})
        return await self.event("order_refunded", {"order": data}, **envelope)

    async def cancel(self, order: str) -> dict[str, Any]:
        return await self.event("order_cancelled", {"order": {"id": order}})

    async def roll_back(self, referral: str, reason: str = "By hand") -> dict[str, Any]:
        return await self.command("roll_back", referral, reason)

    async def command(self, kind: str, referral: str, reason: str = "By hand") -> dict[str, Any]:
        """What an operator asks for: `approve`, `reject` or `roll_back`."""
        return (await self.inbox.command_referral(kind, referral, reason, "operator")).body

    async def balance(self, customer: str, kind: str = "wallet", unit: str = "points") -> int:
        """Credits less debits of one of the customer's accounts."""
        accounts, entries = schema.ledger_accounts, schema.ledger_entries
        account = (
            select(accounts.c.id)
            .join(schema.customers, schema.customers.c.id == accounts.c.owner)
            .where(
                schema.customers.c.external_id == customer,
                accounts.c.kind == kind,
                (accounts.c.type == unit) | (accounts.c.currency == unit),
            )
        )
        total = func.coalesce(func.sum(entries.c.amount), 0)
        async with self.store.read() as tx:
            credit = (
                await tx.execute(select(total).where(entries.c.credit_id.in_(account)))
            ).scalar_one()
            debit = (
                await tx.execute(select(total).where(entries.c.debit_id.in_(account)))
            ).scalar_one()
        return int(credit - debit)

    async def all(self, table: Any, **where: Any) -> list[Any]:
        async with self.store.read() as tx:
            statement = select(table).filter_by(**where).order_by(*table.primary_key)
            return list((await tx.execute(statement)).all())

    async def state(self, referral: str) -> str:
        (row,) = await self.all(schema.referrals, id=referral)
        return str(row.state)

    async def reason(self, referral: str) -> tuple[str, str]:
        """Why it was rejected or rolled back: a code and a sentence."""
        (row,) = await self.all(schema.referrals, id=referral)
        return row.reason_code, row.reason

    async def activity(self, **where: Any) -> list[str]:
        """Types of what happened, in order, without what became of messages."""
        rows = await self.all(schema.activity, **where)
        return [row.type for row in rows if not row.type.startswith("message_")]

    async def messages(self) -> list[tuple[str, str, str]]:
        """(template, recipient, state) of every message, in order."""
        rows = await self.all(schema.messages)
        names = {row.id: row.external_id for row in await self.all(schema.customers)}
        return [(row.template, names.get(row.customer_id, "operator"), row.state) for row in rows]

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait, in real time, for what workers are doing; fails where it does not come."""
        for _ in range(1500):
            if await holds():
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"did not happen: {holds}")

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

    async def settled(self) -> None:
        """Wait until no message waits to be sent and no milestone's reward is behind."""

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

    async def advocate(self, customer: str) -> Any:
        """The advocate's row, of the one campaign in which the customer is one."""
        (row,) = await self.all(schema.advocates, customer_id=await self.customer_id(customer))
        return row

    async def customer_id(self, customer: str) -> str:
        (row,) = await self.all(schema.customers, external_id=customer)
        return str(row.id)

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
    """An engine on a migrated database; it ends with the block. Without `work` there is no worker."""
    # Patient: on a busy machine a decision that is slow is still one.
    settings = Settings(database_url=database_url, **{"event_response_timeout": PATIENCE} | options)
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
