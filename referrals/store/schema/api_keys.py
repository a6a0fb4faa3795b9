"""API keys."""

from datetime import datetime

from sqlalchemy import Text

from referrals.store.db.columns import Columns, Field, TableRow
from referrals.store.schema.base import Instant, Serial, column, table, unique_where


class ApiKeyRow(TableRow):
    """An API key, stored as a hash."""

    id: Field[int] = column(Serial, primary_key=True)
    name: Field[str] = column(Text)
    key_hash: Field[str] = column(Text, unique=True)
    created_at: Field[datetime] = column(Instant)
    revoked_at: Field[datetime | None] = column(Instant)


class ApiKeyColumns(ApiKeyRow, Columns[ApiKeyRow]): ...


api_keys = table(
    "api_keys",
    ApiKeyColumns,
    unique_where("uq_api_keys_name", "name", where="revoked_at IS NULL"),
)
