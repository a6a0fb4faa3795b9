"""`/u/{token}`: the unsubscribe link of a message, one click without a login (RFC 8058)."""

from html import escape
from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse

from entrypoints.api.resources import ResourcesDep
from referrals.store.customers import consents

router = APIRouter(tags=["unsubscribe"])

Token = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{title}</title>
<h1>{title}</h1>
<p>{text}</p>
"""
BUTTON = '<form method="post"><button>Unsubscribe</button></form>\n'
HEADERS = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


@router.get("/u/{token}", response_class=HTMLResponse)
async def show_unsubscribe_page(token: Token, resources: ResourcesDep) -> HTMLResponse:
    """Show a page with a button to unsubscribe. Changes nothing, because mail scanners follow links too."""
    async with resources.store.read() as tx:
        is_known = await consents.is_unsubscribe_token(tx, token)
    if not is_known:
        return _unknown_link()
    return _page("Unsubscribe", "Do you want to unsubscribe from these messages?", BUTTON)


@router.post("/u/{token}", response_class=HTMLResponse)
async def unsubscribe(token: Token, resources: ResourcesDep) -> HTMLResponse:
    """Withdraw the consent to messages of this purpose by this channel. A repeat changes nothing."""
    async with resources.store.begin() as tx:
        is_known = await consents.unsubscribe(tx, token, resources.clock())
    if not is_known:
        return _unknown_link()
    return _page("Unsubscribed", "You will not receive these messages any more.")


def _unknown_link() -> HTMLResponse:
    text = "This unsubscribe link does not work. Please use the link in the message."
    return _page("Unknown link", text, status=404)


def _page(title: str, text: str, more: str = "", status: int = 200) -> HTMLResponse:
    page = PAGE.format(title=escape(title), text=escape(text)) + more
    return HTMLResponse(page, status, HEADERS)
