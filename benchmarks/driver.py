"""The client process of an engine: it is told on standard input how much to run, and answers with the times it took.

Standard library only: peers run it in environments of their own.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

PAUSE = 0.01
PATIENCE = 120.0


class Engine(Protocol):
    """A lifecycle is known by its number; a step that was refused raises."""

    async def sign_up(self, number: int, advocate: int) -> None: ...

    async def convert(self, number: int, advocate: int) -> None: ...

    async def pending(self) -> int:
        """Messages that are still to be sent: none, and all lifecycles are over."""
        ...

    async def events(self, number: int) -> int:
        """Of the lifecycle's history."""
        ...


async def serve(engine: Engine) -> None:
    """Do what each line asks, until there are no more."""
    loop = asyncio.get_running_loop()
    _say({"ready": True})
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        if "events" in order:
            _say({"events": await engine.events(order["events"])})
        else:
            _say(await run(engine, **order))


async def run(
    engine: Engine,
    first: int,
    count: int,
    callers: int,
    advocates: int,
    steps: Sequence[str] = ("sign_up", "convert"),
) -> dict[str, Any]:
    """So many callers take lifecycle after lifecycle; it is over when the last message is sent."""
    numbers = iter(range(first, first + count))
    answers: list[float] = []
    begun = time.perf_counter()

    async def caller() -> None:
        for number in numbers:
            for step in steps:
                called = time.perf_counter()
                await getattr(engine, step)(number, number % advocates)
            answers.append((time.perf_counter() - called) * 1000)

    await asyncio.gather(*(caller() for _ in range(callers)))
    while await engine.pending():
        if time.perf_counter() - begun > PATIENCE + count:
            raise TimeoutError("messages stay behind")
        await asyncio.sleep(PAUSE)
    return {"seconds": time.perf_counter() - begun, "answers": answers}


def leave() -> None:
    """Temporal's SDK can abort the interpreter while it exits (sdk-python issue 300)."""
    sys.stdout.flush()
    os._exit(0)


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201 - it is the protocol
