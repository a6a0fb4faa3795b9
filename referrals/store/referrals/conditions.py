"""What the conditions of rules and journeys can ask about. An amount is a number in the currency's major unit."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, select

from referrals.domain.money import format_amount, parse_amount
from referrals.domain.rules import RuleContext
from referrals.store.db.sql import Tx, one
from referrals.store.schema import advocates, customers, referrals

if TYPE_CHECKING:
    from referrals.store.activity.log import Scene


async def of_conversion(
    tx: Tx,
    scene: "Scene",
    order: dict[str, Any] | None,
    event: dict[str, Any],
    refunded: int = 0,
) -> RuleContext:
    """The context of a rule; `refunded` is what came back of the order, in minor units."""
    return {
        "order": of_order(order, refunded),
        "event": event,
        "friend": person(await _customer(tx, str(scene.friend_id))),
        "advocate": person(await _customer(tx, scene.advocate.customer_id)),
        "counts": {"confirmed": scene.advocate.confirmed_count},
        "campaign": {"id": scene.campaign.campaign},
        "referral": {"code": scene.code},
    }


async def of_journey(tx: Tx, scene: "Scene", reward: Row[Any] | None) -> RuleContext:
    """The context of a journey's `when`."""
    milestone = scene.milestone
    context: dict[str, Any] = {
        "campaign": {"id": scene.campaign.campaign},
        "counts": {"confirmed": await _confirmed(tx, scene.advocate.id)},
        "advocate": person(await _customer(tx, scene.advocate.customer_id)),
        "milestone": {"name": milestone.tier, "at": milestone.threshold} if milestone else {},
        "reward": of_reward(reward) if reward else {},
    }
    if scene.referral_id:
        referral = await one(tx, select(referrals).where(referrals.c.id == scene.referral_id))
        context["referral"] = {"id": referral.id, "state": referral.state, "code": referral.code}
        context["friend"] = person(await _customer(tx, referral.friend_id))
        context["order"] = of_order(referral.order_snapshot)
        context["event"] = referral.event_data or {}
    return context


def person(customer: Row[Any]) -> dict[str, Any]:
    told = {"name": customer.name, "email": customer.email, "locale": customer.locale}
    return {"id": customer.external_id} | {name: value for name, value in told.items() if value}


def of_order(order: dict[str, Any] | None, refunded: int = 0) -> dict[str, Any]:
    """The order as a condition sees it, less what has been refunded (minor units)."""
    if order is None:
        return {}
    items = [
        item | ({"amount": float(item["amount"])} if item.get("amount") else {})
        for item in order["items"]
    ]
    left = parse_amount(order["amount"], order["currency"]) - refunded
    return order | {"items": items, "amount": _major(left, order["currency"])}


def of_reward(reward: Row[Any]) -> dict[str, Any]:
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
    return int((await one(tx, statement)).confirmed_count)


async def _customer(tx: Tx, customer_id: str) -> Row[Any]:
    return await one(tx, select(customers).where(customers.c.id == customer_id))
