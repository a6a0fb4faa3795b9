"""Model of a wallet: lots that are spent in the order of their expiry, and debts that every credit repays first."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass
class Lot:
    """The rest of a grant; `reward` is None for a spending that was undone."""

    reward: Any
    left: int
    expires_at: datetime


@dataclass
class Debt:
    """The amount owed for a reward that was spent before its roll-back."""

    reward: Any
    left: int


@dataclass
class Wallet:
    """The lots and debts of one customer in one asset."""

    lots: list[Lot] = field(default_factory=list)
    debts: list[Debt] = field(default_factory=list)

    @property
    def balance(self) -> int:
        return sum(lot.left for lot in self.lots)

    @property
    def owed(self) -> int:
        return sum(debt.left for debt in self.debts)

    def credit(self, reward: Any, amount: int, expires_at: datetime = NEVER) -> None:
        """Add a lot, and repay debts by its amount, those of the same reward's earlier occurrences first."""
        self.lots.append(Lot(reward, amount, expires_at))
        self._repay(amount, reward.key if reward else None)

    def spend(self, amount: int) -> None:
        for lot in sorted(self.lots, key=lambda lot: lot.expires_at):  # stable: the older first
            taken = min(amount, lot.left)
            lot.left -= taken
            amount -= taken
        assert amount == 0

    def roll_back(self, reward: Any, amount: int) -> None:
        """Take the reward back as far as the wallet holds anything; the rest is owed."""
        taken = min(amount, self.balance)
        if taken < amount:
            self.debts.append(Debt(reward, amount - taken))
        for lot in self.lots:
            if lot.reward is reward:
                own = min(taken, lot.left)
                lot.left -= own
                taken -= own
        self.spend(taken)

    def expire(self, now: datetime) -> None:
        for lot in self.lots:
            if lot.expires_at <= now and lot.left:
                lot.reward.expired += lot.left
                lot.left = 0

    def absorb(self, other: "Wallet") -> None:
        """Take over everything of the wallet of a merged customer."""
        self.lots += other.lots
        self.debts += other.debts
        other.lots, other.debts = [], []
        self._repay(self.balance, None)

    def _repay(self, amount: int, key: Any) -> None:
        for debt in sorted(self.debts, key=lambda debt: key is None or debt.reward.key != key):
            repaid = min(amount, debt.left)
            debt.left -= repaid
            amount -= repaid
            self.spend(repaid)
