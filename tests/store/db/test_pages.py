"""Paging, on every kind of key."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from referrals.errors import InvalidRequestError
from referrals.store.db.pages import Cursor
from referrals.store.reporting import details, lists, reward_lists, wallets
from referrals.store.views import Page
from tests.harness.campaigns import campaign
from tests.harness.store_harness import START, StoreHarness

URL = "https://shop.example"

Read = Callable[[Any, Cursor], Awaitable[Page[Any]]]

LISTS: dict[str, tuple[Read, int]] = {
    "campaigns": (lists.list_campaigns, 3),
    "codes": (lambda tx, cursor: lists.list_codes(tx, "spring", cursor), 3),
    "advocates": (lambda tx, cursor: details.list_advocates(tx, "spring", cursor, URL), 3),
    "referrals": (lambda tx, cursor: lists.list_referrals(tx, "spring", cursor), 3),
    "rewards": (lambda tx, cursor: reward_lists.list_rewards(tx, "spring", cursor, START), 7),
    "activity": (lambda tx, cursor: lists.list_activity(tx, "spring", cursor), 14),
    "entries": (lambda tx, cursor: wallets.list_entries(tx, "ada", cursor), 3),
}


@pytest.mark.parametrize("name", LISTS)
async def test_pages_hold_every_row_once_newest_first(harness: StoreHarness, name: str):
    await _fill(harness)
    read, count = LISTS[name]
    async with harness.store.read() as tx:
        whole = await read(tx, Cursor(200))
        paged: list[Any] = []
        after = None
        while True:
            page = await read(tx, Cursor(2, after))
            assert 0 < len(page.data) <= 2
            paged += page.data
            after = page.next
            if after is None:
                break

    assert len(whole.data) == count
    assert paged == whole.data
    assert whole.next is None


async def test_rows_that_come_meanwhile_do_not_move_the_following_pages(harness: StoreHarness):
    await _fill(harness)
    async with harness.store.read() as tx:
        first = await lists.list_referrals(tx, "spring", Cursor(1))
        rest = (await lists.list_referrals(tx, "spring", Cursor(10))).data[1:]
    await harness.convert(await harness.publish("spring", "bob"), "flo")
    async with harness.store.read() as tx:
        following = await lists.list_referrals(tx, "spring", Cursor(10, first.next))

    assert following.data == rest


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("after", ["nonsense", "", "-1", "9" * 30, "ref_0' OR 1=1", "²"])
async def test_a_wrong_cursor_is_a_problem_that_names_it(
    harness: StoreHarness, name: str, after: str
):
    await _fill(harness)
    read, _ = LISTS[name]
    async with harness.store.read() as tx:
        with pytest.raises(InvalidRequestError) as caught:
            await read(tx, Cursor(2, after))

    assert [error.field for error in caught.value.errors] == ["after"]


async def _fill(harness: StoreHarness) -> None:
    """Ada's two friends convert, which is a milestone; Ben's one does."""
    for name in ("summer", "winter"):
        await harness.apply(campaign(name))
    ada = await harness.publish("spring", "ada")
    ben = await harness.publish("spring", "ben")
    await harness.publish("spring", "cem")
    await harness.convert(ada, "fay")
    await harness.convert(ada, "gil")
    await harness.convert(ben, "hal")
    await harness.complete_milestones()
