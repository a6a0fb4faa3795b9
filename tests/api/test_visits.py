"""The referral link, health and the documentation: what needs no key."""

import pytest

from tests.api.conftest import Api
from tests.api.problems import problem

NO_KEY = {"authorization": ""}


async def test_a_referral_link_leads_to_the_landing_page_with_the_code(api: Api):
    code = await api.books.publish("spring", "ada")
    response = await api.get(f"/r/{code.lower()}", headers=NO_KEY)

    assert response.status_code == 302
    assert response.headers["location"] == f"https://shop.example/welcome?code={code}"
    assert response.headers["cache-control"] == "no-store"
    assert api.intake.asked == [("click", code, "visitor")]


async def test_the_landing_page_keeps_its_own_parameters(api: Api):
    url = "https://shop.example/welcome?utm_source=friend&code=old#top"
    await api.put_campaign(landing_url=url)
    code = await api.books.publish("spring", "ada")
    location = (await api.get(f"/r/{code}")).headers["location"]

    assert location == f"https://shop.example/welcome?utm_source=friend&code={code}#top"


async def test_a_click_that_cannot_be_counted_stops_no_visitor(api: Api):
    code = await api.books.publish("spring", "ada")
    api.intake.answers = [RuntimeError("the database is busy")]

    assert (await api.get(f"/r/{code}")).status_code == 302


async def test_without_a_landing_page_the_code_is_shown_for_the_checkout(api: Api):
    await api.put_campaign(landing_url=None, name="Spring <b>& friends</b>")
    code = await api.books.publish("spring", "ada")
    response = await api.get(f"/r/{code.lower()}", headers=NO_KEY)

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert code in response.text
    assert "checkout" in response.text
    assert "Spring &lt;b&gt;&amp; friends&lt;/b&gt;" in response.text
    assert api.intake.asked == [("click", code, "visitor")]


@pytest.mark.parametrize("landing_url", [None, "https://shop.example/welcome"])
async def test_a_look_at_the_head_of_a_link_is_no_click(api: Api, landing_url: str | None):
    await api.put_campaign(landing_url=landing_url)
    code = await api.books.publish("spring", "ada")
    head = await api.http.head(f"/r/{code}")

    assert api.intake.asked == []
    full = await api.get(f"/r/{code}")
    assert (head.status_code, head.headers) == (full.status_code, full.headers)
    assert (await api.http.head("/r/UNKNOWN-1")).status_code == 404


@pytest.mark.parametrize("code", ["UNKNOWN-1", "%00", "%F0%9F%98%80", "a b", "%0d%0aset-cookie:x"])
async def test_an_unknown_link_is_a_page_that_says_so(api: Api, code: str):
    response = await api.get(f"/r/{code}")

    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/plain")
    assert "not known" in response.text
    assert api.intake.asked == []


async def test_the_process_is_live(api: Api):
    assert (await api.get("/health/live", headers=NO_KEY)).json() == {"status": "live"}


async def test_it_is_ready_with_a_database_temporal_and_a_worker(api: Api):
    assert (await api.get("/health/ready", headers=NO_KEY)).json() == {"status": "ready"}


async def test_without_a_worker_it_is_not_ready(api: Api):
    api.temporal.pollers = []
    (error,) = problem(await api.get("/health/ready"), 503, "not-ready")["errors"]

    assert error == {"field": "temporal", "message": "no worker polls the queue referrals"}


async def test_without_temporal_it_is_not_ready(api: Api):
    api.temporal.error = ConnectionError()
    (error,) = problem(await api.get("/health/ready"), 503, "not-ready")["errors"]

    assert error["field"] == "temporal"


async def test_without_the_newest_schema_it_is_not_ready(api: Api):
    async with api.books.store.begin() as tx:
        await tx.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    (error,) = problem(await api.get("/health/ready"), 503, "not-ready")["errors"]

    assert error["field"] == "database"
    assert "db upgrade" in error["message"]


async def test_the_documentation_loads_nothing_from_elsewhere(api: Api):
    page = await api.get("/docs", headers=NO_KEY)

    assert page.status_code == 200
    assert "http" not in page.text.replace("http://api", "")


async def test_the_contract_describes_every_route_with_its_problems(api: Api):
    contract = (await api.get("/openapi.json", headers=NO_KEY)).json()

    for path, methods in contract["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/v1"):
                assert operation["security"], (method, path)
                problems = operation["responses"]["4XX"]["content"]
                assert "application/problem+json" in problems
                assert "422" not in operation["responses"]
    assert "Customer" in contract["components"]["schemas"]
