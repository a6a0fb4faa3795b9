"""One history, played by the engine and by the model: the base of its rules."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.store.life.agreement import Agreement
from tests.store.life.model import Programme
from tests.store.life.orders import Change
from tests.store.life.people import Guest, Person
from tests.store.life.records import Code, Referral, Reward, Spending
from tests.store.life.shop import Shop
from tests.store.life.terms import Terms

MINUTE = timedelta(minutes=1)


class PlayedTwice(RuleBasedStateMachine):
    """A history in two campaigns. After each step, the engine and the model agree."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        shop.begin()
        self.shop = shop
        self.model = Programme()
        self.agreement = Agreement()
        self.codes: dict[tuple[str, Terms], Code] = {}
        self.spent: list[Spending] = []
        self.campaigns: tuple[Terms, ...] = ()
        self.events = 0
        self.sent: list[tuple[Any, Any, Any, Any]] = []

    def issued_coupons(self) -> list[Reward]:
        return [each for each in self.agreement.coupons if each.coupon_state == "issued"]

    @property
    def now(self) -> datetime:
        return self.shop.now

    def tick(self) -> None:
        self.shop.pass_time(MINUTE)

    def code(self, advocate: str, place: int) -> Code:
        """Return the advocate's code in the campaign; publish it before its first use."""
        self.tick()
        terms = self.campaigns[place]
        if (advocate, terms) not in self.codes:
            person = self.model.people.upsert(advocate)
            text = self.shop.publish(terms.name, advocate)
            self.codes[advocate, terms] = self.model.publish(text, terms, person, self.now)
        return self.codes[advocate, terms]

    def friend(
        self,
        who: str | Guest,
        email: str | None,
        phone: str | None,
        code: Code | None,
        *,
        signs_up: bool,
    ) -> Person:
        if isinstance(who, Guest):
            return self.model.people.guest(who, code.text if code else None, signs_up=signs_up)
        return self.model.people.upsert(who, email, phone)

    def change_order(
        self, source: str, number: str, kind: str, value: int | str, late: int | None
    ) -> datetime:
        """Record a change of the order with the model, and return when it happened."""
        at = self.now - timedelta(minutes=late, seconds=1) if late is not None else self.now
        self.model.orders[source + number].changes.append(Change(at, self.events, kind, value))
        return at

    def send(
        self, kind: str, data: dict[str, Any], source: str = "shop", at: datetime | None = None
    ) -> dict[str, Any]:
        envelope: dict[str, Any] = {"id": self.shop.named(f"e{self.events}"), "source": source}
        self.events += 1
        if at:
            envelope["time"] = at.isoformat()
        answer = self.shop.event(kind, data, **envelope)
        self.sent.append((kind, data, envelope, answer))
        return answer

    def reassess(
        self,
        kind: str,
        data: dict[str, Any],
        source: str,
        number: str,
        value: int | str,
        late: int | None,
    ) -> None:
        at = self.change_order(source, number, kind, value, late)
        order = self.model.orders[source + number]
        effects = self.model.reassess(order, self.now)
        answer = self.send(kind, data, source, at if late is not None else None)
        if any(change.kind in ("sold", "converted") for change in order.changes):
            expected = Counter(
                (self.agreement.ids[referral], effect) for referral, effect in effects
            )
        else:
            expected = Counter([(None, "unknown_order")])
        assert Counter((e["referral"], e["effect"]) for e in answer["effects"]) == expected

    def predict_command(self, kind: str, referral: Referral) -> None:
        if kind == "approve":
            self.model.approve(referral, self.now)
        elif kind == "reject":
            self.model.close(referral, "rejected", "rejected_by_review", self.now)
        elif kind == "reinstate":
            if self.model.reinstate(referral, self.now) == "reinstated":
                referral.reinstated_at = self.now
        elif referral.state == "rolled_back":
            referral.stays_free = referral.is_returned and not self.model.is_free(referral)
            referral.reason = "rolled_back_by_operator"
        else:
            self.model.roll_back(referral, "rolled_back_by_operator", self.now)

    @invariant()
    def the_engine_agrees_with_the_model(self) -> None:
        if self.events and self.model.referrals:
            if self.model.process_milestones(self.now):
                self.shop.complete_milestones(list(self.model.codes))
            self.agreement.check(self.model, self.shop.observe(list(self.model.codes)))
