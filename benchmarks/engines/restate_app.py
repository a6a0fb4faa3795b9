"""The lifecycle on Restate: a workflow handler that waits for a durable promise or a timer, and a shared handler that
resolves it and hands on the answer. Under hypercorn it is the service, as a module the client.
"""

import asyncio
import os
import sys
from typing import Any

import httpx
import restate

from benchmarks import book, driver

engine = book.open_async(os.environ["BENCH_DATABASE"])
lifecycle = restate.Workflow("Lifecycle")


@lifecycle.main()
async def run(ctx: restate.WorkflowContext, subject: dict[str, int]) -> str:
    converted = ctx.promise("converted").value()
    match await restate.select(converted=converted, window=ctx.sleep(book.WINDOW)):
        case ["window", _]:
            return "expired"

    async def settle() -> list[str]:
        await book.settle_async(engine, subject["number"], subject["advocate"])
        return book.message_ids(subject["number"])

    messages = await ctx.run_typed("settle", settle)
    await ctx.promise("answer").resolve("accepted")
    await restate.gather(*(ctx.run_typed("send", _sending(message)) for message in messages))
    return "rewarded"


@lifecycle.handler()
async def convert(ctx: restate.WorkflowSharedContext) -> str:
    await ctx.promise("converted").resolve(True)
    return str(await ctx.promise("answer").value())


def _sending(message: str) -> Any:
    async def send() -> None:
        await book.send_async(engine, message)

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
        return await book.pending_async(engine)

    async def _post(self, path: str, body: Any) -> None:
        answer = await self._ingress.post(f"/Lifecycle/{path}", **({"json": body} if body else {}))
        answer.raise_for_status()


async def main(ingress: str) -> None:
    async with httpx.AsyncClient(base_url=ingress, timeout=60, trust_env=False) as client:
        await driver.serve(Peer(client))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
    driver.leave()
