"""The current state of an order, merged from its events in any order of arrival.

Each event states some facts. The latest statement of a fact holds, by the time of its event and then by its receipt. A
merge is therefore commutative, associative and idempotent: any sequence of the same events ends in the same state.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple, TypeVar

from pydantic import TypeAdapter

from referrals.domain.money import decimals_of, parse_amount

T = TypeVar("T")


class Moment(NamedTuple):
    """When an event happened; its id, which follows the receipt, decides between equal times."""

    at: datetime
    event: str


BEGINNING = Moment(datetime.min.replace(tzinfo=UTC), "")


class Fact(NamedTuple):
    """The latest statement of a fact."""

    moment: Moment
    value: Any = None


class Refund(NamedTuple):
    """A refund, first stated at `since`; its latest amount is a decimal string, or None for the whole order."""

    since: Moment
    latest: Moment
    amount: str | None


@dataclass(frozen=True)
class OrderState:
    """Facts by name, and refunds by their ids.

    `total`, `items` and `attributes` are those of the order before refunds. `cancelled` and `reinstated` have no value.
    `converted` is the time that a conversion names: the order stood then.
    """

    facts: dict[str, Fact] = field(default_factory=dict)
    refunds: dict[str, Refund] = field(default_factory=dict)

    def merge(self, other: "OrderState") -> "OrderState":
        """Return the state after the events of both."""
        facts = [
            (name, max(found, key=lambda fact: fact.moment))
            for name, found in _grouped(self.facts, other.facts)
        ]
        refunds = [(name, _merge(found)) for name, found in _grouped(self.refunds, other.refunds)]
        return OrderState(dict(facts), dict(refunds))

    def details(self, order_id: str) -> dict[str, Any] | None:
        """Return the order before refunds, as conversions carry it; None if no event has stated its amount."""
        if "total" not in self.facts:
            return None
        parts = {
            name: self.facts[name].value if name in self.facts else empty
            for name, empty in (("items", []), ("attributes", {}))
        }
        return {"id": order_id, **self.facts["total"].value, **parts}

    @property
    def currency(self) -> str:
        return str(self.facts["total"].value["currency"])

    @property
    def minor(self) -> int:
        """Amount before refunds, in minor units."""
        return parse_amount(self.facts["total"].value["amount"], self.currency)

    def is_cancelled(self, since: datetime | None = None) -> bool:
        """Check whether the order is cancelled; cancellations before `since` do not count."""
        stood = max(self._counts_from(since), self._moment("converted"))
        return self._moment("cancelled") > stood

    def refunded(self, since: datetime | None = None) -> int:
        """Return the refunded amount in minor units, possibly above the order's; refunds before `since` do not count."""
        return self._total(self._counted_refunds(since))

    def is_refunded(self, since: datetime | None = None) -> bool:
        """Check whether the whole order is refunded; refunds before `since` do not count."""
        return self._is_whole(self._counted_refunds(since))

    def _counted_refunds(self, since: datetime | None) -> list[Refund]:
        """Return the refunds that count. A conversion after the whole order was refunded says that it was sold again."""
        start, sold = self._counts_from(since), self._moment("converted")
        counted = [refund for refund in self.refunds.values() if refund.since > start]
        before_sale = [refund for refund in counted if refund.since < sold]
        return [r for r in counted if r.since > sold] if self._is_whole(before_sale) else counted

    def _is_whole(self, refunds: list[Refund]) -> bool:
        return bool(refunds) and self._total(refunds) >= self.minor

    def _counts_from(self, since: datetime | None) -> Moment:
        return max(self._moment("reinstated"), Moment(since, "~") if since else BEGINNING)

    def _moment(self, name: str) -> Moment:
        return self.facts[name].moment if name in self.facts else BEGINNING

    def _total(self, refunds: list[Refund]) -> int:
        amounts = [refund.amount for refund in refunds]
        whole = self.minor if None in amounts else 0
        parts = sum((Decimal(amount) for amount in amounts if amount is not None), Decimal(0))
        minor = parts.scaleb(decimals_of(self.currency))
        return max(whole, int(minor.to_integral_value(ROUND_HALF_UP)))


def _merge(refunds: list[Refund]) -> Refund:
    """Return one refund from several statements of it."""
    latest = max(refunds, key=lambda refund: refund.latest)
    return latest._replace(since=min(refund.since for refund in refunds))


def _grouped(*parts: dict[str, T]) -> Iterator[tuple[str, list[T]]]:
    for name in sorted(set().union(*parts)):
        yield name, [part[name] for part in parts if name in part]


_JSON = TypeAdapter(OrderState)


def to_json(state: OrderState) -> Any:
    """Return the state as it is stored."""
    return _JSON.dump_python(state, mode="json")


def from_json(stored: Any) -> OrderState:
    return _JSON.validate_python(stored)
