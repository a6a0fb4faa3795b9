"""Refused requests are counted by reason, as long as they carry a valid key."""

from typing import Any

from entrypoints.api.problems import problem_of
from entrypoints.api.refusal_counts import MAX_REASONS, RefusalCounts
from referrals.errors import FieldError, InvalidEventError
from tests.api.conftest import Api
from tests.api.test_problems import EVENT

INVALID = EVENT | {"source": "/de", "data": {}}


async def counted(api: Api) -> list[dict[str, Any]]:
    await api.refusals.flush()
    rows = (await api.get("/v1/refusals")).json()["data"]
    return [{key: row[key] for key in ("source", "type", "field", "count")} for row in rows]


async def test_refused_events_are_counted_by_source_problem_and_field(api: Api):
    for _ in range(2):
        await api.http.post("/v1/events", json=INVALID)
    await api.http.post("/v1/events", json=[INVALID, EVENT, INVALID | {"source": 7}])

    assert await counted(api) == [
        {"source": "/de", "type": "invalid-event", "field": "data.friend", "count": 3},
        {"source": None, "type": "invalid-event", "field": "data.friend", "count": 1},
    ]
    summary = (await api.get("/v1/campaigns/spring/summary")).json()
    assert summary["refused_requests"] == 4


async def test_other_refused_requests_are_counted_too(api: Api):
    await api.http.post("/v1/events", content=b"{", headers={"content-type": "application/json"})
    await api.http.post("/v1/campaigns/none/publications", json={"customer": {}})

    found = {(row["type"], row["field"]) for row in await counted(api)}
    assert found == {("malformed-body", None), ("invalid-request", "customer.id")}


async def test_requests_that_read_or_have_no_key_are_not_counted(api: Api):
    await api.get("/v1/campaigns/none")
    await api.http.post("/v1/events", json=INVALID, headers={"authorization": "Bearer rk_no"})
    await api.http.post("/r/none")

    assert await counted(api) == []


async def test_the_reasons_in_memory_are_bounded(api: Api):
    counts = RefusalCounts(api.harness.store, api.harness.now)
    for number in range(MAX_REASONS + 100):
        error = InvalidEventError([FieldError(f"data.order.items[{number}].x{number}", "wrong")])
        counts.count("shop", "/de", problem_of(error))
        if number % MAX_REASONS == 0:
            await counts.flush()
    await counts.flush()

    first = (await api.get("/v1/refusals", params={"limit": MAX_REASONS})).json()
    rest = (await api.get("/v1/refusals", params={"after": first["next"]})).json()
    rows = first["data"] + rest["data"]
    assert len(rows) == MAX_REASONS + 1
    assert sum(row["count"] for row in rows if row["field"] is None) == 100
