"""Temporal worker process: `python worker.py` or `referrals worker`."""

import asyncio
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
from referrals.errors import ReferralsError
from referrals.logging import get_logger, start_logging
from referrals.process import freeze_gc
from referrals.settings import Settings, load_settings
from referrals.temporal.connection import TemporalError, connect, missing_search_attributes
from referrals.temporal.names import MESSAGES_QUEUE, QUEUE, REWARDS_QUEUE
from referrals.temporal.schedules import ensure_schedules
from referrals.version import VERSION
from referrals.webhooks.deliverer import Deliverer

log = get_logger(__name__)

QUEUES = (QUEUE, REWARDS_QUEUE, MESSAGES_QUEUE)
MAX_CONCURRENT_DECISIONS = 20
"""More decisions would wait for a database connection while their timeouts run."""
WORKFLOW_TASK_POLLS = 16
UNCACHED_POLL_RATIO = 0.6
"""Share of the polls that ask for workflows which no worker has cached, as new conversions are. With the SDK's default of one
in five, conversions waited."""
SHUTDOWN_TIMEOUT = timedelta(seconds=5)
"""Time that running activities get on shutdown; the next worker retries the rest."""


@asynccontextmanager
async def run_workers(client: Client) -> AsyncIterator[None]:
    """Run a worker on each task queue. The client's plugin says what they run."""
    async with AsyncExitStack() as workers:
        for queue in QUEUES:
            await workers.enter_async_context(_worker(client, queue))
        yield


def _worker(client: Client, queue: str) -> Worker:
    # With a named version the SDK does not compute a hash of all loaded modules.
    version = WorkerDeploymentVersion(deployment_name="referrals", build_id=VERSION)
    return Worker(
        client,
        task_queue=queue,
        graceful_shutdown_timeout=SHUTDOWN_TIMEOUT,
        max_concurrent_local_activities=MAX_CONCURRENT_DECISIONS,
        max_concurrent_workflow_task_polls=WORKFLOW_TASK_POLLS,
        nonsticky_to_sticky_poll_ratio=UNCACHED_POLL_RATIO,
        deployment_config=WorkerDeploymentConfig(version=version, use_worker_versioning=False),
    )


async def run(settings: Settings) -> None:
    """Run the workers and deliver webhooks until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_resources(settings) as resources:
        client = await connect([ReferralsPlugin(resources, sandbox=settings.workflow_sandbox)])
        if missing := await missing_search_attributes(client):
            raise TemporalError(f"The namespace lacks the search attributes {', '.join(missing)}.")
        await ensure_schedules(client)
        deliverer = Deliverer.of(settings, resources.store, resources.webhook_poster)
        async with run_workers(client), deliverer.running():
            freeze_gc()
            log.info("worker started", queues=QUEUES)
            await stop.wait()


def main() -> None:
    code = 0
    try:
        settings = load_settings()
        start_logging(settings)
        asyncio.run(run(settings))
    except ReferralsError as error:
        log.error("Worker failed to start", error=str(error))  # noqa: TRY400
        code = 1
    # The SDK can abort the interpreter while it exits (sdk-python issue 300).
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
