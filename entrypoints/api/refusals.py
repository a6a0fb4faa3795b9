"""`/v1/refusals`: requests that were refused, by reason."""

from typing import Any

from fastapi import APIRouter

from entrypoints.api.paging import AS_CSV, Paging
from entrypoints.api.resources import ResourcesDep
from entrypoints.api.routing import AuthenticatedRoute
from referrals.store import refusals, views

router = APIRouter(route_class=AuthenticatedRoute, tags=["refusals"])


@router.get("/refusals", response_model=views.Page[views.Refusal], responses=AS_CSV)
async def list_refusals(resources: ResourcesDep, params: Paging) -> Any:
    """List why requests that would change something were refused, by day, API key and source of the event.

    Counts appear within a few seconds. Requests without a valid key are not counted.
    """
    async with resources.store.read_long() as tx:
        page = await refusals.list_refusals(tx, params.cursor)
    return params.render(page, views.Refusal)
