"""The API on a real database, with a fake inbox that needs no Temporal."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from entrypoints.api.main import Application
from entrypoints.api.omitted_clicks import OmittedClicks
from entrypoints.api.refusal_counts import RefusalCounts
from entrypoints.api.resources import AppResources
from inbox.process import EventResponse
from referrals.channels.templates import Templates
from referrals.domain.events import parse_event
from referrals.domain.requests import parse_publication
from referrals.settings import Settings
from referrals.store import Store, api_keys
from referrals.webhooks.poster import Poster
from tests.harness.campaigns import campaign
from tests.harness.conformance import check_response
from tests.harness.store_harness import StoreHarness

ACCEPTED = {
    "referral": None,
    "decision": "accepted",
    "reason": None,
    "rewards": [],
    "warnings": [],
}


@dataclass
class FakeInbox:
    """Inbox that records its calls. Events are validated as by the real one."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    answers: list[EventResponse | Exception] = field(default_factory=list)

    async def receive(self, raw: Any, actor: str) -> EventResponse:
        event = parse_event(raw)
        return self._respond("event", {"event": event.id, **ACCEPTED}, event.id, actor)

    async def publish(self, campaign_id: str, raw: Any, actor: str) -> EventResponse:
        body, _ = parse_publication(raw)
        publication = {
            "campaign": campaign_id,
            "customer": body.customer.id,
            "code": "SPRING-1",
            "link": "https://go.example/r/SPRING-1",
            "share": {},
            "warnings": [],
        }
        return self._respond("publish", publication, campaign_id, body.customer.id, actor)

    async def command_referral(
        self, kind: str, referral_id: str, reason: str, actor: str
    ) -> EventResponse:
        return self._respond(kind, {}, referral_id, reason, actor)

    async def check_conversion(self, campaign_id: str, raw: Any, actor: str) -> dict[str, Any]:
        return self._respond("check", {"event": None, **ACCEPTED}, campaign_id, raw, actor).body

    async def record_click(self, click: str, code: str, channel: str) -> None:
        self._respond("click", {}, click, code, channel)

    def _respond(self, kind: str, body: dict[str, Any], *arguments: Any) -> EventResponse:
        self.calls.append((kind, *arguments))
        answer = self.answers.pop(0) if self.answers else EventResponse(200, body)
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class FakeTemporal:
    """Temporal client whose server reports these pollers."""

    pollers: list[str] = field(default_factory=lambda: ["worker"])
    error: Exception | None = None
    namespace: str = "default"

    @property
    def workflow_service(self) -> "FakeTemporal":
        return self

    async def describe_task_queue(self, _: Any) -> "FakeTemporal":
        if self.error:
            raise self.error
        return self


@dataclass
class Api:
    """The API with a valid key."""

    http: httpx.AsyncClient
    harness: StoreHarness
    inbox: FakeInbox
    temporal: FakeTemporal
    omitted_clicks: OmittedClicks
    refusals: RefusalCounts

    async def get(self, path: str, **request: Any) -> httpx.Response:
        return await self.http.get(path, **request)

    async def put_campaign(self, **parts: Any) -> httpx.Response:
        return await self.http.put("/v1/campaigns/spring", json=campaign(**parts))


@pytest.fixture
def database_url(migrated_sqlite: Any, tmp_path: Any) -> str:
    """Return a SQLite URL. The store's own tests cover both databases."""
    file = tmp_path / "referrals.db"
    file.write_bytes(migrated_sqlite.read_bytes())
    return f"sqlite+aiosqlite:///{file}"


@pytest.fixture
async def api(store: Store, tmp_path: Any) -> AsyncIterator[Api]:
    harness, inbox, temporal = StoreHarness(store), FakeInbox(), FakeTemporal()
    settings = Settings(public_url="https://go.example")
    clock = lambda: harness.time  # noqa: E731
    fakes: Any = {"client": temporal, "inbox": inbox}
    clicks, refusals = OmittedClicks(store), RefusalCounts(store, clock)
    resources = AppResources(
        settings=settings,
        store=store,
        templates=Templates(tmp_path),
        channels={},
        providers={},
        webhook_poster=Poster(clock=clock),
        clock=clock,
        omitted_clicks=clicks,
        refusals=refusals,
        **fakes,
    )
    await harness.apply(campaign())
    transport = httpx.ASGITransport(Application(resources), raise_app_exceptions=False)
    headers = {
        "authorization": f"Bearer {await api_keys.create(store, 'shop')}",
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    }
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://api",
        headers=headers,
        event_hooks={"response": [check_response]},
    ) as http:
        yield Api(http, harness, inbox, temporal, clicks, refusals)
