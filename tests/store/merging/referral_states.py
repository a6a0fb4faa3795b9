"""Referrals in each state, reached as a shop and an operator reach it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from referrals.store import schema
from tests.harness.campaigns import campaign
from tests.harness.store_harness import StoreHarness

Build = Callable[[StoreHarness, str, str], Awaitable[None]]
"""Refers a friend by a code of the campaign `spring`."""

HOLD = {"hold": "P14D"}
REWARDS = campaign()["rewards"]


async def signed_up(harness: StoreHarness, code: str, friend: str) -> None:
    await harness.apply(campaign())
    await harness.sign_up(code, friend)


async def held(harness: StoreHarness, code: str, friend: str) -> None:
    await harness.apply(campaign(conversion=HOLD))
    await harness.convert(code, friend)


async def in_review(harness: StoreHarness, code: str, friend: str) -> None:
    await harness.apply(campaign(conversion=HOLD | {"review": "manual"}))
    await harness.convert(code, friend)


async def confirmed(harness: StoreHarness, code: str, friend: str) -> None:
    await harness.apply(campaign(rewards=REWARDS | {"approval": "manual"}))
    await harness.convert(code, friend)


async def rewarded(harness: StoreHarness, code: str, friend: str) -> None:
    await harness.apply(campaign())
    await harness.convert(code, friend)


async def rolled_back(harness: StoreHarness, code: str, friend: str) -> None:
    await rewarded(harness, code, friend)
    await harness.command("roll_back", (await referral_of(harness, friend)).id)


async def expired(harness: StoreHarness, code: str, friend: str) -> None:
    await harness.apply(campaign(conversion={"attribution_window": "PT1M"}))
    await harness.sign_up(code, friend)
    harness.time += timedelta(minutes=2)
    await harness.fire_timers("spring")


async def rejected(harness: StoreHarness, code: str, friend: str) -> None:
    await in_review(harness, code, friend)
    await harness.command("reject", (await referral_of(harness, friend)).id)


BUILDERS: dict[str, Build] = {
    build.__name__: build
    for build in (
        signed_up,
        held,
        in_review,
        confirmed,
        rewarded,
        rolled_back,
        expired,
        rejected,
    )
}


async def referral_of(harness: StoreHarness, friend: str) -> object:
    """Return the only referral of a friend."""
    (customer,) = await harness.all(schema.customers, external_id=friend)
    (referral,) = await harness.all(schema.referrals, friend_id=customer.id)
    return referral
