"""Client process of an engine: reads jobs from standard input and answers with durations.

It uses the standard library only, because other engines run it in environments of their own.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

PAUSE = 0.01
STEP_TIMEOUT = 120.0

Step = Callable[[int, int], Awaitable[None]]


class Engine(Protocol):
    """An engine under test. A lifecycle is identified by its number; a refused step raises."""

    async def sign_up(self, number: int, advocate: int) -> None: ...

    async def convert(self, number: int, advocate: int) -> None: ...

    async def pending(self) -> int:
        """Return the number of pending messages. At 0 all lifecycles are complete."""
        ...


@runtime_checkable
class WithHistory(Engine, Protocol):
    """An engine that runs on Temporal and has histories."""

    async def events(self, number: int) -> int:
        """Return the number of events in the lifecycle's history."""
        ...


async def serve(engine: Engine) -> None:
    """Run the job of each input line until the input ends."""
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
    """Run the first step of all lifecycles, then the next, with bounded concurrency, until all messages are sent.

    The lifecycles are spread over the advocates from `advocate` on. Return the response times of the last step in
    milliseconds.
    """
    begun = time.perf_counter()
    for step in steps:
        answers: list[float] = []
        subjects = ((n, advocate + n % advocates) for n in range(first, first + count))
        take = getattr(engine, step)
        await asyncio.gather(*(_call(take, subjects, answers) for _ in range(callers)))
    while await engine.pending():
        if time.perf_counter() - begun > STEP_TIMEOUT + count:
            raise TimeoutError("messages stay behind")
        await asyncio.sleep(PAUSE)
    return {"seconds": time.perf_counter() - begun, "answers": answers}


async def _call(take: Step, subjects: Iterator[tuple[int, int]], answers: list[float]) -> None:
    for subject in subjects:
        called = time.perf_counter()
        await take(*subject)
        answers.append((time.perf_counter() - called) * 1000)


def leave() -> None:
    """Exit at once: Temporal's SDK can abort the interpreter at exit (sdk-python issue 300)."""
    sys.stdout.flush()
    os._exit(0)


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201 - it is the protocol
