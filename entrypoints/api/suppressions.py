"""`/v1/suppressions` and `/v1/blocks`: addresses that are not written to, and channels that are held up."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path

from entrypoints.api.filters import TextFilter
from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.problems import problems
from entrypoints.api.resources import CustomerId, ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.errors import UnknownBlockError, UnknownCustomerError, UnknownSuppressionError
from referrals.store import views
from referrals.store.messaging import channel_suspensions, suppressions
from referrals.store.reporting import wallets

router = APIRouter(route_class=AuthenticatedRoute, tags=["suppressions"])

BlockId = Annotated[int, Path(description="The block's id.", ge=1, lt=2**63)]


@router.delete(
    "/customers/{customer}/suppressions/{channel}",
    status_code=204,
    responses=problems(UnknownCustomerError, UnknownSuppressionError),
)
async def lift_suppression(
    customer: CustomerId,
    channel: Literal["email", "whatsapp", "http"],
    resources: ResourcesDep,
) -> None:
    """Send to the customer by this channel again, after the cause is fixed."""
    async with resources.store.begin() as tx:
        row = await wallets.require_customer(tx, customer)
        if not await suppressions.lift(tx, row.id, channel):
            raise UnknownSuppressionError(customer, channel)


@router.get("/suppressions", response_model=views.Page[views.Suppression], responses=AS_CSV)
async def list_suppressions(
    resources: ResourcesDep, params: Paging, customer: TextFilter = None
) -> Any:
    """List the addresses that a channel cannot reach, newest first."""
    async with resources.store.read_long() as tx:
        page = await suppressions.list_suppressions(tx, params.cursor, customer=customer)
    return params.render(page, views.Suppression)


@router.get("/blocks", response_model=views.Page[views.Block], responses=AS_CSV)
async def list_blocks(resources: ResourcesDep, params: Paging) -> Any:
    """List the channels and templates whose messages wait until an operator fixes a vendor account or a template."""
    async with resources.store.read_long() as tx:
        page = await channel_suspensions.list_suspensions(tx, params.cursor)
    return params.render(page, views.Block)


@router.delete("/blocks/{block}", status_code=204, responses=problems(UnknownBlockError))
async def lift_block(block: BlockId, resources: ResourcesDep) -> None:
    """Lift a block after its cause is fixed: its messages are sent at their next attempt, without a test message."""
    async with resources.store.begin() as tx:
        if not await channel_suspensions.lift(tx, block):
            raise UnknownBlockError(block)
