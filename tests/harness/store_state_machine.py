"""Base of the random sequences of operations: each sequence has a store of its own, in an event loop of its own."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine

from referrals.store import Store
from referrals.store.db import database
from tests.harness.identity import IDENTITY

T = TypeVar("T")


class StoreStateMachine(RuleBasedStateMachine):
    """Operations on a store, run one after another."""

    def __init__(self, database_url: str) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = Store(database.create_engine(database_url), identity=IDENTITY)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.loop.close()


class OwnDatabaseStateMachine(StoreStateMachine):
    """Operations on a copy of a migrated SQLite database."""

    def __init__(self, migrated: Path) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.file = shutil.copy(migrated, self.folder.name)
        super().__init__(f"sqlite+aiosqlite:///{self.file}")

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


def examples(count: int, steps: int) -> settings:
    """Return the settings for so many sequences of so many operations."""
    return settings(
        max_examples=count,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
