"""Customers, the only table with contact details, the digests that identify them, and their consents."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Text, UniqueConstraint

from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, Serial, column, index_where, one_of, table


class CustomerRow(TableRow):
    """A customer of the caller: the only table with contact details."""

    id: Field[str] = column(Text, primary_key=True)
    external_id: Field[str] = column(
        Text,
        doc="The caller's id as it came first; the internal id of a friend known by a contact.",
    )
    normalised_id: Field[str] = column(
        Text, unique=True, doc="`external_id` in the form by which ids are compared."
    )
    contact_key: Field[str | None] = column(
        Text, unique=True, doc="HMAC of the contact by which alone a friend is known."
    )
    reward_subject: Field[str] = column(
        Text,
        doc="Part of the keys of rewards: HMAC of the first external id. Survives merge and erasure.",
    )
    identified_by: Field[str | None] = column(
        Text, doc="The customer's digests in `contacts`, separated by spaces."
    )
    name: Field[str | None] = column(Text)
    email: Field[str | None] = column(Text)
    phone: Field[str | None] = column(Text, index=True)
    locale: Field[str | None] = column(Text)
    timezone: Field[str | None] = column(Text)
    consent: Field[list[str] | None] = column(
        JSON,
        doc="The list of channels that the caller sent last; `consents` says what is in force.",
    )
    customer_since: Field[datetime | None] = column(Instant)
    merged_into: Field[str | None] = column(
        Text,
        ForeignKey("customers.id"),
        doc="The surviving customer, for whom this id stands since a merge; never itself merged.",
    )
    created_at: Field[datetime] = column(Instant)


class CustomerColumns(CustomerRow, Columns[CustomerRow]): ...


customers = table(
    "customers",
    CustomerColumns,
    CheckConstraint("merged_into <> id", name="merged_into"),
    index_where("ix_customers_merged", "merged_into", where="merged_into IS NOT NULL"),
)


class CustomerMergeRow(TableRow):
    """A merge of a customer into another: who asked for it, why, when, and what it did. Append-only."""

    customer_id: Field[str] = column(Text, ForeignKey("customers.id"), primary_key=True)
    into_id: Field[str] = column(
        Text, ForeignKey("customers.id"), doc="The surviving customer, who may be merged later."
    )
    actor: Field[str] = column(Text)
    reason: Field[str | None] = column(Text)
    at: Field[datetime] = column(Instant)
    report: Field[dict[str, Any]] = column(JSON, doc="The response to every repeat of the merge.")


class CustomerMergeColumns(CustomerMergeRow, Columns[CustomerMergeRow]): ...


customer_merges = table("customer_merges", CustomerMergeColumns)


class ContactRow(TableRow):
    """Digest of an email or phone, by which customers with different ids are recognised as one person."""

    digest: Field[str] = column(Text, primary_key=True)
    customer_id: Field[str] = column(Text, ForeignKey("customers.id"), primary_key=True, index=True)
    kind: Field[str] = column(
        Text,
        one_of("kind", ["email", "lookalike", "phone"]),
        primary_key=True,
    )
    key_id: Field[str] = column(Text, index=True, doc="Secret of the digest.")


class ContactColumns(ContactRow, Columns[ContactRow]): ...


contacts = table("contacts", ContactColumns)


class ConsentRow(TableRow):
    """A consent that a customer gave or withdrew. The latest `at` per channel and purpose is in force. Append-only."""

    id: Field[int] = column(Serial, primary_key=True)
    customer_id: Field[str] = column(Text, ForeignKey("customers.id"))
    channel: Field[str] = column(Text, one_of("channel", ["email", "whatsapp", "http"]))
    purpose: Field[str] = column(Text, one_of("purpose", ["service", "marketing"]))
    state: Field[str] = column(Text, one_of("state", ["given", "withdrawn"]))
    source: Field[str] = column(
        Text, one_of("source", ["list", "api", "link", "whatsapp", "http", "operator"])
    )
    at: Field[datetime] = column(Instant)


class ConsentColumns(ConsentRow, Columns[ConsentRow]): ...


consents = table(
    "consents",
    ConsentColumns,
    # Repeated messages of the caller add nothing.
    UniqueConstraint("customer_id", "channel", "purpose", "state", "source", "at"),
)
