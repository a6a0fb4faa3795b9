"""Our ids of customers and advocates stand for the customer wherever the caller's ids do."""

import pytest

from referrals.errors import UnknownCustomerError
from referrals.store.customers import profiles
from referrals.store.db.pages import Cursor
from referrals.store.db.sql import find
from referrals.store.reporting import details, lists, wallets
from referrals.store.schema import advocates, customers
from tests.harness.store_harness import StoreHarness

ALL = Cursor(200)


@pytest.fixture(params=["customer", "advocate"])
async def ada(harness: StoreHarness, request: pytest.FixtureRequest) -> str:
    """Our id of the advocate ada, who has referred fay."""
    await harness.convert(await harness.publish("spring", "ada"), "fay")
    async with harness.store.read() as tx:
        row = await profiles.find(tx, "ada")
        assert row
        advocate = await find(tx, advocates, customer_id=row.id)
        assert advocate
        return row.id if request.param == "customer" else advocate.id


async def test_our_ids_find_the_customer(harness: StoreHarness, ada: str):
    async with harness.store.read() as tx:
        wallet = await wallets.get_wallet(tx, ada)
        listed = await lists.list_referrals(tx, "spring", ALL, advocate=ada)
        log = await lists.list_activity(tx, "spring", ALL, customer=ada)
        found = await details.get_advocate(tx, "spring", ada, harness.time, "https://go.example")

        assert wallet.customer == found.customer == "ada"
        assert [referral.friend for referral in listed.data] == ["fay"]
        assert {entry.advocate for entry in log.data} == {"ada"}
        with pytest.raises(UnknownCustomerError):
            await wallets.get_wallet(tx, f"cus_{'0' * 28}")


async def test_an_event_with_our_id_is_about_the_same_customer(harness: StoreHarness, ada: str):
    async with harness.store.read() as tx:
        before = len((await tx.execute(customers.select())).all())
    code = await harness.publish("spring", ada)
    answer = await harness.convert(code, ada)
    again = await harness.publish("spring", "ada")
    async with harness.store.read() as tx:
        after = len((await tx.execute(customers.select())).all())

    assert answer["reason"]["code"] == "self_referral"
    assert (code, after) == (again, before)


async def test_the_caller_s_own_id_comes_first(harness: StoreHarness, ada: str):
    """A customer of a payment provider may be `cus_…` as well."""
    async with harness.store.begin() as tx:
        await tx.execute(
            customers.update().where(customers.c.external_id == "fay").values(normalised_id=ada)
        )
        assert (await profiles.find(tx, ada)).external_id == "fay"
