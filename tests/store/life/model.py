"""Model of the programme: the decisions that the documents promise, without the engine's code and without SQL."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from tests.store.life.books import Books
from tests.store.life.orders import Order
from tests.store.life.people import Person
from tests.store.life.records import ACCEPTED, BY_ORDER, Answer, Code, Referral
from tests.store.life.terms import Terms
from tests.store.life.wallets import NEVER


class Programme(Books):
    """Everything that happened in one history, and the decisions about it."""

    def __init__(self) -> None:
        super().__init__()
        self.orders: dict[str, Order] = defaultdict(Order)
        self.codes: dict[str, Code] = {}

    def publish(self, text: str, terms: Terms, advocate: Person, now: datetime) -> Code:
        """Give the advocate this code, unless they have it already: one of each campaign is enough."""
        own = [
            each
            for each in self.codes.values()
            if (each.advocate.survivor, each.terms) == (advocate, terms)
        ]
        assert text in [each.text for each in own] if own else text not in self.codes
        if not own:
            advocate.purchases.append((now, None))
            self.codes[text] = Code(text, terms, advocate, now)
        return self.codes[text]

    def sign_up(self, friend: Person, code: Code, now: datetime) -> Answer:
        live = self._live(friend, code.terms, now)
        if live and live.is_sign_up_with(code):
            return Answer("accepted")
        if reason := self._objection(friend, code, live, now, now):
            return Answer("rejected", reason)
        self._expire_superseded(friend, code, now)
        new = Referral(friend, code, "signed_up", signed_up_at=now)
        self.referrals.append(new)
        return Answer("accepted", None, new)

    def convert(
        self,
        friend: Person,
        code: Code | Terms,
        order: Order,
        amount: int,
        occurred_at: datetime,
        now: datetime,
    ) -> Answer:
        """Decide about an order that brings a code, or only names the campaign."""
        if isinstance(code, Terms):
            found = self._code_of_sign_up(friend, code, occurred_at)
            if isinstance(found, str):
                return Answer("rejected", found)
            code = found
        at, terms = max(occurred_at, code.published_at), code.terms
        live = self._live(friend, terms, at)
        reason = self._objection(friend, code, live, at, now, order)
        if reason is None and amount < terms.minimum:
            reason = "rule_failed"
        if reason and live:
            return Answer("rejected", reason)
        referral = live or Referral(friend, code, closed_at=now)
        if not live:
            self.referrals.append(referral)
        review = None if reason else self._review(friend, code, live, at, now)
        referral.order, referral.reason = order, reason or order.objection(terms.minimum)
        if reason:
            return Answer("rejected", reason, referral)
        referral.converted_at = at
        referral.before = "in_review" if review or terms.review else "held"
        if referral.reason:
            return Answer("rejected", referral.reason, referral)
        self._expire_superseded(friend, code, now)
        referral.state, referral.reason, referral.closed_at = referral.before, review, NEVER
        self.accept(referral, now)
        decision = "accepted" if referral.state == "rewarded" else "held"
        return Answer(decision, review, referral)

    def _code_of_sign_up(self, friend: Person, terms: Terms, at: datetime) -> Code | str:
        """Return the code of the friend's latest sign-up, or the reason why there is none."""
        own = self._of_friend(friend, terms)
        latest = self._in_force(own) or (own[-1] if own else None)
        if latest and latest.state in ACCEPTED:
            return latest.code
        if latest is None or latest.signed_up_at == NEVER:
            return "unknown_code"
        return latest.code if latest.window_ends_at > at else "attribution_expired"

    def _live(self, friend: Person, terms: Terms, at: datetime) -> Referral | None:
        """Return the friend's referral in force. A sign-up whose window is over expires."""
        live = self._in_force(self._of_friend(friend, terms))
        if live and live.state == "signed_up" and live.window_ends_at <= at:
            self.close(live, "expired", live.reason, at)
            return None
        return live

    def _of_friend(self, friend: Person, terms: Terms) -> list[Referral]:
        return [each for each in self.referrals if (each.friend, each.terms) == (friend, terms)]

    def _in_force(self, referrals: Iterable[Referral]) -> Referral | None:
        """Return the referral in force, if any: rather one that was not superseded in a merge."""
        in_force = [each for each in referrals if each.binds or each.state == "signed_up"]
        return min(in_force, key=lambda each: each.superseded_by is not None, default=None)

    def _objection(
        self,
        friend: Person,
        code: Code,
        live: Referral | None,
        at: datetime,
        now: datetime,
        order: Order | None = None,
    ) -> str | None:
        """Return the reason why this advocate cannot refer the friend, by this order."""
        terms, is_signed_up = code.terms, live is not None and live.is_sign_up_with(code)
        if code.advocate.survivor is friend:
            return "self_referral"
        if live and not is_signed_up:
            return "already_referred"
        if order and any(each.binds and each.order is order for each in self._of(terms)):
            return "already_referred"
        if terms.new_only and not is_signed_up and self._is_customer(friend, at):
            return "existing_customer"
        if terms.same_person != "reject":
            return None
        certain = self.people.same(friend, certainly=True)
        return self._objection_to_same(certain, code, live, at, now)

    def _review(
        self, friend: Person, code: Code, live: Referral | None, at: datetime, now: datetime
    ) -> str | None:
        """Return the reason for a review: the friend may be somebody who cannot be referred."""
        possible = self.people.same(friend, certainly=False)
        found = self._objection_to_same(possible, code, live, at, now)
        return "same_person" if found and code.terms.same_person != "allow" else None

    def _objection_to_same(
        self, same: list[Person], code: Code, live: Referral | None, at: datetime, now: datetime
    ) -> str | None:
        """Return the reason why the friend cannot be referred if one of these is the same person."""
        if code.advocate.survivor in same:
            return "self_referral"
        for other in self._of(code.terms):
            is_open = other.state == "signed_up" and other.window_ends_at > now
            if other.friend in same and (other.binds or (is_open and other.code is not code)):
                return "already_referred"
        is_signed_up = live is not None and live.is_sign_up_with(code)
        is_asked = code.terms.new_only and not is_signed_up
        is_customer = any(self._is_customer(each, at) for each in same)
        return "existing_customer" if is_asked and is_customer else None

    def _of(self, terms: Terms) -> list[Referral]:
        return [each for each in self.referrals if each.terms is terms]

    def _is_customer(self, person: Person, at: datetime) -> bool:
        """Check whether the person got a code before, or bought something that was neither returned nor rejected."""
        return any(
            since < at and not (referral and (referral.is_returned or referral.state == "rejected"))
            for since, referral in person.purchases
        )

    def _expire_superseded(self, friend: Person, code: Code, now: datetime) -> None:
        """Expire the sign-ups with this code that the same person made under other ids."""
        if code.terms.same_person == "allow":
            return
        same = self.people.same(friend, certainly=True)
        for other in self.referrals:
            if other.friend in same and other.is_sign_up_with(code) and other.window_ends_at > now:
                self.close(other, "expired", other.reason, now)

    def pass_time(self, referral: Referral, now: datetime) -> None:
        """Do what the timer of a referral does when it is due."""
        if referral.state == "signed_up" and referral.window_ends_at <= now:
            self.close(referral, "expired", referral.reason, now)
        self.confirm_if_due(referral, now)

    def approve(self, referral: Referral, now: datetime) -> None:
        referral.state, referral.reason = "held", None
        self.confirm_if_due(referral, now)

    def reinstate(self, referral: Referral, now: datetime) -> str:
        """Let the conversion count again, unless the friend or the order counts elsewhere. Return the effect."""
        if not self.is_free(referral):
            return "kept"
        was_accepted = referral.state == "rolled_back"
        referral.state = "in_review" if referral.before == "in_review" else "held"
        referral.reason, referral.closed_at, referral.confirmed_at = None, NEVER, NEVER
        (self.renew if was_accepted else self.accept)(referral, now)
        return "reinstated"

    def is_free(self, referral: Referral) -> bool:
        others = [each for each in self._of(referral.terms) if each is not referral]
        of_friend = [each for each in others if each.friend is referral.friend]
        in_the_way = [each for each in of_friend if each not in referral.superseders]
        if self._in_force(each for each in in_the_way if not each.superseded_by):
            return False
        same = self.people.same(referral.friend, certainly=True)
        counted = [each for each in others if each.friend in same and each.state in ACCEPTED]
        if referral.terms.same_person == "reject" and counted:
            return False
        return not any(each.binds and each.order is referral.order for each in others)

    def reassess(self, order: Order, now: datetime) -> list[tuple[Referral, str]]:
        """Let the order's referrals follow its state. Return the effect on each."""
        of_order = [each for each in self.referrals if each.order is order]
        decided = [
            each
            for each in of_order
            if each.state in ACCEPTED | {"rolled_back"} or each.reason in BY_ORDER
        ]
        return [(referral, self._reassess(referral, order, now)) for referral in decided]

    def _reassess(self, referral: Referral, order: Order, now: datetime) -> str:
        reason = order.objection(referral.terms.minimum, referral.reinstated_at)
        if reason and referral.state in ACCEPTED:
            self.roll_back(referral, reason, now)
            return "rolled_back"
        if reason is None and referral.reason in BY_ORDER:
            return self.reinstate(referral, now)
        return "kept"
