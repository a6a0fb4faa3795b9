"""Fake vendor: real HTTP on the loopback interface, a ledger, and faults on request.

The parts that all vendors share; the protocol of each vendor is in a module of its own.
"""

import asyncio
import random
import socket
import struct
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import httpx
import uvicorn
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from referrals.http_client import open_client

SHORT_TIMEOUT = 0.2
"""Seconds to wait for a response that never comes."""
FAULT_HEADER = "X-Test-Fault"
"""Fault that a test has chosen for the request; empty for none."""
TOKEN = "s3cr3t-t0k3n"
LEAKED_TEXT = "no such user fay@example.com, call +49 151 1234567, token"

FAULTS = {
    "hang": "No response; the request is not processed.",
    "hang_done": "No response; the request is processed.",
    "late_done": "No response; the request is processed after the caller has timed out.",
    "reset": "The connection is reset; the request is not processed.",
    "reset_done": "The connection is reset; the request is processed.",
    "error": "500 with an error body; the request is not processed.",
    "error_done": "500 with an error body; the request is processed.",
    "page": "502 with an HTML page; the request is not processed.",
    "limit": "429 with Retry-After.",
    "trickle_done": "The request is processed; the response arrives byte by byte and stops.",
    "garbage": "200 with truncated JSON; the request is not processed.",
    "garbage_done": "200 with truncated JSON; the request is processed.",
    "huge_done": "The request is processed; the response never ends.",
}
SILENT_FAULTS = [fault for fault in FAULTS if fault.split("_")[0] in {"hang", "late", "trickle"}]
"""Faults that only a timeout ends."""


class Strict(BaseModel):
    """A request body as the vendor documents it: no other fields, no other types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Entry(NamedTuple):
    key: str
    amount: int


class VendorError(HTTPException):
    """Error response of the vendor itself; `undocumented` if no correct caller would have sent the request."""

    def __init__(self, status: int, body: Any, *, undocumented: bool = False) -> None:
        super().__init__(status)
        self.body = body
        self.undocumented = undocumented


class FakeVendor:
    """A vendor with a ledger.

    Attributes:
        faults: Faults of the next requests, in order; None is no fault.
        refusals: Status and error key of the vendor's refusal of the next requests, in order; None is no refusal.
        fault_rate: Probability of a fault for each request after those.
        bookings: The vendor's ledger.
        undocumented_requests: Requests that the vendor's documentation does not allow.
    """

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.faults: deque[str | None] = deque()
        self.refusals: deque[tuple[int, str] | None] = deque()
        self.fault_rate = 0.0
        self._shuffled_faults: list[str] = []
        self.triggered_faults: Counter[str] = Counter()
        self.bookings: list[Entry] = []
        self.requests: list[tuple[str, str]] = []
        self.undocumented_requests: list[str] = []
        self._in_progress: set[object] = set()
        self._delayed: set[asyncio.Task[None]] = set()
        self.url = ""

    def routes(self) -> list[Route]:
        raise NotImplementedError

    def error(self, status: int, key: str, message: str) -> Any:
        """Return an error body in the vendor's format."""
        raise NotImplementedError

    def book(self, key: str, amount: int) -> None:
        self.bookings.append(Entry(key, amount))

    def book_later(self, key: str, amount: int, then: Callable[[], None]) -> None:
        """Book after a short delay, as vendors do that respond first. The work counts as in progress at once."""
        processing = self.processing()
        processing.__enter__()

        async def book() -> None:
            with ExitStack() as stack:
                stack.push(processing)
                await asyncio.sleep(self.random.uniform(0, 0.005))
                self.book(key, amount)
                then()

        self._delayed.add(asyncio.create_task(book()))

    @contextmanager
    def processing(self) -> Iterator[None]:
        work = object()
        self._in_progress.add(work)
        try:
            yield
        finally:
            self._in_progress.discard(work)

    async def wait_until_idle(self) -> None:
        """Wait until every request that was sent has been processed, as the engine waits `visible_after`."""
        calls = {task for task in asyncio.all_tasks() if task.get_name().startswith("call of ")}
        if calls:
            await asyncio.wait(calls)
        for _ in range(
            20
        ):  # bytes in the kernel become requests after a few iterations of the loop
            await asyncio.sleep(0)
        for _ in ("requests", "delayed bookings that they started"):
            before = set(self._in_progress)
            while before & self._in_progress:
                await asyncio.sleep(0.01)

    def next_fault(self) -> str | None:
        fault = None
        if self.faults:
            fault = self.faults.popleft()
        elif self.random.random() < self.fault_rate:
            self._shuffled_faults = self._shuffled_faults or self.random.sample(
                list(FAULTS), len(FAULTS)
            )
            fault = self._shuffled_faults.pop()
        self.triggered_faults[str(fault)] += 1
        return fault

    @property
    def app(self) -> Starlette:
        async def respond(request: Request, error: Exception) -> Response:
            if not isinstance(error, VendorError):  # an undocumented path or method
                self.undocumented_requests.append(f"{request.method} {request.url.path}: {error}")
                return JSONResponse(self.error(404, "not_found", "no such path"), 404)
            if error.undocumented:
                self.undocumented_requests.append(
                    f"{request.method} {request.url.path}: {error.body}"
                )
            return JSONResponse(error.body, error.status_code)

        return Starlette(routes=self.routes(), exception_handlers={HTTPException: respond})


class FaultInjector:
    """ASGI middleware that triggers the vendor's faults."""

    def __init__(self, vendor: FakeVendor, app: Starlette) -> None:
        self.vendor = vendor
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        header = Headers(scope=scope).get(FAULT_HEADER)
        fault = self.vendor.next_fault() if header is None else header or None
        self.vendor.requests.append((scope["method"], scope["path"]))
        refusal = self.vendor.refusals.popleft() if self.vendor.refusals else None
        if refusal:
            body = self.vendor.error(*refusal, f"Refused: {refusal[1]}")
            await JSONResponse(body, refusal[0])(scope, receive, send)
        elif fault is None:
            await self._run(scope, receive, send)
        else:
            kind, _, done = fault.partition("_")
            await getattr(self, f"_{kind}")(scope, receive, send, bool(done))

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.vendor.processing():
            await self.app(scope, receive, send)

    async def _process(self, scope: Scope, receive: Receive) -> list[Message]:
        """Process the request and return the response without sending it."""
        messages: list[Message] = []

        async def collect(message: Message) -> None:
            messages.append(message)

        await self._run(scope, receive, collect)
        return messages

    async def _hang(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        if done:
            await self._process(scope, receive)
        await _wait_for_disconnect(receive)

    async def _late(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        with self.vendor.processing():
            request = [await receive()]
            await _wait_for_disconnect(receive)
            await asyncio.sleep(self.vendor.random.uniform(0, 0.02))

            async def replay() -> Message:
                return request.pop()

            await self._process(scope, replay)

    async def _reset(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        if done:
            await self._process(scope, receive)
        transport: asyncio.Transport = scope["transport"]
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    async def _error(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        if done:
            await self._process(scope, receive)
        headers = Request(scope).headers
        token = headers.get("X-App-Token") or headers.get("Authorization", "")
        body = self.vendor.error(500, "internal_error", f"{LEAKED_TEXT} {token}")
        await JSONResponse(body, 500)(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        await Response(f"<h1>{LEAKED_TEXT}</h1>", 502, media_type="text/html")(scope, receive, send)

    async def _limit(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        body = self.vendor.error(429, "too_many_requests", "API limit reached")
        await JSONResponse(body, 429, {"Retry-After": "7"})(scope, receive, send)

    async def _garbage(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        if done:
            await self._process(scope, receive)
        await Response('{"id": "half', 200, media_type="application/json")(scope, receive, send)

    async def _trickle(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        start, *chunks = await self._process(scope, receive)
        content = b"".join(message.get("body", b"") for message in chunks)
        if content:
            await send(start)
        for byte in content[:-1][:40]:
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            await asyncio.sleep(0.02)
        await _wait_for_disconnect(receive)

    async def _huge(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        await self._process(scope, receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(80):
            await send({"type": "http.response.body", "body": b" " * 2**16, "more_body": True})
        await _wait_for_disconnect(receive)


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Connection(H11Protocol):
    """HTTP connection that gives its transport to the application, which may reset it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        app = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "transport": self.transport}, receive, send)

        self.app = with_transport


async def serve(vendor: FakeVendor) -> Callable[[], Awaitable[None]]:
    """Start the vendor on a free port, set its `url`, and return a function that stops it."""
    config = uvicorn.Config(
        FaultInjector(vendor, vendor.app), log_config=None, log_level="critical", lifespan="off"
    )
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    vendor.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def stop() -> None:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await server.wait_closed()

    return stop


@asynccontextmanager
async def open_impatient_client(vendor: FakeVendor) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client that waits only briefly for a response that never comes, and long for all others.

    It chooses the fault of each request itself, so that a busy machine cannot turn a slow response into a timeout.
    """

    async def choose_fault(request: httpx.Request) -> None:
        fault = vendor.next_fault()
        request.headers[FAULT_HEADER] = fault or ""
        if fault in SILENT_FAULTS:
            request.extensions["timeout"]["read"] = SHORT_TIMEOUT

    async with open_client(connect=60, read=60) as client:
        client.event_hooks = {"request": [choose_fault]}
        yield client
