"""The whole engine in skipped time: inbox, decisions and workflows on a temporary database, without a server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from pydantic import SecretStr
from temporalio.common import TypedSearchAttributes

from inbox.receive import Inbox
from plugin import Resources, open_resources
from referrals.domain.journey_steps import MessageChannel
from referrals.domain.rewards import Provider
from referrals.settings import Settings
from referrals.store.db.migrate import migrate
from referrals.store.ledger import expiry
from referrals.temporal.names import EXPIRY_ID, EXPIRY_WORKFLOW
from simulation.agenda import Agenda
from simulation.server import SimulatedServer
from simulation.stand_ins import StandInChannel, StandInProvider
from simulation.workflow_run import WorkflowStart

LONGEST_AFTERMATH = timedelta(days=3 * 365)
"""Time after the end of a story in which what it has started may come to its end."""
HOUR = timedelta(hours=1)
EXPIRY_RUN = WorkflowStart(EXPIRY_WORKFLOW, EXPIRY_ID, (), TypedSearchAttributes.empty)
"""The hourly job for points that expire. It runs only in hours in which some do."""
KEY_SEED = "the secret of simulations protects nothing"
"""Constant, so that each run of a story has the same keys and the same order."""
UNLIMITED = 1e9
"""Requests per second, so that no provider makes a simulation wait."""


class SimulatedEngine:
    """An engine whose time passes only in `advance`."""

    def __init__(self, resources: Resources, start: datetime) -> None:
        self._agenda = Agenda(start)
        self.now = self._agenda.now
        resources = replace(resources, clock=self.now)
        self.store = resources.store
        self._server = SimulatedServer(self._agenda, resources)
        self.inbox = Inbox(self.store, self._server.client, resources.settings, self.now)

    async def advance(self, until: datetime) -> None:
        """Do what is due up to and including a time, and move the clock to it."""
        await self._run(until)
        self._agenda.move_to(until)

    async def finish(self) -> None:
        """Do what is due until nothing is, at most for `LONGEST_AFTERMATH`."""
        await self._run(self.now() + LONGEST_AFTERMATH)

    async def _run(self, until: datetime) -> None:
        while True:
            hour, due = await self._next_expiry(), self._agenda.next_due()
            if hour and hour <= until and not (due and due <= hour):
                self._agenda.move_to(hour)
                await self._server.start(EXPIRY_RUN, timedelta(0))
            elif due and due <= until:
                await self._agenda.run_next()
            else:
                return

    async def _next_expiry(self) -> datetime | None:
        """Return the full hour in which the hourly job finds points that have expired."""
        async with self.store.read() as tx:
            expires_at = await expiry.next_expiry(tx)
        if expires_at is None:
            return None
        hour = expires_at.replace(minute=0, second=0, microsecond=0)
        return max(hour if hour == expires_at else hour + HOUR, self.now())


@asynccontextmanager
async def open_simulation(settings: Settings, start: datetime) -> AsyncIterator[SimulatedEngine]:
    """Open an engine on a new database in a temporary directory, with the rules for messages of the settings."""
    with TemporaryDirectory(prefix="referrals-simulation-") as directory:
        settings = settings.model_copy(update=_isolated(Path(directory)))
        async with open_resources(settings) as resources:
            await migrate(resources.store.engine)
            channels = (name for name in get_args(MessageChannel) if name != "log")
            providers = (name for name in get_args(Provider) if name != "ledger")
            stand_ins = replace(
                resources,
                channels={
                    **resources.channels,
                    **{name: StandInChannel(name) for name in channels},
                },
                providers={name: StandInProvider(name) for name in providers},
            )
            yield SimulatedEngine(stand_ins, start)


def _isolated(directory: Path) -> dict[str, object]:
    """Return settings that keep a simulation away from databases and vendors."""
    messages = ("smtp_url", "whatsapp_phone_number_id", "http_messages_url")
    rewards = ("voucherify_app_id", "talon_one_url", "http_rewards_url")
    return dict.fromkeys((*messages, *rewards)) | {
        "database_url": f"sqlite+aiosqlite:///{directory / 'simulation.db'}",
        "reward_key_secret": SecretStr(KEY_SEED),
        "identity_secrets": SecretStr(f"simulation:{KEY_SEED}"),
        "voucherify_per_second": UNLIMITED,
        "talon_one_per_second": UNLIMITED,
        "http_rewards_per_second": UNLIMITED,
    }
