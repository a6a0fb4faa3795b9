"""Orders that events are about, and that no conversion has named."""

from tests.api.conftest import Api


async def test_orders_are_listed_and_counted_until_a_conversion_names_them(api: Api):
    shop = api.harness
    code = await shop.publish("spring", "ada")
    for source, order in (("shop", "1"), ("stripe", "1"), ("shop", "2")):
        await shop.event("order_cancelled", {"order": {"id": order}}, source=source)

    await shop.convert(code, "fay", order="2")

    listed = (await api.get("/v1/unknown-orders")).json()
    since = "2026-03-04T10:00:00Z"
    assert listed == {
        "data": [{"source": source, "order": "1", "since": since} for source in ("stripe", "shop")],
        "next": None,
    }
    summary = (await api.get("/v1/campaigns/spring/summary")).json()
    assert summary["unknown_orders"] == 2
