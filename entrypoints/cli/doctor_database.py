"""Checks of `referrals doctor` that read the database. Each returns what is well, or raises what is not."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from entrypoints.cli.database import database_url
from referrals.errors import ReferralsError

if TYPE_CHECKING:
    from referrals.settings import Settings
    from referrals.store import views
    from referrals.store.db.sql import Tx

MAX_REFUSAL_AGE = timedelta(hours=1)


class NeedsAttentionError(ReferralsError):
    """Found something to correct, with which everything else goes on."""


class CheckFailedError(ReferralsError):
    """Found something that keeps the engine from its work, or that has failed."""


@asynccontextmanager
async def reading(settings: "Settings") -> "AsyncIterator[Tx]":
    from referrals.store import open_store

    async with (
        open_store(database_url(settings), settings.database_options) as store,
        store.read_long() as tx,
    ):
        yield tx


async def check_campaigns(settings: "Settings") -> str:
    """Check the definitions in use as if they were applied now, with the settings of this shell."""
    from entrypoints.api.campaign_checks import describe_problems
    from referrals.channels.templates import Templates
    from referrals.store.campaigns import versions

    async with reading(settings) as tx:
        in_use = await versions.list_in_use(tx)
    problems = describe_problems(in_use, Templates(settings.templates_dir), settings)
    return report_campaigns(len(in_use), problems)


def report_campaigns(in_use: int, problems: Sequence[str]) -> str:
    if problems:
        raise NeedsAttentionError("; ".join(problems))
    return f"{in_use} versions in use are valid"


async def check_contacts(settings: "Settings") -> str:
    """Count the customers whose digests are under an old secret, as far as this shell knows the current one."""
    from referrals.store.customers import rebuilding

    async with reading(settings) as tx:
        counts = await rebuilding.count_by_key(tx)
        current = settings.identity.current_key_id if settings.identity_secrets else None
        outdated = await rebuilding.count_outdated(tx, current) if current else 0
    if outdated:
        raise NeedsAttentionError(f"{outdated} customers have digests under an old key only")
    return (
        ", ".join(f"{count} customers under key {key}" for key, count in counts.items()) or "none"
    )


async def check_webhooks(settings: "Settings") -> str:
    from referrals.store.webhooks import subscriptions

    async with reading(settings) as tx:
        if alerts := await subscriptions.list_auto_disabled(tx):
            raise CheckFailedError(
                "; ".join(f"{row.id} is disabled. {row.reason}" for row in alerts)
            )
    return "none is disabled because of failures"


async def check_orders(settings: "Settings") -> str:
    from referrals.store.referrals import orders

    async with reading(settings) as tx:
        unknown = await orders.count_unknown(tx)
    listed = "; `referrals event unknown-orders` lists them" if unknown else ""
    return f"{unknown} with events, but without a conversion{listed}"


async def check_rewards(settings: "Settings") -> str:
    from referrals.store.reporting import failure_counts

    async with reading(settings) as tx:
        return _describe_failures(await failure_counts.count_rewards(tx))


async def check_tracked_events(settings: "Settings") -> str:
    from referrals.store.reporting import failure_counts

    async with reading(settings) as tx:
        return _describe_failures(await failure_counts.count_tracked_events(tx))


async def check_deliveries(settings: "Settings") -> str:
    from referrals.store.webhooks import delivery_lists

    async with reading(settings) as tx:
        return _none_failed(await delivery_lists.count_failed(tx))


async def check_workflow_starts(settings: "Settings") -> str:
    from referrals.store.reporting import workflow_start_lists

    async with reading(settings) as tx:
        return _none_failed(await workflow_start_lists.count_failed(tx))


def _none_failed(count: int) -> str:
    if count:
        raise CheckFailedError(f"{count} failed")
    return "none has failed"


def _describe_failures(failed: "list[views.FailureCount]") -> str:
    if failed:
        raise CheckFailedError(
            "; ".join(f"{row.count} failed, cause {row.cause}: {row.remedy}" for row in failed)
        )
    return "none has failed"


async def check_requests(settings: "Settings") -> str:
    from referrals.store import refusals

    since = datetime.now(UTC) - MAX_REFUSAL_AGE
    async with reading(settings) as tx:
        if found := await refusals.list_misunderstood(tx, since):
            raise CheckFailedError("; ".join(map(_describe_refusal, found)))
    return "none was refused as invalid in the last hour"


def _describe_refusal(refusal: "views.Refusal") -> str:
    place = f" at {refusal.field}" if refusal.field else ""
    sender = refusal.source or refusal.caller
    return f"{refusal.count} of {sender} refused today: {refusal.type}{place}"


async def check_rules(settings: "Settings") -> str:
    from referrals.store.reporting import rule_rejections

    async with reading(settings) as tx:
        if found := await rule_rejections.list_problems(tx):
            raise CheckFailedError("; ".join(map(_describe_rule, found)))
    return "each can be evaluated, and none rejects everybody"


def _describe_rule(found: "views.RuleRejections") -> str:
    rule = f"{found.campaign}: the rule {found.rule}"
    if found.broken:
        return f"{rule} could not be evaluated ({found.broken} so far): {found.diagnosis}"
    return f"{rule} has rejected all {found.failed} conversions"
