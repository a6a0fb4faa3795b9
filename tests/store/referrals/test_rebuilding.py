"""Digests are rebuilt under a new secret while both are readable."""

from dataclasses import replace

import pytest

from referrals.store import Store, schema
from referrals.store.customers import rebuilding
from tests.harness.campaigns import campaign
from tests.harness.identity import IDENTITY
from tests.harness.store_harness import StoreHarness

NEW = ("new", "the new secret")
MAIL = "fay@shop.example"


@pytest.fixture
async def harness(store: Store) -> StoreHarness:
    harness = StoreHarness(store)
    await harness.apply(campaign())
    return harness


async def rebuild(store: Store) -> int:
    """Rebuild in chunks, and return how many customers had other digests."""
    last: str | None = ""
    changed = 0
    while last is not None:
        async with store.begin() as tx:
            last, count = await rebuilding.rebuild_chunk(tx, last)
        changed += count
    return changed


async def decision(harness: StoreHarness, code: str, own_id: str) -> str:
    friend = {"id": own_id, "email": MAIL}
    order = {"id": f"order-of-{own_id}", "amount": "9.00", "currency": "EUR"}
    data = {"code": code, "friend": friend, "order": order}
    return str((await harness.event("referral_converted", data))["decision"])


async def test_one_person_is_recognised_before_during_and_after_a_rebuild(
    store: Store, harness: StoreHarness, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rebuilding, "CHUNK_SIZE", 2)
    code = await harness.publish("spring", "ada")
    assert await decision(harness, code, "fay-1") == "accepted"
    async with store.begin() as tx:
        assert await rebuilding.count_outdated(tx, "new") == 1

    store.identity = replace(IDENTITY, contact_secrets=(NEW, *IDENTITY.contact_secrets))
    assert await decision(harness, code, "fay-2") == "rejected"
    assert (await rebuild(store), await rebuild(store)) == (1, 0)
    async with store.begin() as tx:
        assert await rebuilding.count_outdated(tx, "new") == 0

    store.identity = replace(IDENTITY, contact_secrets=(NEW,))
    assert await rebuild(store) == 2
    assert {row.key_id for row in await harness.all(schema.contacts)} == {"new"}
    assert await decision(harness, code, "fay-3") == "rejected"


async def test_a_guest_who_is_not_verified_stays_without_digests(
    store: Store, harness: StoreHarness
):
    code = await harness.publish("spring", "ada")
    await harness.event("referral_signed_up", {"code": code, "friend": {"email": MAIL}})

    assert await rebuild(store) == 0
    assert await harness.all(schema.contacts) == []
