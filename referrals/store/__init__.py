"""The facts, in SQL: SQLite by default, PostgreSQL by URL."""

from referrals.store.db.database import Store, open_store

__all__ = ["Store", "open_store"]
