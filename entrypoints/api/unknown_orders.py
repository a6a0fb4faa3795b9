"""`/v1/unknown-orders`: orders that events are about, and that no conversion has named."""

from typing import Any

from fastapi import APIRouter

from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.resources import ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.store import views
from referrals.store.reporting import order_lists

router = APIRouter(route_class=AuthenticatedRoute, tags=["events"])


@router.get("/unknown-orders", response_model=views.Page[views.UnknownOrder], responses=AS_CSV)
async def list_unknown_orders(resources: ResourcesDep, params: Paging) -> Any:
    """List the orders that `order_…` events are about, and that no conversion has named.

    Their events are remembered, and take effect when a conversion names the order under the same source and id.
    """
    async with resources.store.read_long() as tx:
        page = await order_lists.list_unknown(tx, params.cursor)
    return params.render(page, views.UnknownOrder)
