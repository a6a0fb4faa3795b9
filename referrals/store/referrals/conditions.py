"""The values that conditions of rules and journeys can read. Amounts are numbers in the currency's major unit."""

from typing import Any

from sqlalchemy import select

from referrals.domain.money import format_amount, parse_amount
from referrals.domain.rules import RuleContext
from referrals.store.activity.context import ReferralContext
from referrals.store.db.sql import Tx, get, one
from referrals.store.schema import CustomerRow, RewardRow, advocates, customers, referrals


async def of_conversion(
    tx: Tx,
    context: ReferralContext,
    order: dict[str, Any] | None,
    event: dict[str, Any],
    refunded: int = 0,
) -> RuleContext:
    """The values for a rule; `refunded` is the refunded part of the order, in minor units."""
    return {
        "order": of_order(order, refunded),
        "event": event,
        "friend": person(await _customer(tx, str(context.friend_id))),
        "advocate": person(await _customer(tx, context.advocate.customer_id)),
        "counts": {"confirmed": context.advocate.confirmed_count},
        "campaign": {"id": context.campaign.campaign},
        "referral": {"code": context.code},
    }


async def of_journey(tx: Tx, context: ReferralContext, reward: RewardRow | None) -> RuleContext:
    """The values for a condition of a journey."""
    milestone = context.milestone
    values: dict[str, Any] = {
        "campaign": {"id": context.campaign.campaign},
        "counts": {"confirmed": await _confirmed(tx, context.advocate.id)},
        "advocate": person(await _customer(tx, context.advocate.customer_id)),
        "milestone": {"name": milestone.tier, "at": milestone.threshold} if milestone else {},
        "reward": of_reward(reward) if reward else {},
    }
    if context.referral_id:
        referral = await get(tx, referrals, id=context.referral_id)
        values["referral"] = {"id": referral.id, "state": referral.state, "code": referral.code}
        values["friend"] = person(await _customer(tx, referral.friend_id))
        values["order"] = of_order(referral.order_snapshot)
        values["event"] = referral.event_data or {}
    return values


def person(customer: CustomerRow) -> dict[str, Any]:
    details = {"name": customer.name, "email": customer.email, "locale": customer.locale}
    return {"id": customer.external_id} | {name: value for name, value in details.items() if value}


def of_order(order: dict[str, Any] | None, refunded: int = 0) -> dict[str, Any]:
    """The order as conditions read it; its amount is less by `refunded` minor units."""
    if order is None:
        return {}
    items = [
        item | ({"amount": float(item["amount"])} if item.get("amount") else {})
        for item in order["items"]
    ]
    left = parse_amount(order["amount"], order["currency"]) - refunded
    return order | {"items": items, "amount": _major(left, order["currency"])}


def of_reward(reward: RewardRow) -> dict[str, Any]:
    amount = _major(reward.amount, reward.currency) if reward.currency else reward.amount
    return {
        "side": reward.side,
        "tier": reward.tier or "",
        "type": reward.type,
        "amount": amount,
        "currency": reward.currency or "",
        "milestone": reward.milestone_id is not None,
    }


def _major(minor: int, currency: str) -> float:
    return float(format_amount(minor, currency))


async def _confirmed(tx: Tx, advocate_id: str) -> int:
    statement = select(advocates.c.confirmed_count).where(advocates.c.id == advocate_id)
    return (await one(tx, statement))[0]


async def _customer(tx: Tx, customer_id: str) -> CustomerRow:
    return await get(tx, customers, id=customer_id)
