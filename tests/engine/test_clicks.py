"""Clicks in a running engine: redirects, sign-ups with click ids, and the attribution window."""

import httpx
import pytest
from temporalio.service import RPCError

from entrypoints.api.main import Application
from entrypoints.api.resources import AppResources
from referrals.store import api_keys
from tests.harness.campaigns import campaign
from tests.harness.world import World


async def sign_up(world: World, friend: str, **data: str) -> dict:
    return await world.event("referral_signed_up", {"friend": {"id": friend}, **data})


async def test_a_sign_up_after_a_shared_link_is_attributed_to_the_click(
    world: World,
):
    await world.apply(campaign())
    await world.publish("spring", "ada")
    api = AppResources.of(world.resources, world.client, world.inbox)
    headers = {
        "authorization": f"Bearer {await api_keys.create(world.store, 'shop')}",
        "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    }
    transport = httpx.ASGITransport(Application(api))
    async with httpx.AsyncClient(transport=transport, headers=headers) as http:
        ada = (await http.get("http://api/v1/campaigns/spring/advocates/ada")).json()
        visit = httpx.URL(ada["share"]["link"]).copy_with(host="api")
        landing = httpx.URL((await http.get(visit)).headers["location"])
        answer = await sign_up(world, "fay", **landing.params)
        fay = (await http.get(f"http://api/v1/referrals/{answer['referral']}")).json()
        ada = (await http.get("http://api/v1/campaigns/spring/advocates/ada")).json()

    assert landing.host == "shop.example"
    assert fay["attribution"]["by"] == "click"
    assert fay["attribution"]["click"] == landing.params["click"]
    assert fay["attribution"]["channel"] == "link"
    assert ada["counts"]["clicks"] == {"link": 1}


async def test_a_friend_with_a_click_earns_the_advocate_a_reward(world: World):
    await world.apply(campaign())
    click = await world.click(await world.publish("spring", "ada"), "whatsapp")

    signed_up = await sign_up(world, "fay", click=click)
    converted = await world.convert(None, "fay")

    assert converted["referral"] == signed_up["referral"]
    assert await world.state(converted["referral"]) == "rewarded"
    assert await world.balance("ada") == 100
    assert await world.activity() == [
        "code_published",
        "referral_link_clicked",
        "referral_signed_up",
        "referral_converted",
        "reward_granted",
        "reward_granted",
    ]


async def test_the_attribution_window_starts_at_the_click(world: World):
    await world.apply(campaign())
    click = await world.click(await world.publish("spring", "ada"))
    await world.sleep(days=20)
    answer = await sign_up(world, "fay", click=click)

    await world.sleep(days=9, hours=23)
    assert await world.state(answer["referral"]) == "signed_up"
    await world.sleep(hours=2)

    await world.until_state(answer["referral"], "expired")


async def test_a_click_older_than_the_window_attributes_nothing(world: World):
    await world.apply(campaign(conversion={"attribution_window": "P7D"}))
    code = await world.publish("spring", "ada")
    click = await world.click(code)
    await world.sleep(days=8)

    answer = await sign_up(world, "fay", code=code, click=click)

    assert (answer["decision"], answer["reason"]["code"]) == ("rejected", "attribution_expired")


async def test_an_invented_click_starts_no_workflow(world: World):
    await world.apply(campaign())
    answers = [
        await sign_up(world, "fay", click="clk_0123"),
        await sign_up(world, "gil", click="clk_0123", campaign="spring"),
        await sign_up(world, "hal", click="clk_" + "0" * 28 + "_NOBODY-1"),
    ]

    assert {answer["reason"]["code"] for answer in answers} == {"unknown_code"}
    for friend in ("fay", "gil", "hal"):
        with pytest.raises(RPCError, match="not found"):
            await (await world.referral_run("spring", friend)).describe()


async def test_a_click_recorded_twice_counts_once(world: World):
    await world.apply(campaign())
    code = await world.publish("spring", "ada")
    click = await world.click(code)

    await world.inbox.record_click(click, code, "link")

    assert (await world.activity()).count("referral_link_clicked") == 1


async def test_a_check_accepts_a_click_and_changes_nothing(world: World):
    await world.apply(campaign())
    click = await world.click(await world.publish("spring", "ada"))
    cart = {"friend": {"id": "fay"}, "click": click, "order": {"amount": "9.00", "currency": "EUR"}}

    checked = await world.inbox.check_conversion("spring", cart, "shop")

    assert checked["decision"] == "accepted"
    assert await world.activity() == ["code_published", "referral_link_clicked"]
