"""Random histories of orders, people, rewards and merges: the engine decides what the model of the documents predicts.

The long form runs `LIFE_HISTORIES` histories; without it, the same few each time.
"""

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from referrals.errors import InsufficientBalanceError, NotPossibleError, UnknownCustomerError
from tests.harness.store_state_machine import examples
from tests.store.life.history import PlayedTwice
from tests.store.life.merging import merge
from tests.store.life.orders import PART
from tests.store.life.people import Guest
from tests.store.life.records import ACCEPTED, Spending
from tests.store.life.shop import Shop
from tests.store.life.terms import CAMPAIGNS

HISTORIES = int(os.environ.get("LIFE_HISTORIES", "12"))
STEPS = 14

names = st.sampled_from(["fay", "fay", "fay", "gus", "gus", "eve", "ada", "ben"])
guests = st.builds(Guest, email=st.sampled_from(["fay", "eve"]), verified=st.booleans())
friends = st.one_of(names, names, names, names, guests)
emails = st.sampled_from([None, None, "fay", "fay", "eve", "ada", "till"])
phones = st.sampled_from([None, None, None, "+1", "+2"])
spellings = st.integers(0, 2)
advocates = st.sampled_from(["ada", "ada", "ben"])
campaigns = st.sampled_from(sorted(CAMPAIGNS))
places = st.sampled_from([0, 0, 1])
sources = st.sampled_from(["shop", "shop", "app"])
numbers = st.sampled_from("123")
amounts = st.sampled_from([70, 90, 90, 110])
delays = st.sampled_from([None, None, 0, 3, 10])
"""Minutes by which an event arrives late; None for an event without a time."""
which = st.integers(0, 9)


class History(PlayedTwice):
    """Steps of shops, customers and operators."""

    @initialize(one=campaigns, other=campaigns)
    def begin(self, one: str, other: str) -> None:
        self.campaigns = (CAMPAIGNS[one], CAMPAIGNS[other])

    @rule(
        who=friends,
        advocate=advocates,
        place=places,
        email=emails,
        phone=phones,
        spelling=spellings,
    )
    def sign_up(
        self,
        who: str | Guest,
        advocate: str,
        place: int,
        email: str | None,
        phone: str | None,
        spelling: int,
    ) -> None:
        code = self.code(advocate, place)
        friend = self.friend(who, email, phone, code, signs_up=True)
        data = {"code": code.text, "friend": self.shop.person(who, email, phone, spelling)}
        expected = self.model.sign_up(friend, code, self.now)
        self.agreement.check_answer(self.send("referral_signed_up", data), expected)

    @rule(
        who=friends,
        advocate=advocates,
        place=places,
        brings_code=st.sampled_from([True, True, False]),
        email=emails,
        phone=phones,
        spelling=spellings,
        source=sources,
        number=numbers,
        amount=amounts,
        late=delays,
    )
    def convert(self, **values: Any) -> None:
        self.convert_person(**values)

    def convert_person(
        self,
        who: str | Guest,
        advocate: str,
        place: int,
        brings_code: bool,
        email: str | None,
        phone: str | None,
        spelling: int,
        source: str,
        number: str,
        amount: int,
        late: int | None,
    ) -> None:
        code = self.code(advocate, place) if brings_code else None
        self.tick()
        friend = self.friend(who, email, phone, code, signs_up=False)
        terms = self.campaigns[place]
        data = {
            "campaign": terms.name,
            "friend": self.shop.person(who, email, phone, spelling),
            "order": {"id": number, "amount": f"{amount}.00", "currency": "EUR"},
        } | ({"code": code.text} if code else {})
        at = self.change_order(
            source, number, "converted" if late is None else "sold", amount, late
        )
        order = self.model.orders[source + number]
        expected = self.model.convert(friend, code or terms, order, amount, at, self.now)
        answer = self.send("referral_converted", data, source, at if late is not None else None)
        self.agreement.check_answer(answer, expected)

    @rule(who=names, advocate=advocates, place=places, number=numbers, late=delays)
    def buy(self, who: str, advocate: str, place: int, number: str, late: int | None) -> None:
        """Convert without a word about contacts, with an order that reaches every minimum."""
        self.convert_person(who, advocate, place, True, None, None, 0, "shop", number, 90, late)

    @rule(
        kind=st.sampled_from(["order_cancelled", "order_reinstated", "order_updated"]),
        source=sources,
        number=numbers,
        amount=amounts,
        late=delays,
    )
    def change(self, kind: str, source: str, number: str, amount: int, late: int | None) -> None:
        self.tick()
        data: dict[str, Any] = {"order": {"id": number}}
        if kind == "order_updated":
            data["order"] |= {"amount": f"{amount}.00", "currency": "EUR"}
        self.reassess(kind, data, source, number, amount, late)

    @precondition(lambda self: self.model.referrals)
    @rule(source=sources, number=numbers, refund=st.sampled_from(["part", "whole"]), late=delays)
    def refund(self, source: str, number: str, refund: str, late: int | None) -> None:
        self.tick()
        part = {"amount": f"{PART}.00"} if refund == "part" else {}
        data = {"order": {"id": number}, "refund": {"id": refund} | part}
        self.reassess("order_refunded", data, source, number, refund, late)

    @precondition(lambda self: self.agreement.ids)
    @rule(
        kind=st.sampled_from(["approve", "approve", "reject", "roll_back", "reinstate"]),
        number=which,
    )
    def command(self, kind: str, number: int) -> None:
        possible = {
            "approve": {"in_review"},
            "reject": {"in_review"},
            "roll_back": ACCEPTED | {"rolled_back"},
            "reinstate": {"rolled_back"},
        }[kind]
        self.tick()
        known = sorted(self.agreement.ids, key=lambda each: each.state not in possible)
        referral = known[number % len(known)]
        try:
            self.shop.command(kind, self.agreement.ids[referral])
        except NotPossibleError:
            assert referral.state not in possible
            return
        assert referral.state in possible
        self.predict_command(kind, referral)

    @rule(who=names, email=emails, phone=phones, spelling=spellings)
    def update(self, who: str, email: str | None, phone: str | None, spelling: int) -> None:
        self.tick()
        self.model.people.upsert(who, email, phone)
        self.shop.update_customer(self.shop.person(who, email, phone, spelling))

    @precondition(lambda self: len(self.model.referrals) > 1)
    @rule(survivor=names, merged=names, spelling=spellings)
    def merge(self, survivor: str, merged: str, spelling: int) -> None:
        if survivor == merged:
            return
        self.tick()
        of_survivor, of_merged = [self.model.people.upsert(each) for each in (survivor, merged)]
        if of_survivor is not of_merged:
            merge(self.model, of_survivor, of_merged, self.now)
        data = {
            "customer": {"id": self.shop.named(survivor, spelling)},
            "from": self.shop.named(merged, spelling),
        }
        assert self.send("customer_merged", data)["merge"]

    @precondition(lambda self: self.model.referrals)
    @rule(who=names, asset=st.sampled_from(["points", "points", "credit"]), part=st.integers(1, 2))
    def spend(self, who: str, asset: str, part: int) -> None:
        self.tick()
        known = self.model.people.by_name.get(who)
        wallet = known.survivor.wallets[asset] if known else None
        amount = wallet.balance // part if wallet and wallet.balance else 10
        key = f"k{len(self.spent)}"
        try:
            self.shop.spend(self.shop.named(who), asset, amount, key)
        except UnknownCustomerError:
            assert known is None
        except InsufficientBalanceError:
            assert wallet is not None
            assert wallet.balance == 0
        else:
            assert known is not None
            known.survivor.wallets[asset].spend(amount)
            self.spent.append(Spending(known, asset, amount))

    @precondition(lambda self: self.issued_coupons())
    @rule(number=which)
    def redeem_coupon(self, number: int) -> None:
        self.tick()
        issued = self.issued_coupons()
        reward = issued[number % len(issued)]
        holder = reward.holder.survivor
        key = f"k{len(self.spent)}"
        self.shop.redeem_coupon(
            self.agreement.customers[holder], self.agreement.coupons[reward], key
        )
        reward.coupon.state = "redeemed"
        self.spent.append(Spending(holder, "coupon", 1, reward.coupon))

    @precondition(lambda self: self.spent)
    @rule(number=which)
    def reverse(self, number: int) -> None:
        index = number % len(self.spent)
        spending = self.spent[index]
        if (
            spending.asset == "credit"
        ):  # which lot an expired amount goes back to is tested elsewhere
            return
        self.tick()
        self.model.give_back(spending)
        self.shop.reverse(self.agreement.customers[spending.customer.survivor], f"k{index}")

    @precondition(lambda self: self.model.referrals)
    @rule(days=st.sampled_from([1, 2, 6]))
    def pass_time(self, days: int) -> None:
        self.shop.pass_time(timedelta(days=days))
        for referral in self.model.referrals:
            if referral.state in ("signed_up", "held"):
                self.model.pass_time(referral, self.now)
                self.shop.fire_timer(self.agreement.workflows[referral])
        self.shop.expire()
        for person in self.model.people.everybody:
            for wallet in person.wallets.values():
                wallet.expire(self.now)

    @precondition(lambda self: len(self.sent) > 2)
    @rule(number=which)
    def repeat(self, number: int) -> None:
        """Send an event again: it gets the first answer and changes nothing."""
        self.tick()
        kind, data, envelope, answer = self.sent[number % len(self.sent)]
        assert self.shop.event(kind, data, **envelope) == answer


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    opened = Shop(database_url)
    yield opened
    opened.close()


def test_the_engine_decides_as_the_model_in_random_histories(shop: Shop):
    few = settings(examples(HISTORIES, STEPS), derandomize="LIFE_HISTORIES" not in os.environ)
    run_state_machine_as_test(lambda: History(shop), settings=few)
    assert shop.histories >= HISTORIES
