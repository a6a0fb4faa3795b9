"""The Temporal worker process: settings, resources, client, queues. `python worker.py`, or `referrals worker`."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from plugin import ReferralsPlugin, open_resources
from referrals.process import keep_loaded, start_logging
from referrals.settings import Settings
from referrals.temporal.connection import connect, missing_search_attributes
from referrals.temporal.names import MESSAGES_QUEUE, QUEUE, REWARDS_QUEUE
from referrals.temporal.schedules import ensure_schedules
from referrals.version import VERSION
from referrals.webhooks.deliverer import Deliverer

QUEUES = (QUEUE, REWARDS_QUEUE, MESSAGES_QUEUE)
DECISIONS_AT_ONCE = 20
"""More would wait for the database, while their time-outs run."""
POLLS, NEW_TO_CACHED = 16, 0.6
"""Polls for workflow tasks, and the part of them that asks for runs which no worker has in its cache. Conversions come as
such: by the SDK's default one poll in five asks for them, and some conversions waited for it.
"""
GRACE = timedelta(seconds=5)
"""For what runs when the worker is asked to stop; the rest is tried again by the next worker."""


@asynccontextmanager
async def working(client: Client) -> AsyncIterator[None]:
    """A worker on each queue; what they run comes with the client's plugin."""
    # Naming the version spares the worker a hash of every module that is loaded.
    version = WorkerDeploymentVersion(deployment_name="referrals", build_id=VERSION)
    deployment = WorkerDeploymentConfig(version=version, use_worker_versioning=False)
    async with AsyncExitStack() as workers:
        for queue in QUEUES:
            await workers.enter_async_context(
                Worker(
                    client,
                    task_queue=queue,
                    graceful_shutdown_timeout=GRACE,
                    max_concurrent_local_activities=DECISIONS_AT_ONCE,
                    max_concurrent_workflow_task_polls=POLLS,
                    nonsticky_to_sticky_poll_ratio=NEW_TO_CACHED,
                    deployment_config=deployment,
                )
            )
        yield


async def run(settings: Settings) -> None:
    """Work until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_resources(settings) as resources:
        client = await connect([ReferralsPlugin(resources, sandbox=settings.workflow_sandbox)])
        if missing := await missing_search_attributes(client):
            raise RuntimeError(f"The namespace lacks the search attributes {', '.join(missing)}")
        await ensure_schedules(client)
        async with working(client), Deliverer.of(resources.settings, resources.store).at_work():
            keep_loaded()
            logging.getLogger(__name__).info("Working on %s", ", ".join(QUEUES))
            await stop.wait()


def main() -> None:
    settings = Settings()
    start_logging(settings)
    code = 0
    try:
        asyncio.run(run(settings))
    except RuntimeError as error:
        logging.getLogger(__name__).error("The worker cannot work: %s", error)  # noqa: TRY400
        code = 1
    # The SDK can abort the interpreter while it exits (sdk-python issue 300).
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
