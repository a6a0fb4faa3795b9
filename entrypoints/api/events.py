"""`POST /v1/events`: one CloudEvent or a batch."""

import asyncio
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response

from entrypoints.api.openapi import (
    BATCH,
    EVENTS_BODY,
    MAX_BATCH_SIZE,
    QUEUED,
    EventProblem,
    EventResult,
    QueuedEvent,
)
from entrypoints.api.problems import Json, problem_of, problems
from entrypoints.api.request_bodies import content_type
from entrypoints.api.resources import AppResources, Caller, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from inbox.process import EventResponse
from referrals.errors import EventIdReusedError, FieldError, InvalidBatchError, InvalidEventError
from referrals.logging import get_logger

MAX_CONCURRENT_EVENTS = 20
"""Events of one batch that are processed at the same time."""

log = get_logger(__name__)
router = APIRouter(route_class=AuthenticatedRoute, tags=["events"])

_RESULTS = EventResult | list[EventResult | QueuedEvent | EventProblem]


@router.post(
    "/events",
    openapi_extra=EVENTS_BODY,
    responses=QUEUED
    | problems(EventIdReusedError, InvalidEventError, InvalidBatchError)
    | {200: {"model": _RESULTS, "description": "The result; for a batch one result per event."}},
)
async def send_events(
    request: Request, body: Annotated[Any, Body()], resources: ResourcesDep, caller: Caller
) -> Response:
    """Send one CloudEvent, or a batch, whose response has one result per event, in order.

    The content type is `application/json`, or that of CloudEvents: `application/cloudevents+json`, or
    `application/cloudevents-batch+json` for a batch.

    A repeated event id gets the first result. In a batch, the result of an invalid event is its problem
    and does not affect the others; events of one friend or order are processed in order.
    """
    if isinstance(body, list):
        return Json(await _batch(body, resources, caller))
    if content_type(request) == BATCH:
        raise _invalid_batch("must be a JSON array")
    request.state.event_source = body.get("source") if isinstance(body, dict) else None
    response = await resources.inbox.receive(body, caller)
    return Json(response.body, response.status)


async def _batch(events: list[Any], resources: AppResources, caller: str) -> list[dict[str, Any]]:
    if len(events) > MAX_BATCH_SIZE:
        raise _invalid_batch(f"must have at most {MAX_BATCH_SIZE} events")
    semaphore = asyncio.Semaphore(MAX_CONCURRENT_EVENTS)
    last: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def process(event: Any, earlier: set[asyncio.Task[Any]]) -> dict[str, Any]:
        if earlier:
            await asyncio.wait(earlier)
        async with semaphore:
            return await _process(event, resources, caller)

    async with asyncio.TaskGroup() as group:
        tasks = []
        for event in events:
            subjects = list(_subjects(event))
            earlier = {last[subject] for subject in subjects if subject in last}
            tasks.append(group.create_task(process(event, earlier)))
            last |= dict.fromkeys(subjects, tasks[-1])
    return [task.result() for task in tasks]


async def _process(event: Any, resources: AppResources, caller: str) -> dict[str, Any]:
    """Return the result, or the problem with the event's id if it has one."""
    try:
        response: EventResponse = await resources.inbox.receive(event, caller)
    except Exception as error:
        problem = problem_of(error)
        event_id, source = (
            (event.get("id"), event.get("source")) if isinstance(event, dict) else (None, None)
        )
        if problem.status >= 500:  # noqa: PLR2004
            log.exception("an event of a batch failed")
        else:
            resources.refusals.count(caller, source, problem)
        return problem.document() | ({"event": event_id} if isinstance(event_id, str) else {})
    return response.body


def _subjects(event: Any) -> Iterator[str]:
    """Yield the ids that decide an event's order: the event, the friend or customer, the order."""
    if not isinstance(event, dict):
        return
    yield f"id:{event.get('id')}"
    data = event.get("data")
    for part in ("friend", "customer", "order"):
        subject = data.get(part) if isinstance(data, dict) else None
        if isinstance(subject, dict):
            kind = "order" if part == "order" else "customer"
            yield f"{kind}:{subject.get('id')}"


def _invalid_batch(message: str) -> InvalidBatchError:
    return InvalidBatchError([FieldError("", message)])
