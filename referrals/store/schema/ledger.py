"""The built-in double-entry ledger."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
)

from referrals.store.schema.base import Instant, Serial, metadata, one_of

ledger_accounts = Table(
    "ledger_accounts",
    metadata,
    Column("id", Serial, primary_key=True),
    Column(
        "kind",
        Text,
        one_of("kind", ["wallet", "owed", "issued", "spent", "expired"]),
        nullable=False,
    ),
    # Whose account: a customer's wallet, debt or spending, or what a campaign has issued and what of it has expired.
    Column("owner", Text, nullable=False),
    Column("type", Text, nullable=False),
    # Empty for points: NULLs would not be unique.
    Column("currency", Text, nullable=False),
    UniqueConstraint("kind", "owner", "type", "currency"),
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("debit_id", ForeignKey("ledger_accounts.id"), nullable=False),
    Column("credit_id", ForeignKey("ledger_accounts.id"), nullable=False),
    Column("amount", BigInteger, CheckConstraint("amount > 0", name="amount"), nullable=False),
    Column("reward_id", ForeignKey("rewards.id"), index=True),
    Column("reverses_id", ForeignKey("ledger_entries.id"), index=True),
    Column("at", Instant, nullable=False),
    Column("memo", Text, nullable=False),
    CheckConstraint("debit_id <> credit_id", name="two_accounts"),
    Index("ix_ledger_entries_debit", "debit_id", "amount"),
    Index("ix_ledger_entries_credit", "credit_id", "amount"),
)
