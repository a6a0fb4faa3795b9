"""Webhook endpoint for tests: real HTTP, with faults on demand."""

import asyncio
import hmac
import json
import socket
import ssl
import struct
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

Reply = int | str
"""Status, optionally with a header (`429 Retry-After: 60`), or `reset`, `hang`, `endless`."""


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def signed_by(self, secret: str) -> bool:
        """Verify the signature as a receiver does."""
        key = b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        expected = "v1," + b64encode(hmac.digest(key, signed, "sha256")).decode()
        return expected in self.headers["webhook-signature"].split()


@dataclass
class Receiver:
    """Endpoint that sends `replies` in order, then uses `rule`; it stores all requests in the order of arrival."""

    received: list[Received] = field(default_factory=list)
    replies: deque[Reply] = field(default_factory=deque)
    rule: Callable[[Received], Reply] = lambda _: 204
    tls: ssl.SSLContext | None = None
    url: str = ""
    _hanging: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def events(self) -> list[Any]:
        return [received.event for received in self.received]

    @property
    def types(self) -> list[str]:
        return [event["type"] for event in self.events]

    @property
    def ids(self) -> list[str]:
        return [received.id for received in self.received]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        scheme = "https" if self.tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/hooks?of=shop"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def hang_up(self) -> None:
        """Close the connections of all requests that `hang`."""
        for writer in self._hanging:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._reply(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")[1:-2]
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        received = Received(headers, body)
        self.received.append(received)
        reply = self.replies.popleft() if self.replies else self.rule(received)
        match reply:
            case "reset":
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, linger
                )
                writer.transport.abort()
            case "hang":
                self._hanging.append(writer)
                await reader.read()  # until the client disconnects
            case "endless":
                await self._endless(writer)
            case _:
                status, _, header = str(reply).partition(" ")
                more = f"{header}\r\n" if header else ""
                writer.write(f"HTTP/1.1 {status} X\r\n{more}content-length: 2\r\n\r\nok".encode())
                await writer.drain()

    async def _endless(self, writer: asyncio.StreamWriter) -> None:
        """Send a success status and an endless body."""
        writer.write(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
                await writer.drain()
