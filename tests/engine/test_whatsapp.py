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
class Scene:
    world: World
    graph: FakeGraph
    post: Post
    http: httpx.AsyncClient

    async def hear(self, told: Hook) -> None:
        response = await self.http.post("/hooks/whatsapp", content=told.body, headers=told.headers)
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
        told = WhatsAppMessage("thanks", "en_US", "utility", body=(WhatsAppParameter("Fay"),))
        return replace(render(self, *arguments), whatsapp=told)

    monkeypatch.setattr(Templates, "render", with_whatsapp)


@asynccontextmanager
async def converted(database_url: str, graph: FakeGraph) -> AsyncIterator[Scene]:
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
                yield Scene(world, graph, post, http)


async def test_what_meta_tells_is_what_the_message_says(database_url: str, graph: FakeGraph):
    async with converted(database_url, graph) as scene:
        await scene.until(state="sent", channel="whatsapp")
        (sent,) = graph.sent
        for state in ("read", "delivered", "sent", "read"):
            await scene.hear(hook(status(sent, state, scene.world.now())))

        row = await scene.message()
        assert (row.state, row.reference, row.key) == ("read", sent.wamid, sent.key)
        assert scene.post.keys == []


async def test_a_message_whose_answer_was_lost_is_not_sent_again(
    database_url: str, graph: FakeGraph
):
    """Meta's status has our key, and comes before the message's next turn."""
    graph.faults.append("reset_done")
    async with converted(database_url, graph) as scene:

        async def tried() -> bool:
            return bool(await scene.world.all(schema.message_deliveries, state="outcome_unknown"))

        await scene.world.until(tried)
        (sent,) = graph.sent
        await scene.hear(hook(status(sent, "sent", scene.world.now())))
        await scene.world.sleep(days=1)

        await scene.until(state="sent", reference=sent.wamid)
        assert len(graph.sent) == 1
        assert scene.post.keys == []


async def test_a_failure_that_is_told_later_takes_the_next_channel(
    database_url: str, graph: FakeGraph
):
    async with converted(database_url, graph) as scene:
        await scene.until(state="sent", channel="whatsapp")
        failed = hook(status(graph.sent[0], "failed", scene.world.now(), 131026))
        await scene.hear(failed)
        await scene.world.inbox.drain()
        await scene.hear(failed)

        await scene.until(state="sent", channel="email")
        assert len(scene.post.keys) == 1
        (gone,) = await scene.world.all(schema.suppressions)
        assert gone.reason_code == "not_on_whatsapp"


async def test_who_stops_marketing_over_there_has_stopped_it_here(
    database_url: str, graph: FakeGraph
):
    async with converted(database_url, graph) as scene:
        at = scene.world.now()
        await scene.hear(hook(preferences=[preference(ADA["phone"], "stop", at)]))

        (consent,) = await scene.world.all(schema.consents, source="whatsapp")
        assert (consent.channel, consent.purpose) == ("whatsapp", "marketing")
        assert consent.state == "withdrawn"
