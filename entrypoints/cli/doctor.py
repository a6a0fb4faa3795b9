"""`referrals doctor`: what works, what does not, and what to do about it."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from entrypoints.cli.client import Api, load_settings, path
from entrypoints.cli.database import database_url, missing_file
from entrypoints.cli.output import Json, leave, print_json, print_table
from referrals.temporal.names import MESSAGES_QUEUE, QUEUE, REWARDS_QUEUE

if TYPE_CHECKING:
    from temporalio.client import Client

    from referrals.settings import Settings

QUEUES = (
    (QUEUE, "WORKFLOW"),
    (QUEUE, "ACTIVITY"),
    (REWARDS_QUEUE, "ACTIVITY"),
    (MESSAGES_QUEUE, "ACTIVITY"),
)
POLLED_WITHIN = timedelta(minutes=2)
"""Temporal remembers a poller for longer than it lives; a living one asks again every minute."""
PATIENCE = 10
"""Seconds that one check may take."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what was found, and what to do if it is not as it should be."""

    name: str
    ok: bool
    found: str
    remedy: str


def doctor(as_json: Json = False) -> None:
    """Check Python, database, Temporal, workers, API, SMTP and WhatsApp. Exit code 1 if one of them fails."""
    settings = load_settings()
    checks = asyncio.run(examine(settings))
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        rows = [asdict(check) | {"state": "ok" if check.ok else "failed"} for check in checks]
        headings = {"name": "Check", "state": "State", "found": "Found", "remedy": "What to do"}
        print_table(rows, headings)
    leave(0 if all(check.ok for check in checks) else 1)


async def examine(settings: "Settings") -> list[Check]:
    """Every check that makes sense: Temporal is asked about workers only where it answers."""
    _find_temporal(settings)
    checks = [
        await _check("Python", _python, "Use Python 3.11 or newer."),
        await _check("database", lambda: _database(settings), "Run `referrals db upgrade`."),
        await _check(
            "Temporal", _temporal, "Start it, or set TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE."
        ),
    ]
    if checks[1].ok:
        remedy = "Look with `referrals webhook show`, then `referrals webhook enable`."
        checks.append(await _check("webhooks", lambda: _webhooks(settings), remedy))
    if checks[2].ok:
        create = "Run `temporal operator search-attribute create --type Keyword --name …` for each."
        checks.append(await _check("search attributes", _search_attributes, create))
        checks.append(await _check("workers", _workers, "Start `referrals worker`."))
    remedy = "Start `referrals api`, and set REFERRALS_API_KEY."
    checks.append(await _check("API", lambda: _api(settings), remedy))
    if settings.smtp_url:
        checks.append(await _check("SMTP", lambda: _smtp(settings), "Check REFERRALS_SMTP_URL."))
    if settings.whatsapp_phone_number_id:
        remedy = (
            "Check the REFERRALS_WHATSAPP_… settings; docs/messages.md tells where they come from."
        )
        checks.append(await _check("WhatsApp", lambda: _whatsapp(settings), remedy))
    return checks


async def _check(name: str, look: Callable[[], Awaitable[str]], remedy: str) -> Check:
    try:
        found = await asyncio.wait_for(look(), PATIENCE)
    except TimeoutError:
        return Check(name, ok=False, found=f"no answer within {PATIENCE} s", remedy=remedy)
    except Exception as error:  # noqa: BLE001 - whatever is wrong is what was found
        return Check(name, ok=False, found=str(error) or type(error).__name__, remedy=remedy)
    return Check(name, ok=True, found=found, remedy="")


async def _python() -> str:
    if sys.version_info < (3, 11):  # noqa: UP036 - the point of the check
        raise RuntimeError(sys.version)
    return sys.version.split()[0]


async def _database(settings: "Settings") -> str:
    from sqlalchemy import make_url

    from referrals.store import open_store
    from referrals.store.db import migrate

    if file := missing_file(database_url(settings)):
        raise RuntimeError(f"there is no {file}")
    url = make_url(database_url(settings))
    async with open_store(database_url(settings)) as store:
        if not await migrate.is_current(store):
            raise RuntimeError(f"{url!r} is not at {migrate.head()}")
    return f"{url!r} at {migrate.head()}"


async def _webhooks(settings: "Settings") -> str:
    from referrals.store import open_store
    from referrals.store.webhooks import subscriptions

    async with open_store(database_url(settings)) as store, store.read() as tx:
        if alerts := await subscriptions.alerts(tx):
            raise RuntimeError("; ".join(f"{row.id} is disabled. {row.reason}" for row in alerts))
    return "none was disabled for failing"


def _find_temporal(settings: "Settings") -> None:
    """Beside a running `referrals dev`, Temporal is where that wrote it, unless the shell says otherwise."""
    file = settings.data_dir / "temporal-address"
    if file.exists():
        os.environ.setdefault("TEMPORAL_ADDRESS", file.read_text())


async def _temporal() -> str:
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest

    from referrals.temporal.connection import connect

    client = await connect()
    await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace)
    )
    return f"{client.service_client.config.target_host}, namespace {client.namespace}"


async def _search_attributes() -> str:
    from referrals.temporal.connection import connect, missing_search_attributes

    if missing := await missing_search_attributes(await connect()):
        raise RuntimeError(f"not registered: {', '.join(missing)}")
    return "registered"


async def _workers() -> str:
    from referrals.temporal.connection import connect

    client = await connect()
    idle = [queue for queue, kind in QUEUES if not await _is_polled(client, queue, kind)]
    if idle:
        raise RuntimeError(f"nobody polls {', '.join(idle)}")
    return "polling " + ", ".join(dict.fromkeys(queue for queue, _ in QUEUES))


async def _is_polled(client: "Client", queue: str, kind: str) -> bool:
    from temporalio.api.enums.v1 import TaskQueueType
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.Value(f"TASK_QUEUE_TYPE_{kind}"),
        )
    )
    since = datetime.now(UTC) - POLLED_WITHIN
    return any(p.last_access_time.ToDatetime(tzinfo=UTC) > since for p in answer.pollers)


async def _api(settings: "Settings") -> str:
    def ask() -> str:
        with Api.of(settings) as api:
            api.rows(path("campaigns"), limit=1)
            return f"{api.url} accepts the key"

    return await asyncio.to_thread(ask)


async def _smtp(settings: "Settings") -> str:
    from aiosmtplib import SMTP

    assert settings.smtp_url is not None
    url = urlsplit(settings.smtp_url.get_secret_value())
    tls = url.scheme == "smtps"
    server = SMTP(
        hostname=url.hostname, port=url.port or (465 if tls else 587), use_tls=tls, timeout=PATIENCE
    )
    async with server:
        await server.noop()
    return f"{url.hostname}:{server.port} answers"


async def _whatsapp(settings: "Settings") -> str:
    from referrals.channels.whatsapp import WhatsAppChannel
    from referrals.http_client import open_client

    async with open_client() as client:
        return await WhatsAppChannel.of(settings, client).describe()
