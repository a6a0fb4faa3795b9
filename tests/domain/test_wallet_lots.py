"""Remaining amounts of grants, compared with a model that stores each grant separately."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from referrals.domain.wallet_lots import LotEntry, remaining_by_lot
from tests.harness.wallet_model import NEVER, Lot, WalletModel

START = datetime(2026, 3, 4, 10, tzinfo=UTC)
amounts = st.integers(1, 9)
operations = st.one_of(
    st.tuples(st.just("grant"), amounts, st.sampled_from([None, 1, 2, 3])),
    st.tuples(st.just("spend"), amounts, st.none()),
    st.tuples(st.just("roll back"), st.integers(0, 20), st.booleans()),
    st.tuples(st.just("pass time"), st.integers(1, 2), st.none()),
)


class Wallet:
    """A wallet, and the entries that the ledger would make of what happens to it."""

    def __init__(self) -> None:
        self.now = START
        self.model = WalletModel()
        self.unspent: list[Lot] = []
        self.lines: list[LotEntry] = []

    def name(self, lot: Lot) -> str:
        return str(next(n for n, mine in enumerate(self.model.lots) if mine is lot))

    def enter(self, amount: int, lot: Lot | None = None) -> None:
        if amount:
            expires_at = lot.expires_at if lot and lot.expires_at < NEVER else None
            self.lines.append(LotEntry(amount, self.name(lot) if lot else None, expires_at))

    def grant(self, amount: int, days: int | None) -> None:
        expires_at = self.now + timedelta(days=days) if days else NEVER
        owed = self.model.owed
        lot = self.model.grant(amount, expires_at)
        self.unspent.append(lot)
        self.enter(amount, lot)
        self.enter(self.model.owed - owed)  # repaid

    def spend(self, amount: int, _: None) -> None:
        if amount <= self.model.held:
            self.model.spend(amount)
            self.enter(-amount)

    def roll_back(self, number: int, allow_negative: bool) -> None:
        if self.unspent:
            lot = self.unspent.pop(number % len(self.unspent))
            owed = self.model.roll_back(lot, allow_negative=allow_negative)
            self.enter(owed + lot.expired - lot.amount, lot)

    def pass_time(self, days: int, _: None) -> None:
        self.now += timedelta(days=days)
        before = [lot.over for lot in self.model.lots]
        self.model.pass_time(self.now)
        for lot, was_over in zip(self.model.lots, before, strict=True):
            if not was_over:
                self.enter(-lot.expired, lot)
        self.model.book()


@settings(max_examples=500)
@given(st.lists(operations, max_size=25))
def test_the_entries_determine_the_remainder_of_every_grant(
    sequence: list[tuple[str, int, object]],
):
    wallet = Wallet()
    for kind, *arguments in sequence:
        getattr(wallet, kind.replace(" ", "_"))(*arguments)

        lots = {wallet.name(lot): lot.left for lot in wallet.model.lots}
        assert remaining_by_lot(wallet.lines) == lots


def test_spending_does_not_use_later_grants():
    """Else points granted for a week would turn into points for ever."""
    soon = START + timedelta(days=7)
    lines = [
        LotEntry(100, "for ever", None),
        LotEntry(-60, None, None),
        LotEntry(100, "a week", soon),
    ]

    assert remaining_by_lot(lines) == {"for ever": 40, "a week": 100}


def test_a_wallet_of_years_is_read_at_once():
    days = [START + timedelta(days=n) for n in range(100_000)]
    grants = [LotEntry(10, str(n), day) for n, day in enumerate(days)]
    spendings = [LotEntry(-9, None, None)] * 100_000

    assert sum(remaining_by_lot(grants + spendings).values()) == 100_000
