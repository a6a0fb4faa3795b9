"""The client process of an engine: it is told on standard input how much to run, and answers with the times it took.

Standard library only: peers run it in environments of their own.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

PAUSE = 0.01
PATIENCE = 120.0

Step = Callable[[int, int], Awaitable[None]]


class Engine(Protocol):
    """A lifecycle is known by its number; a step that was refused raises."""

    async def sign_up(self, number: int, advocate: int) -> None: ...

    async def convert(self, number: int, advocate: int) -> None: ...

    async def pending(self) -> int:
        """Messages that are still to be sent: none, and all lifecycles are over."""
        ...


@runtime_checkable
class WithHistory(Engine, Protocol):
    """An engine on Temporal."""

    async def events(self, number: int) -> int:
        """Of the lifecycle's history."""
        ...


async def serve(engine: Engine) -> None:
    """Do what each line asks, until there are no more."""
    loop = asyncio.get_running_loop()
    _say({"ready": True})
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        if "events" in order and isinstance(engine, WithHistory):
            _say({"events": await engine.events(order["events"])})
        else:
            _say(await run(engine, **order))


async def run(
    engine: Engine,
    first: int,
    count: int,
    callers: int,
    advocate: int,
    advocates: int,
    steps: Sequence[str] = ("sign_up", "convert"),
) -> dict[str, Any]:
    """All lifecycles take the first step, then all the next, so many at a time; over when the last message is sent.

    They are shared out among so many advocates, from `advocate` on. The answers are those of the last step, in milliseconds.
    """
    begun = time.perf_counter()
    for step in steps:
        answers: list[float] = []
        subjects = ((n, advocate + n % advocates) for n in range(first, first + count))
        take = getattr(engine, step)
        await asyncio.gather(*(_call(take, subjects, answers) for _ in range(callers)))
    while await engine.pending():
        if time.perf_counter() - begun > PATIENCE + count:
            raise TimeoutError("messages stay behind")
        await asyncio.sleep(PAUSE)
    return {"seconds": time.perf_counter() - begun, "answers": answers}


async def _call(take: Step, subjects: Iterator[tuple[int, int]], answers: list[float]) -> None:
    for subject in subjects:
        called = time.perf_counter()
        await take(*subject)
        answers.append((time.perf_counter() - called) * 1000)


def leave() -> None:
    """Temporal's SDK can abort the interpreter while it exits (sdk-python issue 300)."""
    sys.stdout.flush()
    os._exit(0)


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201 - it is the protocol
