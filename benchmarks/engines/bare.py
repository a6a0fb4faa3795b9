"""Minimal reference on Temporal: `python -m benchmarks.engines.bare worker|client ADDRESS DATABASE`."""

import asyncio
import signal
import sys

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

from benchmarks import driver, reference_rows
from benchmarks.engines.bare_workflow import Activities, Bare, Lifecycle

QUEUE = "bare"


class Twin:
    def __init__(self, client: Client, engine: AsyncEngine) -> None:
        self._client = client
        self._engine = engine

    async def sign_up(self, number: int, advocate: int) -> None:
        lifecycle = Lifecycle(number=number, advocate=advocate)
        await self._client.start_workflow(
            Bare.run, lifecycle, id=f"bare/{number}", task_queue=QUEUE
        )

    async def convert(self, number: int, advocate: int) -> None:
        run = self._client.get_workflow_handle_for(Bare.run, f"bare/{number}")
        await run.execute_update(Bare.convert, Lifecycle(number=number, advocate=advocate))

    async def pending(self) -> int:
        return await reference_rows.pending_async(self._engine)

    async def events(self, number: int) -> int:
        run = self._client.get_workflow_handle(f"bare/{number}")
        await run.result()
        return (await run.describe()).history_length


async def work(client: Client, engine: AsyncEngine) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    activities = Activities(engine)
    # As ours: naming the version spares the worker a hash of every module that is loaded.
    version = WorkerDeploymentVersion(deployment_name="bare", build_id="1")
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Bare],
        activities=[activities.write_rows, activities.send],
        workflow_runner=UnsandboxedWorkflowRunner(),
        deployment_config=WorkerDeploymentConfig(version=version, use_worker_versioning=False),
    ):
        await stop.wait()


async def main(role: str, address: str, database: str) -> None:
    engine = reference_rows.open_async(database)
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    if role == "worker":
        await work(client, engine)
    else:
        await driver.serve(Twin(client, engine))
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    driver.leave()
