"""WhatsApp through the whole engine: a Graph API that takes messages, and tells later what became of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from entrypoints.api.main import Application
from entrypoints.api.resources import AppResources
from referrals.channels.message_content import WhatsAppMessage, WhatsAppParameter
from referrals.channels.templates import Templates
from referrals.channels.whatsapp import WhatsAppChannel
from referrals.http_client import open_client
from referrals.store import schema
from tests.channels.fake_graph_api import NUMBER_ID, FakeGraph
from tests.channels.fake_whatsapp_webhooks import APP_SECRET, Hook, hook, preference, status
from tests.engine.test_message_failures import Post
from tests.harness.campaigns import campaign
from tests.harness.world import World, open_world
from tests.providers.fake_vendor import TOKEN, serve

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ADA = {"id": "ada", "email": "ada@example.com", "phone": "+4915112345678"}
THANKS = {"template": "thank_advocate", "to": "advocate", "channels": ["whatsapp", "email"]}
JOURNEYS = [{"name": "thanks", "on": "referral_converted", "steps": [{"send": THANKS}]}]


@dataclass
class WhatsAppWorld:
    world: World
    graph: FakeGraph
    post: Post
    http: httpx.AsyncClient

    async def receive_webhook(self, webhook: Hook) -> None:
        response = await self.http.post(
            "/hooks/whatsapp", content=webhook.body, headers=webhook.headers
        )
        assert response.status_code == 200

    async def message(self) -> Any:
        (row,) = await self.world.all(schema.messages)
        return row

    async def until(self, **values: Any) -> None:
        async def holds() -> bool:
            row = await self.message()
            return all(getattr(row, name) == value for name, value in values.items())

        await self.world.until(holds)


@pytest.fixture
async def graph() -> AsyncIterator[FakeGraph]:
    fake = FakeGraph(seed=1)
    fake.approve("thanks", "en_US", category="utility", body=1)
    stop = await serve(fake)
    yield fake
    await stop()


@pytest.fixture(autouse=True)
def templates(monkeypatch: pytest.MonkeyPatch) -> None:
    render = Templates.render

    def with_whatsapp(self: Any, *arguments: Any) -> Any:
        webhook = WhatsAppMessage("thanks", "en_US", "utility", body=(WhatsAppParameter("Fay"),))
        return replace(render(self, *arguments), whatsapp=webhook)

    monkeypatch.setattr(Templates, "render", with_whatsapp)


@asynccontextmanager
async def converted(database_url: str, graph: FakeGraph) -> AsyncIterator[WhatsAppWorld]:
    """A world in which fay has converted, so that ada is thanked."""
    post, options = Post(None), {"whatsapp_app_secret": SecretStr(APP_SECRET)}
    async with open_client() as client:
        url = f"{graph.url}/v23.0"
        channel = WhatsAppChannel(client, url, NUMBER_ID, SecretStr(TOKEN))
        channels: Any = {"email": post, "whatsapp": channel}
        async with open_world(database_url, channels, **options) as world:
            await world.apply(campaign(journeys=JOURNEYS))
            await world.event("customer_registered", {"customer": ADA})
            await world.convert(await world.publish("spring", "ada"), "fay")
            resources = AppResources.of(world.resources, world.client, world.inbox)
            transport = httpx.ASGITransport(Application(resources))
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
                yield WhatsAppWorld(world, graph, post, http)


async def test_what_meta_tells_is_what_the_message_says(database_url: str, graph: FakeGraph):
    async with converted(database_url, graph) as whatsapp:
        await whatsapp.until(state="sent", channel="whatsapp")
        (sent,) = graph.sent
        for state in ("read", "delivered", "sent", "read"):
            await whatsapp.receive_webhook(hook(status(sent, state, whatsapp.world.now())))

        row = await whatsapp.message()
        assert (row.state, row.reference, row.key) == ("read", sent.wamid, sent.key)
        assert whatsapp.post.keys == []


async def test_a_message_with_a_lost_response_is_not_repeated(database_url: str, graph: FakeGraph):
    """Meta's status has our key, and comes before the message's next turn."""
    graph.faults.append("reset_done")
    async with converted(database_url, graph) as whatsapp:

        async def tried() -> bool:
            return bool(
                await whatsapp.world.all(schema.message_deliveries, state="outcome_unknown")
            )

        await whatsapp.world.until(tried)
        (sent,) = graph.sent
        await whatsapp.receive_webhook(hook(status(sent, "sent", whatsapp.world.now())))
        await whatsapp.world.sleep(days=1)

        await whatsapp.until(state="sent", reference=sent.wamid)
        assert len(graph.sent) == 1
        assert whatsapp.post.keys == []


async def test_a_failure_reported_later_selects_the_next_channel(
    database_url: str, graph: FakeGraph
):
    async with converted(database_url, graph) as whatsapp:
        await whatsapp.until(state="sent", channel="whatsapp")
        failed = hook(status(graph.sent[0], "failed", whatsapp.world.now(), 131026))
        await whatsapp.receive_webhook(failed)
        await whatsapp.world.inbox.drain()
        await whatsapp.receive_webhook(failed)

        await whatsapp.until(state="sent", channel="email")
        assert len(whatsapp.post.keys) == 1
        (gone,) = await whatsapp.world.all(schema.suppressions)
        assert gone.reason_code == "not_on_whatsapp"


async def test_who_stops_marketing_over_there_has_stopped_it_here(
    database_url: str, graph: FakeGraph
):
    async with converted(database_url, graph) as whatsapp:
        at = whatsapp.world.now()
        await whatsapp.receive_webhook(hook(preferences=[preference(ADA["phone"], "stop", at)]))

        (consent,) = await whatsapp.world.all(schema.consents, source="whatsapp")
        assert (consent.channel, consent.purpose) == ("whatsapp", "marketing")
        assert consent.state == "withdrawn"
