"""The built-in double-entry ledger."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint

from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, Serial, column, one_of, table


class LedgerAccountRow(TableRow):
    """An account of the ledger: a customer's wallet, debt or spending, or a campaign's issued or expired amounts."""

    id: Field[int] = column(Serial, primary_key=True)
    kind: Field[str] = column(
        Text, one_of("kind", ["wallet", "owed", "issued", "spent", "expired"])
    )
    owner: Field[str] = column(
        Text, doc="A customer (wallet, owed, spent) or a campaign (issued, expired)."
    )
    type: Field[str] = column(Text)
    currency: Field[str] = column(Text, doc="Empty for points, because NULLs would not be unique.")


class LedgerAccountColumns(LedgerAccountRow, Columns[LedgerAccountRow]): ...


ledger_accounts = table(
    "ledger_accounts",
    LedgerAccountColumns,
    UniqueConstraint("kind", "owner", "type", "currency"),
)


class LedgerEntryRow(TableRow):
    """A booking of an amount from one account to another. Append-only."""

    id: Field[int] = column(Serial, primary_key=True)
    key: Field[str] = column(Text, unique=True)
    debit_id: Field[int] = column(Serial, ForeignKey("ledger_accounts.id"))
    credit_id: Field[int] = column(Serial, ForeignKey("ledger_accounts.id"))
    amount: Field[int] = column(BigInteger, CheckConstraint("amount > 0", name="amount"))
    reward_id: Field[str | None] = column(Text, ForeignKey("rewards.id"), index=True)
    reverses_id: Field[int | None] = column(Serial, ForeignKey("ledger_entries.id"), index=True)
    at: Field[datetime] = column(Instant)
    memo: Field[str] = column(Text)


class LedgerEntryColumns(LedgerEntryRow, Columns[LedgerEntryRow]): ...


ledger_entries = table(
    "ledger_entries",
    LedgerEntryColumns,
    CheckConstraint("debit_id <> credit_id", name="two_accounts"),
    Index("ix_ledger_entries_debit", "debit_id", "amount"),
    Index("ix_ledger_entries_credit", "credit_id", "amount"),
)
