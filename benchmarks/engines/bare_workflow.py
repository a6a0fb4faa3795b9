"""Workflow of the minimal reference: the minimum that a lifecycle needs on Temporal."""

import asyncio
from datetime import timedelta

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import activity, workflow

from benchmarks import reference_rows


class Lifecycle(BaseModel):
    number: int
    advocate: int


class Activities:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @activity.defn
    async def write_rows(self, lifecycle: Lifecycle) -> list[str]:
        """Write all rows of the lifecycle in one transaction and return the messages to send."""
        await reference_rows.write_lifecycle_async(
            self._engine, lifecycle.number, lifecycle.advocate
        )
        return reference_rows.message_ids(lifecycle.number)

    @activity.defn
    async def send(self, message: str) -> None:
        await reference_rows.send_async(self._engine, message)


@workflow.defn
class Bare:
    def __init__(self) -> None:
        self._messages: list[str] | None = None

    @workflow.run
    async def run(self, lifecycle: Lifecycle) -> str:  # noqa: ARG002
        try:
            await workflow.wait_condition(
                lambda: self._messages is not None, timeout=reference_rows.WINDOW
            )
        except TimeoutError:
            return "expired"
        within = timedelta(minutes=1)
        await asyncio.gather(
            *(
                workflow.execute_activity_method(
                    Activities.send, message, start_to_close_timeout=within
                )
                for message in self._messages or ()
            )
        )
        return "rewarded"

    @workflow.update
    async def convert(self, lifecycle: Lifecycle) -> str:
        self._messages = await workflow.execute_local_activity_method(
            Activities.write_rows, lifecycle, start_to_close_timeout=timedelta(seconds=30)
        )
        return "accepted"
