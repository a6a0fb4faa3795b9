"""Balances of a customer."""

import pytest

from referrals.errors import UnknownCustomerError
from referrals.store.db.pages import Cursor
from referrals.store.reporting import wallets
from referrals.store.views import Balance, Wallet
from tests.harness.campaigns import EACH, campaign
from tests.harness.store_harness import StoreHarness


async def test_a_wallet_is_the_sum_of_its_entries(harness: StoreHarness):
    code = await harness.publish("spring", "ada")
    await harness.convert(code, "fay")
    await harness.roll_back((await harness.convert(code, "gil"))["referral"])
    async with harness.store.read() as tx:
        wallet = await wallets.get_wallet(tx, "ada")
        entries = (await wallets.list_entries(tx, "ada", Cursor())).data

    assert [entry.amount for entry in entries] == ["-100", "100", "100"]
    assert entries[0].reverses == entries[1].id
    # The milestone's reward is promised, and its advocate's workflow is not there to void it.
    assert wallet == Wallet("ada", [Balance("points", None, "100", "1000", "0")], [])


async def test_a_held_reward_is_pending(harness: StoreHarness):
    await harness.apply(campaign("held", conversion={"hold": "P14D"}))
    await harness.convert(await harness.publish("held", "ada"), "fay")
    async with harness.store.read() as tx:
        wallet = await wallets.get_wallet(tx, "fay")

    assert wallet.balances == [Balance("points", None, "0", "50", "0")]


async def test_credit_is_in_major_units_of_its_currency(harness: StoreHarness):
    credit = {"type": "gift_credit", "amount": "25.00", "currency": "EUR"}
    yen = {"type": "gift_credit", "amount": "300", "currency": "JPY"}
    tiers = [EACH, {"name": "credit", "each": True, "reward": yen}]
    await harness.apply(campaign("credit", rewards={"friend": credit, "tiers": tiers}))
    await harness.convert(await harness.publish("credit", "ada"), "fay")
    async with harness.store.read() as tx:
        of_fay = await wallets.get_wallet(tx, "fay")
        of_ada = await wallets.get_wallet(tx, "ada")
        (entry,) = (await wallets.list_entries(tx, "fay", Cursor())).data

    assert of_fay.balances == [Balance("gift_credit", "EUR", "25.00", "0.00", "0.00")]
    assert of_ada.balances == [
        Balance("gift_credit", "JPY", "300", "0", "0"),
        Balance("points", None, "100", "0", "0"),
    ]
    assert (entry.amount, entry.currency, entry.account) == ("25.00", "EUR", "wallet")


async def test_a_customer_who_earned_nothing_has_an_empty_wallet(harness: StoreHarness):
    await harness.publish("spring", "ada")
    async with harness.store.read() as tx:
        assert await wallets.get_wallet(tx, "ada") == Wallet("ada", [], [])


async def test_an_unknown_customer_has_no_wallet(harness: StoreHarness):
    async with harness.store.read() as tx:
        with pytest.raises(UnknownCustomerError, match="nobody"):
            await wallets.get_wallet(tx, "nobody")
        with pytest.raises(UnknownCustomerError, match="nobody"):
            await wallets.list_entries(tx, "nobody", Cursor())
