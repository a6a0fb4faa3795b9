"""The report of a merge: what moved to the surviving customer, and what both had of which one person has only one."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from referrals.store.ledger.transfers import Transfer
from referrals.store.rewards.reward_rows import amount_text
from referrals.store.schema import CustomerRow, ReferralRow
from referrals.store.views import MergeConflict, MergedBalance, MergeReport


@dataclass
class Merge:
    """A merge under way: the two customers, who asked for it and why, and its report so far.

    `changed_referrals` are those that the merge closed or superseded; their workflows are notified.
    """

    survivor: CustomerRow
    merged: CustomerRow
    actor: str
    reason: str | None
    now: datetime
    moved: dict[str, int] = field(default_factory=dict)
    transfers: list[Transfer] = field(default_factory=list)
    conflicts: list[MergeConflict] = field(default_factory=list)
    changed_referrals: list[ReferralRow] = field(default_factory=list)

    def count(self, name: str, number: int) -> None:
        """Add to the number of rows that moved."""
        self.moved[name] = self.moved.get(name, 0) + number

    def report(self) -> dict[str, Any]:
        """Return the view as JSON, as it is stored."""
        view = MergeReport(
            customer=self.survivor.external_id,
            merged=self.merged.external_id,
            merged_at=self.now,
            merged_by=self.actor,
            reason=self.reason,
            moved=dict(sorted(self.moved.items())),
            balances=[_balance(each) for each in self.transfers],
            conflicts=self.conflicts,
        )
        return asdict(view) | {"merged_at": self.now.isoformat()}


def _balance(transfer: Transfer) -> MergedBalance:
    kind, currency = transfer.asset.type, transfer.asset.currency
    amounts = (transfer.moved, transfer.debt, transfer.repaid)
    return MergedBalance(kind, currency, *(amount_text(each, currency) for each in amounts))
