"""Clicks in sign-ups and conversions: which code counts, when the attribution window starts, and what is logged of it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from referrals.store import schema, views
from referrals.store.codes import clicks
from referrals.store.db.sql import rows
from referrals.store.reporting import details
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness

DAY = timedelta(days=1)
WINDOW = 30 * DAY
ORDER = {"amount": "100.00", "currency": "EUR"}
UNKNOWN_CLICKS = [
    "clk_0123",
    "",
    "clk_" + "0" * 28 + "_NOBODY-1",
    "clk_" + "z" * 28 + "_ADA",
    "x" * 10_000,
    "\x00\ud800",
    17,
    ["clk_1", "clk_2"],
    {},
]


async def signed_up(harness: StoreHarness, friend: str, **data: Any) -> dict[str, Any]:
    return await harness.event("referral_signed_up", dict(friend={"id": friend}, **data))


async def converted(harness: StoreHarness, friend: str, **data: Any) -> dict[str, Any]:
    order = ORDER | {"id": f"order-of-{friend}"}
    return await harness.event(
        "referral_converted", dict(friend={"id": friend}, order=order, **data)
    )


async def referral(harness: StoreHarness, answer: dict[str, Any]) -> views.ReferralDetails:
    async with harness.store.read() as tx:
        return await details.get_referral(tx, answer["referral"], harness.time)


def reason(answer: dict[str, Any]) -> str:
    return str(answer["reason"]["code"])


async def test_a_sign_up_with_only_a_click_uses_its_code(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    click = await harness.click(code, "whatsapp")
    clicked_at, harness.time = harness.time, harness.time + DAY

    fay = await referral(harness, await signed_up(harness, "fay", click=click))

    assert (fay.advocate, fay.code) == ("ada", code)
    assert fay.attribution == views.Attribution("click", click, clicked_at, "whatsapp")
    assert fay.window_ends_at == clicked_at + WINDOW
    assert fay.timeline[0].data == {
        "attribution": {
            "by": "click",
            "click": click,
            "clicked_at": "2026-03-04T10:00:00Z",
            "channel": "whatsapp",
        }
    }


async def test_without_a_click_it_is_the_code_and_the_window_counts_from_the_sign_up(
    harness: StoreHarness,
):
    code = await harness.publish("spring", "ada")

    fay = await referral(harness, await signed_up(harness, "fay", code=code))

    assert fay.attribution == views.Attribution("code")
    assert fay.window_ends_at == harness.time + WINDOW
    assert fay.timeline[0].data == {"attribution": {"by": "code"}}


@pytest.mark.parametrize("event", [signed_up, converted])
@pytest.mark.parametrize("with_code", [True, False])
async def test_a_click_older_than_the_window_attributes_nothing(
    harness: StoreHarness, event: Any, with_code: bool
):
    code = await harness.publish("spring", "ada")
    click = await harness.click(code)
    carried = {"click": click} | ({"code": code} if with_code else {})
    harness.time += WINDOW - timedelta(seconds=1)
    in_time = await event(harness, "fay", **carried)
    harness.time += timedelta(seconds=1)
    too_late = await event(harness, "gil", **{**carried, "click": await aged(harness, code)})

    assert in_time["decision"] == "accepted"
    assert reason(too_late) == "attribution_expired"
    assert "older than the attribution window" in too_late["reason"]["message"]


async def aged(harness: StoreHarness, code: str) -> str:
    """A click as old as the window."""
    harness.time -= WINDOW
    click = await harness.click(code)
    harness.time += WINDOW
    return click


async def test_a_conversion_can_carry_a_click_too(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    click = await harness.click(code, "x")

    fay = await referral(harness, await converted(harness, "fay", click=click))

    assert (fay.advocate, fay.state) == ("ada", "rewarded")
    assert fay.attribution == views.Attribution("click", click, harness.time, "x")
    assert fay.timeline[0].data["attribution"]["by"] == "click"


async def test_a_conversion_does_not_change_the_attribution_of_the_sign_up(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    await signed_up(harness, "fay", code=code)

    fay = await referral(
        harness, await converted(harness, "fay", code=code, click=await harness.click(code))
    )

    assert fay.attribution == views.Attribution("code")
    assert "attribution" not in fay.timeline[1].data


async def test_of_several_clicks_before_the_sign_up_the_last_counts(harness: StoreHarness):
    await harness.click(await harness.publish("spring", "ada"))
    last = await harness.click(await harness.publish("spring", "ben"))

    fay = await referral(harness, await signed_up(harness, "fay", click=last))

    assert fay.advocate == "ben"


async def test_a_sign_up_binds_the_friend_whatever_is_clicked_later(harness: StoreHarness):
    ada, ben = await harness.publish("spring", "ada"), await harness.publish("spring", "ben")
    await signed_up(harness, "fay", click=await harness.click(ada))
    later = await harness.click(ben)

    again = await signed_up(harness, "fay", click=later)
    fay = await referral(harness, await converted(harness, "fay", click=later))

    assert reason(again) == "already_referred"
    assert (fay.advocate, fay.state) == ("ada", "rewarded")


async def test_once_the_window_is_over_a_new_click_counts(harness: StoreHarness):
    ada, ben = await harness.publish("spring", "ada"), await harness.publish("spring", "ben")
    await signed_up(harness, "fay", code=ada)
    harness.time += WINDOW
    fay = await referral(harness, await converted(harness, "fay", click=await harness.click(ben)))

    assert (fay.advocate, fay.attribution.by) == ("ben", "click")


async def test_a_sign_up_in_one_campaign_counts_for_more_than_a_click_of_another(
    harness: StoreHarness,
):
    await harness.apply(campaign("autumn"))
    spring, autumn = await harness.publish("spring", "ada"), await harness.publish("autumn", "ben")
    click = await harness.click(autumn)
    await signed_up(harness, "fay", code=spring)

    fay = await referral(harness, await converted(harness, "fay", click=click))
    gil = await referral(harness, await converted(harness, "gil", click=click))

    assert (fay.campaign, gil.campaign) == ("spring", "autumn")


async def test_a_click_of_a_campaign_with_another_conversion_event_is_ignored(
    harness: StoreHarness,
):
    await harness.apply(campaign("club", conversion={"event": "subscription_started"}))
    click = await harness.click(await harness.publish("club", "ada"))

    assert reason(await converted(harness, "fay", click=click)) == "unknown_code"


async def test_a_code_that_the_friend_typed_counts_for_more_than_a_click(harness: StoreHarness):
    ada, ben = await harness.publish("spring", "ada"), await harness.publish("spring", "ben")
    click = await aged(harness, ben)

    fay = await referral(harness, await signed_up(harness, "fay", code=ada, click=click))
    gil = await signed_up(harness, "gil", code="TYPO-1", click=await harness.click(ben))

    assert (fay.advocate, fay.attribution.by) == ("ada", "code")
    assert fay.window_ends_at == harness.time + WINDOW
    assert reason(gil) == "unknown_code"


@pytest.mark.parametrize("click", UNKNOWN_CLICKS)
@pytest.mark.parametrize("event", [signed_up, converted])
async def test_an_unknown_click_fails_no_event_with_a_good_code(
    harness: StoreHarness, event: Any, click: Any
):
    code = await harness.publish("spring", "ada")
    fay = await referral(harness, await event(harness, "fay", code=code, click=click))
    gil = await event(harness, "gil", click=click)

    assert fay.attribution == views.Attribution("code")
    assert reason(gil) == "unknown_code"


async def test_a_click_brings_one_friend_and_is_just_its_code_for_the_next(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    click = await harness.click(code)
    harness.time += DAY

    fay = await referral(harness, await signed_up(harness, "fay", click=click))
    gil = await referral(harness, await signed_up(harness, "gil", click=click))

    assert (fay.attribution.by, gil.attribution.by) == ("click", "code")
    assert gil.advocate == "ada"
    assert gil.window_ends_at == harness.time + WINDOW


async def test_a_friend_who_was_refused_leaves_the_click_to_the_next(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    click = await harness.click(code)
    assert reason(await converted(harness, "ada", click=click)) == "self_referral"

    fay = await referral(harness, await signed_up(harness, "fay", click=click))

    assert fay.attribution.by == "click"


async def test_a_sign_up_may_be_quicker_than_the_counting_of_its_click(
    harness: StoreHarness, monkeypatch: pytest.MonkeyPatch
):
    code = await harness.publish("spring", "ada")
    click = clicks.new_click(code)

    answer = await signed_up(harness, "fay", click=click)
    before = await referral(harness, answer)
    monkeypatch.setattr(clicks, "new_click", lambda _: click)
    await harness.click(code, "email")
    after = await referral(harness, answer)

    assert (before.advocate, before.attribution.by) == ("ada", "code")
    assert after.attribution == views.Attribution("click", click, harness.time, "email")


async def test_a_click_is_logged_with_its_channel_and_nothing_about_the_visitor(
    harness: StoreHarness,
):
    code = await harness.publish("spring", "ada")
    click = await harness.click(code, "telegram")
    async with harness.store.read() as tx:
        (row,) = await rows(tx, schema.clicks.select())
        *_, logged = await rows(tx, schema.activity.select().order_by(schema.activity.c.id))

    assert set(row._fields) == {"id", "campaign_id", "advocate_id", "code", "channel", "at"}
    assert (row.id, row.campaign_id, row.code, row.channel) == (click, "spring", code, "telegram")
    assert logged.data == {"channel": "telegram", "click": click}


async def test_a_click_that_the_shop_tells_of_is_counted_by_its_channel(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    await harness.event("referral_link_clicked", {"code": code})
    await harness.event("referral_link_clicked", {"code": code, "channel": "social"})
    async with harness.store.read() as tx:
        found = await rows(tx, schema.clicks.select().order_by(schema.clicks.c.channel))

    assert [row.channel for row in found] == ["link", "social"]


async def test_a_click_of_a_code_that_is_over_is_not_counted(harness: StoreHarness):
    await harness.apply(campaign("brief", code={"valid_for": "P1D"}))
    code = await harness.publish("brief", "ada")
    harness.time += DAY
    await harness.click(code)
    async with harness.store.read() as tx:
        assert await rows(tx, schema.clicks.select()) == []


async def test_of_friends_who_carry_one_click_at_once_one_is_brought_by_it(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    click = await harness.click(code)
    friends = [f"friend-{number}" for number in range(5)]
    for friend in friends:  # known before, so that only the sign-ups race
        await harness.publish("spring", friend)

    answers = await asyncio.gather(*(signed_up(harness, friend, click=click) for friend in friends))
    found = [(await referral(harness, answer)).attribution.by for answer in answers]

    assert sorted(found) == ["click", "code", "code", "code", "code"]
