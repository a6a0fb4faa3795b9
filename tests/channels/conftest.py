"""A real SMTP server with scripted replies that stores its mails, and channels to the fake Graph API."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from referrals.channels.whatsapp import WhatsAppChannel
from referrals.http_client import open_client
from tests.channels.fake_graph_api import FakeGraph
from tests.channels.whatsapp_samples import Clock, whatsapp
from tests.providers import fake_vendor

CERTIFICATE = Path(__file__).parent / "localhost.pem"
CREDENTIALS = LoginPassword(b"shop@x", b"p/a:s#s")


class Mailbox:
    """Handler of the server: `answers` maps a command (`RCPT`, `DATA`, …) to a reply other than acceptance."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.envelopes: list[Envelope] = []
        self.logins: list[tuple[LoginPassword, bool]] = []
        self.port = 0

    def only_mail(self) -> EmailMessage:
        """Return the only mail that has arrived, parsed."""
        (envelope,) = self.envelopes
        return message_from_bytes(envelope.content, policy=policy.default)

    async def handle_MAIL(self, server, session, envelope, address, options):  # noqa: N802
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if "DATA" not in self.answers:
            self.envelopes.append(envelope)
        return self.answers.get("DATA", "250 OK")

    def authenticate(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        mechanism: str,
        login: LoginPassword,
    ) -> AuthResult:
        self.logins.append((login, session.ssl is not None))
        return AuthResult(success=login == CREDENTIALS, handled=False)


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Awaitable[Mailbox]]]:
    """Start a server on a free port: `await serve()`, with further arguments of aiosmtpd's SMTP, or `smtps=True`."""
    servers: list[asyncio.Server] = []

    async def start(*, smtps: bool = False, **options: Any) -> Mailbox:
        mailbox = Mailbox()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(
                mailbox,
                hostname="localhost",
                authenticator=mailbox.authenticate,
                loop=loop,
                **options,
            ),
            "127.0.0.1",
            ssl=server_tls() if smtps else None,
        )
        servers.append(server)
        mailbox.port = server.sockets[0].getsockname()[1]
        return mailbox

    yield start
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def mailbox(serve: Callable[..., Awaitable[Mailbox]]) -> Mailbox:
    return await serve()


def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def graph(clock: Clock) -> AsyncIterator[FakeGraph]:
    fake = FakeGraph(seed=1, clock=clock)
    fake.approve("reward_granted", "de", "en_US", category="utility", body=1)
    fake.approve("invite", "en_US", category="marketing", body=1)
    stop = await fake_vendor.serve(fake)
    yield fake
    await stop()


@pytest.fixture
async def channel(graph: FakeGraph, clock: Clock) -> AsyncIterator[WhatsAppChannel]:
    async with open_client() as client:
        yield whatsapp(client, graph, clock)


@pytest.fixture
async def impatient_channel(graph: FakeGraph, clock: Clock) -> AsyncIterator[WhatsAppChannel]:
    """WhatsApp channel that waits only briefly for lost responses."""
    async with fake_vendor.open_impatient_client(graph) as client:
        yield whatsapp(client, graph, clock)
