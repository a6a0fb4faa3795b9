"""API keys."""

from sqlalchemy import Column, Table, Text

from referrals.store.schema.base import Instant, Serial, metadata, unique_where

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("name", Text, nullable=False),
    Column("key_hash", Text, nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    unique_where("uq_api_keys_name", "name", where="revoked_at IS NULL"),
)
