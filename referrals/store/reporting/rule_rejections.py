"""Rules that reject conversions: how often, and whether anybody passes."""

from sqlalchemy import Select, and_, func, select

from referrals.domain.reasons import RejectReason
from referrals.domain.states import COUNTS_TOWARD_LIMITS
from referrals.store import views
from referrals.store.db.columns import TableRow, required
from referrals.store.db.sql import Tx, literal_in, rows, rows_of
from referrals.store.schema import ActivityRow, activity, campaign_versions, campaigns, referrals

MIN_REJECTIONS = 10
"""Rejections by a rule from which on it matters that no conversion was accepted."""

_RULE = activity.c.data["rule"].as_string()
_IN_FORCE = and_(
    campaign_versions.c.campaign_id == campaigns.c.id,
    campaign_versions.c.version == campaigns.c.version,
)


class _Counted(TableRow):
    campaign_id: str
    rule: str
    reason_code: str
    count: int
    last_id: int


async def list_rejections(tx: Tx, campaign_id: str) -> list[views.RuleRejections]:
    """List the rules that rejected conversions since the version in force was applied."""
    return await _list(tx, _COUNT.where(campaigns.c.id == campaign_id))


async def list_problems(tx: Tx) -> list[views.RuleRejections]:
    """List the rules of running campaigns that could not be evaluated, or that rejected everybody."""
    found = await _list(tx, _COUNT.where(campaigns.c.state == "running"))
    accepting = {row[0] for row in await rows(tx, _ACCEPTING)}
    return [
        row
        for row in found
        if row.broken or (row.failed >= MIN_REJECTIONS and row.campaign not in accepting)
    ]


async def _list(tx: Tx, statement: Select[tuple[object, ...]]) -> list[views.RuleRejections]:
    by_rule: dict[tuple[str, str], dict[str, _Counted]] = {}
    for row in await rows_of(tx, _Counted, statement):
        by_rule.setdefault((row.campaign_id, row.rule), {})[row.reason_code] = row
    last_ids = [max(row.last_id for row in found.values()) for found in by_rule.values()]
    last = {row.id: row for row in await rows_of(tx, ActivityRow, _rows_with(last_ids))}
    return [
        _rejections(campaign, rule, found, last[last_id])
        for ((campaign, rule), found), last_id in zip(by_rule.items(), last_ids, strict=True)
    ]


def _rows_with(ids: list[int]) -> Select[tuple[object, ...]]:
    return select(activity).where(activity.c.id.in_(ids))


def _rejections(
    campaign: str, rule: str, found: dict[str, _Counted], last: ActivityRow
) -> views.RuleRejections:
    failed, broken = found.get(RejectReason.RULE_FAILED), found.get(RejectReason.RULE_BROKEN)
    return views.RuleRejections(
        campaign=campaign,
        rule=rule,
        failed=failed.count if failed else 0,
        broken=broken.count if broken else 0,
        diagnosis=last.data.get("diagnosis"),
        last_at=required(last.at),
    )


_COUNT = (
    select(
        activity.c.campaign_id,
        _RULE.label("rule"),
        activity.c.reason_code,
        func.count().label("count"),
        func.max(activity.c.id).label("last_id"),
    )
    .select_from(campaigns)
    .join(campaign_versions, _IN_FORCE)
    .join(activity, activity.c.campaign_id == campaigns.c.id)
    .where(
        literal_in(activity.c.reason_code, RejectReason.RULE_FAILED, RejectReason.RULE_BROKEN),
        activity.c.at >= campaign_versions.c.applied_at,
    )
    .group_by(activity.c.campaign_id, _RULE, activity.c.reason_code)
    .order_by(activity.c.campaign_id, _RULE)
)
_ACCEPTING = (
    select(campaigns.c.id)
    .join(campaign_versions, _IN_FORCE)
    .where(
        campaigns.c.state == "running",
        select(referrals.c.id)
        .where(
            referrals.c.campaign_id == campaigns.c.id,
            referrals.c.state.in_(COUNTS_TOWARD_LIMITS),
            referrals.c.converted_at >= campaign_versions.c.applied_at,
        )
        .exists(),
    )
)
"""Selects the running campaigns that have accepted a conversion since their version in force was applied."""
