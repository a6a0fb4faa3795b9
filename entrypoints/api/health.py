"""`/health`: for load balancers and operators."""

import asyncio
from collections.abc import Awaitable

from fastapi import APIRouter
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

from entrypoints.api import openapi
from entrypoints.api.http_errors import NotReadyError
from entrypoints.api.resources import AppResources, Engine
from referrals.errors import FieldError
from referrals.store.db import migrate
from referrals.temporal.names import QUEUE

PATIENCE = 3
"""Seconds for each check."""

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.get("/ready", responses={503: openapi.problem("What is missing.")})
async def ready(engine: Engine) -> dict[str, str]:
    """Events can be decided: the database is at the newest schema, Temporal answers, and a worker polls."""
    checks = {"database": _database(engine), "temporal": _temporal(engine)}
    found = await asyncio.gather(*(_found(check) for check in checks.values()))
    missing = [
        FieldError(name, message)
        for name, message in zip(checks, found, strict=True)
        if message is not None
    ]
    if missing:
        raise NotReadyError(missing)
    return {"status": "ready"}


async def _found(check: Awaitable[str | None]) -> str | None:
    try:
        async with asyncio.timeout(PATIENCE):
            return await check
    except TimeoutError:
        return "does not answer"
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what was found
        return f"does not answer ({type(error).__name__})"


async def _database(engine: AppResources) -> str | None:
    if await migrate.is_current(engine.store):
        return None
    return "is not at the newest schema: run `referrals db upgrade`"


async def _temporal(engine: AppResources) -> str | None:
    queue = await engine.client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=engine.client.namespace,
            task_queue=TaskQueue(name=QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    return None if queue.pollers else f"no worker polls the queue {QUEUE}"
