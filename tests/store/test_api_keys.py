"""API keys."""

import pytest
from sqlalchemy import select

from referrals.errors import KeyNameTakenError
from referrals.store import Store, api_keys
from referrals.store.schema import api_keys as api_keys_table


async def test_a_new_key_is_valid_under_its_name(store: Store):
    key = await api_keys.create(store, "shop")

    assert key.startswith("rk_")
    assert await api_keys.check(store, key) == "shop"


async def test_a_key_is_not_stored(store: Store):
    key = await api_keys.create(store, "shop")

    async with store.read() as tx:
        kept = (await tx.execute(select(api_keys_table))).one()
    assert key not in map(str, kept)


@pytest.mark.parametrize("key", ["", "rk_", "rk_unknown", "\x00", "ключ", "\ud800"])
async def test_any_other_key_is_not_valid(store: Store, key: str):
    await api_keys.create(store, "shop")

    assert await api_keys.check(store, key) is None


async def test_a_revoked_key_is_not_valid(store: Store):
    key = await api_keys.create(store, "shop")

    assert await api_keys.revoke(store, "shop")
    assert await api_keys.check(store, key) is None
    assert not await api_keys.revoke(store, "shop")


async def test_a_name_has_one_valid_key(store: Store):
    await api_keys.create(store, "shop")

    with pytest.raises(KeyNameTakenError, match="'shop'"):
        await api_keys.create(store, "shop")


async def test_a_name_can_be_used_again_after_its_key_was_revoked(store: Store):
    old = await api_keys.create(store, "shop")
    await api_keys.revoke(store, "shop")
    new = await api_keys.create(store, "shop")

    assert [await api_keys.check(store, key) for key in (old, new)] == [None, "shop"]


async def test_ensuring_a_key_twice_changes_nothing(store: Store):
    await api_keys.ensure(store, "dev", "given")
    await api_keys.ensure(store, "dev", "given")

    assert await api_keys.check(store, "given") == "dev"
    assert len(await api_keys.list_keys(store)) == 1


async def test_ensuring_another_key_replaces_that_name_s_key(store: Store):
    await api_keys.ensure(store, "dev", "one")
    await api_keys.ensure(store, "dev", "two")

    assert [await api_keys.check(store, key) for key in ("one", "two")] == [None, "dev"]


async def test_a_replaced_key_can_come_back(store: Store):
    for key in ("one", "two", "one"):
        await api_keys.ensure(store, "dev", key)

    assert [await api_keys.check(store, key) for key in ("one", "two")] == ["dev", None]


async def test_ensuring_a_key_under_another_name_moves_it(store: Store):
    await api_keys.ensure(store, "dev", "one")
    await api_keys.ensure(store, "shop", "one")

    assert await api_keys.check(store, "one") == "shop"


async def test_keys_are_listed_with_their_times(store: Store):
    await api_keys.create(store, "shop")
    await api_keys.create(store, "app")
    await api_keys.revoke(store, "shop")

    listed = await api_keys.list_keys(store)
    assert [(key.name, key.revoked_at is None) for key in listed] == [
        ("shop", False),
        ("app", True),
    ]
    assert all(key.created_at for key in listed)
