"""Lifecycle on Restate: a workflow handler waits for a durable promise or a timer, a shared handler resolves it.

Run it with hypercorn as the service, and as a module as the client.
"""

import asyncio
import os
import sys
from typing import Any

import httpx
import restate

from benchmarks import driver, reference_rows

engine = reference_rows.open_async(os.environ["BENCH_DATABASE"])
lifecycle = restate.Workflow("Lifecycle")


@lifecycle.main()
async def run(ctx: restate.WorkflowContext, subject: dict[str, int]) -> str:
    converted = ctx.promise("converted").value()
    match await restate.select(converted=converted, window=ctx.sleep(reference_rows.WINDOW)):
        case ["window", _]:
            return "expired"

    async def write_rows() -> list[str]:
        await reference_rows.write_lifecycle_async(engine, subject["number"], subject["advocate"])
        return reference_rows.message_ids(subject["number"])

    messages = await ctx.run_typed("write_rows", write_rows)
    await ctx.promise("answer").resolve("accepted")
    await restate.gather(*(ctx.run_typed("send", _sending(message)) for message in messages))
    return "rewarded"


@lifecycle.handler()
async def convert(ctx: restate.WorkflowSharedContext) -> str:
    await ctx.promise("converted").resolve(True)
    return str(await ctx.promise("answer").value())


def _sending(message: str) -> Any:
    async def send() -> None:
        await reference_rows.send_async(engine, message)

    return send


app = restate.app([lifecycle])


class Peer:
    def __init__(self, ingress: httpx.AsyncClient) -> None:
        self._ingress = ingress

    async def sign_up(self, number: int, advocate: int) -> None:
        await self._post(f"{number}/run/send", {"number": number, "advocate": advocate})

    async def convert(self, number: int, advocate: int) -> None:  # noqa: ARG002
        await self._post(f"{number}/convert", None)

    async def pending(self) -> int:
        return await reference_rows.pending_async(engine)

    async def _post(self, path: str, body: Any) -> None:
        answer = await self._ingress.post(f"/Lifecycle/{path}", **({"json": body} if body else {}))
        answer.raise_for_status()


async def main(ingress: str) -> None:
    async with httpx.AsyncClient(base_url=ingress, timeout=60, trust_env=False) as client:
        await driver.serve(Peer(client))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
    driver.leave()
