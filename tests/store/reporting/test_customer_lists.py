"""Customers and codes are found by what an operator knows of them."""

import pytest

from referrals.domain.events import Customer
from referrals.errors import UnknownCodeError
from referrals.store import Store
from referrals.store.customers import profiles
from referrals.store.db.pages import Cursor
from referrals.store.reporting import customer_lists, lists
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness

ALL = Cursor(200)
PEOPLE = [
    Customer(id="c-1", name="Ada Lovelace", email="ada.lovelace@gmail.com"),
    Customer(id="c-2", name="Fay_100%", email="fay@example.com"),
    Customer(id="gil@example.com"),
]


@pytest.fixture
async def harness(store: Store) -> StoreHarness:
    opened = StoreHarness(store)
    await opened.apply(campaign())
    async with store.begin() as tx:
        for person in PEOPLE:
            await profiles.upsert(tx, person, opened.now())
    return opened


async def found(harness: StoreHarness, **filters: str) -> list[str]:
    async with harness.store.read_long() as tx:
        page = await customer_lists.list_customers(tx, ALL, **filters)
    return [customer.id for customer in page.data]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["gil@example.com", "c-2", "c-1"]),
        ({"customer": "c-2"}, ["c-2"]),
        ({"customer": "GIL@example.com"}, ["gil@example.com"]),
        ({"email": "AdaLovelace+shop@gmail.com"}, ["c-1"]),
        ({"email": "gil@example.com"}, ["gil@example.com"]),
        ({"email": "nobody@example.com"}, []),
        ({"name": "LOVE"}, ["c-1"]),
        ({"name": "_100%"}, ["c-2"]),
        ({"name": "%"}, ["c-2"]),
        ({"name": "ada", "email": "fay@example.com"}, []),
    ],
)
async def test_customers_are_found(
    harness: StoreHarness, filters: dict[str, str], expected: list[str]
):
    assert await found(harness, **filters) == expected


async def test_a_merged_customer_is_found_under_the_survivor(harness: StoreHarness):
    await harness.merge("c-1", "c-2")

    assert await found(harness) == ["gil@example.com", "c-1"]
    assert await found(harness, customer="c-2") == ["c-1"]
    assert await found(harness, email="fay@example.com") == ["c-1"]


async def test_a_name_is_searched_among_the_newest_customers_only(
    harness: StoreHarness, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(customer_lists, "MAX_NAMES_SEARCHED", 2)

    assert await found(harness, name="a") == ["c-2"]


async def test_a_code_is_found_in_any_spelling(harness: StoreHarness):
    code = await harness.publish("spring", "c-1")
    async with harness.store.read() as tx:
        shown = await lists.get_code(tx, f" {code.lower()} ", "https://go.example")
        with pytest.raises(UnknownCodeError):
            await lists.get_code(tx, "NOBODYS", "https://go.example")

    assert (shown.code, shown.campaign, shown.customer) == (code, "spring", "c-1")
    assert shown.link == f"https://go.example/r/{code}"
