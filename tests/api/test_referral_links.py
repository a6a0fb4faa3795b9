"""Routes without a key: the referral link, health checks and the documentation."""

from typing import Any

import pytest
from sqlalchemy import text

from referrals.domain.clicks import SHARE_CHANNELS
from tests.api.conftest import Api
from tests.api.problems import problem

NO_KEY = {"authorization": ""}


async def test_a_referral_link_redirects_to_the_landing_page_with_the_code(api: Api):
    code = await api.harness.publish("spring", "ada")
    response = await api.get(f"/r/{code.lower()}", headers=NO_KEY)

    assert response.status_code == 302
    ((_, click, *arguments),) = api.inbox.calls
    assert arguments == [code, "link"]
    location = f"https://shop.example/welcome?code={code}&click={click}"
    assert response.headers["location"] == location
    assert response.headers["cache-control"] == "no-store"
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("end", [".", ",", ")", "/", "!", "%E2%80%8B", "%E2%80%9D", "%20", "/)."])
async def test_a_link_works_with_the_punctuation_of_the_sentence_around_it(api: Api, end: str):
    code = await api.harness.publish("spring", "ada")
    response = await api.get(f"/r/{code.lower()}{end}")

    assert response.status_code == 302
    assert f"?code={code}&" in response.headers["location"]


async def test_the_landing_page_keeps_its_query_parameters(api: Api):
    url = "https://shop.example/welcome?utm_source=friend&code=old&click=old#top"
    await api.put_campaign(landing_url=url)
    code = await api.harness.publish("spring", "ada")
    location = (await api.get(f"/r/{code}")).headers["location"]

    ((_, click, *_),) = api.inbox.calls
    landing_page = "https://shop.example/welcome?utm_source=friend"
    assert location == f"{landing_page}&code={code}&click={click}#top"


async def test_every_click_has_its_own_id(api: Api):
    code = await api.harness.publish("spring", "ada")
    for _ in range(3):
        await api.get(f"/r/{code}")
    clicks = {click for _, click, *_ in api.inbox.calls}

    assert len(clicks) == 3
    assert all(click.startswith("clk_") and click.endswith(code) for click in clicks)


@pytest.mark.parametrize(
    ("via", "channel"),
    [
        *((channel, channel) for channel in SHARE_CHANNELS),
        ("", "link"),
        ("fax", "link"),
        ("%F0%9F%98%80%00", "link"),
        ("qr&via=x", "x"),
    ],
)
async def test_a_click_is_counted_for_the_channel_that_the_link_names(
    api: Api, via: str, channel: str
):
    code = await api.harness.publish("spring", "ada")
    await api.get(f"/r/{code}?via={via}")

    assert [arguments[-1] for arguments in api.inbox.calls] == [channel]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [({"user-agent": "WhatsApp/2.23.20.0 A"}, "bot"), ({"purpose": "prefetch"}, "prefetch")],
)
async def test_a_link_preview_is_redirected_and_counted_apart(
    api: Api, headers: dict[str, str], reason: str
):
    code = await api.harness.publish("spring", "ada")
    for _ in range(2):
        response = await api.get(f"/r/{code}", headers=headers)
    await api.omitted_clicks.flush()
    await api.omitted_clicks.flush()

    assert response.headers["location"] == f"https://shop.example/welcome?code={code}"
    assert api.inbox.calls == []
    summary = (await api.get("/v1/campaigns/spring/summary")).json()
    assert summary["clicks_omitted"] == {reason: 2}


async def test_a_failed_write_loses_no_omitted_clicks(api: Api, monkeypatch: Any):
    code = await api.harness.publish("spring", "ada")
    await api.get(f"/r/{code}", headers={"user-agent": "curl/8"})
    with monkeypatch.context() as patched:
        patched.setattr(api.harness.store, "autocommit", None)
        await api.omitted_clicks.flush()
    await api.omitted_clicks.flush()

    summary = (await api.get("/v1/campaigns/spring/summary")).json()
    assert summary["clicks_omitted"] == {"bot": 1}


async def test_parameters_go_on_to_the_landing_page_where_the_campaign_says_so(api: Api):
    await api.put_campaign(link={"pass_on": ["utm_*"]})
    code = await api.harness.publish("spring", "ada")
    response = await api.get(f"/r/{code}?utm_source=mail&gclid=1&code=EVIL&via=x")

    ((_, click, *arguments),) = api.inbox.calls
    assert arguments == [code, "x"]
    location = f"https://shop.example/welcome?utm_source=mail&code={code}&click={click}"
    assert response.headers["location"] == location


async def test_a_visitor_is_redirected_even_if_the_click_cannot_be_counted(api: Api):
    code = await api.harness.publish("spring", "ada")
    api.inbox.answers = [RuntimeError("the database is busy")]

    assert (await api.get(f"/r/{code}")).status_code == 302


@pytest.mark.parametrize("landing_url", [None, "https://shop.example/welcome"])
async def test_a_head_request_is_not_counted(api: Api, landing_url: str | None):
    await api.put_campaign(landing_url=landing_url)
    code = await api.harness.publish("spring", "ada")
    same_id = {"x-request-id": "the-same-request"}
    head = await api.http.head(f"/r/{code}", headers=same_id)

    assert api.inbox.calls == []
    seen = await api.get(f"/r/{code}", headers={"purpose": "prefetch"} | same_id)
    assert (head.status_code, head.headers) == (seen.status_code, seen.headers)
    assert (await api.http.head("/r/UNKNOWN-1")).status_code == 404


async def test_a_running_process_is_live(api: Api):
    assert (await api.get("/health/live", headers=NO_KEY)).json() == {"status": "live"}


async def test_ready_with_a_database_temporal_and_a_worker(api: Api):
    assert (await api.get("/health/ready", headers=NO_KEY)).json() == {"status": "ready"}


async def test_not_ready_without_a_worker(api: Api):
    api.temporal.pollers = []
    (error,) = problem(await api.get("/health/ready"), 503, "not-ready")["errors"]

    assert error == {"field": "temporal", "message": "no worker polls the task queue referrals"}


async def test_not_ready_without_temporal(api: Api):
    api.temporal.error = ConnectionError()
    (error,) = problem(await api.get("/health/ready"), 503, "not-ready")["errors"]

    assert error["field"] == "temporal"


async def test_not_ready_without_the_latest_schema(api: Api):
    async with api.harness.store.begin() as tx:
        await tx.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    (error,) = problem(await api.get("/health/ready"), 503, "not-ready")["errors"]

    assert error["field"] == "database"
    assert "db upgrade" in error["message"]


async def test_the_documentation_loads_nothing_from_other_hosts(api: Api):
    page = await api.get("/docs", headers=NO_KEY)

    assert page.status_code == 200
    assert "http" not in page.text.replace("http://api", "")
