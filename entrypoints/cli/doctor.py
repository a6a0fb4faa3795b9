"""`referrals doctor`: check the installation and suggest fixes."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from entrypoints.cli import doctor_database, doctor_engine
from entrypoints.cli.client import load_settings
from entrypoints.cli.database import (
    database_url,
    describe_database_error,
    missing_database_file,
    shown_url,
)
from entrypoints.cli.options import JsonOutput
from entrypoints.cli.output import exit_immediately, print_json, print_table
from referrals.errors import ReferralsError
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
MAX_POLL_AGE = timedelta(minutes=2)
"""Temporal lists pollers of stopped workers for minutes. A running worker polls at least once a minute."""
CHECK_TIMEOUT = timedelta(seconds=10)
COLUMNS = {"name": "Check", "state": "State", "found": "Result", "remedy": "Fix"}


@dataclass(frozen=True)
class Check:
    """Result of one check, with a suggested fix if it failed."""

    name: str
    ok: bool
    found: str
    remedy: str
    warning: bool = False
    """True for something to correct, with which everything else goes on."""

    @property
    def state(self) -> str:
        return "warning" if self.warning else "ok" if self.ok else "failed"


def doctor(as_json: JsonOutput = False) -> None:
    """Check Python, the database, campaigns, Temporal, workers, the API and the channels for messages.

    Exit code 1 if a check fails.
    """
    settings = load_settings()
    checks = asyncio.run(run_checks(settings))
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        rows = [asdict(check) | {"state": check.state} for check in checks]
        print_table(rows, COLUMNS)
    exit_immediately(0 if all(check.ok for check in checks) else 1)


async def run_checks(settings: "Settings") -> list[Check]:
    """Run all checks of configured parts. Skip those that depend on a failed check."""
    _use_address_of_dev(settings)
    engine = await asyncio.to_thread(doctor_engine.ask, settings)
    database = await _check("database", lambda: _database(settings), "Run `referrals db upgrade`.")
    temporal = await _check(
        "Temporal",
        _temporal,
        "Start Temporal, or set TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE.",
    )
    return [
        await _check("settings", lambda: _settings(settings), ""),
        await _check("Python", _python, "Use Python 3.11 or newer."),
        await _check("API", engine.report, engine.remedy),
        database,
        temporal,
        *(await _database_checks(settings, engine) if database.ok else []),
        *(await _temporal_checks() if temporal.ok else []),
        *await _channel_checks(settings),
    ]


async def _database_checks(settings: "Settings", engine: doctor_engine.Engine) -> list[Check]:
    remedy = "See `referrals webhook show`, then run `referrals webhook enable`."
    return [
        await _check(
            "campaigns",
            lambda: engine.check_campaigns(settings),
            "Correct the keys, and apply the campaigns again.",
        ),
        await _check(
            "contacts",
            lambda: doctor_database.check_contacts(settings),
            "Run `referrals db rebuild-contacts` (docs/identity.md).",
        ),
        await _check("webhooks", lambda: doctor_database.check_webhooks(settings), remedy),
        *await _failure_checks(settings),
        await _check(
            "orders", lambda: doctor_database.check_orders(settings), "See docs/orders.md."
        ),
        await _check(
            "requests",
            lambda: doctor_database.check_requests(settings),
            "Correct what the shop sends (docs/errors.md); see `referrals event refusals`.",
        ),
        await _check(
            "rules",
            lambda: doctor_database.check_rules(settings),
            "Correct the rule, then run `referrals campaign apply`.",
        ),
    ]


async def _failure_checks(settings: "Settings") -> list[Check]:
    return [
        await _check(
            "rewards",
            lambda: doctor_database.check_rewards(settings),
            "Correct the causes, then run `referrals reward retry --failed --cause CAUSE`.",
        ),
        await _check(
            "tracked events",
            lambda: doctor_database.check_tracked_events(settings),
            "Correct the causes, then run `referrals tracked-event retry CAMPAIGN --cause CAUSE`.",
        ),
        await _check(
            "deliveries",
            lambda: doctor_database.check_deliveries(settings),
            "See `referrals delivery list --state failed`, then retry or drop them.",
        ),
        await _check(
            "workflow starts",
            lambda: doctor_database.check_workflow_starts(settings),
            "See `referrals workflow-start list --state failed`, then retry or drop them.",
        ),
    ]


async def _temporal_checks() -> list[Check]:
    register = "Run `temporal operator search-attribute create --type Keyword --name …` for each."
    return [
        await _check("search attributes", _search_attributes, register),
        await _check("workers", _workers, "Start `referrals worker`."),
    ]


async def _channel_checks(settings: "Settings") -> list[Check]:
    checks = []
    if settings.smtp_url:
        checks.append(await _check("SMTP", lambda: _smtp(settings), "Check REFERRALS_SMTP_URL."))
    if settings.whatsapp_phone_number_id:
        remedy = "Check the REFERRALS_WHATSAPP_… settings (docs/messages.md explains them)."
        checks.append(await _check("WhatsApp", lambda: _whatsapp(settings), remedy))
    if settings.http_messages_url:
        remedy = "Check the REFERRALS_HTTP_MESSAGES_… settings and the endpoint (docs/messages.md)."
        checks.append(await _check("HTTP messages", lambda: _http_messages(settings), remedy))
    return checks


async def _check(name: str, test: Callable[[], Awaitable[str]], remedy: str) -> Check:
    seconds = CHECK_TIMEOUT.total_seconds()
    try:
        found = await asyncio.wait_for(test(), seconds)
    except TimeoutError:
        return Check(name, ok=False, found=f"no response within {seconds:.0f} s", remedy=remedy)
    except doctor_database.NeedsAttentionError as error:
        return Check(name, ok=True, found=str(error), remedy=remedy, warning=True)
    except Exception as error:  # noqa: BLE001 - every error is a result
        return Check(name, ok=False, found=_describe(error), remedy=remedy)
    return Check(name, ok=True, found=found, remedy="")


def _describe(error: Exception) -> str:
    """Return our own message, or what the error means in our own words."""
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, ReferralsError | ValueError):
        return str(error)
    if isinstance(error, SQLAlchemyError):
        return describe_database_error(error)
    if isinstance(error, OSError):
        return error.strerror or "the server does not respond"
    return "the server did not accept the request"


async def _python() -> str:
    if sys.version_info < (3, 11):  # noqa: UP036 - this is what the check is for
        raise doctor_database.CheckFailedError(sys.version)
    return sys.version.split()[0]


async def _database(settings: "Settings") -> str:
    from referrals.store import open_store
    from referrals.store.db import migrate

    if file := missing_database_file(database_url(settings)):
        raise doctor_database.CheckFailedError(f"{file} does not exist")
    url = shown_url(database_url(settings))
    async with open_store(database_url(settings), settings.database_options) as store:
        if not await migrate.is_current(store):
            raise doctor_database.CheckFailedError(
                f"{url} does not have the latest schema ({migrate.head()})"
            )
    return f"{url}, schema {migrate.head()}"


def _use_address_of_dev(settings: "Settings") -> None:
    """Use the Temporal server of a running `referrals dev`, unless TEMPORAL_ADDRESS is set."""
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
        raise doctor_database.CheckFailedError(f"not registered: {', '.join(missing)}")
    return "registered"


async def _workers() -> str:
    from referrals.temporal.connection import connect

    client = await connect()
    unpolled = [queue for queue, kind in QUEUES if not await _is_polled(client, queue, kind)]
    if unpolled:
        raise doctor_database.CheckFailedError(f"no worker polls {', '.join(unpolled)}")
    return "polling " + ", ".join(dict.fromkeys(queue for queue, _ in QUEUES))


async def _is_polled(client: "Client", queue: str, kind: str) -> bool:
    from temporalio.api.enums.v1 import TaskQueueType
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

    response = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.Value(f"TASK_QUEUE_TYPE_{kind}"),
        )
    )
    oldest = datetime.now(UTC) - MAX_POLL_AGE
    return any(p.last_access_time.ToDatetime(tzinfo=UTC) > oldest for p in response.pollers)


async def _settings(settings: "Settings") -> str:
    return f"of this shell: {doctor_engine.describe_shell(settings)}"


async def _smtp(settings: "Settings") -> str:
    from aiosmtplib import SMTP

    assert settings.smtp_url is not None
    url = urlsplit(settings.smtp_url.get_secret_value())
    tls = url.scheme == "smtps"
    port = url.port or (465 if tls else 587)
    timeout = CHECK_TIMEOUT.total_seconds()
    server = SMTP(hostname=url.hostname, port=port, use_tls=tls, timeout=timeout)
    async with server:
        await server.noop()
    return f"{url.hostname}:{server.port} responds"


async def _whatsapp(settings: "Settings") -> str:
    from referrals.channels.whatsapp import WhatsAppChannel
    from referrals.http_client import open_client

    async with open_client() as client:
        return await WhatsAppChannel.from_settings(settings, client).describe()


async def _http_messages(settings: "Settings") -> str:
    from referrals.channels.http_messages import open_http_messages

    async with open_http_messages(settings) as channels:
        return await channels["http"].describe()
