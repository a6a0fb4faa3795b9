"""API keys. Only their hashes are stored; a plain hash is enough, because keys are long and random."""

import hashlib
import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from referrals.errors import KeyNameTakenError
from referrals.store.db.database import Store
from referrals.store.db.sql import Tx, first, rows_of
from referrals.store.schema import ApiKeyRow, api_keys


async def create(store: Store, name: str) -> str:
    """Create a key and return it; it cannot be read again.

    Raises:
        KeyNameTakenError: an active key has this name.
    """
    key = f"rk_{secrets.token_urlsafe(32)}"
    try:
        async with store.begin() as tx:
            await _insert(tx, name, key)
    except IntegrityError as error:
        raise KeyNameTakenError(name) from error
    return key


async def ensure(store: Store, name: str, key: str) -> None:
    """Make `key` the only valid key of this name."""
    async with store.begin() as tx:
        if await _name_of(tx, key) != name:
            await _revoke(tx, (api_keys.c.name == name) | (api_keys.c.key_hash == _hash(key)))
            await tx.execute(api_keys.delete().where(api_keys.c.key_hash == _hash(key)))
            await _insert(tx, name, key)


async def list_keys(store: Store) -> list[ApiKeyRow]:
    """Return `name`, `created_at` and `revoked_at` of every key, oldest first."""
    columns = (api_keys.c.name, api_keys.c.created_at, api_keys.c.revoked_at)
    async with store.read() as tx:
        return list(await rows_of(tx, ApiKeyRow, select(*columns).order_by(api_keys.c.id)))


async def revoke(store: Store, name: str) -> bool:
    """Revoke the key; return False if no active key has this name."""
    async with store.begin() as tx:
        return await _revoke(tx, api_keys.c.name == name)


async def check(store: Store, key: str) -> str | None:
    """Return the name of a valid key, else None. The look-up by hash reveals nothing through its duration."""
    async with store.read() as tx:
        return await _name_of(tx, key)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


async def _insert(tx: Tx, name: str, key: str) -> None:
    values = {"name": name, "key_hash": _hash(key), "created_at": datetime.now(UTC)}
    await tx.execute(api_keys.insert().values(values))


async def _revoke(tx: Tx, condition: Any) -> bool:
    statement = api_keys.update().where(condition, api_keys.c.revoked_at.is_(None))
    revoked = statement.values(revoked_at=datetime.now(UTC)).returning(api_keys.c.id)
    return await first(tx, revoked) is not None


async def _name_of(tx: Tx, key: str) -> str | None:
    row = await first(
        tx,
        select(api_keys.c.name).where(
            api_keys.c.key_hash == _hash(key), api_keys.c.revoked_at.is_(None)
        ),
    )
    return row[0] if row else None
