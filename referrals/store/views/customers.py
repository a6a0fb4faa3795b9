"""Views of customers in lists."""

from dataclasses import dataclass
from datetime import datetime

from referrals.domain.field_docs import Described


@dataclass(frozen=True)
class ListedCustomer(Described):
    """A customer without contact details, which only the route of one customer shows."""

    id: str
    """The caller's own id."""
    name: str | None
    """Name, as it came last."""
    locale: str | None
    """Language tag."""
    customer_since: datetime | None
    """Time of the registration, the first code or the first conversion."""
    created_at: datetime
    """Time at which the customer became known."""
