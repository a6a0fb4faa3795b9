"""Statuses of one callback of Meta are stored in few transactions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from entrypoints.api import whatsapp_callbacks
from referrals.domain.message_status import MessageStatus

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)


async def test_a_callback_of_999_statuses_takes_few_transactions(monkeypatch):
    batches: list[int] = []

    async def record(_tx: Any, _channel: str, statuses: Any, _now: datetime) -> int:
        batches.append(len(statuses))
        return 0

    class Transactions:
        @asynccontextmanager
        async def begin(self) -> AsyncIterator[None]:
            yield None

    monkeypatch.setattr(whatsapp_callbacks.status_reports, "record_statuses", record)
    reports = [MessageStatus(f"msg-{n}", None, "sent", NOW) for n in range(999)]
    store: Any = Transactions()
    await whatsapp_callbacks.record_callback(store, reports, [], NOW)

    assert sum(batches) == 999
    assert len(batches) <= 20
