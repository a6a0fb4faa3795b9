"""`POST /v1/events`: facts from elsewhere, one or many."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response

from entrypoints.api.openapi import (
    BATCH,
    EVENTS_BODY,
    MOST_EVENTS,
    QUEUED,
    Answer,
    FailedEvent,
    Queued,
)
from entrypoints.api.problems import Json, problem_of
from entrypoints.api.request_bodies import Route, content_type
from entrypoints.api.resources import AppResources, Caller, Engine
from inbox.process import EventResponse
from referrals.errors import FieldError, InvalidBatchError

AT_ONCE = 20
"""Events of a batch in work at one time."""

log = logging.getLogger(__name__)
router = APIRouter(route_class=Route, tags=["events"])

_ANSWERS = Answer | list[Answer | Queued | FailedEvent]


@router.post(
    "/events",
    openapi_extra=EVENTS_BODY,
    responses=QUEUED | {200: {"model": _ANSWERS, "description": "Of a batch, one answer each."}},
)
async def take_events(
    request: Request, body: Annotated[Any, Body()], engine: Engine, caller: Caller
) -> Response:
    """Take in one CloudEvent, or a batch with one answer each, in order.

    A repeat of an event's id gets the first answer. In a batch, an event that cannot be understood is answered by its
    problem and stops no other; events of one friend or order are processed in their order.
    """
    if isinstance(body, list):
        return Json(await _batch(body, engine, caller))
    if content_type(request) == BATCH:
        raise _invalid_batch("must be a JSON array")
    answered = await engine.inbox.receive(body, caller)
    return Json(answered.body, answered.status)


async def _batch(events: list[Any], engine: AppResources, caller: str) -> list[dict[str, Any]]:
    if len(events) > MOST_EVENTS:
        raise _invalid_batch(f"must have at most {MOST_EVENTS} events")
    gate = asyncio.Semaphore(AT_ONCE)
    last: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def take(event: Any, before: set[asyncio.Task[Any]]) -> dict[str, Any]:
        if before:
            await asyncio.wait(before)
        async with gate:
            return await _answer(event, engine, caller)

    async with asyncio.TaskGroup() as group:
        tasks = []
        for event in events:
            subjects = list(_subjects(event))
            before = {last[subject] for subject in subjects if subject in last}
            tasks.append(group.create_task(take(event, before)))
            last |= dict.fromkeys(subjects, tasks[-1])
    return [task.result() for task in tasks]


async def _answer(event: Any, engine: AppResources, caller: str) -> dict[str, Any]:
    """The answer or, with the event's id where it has one, the problem."""
    try:
        answered: EventResponse = await engine.inbox.receive(event, caller)
    except Exception as error:
        problem = problem_of(error)
        if problem.status >= 500:  # noqa: PLR2004
            log.exception("An event of a batch failed")
        named = event.get("id") if isinstance(event, dict) else None
        return problem.document() | ({"event": named} if isinstance(named, str) else {})
    return answered.body


def _subjects(event: Any) -> Iterator[str]:
    """What an event is about, as far as that decides its order: itself, the friend or customer, the order."""
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
