"""Simple model of a wallet: each grant is one lot, and lots are spent and expire one by one."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass
class Lot:
    amount: int
    left: int
    expires_at: datetime
    over: bool = False
    expired: int = 0


@dataclass
class WalletModel:
    """A wallet; `unbooked` points have expired, but their expiry is not booked yet."""

    lots: list[Lot] = field(default_factory=list)
    short: int = 0
    spent: int = 0
    owed: int = 0
    expired: int = 0
    unbooked: int = 0

    @property
    def held(self) -> int:
        return sum(lot.left for lot in self.lots) - self.short

    def pass_time(self, now: datetime) -> None:
        for lot in self.lots:
            if lot.expires_at <= now and not lot.over:
                lot.over, lot.expired, lot.left = True, lot.left, 0
                self.unbooked += lot.expired

    def book(self) -> None:
        self.expired += self.unbooked
        self.unbooked = 0

    def grant(self, amount: int, expires_at: datetime) -> Lot:
        filled = min(self.short, amount)
        self.short -= filled
        lot = Lot(amount, amount - filled, expires_at)
        self.lots.append(lot)
        repaid = max(min(self.owed, amount, self.held + self.unbooked), 0)
        self.owed -= repaid
        self._take(repaid)
        return lot

    def spend(self, amount: int) -> None:
        self.book()
        self.spent += amount
        self._take(amount)

    def roll_back(self, lot: Lot, *, allow_negative: bool) -> int:
        """Roll a grant back, and return the amount that the customer now owes."""
        self.book()
        amount = lot.amount - lot.expired
        taken = amount if allow_negative else min(amount, max(self.held, 0))
        own = min(taken, lot.left)
        lot.left -= own
        self._take(taken - own)
        self.owed += amount - taken
        return amount - taken

    def _take(self, amount: int) -> None:
        for lot in sorted(
            self.lots, key=lambda lot: lot.expires_at
        ):  # a stable sort: the older first
            taken = min(amount, lot.left)
            lot.left -= taken
            amount -= taken
        self.short += amount
