"""A vendor for the tests: real HTTP on the loopback, a real ledger, and faults on demand.

What is common to all vendors is here; each has its protocol in a module of its own.
"""

import asyncio
import random
import socket
import struct
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import uvicorn
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

TOKEN = "s3cr3t-t0k3n"
LEAK = "no such user fay@example.com, call +49 151 1234567, token"

FAULTS = {
    "hang": "No answer, and nothing is done.",
    "hang_done": "No answer, and it is done.",
    "late_done": "No answer; it is done after the caller has given up.",
    "reset": "The connection is reset, and nothing is done.",
    "reset_done": "The connection is reset, and it is done.",
    "error": "500 with the vendor's words, and nothing is done.",
    "error_done": "500 with the vendor's words, and it is done.",
    "page": "502 with a page of HTML, and nothing is done.",
    "limit": "429 with Retry-After.",
    "trickle_done": "It is done; the answer comes a byte at a time, too slowly.",
    "garbage": "200 with half a JSON, and nothing is done.",
    "garbage_done": "200 with half a JSON, and it is done.",
    "huge_done": "It is done; the answer never ends.",
}


class Strict(BaseModel):
    """A request body as the vendor documents it: no other fields, no other types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Entry(NamedTuple):
    key: str
    amount: int


class Refused(HTTPException):
    """The vendor's own refusal; `undocumented` says that no correct caller would have sent this."""

    def __init__(self, status: int, body: Any, *, undocumented: bool = False) -> None:
        super().__init__(status)
        self.body = body
        self.undocumented = undocumented


class Vendor:
    """`faults` are met by the next requests, in their order (None is none); after them each runs the `risk` of one."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.faults: deque[str | None] = deque()
        self.risk = 0.0
        self._deck: list[str] = []
        self.met: Counter[str] = Counter()
        self.books: list[Entry] = []
        self.requests: list[tuple[str, str]] = []
        self.undocumented: list[str] = []
        self._working: set[object] = set()
        self.later: set[asyncio.Task[None]] = set()
        self.url = ""

    def routes(self) -> list[Route]:
        raise NotImplementedError

    def error(self, status: int, key: str, message: str) -> Any:
        """An error body in the vendor's own shape."""
        raise NotImplementedError

    def book(self, key: str, amount: int) -> None:
        self.books.append(Entry(key, amount))

    def book_soon(self, key: str, amount: int, then: Callable[[], None]) -> None:
        """In a moment, as vendors do who answer first; what is on its way is known from now on."""
        working = self.working()
        working.__enter__()

        async def book() -> None:
            with ExitStack() as stack:
                stack.push(working)
                await asyncio.sleep(self.random.uniform(0, 0.005))
                self.book(key, amount)
                then()

        self.later.add(asyncio.create_task(book()))

    @contextmanager
    def working(self) -> Iterator[None]:
        work = object()
        self._working.add(work)
        try:
            yield
        finally:
            self._working.discard(work)

    async def quiet(self) -> None:
        """Until all that is on its way has arrived: what a caller has to wait `visible_after` for."""
        calls = {task for task in asyncio.all_tasks() if task.get_name().startswith("call of ")}
        if calls:
            await asyncio.wait(calls)
        for _ in range(
            20
        ):  # what the kernel still has becomes a request in a few rounds of the loop
            await asyncio.sleep(0)
        for _ in ("requests", "what they have begun"):
            before = set(self._working)
            while before & self._working:
                await asyncio.sleep(0.01)

    def fault(self) -> str | None:
        fault = None
        if self.faults:
            fault = self.faults.popleft()
        elif self.random.random() < self.risk:
            self._deck = self._deck or self.random.sample(list(FAULTS), len(FAULTS))
            fault = self._deck.pop()
        self.met[str(fault)] += 1
        return fault

    @property
    def app(self) -> Starlette:
        async def refused(request: Request, error: Exception) -> Response:
            if not isinstance(error, Refused):  # a path or method that is nowhere in the documents
                self.undocumented.append(f"{request.method} {request.url.path}: {error}")
                return JSONResponse(self.error(404, "not_found", "no such path"), 404)
            if error.undocumented:
                self.undocumented.append(f"{request.method} {request.url.path}: {error.body}")
            return JSONResponse(error.body, error.status_code)

        return Starlette(routes=self.routes(), exception_handlers={HTTPException: refused})


class Misbehaving:
    """The vendor's application behind its faults."""

    def __init__(self, vendor: Vendor, app: Starlette) -> None:
        self.vendor = vendor
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self.vendor.fault()
        self.vendor.requests.append((scope["method"], scope["path"]))
        if fault is None:
            await self._do(scope, receive, send)
        else:
            kind, _, done = fault.partition("_")
            await getattr(self, f"_{kind}")(scope, receive, send, bool(done))

    async def _do(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self.vendor.working():
            await self.app(scope, receive, send)

    async def _done(self, scope: Scope, receive: Receive) -> list[Message]:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._do(scope, receive, keep)
        return messages

    async def _hang(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        if done:
            await self._done(scope, receive)
        await _disconnected(receive)

    async def _late(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        with self.vendor.working():
            request = [await receive()]
            await _disconnected(receive)
            await asyncio.sleep(self.vendor.random.uniform(0, 0.02))

            async def again() -> Message:
                return request.pop()

            await self._done(scope, again)

    async def _reset(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        if done:
            await self._done(scope, receive)
        transport: asyncio.Transport = scope["transport"]
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    async def _error(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        if done:
            await self._done(scope, receive)
        headers = Request(scope).headers
        token = headers.get("X-App-Token") or headers.get("Authorization", "")
        body = self.vendor.error(500, "internal_error", f"{LEAK} {token}")
        await JSONResponse(body, 500)(scope, receive, send)

    async def _page(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        await Response(f"<h1>{LEAK}</h1>", 502, media_type="text/html")(scope, receive, send)

    async def _limit(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        body = self.vendor.error(429, "too_many_requests", "API limit reached")
        await JSONResponse(body, 429, {"Retry-After": "7"})(scope, receive, send)

    async def _garbage(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        if done:
            await self._done(scope, receive)
        await Response('{"id": "half', 200, media_type="application/json")(scope, receive, send)

    async def _trickle(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        start, *rest = await self._done(scope, receive)
        content = b"".join(message.get("body", b"") for message in rest)
        if content:
            await send(start)
        for byte in content[:-1][:40]:
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            await asyncio.sleep(0.02)
        await _disconnected(receive)

    async def _huge(self, scope: Scope, receive: Receive, send: Send, done: bool) -> None:
        await self._done(scope, receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(80):
            await send({"type": "http.response.body", "body": b" " * 2**16, "more_body": True})
        await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class Connection(H11Protocol):
    """Gives its transport to the application, which may reset it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        app = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "transport": self.transport}, receive, send)

        self.app = with_transport


async def serve(vendor: Vendor) -> Callable[[], Awaitable[None]]:
    """Start it on a free port, which its `url` then has; the answer stops it."""
    config = uvicorn.Config(
        Misbehaving(vendor, vendor.app), log_config=None, log_level="critical", lifespan="off"
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
