"""Views of orders."""

from dataclasses import dataclass
from datetime import datetime

from referrals.domain.field_docs import Described


@dataclass(frozen=True)
class UnknownOrder(Described):
    """An order that events are about, and that no conversion has named."""

    source: str
    """Source of the order: `order.source` of its events, else the source of the events themselves."""
    order: str
    """Id of the order at its source."""
    since: datetime
    """Receipt of the first event about it."""
