"""API keys."""

import pytest
from sqlalchemy import select

from referrals.errors import KeyNameTakenError
from referrals.store import Store, api_keys
from referrals.store.schema import api_keys as api_keys_table


async def test_new_key_is_valid(store: Store):
    key = await api_keys.create(store, "shop")

    assert key.startswith("rk_")
    assert await api_keys.check(store, key) == "shop"


async def test_key_is_not_stored_in_plain_text(store: Store):
    key = await api_keys.create(store, "shop")

    async with store.read() as tx:
        stored = (await tx.execute(select(api_keys_table))).one()
    assert key not in map(str, stored)


@pytest.mark.parametrize("key", ["", "rk_", "rk_unknown", "\x00", "ключ", "\ud800"])
async def test_unknown_key_is_invalid(store: Store, key: str):
    await api_keys.create(store, "shop")

    assert await api_keys.check(store, key) is None


async def test_revoked_key_is_invalid(store: Store):
    key = await api_keys.create(store, "shop")

    assert await api_keys.revoke(store, "shop")
    assert await api_keys.check(store, key) is None
    assert not await api_keys.revoke(store, "shop")


async def test_name_can_have_only_one_active_key(store: Store):
    await api_keys.create(store, "shop")

    with pytest.raises(KeyNameTakenError, match="'shop'"):
        await api_keys.create(store, "shop")


async def test_name_can_be_reused_after_its_key_is_revoked(store: Store):
    old = await api_keys.create(store, "shop")
    await api_keys.revoke(store, "shop")
    new = await api_keys.create(store, "shop")

    assert [await api_keys.check(store, key) for key in (old, new)] == [None, "shop"]


async def test_ensure_is_idempotent(store: Store):
    await api_keys.ensure(store, "dev", "given")
    await api_keys.ensure(store, "dev", "given")

    assert await api_keys.check(store, "given") == "dev"
    assert len(await api_keys.list_keys(store)) == 1


async def test_ensure_replaces_the_key_of_a_name(store: Store):
    await api_keys.ensure(store, "dev", "one")
    await api_keys.ensure(store, "dev", "two")

    assert [await api_keys.check(store, key) for key in ("one", "two")] == [None, "dev"]


async def test_replaced_key_can_be_restored(store: Store):
    for key in ("one", "two", "one"):
        await api_keys.ensure(store, "dev", key)

    assert [await api_keys.check(store, key) for key in ("one", "two")] == ["dev", None]


async def test_ensure_moves_a_key_to_another_name(store: Store):
    await api_keys.ensure(store, "dev", "one")
    await api_keys.ensure(store, "shop", "one")

    assert await api_keys.check(store, "one") == "shop"


async def test_list_contains_keys_with_their_times(store: Store):
    await api_keys.create(store, "shop")
    await api_keys.create(store, "app")
    await api_keys.revoke(store, "shop")

    listed = await api_keys.list_keys(store)
    assert [(key.name, key.revoked_at is None) for key in listed] == [
        ("shop", False),
        ("app", True),
    ]
    assert all(key.created_at for key in listed)
