"""`/health`: liveness and readiness, for load balancers and operators."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

from fastapi import APIRouter
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

from entrypoints.api.http_errors import NotReadyError
from entrypoints.api.problems import problems
from entrypoints.api.resources import AppResources, ResourcesDep
from referrals.errors import FieldError
from referrals.logging import get_logger
from referrals.store.db import migrate
from referrals.temporal.names import QUEUE

log = get_logger(__name__)

CHECK_TIMEOUT = timedelta(seconds=3)

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def get_liveness() -> dict[str, str]:
    """Answer as long as the process responds."""
    return {"status": "live"}


@router.get("/ready", responses=problems(NotReadyError))
async def get_readiness(resources: ResourcesDep) -> dict[str, str]:
    """Check that events can be processed: the database has the latest schema, Temporal responds, and a worker polls."""
    checks = {"database": _database(resources), "temporal": _temporal(resources)}
    found = await asyncio.gather(*(_result(check) for check in checks.values()))
    missing = [
        FieldError(name, message)
        for name, message in zip(checks, found, strict=True)
        if message is not None
    ]
    if missing:
        raise NotReadyError(missing)
    return {"status": "ready"}


async def _result(check: Awaitable[str | None]) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT.total_seconds()):
            return await check
    except Exception:  # every error is the result of the check
        log.warning("a readiness check failed", exc_info=True)
        return "does not respond"


async def _database(resources: AppResources) -> str | None:
    if await migrate.is_current(resources.store):
        return None
    return "does not have the latest schema; run `referrals db upgrade`"


async def _temporal(resources: AppResources) -> str | None:
    queue = await resources.client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=resources.client.namespace,
            task_queue=TaskQueue(name=QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    return None if queue.pollers else f"no worker polls the task queue {QUEUE}"
