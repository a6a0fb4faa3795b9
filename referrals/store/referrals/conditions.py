"""The values that conditions of rules and journeys can read. Amounts are numbers in the currency's major unit."""

from typing import Any

from sqlalchemy import select

from referrals.domain.money import format_amount, parse_amount
from referrals.domain.rule_variables import with_numbers
from referrals.domain.rules import RuleContext
from referrals.store.activity.context import ReferralContext
from referrals.store.db.sql import Tx, get, one
from referrals.store.schema import CustomerRow, RewardRow, advocates, customers, referrals


async def load_conversion_values(
    tx: Tx,
    context: ReferralContext,
    order: dict[str, Any] | None,
    event: dict[str, Any],
    refunded: int = 0,
) -> RuleContext:
    """Return the values for a rule; `refunded` is the refunded part of the order, in minor units."""
    return {
        "order": order_values(order, refunded),
        "event": event,
        "friend": _person_values(await _get_customer(tx, str(context.friend_id))),
        "advocate": _person_values(await _get_customer(tx, context.advocate.customer_id)),
        "counts": {"confirmed": context.advocate.confirmed_count},
        "campaign": {"id": context.campaign.campaign},
        "referral": {"code": context.code},
    }


async def load_journey_values(
    tx: Tx, context: ReferralContext, reward: RewardRow | None
) -> RuleContext:
    """Return the values for a condition of a journey."""
    milestone = context.milestone
    values: dict[str, Any] = {
        "campaign": {"id": context.campaign.campaign},
        "counts": {"confirmed": await _confirmed_count(tx, context.advocate.id)},
        "advocate": _person_values(await _get_customer(tx, context.advocate.customer_id)),
        "milestone": {"name": milestone.name, "at": milestone.threshold} if milestone else {},
        "reward": _reward_values(reward) if reward else {},
    }
    if context.referral_id:
        referral = await get(tx, referrals, id=context.referral_id)
        values["referral"] = {"id": referral.id, "state": referral.state, "code": referral.code}
        values["friend"] = _person_values(await _get_customer(tx, referral.friend_id))
        values["order"] = order_values(referral.order_snapshot)
        values["event"] = referral.event_data or {}
    return values


def _person_values(customer: CustomerRow) -> dict[str, Any]:
    details = {
        "name": customer.name,
        "email": customer.email,
        "phone": customer.phone,
        "locale": customer.locale,
    }
    return {"id": customer.external_id} | {name: value for name, value in details.items() if value}


def order_values(order: dict[str, Any] | None, refunded: int = 0) -> dict[str, Any]:
    """Return the order as conditions read it, with its amount reduced by `refunded` minor units."""
    if order is None:
        return {}
    left = parse_amount(order["amount"], order["currency"]) - refunded
    return with_numbers(order) | {"amount": _major_units(left, order["currency"])}


def _reward_values(reward: RewardRow) -> dict[str, Any]:
    return {
        "side": reward.side,
        "tier": reward.tier or "",
        "type": reward.type,
        "amount": _major_units(reward.amount, reward.currency),
        "repaid": _major_units(reward.repaid or 0, reward.currency),
        "currency": reward.currency or "",
        "milestone": reward.milestone_id is not None,
    }


def _major_units(minor: int, currency: str | None) -> float:
    return float(format_amount(minor, currency)) if currency else float(minor)


async def _confirmed_count(tx: Tx, advocate_id: str) -> int:
    statement = select(advocates.c.confirmed_count).where(advocates.c.id == advocate_id)
    return (await one(tx, statement))[0]


async def _get_customer(tx: Tx, customer_id: str) -> CustomerRow:
    return await get(tx, customers, id=customer_id)
